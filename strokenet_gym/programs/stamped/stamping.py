"""Runs of stamps on pixels, and back: the hot loops of the package.

The log-transmittance of one stroke is accumulated in ``logs``, a zeroed scratch of shape
``(H, cells * LANES)`` and the canvas' dtype. ``marks``, uint8 ``(H, cells)``, notes which cells of
LANES pixels it touches.
"""

import math

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES, LOG_LANES
from strokenet_gym.kernels.fastmath import FAST, log
from strokenet_gym.programs.stamped.runs import MANY, run_columns, run_rows

__all__ = ["add_blocks", "add_up", "cells_of", "stamp_run"]

# Pixels fill the lanes of a vector register from this radius of a run's stamps on, in pixels or
# blocks of them, and from this edge on: harder stamps are opaque in their middle, where pixels have
# no gradient. Else the stamps fill them.
_BROAD, _SOFT = 3.0, 0.15


@njit()
def _opaque_ink(logs):
    """Log-transmittance beyond which the opacity rounds to 1, so that more ink changes nothing."""
    return logs.dtype.type(-17.5 if logs.itemsize == 4 else -37.5)


@njit(fastmath=FAST, error_model="numpy")
def _through(x, yy, a, b, low):
    """How much light a stamp lets through at (x, y) from its centre (step 3 of the program)."""
    return min(max(a + b * math.sqrt(x * x + yy), low), type(a)(1.0))


@njit(fastmath=FAST, error_model="numpy")
def stamp_run(logs, marks, box, run, extent, look):
    """Add a run of stamps to the ink, where it is not opaque yet; the hot loop of the package."""
    real = logs.dtype.type
    w, opaque, here_x, here_y = (
        real(extent.weight),
        _opaque_ink(logs),
        extent.origin_x,
        extent.origin_y,
    )
    run = run[0]
    x, a, b, low = run.x, run.a, run.b, run.low
    x0, x1, x2, x3, x4, x5, x6, x7 = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    b0, b1, b2, b3, b4, b5, b6, b7 = b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
    l0, l1, l2, l3, l4, l5, l6, l7 = low[0], low[1], low[2], low[3], low[4], low[5], low[6], low[7]
    first, last = run_rows(extent, box)
    for row in range(first, last):
        left, right = run_columns(extent, box, row)
        y, down = real(row + 0.5 - here_y), run.y
        y0, y1, y2, y3 = y - down[0], y - down[1], y - down[2], y - down[3]
        y4, y5, y6, y7 = y - down[4], y - down[5], y - down[6], y - down[7]
        y0, y1, y2, y3 = y0 * y0, y1 * y1, y2 * y2, y3 * y3
        y4, y5, y6, y7 = y4 * y4, y5 * y5, y6 * y6, y7 * y7
        left &= -LANES
        while left < right:
            marks[row, left >> LOG_LANES] = 1
            block = logs[row, left : left + LANES]
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
def cells_of(box):
    """The cells in the columns of a bounding box, as a half-open range."""
    return box[0] >> LOG_LANES, ((box[1] - 1) >> LOG_LANES) + 1


@njit(fastmath=FAST, error_model="numpy")
def _pixel_back(g, dx, dy, a, b, low):
    """What one pixel adds to the sums of a stamp whose centre is (dx, dy) from there."""
    one, zero = type(a)(1.0), type(a)(0.0)
    d = math.sqrt(dx * dx + dy * dy + type(a)(1e-12))
    ramp = a + b * d
    t = min(max(ramp, low), one)
    grad = g / (t * d)  # one division serves all
    on = (grad if ramp < one else zero) if ramp > low else zero
    flat = grad * d if ramp <= low else zero
    slope = on * d
    return slope, slope * d, on * dx, on * dy, flat, t


@njit(fastmath=FAST, error_model="numpy")
def _pair_back(run, g, h, x, y, side):
    """Add two pixels side by side to the run."""
    run = run[0]
    for k in range(LANES):  # the stamps side by side in a vector register
        dx, dy = x - run.x[k], y - run.y[k]
        a, b, low = run.a[k], run.b[k], run.low[k]
        slope, far, right, down, flat, t = _pixel_back(g, dx, dy, a, b, low)
        slope2, far2, right2, down2, flat2, t2 = _pixel_back(h, dx + side, dy, a, b, low)
        run.slope[k] += slope + slope2
        run.far[k] += far + far2
        run.right[k] += right + right2
        run.down[k] += down + down2
        run.flat[k] += flat + flat2
        run.logs[k] += g * log(t) + h * log(t2)


