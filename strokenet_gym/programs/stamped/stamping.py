"""Stamps on pixels: the hot loop of the package.

The log-transmittance of one stroke is accumulated in ``ink``, a zeroed scratch of shape
``(H, cells * LANES)`` and the canvas' dtype. ``marks``, uint8 ``(H, cells)``, notes which cells of
LANES pixels it touches.
"""

import math

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES, LOG_LANES
from strokenet_gym.kernels.fastmath import FAST, log
from strokenet_gym.programs.stamped.numbers import RUN
from strokenet_gym.programs.stamped.path import ENDS, MAX_COVERAGE, trace_on

__all__ = [
    "cells_of",
    "fill_run",
    "new_run",
    "next_run",
    "next_span",
    "run_columns",
    "run_rows",
    "stamp_stroke",
    "visits",
]

_SMALL = 6.0  # pixels: a stamp of this radius is treated as a square


# What the kernels keep of a run: numbers of its stamps, RUN of each kind in the canvas' dtype ...
X, Y, A, B, LOW = range(0, 5 * RUN, RUN)
# ... and of the whole, float64: its middle, how far the centres are from it, the largest radius,
# and whole numbers of pixels near it, from which the stamps' x and y are.
EXTENT = 7


@njit()
def new_run(like):
    """Room for a run and its extent, for ink of this dtype."""
    return np.empty(11 * RUN, like.dtype), np.empty(EXTENT)


@njit()
def next_run(stamps, start, count, unlike):
    """One past the last stamp of the run that begins with this one: their weights are similar."""
    stop, weight = start + 1, stamps[start].weight
    if start >= ENDS:
        while (
            stop < min(start + RUN, count)
            and weight <= unlike * stamps[stop].weight
            and stamps[stop].weight <= unlike * weight
        ):
            stop += 1
    return stop


@njit(fastmath=FAST, error_model="numpy")
def fill_run(run, extent, stamps, start, stop, edge, box):
    """Gather up to :data:`RUN` stamps that are put on pixels together.

    At a distance d from its centre, a stamp lets ``t = min(max(a + b d, low), 1)`` of the light
    through, and the run adds ``weight log(t_1 t_2 …)`` to the ink, where the weight is the mean of
    its stamps' weights: these are similar.

    Args:
        run: filled, see above; what it has no stamps for lets all light through.
        extent: filled, see above.
        stamps: :data:`Stamp` ``(capacity,)``.
        start: the first of them.
        stop: one past the last.
        edge: the brush's.
        box: the pixels asked for.

    Returns:
        The run's weight; 0 if it leaves no ink there.
    """
    real = run.dtype.type
    total, radius = 0.0, 0.0
    left, right = stamps[start].x, stamps[start].x
    top, bottom = stamps[start].y, stamps[start].y
    for k in range(start, stop):
        stamp = stamps[k]
        total += stamp.weight
        left, right = min(left, stamp.x), max(right, stamp.x)
        top, bottom = min(top, stamp.y), max(bottom, stamp.y)
        radius = max(radius, stamp.radius)
    if not total > 0.0 or bottom + radius < box[2] or top - radius > box[3]:
        return 0.0
    count = stop - start
    extent[0], extent[1] = 0.5 * (left + right), 0.5 * (top + bottom)
    extent[2], extent[3], extent[4] = 0.5 * (right - left), 0.5 * (bottom - top), radius
    x, y = math.floor(extent[0]), math.floor(extent[1])
    extent[5], extent[6] = x, y
    steep = 1.0 / edge
    for k in range(count):
        stamp = stamps[start + k]
        ramp = stamp.strength * steep
        run[X + k], run[Y + k] = real(stamp.x - x), real(stamp.y - y)
        run[A + k], run[B + k] = real(1.0 - ramp), real(ramp / stamp.radius)
        run[LOW + k] = real(max(1.0 - stamp.strength, 1.0 - MAX_COVERAGE))
    for k in range(count, RUN):
        run[A + k], run[B + k], run[LOW + k] = real(1.0), real(0.0), real(1.0)
        run[X + k], run[Y + k] = real(0.0), real(0.0)
    return total / count


@njit(fastmath=FAST, error_model="numpy")
def run_rows(extent, box):
    """Rows that a run of stamps can touch, half open."""
    y, reach = extent[1], extent[3] + extent[4]
    first = max(box[2], math.ceil(max(y - reach, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + reach, float(box[3])) - 0.5) + 1)
    return first, last


@njit(fastmath=FAST, error_model="numpy")
def run_columns(extent, box, row):
    """Columns of a row that a run of stamps can touch, half open."""
    x, chord = extent[0], extent[4]
    if chord > _SMALL:  # else the root costs more than it saves
        nearest = max(0.0, abs(row + 0.5 - extent[1]) - extent[3])
        chord = math.sqrt(max(chord * chord - nearest * nearest, 0.0))
    chord += extent[2]
    left = max(box[0], math.ceil(max(x - chord, -1.0) - 0.5))
    right = min(box[1], math.floor(min(x + chord, float(box[1])) - 0.5) + 1)
    return left, max(0, right)  # empty where left >= right


