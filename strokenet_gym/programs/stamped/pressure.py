"""What pressure does: the radius and the strength of a stamp, and their derivative."""

import math

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST

__all__ = ["DRAWABLE_RADIUS", "powers", "powers_around", "put_stamp", "put_stamp_back", "tolerance"]

# Below this radius (pixels) a stamp would fall between the pixel centres. A thinner one is drawn
# with it and less strength instead.
DRAWABLE_RADIUS = 1.0

_NEAR = 1.0 / 16.0  # largest relative pressure step for which p^k is expanded as a binomial series
_FAINT = 1e-6  # strength: a hundred passes are still less than 1/255 of ink


@njit(fastmath=FAST, error_model="numpy")
def _power(base, exponent):
    """``base ** exponent`` for base >= 0; pow is slow and most brushes use small integers."""
    if exponent == 1.0:
        return base
    if exponent == 3.0:
        return base * base * base
    if exponent == 0.0:
        return 1.0
    return base**exponent


@njit(fastmath=FAST, error_model="numpy")
def powers_around(low, high, brush):
    """One over the middle of two pressures, and its powers, for :func:`powers`.

    0 if the pressures are far apart, or the brush's powers take no time.
    """
    middle = 0.5 * (low + high)
    quick = _is_quick(brush.pressure_size) and _is_quick(brush.pressure_opacity)
    if quick or not high - low <= 2.0 * _NEAR * middle or middle < 1e-9:
        return 0.0, 0.0, 0.0
    return 1.0 / middle, _power(middle, brush.pressure_size), _power(middle, brush.pressure_opacity)


@njit()
def _is_quick(exponent):
    """Whether :func:`_power` only multiplies."""
    return exponent == 0.0 or exponent == 1.0 or exponent == 3.0


@njit(fastmath=FAST, error_model="numpy")
def powers(pressure, around, brush):
    """A stamp's size and opacity: the two powers of its pressure.

    By the binomial series around a pressure near it, to 1e-9 (1e-6 for the exponent 10): a power
    takes as long as all else about a stamp.
    """
    inverse, size, opacity = around
    if inverse > 0.0:
        x = pressure * inverse - 1.0
        size *= _one_plus(x, brush.pressure_size)
        return size, opacity * _one_plus(x, brush.pressure_opacity)
    return _power(pressure, brush.pressure_size), _power(pressure, brush.pressure_opacity)


@njit(fastmath=FAST, error_model="numpy")
def _one_plus(x, e):
    """``(1 + x) ** e`` for small x."""
    s = 1.0 + (e - 5.0) / 6.0 * x
    s = 1.0 + (e - 3.0) / 4.0 * x * (1.0 + (e - 4.0) / 5.0 * x * s)
    return 1.0 + e * x * (1.0 + (e - 1.0) / 2.0 * x * (1.0 + (e - 2.0) / 3.0 * x * s))


@njit(fastmath=FAST, error_model="numpy")
def _faded_strength(strength, fade, buildup):
    """Strength of a stamp with a true radius of ``fade`` <= 1 px, drawn with a radius of 1 px.

    A straight line of strength q takes away about kq / (1 + kq) of the light across its width,
    where k = ``Brush.buildup``. A strength of fade q / (1 + kq (1 - fade)) takes away that times
    fade. With the factor (1 + fade / 4), which was fitted, the ink of a line stays in proportion
    to its true width, to about 15 % for most brushes.
    """
    return fade * strength / (1.0 + buildup * strength * (1.0 - fade) * (1.0 + 0.25 * fade))


@njit(fastmath=FAST, error_model="numpy")
def tolerance(powers, radius, brush):
    """How much coarser than an opaque stroke one of this pressure's powers may be sampled.

    Measured: with the inverse root of the drawn strength, the largest error is about the same for
    all pressures.
    """
    strength = brush.opacity * powers[1] + 1e-12
    fade = min(1.0, radius * powers[0] / DRAWABLE_RADIUS)
    return 1.0 / math.sqrt(_faded_strength(strength, fade, brush.buildup))


@njit(fastmath=FAST, error_model="numpy")
def put_stamp(stamp, place, length, pressure, around, radius, segment, t, dt, brush):
    """Fill in a stamp that stands for a length of the path in pixels; 0: a whole one at an end."""
    size, opacity = powers(pressure, around, brush)
    strength, r = brush.opacity * opacity, radius * size
    fade = min(1.0, r / DRAWABLE_RADIUS)
    drawn = max(r, DRAWABLE_RADIUS)
    # A whole one's ink is in proportion to its true area.
    weight = length * brush.density / drawn if dt > 0.0 else fade
    inked = pressure > 0.0 and strength > _FAINT and fade > 1e-4
    stamp.x, stamp.y = place
    stamp.radius, stamp.weight = drawn, weight if inked else 0.0
    stamp.strength = _faded_strength(strength, fade, brush.buildup)
    stamp.segment, stamp.t, stamp.dt = segment, t, dt


@njit(fastmath=FAST, error_model="numpy")
def put_stamp_back(grad, stamp, pressure, radius, brush):
    """The adjoint of :func:`put_stamp`.

    Args:
        grad: a :data:`Stamp`, the gradient with respect to this one.
        stamp: as it was put.
        pressure: there.
        radius: of the stroke, pixels.
        brush: a :class:`BrushNumbers`.

    Returns:
        The gradient with respect to the logarithm of the length, the pressure and the radius.
    """
    grad_log, grad_r, grad_q, grad_fade = (
        grad.weight * stamp.weight,
        grad.radius,
        grad.strength,
        0.0,
    )
    if stamp.radius > DRAWABLE_RADIUS:  # drawn as it is: no powers are needed
        q, r = stamp.strength, stamp.radius
        size = r / radius
    else:
        q = brush.opacity * _power(pressure, brush.pressure_opacity)
        size = _power(pressure, brush.pressure_size)
        r = radius * size
    if stamp.dt > 0.0:  # weight = density length / r
        grad_r -= grad_log / stamp.radius
    else:  # weight = fade
        grad_fade, grad_log = grad_log / stamp.weight, 0.0
    if r < DRAWABLE_RADIUS:  # the strength is _faded_strength(q, fade), the radius constant
        fade, kq = r / DRAWABLE_RADIUS, brush.buildup * q
        below = 1.0 / (1.0 + kq * (1.0 - fade) * (1.0 + 0.25 * fade))
        grad_fade += grad_q * q * (1.0 + kq * (1.0 + 0.25 * fade * fade)) * below * below
        grad_q *= fade * below * below
        grad_r = grad_fade / DRAWABLE_RADIUS
    grad_p = (grad_q * q * brush.pressure_opacity + grad_r * r * brush.pressure_size) / pressure
    return grad_log, grad_p, grad_r * size
