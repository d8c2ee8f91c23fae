"""The painting program at work, on all cores: strokes on canvases, in place.

Threads share canvases, or bands of rows of them; the kernels release the GIL. Functions take a
brush as its numbers; :class:`strokenet_gym.Brush` has them as methods.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.checks import strokes
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import EXACT, Accuracy, BrushNumbers
from strokenet_gym.programs.stamped.planning_raster import find_best_colours
from strokenet_gym.programs.stamped.raster import Ink, Part, Span, composite
from strokenet_gym.stroke import Stroke

__all__ = [
    "NOTHING",
    "ROWS",
    "Chunk",
    "bands_of",
    "best_colours",
    "ink_in",
    "paint_in_place",
    "scratch_of",
    "unpainted",
]

_PIXELS = 2**20  # of ink in a chunk
ROWS = 64  # of a band, which one thread paints with all strokes of a sequence
_NO_BYTES, _NO_BOXES = np.empty((0, 0, 0, 0), np.uint8), np.empty((0, 4), np.int64)
NOTHING = {kind: np.empty((0, 0, 0, 0), kind) for kind in map(np.dtype, (np.float32, np.float64))}
_local = threading.local()


class Chunk(NamedTuple):
    """Some strokes on some rows, and their ink.

    ``canvas``, ``[1, C, rows, W]``, is what was below if they do not begin with a canvas' first
    stroke: else the tape has it. ``kept``, uint8, is the memory of the ink.
    """

    canvas: np.ndarray | None
    kept: np.ndarray
    ink: Ink
    part: Part


def paint_in_place(
    canvas: np.ndarray,
    stroke: Stroke,
    brush: BrushNumbers,
    accuracy: Accuracy = EXACT,
    *,
    target: np.ndarray | None = None,
    pixels: np.ndarray | None = None,
    inked: np.ndarray | None = None,
    keep: bool = False,
) -> tuple[np.ndarray, list[list[Chunk]]]:
    """Paint strokes in order on each canvas of a batch, whose arrays are checked.

    Args:
        canvas: float32 or float64 ``[B, C, H, W]`` in 0 … 1; changed.
        stroke: ``[B * N, …]``, those of a canvas one after the other.
        brush: its numbers.
        accuracy: how finely paths are sampled.
        target: the canvas' shape and type.
        pixels: uint8 ``[B, C, H, W]``, the canvas in 8 bits, kept up to date; or None.
        inked: int64 ``[B, 4]``, boxes that grow to where strokes are; or None.
        keep: whether somebody goes back.

    Returns:
        :attr:`Tape.change`, zeros without a target; and the chunks of each part, in order.
    """
    count, (height, width), dtype = len(canvas), canvas.shape[2:], canvas.dtype
    if len(stroke.radius) == 0:
        return np.zeros((count, 2)), []
    each = len(stroke.radius) // count
    ground = paper((height, width), brush.grain)
    goal = NOTHING[dtype] if target is None else target
    others = _NO_BYTES if pixels is None else pixels, _NO_BOXES if inked is None else inked
    numbers: Any = tuple(stroke), tuple(brush), tuple(accuracy)
    if each == 1 and not keep:  # a step: its time counts in microseconds
        change = np.zeros((count, 2))

        def paint(start: int, stop: int) -> None:
            scratch, ink = scratch_of(height, width, dtype)
            inputs = (canvas, ground, goal, change, *others), *numbers, ink, scratch
            while (start := composite(*inputs, (start, stop, 0, height, False))) < stop:
                threads.check()

        threads.run(paint, count)
        return change, []
    bands = bands_of(height, each)
    changes = np.zeros((len(bands), count, 2))
    change = changes[0]
    kept: list[list[Chunk]] = [[]] * (count * len(bands) if keep else 0)

    def work(start: int, stop: int) -> None:
        scratch, ink = scratch_of(height, width, dtype)
        # A kernel takes many canvases of one stroke.
        step = max(stop - start, 1) if each == 1 else 1
        for job in range(start, stop, step):
            b, band = divmod(job, len(bands))
            inputs = (canvas, ground, goal, changes[band] if band else change, *others), *numbers
            begin, end, rows = b * each, (b + step) * each, bands[band]
            if keep:
                kept[job] = _paint_chunks(inputs, scratch, Part(begin, end, *rows, True), each)
                continue
            while (begin := composite(*inputs, ink, scratch, (begin, end, *rows, False))) < end:
                threads.check()

    if each == 1:
        threads.run(work, count)
    else:
        threads.run(work, count * len(bands), least=1)
    if len(bands) > 1:
        change = changes.sum(0)
    return change, [chunks for chunks in kept if chunks]


def bands_of(height: int, each: int) -> list[tuple[int, int]]:
    """First row, and one past the last, of each band of a canvas with so many strokes.

    They do not depend on the number of threads, so that no sum does.
    """
    if each == 1:
        return [(0, height)]
    return [(low, min(low + ROWS, height)) for low in range(0, height, ROWS)]


def _paint_chunks(inputs: Any, scratch: Any, part: Part, each: int) -> list[Chunk]:
    canvas, (start, stop, low, high, _) = inputs[0][0], part
    whole = (high - low) * scratch[1].shape[1]  # cells: what one stroke needs at most
    most = max(1, _PIXELS // LANES)
    chunks: list[Chunk] = []
    while start < stop:
        alphas, spans = _room(min(most, (stop - start) * whole), canvas.dtype)
        ends, first = np.zeros(stop - start + 1, np.int64), start // each
        below = canvas[first : first + 1, :, low:high].copy() if start % each else None
        ink: Any = alphas, spans, ends
        done = composite(*inputs, ink, scratch, (start, stop, low, high, True))
        threads.check()
        if done == start:  # one stroke alone needs more
            most = whole
            continue
        ends = ends[: done - start + 1]
        spans = spans[: ends[-1]]
        pixels = sum(spans[-1].item()[2:]) - int(spans["start"][-1]) if len(spans) else 0
        sizes = ends.nbytes, ends[-1] * Span.itemsize, pixels * canvas.itemsize
        buffer, part = np.empty(sum(sizes), np.uint8), Part(start, done, low, high, True)
        ink = ink_in(buffer, part, canvas.dtype, ends)
        ink.spans[:], ink.alphas[:] = spans, alphas[:pixels]
        chunks.append(Chunk(below, buffer, ink, part))
        start = done
    return chunks


def ink_in(buffer: np.ndarray, part: Part, dtype: Any, ends: np.ndarray | None = None) -> Ink:
    """The ink in the memory of a chunk: the ends (filled with these), the spans, the opacity."""
    first = 8 * (part.stop - part.start + 1)
    found = buffer[:first].view(np.int64)
    if ends is not None:
        found[:] = ends
    second = first + Span.itemsize * int(found[-1])
    return Ink(buffer[second:].view(dtype), buffer[first:second].view(Span), found)


def scratch_of(height: int, width: int, dtype: Any) -> tuple[Any, Any]:
    """The calling thread's :class:`Scratch`, and room for the :class:`Ink` of one stroke."""
    key = (height, width, dtype)
    kept = getattr(_local, "scratch", None)
    if kept is None or kept[0] != key:  # one shape at a time: at 1024 px it takes 10 MB
        cells = -(-width // LANES)
        marks = np.zeros((height, cells), np.uint8)
        scratch = np.zeros((height, cells * LANES), dtype), marks
        ink = *_room(height * cells, dtype), np.empty(1, np.int64)
        # In one go: a Ctrl-C between two would have kernels write beyond the end.
        kept = _local.scratch = key, scratch, ink
    return kept[1:]


def _room(cells: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """The calling thread's room for ink that is copied afterwards."""
    kept = getattr(_local, "room", None)
    if kept is None or kept[0].dtype != dtype or len(kept[1]) < cells:
        kept = _local.room = np.empty(cells * LANES, dtype), np.empty(cells, Span)
    return kept[0][: cells * LANES], kept[1][:cells]


def best_colours(
    canvas: np.ndarray, target: np.ndarray, stroke: Stroke, brush: BrushNumbers, accuracy: Accuracy
) -> tuple[np.ndarray, np.ndarray]:
    """The best colours of candidates, see ``ExactProgram.best_colours``."""
    stroke = strokes(stroke, (None,), None)
    count, shape = len(stroke.radius), canvas.shape[1:]
    colours, gains = np.zeros((count, len(canvas))), np.zeros(count)
    canvases = unpainted(canvas[None], target[None], brush)
    numbers = tuple(stroke._replace(colour=colours)), tuple(brush), tuple(accuracy)
    inputs: Any = gains, canvases, *numbers

    def work(start: int, stop: int) -> None:
        scratch, ink = scratch_of(shape[0], shape[1], canvas.dtype)
        while start < stop:
            part: Any = start, stop, 0, shape[0], False
            start = find_best_colours(*inputs, ink, scratch, part)
            threads.check()

    threads.run(work, count)
    return colours, gains


def unpainted(canvas: np.ndarray, target: np.ndarray | None, brush: BrushNumbers) -> Any:
    """The :class:`Canvases` of kernels that do not paint."""
    goal = NOTHING[canvas.dtype] if target is None else target
    ground = paper(canvas.shape[2:], brush.grain)
    return canvas, ground, goal, np.empty((0, 2)), _NO_BYTES, _NO_BOXES
