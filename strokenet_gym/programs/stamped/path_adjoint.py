"""The derivative of the path: path.py run back, from its stamps to the anchors.

All of it is in float64 and in pixels. The derivative of what stamps leave on pixels is in
raster_adjoint.py.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.programs.stamped.fastmath import FAST
from strokenet_gym.programs.stamped.path import DRAWABLE_RADIUS, power
from strokenet_gym.programs.stamped.spline import cubic, knot, velocity

__all__ = ["spline_tangents_back", "trace_stamp_back"]


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def trace_stamp_back(
    stamp, by, points, tangents, pressure, radius, brush, by_points, by_tangents, by_pressure
):
    """Pass a stamp's derivative on to anchors, tangents and pressures.

    Args:
        stamp: one of the stroke's.
        by: float64 ``(5,)``, the derivative by its x, y, radius, strength and weight.
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        pressure: float64 ``(n,)``.
        radius: pixels.
        brush: a :class:`BrushNumbers`.
        by_points: the shape of ``points``, added to.
        by_tangents: the shape of ``tangents``, added to.
        by_pressure: the shape of ``pressure``, added to.

    Returns:
        The derivative by the radius.
    """
    by_x, by_y, by_r, by_q, by_weight = by[0], by[1], by[2], by[3], by[4]
    i, t, dt = stamp.segment, stamp.t, stamp.dt
    s = 1.0 - t
    p = s * pressure[i] + t * pressure[i + 1]
    q = brush.opacity * power(p, brush.pressure_opacity)
    true_radius = radius * power(p, brush.pressure_size)
    fade = min(1.0, true_radius / DRAWABLE_RADIUS)
    by_fade, by_dx, by_dy = 0.0, 0.0, 0.0
    if dt > 0.0:  # weight = density speed dt / r
        dx, dy = velocity(cubic(points, tangents, i), t)
        speed = math.sqrt(dx * dx + dy * dy)
        if speed > 0.0:
            by_speed = by_weight * brush.density * dt / (stamp.radius * speed)
            by_dx, by_dy = by_speed * dx, by_speed * dy
        by_r -= by_weight * stamp.weight / stamp.radius
    else:  # weight = fade
        by_fade += by_weight
    if true_radius < DRAWABLE_RADIUS:  # the strength is faded_strength(q, fade), r is constant
        kq = brush.buildup * q
        below = 1.0 / (1.0 + kq * (1.0 - fade) * (1.0 + 0.25 * fade))
        by_fade += by_q * q * (1.0 + kq * (1.0 + 0.25 * fade * fade)) * below * below
        by_q *= fade * below * below
        by_r = by_fade / DRAWABLE_RADIUS
    by_p = (by_q * q * brush.pressure_opacity + by_r * true_radius * brush.pressure_size) / p
    by_pressure[i] += s * by_p
    by_pressure[i + 1] += t * by_p

    h, g1, g2 = t * t * (3.0 - 2.0 * t), s * s * t, -t * t * s
    e, k1, k2 = 6.0 * t * s, s * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)
    chord = h * by_x + e * by_dx
    by_points[i, 0] += by_x - chord
    by_points[i + 1, 0] += chord
    by_tangents[i, 0, 0] += g1 * by_x + k1 * by_dx
    by_tangents[i, 1, 0] += g2 * by_x + k2 * by_dx
    chord = h * by_y + e * by_dy
    by_points[i, 1] += by_y - chord
    by_points[i + 1, 1] += chord
    by_tangents[i, 0, 1] += g1 * by_y + k1 * by_dy
    by_tangents[i, 1, 1] += g2 * by_y + k2 * by_dy
    return by_r * true_radius / radius


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def spline_tangents_back(points, by_tangents, by_points):
    """Add the derivative that comes through :func:`spline_tangents` to that by the anchors."""
    n = points.shape[0]
    knots, by_knots = np.empty(n - 1), np.zeros(n - 1)
    for i in range(n - 1):
        knots[i] = knot(points, i, i + 1)
    for i in range(n - 1):
        d1 = knots[i]
        for k in range(2):
            chord = points[i + 1, k] - points[i, k]
            by_start, by_end = by_tangents[i, 0, k], by_tangents[i, 1, k]
            by_chord = by_start + by_end
            if i > 0:
                d0 = knots[i - 1]
                before = points[i, k] - points[i - 1, k]
                both = 1.0 / (d0 + d1)
                mean = (before + chord) * both
                by_chord -= by_start * d1 * both
                by_before = by_start * d1 * (1.0 / d0 - both)
                by_knots[i] += by_start * (before / d0 - mean + d1 * mean * both)
                by_knots[i - 1] += by_start * d1 * (mean * both - before / (d0 * d0))
                by_points[i, k] += by_before
                by_points[i - 1, k] -= by_before
            if i < n - 2:
                d2 = knots[i + 1]
                after = points[i + 2, k] - points[i + 1, k]
                both = 1.0 / (d1 + d2)
                mean = (chord + after) * both
                by_chord -= by_end * d1 * both
                by_after = by_end * d1 * (1.0 / d2 - both)
                by_knots[i] += by_end * (after / d2 - mean + d1 * mean * both)
                by_knots[i + 1] += by_end * d1 * (mean * both - after / (d2 * d2))
                by_points[i + 2, k] += by_after
                by_points[i + 1, k] -= by_after
            by_points[i + 1, k] += by_chord
            by_points[i, k] -= by_chord
    for i in range(n - 1):
        for k in range(2):
            by_chord = by_knots[i] * (points[i + 1, k] - points[i, k]) / (2.0 * knots[i] ** 3)
            by_points[i + 1, k] += by_chord
            by_points[i, k] -= by_chord
