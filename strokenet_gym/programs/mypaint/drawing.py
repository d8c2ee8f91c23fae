"""Strokes by libmypaint on batches of canvases: the compiled loop that calls the library.

It takes a range of a batch and releases the GIL, so that threads paint side by side, each with a
surface of its own.
"""

import ctypes
import functools
import math

import numpy as np

from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.cache import cfunc, njit
from strokenet_gym.programs.mypaint.library import FUNCTIONS
from strokenet_gym.programs.stamped.spline import cubic, place, spline_tangents

with shielded():
    from llvmlite import binding
    from numba import carray, types
    from numba.core.typing.ctypes_utils import from_ctypes

__all__ = ["BUDGET", "COVERS", "ONE", "TILE", "guard", "paint_strokes"]

STEPS = 8  # points of a segment
PACE = 0.031  # seconds between two points: no round number, which has the clock run backwards
_PAUSE = 10.0  # seconds before a stroke
REACH = 2.0  # half-widths of the canvas' own sides; the pen stays as near as that
_FAR = 20_000.0  # pixels; dabs beyond are dropped, since the library has a table that grows so far
COVERS = 4000.0  # times that a stroke's dabs may cover the canvas; those that follow are dropped
BUDGET = 10  # the first of two floats of a surface: pixels that dabs may cover, and the canvas'
_LEAST = 128.0  # pixels that a dab counts as, since small ones take time and memory, too
ONE = 32768  # in a surface's numbers
TILE = 64  # pixels


def _external(name):
    """A function of the library as the compiler calls it: by its name, see :func:`guard`."""
    result, *arguments = map(from_ctypes, FUNCTIONS[name])
    return types.ExternalFunction(name, result(*arguments))


_new = _external("mypaint_brush_new")
_unref = _external("mypaint_brush_unref")
_reset = _external("mypaint_brush_reset")
_set_base = _external("mypaint_brush_set_base_value")
_set_count = _external("mypaint_brush_set_mapping_n")
_set_point = _external("mypaint_brush_set_mapping_point")
_stroke_to = _external("mypaint_brush_stroke_to")
_begin = _external("mypaint_surface_begin_atomic")
_end = _external("mypaint_surface_end_atomic")
_DAB = types.int32(types.voidptr, *[types.float32] * 13)
_dab = types.ExternalFunction("strokenet_gym_mypaint_dab", _DAB)


def _near_dab(surface, x, y, radius, r, g, b, opaque, hardness, eraser, ratio, angle, lock, hue):
    """Draw a dab, unless it is far off or no number, or the stroke has had its share."""
    if not (abs(x) < _FAR and abs(y) < _FAR and radius < _FAR):
        return 0
    words = carray(surface, 12, np.float32)
    if words[BUDGET] <= 0.0:
        return 0
    words[BUDGET] -= max(_LEAST, min(math.pi * radius * radius, words[BUDGET + 1]))
    return _dab(surface, x, y, radius, r, g, b, opaque, hardness, eraser, ratio, angle, lock, hue)


