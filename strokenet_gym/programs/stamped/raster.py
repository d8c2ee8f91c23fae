"""Stamps on pixels: the compiled kernels that draw and composite strokes.

Each kernel takes a range of a batch, releases the GIL and touches only the pixels that a stroke
inks. The log-transmittance of one stroke is accumulated in ``ink``, a zeroed scratch of shape
``(H, cells * LANES)`` and the canvas' dtype. ``marks``, uint8 ``(H, cells)``, notes which cells of
LANES pixels it touches. The ink is cleared again after use, and so are the marks unless the caller
keeps them.

What a stroke costs, measured with the pencil on one core, exact and in float32: one of length L and
radius r pixels has about 22 L / r stamps where it is opaque, and 8 L / r at half the pressure. Each
takes 10 ns to trace. A run of eight takes 46 ns to gather, and then 14 to 22 ns for each cell of
LANES pixels that its stamps reach. So on a straight opaque line each inked pixel is visited 12
times at r = 4 and 6 times at r = 32 (at half the pressure 5 and 3 times, with these radii),
whatever the length, and the cost follows the inked area, 2 r L, not the canvas. Where r is below a
pixel, there are 7 stamps to a pixel of length, and a run takes 85 ns for its two or three rows.
"""

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST, exp
from strokenet_gym.programs.blend import shade
from strokenet_gym.programs.stamped.numbers import EXACT, PATIENCE, accuracy_of, brush_of
from strokenet_gym.programs.stamped.path import new_path, trace_stroke
from strokenet_gym.programs.stamped.stamping import (
    cells_of,
    new_run,
    next_span,
    stamp_stroke,
)

__all__ = ["composite_strokes", "draw_strokes", "opacity_row"]


@njit(fastmath=FAST, error_model="numpy")
def opacity_row(alpha, ink, paper, row, x0, x1):
    """Opacity of a part of a row from its log-transmittance, on this paper."""
    one = ink.dtype.type(1.0)
    for x in range(x0, x1):
        alpha[x] = one - exp(ink[x])
    if paper.size > 0:
        for x in range(x0, x1):
            alpha[x] *= paper[row, x]


@njit()
def draw_strokes(
    alpha, paper, position, pressure, radius, numbers, accuracy, ink, marks, start, stop
):
    """Opacity maps of the strokes ``start`` to ``stop`` of a batch, as many as patience allows.

    Args:
        alpha: ``(B, H, W)``, all zero, filled with 0 … 1.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        numbers: of the brush, see :func:`brush_of`.
        accuracy: see :func:`accuracy_of`.
        ink: scratch, all zero before and after.
        marks: the same.
        start: first stroke.
        stop: one past the last stroke.

    Returns:
        One past the last stroke that is done.
    """
    shape, real = alpha.shape[1:], ink.dtype.type
    brush, fineness = brush_of(numbers), accuracy_of(accuracy)
    path, (run, extent), done = new_path(position.shape[1]), new_run(ink), 0
    for b in range(start, stop):
        path, count = trace_stroke(
            path, position[b], pressure[b], radius[b], brush, fineness, shape, 0, shape[0]
        )
        done += stamp_stroke(ink, marks, path, count, brush, fineness, shape, run, extent)
        box = path.box
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
                opacity_row(alpha[b, row], ink[row], paper, row, x0, x1)
                ink[row, left * LANES : right * LANES] = real(0.0)
                marks[row, left:right] = 0
                left, right = next_span(marks[row], right, end)
        if done > PATIENCE:
            return b + 1
    return stop


