"""Logarithm and exponential for inner loops: polynomials that vectorise in float32.

``log(x)`` and ``exp(x)`` inside a compiled kernel. For float32 they are polynomials without a
branch or a library call (relative error about 2e-6), so that the compiler can put eight or
sixteen pixels in one register; for float64 they are the exact functions of the C library.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

__all__ = ["FAST", "exp", "log"]

# Reorder and contract freely, but keep infinities and NaN meaningful.
FAST = {"reassoc", "nsz", "contract", "arcp"}

_f = np.float32
# Chebyshev fits: log(1 + m) / m on |m| <= 1/3, and 2 ** f on |f| <= 1/2.
_L0, _L1, _L2, _L3 = _f(0.99999984), _f(-0.49999932), _f(0.33337989), _f(-0.25008027)
_L4, _L5, _L6, _L7 = _f(0.1979503), _f(-0.16412799), _f(0.17111227), _f(-0.15403155)
_E0, _E1, _E2 = _f(1.0), _f(0.69314721), _f(0.24022107)
_E3, _E4, _E5 = _f(0.05550327), _f(0.00967604), _f(0.00134004)
_LN2, _LOG2_E, _ONE, _HALF = _f(0.6931472), _f(1.442695), _f(1.0), _f(0.5)
_TWO_THIRDS = 0x3F2AAAAB  # the bits of 2 / 3 in float32
_BIAS, _MANTISSA = 127, 23


# These two are written in LLVM's terms, since numba widens all integers to 64 bits.
@intrinsic
def _frexp(typing_context, x):
    """Mantissa in [2/3, 4/3) and exponent, both as float32, of a positive float32."""

    def generate(context, builder, signature, args):
        integer, real = ir.IntType(32), ir.FloatType()
        bits = builder.bitcast(args[0], integer)
        exponent = builder.ashr(builder.sub(bits, integer(_TWO_THIRDS)), integer(_MANTISSA))
        rest = builder.sub(bits, builder.shl(exponent, integer(_MANTISSA)))
        parts = builder.bitcast(rest, real), builder.sitofp(exponent, real)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(types.float32, 2)(types.float32), generate


@intrinsic
def _power_of_two(typing_context, x):
    """2 ** x for a float32 that is a whole number from -126 to 127."""

    def generate(context, builder, signature, args):
        integer = ir.IntType(32)
        exponent = builder.add(builder.fptosi(args[0], integer), integer(_BIAS))
        return builder.bitcast(builder.shl(exponent, integer(_MANTISSA)), ir.FloatType())

    return types.float32(types.float32), generate


def log(x):
    """Natural logarithm of a positive, normal number."""
    return math.log(x)


@overload(log, jit_options={"fastmath": FAST})
def _log(x):
    if x != types.float32:
        return lambda x: math.log(x)

    def implementation(x):
        mantissa, exponent = _frexp(x)
        m = mantissa - _ONE
        p = _L4 + m * (_L5 + m * (_L6 + m * _L7))
        p = _L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * p)))
        return m * p + exponent * _LN2

    return implementation


def exp(x):
    """Exponential of a number that is not positive."""
    return math.exp(x)


@overload(exp, jit_options={"fastmath": FAST})
def _exp(x):
    if x != types.float32:
        return lambda x: math.exp(x)

    def implementation(x):
        scaled = max(x * _LOG2_E, _f(-126.0))
        whole = _f(math.ceil(scaled - _HALF))
        f = scaled - whole
        p = _E0 + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * _E5))))
        return p * _power_of_two(whole)

    return implementation