@njit(error_model="numpy")
def paint_strokes(canvas, background, stroke, settings, skip, surface, start, stop):
    """Paint one stroke on each canvas of a batch, in place, each with a brush of its own.

    A new brush begins with the same random numbers, so that a stroke is always the same picture.

    Args:
        canvas: float32 ``[B, C, H, W]`` in 0 … 1; changed where there is ink.
        background: float32 ``[C]``, what erasers lay bare.
        stroke: a batch of B :class:`Stroke`, float64.
        settings: the brush's :class:`Settings`.
        skip: random numbers to leave out at first.
        surface: :class:`Memory` of a surface.
        start: first of the batch to paint.
        stop: one past the last.
    """
    channels, height, width = canvas.shape[1:]
    colour, radius, position, pressure = stroke
    own, lines, points = settings.own, settings.lines, settings.points
    half = min(height, width) / 2.0
    anchors = position.shape[1]
    path = np.empty((anchors, 2))
    tangents = np.empty((anchors - 1, 2, 2))
    for b in range(start, stop):
        inked = math.isfinite(radius[b]) and radius[b] > 0.0
        some = False
        for i in range(anchors):
            x, y, p = position[b, i, 0], position[b, i, 1], pressure[b, i]
            inked = inked and math.isfinite(x + y + p)
            some = some or p > 0.0
            path[i, 0] = (1.0 + min(max(x, -REACH), REACH)) * width / 2.0
            path[i, 1] = (1.0 - min(max(y, -REACH), REACH)) * height / 2.0
        for c in range(channels):
            inked = inked and math.isfinite(colour[b, c])
        if not (inked and some):
            continue
        _fill(surface.tiles, canvas[b])
        brush = _new()
        for k in range(settings.numbers.shape[0]):
            _set_base(brush, settings.numbers[k], settings.base[k])
        first = 0
        for k in range(lines.shape[0]):
            _set_count(brush, lines[k, 0], lines[k, 1], lines[k, 2])
            for j in range(lines[k, 2]):
                x, y = points[first + j, 0], points[first + j, 1]
                _set_point(brush, lines[k, 0], lines[k, 1], j, x, y)
            first += lines[k, 2]
        last = channels - 1
        hue, saturation, value = _hsv(colour[b, 0], colour[b, last // 2], colour[b, last])
        _set_base(brush, own[0], math.log(radius[b] * half))
        _set_base(brush, own[1], hue)
        _set_base(brush, own[2], saturation)
        _set_base(brush, own[3], value)
        spline_tangents(path, tangents)
        surface.budget[0] = surface.full
        _begin(surface.address)
        x, y = path[0]
        for _ in range(1 + skip):  # brings a pen that follows slowly from (0, 0) to its place
            _reset(brush)
            _stroke_to(brush, surface.address, x, y, 0.0, 0.0, 0.0, _PAUSE)
        _reset(brush)
        _stroke_to(brush, surface.address, x, y, _unit(pressure[b, 0]), 0.0, 0.0, PACE)
        for i in range(anchors - 1):
            curve = cubic(path, tangents, i)
            for k in range(1, STEPS + 1):
                t = k / STEPS
                x, y = place(curve, t)
                p = _unit(pressure[b, i] * (1.0 - t) + pressure[b, i + 1] * t)
                _stroke_to(brush, surface.address, x, y, p, 0.0, 0.0, PACE)
        _end(surface.address, surface.box.ctypes)
        _unref(brush)
        _read(canvas[b], background, surface.tiles, surface.box)


@njit(error_model="numpy")
def _unit(value):
    return min(max(value, 0.0), 1.0)


@njit(error_model="numpy")
def _fixed(value):
    """A number in 0 … 1 as a surface has it."""
    return np.uint16(min(max(value, np.float32(0.0)), np.float32(1.0)) * ONE + np.float32(0.5))


@njit(error_model="numpy")
def _fill(tiles, picture):
    """Have an opaque picture ``[C, H, W]`` on a surface, and nothing around it."""
    channels, height, width = picture.shape
    if height % TILE:
        tiles[-1, :, height % TILE :] = 0
    if width % TILE:
        tiles[:, -1, :, width % TILE :] = 0
    for y in range(height):
        for column in range(tiles.shape[1]):
            row = tiles[y // TILE, column, y % TILE]
            for x in range(min(TILE, width - column * TILE)):
                for c in range(3):
                    row[x, c] = _fixed(picture[c % channels, y, column * TILE + x])
                row[x, 3] = ONE


@njit(error_model="numpy")
def _read(picture, background, tiles, box):
    """Take over the pixels that the library has changed, inside its box: x, y, width, height."""
    channels, height, width = picture.shape
    for y in range(max(0, box[1]), min(height, box[1] + box[3])):
        for x in range(max(0, box[0]), min(width, box[0] + box[2])):
            pixel = tiles[y // TILE, x // TILE, y % TILE, x % TILE]
            bare = np.float32(ONE - min(pixel[3], np.uint16(ONE))) / np.float32(ONE)
            for c in range(channels):
                if pixel[c] != _fixed(picture[c, y, x]) or bare > 0:
                    value = np.float32(pixel[c]) / np.float32(ONE) + bare * background[c]
                    picture[c, y, x] = min(max(value, np.float32(0.0)), np.float32(1.0))


@njit(error_model="numpy")
def _hsv(r, g, b):
    """Hue, saturation and value, 0 … 1 each, of a colour."""
    r, g, b = _unit(r), _unit(g), _unit(b)
    high = max(r, g, b)
    span = high - min(r, g, b)
    if span <= 0.0:
        return 0.0, 0.0, high
    if high == r:
        sixths = (g - b) / span
    elif high == g:
        sixths = 2.0 + (b - r) / span
    else:
        sixths = 4.0 + (r - g) / span
    return (sixths / 6.0) % 1.0, span / high, high


def guard(library, surface):
    """Have a surface drop dabs that are far off, or too many.

    The first word of a surface is the address of the function that draws a dab, as the library's
    header says: a program may put its own there. The sixth is that of a function which nobody here
    calls; the guard has the stroke's budget there.

    Args:
        library: from :func:`load_library`; from now on, the compiler finds its functions.
        surface: address of the library's object.
    """
    binding.load_library_permanently(library._name)
    draw_dab = ctypes.c_void_p.from_address(surface)
    binding.add_symbol(_dab.symbol, draw_dab.value)
    draw_dab.value = _guard().address


@functools.cache
def _guard():
    return cfunc(_DAB, _near_dab)
