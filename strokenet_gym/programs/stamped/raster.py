"""Strokes on canvases, and back: the compiled kernels that paint.

Stroke k of K paints on the canvas ``k // N``, where there are N strokes for each canvas: so a step
(a stroke on each canvas of a batch) and a sequence (many on one canvas) are one kernel. It goes
over a :class:`Part` of the strokes, and touches only the pixels that these ink.

Where a stroke leaves ink, its opacity is kept pixel by pixel, span by span (:class:`Ink`): all that
comes after it is a loop over these spans. Kernels that Python calls take records as plain tuples,
which numba looks at in 0.6 µs less each. :func:`composite` keeps those of many strokes if somebody
goes back, and memory follows the ink; else there is room for one stroke.

Where the program has a kink, the gradient is a one-sided one: on the rim of a stamp (d = r) that
from outside, on its plateau's edge and where coverage reaches 0.999 that from the opaque side, at
a radius of one pixel that of the thicker stamp. The absolute difference has the gradient 0 where
canvas and target are equal, and so has the distance of two anchors on one spot. Ink that adds
nothing (pressure 0, or a pixel that is opaque already) has the gradient 0.
"""

from typing import NamedTuple

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.kernels.fastmath import FAST, exp
from strokenet_gym.programs.blend import blend, blend_back, error_back, mix_of
from strokenet_gym.programs.stamped.numbers import VISITS, Accuracy, BrushNumbers
from strokenet_gym.programs.stamped.path import new_path, trace_stroke
from strokenet_gym.programs.stamped.runs import new_run
from strokenet_gym.programs.stamped.stamping import cells_of
from strokenet_gym.programs.stamped.strokes import new_room, stamp_stroke, stamp_stroke_back
from strokenet_gym.stroke import Stroke

__all__ = [
    "Canvases",
    "Grads",
    "Ink",
    "Part",
    "Scratch",
    "Span",
    "composite",
    "composite_back",
    "gather_below",
    "lay_ink",
    "span_at",
]

# Pixels of a row side by side that a stroke inks, and where their opacity is in the ink.
Span = np.dtype([("row", np.int32), ("start", np.int32), ("stop", np.int32), ("pixel", np.uint32)])


class Canvases(NamedTuple):
    """What strokes are painted on.

    Attributes:
        canvas: ``(B, C, H, W)``, 0 … 1, painted in place.
        paper: float32 ``(H, W)``, a factor of the opacity; or empty.
        target: ``(B, C, H, W)``; or empty.
        change: float64 ``(B, 2)``, added to: the change of the summed squared and absolute
            difference to the target, if there is one.
        pixels: uint8 ``(B, C, H, W)``, the canvas rounded to 8 bits, kept up to date; or empty.
        inked: int64 ``(B, 4)``, boxes x0, x1, y0, y1, grown to where strokes may be; or empty.
    """

    canvas: np.ndarray
    paper: np.ndarray
    target: np.ndarray
    change: np.ndarray
    pixels: np.ndarray
    inked: np.ndarray


class Ink(NamedTuple):
    """Where strokes left ink, and how much."""

    alphas: np.ndarray  # (pixels,), opacity in 0 … 1
    spans: np.ndarray  # Span (spans,)
    ends: np.ndarray  # int64 (strokes + 1,), where each stroke's spans begin


class Scratch(NamedTuple):
    """What kernels leave zeroed: see stamping.py."""

    logs: np.ndarray
    marks: np.ndarray


class Part(NamedTuple):
    """Strokes ``start`` to ``stop``, on the rows ``low`` to ``high``; and whether ink is kept."""

    start: int
    stop: int
    low: int
    high: int
    keep: bool


class Grads(NamedTuple):
    """The gradient with respect to canvases.

    Attributes:
        after: ``(B, C, H, W)``, with respect to the painted ones; or empty: 0.
        before: the same of those below, filled where there is ink; or empty. With several strokes
            on a canvas both must be one array.
        change: float64 ``(B, 2)``, with respect to :attr:`Canvases.change`.
    """

    after: np.ndarray
    before: np.ndarray
    change: np.ndarray


@njit()
def lay_ink(ink, span, path, count, run, scratch, canvases, brush, accuracy):
    """Append the opacity of a stroke that has been traced; leave the scratch zeroed.

    Returns how many spans there are then, and visits of cells that it took, about.
    """
    (logs, marks), box, shape = scratch, path.box, canvases.canvas.shape[2:]
    visits = stamp_stroke(logs, marks, path, count, brush, accuracy, shape, run)
    first, end = cells_of(box)
    pixel = _pixels(ink, span)
    for row in range(box[2], box[3]):
        left, right = _next_span(marks[row], first, end)
        while left < right:
            x0, x1 = left * LANES, min(right * LANES, shape[1])
            _opacity(ink.alphas[pixel : pixel + x1 - x0], logs[row, x0:x1], canvases.paper, row, x0)
            _clear(logs[row, x0 : right * LANES])
            marks[row, left:right] = 0
            entry = ink.spans[span]
            entry.row, entry.start, entry.stop, entry.pixel = row, x0, x1, pixel
            pixel += x1 - x0
            span += 1
            left, right = _next_span(marks[row], right, end)
    return span, visits


