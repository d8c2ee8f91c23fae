"""Strokes by libmypaint on batches of canvases: the compiled loop that calls the library.

It takes a range of a batch and releases the GIL, so that threads paint side by side, each with a
surface of its own. The library is called by the names of its functions, which :func:`connect` makes
known to the compiler.
"""

import ctypes
import functools
import math

import numpy as np

from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.cache import cfunc, njit
from strokenet_gym.programs.stamped.spline import cubic, place, spline_tangents

with shielded():
    from llvmlite import binding
    from numba import carray, types

__all__ = ["COVERS", "SMALL", "connect", "guard", "paint_strokes"]

STEPS = 8  # points of a segment
PACE = 0.031  # seconds between two points: no round number, which has the clock run backwards
_PAUSE = 10.0  # seconds before a stroke
REACH = 2.0  # half-widths of the canvas' own sides; the pen stays as near as that
_FAR = 20_000.0  # pixels; dabs beyond are dropped, since the library has a table that grows so far
COVERS = 4000.0  # times that a stroke's dabs may cover the canvas; those that follow are dropped
_BUDGET = 10  # which float of a surface's begin tells what is left of it
SMALL = 512.0**2  # pixels; smaller canvases have the budget of this one
_LEAST = 128.0  # pixels that a dab counts as, since small ones take time and memory, too
_ONE = 32768  # in a surface's numbers
_ROOM = 64  # pixels of a tile

_pointer, _int, _float, _double = types.voidptr, types.int32, types.float32, types.float64
_new = types.ExternalFunction("mypaint_brush_new", _pointer())
_unref = types.ExternalFunction("mypaint_brush_unref", types.void(_pointer))
_reset = types.ExternalFunction("mypaint_brush_reset", types.void(_pointer))
_set_base = types.ExternalFunction(
    "mypaint_brush_set_base_value", types.void(_pointer, _int, _float)
)
_set_count = types.ExternalFunction(
    "mypaint_brush_set_mapping_n", types.void(_pointer, _int, _int, _int)
)
_set_point = types.ExternalFunction(
    "mypaint_brush_set_mapping_point", types.void(_pointer, _int, _int, _int, _float, _float)
)
_stroke_to = types.ExternalFunction(
    "mypaint_brush_stroke_to",
    _int(_pointer, _pointer, _float, _float, _float, _float, _float, _double),
)
_begin = types.ExternalFunction("mypaint_surface_begin_atomic", types.void(_pointer))
_end = types.ExternalFunction("mypaint_surface_end_atomic", types.void(_pointer, _pointer))
_DAB = _int(_pointer, *[_float] * 13)
_dab = types.ExternalFunction("strokenet_gym_mypaint_dab", _DAB)


def _near_dab(surface, x, y, radius, r, g, b, opaque, hardness, eraser, ratio, angle, lock, hue):
    """Draw a dab, unless it is far off or no number, or the stroke has had its share."""
    if not (abs(x) < _FAR and abs(y) < _FAR and radius < _FAR):
        return 0
    words = carray(surface, 12, np.float32)
    if words[_BUDGET] <= 0.0:
        return 0
    words[_BUDGET] -= max(_LEAST, min(math.pi * radius * radius, words[_BUDGET + 1]))
    return _dab(surface, x, y, radius, r, g, b, opaque, hardness, eraser, ratio, angle, lock, hue)


