"""Many strokes in order on one canvas, and the derivative through all of them: compiled kernels.

What the way back needs is kept where there is ink, and no more: of each stroke its opacity, pixel
by pixel, in one long row of numbers (a *chunk*), and the canvas as it was when the chunk began. The
canvases between are blended again from these, chunk by chunk, from the last to the first.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.blend import by_canvas, by_colour, shade
from strokenet_gym.programs.stamped.numbers import PATIENCE, RUN, accuracy_of, brush_of
from strokenet_gym.programs.stamped.path import new_path, trace_stroke
from strokenet_gym.programs.stamped.raster import opacity_row
from strokenet_gym.programs.stamped.raster_adjoint import opacity_row_back, stroke_back
from strokenet_gym.programs.stamped.run_adjoint import MANY
from strokenet_gym.programs.stamped.stamping import (
    cells_of,
    new_run,
    next_span,
    stamp_stroke,
)

__all__ = ["SPAN", "blend_again", "composite_sequence", "composite_sequence_back"]

SPAN = 3  # numbers of a span: its row, its first column, one past its last


@njit()
def composite_sequence(
    canvas, alphas, spans, ends, paper, colour, position, pressure, radius, numbers, accuracy,
    ink, marks, opacity, low, high, begin,
):  # fmt: skip
    """Composite strokes in order on one canvas, from stroke ``begin`` until a chunk is full.

    Or until patience is at an end.

    Args:
        canvas: ``(C, H, W)``, 0 … 1, painted in place.
        alphas: ``(capacity,)``, filled with the opacity of the inked pixels, span by span; or empty
            if nobody goes back: then there is room for all.
        spans: int32 ``(capacity / LANES, SPAN)``, filled.
        ends: int64 ``(N + 1, 2)``; for each stroke that is done, row k + 1 is filled with how many
            spans and pixels there are then; row ``begin`` is 0.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        colour: float64 ``(N, C)``.
        position: float64 ``(N, n, 2)``.
        pressure: float64 ``(N, n)``.
        radius: float64 ``(N,)``.
        numbers: of the brush, see :func:`brush_of`.
        accuracy: see :func:`accuracy_of`.
        ink: scratch ``(H, cells * LANES)``, all zero before and after.
        marks: scratch ``(H, cells)``, the same.
        opacity: scratch ``(cells * LANES,)``.
        low: first row of the band that is painted.
        high: one past its last row.
        begin: the first stroke.

    Returns:
        One past the last stroke that is done; ``begin`` if not even that one has room.
    """
    shape, real = canvas.shape[1:], ink.dtype.type
    brush, fineness = brush_of(numbers), accuracy_of(accuracy)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    path, (run, extent) = new_path(position.shape[1]), new_run(ink)
    keep = alphas.size > 0
    span, pixel, done = 0, 0, 0
    for k in range(begin, len(position)):
        drawn = radius[k] + 0.0 * colour[k].sum()  # nothing in a colour that is none
        path, count = trace_stroke(
            path, position[k], pressure[k], drawn, brush, fineness, shape, low, high
        )
        box = path.box
        first, end = cells_of(box)
        rows = max(0, box[3] - box[2])
        most = rows * max(0, end - first) * LANES
        if keep and (pixel + most > alphas.size or span + most // LANES > len(spans)):
            return k
        done += stamp_stroke(ink, marks, path, count, brush, fineness, shape, run, extent)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
                opacity_row(opacity, ink[row], paper, row, x0, x1)
                ink[row, x0 : right * LANES] = real(0.0)
                marks[row, left:right] = 0
                for channel in range(canvas.shape[0]):
                    line = canvas[channel, row]
                    _blend_span(line, opacity, real(colour[k, channel]), mix, x0, x1)
                if keep:
                    spans[span, 0], spans[span, 1], spans[span, 2] = row, x0, x1
                    alphas[pixel : pixel + x1 - x0] = opacity[x0:x1]
                    span += 1
                    pixel += x1 - x0
                left, right = next_span(marks[row], right, end)
        if keep:
            ends[k + 1, 0], ends[k + 1, 1] = span, pixel
        if done > PATIENCE:
            return k + 1
    return len(position)


@njit(fastmath=FAST, error_model="numpy")
def _blend_span(canvas, alpha, colour, mix, x0, x1):
    real = canvas.dtype.type
    for x in range(x0, x1):
        new = canvas[x] + (shade(mix, colour, canvas[x]) - canvas[x]) * alpha[x]
        canvas[x] = min(max(new, real(0.0)), real(1.0))


@njit()
def blend_again(canvas, before, alphas, spans, ends, colour, numbers, low, begin, stop):
    """Blend a chunk's strokes again, and keep what was beneath each.

    Args:
        canvas: ``(C, rows, W)``, the band as it was when the chunk began; painted in place.
        before: ``(C, pixels)``, filled with the canvas before each stroke where that left ink.
        alphas: as :func:`composite_sequence` filled it.
        spans: the same.
        ends: the same.
        colour: float64 ``(N, C)``.
        numbers: of the brush, see :func:`brush_of`.
        low: first row of the band.
        begin: the chunk's first stroke.
        stop: one past its last.
    """
    real = canvas.dtype.type
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    for k in range(begin, stop):
        pixel = ends[k, 1]
        for span in range(ends[k, 0], ends[k + 1, 0]):
            row, x0, x1 = spans[span, 0], spans[span, 1], spans[span, 2]
            width = x1 - x0
            for channel in range(canvas.shape[0]):
                line = canvas[channel, row - low, x0:x1]
                before[channel, pixel : pixel + width] = line
                _blend_span(
                    line, alphas[pixel : pixel + width], real(colour[k, channel]), mix, 0, width
                )
            pixel += width


@njit()
def composite_sequence_back(
    by, by_own, by_position, by_pressure, by_radius, before, alphas, spans, ends, paper,
    colour, position, pressure, radius, numbers, accuracy, seed, low, high, begin, stop,
):  # fmt: skip
    """The adjoint of :func:`composite_sequence` for one chunk, from its last stroke to its first.

    Args:
        by: ``(C, H, W)``, the derivative of a loss by the canvas after the chunk; becomes the one
            by the canvas before it.
        by_own: by the colour, float64 ``(N, C)``, filled.
        by_position: float64 ``(N, n, 2)``, all zero, filled.
        by_pressure: float64 ``(N, n)``, all zero, filled.
        by_radius: float64 ``(N,)``, filled.
        before: as :func:`blend_again` filled it.
        alphas: as :func:`composite_sequence` filled it.
        spans: the same.
        ends: the same.
        paper: as there, and so the other arguments.
        colour: see there.
        position: see there.
        pressure: see there.
        radius: see there.
        numbers: see there.
        accuracy: see there.
        seed: scratch ``(H, cells * LANES)``, all zero before and after.
        low: first row of the band.
        high: one past its last row.
        begin: the chunk's first stroke.
        stop: one past its last.
    """
    n, shape, real = position.shape[1], by.shape[1:], seed.dtype.type
    brush, fineness = brush_of(numbers), accuracy_of(accuracy)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    path, (run, extent) = new_path(n), new_run(seed)
    by_tangents, by_stamps = np.empty((n - 1, 2, 2)), np.empty((RUN, 5))
    touched = np.empty((4, MANY), seed.dtype)
    blocks = np.empty(((seed.shape[0] + 1) // 2, seed.shape[1] // 2), seed.dtype)
    for k in range(stop - 1, begin - 1, -1):
        drawn = radius[k] + 0.0 * colour[k].sum()  # nothing in a colour that is none
        path, count = trace_stroke(
            path, position[k], pressure[k], drawn, brush, fineness, shape, low, high
        )
        by_own[k] = 0.0
        pixel = ends[k, 1]
        for span in range(ends[k, 0], ends[k + 1, 0]):
            row, x0, x1 = spans[span, 0], spans[span, 1], spans[span, 2]
            width = x1 - x0
            alpha, below = alphas[pixel : pixel + width], before[:, pixel : pixel + width]
            for channel in range(by.shape[0]):
                by_own[k, channel] += _blend_span_back(
                    by[channel, row, x0:x1], below[channel], alpha, real(colour[k, channel]), mix,
                    seed[row, x0:x1],
                )  # fmt: skip
            opacity_row_back(seed[row, x0:x1], alpha, paper, row, x0)
            pixel += width
        by_radius[k], _ = stroke_back(
            by_position[k], by_pressure[k], seed, blocks, path, count, by_tangents, brush, fineness,
            shape, run, extent, touched, by_stamps,
        )  # fmt: skip


@njit(fastmath=FAST, error_model="numpy")
def _blend_span_back(by, below, alpha, colour, mix, seed):
    """Through the blending of one span of one channel; returns the derivative by the colour."""
    one = by.dtype.type(1.0)
    by_own = by.dtype.type(0.0)
    for x in range(by.shape[0]):
        g = by[x]
        seed[x] += g * (shade(mix, colour, below[x]) - below[x])
        by_own += g * alpha[x] * by_colour(mix, below[x])
        by[x] = g * (one + (by_canvas(mix, colour) - one) * alpha[x])
    return by_own
