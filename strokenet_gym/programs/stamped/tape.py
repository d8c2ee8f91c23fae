"""The tape of our painting program: the ink of its strokes, and what goes back through it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from strokenet_gym.checks import real_array
from strokenet_gym.kernels import threads
from strokenet_gym.programs.stamped.numbers import Accuracy, BrushNumbers
from strokenet_gym.programs.stamped.painting import (
    NOTHING,
    ROWS,
    Chunk,
    bands_of,
    ink_in,
    scratch_of,
    unpainted,
)
from strokenet_gym.programs.stamped.planning_raster import find_removal_costs, recolour
from strokenet_gym.programs.stamped.raster import Grads, composite_back, gather_below
from strokenet_gym.programs.tape import Tape
from strokenet_gym.stroke import Stroke

__all__ = ["StampedTape"]

_TIE = 1e-4  # squared pixels of a stroke; one of fewer takes the colour that is nearest to its own


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
        nothing = NOTHING[dtype]
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
        bands = bands_of(below.shape[2], each)
        fields = Stroke(*(np.zeros((len(bands), *field.shape)) for field in self._stroke))
        canvases = unpainted(below, target, self._brush)

        def work(start: int, stop: int) -> None:
            (logs, _), _ = scratch_of(below.shape[2], below.shape[3], dtype)
            for chunks in self.chunks[start:stop]:
                grad_band = Stroke(
                    *(field[chunks[0].part.low // ROWS if each > 1 else 0] for field in fields)
                )
                for chunk in reversed(chunks):
                    if len(chunk.ink.alphas) == 0:  # no ink in this band
                        continue
                    inputs: Any = canvases, *self._numbers, tuple(self._accuracy)
                    under = nothing.reshape(0, 0) if each == 1 else self._below(chunk)
                    ink: Any = tuple(chunk.ink), under, logs
                    start, end, *rest = chunk.part
                    while end > start:
                        part: Any = start, end, *rest
                        end = composite_back(tuple(grads), grad_band, *inputs, *ink, part)
                        threads.check()

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
        canvases = unpainted(self._painted, target, self._brush)
        for chunk in (chunk for chunks in self.chunks for chunk in reversed(chunks)):
            ink: Any = tuple(chunk.ink), self._below(chunk), tuple(chunk.part)
            find_removal_costs(costs, share, canvases, *self._numbers, *ink)
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

    def take_apart(self) -> tuple[list[np.ndarray], Callable[..., Tape]]:
        """Arrays for torch to keep, see :meth:`Tape.take_apart`."""
        arrays = [np.concatenate([field.ravel() for field in self._stroke])]
        for chunk in (chunk for chunks in self.chunks for chunk in chunks):
            arrays += [chunk.kept] if chunk.canvas is None else [chunk.kept, chunk.canvas]
        parts = [[(c.part, c.canvas is not None) for c in chunks] for chunks in self.chunks]
        numbers = self._brush, self._accuracy, self._erases
        shapes = [field.shape for field in self._stroke]
        return arrays, functools.partial(_put_together, self._shape, shapes, numbers, parts)


def _put_together(
    shape: tuple[int, ...], shapes: Any, numbers: Any, parts: Any, arrays: Sequence[np.ndarray],
    canvas: np.ndarray, target: np.ndarray | None,
) -> StampedTape:  # fmt: skip
    rest, fields, begin = iter(arrays), [], 0
    flat = next(rest)
    for each in shapes:
        end = begin + math.prod(each)
        fields.append(flat[begin:end].reshape(each))
        begin = end
    chunks: list[list[Chunk]] = []
    for some in parts:
        chunks.append([])
        for part, has_canvas in some:
            kept = next(rest)
            ink = ink_in(kept, part, canvas.dtype)
            chunks[-1].append(Chunk(next(rest) if has_canvas else None, kept, ink, part))
    return StampedTape(canvas, canvas, Stroke(*fields), shape, numbers, target, chunks)
