"""The derivative of the painting program: compiled kernels that run path.py and raster.py back.

Given the derivative of a loss by the painted canvases, they find the one by every number of the
strokes and by the canvases beneath. Nothing is stored on the way forward but the opacity map: the
runs of stamps are traced again, and each visits its pixels once more.

Where the program has a kink, the derivative is a one-sided one: on the rim of a stamp (d = r) that
from outside, on its plateau's edge and where coverage reaches 0.999 that from the opaque side, at
a radius of one pixel that of the thicker stamp. The absolute difference has the derivative 0 where
canvas and target are equal, and so has the distance of two anchors on one spot. Ink that adds
nothing (pressure 0, or a pixel that is opaque already) has the derivative 0.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.renderer.fastmath import FAST, log
from strokenet_gym.renderer.path import (
    DRAWABLE_RADIUS,
    MAX_COVERAGE,
    RUN,
    RUN_COLUMNS,
    SPACING,
    knot,
    power,
)
from strokenet_gym.renderer.raster import (
    LANES,
    cells_of,
    next_span,
    prepare_stroke,
    run_columns,
    run_rows,
)

__all__ = ["paint_strokes_back"]

_WIDTH = 16  # pixels in the widest vector register


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _collect(seed, box, run, seeds, xs, ys):
    """Gather the pixels that a run touches and whose derivative is not 0.

    Args:
        seed: ``(H, cells * LANES)``, the derivative by each pixel's log-transmittance.
        box: the stroke's bounding box.
        run: a row of :func:`trace_runs`.
        seeds: ``(H * cells * LANES + _WIDTH)``, filled with the derivatives.
        xs: the same, filled with the pixels' x from the run's middle.
        ys: the same for y.

    Returns:
        Their number, made up with zeros to a multiple of _WIDTH.
    """
    real = seed.dtype.type
    zero = real(0.0)
    count = 0
    first, last = run_rows(run, box)
    for row in range(first, last):
        left, right = run_columns(run, box, row)
        x, y = real(left + 0.5 - run[0]), real(row + 0.5 - run[1])
        line = seed[row, left:right]
        for k in range(line.shape[0]):
            g = line[k]
            seeds[count], xs[count], ys[count] = g, x + real(k), y
            count += g != zero  # else the next one takes its place
    for k in range(_WIDTH):
        seeds[count + k] = zero
    for k in range(_WIDTH):
        xs[count + k] = zero
    for k in range(_WIDTH):
        ys[count + k] = zero
    return (count + _WIDTH - 1) // _WIDTH * _WIDTH


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp(x, y, radius, slope, strength):
    """One stamp at a pixel: distance, profile, transmittance, whether on the rim, or capped."""
    real = type(radius)
    one, zero = real(1.0), real(0.0)
    distance = math.sqrt(x * x + y * y + real(1e-12))
    rim = (radius - distance) * slope
    profile = max(min(rim, one), zero)
    through = one - min(strength * profile, real(MAX_COVERAGE))
    free = one if strength * profile < real(MAX_COVERAGE) else zero
    sloped = free if rim < one else zero
    sloped = sloped if rim > zero else zero
    return distance, profile, through, free, sloped


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp_run_back(seeds, xs, ys, run, edge, grad):
    """Derivative by the numbers of a run, from the pixels that it touches.

    Args:
        seeds: from :func:`_collect`.
        xs: the same.
        ys: the same.
        run: a row of :func:`trace_runs`.
        edge: the brush's.
        grad: float64 ``(7,)``, filled, in the order of the run's columns: x, y, dx, dy, radius,
            strength, weight.
    """
    real = seeds.dtype.type
    half, three_halves = real(0.5), real(1.5)
    r, q, w = run[4], run[5], run[6]
    radius, strength, slope = real(r), real(q), real(1.0 / (edge * r))
    dx, dy = real(run[2]), real(run[3])
    by_x, by_y, by_dx, by_dy = real(0.0), real(0.0), real(0.0), real(0.0)
    by_radius, by_strength, by_weight = real(0.0), real(0.0), real(0.0)
    for i in range(seeds.shape[0]):
        g = seeds[i]
        x0, y0 = xs[i] + three_halves * dx, ys[i] + three_halves * dy
        x1, y1 = xs[i] + half * dx, ys[i] + half * dy
        x2, y2 = xs[i] - half * dx, ys[i] - half * dy
        x3, y3 = xs[i] - three_halves * dx, ys[i] - three_halves * dy
        d0, c0, t0, free0, on0 = _stamp(x0, y0, radius, slope, strength)
        d1, c1, t1, free1, on1 = _stamp(x1, y1, radius, slope, strength)
        d2, c2, t2, free2, on2 = _stamp(x2, y2, radius, slope, strength)
        d3, c3, t3, free3, on3 = _stamp(x3, y3, radius, slope, strength)
        t01, t23 = t0 * t1, t2 * t3
        through = t01 * t23
        by_weight += g * log(through)
        # The derivative of log(1 - a) is -1 / (1 - a); one division serves the four.
        g /= through
        i0, i1, i2, i3 = g * t1 * t23, g * t0 * t23, g * t01 * t3, g * t01 * t2
        by_strength += free0 * c0 * i0 + free1 * c1 * i1 + free2 * c2 * i2 + free3 * c3 * i3
        i0, i1, i2, i3 = on0 * i0, on1 * i1, on2 * i2, on3 * i3
        by_radius += i0 * d0 + i1 * d1 + i2 * d2 + i3 * d3
        i0, i1, i2, i3 = i0 / d0, i1 / d1, i2 / d2, i3 / d3
        by_x += i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3
        by_y += i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3
        by_dx += three_halves * (i3 * x3 - i0 * x0) + half * (i2 * x2 - i1 * x1)
        by_dy += three_halves * (i3 * y3 - i0 * y0) + half * (i2 * y2 - i1 * y1)
    steep = -w * q / (edge * r)
    grad[0], grad[1], grad[2], grad[3] = steep * by_x, steep * by_y, steep * by_dx, steep * by_dy
    grad[4], grad[5], grad[6] = steep / r * by_radius, -w * by_strength, by_weight


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _trace_run_back(run, grad, pressure, radius, brush, by_points, by_tangents, by_pressure):
    """Pass a run's derivative on to anchors, tangents and pressures; return that by the radius."""
    by_x, by_y, by_dx, by_dy = grad[0], grad[1], grad[2], grad[3]
    by_r, by_q, by_weight = grad[4], grad[5], grad[6]
    i, t, dt = int(run[7]), run[8], run[9]
    s = 1.0 - t
    p = s * pressure[i] + t * pressure[i + 1]
    q = brush[3] * power(p, brush[1])
    true_radius = radius * power(p, brush[0])
    fade = min(1.0, true_radius / DRAWABLE_RADIUS)
    by_fade = 0.0
    if dt > 0.0:  # weight = density distance / r
        distance = math.sqrt(run[2] * run[2] + run[3] * run[3])
        if distance > 0.0:
            by_distance = by_weight * brush[4] / run[4]
            by_dx += by_distance * run[2] / distance
            by_dy += by_distance * run[3] / distance
        by_r -= by_weight * run[6] / run[4]
    else:  # weight = fade / RUN
        by_fade += by_weight / RUN
    if true_radius < DRAWABLE_RADIUS:  # the strength is faded_strength(q, fade), r is constant
        kq = brush[5] * q
        below = 1.0 / (1.0 + kq * (1.0 - fade) * (1.0 + 0.25 * fade))
        by_fade += by_q * q * (1.0 + kq * (1.0 + 0.25 * fade * fade)) * below * below
        by_q *= fade * below * below
        by_r = by_fade / DRAWABLE_RADIUS
    by_p = (by_q * q * brush[1] + by_r * true_radius * brush[0]) / p
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
def _spline_tangents_back(points, by_tangents, by_points):
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


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _blend_row_back(
    by_canvas, by_painted, by_squared, by_absolute,
    canvas, target, alpha, colour, multiply, seed, x0, x1,
):  # fmt: skip
    """Pass the derivative of one row of one channel back through the blending.

    Args:
        by_canvas: filled, unless empty.
        by_painted: the row of the painted canvas; or empty: 0.
        by_squared: by the change of the summed squared difference to the target.
        by_absolute: by that of the absolute one.
        canvas: before the stroke.
        target: the row.
        alpha: opacity.
        colour: of the stroke.
        multiply: 1 for that blend mode, else 0.
        seed: the derivative by the opacity is added to it.
        x0: first column.
        x1: one past the last column.

    Returns:
        The derivative by the colour.
    """
    real = canvas.dtype.type
    one, zero = real(1.0), real(0.0)
    by_colour = zero
    for x in range(x0, x1):
        before = canvas[x] - target[x]
        share = one + multiply * (canvas[x] - one)
        contrast = colour * share - canvas[x]
        after = before + contrast * alpha[x]
        sign = (one if after > zero else zero) - (one if after < zero else zero)
        g = by_squared * (after + after) + by_absolute * sign
        if by_painted.size > 0:
            g += by_painted[x]
        seed[x] += g * contrast
        by_colour += g * alpha[x] * share
        if by_canvas.size > 0:
            sign = (one if before > zero else zero) - (one if before < zero else zero)
            own = by_squared * (before + before) + by_absolute * sign
            by_canvas[x] = g * (one + (colour * multiply - one) * alpha[x]) - own
    return by_colour


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _opacity_row_back(seed, alpha, paper, row, x0, x1):
    """From the derivative by the opacity to the one by the log-transmittance."""
    one, zero = alpha.dtype.type(1.0), alpha.dtype.type(0.0)
    for x in range(x0, x1):
        most = paper[row, x] if paper.size > 0 else one
        seed[x] = seed[x] * (alpha[x] - most) if alpha[x] > zero else zero


