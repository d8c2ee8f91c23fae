"""Sequences of strokes on canvases, forward and back, on all cores: what the kernels are called by.

:func:`composite` paints N strokes in order on each canvas of a batch and keeps what
:func:`composite_back` needs: the strokes' opacity where they left ink, and a canvas for each chunk
of it. So memory follows the ink, four bytes a pixel of it. A canvas is cut into bands of rows, and
each is painted by one thread with all strokes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.checks import painted_in_place, strokes
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import GRAIN, Accuracy, Numbers
from strokenet_gym.programs.stamped.sequence_raster import (
    SPAN,
    blend_again,
    composite_sequence,
    composite_sequence_back,
)
from strokenet_gym.stroke import Stroke

__all__ = ["Chunk", "beneath", "composite", "composite_back", "inked", "new_scratch"]

_PIXELS = 2**20  # of ink in a chunk
_ROWS = 64  # of a band, which one thread paints


class Chunk(NamedTuple):
    """Strokes ``begin`` to ``stop`` on a band of one canvas: what their way back needs.

    Attributes:
        canvas: ``[C, rows, W]``, the band before them.
        alphas: ``[pixels]``, their opacity, span by span.
        spans: int32 ``[spans, 3]``: rows and columns.
        ends: int64 ``[N + 1, 2]``, where each stroke's spans and pixels begin.
        low: first row of the band.
        high: one past its last row.
        begin: the first stroke.
        stop: one past the last.
    """

    canvas: np.ndarray
    alphas: np.ndarray
    spans: np.ndarray
    ends: np.ndarray
    low: int
    high: int
    begin: int
    stop: int


Kept = list[list[list[Chunk]]]  # of each canvas, of each band


def _bands(height: int) -> list[tuple[int, int]]:
    """First row, and one past the last, of each band of a canvas.

    They do not depend on the number of threads, so that no sum does.
    """
    return [(low, min(low + _ROWS, height)) for low in range(0, height, _ROWS)]


def composite(
    canvas: np.ndarray, stroke: Stroke, brush: Numbers, accuracy: Accuracy, keep: bool
) -> Kept:
    """Paint strokes in order on each canvas of a batch, in place.

    Args:
        canvas: float32 or float64 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
        stroke: a batch of B sequences of N strokes: ``[B, N, …]``.
        brush: the brush.
        accuracy: how finely paths are sampled.
        keep: whether the way back is to be kept.

    Returns:
        For each canvas and each of its bands the chunks, none if they are not to be kept.

    Raises:
        TypeError: if one of them does not hold real numbers.
        ValueError: if a shape or a layout is wrong.
    """
    fields = _checked(canvas, stroke)
    shape, dtype = canvas.shape[2:], canvas.dtype
    bands, ground = _bands(shape[0]), paper(shape, brush[GRAIN])
    kept: Kept = [[[] for _ in bands] for _ in canvas]

    def work(start: int, stop: int) -> None:
        scratch = new_scratch(shape, dtype)
        for job in range(start, stop):
            b, band = divmod(job, len(bands))
            colour, radius, position, pressure = (field[b] for field in fields)
            numbers = ground, colour, position, pressure, radius, brush, tuple(accuracy)
            kept[b][band] = _paint_band(canvas[b], numbers, scratch, bands[band], keep)

    threads.run(work, len(canvas) * len(bands), least=1)
    return kept


def _paint_band(
    canvas: np.ndarray, numbers: Any, scratch: Any, band: tuple[int, int], keep: bool
) -> list[Chunk]:
    count, (low, high) = len(numbers[1]), band
    cells = scratch[0].shape[1] // LANES
    whole = (high - low) * cells * LANES  # pixels: what one stroke needs at most
    capacity = min(_PIXELS, max(1, count) * whole) if keep else 0
    chunks, begin = [], 0
    while begin < count:
        alphas = np.empty(capacity, canvas.dtype)
        spans = np.empty((capacity // LANES, SPAN), np.int32)
        ends = np.zeros((count + 1, 2), np.int64)
        before = canvas[:, low:high].copy() if keep else canvas
        rest: Any = *numbers, *scratch, *band, begin
        stop = composite_sequence(canvas, alphas, spans, ends, *rest)
        threads.check()
        if stop == begin:  # one stroke alone needs more
            capacity = whole
            continue
        if keep:
            some, pixels = ends[stop]
            ink = alphas[:pixels].copy(), spans[:some].copy(), ends
            chunks.append(Chunk(before, *ink, *band, begin, stop))
        begin = stop
    return chunks


def composite_back(
    by_canvas: np.ndarray, kept: Kept, stroke: Stroke, brush: Numbers, accuracy: Accuracy
) -> Stroke:
    """The adjoint of :func:`composite`.

    Args:
        by_canvas: ``[B, C, H, W]``, the derivative of a loss by the painted canvases; becomes the
            one by the canvases before.
        kept: what :func:`composite` returned.
        stroke: the same.
        brush: the same.
        accuracy: the same.

    Returns:
        The derivative by each number of the strokes, float64 ``[B, N, …]``.
    """
    fields = _checked(by_canvas, stroke)
    shape, dtype = by_canvas.shape[2:], by_canvas.dtype
    bands, ground = len(_bands(shape[0])), paper(shape, brush[GRAIN])
    # Band by band, and added up in their order.
    by = Stroke(*(np.zeros((bands, *field.shape)) for field in fields))

    def work(start: int, stop: int) -> None:
        seed = new_scratch(shape, dtype)[0]
        for job in range(start, stop):
            b, band = divmod(job, bands)
            colour, radius, position, pressure = (field[b] for field in fields)
            sums: Any = by.colour, by.position, by.pressure, by.radius
            outputs = by_canvas[b], *(field[band, b] for field in sums)
            numbers = ground, colour, position, pressure, radius, brush, tuple(accuracy)
            for chunk in reversed(kept[b][band]):
                if len(chunk.alphas) == 0:  # no ink in this band
                    continue
                ink = beneath(chunk, colour, brush), chunk.alphas, chunk.spans, chunk.ends
                part = chunk.low, chunk.high, chunk.begin, chunk.stop
                rest: Any = *ink, *numbers, seed, *part
                composite_sequence_back(*outputs, *rest)
                threads.check()

    threads.run(work, len(by_canvas) * bands, least=1)
    return Stroke(*(field.sum(0) for field in by))


def inked(by_canvas: np.ndarray, kept: Kept) -> np.ndarray:
    """A copy of a derivative where :func:`composite_back` goes; the rest is left to chance.

    So that what a way back costs follows the ink, if nobody wants the derivative by the canvases.
    """
    part = np.empty(by_canvas.shape, by_canvas.dtype)
    for source, copy, bands in zip(by_canvas, part, kept, strict=True):
        for chunk in (chunk for band in bands for chunk in band if len(chunk.spans) > 0):
            (top, left, _), (bottom, _, right) = chunk.spans.min(0), chunk.spans.max(0)
            box = slice(None), slice(top, bottom + 1), slice(left, right)
            copy[box] = source[box]
    return part


def new_scratch(shape: tuple[int, ...], dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What kernels that go from stroke to stroke on one canvas take: ink, marks and opacity."""
    height, width = shape
    cells = -(-width // LANES)
    ink, marks = np.zeros((height, cells * LANES), dtype), np.zeros((height, cells), np.uint8)
    return ink, marks, np.empty(cells * LANES, dtype)


def beneath(chunk: Chunk, colour: np.ndarray, brush: Numbers) -> np.ndarray:
    """The canvas before each stroke of a chunk, where that left ink: ``[C, pixels]``."""
    canvas = chunk.canvas.copy()
    below = np.empty((len(canvas), len(chunk.alphas)), canvas.dtype)
    ink, part = (chunk.alphas, chunk.spans, chunk.ends), (chunk.low, chunk.begin, chunk.stop)
    blend_again(canvas, below, *ink, colour, brush, *part)
    return below


def _checked(canvas: np.ndarray, stroke: Stroke) -> Stroke:
    """Sequences as kernels take them, for canvases that they can change."""
    painted_in_place(canvas)
    return strokes(stroke, (len(canvas), None), canvas.shape[1])
