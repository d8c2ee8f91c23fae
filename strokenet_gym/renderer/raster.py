"""Stamps on pixels: the compiled kernels that draw and composite strokes.

Each kernel takes a range of a batch, releases the GIL and touches nothing outside a stroke's
bounding box. The ink of one stroke is accumulated in ``ink``, a zeroed scratch of shape
``(4, H, W + PADDING)`` and the canvas' dtype, and cleared again after use:

* ``ink[0]``: log-transmittance of the stamps that are drawn at their true radius;
* ``ink[1]``: log-transmittance of the stamps thinner than a pixel, which fade;
* ``ink[2:]``: sums whose ratio is the fade of those thin stamps at the pixel.
"""

import math

import numpy as np
from numba import njit

from strokenet_gym.renderer.fastmath import FAST, exp, log
from strokenet_gym.renderer.path import (
    RUN,
    SPACING,
    bounding_box,
    spline_tangents,
    trace_stamps,
)

__all__ = ["PADDING", "accumulate_ink", "draw_strokes", "paint_strokes"]

# Rows are stamped in blocks of LANES pixels, so that they fill whole vector registers; the last
# block of a row may run over the edge by that much.
LANES = 8
PADDING = LANES


# Never quite opaque, so that the logarithm stays finite.
_MAX_COVERAGE = 0.999


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _cover(x, y, radius, slope, strength):
    """Coverage by a stamp at the distance (x, y) from its centre (step 3 of the program)."""
    real = type(radius)
    rim = (radius - math.sqrt(x * x + y * y)) * slope
    a = strength * max(min(rim, real(1.0)), real(0.0))
    return min(a, real(_MAX_COVERAGE))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp_run(ink, box, run, edge):
    """Add a run of stamps to ``ink[0]``; the hot loop of the package."""
    real = ink.dtype.type
    one = real(1.0)
    x, y, dx, dy, r = run[0], run[1], run[2], run[3], run[4]
    radius, q, w, slope = real(r), real(run[5]), real(run[6]), real(1.0 / (edge * r))
    reach_x, reach_y = (RUN - 1) / 2 * abs(dx), (RUN - 1) / 2 * abs(dy)
    step_x, two_x, three_x = real(dx), real(2.0 * dx), real(3.0 * dx)
    step_y, two_y, three_y = real(dy), real(2.0 * dy), real(3.0 * dy)
    # The first stamp, from the centre of pixel (0, 0).
    start_x = x - (RUN - 1) / 2 * dx - 0.5
    start_y = y - (RUN - 1) / 2 * dy - 0.5
    first = max(box[2], math.ceil(max(y - r - reach_y, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + r + reach_y, float(box[3])) - 0.5) + 1)
    for row in range(first, last):
        nearest = max(0.0, abs(row + 0.5 - y) - reach_y)
        chord = math.sqrt(max(r * r - nearest * nearest, 0.0)) + reach_x
        left = max(box[0], math.ceil(max(x - chord, -1.0) - 0.5))
        right = min(box[1], math.floor(min(x + chord, float(box[1])) - 0.5) + 1)
        y0 = real(row - start_y)
        y1, y2, y3 = y0 - step_y, y0 - two_y, y0 - three_y
        while left < right:
            block = ink[0, row, left : left + LANES]
            first_x = real(left - start_x)
            for lane in range(LANES):
                x0 = first_x + real(lane)
                through = one - _cover(x0, y0, radius, slope, q)
                through *= one - _cover(x0 - step_x, y1, radius, slope, q)
                through *= one - _cover(x0 - two_x, y2, radius, slope, q)
                through *= one - _cover(x0 - three_x, y3, radius, slope, q)
                block[lane] += w * log(through)
            left += LANES


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp_thin_run(ink, box, run, edge):
    """Add a run thinner than a pixel to ``ink[1:]``: a few pixels."""
    real = ink.dtype.type
    one = real(1.0)
    x, y, dx, dy, r = run[0], run[1], run[2], run[3], run[4]
    radius, q, w, slope = real(r), real(run[5]), real(run[6]), real(1.0 / (edge * r))
    fade, weighted = real(run[7]), real(run[6] * run[7])
    step_x, two_x, three_x = real(dx), real(2.0 * dx), real(3.0 * dx)
    step_y, two_y, three_y = real(dy), real(2.0 * dy), real(3.0 * dy)
    reach_x, reach_y = (RUN - 1) / 2 * abs(dx), (RUN - 1) / 2 * abs(dy)
    first = max(box[2], math.ceil(max(y - r - reach_y, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + r + reach_y, float(box[3])) - 0.5) + 1)
    left = max(box[0], math.ceil(max(x - r - reach_x, -1.0) - 0.5))
    right = min(box[1], math.floor(min(x + r + reach_x, float(box[1])) - 0.5) + 1)
    while left < right:
        first_x = real(left + 0.5 - x + (RUN - 1) / 2 * dx)
        for row in range(first, last):
            logs = ink[1, row, left : left + LANES]
            fades = ink[2, row, left : left + LANES]
            shares = ink[3, row, left : left + LANES]
            y0 = real(row + 0.5 - y + (RUN - 1) / 2 * dy)
            y1, y2, y3 = y0 - step_y, y0 - two_y, y0 - three_y
            # Three loops over the same values, since one with three results does not vectorise.
            for lane in range(LANES):
                x0 = first_x + real(lane)
                through = one - _cover(x0, y0, radius, slope, q)
                through *= one - _cover(x0 - step_x, y1, radius, slope, q)
                through *= one - _cover(x0 - two_x, y2, radius, slope, q)
                through *= one - _cover(x0 - three_x, y3, radius, slope, q)
                logs[lane] += w * log(through)
            # The fades of crossing parts are averaged by the ink they bring; the fade itself in
            # the weight makes a darker line win over a lighter one.
            for lane in range(LANES):
                x0 = first_x + real(lane)
                covered = _cover(x0, y0, radius, slope, q)
                covered += _cover(x0 - step_x, y1, radius, slope, q)
                covered += _cover(x0 - two_x, y2, radius, slope, q)
                covered += _cover(x0 - three_x, y3, radius, slope, q)
                shares[lane] += weighted * covered
            for lane in range(LANES):
                x0 = first_x + real(lane)
                covered = _cover(x0, y0, radius, slope, q)
                covered += _cover(x0 - step_x, y1, radius, slope, q)
                covered += _cover(x0 - two_x, y2, radius, slope, q)
                covered += _cover(x0 - three_x, y3, radius, slope, q)
                fades[lane] += weighted * covered * fade
        left += LANES