@njit(fastmath=FAST, error_model="numpy")
def _many_back(run, pixels, count):
    """Add so many gathered pixels to the sums; what is behind them is overwritten."""
    run, pixels = run[0], pixels[0]
    one, zero = run.x.dtype.type(1.0), run.x.dtype.type(0.0)
    full = (count + LANES - 1) // LANES * LANES  # else the last pixels go one by one
    for i in range(count, full):
        pixels.grad[i], pixels.x[i], pixels.y[i] = zero, zero, zero
    g, x, y, light = pixels.grad[:full], pixels.x[:full], pixels.y[:full], pixels.light[:full]
    for i in range(full):
        light[i] = one
    for k in range(LANES):
        at_x, at_y, a, b, low = run.x[k], run.y[k], run.a[k], run.b[k], run.low[k]
        slope, far, right, down, flat = zero, zero, zero, zero, zero
        for i in range(full):  # the pixels side by side in a vector register
            one_pixel = _pixel_back(g[i], x[i] - at_x, y[i] - at_y, a, b, low)
            slope += one_pixel[0]
            far += one_pixel[1]
            right += one_pixel[2]
            down += one_pixel[3]
            flat += one_pixel[4]
            light[i] *= one_pixel[5]
        run.slope[k] += slope
        run.far[k] += far
        run.right[k] += right
        run.down[k] += down
        run.flat[k] += flat
    logs = zero
    for i in range(full):  # one logarithm for all stamps
        logs += g[i] * log(light[i])
    run.logs[0] += logs


@njit(fastmath=FAST, error_model="numpy")
def _gather(pixels, count, grad_logs, x, y, side):
    """Gather the pixels of a part of a row, behind so many that are there."""
    pixels, real, stop = pixels[0], grad_logs.dtype.type, count + grad_logs.shape[0]
    g, at_x, at_y = pixels.grad[count:stop], pixels.x[count:stop], pixels.y[count:stop]
    for i in range(grad_logs.shape[0]):
        g[i] = grad_logs[i]
        at_x[i] = x + side * real(np.int32(i))
        at_y[i] = y


@njit(fastmath=FAST, error_model="numpy")
def add_up(run, extent, pixels, grad_logs, box, shift, edge):
    """Fill the sums of a run.

    Broad, soft stamps go one by one, with pixels in the lanes of a vector register: one logarithm
    serves all stamps, but to begin and to end takes a while. Others go together, with stamps in the
    lanes, two pixels at a time: pixels without a gradient are skipped.

    Args:
        run: see runs.py; its sums are filled.
        extent: its :class:`Extent`.
        pixels: scratch, see runs.py.
        grad_logs: the gradient with respect to each pixel's log-transmittance, or that of blocks.
        box: the stroke's bounding box.
        shift: log2 of the side of these blocks; 0: pixels.
        edge: the brush's.
    """
    real = grad_logs.dtype.type
    blank = run[0]
    for k in range(LANES):
        blank.slope[k], blank.far[k], blank.right[k] = real(0.0), real(0.0), real(0.0)
        blank.down[k], blank.flat[k], blank.logs[k] = real(0.0), real(0.0), real(0.0)
    side, middle, count = 1 << shift, 0.5 * (1 << shift), 0
    pixels_in_lanes = extent.radius > _BROAD * side and edge >= _SOFT
    first, last = run_rows(extent, box)
    for row in range(first >> shift, ((last - 1) >> shift) + 1):
        down = row * side + middle
        left, right = run_columns(extent, box, down - 0.5)
        left, right = left >> shift, ((right - 1) >> shift) + 1
        x, y = real(left * side + middle - extent.origin_x), real(down - extent.origin_y)
        while left < right:
            if pixels_in_lanes:
                step = min(right - left, MANY)
                if count + step > MANY:
                    _many_back(run, pixels, count)
                    count = 0
                _gather(pixels, count, grad_logs[row, left : left + step], x, y, real(side))
                count += step
            else:
                g = grad_logs[row, left]
                h = grad_logs[row, left + 1] if left + 1 < right else real(0.0)
                if g != real(0.0) or h != real(0.0):
                    _pair_back(run, g, h, x, y, real(side))
                step = 2
            left += step
            x += real(step * side)
    if count > 0:
        _many_back(run, pixels, count)


@njit(fastmath=FAST, error_model="numpy")
def add_blocks(blocks, grad_logs, box):
    """Add up the gradient in a bounding box over blocks of 2 x 2 pixels."""
    (first, end), last = cells_of(box), grad_logs.shape[0] - 1
    for row in range(box[2] >> 1, (box[3] + 1) >> 1):
        upper, lower = grad_logs[2 * row], grad_logs[min(2 * row + 1, last)]
        both = grad_logs.dtype.type(2 * row < last)
        for x in range(first * (LANES // 2), end * (LANES // 2)):
            k = 2 * x
            blocks[row, x] = upper[k] + upper[k + 1] + both * (lower[k] + lower[k + 1])
