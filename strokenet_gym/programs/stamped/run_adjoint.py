"""From the derivative by pixels to the one by a run's stamps: the hot loop of the way back."""

import math

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST, log
from strokenet_gym.programs.stamped.numbers import RUN
from strokenet_gym.programs.stamped.path import MAX_COVERAGE
from strokenet_gym.programs.stamped.stamping import (
    LOW,
    A,
    B,
    X,
    Y,
    cells_of,
    run_columns,
    run_rows,
)

__all__ = ["MANY", "add_blocks", "add_up", "run_back"]

MANY = 1024  # pixels that are gathered at most
# Pixels fill the lanes of a vector register from this radius of a run's stamps on, in pixels or
# blocks of them, and from this edge on: harder stamps are opaque in their middle, where pixels have
# no derivative. Else the stamps fill them.
_BROAD, _SOFT = 3.0, 0.15

# Sums over the pixels that a run touches, kept behind its own numbers: of 1, d, x / d and y / d on
# a stamp's slope, where d is the distance from its centre, and of 1 on its plateau, each times the
# derivative over the light that the stamp lets through; and of the derivative times its logarithm,
# of which only the sum over all stamps has a meaning.
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
def _pair_back(run, g, h, x, y, side):
    """Add what two pixels side by side bring to the sums."""
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
def _many_back(run, touched, count):
    """Add what so many pixels bring to the sums.

    Args:
        run: see :func:`add_up`.
        touched: the derivative by each pixel's log-transmittance, and its x and y; the last row is
            a scratch, as is all behind these pixels.
        count: of pixels.
    """
    one, zero = run.dtype.type(1.0), run.dtype.type(0.0)
    full = (count + LANES - 1) // LANES * LANES  # else the last pixels go one by one
    touched[:3, count:full] = zero
    g, x, y, light = touched[0, :full], touched[1, :full], touched[2, :full], touched[3, :full]
    for i in range(full):
        light[i] = one
    for k in range(RUN):
        at_x, at_y, a, b, low = run[X + k], run[Y + k], run[A + k], run[B + k], run[LOW + k]
        slope, far, right, down, flat = zero, zero, zero, zero, zero
        for i in range(full):  # the pixels side by side in a vector register
            by = _pixel_back(g[i], x[i] - at_x, y[i] - at_y, a, b, low)
            slope += by[0]
            far += by[1]
            right += by[2]
            down += by[3]
            flat += by[4]
            light[i] *= by[5]
        run[SLOPE + k] += slope
        run[FAR + k] += far
        run[RIGHT + k] += right
        run[DOWN + k] += down
        run[FLAT + k] += flat
    logs = zero
    for i in range(full):  # one logarithm for all stamps
        logs += g[i] * log(light[i])
    run[LOGS] += logs


@njit(fastmath=FAST, error_model="numpy")
def _gather(touched, count, seed, x, y, side):
    """Gather the pixels of a part of a row, behind so many that are there."""
    real, stop = seed.dtype.type, count + seed.shape[0]
    g, at_x, at_y = touched[0, count:stop], touched[1, count:stop], touched[2, count:stop]
    for i in range(seed.shape[0]):
        g[i] = seed[i]
        at_x[i] = x + side * real(np.int32(i))
        at_y[i] = y


@njit(fastmath=FAST, error_model="numpy")
def add_up(run, extent, touched, seed, box, shift, edge):
    """Fill the sums of a run.

    Broad, soft stamps go one by one, with pixels in the lanes of a vector register: one logarithm
    serves all stamps, but to begin and to end takes a while. Others go together, with stamps in the
    lanes, two pixels at a time: pixels without a derivative are skipped.

    Args:
        run: as :func:`fill_run` filled it; what is behind is filled.
        extent: the same.
        touched: scratch ``(4, MANY)``.
        seed: ``(H, cells * LANES)``, the derivative by each pixel's log-transmittance; or by that
            of blocks of pixels.
        box: the stroke's bounding box.
        shift: log2 of the side of these blocks; 0: pixels.
        edge: the brush's.
    """
    real = seed.dtype.type
    for k in range(5 * RUN, 11 * RUN):
        run[k] = real(0.0)
    side, middle, count = 1 << shift, 0.5 * (1 << shift), 0
    pixels_in_lanes = extent[4] > _BROAD * side and edge >= _SOFT
    first, last = run_rows(extent, box)
    for row in range(first >> shift, ((last - 1) >> shift) + 1):
        down = row * side + middle
        left, right = run_columns(extent, box, down - 0.5)
        left, right = left >> shift, ((right - 1) >> shift) + 1
        x, y = real(left * side + middle - extent[5]), real(down - extent[6])
        while left < right:
            if pixels_in_lanes:
                step = min(right - left, MANY)
                if count + step > MANY:
                    _many_back(run, touched, count)
                    count = 0
                _gather(touched, count, seed[row, left : left + step], x, y, real(side))
                count += step
            else:
                g = seed[row, left]
                h = seed[row, left + 1] if left + 1 < right else real(0.0)
                if g != real(0.0) or h != real(0.0):
                    _pair_back(run, g, h, x, y, real(side))
                step = 2
            left += step
            x += real(step * side)
    if count > 0:
        _many_back(run, touched, count)


@njit(fastmath=FAST, error_model="numpy")
def add_blocks(blocks, seed, box):
    """Add up the derivative in a bounding box over blocks of 2 x 2 pixels."""
    (first, end), last = cells_of(box), seed.shape[0] - 1
    for row in range(box[2] >> 1, (box[3] + 1) >> 1):
        upper, lower = seed[2 * row], seed[min(2 * row + 1, last)]
        both = seed.dtype.type(2 * row < last)
        for x in range(first * (LANES // 2), end * (LANES // 2)):
            k = 2 * x
            blocks[row, x] = upper[k] + upper[k + 1] + both * (lower[k] + lower[k + 1])


@njit(error_model="numpy")
def run_back(by_stamps, run, stamps, start, stop, weight, edge):
    """The derivative by each number of a run's stamps.

    Args:
        by_stamps: float64 ``(RUN, 5)``, filled: by x, y, radius, strength, weight.
        run: as :func:`add_up` filled it.
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
