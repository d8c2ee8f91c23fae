"""The derivative of the path: path.py run back, from its runs of stamps to the anchors.

All of it is in float64 and in pixels. The derivative of what the runs leave on pixels is in
raster_adjoint.py.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.programs.stamped.fastmath import FAST
from strokenet_gym.programs.stamped.numbers import RUN
from strokenet_gym.programs.stamped.path import DRAWABLE_RADIUS, knot, power

__all__ = ["spline_tangents_back", "trace_run_back"]


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def trace_run_back(run, grad, pressure, radius, brush, by_points, by_tangents, by_pressure):
    """Pass a run's derivative on to anchors, tangents and pressures; return that by the radius."""
    by_x, by_y, by_dx, by_dy = grad[0], grad[1], grad[2], grad[3]
    by_r, by_q, by_weight = grad[4], grad[5], grad[6]
    i, t, dt = int(run.segment), run.t, run.dt
    s = 1.0 - t
    p = s * pressure[i] + t * pressure[i + 1]
    q = brush.opacity * power(p, brush.pressure_opacity)
    true_radius = radius * power(p, brush.pressure_size)
    fade = min(1.0, true_radius / DRAWABLE_RADIUS)
    by_fade = 0.0
    if dt > 0.0:  # weight = density distance / r
        distance = math.sqrt(run.dx * run.dx + run.dy * run.dy)
        if distance > 0.0:
            by_distance = by_weight * brush.density / run.radius
            by_dx += by_distance * run.dx / distance
            by_dy += by_distance * run.dy / distance
        by_r -= by_weight * run.weight / run.radius
    else:  # weight = fade / RUN
        by_fade += by_weight / RUN
    if true_radius < DRAWABLE_RADIUS:  # the strength is faded_strength(q, fade), r is constant
        kq = brush.buildup * q
        below = 1.0 / (1.0 + kq * (1.0 - fade) * (1.0 + 0.25 * fade))
        by_fade += by_q * q * (1.0 + kq * (1.0 + 0.25 * fade * fade)) * below * below
        by_q *= fade * below * below
        by_r = by_fade / DRAWABLE_RADIUS
    by_p = (by_q * q * brush.pressure_opacity + by_r * true_radius * brush.pressure_size) / p
    by_pressure[i] += s * by_p
    by_pressure[i + 1] += t * by_p

    centring = dt * dt / 12.0
    h = t * t * (3.0 - 2.0 * t) + 3.0 * (s - t) * centring
    g1 = s * s * t + (t - 2.0 * s) * centring
    g2 = -t * t * s + (2.0 * t - s) * centring
    e, k1, k2 = 6.0 * t * s, s * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)
    share = dt / RUN
    chord = h * by_x + e * share * by_dx
    by_points[i, 0] += by_x - chord
    by_points[i + 1, 0] += chord
    by_tangents[i, 0, 0] += g1 * by_x + k1 * share * by_dx
    by_tangents[i, 1, 0] += g2 * by_x + k2 * share * by_dx
    chord = h * by_y + e * share * by_dy
    by_points[i, 1] += by_y - chord
    by_points[i + 1, 1] += chord
    by_tangents[i, 0, 1] += g1 * by_y + k1 * share * by_dy
    by_tangents[i, 1, 1] += g2 * by_y + k2 * share * by_dy
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
