"""What planners of pictures ask of a brush, in closed form: the compiled kernels.

The best colour. A stroke of opacity a changes the canvas c to ``c + (shade - c) a``, and the shade
is linear in the colour: ``shade = u colour + v`` (blend.py). So the squared error to a target t is
quadratic in the colour, and least at ``-Σ a u r / Σ (a u)²``, where ``r = c + (v - c) a - t``.

The cost of leaving a stroke out. All that comes after it is linear in the canvas, pixel by pixel.
If the strokes after stroke k multiply a difference of canvases by P, the picture without it differs
by ``d = P (before - after)``, and its squared error by ``d (2 (picture - t) + d)``.

Another colour. With P and u as above, a stroke's colour changed by s changes the picture by
``P u a s``; its error e with the weight w, squared, by ``s (2 Σ w P u a e + s Σ w (P u a)²)``.
"""

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.blend import by_canvas, by_colour, shade
from strokenet_gym.programs.stamped.numbers import PATIENCE, accuracy_of, brush_of
from strokenet_gym.programs.stamped.path import new_path, trace_stroke
from strokenet_gym.programs.stamped.raster import opacity_row
from strokenet_gym.programs.stamped.stamping import (
    cells_of,
    new_run,
    next_span,
    stamp_stroke,
)

__all__ = ["find_best_colours", "find_removal_costs", "recolour"]


@njit()
def find_best_colours(
    colours, gains, canvas, target, paper, position, pressure, radius, numbers, accuracy,
    ink, marks, opacity, start, stop,
):  # fmt: skip
    """Colours ``(K, C)`` and gains ``(K,)`` of the candidates ``start`` to ``stop``.

    The gains are in sums of squared errors. Arguments as in sequence_raster.py, of one canvas.

    Returns:
        One past the last candidate that is done: as many of them as patience allows.
    """
    shape, real = canvas.shape[1:], ink.dtype.type
    brush, fineness = brush_of(numbers), accuracy_of(accuracy)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    path, (run, extent) = new_path(position.shape[1]), new_run(ink)
    sums, done = np.empty((canvas.shape[0], 3)), 0
    for k in range(start, stop):
        path, count = trace_stroke(
            path, position[k], pressure[k], radius[k], brush, fineness, shape, 0, shape[0]
        )
        box = path.box
        done += stamp_stroke(ink, marks, path, count, brush, fineness, shape, run, extent)
        sums[:] = 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
                opacity_row(opacity, ink[row], paper, row, x0, x1)
                ink[row, x0 : right * LANES] = real(0.0)
                marks[row, left:right] = 0
                for channel in range(canvas.shape[0]):
                    _sum_span(
                        sums[channel], canvas[channel, row], target[channel, row], opacity, mix,
                        x0, x1,
                    )  # fmt: skip
                left, right = next_span(marks[row], right, end)
        gains[k] = 0.0
        for channel in range(canvas.shape[0]):
            change, slope, curve = sums[channel]
            best = min(max(-slope / curve, 0.0), 1.0) if curve > 0.0 else 0.0
            colours[k, channel] = best
            gains[k] -= change + best * (2.0 * slope + best * curve)
        if done > PATIENCE:
            return k + 1
    return stop


@njit(fastmath=FAST, error_model="numpy")
def _sum_span(sums, canvas, target, alpha, mix, x0, x1):
    """Add up the quadratic in the colour: error changed without it, half its slope, its curve."""
    change, slope, curve = 0.0, 0.0, 0.0
    zero = canvas.dtype.type(0.0)
    for x in range(x0, x1):
        before = canvas[x] - target[x]
        step = (shade(mix, zero, canvas[x]) - canvas[x]) * alpha[x]
        weight = by_colour(mix, canvas[x]) * alpha[x]
        change += step * (before + before + step)
        slope += weight * (before + step)
        curve += weight * weight
    sums[0] += change
    sums[1] += slope
    sums[2] += curve