@njit(nogil=True, cache=True)
def paint_strokes_back(
    by_canvas, by_colour, by_position, by_pressure, by_radius,
    by_painted, by_change, canvas, alpha, marks, target, paper,
    colour, position, pressure, radius, brush, seed, start, stop,
):  # fmt: skip
    """The adjoint of :func:`strokenet_gym.renderer.raster.paint_strokes`.

    ``by_x`` stands for the derivative of a loss by x and has the shape of x.

    Args:
        by_canvas: ``(B, C, H, W)``, equal to ``by_painted`` (or 0), changed where there is ink; or
            empty if nobody wants it.
        by_colour: float64 ``(B, C)``, filled.
        by_position: float64 ``(B, n, 2)``, all zero, filled.
        by_pressure: float64 ``(B, n)``, all zero, filled.
        by_radius: float64 ``(B,)``, filled.
        by_painted: ``(B, C, H, W)``, or empty for 0.
        by_change: float64 ``(B, 2)``.
        canvas: ``(B, C, H, W)``, before the strokes.
        alpha: ``(B, H, W)``, the strokes' opacity, where marked.
        marks: uint8 ``(B, H, cells)``, where there is ink.
        target: ``(B, C, H, W)``.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        colour: float64 ``(B, C)``.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        brush: :attr:`Brush.numbers`.
        seed: scratch ``(H, cells * LANES)``, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.
    """
    n, channels, size = position.shape[1], canvas.shape[1], canvas.shape[3]
    real = canvas.dtype.type
    points, tangents, box = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(4, np.int64)
    by_tangents, grad = np.empty((n - 1, 2, 2)), np.empty(7)
    runs = np.empty((1024, RUN_COLUMNS))
    seeds = np.empty(seed.size + _WIDTH, canvas.dtype)
    xs, ys = np.empty_like(seeds), np.empty_like(seeds)
    nothing = np.empty(0, canvas.dtype)
    half = size / 2.0
    for b in range(start, stop):
        runs, count = prepare_stroke(
            points, tangents, box, position[b], pressure[b], radius[b], brush, SPACING, size, runs
        )
        by_colour[b] = 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[b, row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, size)
                for channel in range(channels):
                    by_colour[b, channel] += _blend_row_back(
                        by_canvas[b, channel, row] if by_canvas.size > 0 else nothing,
                        by_painted[b, channel, row] if by_painted.size > 0 else nothing,
                        real(by_change[b, 0]),
                        real(by_change[b, 1]),
                        canvas[b, channel, row],
                        target[b, channel, row],
                        alpha[b, row],
                        real(colour[b, channel]),
                        real(brush[6]),
                        seed[row],
                        x0,
                        x1,
                    )
                _opacity_row_back(seed[row], alpha[b, row], paper, row, x0, x1)
                left, right = next_span(marks[b, row], right, end)
        by_tangents[:] = 0.0
        by_radius[b] = 0.0
        for k in range(count):
            touched = _collect(seed, box, runs[k], seeds, xs, ys)
            if touched == 0:
                continue
            _stamp_run_back(seeds[:touched], xs[:touched], ys[:touched], runs[k], brush[2], grad)
            by_radius[b] += _trace_run_back(
                runs[k], grad, pressure[b], radius[b] * half, brush,
                by_position[b], by_tangents, by_pressure[b],
            )  # fmt: skip
        _spline_tangents_back(points, by_tangents, by_position[b])
        # From pixels, y down, to half-widths, y up.
        for i in range(n):
            by_position[b, i, 0] *= half
            by_position[b, i, 1] *= -half
        by_radius[b] *= half
        for row in range(box[2], box[3]):
            seed[row, first * LANES : end * LANES] = real(0.0)
