"""The painting program at work: draws batches of strokes on all cores.

This is the exact program that the learned generator imitates. :func:`draw` gives opacity maps,
:func:`paint` composites strokes on canvases in place. Both split the batch over threads; the
compiled kernels release the GIL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from strokenet_gym.renderer.brush import Brush
from strokenet_gym.renderer.path import SPACING
from strokenet_gym.renderer.raster import PADDING, draw_strokes, paint_strokes
from strokenet_gym.stroke import Stroke

__all__ = ["draw", "paint"]


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = available_cores()
_CHUNK = 8  # fewer strokes are not worth another thread
_scratch = threading.local()
_pool: ThreadPoolExecutor | None = None


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
    numbers = brush.as_tuple()

    def work(start: int, stop: int) -> None:
        ink = _ink(size, dtype)
        draw_strokes(alpha, position, pressure, radius, numbers, spacing, ink, start, stop)

    _run(work, len(alpha))
    return alpha


def paint(
    canvas: np.ndarray, pixels: np.ndarray, target: np.ndarray, stroke: Stroke, brush: Brush
) -> np.ndarray:
    """Paint one stroke on each canvas of a batch, in place.

    Args:
        canvas: float32 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
        pixels: uint8 ``[B, C, H, W]``, the canvas rounded to 8 bits; kept up to date.
        target: float32 ``[B, C, H, W]`` in 0 … 1.
        stroke: a batch of B strokes.
        brush: the brush.

    Returns:
        float64 ``[B, 2]``: by how much the sums of the squared and of the absolute
        differences between canvas and target changed.
    """
    change = np.zeros((len(canvas), 2))
    colour, radius, position, pressure = _as_float64(stroke)
    pictures = canvas, pixels, target, change
    strokes = colour, position, pressure, radius, brush.as_tuple()

    def work(start: int, stop: int) -> None:
        ink = _ink(canvas.shape[-1], np.float32)
        paint_strokes(*pictures, *strokes, ink, start, stop)

    _run(work, len(canvas))
    return change


def _as_float64(stroke: Stroke) -> Stroke:
    return Stroke(*(np.ascontiguousarray(field, np.float64) for field in stroke))


def _ink(size: int, dtype: type) -> np.ndarray:
    """The calling thread's zeroed scratch; the kernels leave it zeroed."""
    if not hasattr(_scratch, "ink"):
        _scratch.ink = {}
    key = (size, dtype)
    if key not in _scratch.ink:
        _scratch.ink.clear()  # one size at a time: a 1024 px scratch is 17 MB
        _scratch.ink[key] = np.zeros((4, size, size + PADDING), dtype)
    return _scratch.ink[key]


def _run(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(start, stop)`` for all of ``range(count)``, on all cores if it is worth it."""
    global _pool
    if count <= _CHUNK or THREADS == 1:
        work(0, count)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(THREADS, "strokenet")
    # Two shares for each thread, since strokes differ in cost.
    share = max(_CHUNK, -(-count // (2 * THREADS)))
    starts = range(0, count, share)
    for future in [_pool.submit(work, start, min(start + share, count)) for start in starts]:
        future.result()


def _forget_pool() -> None:
    """A forked child has none of its parent's threads: it makes its own."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
