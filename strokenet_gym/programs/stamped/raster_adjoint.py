"""The derivative of the painting program: compiled kernels that run raster.py back.

Given the derivative of a loss by the painted canvases, they find the one by every number of the
strokes and by the canvases beneath. Nothing is stored on the way forward but the opacity map: the
runs of stamps are traced again, and each visits its pixels once more, a broad one in a draft
blocks of them. From the runs to the anchors it goes on in path_adjoint.py.

Where the program has a kink, the derivative is a one-sided one: on the rim of a stamp (d = r) that
from outside, on its plateau's edge and where coverage reaches 0.999 that from the opaque side, at
a radius of one pixel that of the thicker stamp. The absolute difference has the derivative 0 where
canvas and target are equal, and so has the distance of two anchors on one spot. Ink that adds
nothing (pressure 0, or a pixel that is opaque already) has the derivative 0.
"""

import math

import numpy as np

from strokenet_gym.programs.stamped.blend import by_canvas, by_colour, shade
from strokenet_gym.programs.stamped.cache import njit
from strokenet_gym.programs.stamped.fastmath import FAST, log
from strokenet_gym.programs.stamped.numbers import EXACT, PATIENCE, RUN, brush_of
from strokenet_gym.programs.stamped.path import MAX_COVERAGE, new_path, trace_on, trace_stroke
from strokenet_gym.programs.stamped.path_adjoint import spline_tangents_back, trace_run_back
from strokenet_gym.programs.stamped.stamping import (
    LANES,
    LOW,
    A,
    B,
    X,
    Y,
    cells_of,
    fill_run,
    new_run,
    next_run,
    next_span,
    run_columns,
    run_rows,
    visits,
)

__all__ = ["composite_strokes_back", "opacity_row_back", "stroke_back"]


# Sums over the pixels that a run touches, kept behind its own numbers: of 1, d, x / d and y / d on
# a stamp's slope, where d is the distance from its centre, and of 1 on its plateau, each times the
# derivative over the light that the stamp lets through; and of the derivative times its logarithm.
SLOPE, FAR, RIGHT, DOWN, FLAT, LOGS = range(5 * RUN, 11 * RUN, RUN)


@njit(fastmath=FAST, error_model="numpy")
def _pixel_back(g, dx, dy, a, b, low):
    """What one pixel brings to the sums of a stamp whose centre is (dx, dy) from there."""
    one, zero = type(a)(1.0), type(a)(0.0)
    d = math.sqrt(dx * dx + dy * dy + type(a)(1e-12))
    ramp = a + b * d
    t = min(max(ramp, low), one)
    by = g / (t * d)  # one division serves all
    on = (by if ramp < one else zero) if ramp > low else zero
    flat = by * d if ramp <= low else zero
    slope = on * d
    return slope, slope * d, on * dx, on * dy, flat, t


@njit(fastmath=FAST, error_model="numpy")
def _pixels_back(run, g, h, x, y, side):
    """Add what two pixels, or blocks of pixels, side by side bring to the sums."""
    for k in range(RUN):  # the stamps side by side in a vector register
        dx, dy = x - run[X + k], y - run[Y + k]
        a, b, low = run[A + k], run[B + k], run[LOW + k]
        slope, far, right, down, flat, t = _pixel_back(g, dx, dy, a, b, low)
        slope2, far2, right2, down2, flat2, t2 = _pixel_back(h, dx + side, dy, a, b, low)
        run[SLOPE + k] += slope + slope2
        run[FAR + k] += far + far2
        run[RIGHT + k] += right + right2
        run[DOWN + k] += down + down2
        run[FLAT + k] += flat + flat2
        run[LOGS + k] += g * log(t) + h * log(t2)


@njit(fastmath=FAST, error_model="numpy")
def _add_up(run, extent, seed, box, shift):
    """Fill the sums of a run.

    Args:
        run: as :func:`fill_run` filled it; what is behind is filled.
        extent: the same.
        seed: ``(H, cells * LANES)``, the derivative by each pixel's log-transmittance; or by that
            of blocks of pixels.
        box: the stroke's bounding box.
        shift: log2 of the side of these blocks; 0: pixels.
    """
    real = seed.dtype.type
    for k in range(5 * RUN, 11 * RUN):
        run[k] = real(0.0)
    side, middle = 1 << shift, 0.5 * (1 << shift)
    first, last = run_rows(extent, box)
    for row in range(first >> shift, ((last - 1) >> shift) + 1):
        down = row * side + middle
        left, right = run_columns(extent, box, down - 0.5)
        left, right = left >> shift, ((right - 1) >> shift) + 1
        x, y = real(left * side + middle - extent[5]), real(down - extent[6])
        for column in range(left, right, 2):
            g = seed[row, column]
            h = seed[row, column + 1] if column + 1 < right else real(0.0)
            if g != real(0.0) or h != real(0.0):
                _pixels_back(run, g, h, x, y, real(side))
            x += real(2 * side)


