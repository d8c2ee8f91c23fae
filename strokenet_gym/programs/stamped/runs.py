"""Runs: up to eight stamps that are put on pixels together, and the derivative of that."""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.stamped.path import ENDS, MAX_COVERAGE

__all__ = [
    "MANY",
    "SMALL",
    "Extent",
    "fill_run",
    "new_pixels",
    "new_run",
    "next_run",
    "run_back",
    "run_columns",
    "run_rows",
]

MANY = 1024  # pixels that are gathered at most
SMALL = 6.0  # pixels: a stamp of this radius is treated as a square


# Records of arrays, in one piece of memory: numba counts the references to each array that a
# function gets, and the compiler does not know whether two of them overlap.
def _record(*names: str, size: int = LANES) -> dict[Any, np.dtype]:
    kinds = {types.float32: np.float32, types.float64: np.float64}
    return {kind: np.dtype([(n, real, (size,)) for n in names]) for kind, real in kinds.items()}


# LANES stamps. At a distance d from its centre (x, y), in pixels from the extent's origin, one lets
# ``t = min(max(a + b d, low), 1)`` of the light through, and the run adds ``weight log(t_1 t_2 …)``
# to the ink, where the weight is the mean of its stamps' weights: these are similar. What it has no
# stamps for lets all light through.
#
# Behind them, for the backward pass, sums over the pixels that a run touches, for each stamp: of 1,
# d, x / d and y / d on its slope, and of 1 on its plateau, each times the gradient over the light
# that the stamp lets through; and of the gradient times its logarithm, of which only the sum over
# all stamps has a meaning.
_RUNS = _record("x", "y", "a", "b", "low", "slope", "far", "right", "down", "flat", "logs")
# Pixels that are gathered: the gradient with respect to their log-transmittance, their place, and
# how much light they get.
_PIXELS = _record("grad", "x", "y", "light", size=MANY)


def new_run(like):
    """Room for a run, an array of one record, for ink of this dtype."""


def new_pixels(like):
    """Room for MANY pixels."""


@overload(new_run)
def _new_run(like):
    kind = _RUNS[like.dtype]
    return lambda like: np.empty(1, kind)


class Extent(NamedTuple):
    """Where a run's stamps are, in pixels, and their mean weight: 0 if they leave no ink there."""

    weight: float
    x: float  # the middle
    y: float
    across: float  # how far the centres are from it
    down: float
    radius: float  # the largest
    origin_x: float  # whole numbers near it
    origin_y: float


@overload(new_pixels)
def _new_pixels(like):
    kind = _PIXELS[like.dtype]
    return lambda like: np.empty(1, kind)


@njit()
def next_run(stamps, start, count, weight_ratio):
    """One past the last stamp of the run that begins with this one: their weights are similar."""
    stop, weight = start + 1, stamps[start].weight
    if start >= ENDS:
        while (
            stop < min(start + LANES, count)
            and weight <= weight_ratio * stamps[stop].weight
            and stamps[stop].weight <= weight_ratio * weight
        ):
            stop += 1
    return stop


@njit(fastmath=FAST, error_model="numpy")
def fill_run(run, stamps, start, stop, edge, box):
    """Fill a run with stamps ``start`` to ``stop``; return its :class:`Extent`."""
    run = run[0]
    real = run.x.dtype.type
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
        return Extent(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    count = stop - start
    middle_x, middle_y = 0.5 * (left + right), 0.5 * (top + bottom)
    x, y = float(math.floor(middle_x)), float(math.floor(middle_y))
    steep = 1.0 / edge
    for k in range(count):
        stamp = stamps[start + k]
        ramp = stamp.strength * steep
        run.x[k], run.y[k] = real(stamp.x - x), real(stamp.y - y)
        run.a[k], run.b[k] = real(1.0 - ramp), real(ramp / stamp.radius)
        run.low[k] = real(max(1.0 - stamp.strength, 1.0 - MAX_COVERAGE))
    for k in range(count, LANES):
        run.a[k], run.b[k], run.low[k] = real(1.0), real(0.0), real(1.0)
        run.x[k], run.y[k] = real(0.0), real(0.0)
    across, down = 0.5 * (right - left), 0.5 * (bottom - top)
    return Extent(total / count, middle_x, middle_y, across, down, radius, x, y)


@njit(fastmath=FAST, error_model="numpy")
def run_rows(extent, box):
    """Rows that a run of stamps can touch, half open."""
    y, reach = extent.y, extent.down + extent.radius
    first = max(box[2], math.ceil(max(y - reach, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + reach, float(box[3])) - 0.5) + 1)
    return first, last


@njit(fastmath=FAST, error_model="numpy")
def run_columns(extent, box, row):
    """Columns of a row that a run of stamps can touch, half open."""
    x, chord = extent.x, extent.radius
    if chord > SMALL:  # else the root costs more than it saves
        nearest = max(0.0, abs(row + 0.5 - extent.y) - extent.down)
        chord = math.sqrt(max(chord * chord - nearest * nearest, 0.0))
    chord += extent.across
    left = max(box[0], math.ceil(max(x - chord, -1.0) - 0.5))
    right = min(box[1], math.floor(min(x + chord, float(box[1])) - 0.5) + 1)
    return left, max(0, right)  # empty where left >= right


@njit(error_model="numpy")
def run_back(grad_stamps, run, stamps, start, stop, weight, edge):
    """Fill ``grad_stamps``, :data:`Stamp` ``(LANES,)``, from the sums of a run."""
    run = run[0]
    count, logs, steep = stop - start, 0.0, -weight / edge
    for k in range(count):
        stamp, grad = stamps[start + k], grad_stamps[k]
        away, far = -weight * run.b[k], run.far[k] / stamp.radius
        grad.x, grad.y = away * run.right[k], away * run.down[k]
        grad.radius = away * far
        grad.strength = steep * (run.slope[k] - far)
        if stamp.strength < MAX_COVERAGE:
            grad.strength -= weight * run.flat[k]
        logs += run.logs[k]
    for k in range(count):
        grad_stamps[k].weight = logs / count
