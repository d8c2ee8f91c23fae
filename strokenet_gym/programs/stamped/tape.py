"""The painting program at work, on all cores: strokes on canvases, and their tape.

Threads share canvases, or bands of rows of them; the kernels release the GIL. Functions take a
brush as its numbers; :class:`strokenet_gym.Brush` has them as methods.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.checks import real_array, strokes
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.cache import announce
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import EXACT, Accuracy, BrushNumbers
from strokenet_gym.programs.stamped.planning_raster import (
    find_best_colours,
    find_removal_costs,
    recolour,
)
from strokenet_gym.programs.stamped.raster import (
    Canvases,
    Grads,
    Ink,
    Part,
    Span,
    composite,
    composite_back,
    gather_below,
)
from strokenet_gym.programs.tape import Tape
from strokenet_gym.stroke import Stroke

__all__ = ["Chunk", "StampedTape", "best_colours", "paint_in_place"]

_PIXELS = 2**20  # of ink in a chunk
_ROWS = 64  # of a band, which one thread paints with all strokes of a sequence
_TIE = 1e-4  # squared pixels of a stroke; one of fewer takes the colour that is nearest to its own
_NO_BYTES, _NO_BOXES = np.empty((0, 0, 0, 0), np.uint8), np.empty((0, 4), np.int64)
_NOTHING = {kind: np.empty((0, 0, 0, 0), kind) for kind in map(np.dtype, (np.float32, np.float64))}
_local = threading.local()


class Chunk(NamedTuple):
    """Some strokes on some rows, and their ink.

    ``canvas``, ``[1, C, rows, W]``, is what was below if they do not begin with a canvas' first
    stroke: else the tape has it.
    """

    canvas: np.ndarray | None
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
        pixels: see :meth:`Program.composite`, and so ``inked``.
        inked: see there.
        keep: whether somebody goes back.

    Returns:
        :attr:`Tape.change`, zeros without a target; and the chunks of each part, in order.
    """
    count, (height, width), dtype = len(canvas), canvas.shape[2:], canvas.dtype
    if len(stroke.radius) == 0:
        return np.zeros((count, 2)), []
    each = len(stroke.radius) // count
    bands = _bands(height, each)
    changes = np.zeros((len(bands), count, 2))
    change = changes[0]
    ground = paper((height, width), brush.grain)
    goal = _NOTHING[dtype] if target is None else target
    others = _NO_BYTES if pixels is None else pixels, _NO_BOXES if inked is None else inked
    numbers: Any = tuple(stroke), tuple(brush), tuple(accuracy)
    kept: list[list[Chunk]] = [[]] * (count * len(bands) if keep else 0)

    def work(start: int, stop: int) -> None:
        scratch, ink = _scratch(height, width, dtype)
        step = (
            max(stop - start, 1) if each == 1 else 1
        )  # a kernel takes many canvases of one stroke
        for job in range(start, stop, step):
            b, band = divmod(job, len(bands))
            inputs = (canvas, ground, goal, changes[band] if band else change, *others), *numbers
            begin, end, rows = b * each, (b + step) * each, bands[band]
            if keep:
                kept[job] = _paint_chunks(inputs, scratch, Part(begin, end, *rows, True), each)
                continue
            while (begin := composite(*inputs, ink, scratch, (begin, end, *rows, False))) < end:
                threads.check()

    announce(composite)
    if each == 1:
        threads.run(work, count)
    else:
        threads.run(work, count * len(bands), least=1)
    if len(bands) > 1:
        change = changes.sum(0)
    return change, [chunks for chunks in kept if chunks]


def _bands(height: int, each: int) -> list[tuple[int, int]]:
    """First row, and one past the last, of each band of a canvas with so many strokes.

    They do not depend on the number of threads, so that no sum does.
    """
    if each == 1:
        return [(0, height)]
    return [(low, min(low + _ROWS, height)) for low in range(0, height, _ROWS)]


