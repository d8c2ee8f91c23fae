"""Logarithm and exponential for inner loops: polynomials that vectorise in float32.

``log(x)`` and ``exp(x)`` inside a compiled kernel. For float32 they are polynomials without a
branch or a library call (relative error about 2e-6), so that the compiler can put eight or
sixteen pixels in one register; for float64 they are the exact functions of the C library.
"""

import math

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

__all__ = ["FAST", "exp", "log"]

# Reorder and contract freely, but keep infinities and NaN meaningful.
FAST = {"reassoc", "nsz", "contract", "arcp"}

_f = np.float32
_i = np.int32
# Chebyshev fits: log(1 + m) / m on |m| <= 1/3, and 2 ** f on |f| <= 1/2.
_L0, _L1, _L2, _L3 = _f(0.99999984), _f(-0.49999932), _f(0.33337989), _f(-0.25008027)
_L4, _L5, _L6, _L7 = _f(0.1979503), _f(-0.16412799), _f(0.17111227), _f(-0.15403155)
_E0, _E1, _E2 = _f(1.0), _f(0.69314721), _f(0.24022107)
_E3, _E4, _E5 = _f(0.05550327), _f(0.00967604), _f(0.00134004)
_LN2, _LOG2_E, _ONE, _HALF = _f(0.6931472), _f(1.442695), _f(1.0), _f(0.5)
_TWO_THIRDS, _MANTISSA, _BIAS = _i(0x3F2AAAAB), _i(23), _i(127)


@intrinsic
def _bits(typing_context, x):
    """The bits of a float32 as an int32."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@intrinsic
def _from_bits(typing_context, x):
    """The float32 with the bits of an int32."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


def log(x):
    """Natural logarithm of a positive, normal number."""
    return math.log(x)


@overload(log, jit_options={"fastmath": FAST})
def _log(x):
    if x != types.float32:
        return lambda x: math.log(x)

    def implementation(x):
        bits = _bits(x)
        exponent = (bits - _TWO_THIRDS) >> _MANTISSA
        m = _from_bits(_i(bits - (exponent << _MANTISSA))) - _ONE
        p = _L4 + m * (_L5 + m * (_L6 + m * _L7))
        p = _L0 + m * (_L1 + m * (_L2 + m * (_L3 + m * p)))
        return m * p + _f(exponent) * _LN2

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
        whole = _i(scaled - _HALF)  # truncation rounds to nearest: scaled is not positive
        f = scaled - _f(whole)
        p = _E0 + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * _E5))))
        return p * _from_bits(_i((whole + _BIAS) << _MANTISSA))

    return implementation
