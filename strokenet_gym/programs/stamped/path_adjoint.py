"""The derivative of the path: path.py run back, from its stamps to the anchors.

All of it is in float64 and in pixels. The derivative of what stamps leave on pixels is in
run_adjoint.py.
"""

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.stamped.path import DRAWABLE_RADIUS, power
from strokenet_gym.programs.stamped.spline import cubic, knot, velocity

__all__ = ["spline_tangents_back", "trace_run_back"]


@njit(fastmath=FAST, error_model="numpy")
def trace_run_back(
    stamps, start, stop, by, points, tangents, pressure, radius, brush,
    by_points, by_tangents, by_pressure,
):  # fmt: skip
    """Pass the derivative by a run's stamps on to anchors, tangents and pressures.

    Args:
        stamps: of the stroke.
        start: the run's first.
        stop: one past its last.
        by: float64 ``(RUN, 5)``, the derivative by their x, y, radius, strength and weight.
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
    by_radius, k = 0.0, start
    while k < stop:
        i = stamps[k].segment
        curve = cubic(points, tangents, i)
        # By the coefficients of the cubic.
        x0, x1, x2, x3, y0, y1, y2, y3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        while k < stop and stamps[k].segment == i:
            stamp, t, dt = stamps[k], stamps[k].t, stamps[k].dt
            by_x, by_y, by_r, by_q = (
                by[k - start, 0],
                by[k - start, 1],
                by[k - start, 2],
                by[k - start, 3],
            )
            by_weight = by[k - start, 4] * stamp.weight
            k += 1
            if stamp.weight == 0.0:
                continue
            p = (1.0 - t) * pressure[i] + t * pressure[i + 1]
            if stamp.radius > DRAWABLE_RADIUS:  # drawn as it is: no powers are needed
                q, r = stamp.strength, stamp.radius
                size = r / radius
            else:
                q = brush.opacity * power(p, brush.pressure_opacity)
                size = power(p, brush.pressure_size)
                r = radius * size
            by_dx, by_dy, by_fade = 0.0, 0.0, 0.0
            if dt > 0.0:  # weight = density speed dt / r
                dx, dy = velocity(curve, t)
                by_speed = by_weight / max(dx * dx + dy * dy, 1e-300)
                by_dx, by_dy = by_speed * dx, by_speed * dy
                by_r -= by_weight / stamp.radius
            else:  # weight = fade
                by_fade = by_weight / stamp.weight
            if r < DRAWABLE_RADIUS:  # the strength is faded_strength(q, fade), the radius constant
                fade, kq = r / DRAWABLE_RADIUS, brush.buildup * q
                below = 1.0 / (1.0 + kq * (1.0 - fade) * (1.0 + 0.25 * fade))
                by_fade += by_q * q * (1.0 + kq * (1.0 + 0.25 * fade * fade)) * below * below
                by_q *= fade * below * below
                by_r = by_fade / DRAWABLE_RADIUS
            by_p = (by_q * q * brush.pressure_opacity + by_r * r * brush.pressure_size) / p
            by_pressure[i] += (1.0 - t) * by_p
            by_pressure[i + 1] += t * by_p
            by_radius += by_r * size
            x0, y0 = x0 + by_x, y0 + by_y
            x1, y1 = x1 + t * by_x + by_dx, y1 + t * by_y + by_dy
            x2, y2 = x2 + t * (t * by_x + 2.0 * by_dx), y2 + t * (t * by_y + 2.0 * by_dy)
            x3, y3 = x3 + t * t * (t * by_x + 3.0 * by_dx), y3 + t * t * (t * by_y + 3.0 * by_dy)
        by_points[i, 0] += x0 - 3.0 * x2 + 2.0 * x3
        by_points[i, 1] += y0 - 3.0 * y2 + 2.0 * y3
        by_points[i + 1, 0] += 3.0 * x2 - 2.0 * x3
        by_points[i + 1, 1] += 3.0 * y2 - 2.0 * y3
        by_tangents[i, 0, 0] += x1 - 2.0 * x2 + x3
        by_tangents[i, 0, 1] += y1 - 2.0 * y2 + y3
        by_tangents[i, 1, 0] += x3 - x2
        by_tangents[i, 1, 1] += y3 - y2
    return by_radius


@njit(fastmath=FAST, error_model="numpy")
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
