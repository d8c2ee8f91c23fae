"""Stamps on pixels: the compiled kernels that draw and composite strokes.

Each kernel takes a range of a batch, releases the GIL and touches only the pixels that a stroke
inks. The log-transmittance of one stroke is accumulated in ``ink``, a zeroed scratch of shape
``(H, cells * LANES)`` and the canvas' dtype. ``marks``, uint8 ``(H, cells)``, notes which cells of
LANES pixels it touches. The ink is cleared again after use, and so are the marks unless the caller
keeps them.

What a stroke costs: an opaque one of length L and radius r pixels is cut into about L / (0.17 r)
runs of four stamps, and each run visits the 2r x 2r pixels around it, in cells of LANES. So every
inked pixel is visited about twelve times, whatever the radius, and the cost follows the inked area,
2 r L, not the canvas. Fainter and thinner strokes take longer steps: those below a pixel cost about
a run (30 ns to trace it, 80 ns to stamp its two or three rows) for each 0.7 pixels of their length.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.programs.base import CELL
from strokenet_gym.programs.stamped.blend import shade
from strokenet_gym.programs.stamped.fastmath import FAST, exp, log
from strokenet_gym.programs.stamped.numbers import EXACT, RUN, Run, accuracy_of, brush_of
from strokenet_gym.programs.stamped.path import (
    DRAWABLE_RADIUS,
    MAX_COVERAGE,
    bounding_box,
    spline_tangents,
    trace_runs,
)

__all__ = [
    "LANES",
    "cells_of",
    "composite_strokes",
    "draw_strokes",
    "next_span",
    "opacity_row",
    "opaque_ink",
    "prepare_stroke",
    "run_columns",
    "run_rows",
    "stamp_run",
]

# Rows are stamped in cells of LANES pixels, which fill a vector register.
LANES = CELL
_CELL = 3  # log2 of LANES
_SMALL = 6.0  # pixels: a stamp of this radius is treated as a square


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _cover(x, y, radius, slope, strength):
    """Coverage by a stamp at the distance (x, y) from its centre (step 3 of the program)."""
    real = type(radius)
    rim = (radius - math.sqrt(x * x + y * y)) * slope
    a = strength * max(min(rim, real(1.0)), real(0.0))
    return min(a, real(MAX_COVERAGE))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def run_rows(run, box):
    """Rows that a run of stamps can touch, half open."""
    y, r = run.y, run.radius
    reach = r + (RUN - 1) / 2 * abs(run.dy)
    first = max(box[2], math.ceil(max(y - reach, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + reach, float(box[3])) - 0.5) + 1)
    return first, last


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def run_columns(run, box, row):
    """Columns of a row that a run of stamps can touch, half open."""
    x, r = run.x, run.radius
    chord = r
    if r > _SMALL:  # else the root costs more than it saves
        nearest = max(0.0, abs(row + 0.5 - run.y) - (RUN - 1) / 2 * abs(run.dy))
        chord = math.sqrt(max(r * r - nearest * nearest, 0.0))
    chord += (RUN - 1) / 2 * abs(run.dx)
    left = max(box[0], math.ceil(max(x - chord, -1.0) - 0.5))
    right = min(box[1], math.floor(min(x + chord, float(box[1])) - 0.5) + 1)
    return left, max(0, right)  # empty where left >= right


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def stamp_run(ink, marks, box, run, edge, opaque):
    """Add a run of stamps to the ink, where it is not opaque yet; the hot loop of the package."""
    real = ink.dtype.type
    one = real(1.0)
    x, y, dx, dy, r = run.x, run.y, run.dx, run.dy, run.radius
    radius, q, w, slope = real(r), real(run.strength), real(run.weight), real(1.0 / (edge * r))
    step_x, two_x, three_x = real(dx), real(2.0 * dx), real(3.0 * dx)
    step_y, two_y, three_y = real(dy), real(2.0 * dy), real(3.0 * dy)
    # The first stamp, from the centre of pixel (0, 0).
    start_x = x - (RUN - 1) / 2 * dx - 0.5
    start_y = y - (RUN - 1) / 2 * dy - 0.5
    # Only where many stamps meet is it worth a look whether they still change anything.
    look = r > _SMALL and run.strength > 0.25
    first, last = run_rows(run, box)
    for row in range(first, last):
        left, right = run_columns(run, box, row)
        y0 = real(row - start_y)
        y1, y2, y3 = y0 - step_y, y0 - two_y, y0 - three_y
        left &= -LANES
        while left < right:
            marks[row, left >> _CELL] = 1
            block = ink[row, left : left + LANES]
            translucent = 1
            if look:
                translucent = 0
                for lane in range(LANES):
                    translucent += block[lane] > opaque
            if translucent > 0:
                first_x = real(left - start_x)
                for lane in range(LANES):
                    x0 = first_x + real(lane)
                    through = one - _cover(x0, y0, radius, slope, q)
                    through *= one - _cover(x0 - step_x, y1, radius, slope, q)
                    through *= one - _cover(x0 - two_x, y2, radius, slope, q)
                    through *= one - _cover(x0 - three_x, y3, radius, slope, q)
                    block[lane] += w * log(through)
            left += LANES


@njit(nogil=True, cache=True)
def prepare_stroke(
    points, tangents, box, position, pressure, radius, brush, accuracy, size, low, high, runs
):
    """Turn a stroke in half-widths into runs of stamps in pixels.

    Args:
        points: float64 ``(n, 2)``, filled with the anchors in pixels, y down.
        tangents: float64 ``(n - 1, 2, 2)``, filled, see :func:`spline_tangents`.
        box: int64 ``(4,)``, filled with the pixels that may hold ink: x0, x1, y0, y1, half open.
        position: float64 ``(n, 2)`` in half-widths, y up.
        pressure: float64 ``(n,)``.
        radius: half-widths.
        brush: a :class:`BrushNumbers`.
        accuracy: a :class:`strokenet_gym.programs.stamped.path.Accuracy`.
        size: width and height of the canvas, pixels.
        low: first row that is asked for; 0 for all.
        high: one past the last row; ``size`` for all.
        runs: :data:`Run` ``(capacity,)``, filled by :func:`trace_runs`.

    Returns:
        The runs (a larger table if it was too small), and their number.
    """
    half = size / 2.0
    total = radius
    for i in range(points.shape[0]):
        points[i, 0] = (1.0 + position[i, 0]) * half
        points[i, 1] = (1.0 - position[i, 1]) * half
        total += position[i, 0] + position[i, 1] + pressure[i]
    if not math.isfinite(total):  # from a network that has diverged: nothing is drawn
        box[:] = 0
        return runs, 0
    spline_tangents(points, tangents)
    bounding_box(points, tangents, max(radius * half, DRAWABLE_RADIUS), size, box)
    box[2], box[3] = max(box[2], low), min(box[3], high)
    if box[0] >= box[1] or box[2] >= box[3]:
        return runs, 0
    count = trace_runs(points, tangents, pressure, radius * half, brush, accuracy, runs)
    if count > runs.shape[0]:
        runs = np.empty(2 * count, Run)
        trace_runs(points, tangents, pressure, radius * half, brush, accuracy, runs)
    return runs, count


@njit(nogil=True, cache=True)
def opaque_ink(ink):
    """Log-transmittance beyond which the opacity rounds to 1, so that more ink changes nothing."""
    return ink.dtype.type(-17.5 if ink.itemsize == 4 else -37.5)


@njit(nogil=True, cache=True)
def cells_of(box):
    """The cells in the columns of a bounding box, as a half-open range."""
    return box[0] >> _CELL, ((box[1] - 1) >> _CELL) + 1


@njit(nogil=True, cache=True)
def next_span(marks, cell, end):
    """The next marked cells of a row as a half-open range, (end, end) if there is none."""
    while cell < end and marks[cell] == 0:
        cell += 1
    start = cell
    while cell < end and marks[cell] != 0:
        cell += 1
    return start, cell


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def opacity_row(alpha, ink, paper, row, x0, x1):
    """Opacity of a part of a row from its log-transmittance, on this paper."""
    one = ink.dtype.type(1.0)
    for x in range(x0, x1):
        alpha[x] = one - exp(ink[x])
    if paper.size > 0:
        for x in range(x0, x1):
            alpha[x] *= paper[row, x]


@njit(nogil=True, cache=True)
def draw_strokes(
    alpha, paper, position, pressure, radius, numbers, accuracy, ink, marks, start, stop
):
    """Opacity maps of the strokes ``start`` to ``stop`` of a batch.

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
    """
    n, size, real = position.shape[1], alpha.shape[2], ink.dtype.type
    brush, fineness = brush_of(numbers), accuracy_of(accuracy)
    points, tangents, box = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(4, np.int64)
    runs = np.empty(1024, Run)
    for b in range(start, stop):
        runs, count = prepare_stroke(
            points, tangents, box, position[b], pressure[b], radius[b], brush,
            fineness, size, 0, size, runs,
        )  # fmt: skip
        for k in range(count):
            stamp_run(ink, marks, box, runs[k], real(brush.edge), opaque_ink(ink))
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(marks[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, size)
                opacity_row(alpha[b, row], ink[row], paper, row, x0, x1)
                ink[row, left * LANES : right * LANES] = real(0.0)
                marks[row, left:right] = 0
                left, right = next_span(marks[row], right, end)


@njit(nogil=True, cache=True)
def composite_strokes(
    canvas, pixels, alpha, marks, before, boxes, painted, target, change, paper,
    colour, position, pressure, radius, numbers, ink, start, stop,
):  # fmt: skip
    """Composite the strokes ``start`` to ``stop`` of a batch, each on its own canvas.

    Args:
        canvas: ``(B, C, H, W)``, 0 … 1, painted in place.
        pixels: uint8 ``(B, C, H, W)``, the canvas rounded, kept up to date; or empty.
        alpha: ``(B, H, W)``, filled with the strokes' opacity where marked; or, if nobody wants
            it, a scratch ``(1, H, W)``.
        marks: uint8 ``(B, H, cells)``, filled with where there is ink; or, without boxes, a scratch
            ``(1, H, cells)``, all zero before and after.
        before: ``(B, C, H, W)``, filled with the canvas before where marked; or empty.
        boxes: int64 ``(B, 4)``, outside of which there are no marks, filled; or empty.
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
    """
    n, size, real = position.shape[1], canvas.shape[3], ink.dtype.type
    brush = brush_of(numbers)
    mix = (real(brush.mix[0]), real(brush.mix[1]), real(brush.mix[2]))
    points, tangents, box = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(4, np.int64)
    runs = np.empty(1024, Run)
    keep_alpha, keep_marks = len(alpha) == len(canvas), boxes.size > 0
    for b in range(start, stop):
        runs, count = prepare_stroke(
            points, tangents, box, position[b], pressure[b], radius[b], brush,
            EXACT, size, 0, size, runs,
        )  # fmt: skip
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
        for k in range(count):
            stamp_run(ink, mark, box, runs[k], real(brush.edge), opaque_ink(ink))
        squared, absolute = 0.0, 0.0
        first, end = cells_of(box)
        for row in range(box[2], box[3]):
            left, right = next_span(mark[row], first, end)
            while left < right:
                x0, x1 = left * LANES, min(right * LANES, size)
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


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _blend_row(canvas, target, alpha, colour, mix, x0, x1):
    """Blend one row; return the change of its squared and absolute error."""
    real = canvas.dtype.type
    squared, absolute = 0.0, 0.0  # summed in float64: an episode may have many strokes
    for x in range(x0, x1):
        old = canvas[x]
        new = old + (shade(mix, colour, old) - old) * alpha[x]
        new = min(max(new, real(0.0)), real(1.0))
        before, after = old - target[x], new - target[x]
        squared += (after - before) * (after + before)
        absolute += abs(after) - abs(before)
        canvas[x] = new
    return squared, absolute


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _round_row(pixels, canvas, x0, x1):
    real = canvas.dtype.type
    for x in range(x0, x1):
        pixels[x] = np.uint8(canvas[x] * real(255.0) + real(0.5))