@njit()
def composite_strokes(
    canvas, pixels, alpha, marks, before, boxes, inked, painted, target, change, paper,
    colour, position, pressure, radius, numbers, ink, start, stop,
):  # fmt: skip
    """Composite the strokes ``start`` to ``stop`` of a batch, each on its own canvas.

    As many of them as patience allows.

    Args:
        canvas: ``(B, C, H, W)``, 0 … 1, painted in place.
        pixels: uint8 ``(B, C, H, W)``, the canvas rounded, kept up to date; or empty.
        alpha: ``(B, H, W)``, filled with the strokes' opacity where marked; or, if nobody wants
            it, a scratch ``(1, H, W)``.
        marks: uint8 ``(B, H, cells)``, filled with where there is ink; or, without boxes, a scratch
            ``(1, H, cells)``, all zero before and after.
        before: ``(B, C, H, W)``, filled with the canvas before where marked; or empty.
        boxes: int64 ``(B, 4)``, outside of which there are no marks, filled; or empty.
        inked: int64 ``(B, 4)``, grown to where each canvas may have ink; or empty.
        painted: uint8 ``(B,)``, set to 1 for each stroke, or empty.
        target: ``(B, C, H, W)``.
        change: float64 ``(B, 2)``, filled with the change of the summed squared and absolute
            difference between canvas and target.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        colour: float64 ``(B, C)``.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        numbers: of the brush, see :func:`brush_of`.
        ink: scratch, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.

    Returns:
        One past the last stroke that is done.
    """
    shape, real = canvas.shape[2:], ink.dtype.type
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    path, (run, extent) = new_path(position.shape[1]), new_run(ink)
    keep_alpha, keep_marks, done = len(alpha) == len(canvas), boxes.size > 0, 0
    for b in range(start, stop):
        drawn = radius[b] + 0.0 * colour[b].sum()  # nothing in a colour that is none
        path, count = trace_stroke(
            path, position[b], pressure[b], drawn, brush, EXACT, shape, 0, shape[0]
        )
        box = path.box
        opacity = alpha[b] if keep_alpha else alpha[0]
        mark = marks[b] if keep_marks else marks[0]
        if keep_marks:  # those of the stroke before go
            old = boxes[b]
            first, end = cells_of(old)
            for row in range(old[2], old[3]):
                mark[row, first:end] = 0
            boxes[b] = box
        if painted.size > 0:
            painted[b] = 1
        if inked.size > 0:
            inked[b, 0], inked[b, 1] = min(inked[b, 0], box[0]), max(inked[b, 1], box[1])
            inked[b, 2], inked[b, 3] = min(inked[b, 2], box[2]), max(inked[b, 3], box[3])
        done += stamp_stroke(ink, mark, path, count, brush, EXACT, shape, run, extent)
        squared, absolute = 0.0, 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(mark[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, shape[1])
                opacity_row(opacity[row], ink[row], paper, row, x0, x1)
                ink[row, x0 : right * LANES] = real(0.0)
                if not keep_marks:
                    mark[row, left:right] = 0
                for channel in range(canvas.shape[1]):
                    line = canvas[b, channel, row]
                    if before.size > 0:
                        before[b, channel, row, x0:x1] = line[x0:x1]
                    ds, da = _blend_row(
                        line, target[b, channel, row], opacity[row],
                        real(colour[b, channel]), mix, x0, x1,
                    )  # fmt: skip
                    squared += ds
                    absolute += da
                    if pixels.size > 0:
                        _round_row(pixels[b, channel, row], line, x0, x1)
                left, right = next_span(mark[row], right, end)
        change[b, 0] = squared
        change[b, 1] = absolute
        if done > PATIENCE:
            return b + 1
    return stop


@njit(fastmath=FAST, error_model="numpy")
def _blend_row(canvas, target, alpha, colour, mix, x0, x1):
    """Blend one row; return the change of its squared and absolute error."""
    real = canvas.dtype.type
    squared, absolute = real(0.0), real(0.0)  # of a row; an episode's are in float64
    for x in range(x0, x1):
        old = canvas[x]
        new = old + (shade(mix, colour, old) - old) * alpha[x]
        new = min(max(new, real(0.0)), real(1.0))
        before, after = old - target[x], new - target[x]
        squared += (after - before) * (after + before)
        absolute += abs(after) - abs(before)
        canvas[x] = new
    return squared, absolute


@njit(fastmath=FAST, error_model="numpy")
def _round_row(pixels, canvas, x0, x1):
    real = canvas.dtype.type
    for x in range(x0, x1):
        pixels[x] = np.uint8(canvas[x] * real(255.0) + real(0.5))