@njit()
def span_at(ink, s):
    """Row, first column, one past the last column, and first pixel of a span."""
    span = ink.spans[s]
    return span.row, span.start, span.stop, np.int64(span.pixel)


@njit()
def _pixels(ink, count):
    """How many pixels so many spans have."""
    if count == 0:
        return 0
    _, x0, x1, pixel = span_at(ink, count - 1)
    return pixel + x1 - x0


@njit()
def _next_span(marks, cell, end):
    """The next marked cells of a row as a half-open range, (end, end) if there is none."""
    while cell < end and marks[cell] == 0:
        cell += 1
    start = cell
    while cell < end and marks[cell] != 0:
        cell += 1
    return start, cell


@njit(fastmath=FAST, error_model="numpy")
def _opacity(alpha, logs, paper, row, x0):
    """Opacity of a part of a row from its log-transmittance, on this paper."""
    one = alpha.dtype.type(1.0)
    for x in range(alpha.shape[0]):
        alpha[x] = one - exp(logs[x])
    if paper.size > 0:
        for x in range(alpha.shape[0]):
            alpha[x] *= paper[row, x0 + x]


@njit(fastmath=FAST, error_model="numpy")
def _opacity_back(grad, alpha, paper, row, x0):
    """The adjoint of :func:`_opacity`, in place."""
    one, zero = alpha.dtype.type(1.0), alpha.dtype.type(0.0)
    for x in range(grad.shape[0]):
        most = paper[row, x0 + x] if paper.size > 0 else one
        grad[x] = grad[x] * (alpha[x] - most) if alpha[x] > zero else zero


@njit(fastmath=FAST, error_model="numpy")
def _round(pixels, canvas):
    real = canvas.dtype.type
    for x in range(canvas.shape[0]):
        pixels[x] = np.uint8(canvas[x] * real(255.0) + real(0.5))


@njit(fastmath=FAST, error_model="numpy")
def _copy(row, other):
    for x in range(row.shape[0]):
        row[x] = other[x]


@njit(fastmath=FAST, error_model="numpy")
def _clear(row):
    for x in range(row.shape[0]):
        row[x] = row.dtype.type(0.0)


@njit()
def composite(canvases, strokes, brush, accuracy, ink, scratch, part):
    """Paint strokes in order, until there is no room for their ink, or after VISITS.

    Args:
        canvases: see :class:`Canvases`.
        strokes: a :class:`strokenet_gym.Stroke` of float64 arrays ``(K, …)``.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        ink: filled, if it is kept, else a scratch; see :class:`Ink`.
        scratch: see :class:`Scratch`.
        part: see :class:`Part`.

    Returns:
        One past the last stroke that is done.
    """
    canvases, strokes, brush = Canvases(*canvases), Stroke(*strokes), BrushNumbers(*brush)
    accuracy, ink, scratch, part = Accuracy(*accuracy), Ink(*ink), Scratch(*scratch), Part(*part)
    canvas, _, target, change, pixels, inked = canvases
    shape, real = canvas.shape[2:], canvas.dtype.type
    mix, nothing = mix_of(brush, canvas), np.empty(0, canvas.dtype)
    path, run = new_path(strokes.position.shape[1]), new_run(canvas)
    each, span, done = len(strokes.radius) // len(canvas), 0, 0
    for k in range(part.start, part.stop):
        path, count = trace_stroke(path, strokes, k, brush, accuracy, shape, part.low, part.high)
        box, b, begin = path.box, k // each, span if part.keep else 0
        if part.keep and not _has_room(ink, begin, box):
            return k
        if inked.size > 0:
            inked[b, 0], inked[b, 1] = min(inked[b, 0], box[0]), max(inked[b, 1], box[1])
            inked[b, 2], inked[b, 3] = min(inked[b, 2], box[2]), max(inked[b, 3], box[3])
        span, visits = begin, 0
        if count > 0:
            span, visits = lay_ink(ink, begin, path, count, run, scratch, canvases, brush, accuracy)
        squared, absolute = 0.0, 0.0
        for s in range(begin, span):
            row, x0, x1, pixel = span_at(ink, s)
            alpha = ink.alphas[pixel : pixel + x1 - x0]
            for channel in range(canvas.shape[1]):
                line = canvas[b, channel, row, x0:x1]
                goal = target[b, channel, row, x0:x1] if target.size > 0 else nothing
                ds, da = blend(line, alpha, real(strokes.colour[k, channel]), mix, goal)
                squared += ds
                absolute += da
                if pixels.size > 0:
                    _round(pixels[b, channel, row, x0:x1], line)
        if target.size > 0:
            change[b, 0] += squared
            change[b, 1] += absolute
        if part.keep:
            ink.ends[k + 1 - part.start] = span
        done += visits
        if done > VISITS:
            return k + 1
    return part.stop