@njit(nogil=True, cache=True)
def accumulate_ink(ink, box, position, pressure, radius, brush, spacing, runs):
    """Draw one stroke into the scratch.

    Args:
        ink: scratch, all zero.
        box: int64 ``(4,)``, filled with the pixels that may hold ink: x0, x1, y0, y1, half open.
        position: float64 ``(n, 2)`` in half-widths, y up.
        pressure: float64 ``(n,)``.
        radius: half-widths.
        brush: :meth:`Brush.as_tuple`.
        spacing: distance of two stamps, see ``path.SPACING``.
        runs: float64 ``(capacity, 8)``, scratch for :func:`trace_stamps`.

    Returns:
        (runs, thin): the scratch, a larger one if it was too small, and whether any stamp is
        thinner than a pixel.
    """
    size = ink.shape[1]
    n = position.shape[0]
    half = size / 2.0
    points = np.empty((n, 2))
    tangents = np.empty((n - 1, 2, 2))
    for i in range(n):
        points[i, 0] = (1.0 + position[i, 0]) * half
        points[i, 1] = (1.0 - position[i, 1]) * half
    spline_tangents(points, tangents)
    bounding_box(points, tangents, max(radius * half, 1.0), size, box)
    if box[0] >= box[1] or box[2] >= box[3]:
        return runs, False
    count = trace_stamps(points, tangents, pressure, radius * half, brush, spacing, runs)
    if count > runs.shape[0]:
        runs = np.empty((2 * count, 8))
        trace_stamps(points, tangents, pressure, radius * half, brush, spacing, runs)
    thin = False
    for k in range(count):
        if runs[k, 7] < 1.0:
            thin = True
            _stamp_thin_run(ink, box, runs[k], brush[2])
        else:
            _stamp_run(ink, box, runs[k], brush[2])
    return runs, thin


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _opacity_row(alpha, ink, row, x0, x1, thin):
    """Opacity of one row, ``alpha[x0:x1]``, from the scratch, which is cleared."""
    one, zero = ink.dtype.type(1.0), ink.dtype.type(0.0)
    for x in range(x0, x1):
        alpha[x] = one - exp(ink[0, row, x])
    if thin:
        for x in range(x0, x1):
            if ink[3, row, x] > zero:
                fade = ink[2, row, x] / ink[3, row, x]
                covered = fade * (one - exp(ink[1, row, x]))
                alpha[x] += (one - alpha[x]) * covered
    for layer in range(4 if thin else 1):
        for x in range(x0, min(x1 + PADDING, ink.shape[2])):
            ink[layer, row, x] = zero