@njit(error_model="numpy")
def paint_strokes(
    canvas, background, colour, position, pressure, radius,
    settings, base, lines, points, own, skip, surface, tiles, budget, box, start, stop,
):  # fmt: skip
    """Paint one stroke on each canvas of a batch, in place, each with a brush of its own.

    A new brush begins with the same random numbers, so that a stroke is always the same picture.

    Args:
        canvas: float32 ``[B, C, H, W]`` in 0 … 1; changed where there is ink.
        background: float32 ``[C]``, what erasers lay bare.
        colour: float64 ``[B, C]``.
        position: float64 ``[B, 16, 2]``, half-widths.
        pressure: float64 ``[B, 16]``.
        radius: float64 ``[B]``, half-widths.
        settings: ``numbers`` of :class:`Settings`, and so the next three.
        base: see there.
        lines: see there.
        points: see there.
        own: int64 ``[4]``, numbers of the settings that a stroke says itself: logarithm of the
            radius, hue, saturation, value.
        skip: random numbers to leave out at first.
        surface: address of the library's object.
        tiles: its pixels, see :class:`Surface`, and so the next one.
        budget: see there.
        box: int32 ``[4]``, scratch.
        start: first of the batch to paint.
        stop: one past the last.
    """
    channels, height, width = canvas.shape[1:]
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
        _fill(tiles, canvas[b])
        brush = _new()
        for k in range(settings.shape[0]):
            _set_base(brush, settings[k], base[k])
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
        budget[0] = COVERS * max(budget[1], SMALL)
        _begin(surface)
        x, y = path[0]
        for _ in range(1 + skip):  # brings a pen that follows slowly from (0, 0) to its place
            _reset(brush)
            _stroke_to(brush, surface, x, y, 0.0, 0.0, 0.0, _PAUSE)
        _reset(brush)
        _stroke_to(brush, surface, x, y, _unit(pressure[b, 0]), 0.0, 0.0, PACE)
        for i in range(anchors - 1):
            curve = cubic(path, tangents, i)
            for k in range(1, STEPS + 1):
                t = k / STEPS
                x, y = place(curve, t)
                p = _unit(pressure[b, i] * (1.0 - t) + pressure[b, i + 1] * t)
                _stroke_to(brush, surface, x, y, p, 0.0, 0.0, PACE)
        _end(surface, box.ctypes)
        _unref(brush)
        _read(canvas[b], background, tiles, box)


@njit(error_model="numpy")
def _unit(value):
    return min(max(value, 0.0), 1.0)


@njit(error_model="numpy")
def _fixed(value):
    """A number in 0 … 1 as a surface has it."""
    return np.uint16(min(max(value, np.float32(0.0)), np.float32(1.0)) * _ONE + np.float32(0.5))


@njit(error_model="numpy")
def _fill(tiles, picture):
    """Have an opaque picture ``[C, H, W]`` on a surface, and nothing around it."""
    channels, height, width = picture.shape
    if height % _ROOM:
        tiles[-1, :, height % _ROOM :] = 0
    if width % _ROOM:
        tiles[:, -1, :, width % _ROOM :] = 0
    for y in range(height):
        for column in range(tiles.shape[1]):
            row = tiles[y // _ROOM, column, y % _ROOM]
            for x in range(min(_ROOM, width - column * _ROOM)):
                for c in range(3):
                    row[x, c] = _fixed(picture[c % channels, y, column * _ROOM + x])
                row[x, 3] = _ONE


@njit(error_model="numpy")
def _read(picture, background, tiles, box):
    """Take over the pixels that the library has changed, inside its box: x, y, width, height."""
    channels, height, width = picture.shape
    for y in range(max(0, box[1]), min(height, box[1] + box[3])):
        for x in range(max(0, box[0]), min(width, box[0] + box[2])):
            pixel = tiles[y // _ROOM, x // _ROOM, y % _ROOM, x % _ROOM]
            bare = np.float32(_ONE - min(pixel[3], np.uint16(_ONE))) / np.float32(_ONE)
            for c in range(channels):
                if pixel[c] != _fixed(picture[c, y, x]) or bare > 0:
                    value = np.float32(pixel[c]) / np.float32(_ONE) + bare * background[c]
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


@functools.cache
def connect(library):
    """Have the compiler know the library's functions.

    Args:
        library: from :func:`load_library`.
    """
    for function in (_new, _unref, _reset, _set_base, _set_count, _set_point,
                     _stroke_to, _begin, _end):  # fmt: skip
        called = getattr(library, function.symbol)
        binding.add_symbol(function.symbol, ctypes.cast(called, ctypes.c_void_p).value)


def guard(surface):
    """Have a surface drop dabs that are far off, or too many.

    The first word of a surface is the address of the function that draws a dab, as the library's
    header says: a program may put its own there. The sixth is that of a function which nobody here
    calls; instead it holds ``surface.budget``.

    Args:
        surface: a :class:`Surface`.
    """
    draw_dab = ctypes.c_void_p.from_address(surface.address)
    binding.add_symbol(_dab.symbol, draw_dab.value)
    draw_dab.value = _guard().address
    words = (ctypes.c_float * 2).from_address(surface.address + 4 * _BUDGET)
    surface.budget = np.ctypeslib.as_array(words)
    surface.budget[:] = 0.0, surface.pixels


@functools.cache
def _guard():
    return cfunc(_DAB)(_near_dab)
