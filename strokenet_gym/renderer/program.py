"""The painting program at work: draws batches of strokes on all cores.

This is the exact program that the learned generator imitates. :func:`draw` gives opacity maps,
:func:`paint` composites strokes on canvases in place, :func:`paint_back` is its derivative. All
split the batch over threads; the compiled kernels release the GIL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.renderer.adjoint import paint_strokes_back
from strokenet_gym.renderer.brush import Brush
from strokenet_gym.renderer.cache import announce
from strokenet_gym.renderer.grain import paper
from strokenet_gym.renderer.path import SPACING, spline_tangents
from strokenet_gym.renderer.raster import LANES, draw_strokes, paint_strokes
from strokenet_gym.stroke import Stroke

__all__ = ["Ink", "draw", "new_ink", "paint", "paint_back", "pen_path"]


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = available_cores()
_CHUNK = 8  # fewer strokes are not worth another thread
_local = threading.local()
_pool: ThreadPoolExecutor | None = None


class Ink(NamedTuple):
    """Where a batch of strokes left ink, and how much.

    Attributes:
        alpha: ``[B, H, W]``, opacity in 0 … 1 where marked, undefined elsewhere.
        marks: uint8 ``[B, H, cells]``, for each 8 pixels of a row whether there may be ink.
    """

    alpha: np.ndarray
    marks: np.ndarray


class _Scratch(NamedTuple):
    logs: np.ndarray
    alpha: np.ndarray
    marks: np.ndarray


def new_ink(count: int, size: int, dtype: Any) -> Ink:
    """Room for the ink of ``count`` strokes on canvases of ``size`` pixels."""
    cells = -(-size // LANES)
    return Ink(np.empty((count, size, size), dtype), np.zeros((count, size, cells), np.uint8))


def draw(stroke: Stroke, size: int, brush: Brush, spacing: float = SPACING) -> np.ndarray:
    """Draw strokes as opacity maps.

    Args:
        stroke: a batch: NumPy arrays with one leading dimension B; the colour is not used.
        size: width and height in pixels.
        brush: the brush.
        spacing: distance of two stamps along the path, see ``path.SPACING``; smaller is more
            exact.

    Returns:
        ``[B, size, size]`` in 0 … 1; float64 if the positions are float64, else float32.
    """
    dtype = np.float64 if stroke.position.dtype == np.float64 else np.float32
    alpha = np.zeros((len(stroke.radius), size, size), dtype)
    _, radius, position, pressure = _as_float64(stroke)

    def work(start: int, stop: int) -> None:
        logs, _, marks = _scratch(size, dtype)
        strokes = position, pressure, radius, brush.numbers, spacing
        draw_strokes(alpha, paper(size, brush.grain), *strokes, logs, marks[0], start, stop)

    announce(draw_strokes)
    _run(work, len(alpha))
    return alpha


def pen_path(position: np.ndarray, pressure: np.ndarray, steps: int = 16) -> np.ndarray:
    """Points along a stroke's path, for those who want to follow it themselves.

    Args:
        position: anchors ``[n, 2]``.
        pressure: ``[n]``.
        steps: points from one anchor to the next.

    Returns:
        float64 ``[(n - 1) * steps + 1, 3]``: x, y (in the units of the anchors), pressure.
    """
    scale = 1024.0  # the spline is made for pixels
    anchors = np.asarray(position, np.float64) * scale
    tangents = np.empty((len(anchors) - 1, 2, 2))
    spline_tangents(anchors, tangents)
    t = np.arange(steps)[:, None] / steps
    h, s = t * t * (3 - 2 * t), 1 - t
    points = (
        anchors[:-1, None] * (1 - h) + anchors[1:, None] * h
        + tangents[:, None, 0] * (s * s * t) - tangents[:, None, 1] * (t * t * s)
    )  # fmt: skip
    points = np.concatenate([points.reshape(-1, 2), anchors[-1:]]) / scale
    where = np.arange(len(points)) / steps
    return np.column_stack([points, np.interp(where, np.arange(len(anchors)), pressure)])


def paint(
    canvas: np.ndarray,
    target: np.ndarray,
    stroke: Stroke,
    brush: Brush,
    *,
    pixels: np.ndarray | None = None,
    ink: Ink | None = None,
) -> np.ndarray:
    """Paint one stroke on each canvas of a batch, in place.

    Args:
        canvas: float32 or float64 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
        target: the same type and shape, in 0 … 1.
        stroke: a batch of B strokes.
        brush: the brush.
        pixels: uint8 ``[B, C, H, W]``, the canvas rounded to 8 bits; kept up to date.
        ink: from :func:`new_ink`, filled with what :func:`paint_back` needs.

    Returns:
        float64 ``[B, 2]``: by how much the sums of the squared and of the absolute
        differences between canvas and target changed.
    """
    change = np.zeros((len(canvas), 2))
    colour, radius, position, pressure = _as_float64(stroke)
    if pixels is None:
        pixels = np.empty((0, 0, 0, 0), np.uint8)
    strokes = colour, position, pressure, radius, brush.numbers
    size = canvas.shape[-1]
    ground = paper(size, brush.grain)

    def work(start: int, stop: int) -> None:
        scratch = _scratch(size, canvas.dtype)
        alpha, marks = (scratch.alpha, scratch.marks) if ink is None else ink
        pictures = canvas, pixels, alpha, marks, target, change, ground
        paint_strokes(*pictures, *strokes, scratch.logs, ink is not None, start, stop)

    announce(paint_strokes)
    _run(work, len(canvas))
    return change


def paint_back(
    by_painted: np.ndarray | None,
    by_change: np.ndarray,
    canvas: np.ndarray,
    ink: Ink,
    target: np.ndarray,
    stroke: Stroke,
    brush: Brush,
    *,
    by_canvas: np.ndarray | None = None,
) -> Stroke:
    """The adjoint of :func:`paint`: from the derivative of a loss by its results to its arguments.

    Args:
        by_painted: ``[B, C, H, W]``, derivative by the painted canvas, or None for 0.
        by_change: float64 ``[B, 2]``, derivative by what :func:`paint` returned.
        canvas: ``[B, C, H, W]``, as it was before.
        ink: as :func:`paint` filled it.
        target: as it was.
        stroke: the same.
        brush: the same.
        by_canvas: ``[B, C, H, W]``, a copy of ``by_painted`` (or 0): becomes the derivative by
            the canvas before.

    Returns:
        The derivative by each number of the strokes, float64. At kinks it is one-sided, see
        adjoint.py.
    """
    colour, radius, position, pressure = _as_float64(stroke)
    by = Stroke(*(np.zeros(field.shape) for field in (colour, radius, position, pressure)))
    nothing = np.empty((0, 0, 0, 0), canvas.dtype)
    outputs = (
        nothing if by_canvas is None else by_canvas,
        *(by.colour, by.position, by.pressure, by.radius),
        nothing if by_painted is None else by_painted,
    )
    ground = paper(canvas.shape[-1], brush.grain)
    strokes = colour, position, pressure, radius, brush.numbers
    inputs = by_change, canvas, *ink, target, ground, *strokes

    def work(start: int, stop: int) -> None:
        seed = _scratch(canvas.shape[-1], canvas.dtype).logs
        paint_strokes_back(*outputs, *inputs, seed, start, stop)

    announce(paint_strokes_back)
    _run(work, len(canvas))
    return by


def _as_float64(stroke: Stroke) -> Stroke:
    return Stroke(*(np.ascontiguousarray(field, np.float64) for field in stroke))


def _scratch(size: int, dtype: Any) -> _Scratch:
    """The calling thread's scratch; the kernels leave ``logs`` and ``marks`` zeroed."""
    key = (size, np.dtype(dtype))
    if getattr(_local, "key", None) != key:  # one size at a time: at 1024 px it takes 8 MB
        cells = -(-size // LANES)
        _local.scratch = _Scratch(np.zeros((size, cells * LANES), dtype), *new_ink(1, size, dtype))
        _local.key = key
    return _local.scratch


def _run(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(start, stop)`` for all of ``range(count)``, on all cores if it is worth it."""
    global _pool
    if count <= _CHUNK or THREADS == 1:
        work(0, count)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(THREADS - 1, "strokenet")
    # Two shares for each thread, since strokes differ in cost. The calling thread helps, which
    # saves it from being woken up.
    share = max(_CHUNK, -(-count // (2 * THREADS)))
    starts = iter(range(0, count, share))  # the next one that comes takes the next share

    def some() -> None:
        for start in starts:
            work(start, min(start + share, count))

    helpers = [_pool.submit(some) for _ in range(THREADS - 1)]
    some()
    for helper in helpers:
        helper.result()


def _forget_pool() -> None:
    """A forked child has none of its parent's threads: it makes its own."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