@njit()
def _opaque_ink(ink):
    """Log-transmittance beyond which the opacity rounds to 1, so that more ink changes nothing."""
    return ink.dtype.type(-17.5 if ink.itemsize == 4 else -37.5)


@njit(fastmath=FAST, error_model="numpy")
def _through(x, yy, a, b, low):
    """How much light a stamp lets through at (x, y) from its centre (step 3 of the program)."""
    return min(max(a + b * math.sqrt(x * x + yy), low), type(a)(1.0))


@njit(fastmath=FAST, error_model="numpy")
def _stamp_run(ink, marks, box, run, extent, weight, look):
    """Add a run of stamps to the ink, where it is not opaque yet; the hot loop of the package."""
    real = ink.dtype.type
    w, opaque, here_x, here_y = real(weight), _opaque_ink(ink), extent[5], extent[6]
    x0, x1, x2, x3 = run[X + 0], run[X + 1], run[X + 2], run[X + 3]
    x4, x5, x6, x7 = run[X + 4], run[X + 5], run[X + 6], run[X + 7]
    a0, a1, a2, a3 = run[A + 0], run[A + 1], run[A + 2], run[A + 3]
    a4, a5, a6, a7 = run[A + 4], run[A + 5], run[A + 6], run[A + 7]
    b0, b1, b2, b3 = run[B + 0], run[B + 1], run[B + 2], run[B + 3]
    b4, b5, b6, b7 = run[B + 4], run[B + 5], run[B + 6], run[B + 7]
    l0, l1, l2, l3 = run[LOW + 0], run[LOW + 1], run[LOW + 2], run[LOW + 3]
    l4, l5, l6, l7 = run[LOW + 4], run[LOW + 5], run[LOW + 6], run[LOW + 7]
    first, last = run_rows(extent, box)
    for row in range(first, last):
        left, right = run_columns(extent, box, row)
        y = real(row + 0.5 - here_y)
        y0, y1, y2, y3 = y - run[Y + 0], y - run[Y + 1], y - run[Y + 2], y - run[Y + 3]
        y4, y5, y6, y7 = y - run[Y + 4], y - run[Y + 5], y - run[Y + 6], y - run[Y + 7]
        y0, y1, y2, y3 = y0 * y0, y1 * y1, y2 * y2, y3 * y3
        y4, y5, y6, y7 = y4 * y4, y5 * y5, y6 * y6, y7 * y7
        left &= -LANES
        while left < right:
            marks[row, left >> LOG_LANES] = 1
            block = ink[row, left : left + LANES]
            translucent = 1
            if look:
                translucent = 0
                for lane in range(LANES):
                    translucent += block[lane] > opaque
            if translucent > 0:
                first_x = real(left + 0.5 - here_x)
                for lane in range(LANES):
                    at = first_x + real(lane)
                    t = _through(at - x0, y0, a0, b0, l0) * _through(at - x1, y1, a1, b1, l1)
                    t *= _through(at - x2, y2, a2, b2, l2) * _through(at - x3, y3, a3, b3, l3)
                    u = _through(at - x4, y4, a4, b4, l4) * _through(at - x5, y5, a5, b5, l5)
                    u *= _through(at - x6, y6, a6, b6, l6) * _through(at - x7, y7, a7, b7, l7)
                    block[lane] += w * log(t * u)
            left += LANES


@njit()
def stamp_stroke(ink, marks, path, count, brush, accuracy, shape, run, extent):
    """Add a stroke's stamps to the ink.

    Args:
        ink: log-transmittance, see above.
        marks: see above.
        path: from :func:`strokenet_gym.programs.stamped.path.trace_stroke`.
        count: of the stamps that it has in its table.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas.
        run: scratch, see :func:`new_run`.
        extent: the same.

    Returns:
        Visits of cells that it took, about.
    """
    stamps, box, total = path.stamps, path.box, 0
    while count > 0:
        total += count
        start = 0
        while start < count:
            stop = next_run(stamps, start, count, accuracy.unlike)
            weight = fill_run(run, extent, stamps, start, stop, brush.edge, box)
            if weight > 0.0:
                # Only where many stamps meet is it worth a look whether they change anything.
                look = extent[4] > _SMALL and stamps[start].strength > 0.25
                _stamp_run(ink, marks, box, run, extent, weight, look)
            start = stop
        count = trace_on(path, brush, accuracy, shape)
    return visits(path, total)


@njit()
def visits(path, total):
    """Visits of cells that so many stamps of a stroke take, about."""
    box, side = path.box, 4 * int(min(max(path.radius[0], 1.0), 1e4))  # of a run
    first, end = cells_of(box)
    return total // RUN * min(max(1, (box[3] - box[2]) * (end - first)), side * (side // LANES + 2))


@njit()
def cells_of(box):
    """The cells in the columns of a bounding box, as a half-open range."""
    return box[0] >> LOG_LANES, ((box[1] - 1) >> LOG_LANES) + 1


@njit()
def next_span(marks, cell, end):
    """The next marked cells of a row as a half-open range, (end, end) if there is none."""
    while cell < end and marks[cell] == 0:
        cell += 1
    start = cell
    while cell < end and marks[cell] != 0:
        cell += 1
    return start, cell