@njit()
def _has_room(ink, span, box):
    """Whether there is room for a stroke in a bounding box, behind so many spans."""
    first, end = cells_of(box)
    cells = max(0, box[3] - box[2]) * max(0, end - first)
    return _pixels(ink, span) + cells * LANES <= ink.alphas.size and span + cells <= len(ink.spans)


@njit()
def gather_below(below, canvas, first, strokes, brush, ink, part, each):
    """Gather what was beneath each stroke, where it left ink.

    ``below``, ``(C, pixels)``, is filled. ``canvas``, ``(b, C, rows, W)``, are the rows of the part
    as they were before it, of the canvases from ``first`` on. It is painted on if each of them has
    several strokes. The other arguments are those of :func:`composite`.
    """
    strokes, brush, ink, part = Stroke(*strokes), BrushNumbers(*brush), Ink(*ink), Part(*part)
    mix, real, nothing = mix_of(brush, canvas), canvas.dtype.type, np.empty(0, canvas.dtype)
    for k in range(part.start, part.stop):
        for s in range(ink.ends[k - part.start], ink.ends[k + 1 - part.start]):
            row, x0, x1, pixel = span_at(ink, s)
            end = pixel + x1 - x0
            for channel in range(canvas.shape[1]):
                line = canvas[k // each - first, channel, row - part.low, x0:x1]
                _copy(below[channel, pixel:end], line)
                if each > 1:
                    colour = real(strokes.colour[k, channel])
                    blend(line, ink.alphas[pixel:end], colour, mix, nothing)


@njit()
def composite_back(grads, grad_strokes, canvases, strokes, brush, accuracy, ink, below, logs, part):
    """The adjoint of :func:`composite`, from the last stroke to the first, or until after VISITS.

    ``grads`` are :class:`Grads`, ``grad_strokes`` a :class:`strokenet_gym.Stroke` that is filled,
    ``below`` is from :func:`gather_below`, and not looked at where each canvas has one stroke:
    there the canvas is as it was. ``logs`` is from the scratch, and the part's ``start`` is where
    the ink begins. The others are those of :func:`composite`; the canvas' shape counts.

    Returns:
        The last stroke that is done.
    """
    canvases, strokes, brush = Canvases(*canvases), Stroke(*strokes), BrushNumbers(*brush)
    accuracy, ink, part = Accuracy(*accuracy), Ink(*ink), Part(*part)
    (after, before, grad_change), grad_strokes = grads, Stroke(*grad_strokes)
    canvas, n, real = canvases.canvas, strokes.position.shape[1], logs.dtype.type
    shape = canvas.shape[2:]
    mix, target = mix_of(brush, logs), canvases.target
    path, room = new_path(n), new_room(logs, n, accuracy.broad < np.inf)
    each, done = len(strokes.radius) // len(canvas), 0
    line, one = np.empty(logs.shape[1], logs.dtype), real(1.0)
    for k in range(part.stop - 1, part.start - 1, -1):
        path, count = trace_stroke(path, strokes, k, brush, accuracy, shape, part.low, part.high)
        b = k // each
        grad_strokes.colour[k] = 0.0
        if count == 0:
            continue
        squared, absolute = real(grad_change[b, 0]), real(grad_change[b, 1])
        for s in range(ink.ends[k - part.start], ink.ends[k + 1 - part.start]):
            row, x0, x1, pixel = span_at(ink, s)
            end, grad = pixel + x1 - x0, line[: x1 - x0]
            alpha, grad_alpha = ink.alphas[pixel:end], logs[row, x0:x1]
            for channel in range(canvas.shape[1]):
                colour, under = real(strokes.colour[k, channel]), canvas[b, channel, row, x0:x1]
                if each > 1:
                    under = below[channel, pixel:end]
                    grad = before[b, channel, row, x0:x1]
                elif after.size > 0:
                    _copy(grad, after[b, channel, row, x0:x1])
                else:
                    _clear(grad)
                if target.size > 0:
                    goal, sums = target[b, channel, row, x0:x1], (squared, absolute)
                    error_back(grad, under, alpha, colour, mix, goal, sums, one)
                grad_strokes.colour[k, channel] += blend_back(
                    grad, grad_alpha, under, alpha, colour, mix
                )
                if before.size > 0:
                    if target.size > 0:
                        error_back(grad, under, alpha, colour, mix, goal, sums, -one)
                    if each == 1:
                        _copy(before[b, channel, row, x0:x1], grad)
            _opacity_back(logs[row, x0:x1], alpha, canvases.paper, row, x0)
        done += stamp_stroke_back(grad_strokes, k, logs, path, count, brush, accuracy, shape, room)
        if done > VISITS:
            return k
    return part.start
