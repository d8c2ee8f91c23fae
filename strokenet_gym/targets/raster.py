"""Targets on pixels: the compiled kernels that draw, place and set them.

Each fills its first array from ``start`` to ``stop``, releases the GIL, and is called by filling.py
on all threads.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES

__all__ = ["Batch", "draw_glyphs", "draw_lines", "place_images", "set_targets"]

# Free to reorder sums, but a division stays one: v / 255 is what NumPy makes of it.
_SUMS = {"nnan", "ninf", "reassoc", "nsz", "contract"}
_SOFTNESS = 1.08  # width of a glyph's edge in samples: that of one drawn, warped and reduced
_VISIBLE = np.float32(0.51 / 255)


class Batch(NamedTuple):
    """What a batch of environments has of targets and canvases, see :func:`filling.put`."""

    target: Any
    target_pixels: Any
    canvas: Any
    pixels: Any
    inked: Any


@njit(fastmath=_SUMS, error_model="numpy")
def set_targets(errors, visible, batch, images, unit, indices, background, levels, start, stop):
    """Put images into a batch as targets, and empty canvases beside them, see :func:`filling.put`.

    Errors become the sums of squared and of absolute differences between target and background;
    unit is the images' value that is 1 in a target, levels the background in 8 bits.
    """
    target, target_pixels, canvas, pixels, inked = batch
    _, channels, height, width = target.shape
    whole = np.float32(255.0)
    for k in range(start, stop):
        b = indices[k]
        squared, absolute, seen = 0.0, 0.0, np.int32(0)
        for c in range(channels):
            blank = background[c]
            image = images[k, min(c, images.shape[1] - 1)]
            for y in range(height):
                source, row = image[y], target[b, c, y]
                squares, magnitudes = np.float32(0.0), np.float32(0.0)
                for x in range(width):
                    value = np.float32(source[x]) / unit
                    row[x] = value
                    error = abs(value - blank)
                    squares += error * error
                    magnitudes += error
                    seen |= np.int32(error > _VISIBLE)  # the compiler cannot vectorise a maximum
                squared += squares
                absolute += magnitudes
                if target_pixels.size:
                    bytes_row = target_pixels[b, c, y]
                    for x in range(width):
                        bytes_row[x] = np.uint8(np.rint(row[x] * whole))
        if canvas.size:
            for c in range(channels):
                for y in range(inked[b, 2], inked[b, 3]):
                    canvas[b, c, y, inked[b, 0] : inked[b, 1]] = background[c]
                    pixels[b, c, y, inked[b, 0] : inked[b, 1]] = levels[c]
            inked[b, 0], inked[b, 1], inked[b, 2], inked[b, 3] = width, 0, height, 0
        errors[k, 0], errors[k, 1], visible[k] = squared, absolute, seen != 0


@njit(fastmath=_SUMS, error_model="numpy")
def place_images(placed, images, indices, first, weights, start, stop):
    """Resize images of a set and put them in the middle of black canvases, see filling.place.

    Pixel e of a resized line is made of those from ``first[e]`` on, with ``weights[e]``, int64
    ``[E]`` and float32 ``[E, T]``; E is at most H and W.
    """
    _, height, width = placed.shape
    extent, taps = weights.shape
    side = images.shape[1]
    top, left = (height - extent) // 2, (width - extent) // 2
    lines, line = np.empty((side, extent), np.float32), np.empty(extent, np.float32)
    black, white = np.float32(0.0), np.float32(255.0)
    for k in range(start, stop):
        image, canvas = images[indices[k]], placed[k]
        for y in range(side):
            row, source = lines[y], image[y]
            for x in range(extent):
                value, begin = np.float32(0.0), np.uintp(first[x])
                for t in range(taps):
                    value += weights[x, t] * np.float32(source[begin + np.uintp(t)])
                row[x] = value
        canvas[:top] = 0
        canvas[top + extent :] = 0
        for y in range(extent):
            row, source = canvas[top + y], lines[first[y] : first[y] + taps]
            line[:] = 0
            for t in range(taps):
                weight, part = weights[y, t], source[t]
                for x in range(extent):
                    line[x] += weight * part[x]
            row[:left] = 0
            row[left + extent :] = 0
            inked = row[left : left + extent]
            for x in range(extent):
                inked[x] = np.uint8(np.rint(min(max(line[x], black), white)))


@njit(fastmath=_SUMS, error_model="numpy")
def draw_glyphs(drawn, fields, boxes, unit, which, half, inverse, samples, start, stop):
    """Draw characters, white on black, from how far each place is from their pens' paths.

    Args:
        drawn: uint8 ``[N, H, W]``.
        fields: uint8 ``[M, S, S]``, distances of the pixels' centres to the path.
        boxes: int64 ``[M, 4]``: x0, x1, y0, y1 of where they are less than the largest.
        unit: distances that make a pixel of the field.
        which: int64 ``[N]``, which of the fields.
        half: float64 ``[N]``, half the pen's width in pixels of the field.
        inverse: float64 ``[N, 2, 3]``, from the canvas' pixels x, y, 1 to the field's.
        samples: of a pixel's width and height.
        start: first of those to draw.
        stop: one past the last.
    """
    _, height, width = drawn.shape
    side, one, below = np.int32(fields.shape[2]), np.uintp(1), np.uintp(fields.shape[2])
    line, words = np.empty(width, np.float32), np.empty(width, np.uint32)
    share, byte = np.float32(255.0 / samples**2), np.uint32(255)
    per_unit, nothing = np.float32(1.0 / unit), np.float32(0.0)
    for k in range(start, stop):
        field, canvas = fields[which[k]].reshape(-1), drawn[k]
        x0, x1, y0, y1 = boxes[which[k]]
        left, right = np.float32(x0), np.float32(x1 - 1.001)
        top, bottom = np.float32(y0), np.float32(y1 - 1.001)
        a, b, c = inverse[k, 0]
        d, e, f = inverse[k, 1]
        du, dv = np.float32(a), np.float32(d)
        # What a sample covers, in the field's pixels, and what it sees of a line that wide.
        ramp = _SOFTNESS * math.sqrt(abs(a * e - b * d)) / samples
        reach, slope, wide = np.float32(ramp / 2), np.float32(1 / ramp), np.float32(half[k])
        for y in range(height):
            line[:] = 0
            for j in range(samples * samples):
                down = y + (j // samples + 0.5) / samples - 0.5
                across = (j % samples + 0.5) / samples - 0.5
                u0, v0 = a * across + b * down + c, d * across + e * down + f
                low, high = _inside(u0, a, x0, x1 - 1, 0.0, width - 1.0)
                low, high = _inside(v0, d, y0, y1 - 1, low, high)
                first, end = math.ceil(low), math.floor(high) + 1
                if end <= first:
                    continue
                u1, v1 = np.float32(u0 + a * first), np.float32(v0 + d * first)
                part, ink = words[first:end], line[first:end]
                # In three steps, of which the first and the last fill vector registers.
                for x in range(part.size):
                    u = min(max(u1 + du * np.float32(np.int32(x)), left), right)
                    v = min(max(v1 + dv * np.float32(np.int32(x)), top), bottom)
                    part[x] = np.uint32(np.int32(v) * side + np.int32(u))
                for x in range(part.size):
                    at = np.uintp(part[x])
                    upper = field[at] | np.uint32(field[at + one]) << np.uint32(8)
                    lower = field[at + below] | np.uint32(field[at + below + one]) << np.uint32(8)
                    part[x] = upper | lower << np.uint32(16)
                for x in range(part.size):
                    u = min(max(u1 + du * np.float32(np.int32(x)), left), right)
                    v = min(max(v1 + dv * np.float32(np.int32(x)), top), bottom)
                    p, q = u - np.float32(np.int32(u)), v - np.float32(np.int32(v))
                    word = part[x]
                    n, m = np.float32(word & byte), np.float32((word >> np.uint32(8)) & byte)
                    s = np.float32((word >> np.uint32(16)) & byte)
                    t = np.float32(word >> np.uint32(24))
                    over, under = n + (m - n) * p, s + (t - s) * p
                    distance = (over + (under - over) * q) * per_unit
                    seen = min(wide, distance + reach) - max(-wide, distance - reach)
                    ink[x] += max(seen, nothing) * slope
            for x in range(width):
                canvas[y, x] = np.uint8(np.rint(line[x] * share))


@njit(inline="always")
def _inside(origin, step, low, high, first, last):
    """The part of first … last where low <= origin + step * x <= high; empty if last < first."""
    if abs(step) < 1e-9:
        return (first, last) if low <= origin <= high else (1.0, 0.0)
    one, other = (low - origin) / step, (high - origin) / step
    return max(first, min(one, other)), min(last, max(one, other))


@njit(fastmath=_SUMS, error_model="numpy")
def draw_lines(drawn, points, lines, drawings, which, unit, width, start, stop):
    """Draw lines with round ends and joints, white on black.

    A pixel's brightness is how much of its width a line covers that passes at that distance, which
    is exact along straight lines; where lines meet, the brighter one counts.

    Args:
        drawn: uint8 ``[N, H, W]``.
        points: int16 ``[P, 2]``: x, y, y down.
        lines: int64 ``[L + 1]``: line l has the points from ``lines[l]`` on.
        drawings: int64 ``[D + 1]``: drawing d has the lines from ``drawings[d]`` on.
        which: int64 ``[N]``, which of the drawings.
        unit: what a coordinate of 1 has in pixels.
        width: of the lines in pixels.
        start: first of those to draw.
        stop: one past the last.
    """
    _, height, columns = drawn.shape
    stride = columns + LANES  # rows are drawn in whole vector registers
    ink = np.empty(height * stride, np.float32)
    half, nothing, pixel_half = np.float32(width / 2), np.float32(0.0), np.float32(0.5)
    reach, one = np.float32(width / 2 + 0.5), np.float32(1.0)
    for k in range(start, stop):
        ink[:] = nothing
        for line in range(drawings[which[k]], drawings[which[k] + 1]):
            first, last = lines[line], lines[line + 1] - 1
            for p in range(first, max(first + 1, last)):
                q = min(p + 1, last)
                # From the first pixel's centre.
                x0 = np.float32(points[p, 0] * unit) - pixel_half
                y0 = np.float32(points[p, 1] * unit) - pixel_half
                dx = np.float32((points[q, 0] - points[p, 0]) * unit)
                dy = np.float32((points[q, 1] - points[p, 1]) * unit)
                square = dx * dx + dy * dy
                per = one / square if square > nothing else nothing
                # Truncated: a pixel more than it reaches changes nothing.
                top = np.int32(max(min(y0, y0 + dy) - reach, nothing))
                bottom = min(np.int32(height - 1), np.int32(max(y0, y0 + dy) + reach))
                left = np.int32(max(min(x0, x0 + dx) - reach, nothing))
                right = min(np.int32(columns - 1), np.int32(max(x0, x0 + dx) + reach))
                full = np.int32((right - left) // LANES * LANES + LANES)
                at = np.float32(left) - x0
                for y in range(top, bottom + 1):
                    v = np.float32(np.int32(y)) - y0
                    base = np.uintp(y * stride + left)
                    for i in range(full):
                        u = at + np.float32(np.int32(i))
                        along = min(max((u * dx + v * dy) * per, nothing), one)
                        a, b = u - along * dx, v - along * dy
                        distance = np.sqrt(a * a + b * b)
                        low, high = max(-half, distance - pixel_half), distance + pixel_half
                        j = base + np.uintp(i)
                        ink[j] = max(ink[j], min(half, high) - low)
        for y in range(height):
            row, canvas = ink[y * stride : y * stride + columns], drawn[k, y]
            for x in range(columns):
                canvas[x] = np.uint8(np.rint(row[x] * np.float32(255.0)))
