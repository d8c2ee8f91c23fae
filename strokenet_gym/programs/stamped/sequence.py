"""Sequences of strokes on canvases, forward and back, on all cores: what the kernels are called by.

:func:`composite` paints N strokes in order on each canvas of a batch and keeps what
:func:`composite_back` needs: the strokes' opacity where they left ink, and a canvas for each chunk
of it. So memory follows the ink, four bytes a pixel of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.programs.stamped import threads
from strokenet_gym.programs.stamped.cache import announce
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import GRAIN, Accuracy, Numbers
from strokenet_gym.programs.stamped.raster import LANES
from strokenet_gym.programs.stamped.sequence_raster import (
    SPAN,
    blend_again,
    composite_sequence,
    composite_sequence_back,
)
from strokenet_gym.stroke import Stroke

__all__ = ["Chunk", "composite", "composite_back"]

_PIXELS = 2**20  # of ink in a chunk


class Chunk(NamedTuple):
    """Strokes ``begin`` to ``stop`` on one canvas: what their way back needs.

    Attributes:
        canvas: ``[C, H, W]``, before them.
        alphas: ``[pixels]``, their opacity, span by span.
        spans: int32 ``[spans, 3]``: rows and columns.
        ends: int64 ``[N + 1, 2]``, where each stroke's spans and pixels begin.
        begin: the first stroke.
        stop: one past the last.
    """

    canvas: np.ndarray
    alphas: np.ndarray
    spans: np.ndarray
    ends: np.ndarray
    begin: int
    stop: int


def composite(
    canvas: np.ndarray, stroke: Stroke, brush: Numbers, accuracy: Accuracy, keep: bool
) -> list[list[Chunk]]:
    """Paint strokes in order on each canvas of a batch, in place.

    Args:
        canvas: float32 or float64 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
        stroke: a batch of B sequences of N strokes: ``[B, N, …]``.
        brush: the brush.
        accuracy: how finely paths are sampled.
        keep: whether the way back is to be kept.

    Returns:
        For each canvas its chunks, none if they are not to be kept.

    Raises:
        ValueError: if a shape is wrong.
    """
    check(canvas, stroke)
    strokes = _as_float64(stroke)
    ground = paper(canvas.shape[-1], brush[GRAIN])
    kept: list[list[Chunk]] = [[] for _ in canvas]

    def work(start: int, stop: int) -> None:
        for b in range(start, stop):
            sequence = Stroke(*(field[b] for field in strokes))
            kept[b] = _composite_one(canvas[b], sequence, brush, accuracy, ground, keep)

    announce(composite_sequence)
    threads.run(work, len(canvas), least=1)
    return kept


def _composite_one(
    canvas: np.ndarray,
    stroke: Stroke,
    brush: Numbers,
    accuracy: Accuracy,
    ground: np.ndarray,
    keep: bool,
) -> list[Chunk]:
    size, dtype = canvas.shape[-1], canvas.dtype
    cells = -(-size // LANES)
    scratch = (
        np.zeros((size, cells * LANES), dtype),
        np.zeros((size, cells), np.uint8),
        np.empty(cells * LANES, dtype),
    )
    colour, radius, position, pressure = stroke
    numbers = ground, colour, position, pressure, radius, brush, tuple(accuracy)
    chunks, begin, count = [], 0, len(radius)
    capacity = min(_PIXELS, max(1, count) * size * cells * LANES) if keep else 0
    while begin < count:
        alphas = np.empty(capacity, dtype)
        spans = np.empty((capacity // LANES, SPAN), np.int32)
        ends = np.zeros((count + 1, 2), np.int64)
        before = canvas.copy() if keep else canvas
        stop = composite_sequence(canvas, alphas, spans, ends, *numbers, *scratch, begin)
        if stop == begin:  # one stroke alone needs more
            capacity = max(capacity, size * cells * LANES)
            continue
        if keep:
            some, pixels = ends[stop]
            chunks.append(
                Chunk(before, alphas[:pixels].copy(), spans[:some].copy(), ends, begin, stop)
            )
        begin = stop
    return chunks


def composite_back(
    by_canvas: np.ndarray,
    kept: list[list[Chunk]],
    stroke: Stroke,
    brush: Numbers,
    accuracy: Accuracy,
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
    strokes = _as_float64(stroke)
    by = Stroke(*(np.zeros(field.shape) for field in strokes))
    size, dtype = by_canvas.shape[-1], by_canvas.dtype
    ground = paper(size, brush[GRAIN])

    def work(start: int, stop: int) -> None:
        seed = np.zeros((size, -(-size // LANES) * LANES), dtype)
        for b in range(start, stop):
            colour, radius, position, pressure = (field[b] for field in strokes)
            outputs = by.colour[b], by.position[b], by.pressure[b], by.radius[b]
            numbers = ground, colour, position, pressure, radius, brush, tuple(accuracy)
            for chunk in reversed(kept[b]):
                ink = chunk.alphas, chunk.spans, chunk.ends
                below = np.empty((by_canvas.shape[1], len(chunk.alphas)), dtype)
                part = chunk.begin, chunk.stop
                blend_again(chunk.canvas.copy(), below, *ink, colour, brush, *part)
                composite_sequence_back(by_canvas[b], *outputs, below, *ink, *numbers, seed, *part)

    announce(composite_sequence_back)
    threads.run(work, len(by_canvas), least=1)
    return by


def check(canvas: Any, stroke: Stroke) -> None:
    """Check the shapes of canvases and sequences, arrays or tensors.

    Raises:
        ValueError: if one is wrong.
    """
    if len(canvas.shape) != 4 or canvas.shape[2] != canvas.shape[3]:
        raise ValueError(f"canvases must be square, [B, C, H, H], got {tuple(canvas.shape)}")
    expected = canvas.shape[0], canvas.shape[1]
    found = stroke.colour.shape[0], stroke.colour.shape[-1]
    if stroke.colour.ndim != 3 or tuple(found) != tuple(expected):
        raise ValueError(
            f"expected sequences [B, N, C] for canvases of B, C = {tuple(expected)}, got "
            f"{tuple(stroke.colour.shape)}"
        )


def _as_float64(stroke: Stroke) -> Stroke:
    return Stroke(*(np.ascontiguousarray(field, np.float64) for field in stroke))