@njit(nogil=True, cache=True)
def draw_strokes(alpha, position, pressure, radius, brush, spacing, ink, start, stop):
    """Opacity maps of the strokes ``start`` to ``stop`` of a batch.

    Args:
        alpha: ``(B, H, W)``, all zero, filled with 0 … 1.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        brush: :meth:`Brush.as_tuple`.
        spacing: distance of two stamps, see ``path.SPACING``.
        ink: scratch, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.
    """
    runs = np.empty((2048, 8))
    box = np.empty(4, np.int64)
    for b in range(start, stop):
        runs, thin = accumulate_ink(
            ink, box, position[b], pressure[b], radius[b], brush, spacing, runs
        )
        for row in range(box[2], box[3]):
            _opacity_row(alpha[b, row], ink, row, box[0], box[1], thin)


@njit(nogil=True, cache=True)
def paint_strokes(
    canvas, pixels, target, change, colour, position, pressure, radius, brush, ink, start, stop
):
    """Composite the strokes ``start`` to ``stop`` of a batch, each on its own canvas.

    Args:
        canvas: float32 ``(B, C, H, W)``, 0 … 1, painted in place.
        pixels: uint8 ``(B, C, H, W)``, the canvas rounded, kept up to date.
        target: float32 ``(B, C, H, W)``.
        change: float64 ``(B, 2)``, filled with the change of the summed squared and of the summed
            absolute difference between canvas and target.
        colour: float64 ``(B, C)``, 0 … 1.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        brush: :meth:`Brush.as_tuple`.
        ink: scratch, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.
    """
    runs = np.empty((2048, 8))
    box = np.empty(4, np.int64)
    alpha = np.empty(canvas.shape[3], canvas.dtype)
    for b in range(start, stop):
        runs, thin = accumulate_ink(
            ink, box, position[b], pressure[b], radius[b], brush, SPACING, runs
        )
        squared, absolute = 0.0, 0.0
        for row in range(box[2], box[3]):
            _opacity_row(alpha, ink, row, box[0], box[1], thin)
            for channel in range(canvas.shape[1]):
                ds, da = _blend_row(
                    canvas[b, channel, row],
                    pixels[b, channel, row],
                    target[b, channel, row],
                    alpha,
                    canvas.dtype.type(colour[b, channel]),
                    box[0],
                    box[1],
                )
                squared += ds
                absolute += da
        change[b, 0] = squared
        change[b, 1] = absolute


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _blend_row(canvas, pixels, target, alpha, colour, x0, x1):
    """Blend one row (mode normal); return the change of its squared and absolute error."""
    real = canvas.dtype.type
    squared, absolute = real(0.0), real(0.0)
    for x in range(x0, x1):
        old = canvas[x]
        new = min(max(old + (colour - old) * alpha[x], real(0.0)), real(1.0))
        before, after = old - target[x], new - target[x]
        squared += (after - before) * (after + before)
        absolute += abs(after) - abs(before)
        canvas[x] = new
        pixels[x] = np.uint8(new * real(255.0) + real(0.5))
    return squared, absolute
