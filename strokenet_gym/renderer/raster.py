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
from strokenet_gym.renderer.path import SPACING, bounding_box, spline_tangents, trace_stamps

__all__ = ["PADDING", "accumulate_ink", "draw_strokes", "paint_strokes"]

# Rows are stamped in blocks of LANES pixels, so that they fill whole vector registers; the last
# block of a row may run over the edge by that much.
_LANES = 8
PADDING = _LANES

# Never quite opaque, so that the logarithm stays finite.
_MAX_COVERAGE = 0.999


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp(ink, box, x, y, r, strength, weight, edge):
    """Add one stamp to ``ink[0]``; the hot loop of the package."""
    real = ink.dtype.type
    zero, half, one, limit = real(0.0), real(0.5), real(1.0), real(_MAX_COVERAGE)
    cx, radius, q, w = real(x), real(r), real(strength), real(weight)
    slope = real(1.0 / (edge * r))
    first = max(box[2], math.ceil(max(y - r, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + r, float(box[3])) - 0.5) + 1)
    for row in range(first, last):
        dy = real(row + 0.5 - y)
        dy2 = dy * dy
        chord = math.sqrt(max(r * r - (row + 0.5 - y) ** 2, 0.0))
        left = max(box[0], math.ceil(max(x - chord, -1.0) - 0.5))
        right = min(box[1], math.floor(min(x + chord, float(box[1])) - 0.5) + 1)
        while left < right:
            block = ink[0, row, left : left + _LANES]
            dx = real(left) + half - cx
            for lane in range(_LANES):
                d = math.sqrt((dx + real(lane)) * (dx + real(lane)) + dy2)
                a = q * max(min((radius - d) * slope, one), zero)
                block[lane] += w * log(one - min(a, limit))
            left += _LANES


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _stamp_thin(ink, box, x, y, r, strength, weight, fade, edge):
    """Add one stamp of a part thinner than a pixel to ``ink[1:]``: two or three pixels."""
    real = ink.dtype.type
    slope = 1.0 / (edge * r)
    first = max(box[2], math.ceil(max(y - r, -1.0) - 0.5))
    last = min(box[3], math.floor(min(y + r, float(box[3])) - 0.5) + 1)
    left = max(box[0], math.ceil(max(x - r, -1.0) - 0.5))
    right = min(box[1], math.floor(min(x + r, float(box[1])) - 0.5) + 1)
    for row in range(first, last):
        for column in range(left, right):
            d = math.hypot(column + 0.5 - x, row + 0.5 - y)
            a = min(_MAX_COVERAGE, strength * max(min((r - d) * slope, 1.0), 0.0))
            # The fades of crossing parts are averaged by the ink they bring; the fade itself in
            # the weight makes a darker line win over a lighter one.
            share = real(weight * a * fade)
            ink[1, row, column] += real(weight) * log(real(1.0 - a))
            ink[2, row, column] += share * real(fade)
            ink[3, row, column] += share


@njit(nogil=True, cache=True)
def accumulate_ink(ink, box, position, pressure, radius, brush, spacing, stamps):
    """Draw one stroke into the scratch.

    Args:
        ink: scratch, all zero.
        box: int64 ``(4,)``, filled with the pixels that may hold ink: x0, x1, y0, y1, half open.
        position: float64 ``(n, 2)`` in half-widths, y up.
        pressure: float64 ``(n,)``.
        radius: half-widths.
        brush: :meth:`Brush.as_tuple`.
        spacing: distance of two samples in radii.
        stamps: float64 ``(6, capacity)``, scratch.

    Returns:
        (stamps, thin): the table of stamps, a larger one if it was too small, and whether
        any of them is thinner than a pixel.
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
        return stamps, False
    count = trace_stamps(points, tangents, pressure, radius * half, brush, spacing, stamps)
    if count > stamps.shape[1]:
        stamps = np.empty((6, 2 * count))
        trace_stamps(points, tangents, pressure, radius * half, brush, spacing, stamps)
    thin = False
    for k in range(count):
        x, y, r = stamps[0, k], stamps[1, k], stamps[2, k]
        strength, weight, fade = stamps[3, k], stamps[4, k], stamps[5, k]
        if fade < 1.0:
            thin = True
            _stamp_thin(ink, box, x, y, r, strength, weight, fade, brush[2])
        else:
            _stamp(ink, box, x, y, r, strength, weight, brush[2])
    return stamps, thin


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _opacity_row(alpha, ink, row, x0, x1, thin):
    """Opacity of one row, ``alpha[x0:x1]``, from the scratch, which is cleared."""
    one, zero = ink.dtype.type(1.0), ink.dtype.type(0.0)
    for x in range(x0, x1):
        alpha[x] = one - exp(ink[0, row, x])
    for x in range(x0, min(x1 + PADDING, ink.shape[2])):
        ink[0, row, x] = zero
    if thin:
        for x in range(x0, x1):
            if ink[3, row, x] > zero:
                fade = ink[2, row, x] / ink[3, row, x]
                covered = fade * (one - exp(ink[1, row, x]))
                alpha[x] += (one - alpha[x]) * covered
                ink[1, row, x] = zero
                ink[2, row, x] = zero
                ink[3, row, x] = zero


@njit(nogil=True, cache=True)
def draw_strokes(alpha, position, pressure, radius, brush, spacing, ink, start, stop):
    """Opacity maps of the strokes ``start`` to ``stop`` of a batch.

    Args:
        alpha: ``(B, H, W)``, all zero, filled with 0 … 1.
        position: float64 ``(B, n, 2)``.
        pressure: float64 ``(B, n)``.
        radius: float64 ``(B,)``.
        brush: :meth:`Brush.as_tuple`.
        spacing: distance of two samples in radii.
        ink: scratch, all zero before and after.
        start: first stroke.
        stop: one past the last stroke.
    """
    stamps = np.empty((6, 4096))
    box = np.empty(4, np.int64)
    for b in range(start, stop):
        stamps, thin = accumulate_ink(
            ink, box, position[b], pressure[b], radius[b], brush, spacing, stamps
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
    stamps = np.empty((6, 4096))
    box = np.empty(4, np.int64)
    alpha = np.empty(canvas.shape[3], canvas.dtype)
    for b in range(start, stop):
        stamps, thin = accumulate_ink(
            ink, box, position[b], pressure[b], radius[b], brush, SPACING, stamps
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
