"""The derivative of the painting program: compiled kernels that run raster.py back.

Given the derivative of a loss by the painted canvases, they find the one by every number of the
strokes and by the canvases beneath. Nothing is stored on the way forward but the opacity map: the
runs of stamps are traced again, and each visits its pixels once more. From the runs to the anchors
it goes on in path_adjoint.py.

Where the program has a kink, the derivative is a one-sided one: on the rim of a stamp (d = r) that
from outside, on its plateau's edge and where coverage reaches 0.999 that from the opaque side, at
a radius of one pixel that of the thicker stamp. The absolute difference has the derivative 0 where
canvas and target are equal, and so has the distance of two anchors on one spot. Ink that adds
nothing (pressure 0, or a pixel that is opaque already) has the derivative 0.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.programs.stamped.blend import by_canvas, by_colour, shade
from strokenet_gym.programs.stamped.fastmath import FAST, log
from strokenet_gym.programs.stamped.numbers import EXACT, Run, brush_of
from strokenet_gym.programs.stamped.path import MAX_COVERAGE
from strokenet_gym.programs.stamped.path_adjoint import spline_tangents_back, trace_run_back
from strokenet_gym.programs.stamped.raster import (
    LANES,
    cells_of,
    next_span,
    prepare_stroke,
    run_columns,
    run_rows,
)

__all__ = ["WIDTH", "composite_strokes_back", "opacity_row_back", "stroke_back"]

WIDTH = 16  # pixels in the widest vector register


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _collect(seed, box, run, seeds, xs, ys):
    """Gather the pixels that a run touches and whose derivative is not 0.

    Args:
        seed: ``(H, cells * LANES)``, the derivative by each pixel's log-transmittance.
        box: the stroke's bounding box.
        run: a row of :func:`trace_runs`.
        seeds: ``(H * cells * LANES + WIDTH)``, filled with the derivatives.
        xs: the same, filled with the pixels' x from the run's middle.
        ys: the same for y.

    Returns:
        Their number, made up with zeros to a multiple of WIDTH.
    """
    real = seed.dtype.type
    zero = real(0.0)
    count = 0
    first, last = run_rows(run, box)
    for row in range(first, last):
        left, right = run_columns(run, box, row)
        x, y = real(left + 0.5 - run.x), real(row + 0.5 - run.y)
        line = seed[row, left:right]
        for k in range(line.shape[0]):
            g = line[k]
            seeds[count], xs[count], ys[count] = g, x + real(k), y
            count += g != zero  # else the next one takes its place
    for k in range(WIDTH):
        seeds[count + k] = zero
    for k in range(WIDTH):
        xs[count + k] = zero
    for k in range(WIDTH):
        ys[count + k] = zero
    return (count + WIDTH - 1) // WIDTH * WIDTH


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
    r, q, w = run.radius, run.strength, run.weight
    radius, strength, slope = real(r), real(q), real(1.0 / (edge * r))
    dx, dy = real(run.dx), real(run.dy)
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
def _blend_row_back(
    by_before, by_painted, by_squared, by_absolute,
    canvas, target, alpha, colour, mix, seed, x0, x1,
):  # fmt: skip
    """Pass the derivative of one row of one channel back through the blending.

    Args:
        by_before: filled, unless empty: by the canvas.
        by_painted: the row of the painted canvas; or empty: 0.
        by_squared: by the change of the summed squared difference to the target.
        by_absolute: by that of the absolute one.
        canvas: before the stroke.
        target: the row.
        alpha: opacity.
        colour: of the stroke.
        mix: of the blend mode.
        seed: the derivative by the opacity is added to it.
        x0: first column.
        x1: one past the last column.

    Returns:
        The derivative by the colour.
    """
    real = canvas.dtype.type
    one, zero = real(1.0), real(0.0)
    by_own = zero
    for x in range(x0, x1):
        before = canvas[x] - target[x]
        contrast = shade(mix, colour, canvas[x]) - canvas[x]
        after = before + contrast * alpha[x]
        sign = (one if after > zero else zero) - (one if after < zero else zero)
        g = by_squared * (after + after) + by_absolute * sign
        if by_painted.size > 0:
            g += by_painted[x]
        seed[x] += g * contrast
        by_own += g * alpha[x] * by_colour(mix, canvas[x])
        if by_before.size > 0:
            sign = (one if before > zero else zero) - (one if before < zero else zero)
            own = by_squared * (before + before) + by_absolute * sign
            by_before[x] = g * (one + (by_canvas(mix, colour) - one) * alpha[x]) - own
    return by_own


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def opacity_row_back(seed, alpha, paper, row, x0):
    """From the derivative by the opacity to the one by the log-transmittance.

    Args:
        seed: a part of a row that begins at column ``x0``; changed.
        alpha: the same part.
        paper: ``(H, W)``, or empty.
        row: the row.
        x0: the column.
    """
    one, zero = alpha.dtype.type(1.0), alpha.dtype.type(0.0)
    for i in range(seed.shape[0]):
        most = paper[row, x0 + i] if paper.size > 0 else one
        seed[i] = seed[i] * (alpha[i] - most) if alpha[i] > zero else zero


@njit(nogil=True, cache=True)
def stroke_back(
    by_position, by_pressure, seed, box, runs, count, points, tangents, pressure, radius, brush,
    half, seeds, xs, ys,
):  # fmt: skip
    """From the derivative by a stroke's log-transmittance to the one by its numbers.

    Args:
        by_position: float64 ``(n, 2)``, all zero, filled.
        by_pressure: float64 ``(n,)``, all zero, filled.
        seed: ``(H, cells * LANES)``, the derivative; zero afterwards.
        box: of the stroke, as :func:`prepare_stroke` filled it, and so what follows.
        runs: see there.
        count: of the runs.
        points: see there.
        tangents: scratch of their shape.
        pressure: float64 ``(n,)``.
        radius: half-widths.
        brush: a :class:`BrushNumbers`.
        half: pixels of a half-width.
        seeds: scratch ``(H * cells * LANES + WIDTH)``.
        xs: the same.
        ys: the same.

    Returns:
        The derivative by the radius.
    """
    grad = np.empty(7)
    tangents[:] = 0.0
    by_radius = 0.0
    for k in range(count):
        touched = _collect(seed, box, runs[k], seeds, xs, ys)
        if touched == 0:
            continue
        _stamp_run_back(seeds[:touched], xs[:touched], ys[:touched], runs[k], brush.edge, grad)
        by_radius += trace_run_back(
            runs[k], grad, pressure, radius * half, brush, by_position, tangents, by_pressure
        )
    spline_tangents_back(points, tangents, by_position)
    # From pixels, y down, to half-widths, y up.
    for i in range(points.shape[0]):
        by_position[i, 0] *= half
        by_position[i, 1] *= -half
    first, end = cells_of(box)
    for row in range(box[2], box[3]):
        seed[row, first * LANES : end * LANES] = seed.dtype.type(0.0)
    return by_radius * half


@njit(nogil=True, cache=True)
def composite_strokes_back(
    by_before, by_own, by_position, by_pressure, by_radius,
    by_painted, by_change, canvas, alpha, marks, target, paper,
    colour, position, pressure, radius, numbers, seed, start, stop,
):  # fmt: skip
    """The adjoint of :func:`strokenet_gym.programs.stamped.raster.composite_strokes`.

    ``by_x`` stands for the derivative of a loss by x and has the shape of x.

    Args:
        by_before: by the canvas, ``(B, C, H, W)``, equal to ``by_painted`` (or 0), changed where
            there is ink; or empty if nobody wants it.
        by_own: by the colour, float64 ``(B, C)``, filled.
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
        numbers: of the brush, see :func:`brush_of`.
        seed: scratch ``(H, cells * LANES)``, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.
    """
    n, channels, size = position.shape[1], canvas.shape[1], canvas.shape[3]
    real = canvas.dtype.type
    points, tangents, box = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(4, np.int64)
    runs = np.empty(1024, Run)
    seeds = np.empty(seed.size + WIDTH, canvas.dtype)
    xs, ys = np.empty_like(seeds), np.empty_like(seeds)
    nothing = np.empty(0, canvas.dtype)
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    half = size / 2.0
    for b in range(start, stop):
        runs, count = prepare_stroke(
            points, tangents, box, position[b], pressure[b], radius[b], brush,
            EXACT, size, 0, size, runs,
        )  # fmt: skip
        by_own[b] = 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[b, row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, size)
                for channel in range(channels):
                    by_own[b, channel] += _blend_row_back(
                        by_before[b, channel, row] if by_before.size > 0 else nothing,
                        by_painted[b, channel, row] if by_painted.size > 0 else nothing,
                        real(by_change[b, 0]),
                        real(by_change[b, 1]),
                        canvas[b, channel, row],
                        target[b, channel, row],
                        alpha[b, row],
                        real(colour[b, channel]),
                        mix,
                        seed[row],
                        x0,
                        x1,
                    )
                opacity_row_back(seed[row, x0:x1], alpha[b, row, x0:x1], paper, row, x0)
                left, right = next_span(marks[b, row], right, end)
        by_radius[b] = stroke_back(
            by_position[b], by_pressure[b], seed, box, runs, count, points, tangents, pressure[b],
            radius[b], brush, half, seeds, xs, ys,
        )  # fmt: skip