@njit()
def find_removal_costs(
    costs, share, painted, target, before, alphas, spans, ends, colour, numbers, begin, stop
):
    """Costs ``(N,)`` of leaving out a chunk's strokes, in sums of squared errors.

    ``share`` is P, ``(C, H, W)``: 1 before the last chunk, and handed on to the one before. Other
    arguments as in sequence_raster.py.
    """
    real = painted.dtype.type
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    for k in range(stop - 1, begin - 1, -1):
        pixel, cost = ends[k, 1], 0.0
        for span in range(ends[k, 0], ends[k + 1, 0]):
            row, x0, x1 = spans[span, 0], spans[span, 1], spans[span, 2]
            width = x1 - x0
            for channel in range(painted.shape[0]):
                cost += _removal_span(
                    share[channel, row, x0:x1], painted[channel, row, x0:x1],
                    target[channel, row, x0:x1], before[channel, pixel : pixel + width],
                    alphas[pixel : pixel + width], real(colour[k, channel]), mix,
                )  # fmt: skip
            pixel += width
        costs[k] += cost


@njit(fastmath=FAST, error_model="numpy")
def _removal_span(share, painted, target, before, alpha, colour, mix):
    one, cost = share.dtype.type(1.0), 0.0
    for x in range(share.shape[0]):
        d = share[x] * (before[x] - shade(mix, colour, before[x])) * alpha[x]
        error = painted[x] - target[x]
        cost += d * (error + error + d)
        share[x] *= one + (by_canvas(mix, colour) - one) * alpha[x]
    return cost


@njit()
def recolour(sums, share, error, weight, before, alphas, spans, ends, numbers, k, colour, change):
    """Add what a chunk says of stroke k's colour to ``sums``, or change that colour.

    Args:
        sums: ``(C, 2)``, half the slope of the weighted squared error, and its curve.
        share: P, ``(C, H, W)``; handed on to the strokes below when the colour changes.
        error: the picture less the target, ``(C, H, W)``; changes with the colour.
        weight: what the squared error counts, ``(H, W)``.
        before: as in sequence_raster.py, and so the next four.
        alphas: the same.
        spans: the same.
        ends: the same.
        numbers: the same.
        k: the stroke.
        colour: the new one, ``(C,)``.
        change: from the one before, ``(C,)``; or empty: then there are the sums alone.
    """
    real, brush, pixel = share.dtype.type, brush_of(numbers), ends[k, 1]
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    for span in range(ends[k, 0], ends[k + 1, 0]):
        row, x0, x1 = spans[span, 0], spans[span, 1], spans[span, 2]
        width = x1 - x0
        for channel in range(share.shape[0]):
            part, wrong = share[channel, row, x0:x1], error[channel, row, x0:x1]
            below, alpha = before[channel, pixel : pixel + width], alphas[pixel : pixel + width]
            if change.size > 0:
                new, step = real(colour[channel]), real(change[channel])
                _change_span(part, wrong, below, alpha, new, step, mix)
            else:
                slope, curve = _colour_span(part, wrong, weight[row, x0:x1], below, alpha, mix)
                sums[channel, 0] += slope
                sums[channel, 1] += curve
        pixel += width


@njit(fastmath=FAST, error_model="numpy")
def _colour_span(share, error, weight, before, alpha, mix):
    slope, curve = 0.0, 0.0
    for x in range(share.shape[0]):
        by = share[x] * by_colour(mix, before[x]) * alpha[x]
        slope += weight[x] * by * error[x]
        curve += weight[x] * by * by
    return slope, curve


@njit(fastmath=FAST, error_model="numpy")
def _change_span(share, error, before, alpha, colour, change, mix):
    one = share.dtype.type(1.0)
    for x in range(share.shape[0]):
        error[x] += share[x] * by_colour(mix, before[x]) * alpha[x] * change
        share[x] *= one + (by_canvas(mix, colour) - one) * alpha[x]