@njit(fastmath=FAST, error_model="numpy")
def _add_blocks(blocks, seed, box):
    """Add up the derivative in a bounding box over blocks of 2 x 2 pixels."""
    (first, end), last = cells_of(box), seed.shape[0] - 1
    for row in range(box[2] >> 1, (box[3] + 1) >> 1):
        upper, lower = seed[2 * row], seed[min(2 * row + 1, last)]
        both = seed.dtype.type(2 * row < last)
        for x in range(first * (LANES // 2), end * (LANES // 2)):
            k = 2 * x
            blocks[row, x] = upper[k] + upper[k + 1] + both * (lower[k] + lower[k + 1])


@njit(fastmath=FAST, error_model="numpy")
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


@njit(fastmath=FAST, error_model="numpy")
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


@njit(error_model="numpy")
def _run_back(by_stamps, run, stamps, start, stop, weight, edge):
    """The derivative by each number of a run's stamps.

    Args:
        by_stamps: float64 ``(RUN, 5)``, filled: by x, y, radius, strength, weight.
        run: as :func:`_add_up` filled it.
        stamps: :data:`Stamp` ``(capacity,)``.
        start: the run's first.
        stop: one past its last.
        weight: the run's.
        edge: the brush's.
    """
    count, logs, steep = stop - start, 0.0, -weight / edge
    for k in range(count):
        stamp = stamps[start + k]
        away, far = -weight * run[B + k], run[FAR + k] / stamp.radius
        by_stamps[k, 0], by_stamps[k, 1] = away * run[RIGHT + k], away * run[DOWN + k]
        by_stamps[k, 2] = away * far
        by_stamps[k, 3] = steep * (run[SLOPE + k] - far)
        if stamp.strength < MAX_COVERAGE:
            by_stamps[k, 3] -= weight * run[FLAT + k]
        logs += run[LOGS + k]
    for k in range(count):
        by_stamps[k, 4] = logs / count


@njit(error_model="numpy")
def stroke_back(
    by_position, by_pressure, seed, blocks, path, count, by_tangents, brush, accuracy, shape,
    run, extent, by_stamps,
):  # fmt: skip
    """From the derivative by a stroke's log-transmittance to the one by its numbers.

    Args:
        by_position: float64 ``(n, 2)``, all zero, filled.
        by_pressure: float64 ``(n,)``, all zero, filled.
        seed: ``(H, cells * LANES)``, the derivative; zero afterwards.
        blocks: scratch ``(ceil(H / 2), cells * LANES / 2)``; any, if the accuracy knows no broad
            stamps.
        path: of the stroke, as :func:`trace_stroke` filled it.
        count: of the stamps that it has in its table.
        by_tangents: scratch float64 ``(n - 1, 2, 2)``.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas.
        run: scratch, from :func:`new_run`.
        extent: the same.
        by_stamps: scratch float64 ``(RUN, 5)``.

    Returns:
        The derivative by the radius, and visits of cells that it took, about.
    """
    points, tangents, box, stamps = path.points, path.tangents, path.box, path.stamps
    pressure, radius = path.pressure, path.radius[0]
    by_tangents[:] = 0.0
    by_radius, total = 0.0, 0
    if radius * brush.edge >= accuracy.broad:
        _add_blocks(blocks, seed, box)
    while count > 0:
        total += count
        start = 0
        while start < count:
            stop = next_run(stamps, start, count, accuracy.unlike)
            weight = fill_run(run, extent, stamps, start, stop, brush.edge, box)
            if weight > 0.0:
                if extent[4] * brush.edge >= accuracy.broad:
                    _add_up(run, extent, blocks, box, 1)
                else:
                    _add_up(run, extent, seed, box, 0)
                _run_back(by_stamps, run, stamps, start, stop, weight, brush.edge)
                by_radius += trace_run_back(
                    stamps, start, stop, by_stamps, points, tangents, pressure, radius, brush,
                    by_position, by_tangents, by_pressure,
                )  # fmt: skip
            start = stop
        count = trace_on(path, brush, accuracy, shape)
    spline_tangents_back(points, by_tangents, by_position)
    # From pixels, y down, to half-widths, y up.
    for i in range(points.shape[0]):
        by_position[i, 0] *= shape[1] / 2.0
        by_position[i, 1] *= -shape[0] / 2.0
    first, end = cells_of(box)
    for row in range(box[2], box[3]):
        seed[row, first * LANES : end * LANES] = seed.dtype.type(0.0)
    return by_radius * (min(shape[0], shape[1]) / 2.0), visits(path, total)


@njit()
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

    Returns:
        One past the last stroke that is done, see there.
    """
    n, channels, shape = position.shape[1], canvas.shape[1], canvas.shape[2:]
    real = canvas.dtype.type
    path, (run, extent), done = new_path(n), new_run(seed), 0
    by_tangents, by_stamps = np.empty((n - 1, 2, 2)), np.empty((RUN, 5))
    nothing = np.empty(0, canvas.dtype)
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    for b in range(start, stop):
        path, count = trace_stroke(
            path, position[b], pressure[b], radius[b], brush, EXACT, shape, 0, shape[0]
        )
        box = path.box
        by_own[b] = 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[b, row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
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
        by_radius[b], cost = stroke_back(
            by_position[b], by_pressure[b], seed, seed, path, count, by_tangents, brush, EXACT,
            shape, run, extent, by_stamps,
        )  # fmt: skip
        done += cost
        if done > PATIENCE:
            return b + 1
    return stop