def _paint_chunks(numbers: Any, scratch: Any, part: Part, each: int) -> list[Chunk]:
    canvas, (start, stop, low, high, _) = numbers[0][0], part
    whole = (high - low) * scratch[1].shape[1]  # cells: what one stroke needs at most
    most = max(1, _PIXELS // LANES)
    chunks: list[Chunk] = []
    while start < stop:
        cells = min(most, (stop - start) * whole)
        spans, ends = np.empty(cells, Span), np.zeros(stop - start + 1, np.int64)
        ink = Ink(np.empty(cells * LANES, canvas.dtype), spans, ends)
        first = start // each
        below = canvas[first : first + 1, :, low:high].copy() if start % each else None
        done = composite(*numbers, tuple(ink), scratch, (start, stop, low, high, True))
        threads.check()
        if done == start:  # one stroke alone needs more
            most = whole
            continue
        ends = ends[: done - start + 1].copy()
        spans = spans[: ends[-1]].copy()
        pixels = (
            int(spans[-1]["pixel"]) + spans[-1]["stop"] - spans[-1]["start"] if len(spans) else 0
        )
        ink = Ink(ink.alphas[:pixels].copy(), spans, ends)
        chunks.append(Chunk(below, ink, Part(start, done, low, high, True)))
        start = done
    return chunks


def _scratch(height: int, width: int, dtype: Any) -> tuple[Any, Any]:
    """The calling thread's :class:`Scratch`, and room for the :class:`Ink` of one stroke."""
    key = (height, width, dtype)
    kept = getattr(_local, "scratch", None)
    if kept is None or kept[0] != key:  # one shape at a time: at 1024 px it takes 10 MB
        cells = -(-width // LANES)
        marks = np.zeros((height, cells), np.uint8)
        scratch = np.zeros((height, cells * LANES), dtype), marks
        spans = np.empty(height * (cells + 1) // 2, Span)
        ink = np.empty(height * cells * LANES, dtype), spans, np.empty(1, np.int64)
        # In one go: a Ctrl-C between two would have kernels write beyond the end.
        kept = _local.scratch = key, scratch, ink
    return kept[1:]


class StampedTape(Tape):
    """The ink of the strokes, four bytes a pixel, and a canvas for each chunk but the first.

    Args:
        canvas: what was below, ``[B, C, H, W]``.
        painted: with the strokes.
        stroke: ``[B * N, …]``.
        shape: ``(B, N)``, or ``(B,)``.
        brush: its numbers.
        accuracy: how finely paths are sampled.
        erases: whether the strokes' colour is none of theirs.
        target: or None.
    """

    def __init__(
        self,
        canvas: np.ndarray,
        painted: np.ndarray,
        stroke: Stroke,
        shape: tuple[int, ...],
        numbers: tuple[BrushNumbers, Accuracy, bool],
        target: np.ndarray | None,
        chunks: list[list[Chunk]],
    ) -> None:
        self._canvas, self._painted, self._stroke, self._shape = canvas, painted, stroke, shape
        self._brush, self._accuracy, self._erases = numbers
        self._target, self.chunks = target, chunks
        self._each = len(stroke.radius) // max(1, len(canvas))
        self._numbers: Any = tuple(stroke), tuple(self._brush)

    @np.errstate(under="ignore")
    def backward(
        self,
        grad_canvas: np.ndarray | None,
        grad_change: np.ndarray | None = None,
        *,
        canvas: bool = True,
    ) -> tuple[np.ndarray | None, Stroke]:
        """The adjoint of painting, see :meth:`Tape.backward`."""
        below, dtype, each = self._canvas, self._canvas.dtype, self._each
        nothing = _NOTHING[dtype]
        after = before = nothing
        if grad_canvas is not None:
            name = "the derivative by the canvases"
            after = before = real_array(grad_canvas, name, below.shape, dtype)
        if canvas:
            before = np.zeros_like(below) if after is nothing else after.copy()
        elif each != 1 and after is not nothing:
            before = self._inked(after)
        elif each != 1:
            before = np.zeros_like(below)
        else:
            before = nothing
        target = self._target
        if grad_change is None or target is None:
            target, grad_change = None, np.zeros((len(below), 2))
        grads = Grads(after if each == 1 else before, before, grad_change)
        bands = _bands(below.shape[2], each)
        fields = Stroke(*(np.zeros((len(bands), *field.shape)) for field in self._stroke))
        canvases = self._canvases(below, target)

        def work(start: int, stop: int) -> None:
            (logs, _), _ = _scratch(below.shape[2], below.shape[3], dtype)
            for chunks in self.chunks[start:stop]:
                by_band = Stroke(
                    *(field[chunks[0].part.low // _ROWS if each > 1 else 0] for field in fields)
                )
                for chunk in reversed(chunks):
                    if len(chunk.ink.alphas) == 0:  # no ink in this band
                        continue
                    inputs: Any = tuple(canvases), *self._numbers, tuple(self._accuracy)
                    ink: Any = tuple(chunk.ink), self._below(chunk), logs
                    start, end, *rest = chunk.part
                    while end > start:
                        part: Any = start, end, *rest
                        end = composite_back(tuple(grads), by_band, *inputs, *ink, part)
                        threads.check()

        announce(composite_back)
        threads.run(work, len(self.chunks), least=1)
        grad = Stroke(
            *(
                (field[0] if len(bands) == 1 else field.sum(0)).reshape(
                    *self._shape, *own.shape[1:]
                )
                for field, own in zip(fields, self._stroke, strict=True)
            )
        )
        if self._erases:
            grad.colour[:] = 0.0
        return before if canvas else None, grad

    def _inked(self, grad: np.ndarray) -> np.ndarray:
        """A copy of a gradient where the strokes are, so that its cost follows the ink."""
        part = np.empty_like(grad)
        for chunk in (chunk for chunks in self.chunks for chunk in chunks if len(chunk.ink.spans)):
            spans, b = chunk.ink.spans, chunk.part.start // self._each
            rows = slice(spans["row"].min(), spans["row"].max() + 1)
            box = b, slice(None), rows, slice(spans["start"].min(), spans["stop"].max())
            part[box] = grad[box]
        return part

    def _canvases(self, canvas: np.ndarray, target: np.ndarray | None) -> Canvases:
        ground = paper(canvas.shape[2:], self._brush.grain)
        goal = _NOTHING[canvas.dtype] if target is None else target
        return Canvases(canvas, ground, goal, np.empty((0, 2)), _NO_BYTES, _NO_BOXES)

    def _below(self, chunk: Chunk) -> np.ndarray:
        """The canvas before each stroke of a chunk, where that left ink: ``[C, pixels]``."""
        (start, stop, low, high, _), each = chunk.part, self._each
        first, end = start // each, (stop - 1) // each + 1
        canvas = self._canvas[first:end, :, low:high] if chunk.canvas is None else chunk.canvas
        if each > 1:
            canvas = canvas.copy()
        below = np.empty((canvas.shape[1], len(chunk.ink.alphas)), canvas.dtype)
        ink: Any = tuple(chunk.ink), tuple(chunk.part), each
        gather_below(below, canvas, first, *self._numbers, *ink)
        return below

    @np.errstate(under="ignore")
    def removal_costs(self, target: np.ndarray) -> np.ndarray:
        """What leaving out each stroke would cost, see :meth:`Tape.removal_costs`."""
        costs, share = np.zeros(len(self._stroke.radius)), np.ones_like(self._painted)
        canvases = self._canvases(self._painted, target)
        announce(find_removal_costs)
        for chunk in (chunk for chunks in self.chunks for chunk in reversed(chunks)):
            ink: Any = tuple(chunk.ink), self._below(chunk), tuple(chunk.part)
            find_removal_costs(costs, share, tuple(canvases), *self._numbers, *ink)
        return costs.reshape(self._shape)

    @np.errstate(under="ignore")
    def best_colours(
        self, target: np.ndarray, palette: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """The best colour of a palette for each stroke, see :meth:`Tape.best_colours`."""
        colour, palette = self._stroke.colour, np.ascontiguousarray(palette, np.float64)
        found = np.zeros(len(colour), int)
        share, error = np.ones_like(self._painted), self._painted - target
        waiting = [list(chunks) for chunks in self.chunks]
        current: list[Any] = [None] * len(waiting)  # chunk of each part, and what was below
        nothing = np.empty(0)
        announce(recolour)
        for k in reversed(range(len(colour))):
            inks: list[Any] = []
            for i, chunks in enumerate(waiting):
                if chunks and chunks[-1].part.stop == k + 1:
                    chunk = chunks.pop()
                    current[i] = chunk, self._below(chunk)
                if current[i] is not None and current[i][0].part.start <= k:
                    chunk, below = current[i]
                    spans = tuple(chunk.ink.ends[k - chunk.part.start :][:2].tolist())
                    if spans[0] < spans[1]:
                        inks.append((tuple(self._brush), tuple(chunk.ink), below, spans))
            b, sums = k // self._each, np.zeros((share.shape[1], 2))
            for ink in inks:
                recolour(sums, share[b], error[b], weight, *ink, nothing, nothing)
            change = palette - colour[k]
            found[k] = (change * (2 * sums[:, 0] + change * (sums[:, 1] + _TIE))).sum(1).argmin()
            for ink in inks:
                new = palette[found[k]], change[found[k]]
                recolour(sums, share[b], error[b], weight, *ink, *new)
        return found.reshape(self._shape)

    def take_apart(self) -> tuple[list[np.ndarray], Callable[[Sequence[np.ndarray]], Tape]]:
        """Arrays for torch to keep, see :meth:`Tape.take_apart`."""
        target = [] if self._target is None else [self._target]
        arrays = [self._canvas, *self._stroke, *target]
        for chunk in (chunk for chunks in self.chunks for chunk in chunks):
            below = [] if chunk.canvas is None else [chunk.canvas]
            arrays += [chunk.ink.alphas, chunk.ink.spans.view(np.int32), chunk.ink.ends, *below]
        parts = [[(c.part, c.canvas is not None) for c in chunks] for chunks in self.chunks]
        numbers = self._brush, self._accuracy, self._erases
        return arrays, functools.partial(_put_together, self._shape, numbers, bool(target), parts)


def _put_together(
    shape: tuple[int, ...], numbers: Any, has_target: bool, parts: Any, arrays: Sequence[np.ndarray]
) -> StampedTape:
    rest = iter(arrays)
    canvas, stroke = next(rest), Stroke(next(rest), next(rest), next(rest), next(rest))
    target = next(rest) if has_target else None
    chunks: list[list[Chunk]] = []
    for some in parts:
        chunks.append([])
        for part, has_canvas in some:
            ink = Ink(next(rest), next(rest).view(Span), next(rest))
            chunks[-1].append(Chunk(next(rest) if has_canvas else None, ink, part))
    return StampedTape(canvas, canvas, stroke, shape, numbers, target, chunks)


def best_colours(
    canvas: np.ndarray, target: np.ndarray, stroke: Stroke, brush: BrushNumbers, accuracy: Accuracy
) -> tuple[np.ndarray, np.ndarray]:
    """The best colours of candidates, see :meth:`ExactProgram.best_colours`."""
    stroke = strokes(stroke, (None,), None)
    count, shape = len(stroke.radius), canvas.shape[1:]
    colours, gains = np.zeros((count, len(canvas))), np.zeros(count)
    canvases = Canvases(
        canvas[None],
        paper(shape, brush.grain),
        target[None],
        np.empty((0, 2)),
        _NO_BYTES,
        _NO_BOXES,
    )
    numbers = tuple(stroke._replace(colour=colours)), tuple(brush), tuple(accuracy)
    inputs: Any = gains, tuple(canvases), *numbers

    def work(start: int, stop: int) -> None:
        scratch, ink = _scratch(shape[0], shape[1], canvas.dtype)
        while start < stop:
            part: Any = start, stop, 0, shape[0], False
            start = find_best_colours(*inputs, ink, scratch, part)
            threads.check()

    announce(find_best_colours)
    threads.run(work, count)
    return colours, gains
