"""Batches of targets, filled on all threads by the kernels of raster.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from strokenet_gym.checks import behaved
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.targets.raster import Batch, draw_glyphs, draw_lines, place_images, set_targets

with shielded():
    import cv2

__all__ = ["draw", "place", "put", "trace"]

_LEAST = 16  # fewer targets are not worth another thread
_NO_FLOATS, _NO_BYTES = np.empty((0,) * 4, np.float32), np.empty((0,) * 4, np.uint8)
_NO_BOXES = np.empty((0, 4), np.int64)


def put(
    images: np.ndarray,
    background: np.ndarray,
    indices: Sequence[int],
    target: np.ndarray,
    target_pixels: np.ndarray = _NO_BYTES,
    canvas: np.ndarray = _NO_FLOATS,
    pixels: np.ndarray = _NO_BYTES,
    inked: np.ndarray = _NO_BOXES,
) -> tuple[np.ndarray, np.ndarray]:
    """Put images into a batch as targets, and empty canvases beside them, in one pass.

    Args:
        images: uint8, or float32 in 0 … 1, ``[N, 1 or C, H, W]``; one channel fills all.
        background: float32 ``[C]`` in 0 … 1.
        indices: for each image, which of the batch it becomes.
        target: float32 ``[B, C, H, W]``, changed, as all that follows.
        target_pixels: uint8 ``[B, C, H, W]``, the target rounded to 8 bits, if it is wanted.
        canvas: float32 ``[B, C, H, W]``, becomes the background, if it is wanted.
        pixels: uint8 ``[B, C, H, W]``, the canvas rounded to 8 bits; together with it.
        inked: int64 ``[B, 4]``, outside of which each canvas is empty: x0, x1, y0, y1; together
            with it. Becomes empty.

    Returns:
        float64 ``[N, 2]``: the mean squared and the mean absolute difference between target and
        background; and bool ``[N]``: whether that can be seen, as half a grey level or more.
    """
    errors, visible = np.empty((len(images), 2)), np.empty(len(images), bool)
    batch = Batch(target, target_pixels, canvas, pixels, inked)
    images, where = behaved(images, images.dtype), np.asarray(indices, np.int64)
    unit, levels = np.float32(255 if images.dtype == np.uint8 else 1), to_bytes(background)
    _on_threads(set_targets, errors, visible, batch, images, unit, where, background, levels)
    return errors / target[0].size, visible


def place(images: np.ndarray, indices: np.ndarray, extent: int, size: int) -> np.ndarray:
    """Put some of images uint8 ``[M, S, S]`` in the middle of black canvases of a size.

    Returns:
        uint8 ``[N, size, size]``; each image is resized to ``extent`` pixels, at most ``size``.
    """
    placed = np.empty((len(indices), size, size), np.uint8)
    return _on_threads(place_images, placed, images, indices, *_resizing(images.shape[1], extent))


def draw(
    fields: np.ndarray, boxes: np.ndarray, unit: float, which: np.ndarray, half: np.ndarray,
    inverse: np.ndarray, size: int, samples: int,
) -> np.ndarray:  # fmt: skip
    """Draw characters, white on black, uint8 ``[N, size, size]``; see :func:`draw_glyphs`."""
    drawn = np.empty((len(which), size, size), np.uint8)
    return _on_threads(draw_glyphs, drawn, fields, boxes, unit, which, half, inverse, samples)


def trace(
    points: np.ndarray, lines: np.ndarray, drawings: np.ndarray, which: np.ndarray,
    unit: float, width: float, size: int,
) -> np.ndarray:  # fmt: skip
    """Draw lines, white on black, uint8 ``[N, size, size]``; see :func:`draw_lines`."""
    drawn = np.empty((len(which), size, size), np.uint8)
    return _on_threads(draw_lines, drawn, points, lines, drawings, which, unit, width)


def _on_threads(kernel: Any, filled: np.ndarray, *args: Any) -> np.ndarray:
    """Have a kernel fill an array, and return that."""
    threads.run(lambda start, stop: kernel(filled, *args, start, stop), len(filled), _LEAST)
    return filled


@cache
def _resizing(side: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """What the pixels of a line of ``side`` pixels become, resized as OpenCV does it: cubic if to
    more, else by area.

    Returns:
        int64 ``[extent]``: the first pixel that each is made of, and float32 ``[extent, T]``: the
        weights of that one and its followers.
    """
    method = cv2.INTER_CUBIC if extent > side else cv2.INTER_AREA
    matrix = cv2.resize(np.eye(side, dtype=np.float32), (side, extent), interpolation=method)
    used = matrix != 0
    first = used.argmax(1)
    taps = (side - used[:, ::-1].argmax(1) - first).max()
    first = np.minimum(first, side - taps)
    return first, np.take_along_axis(matrix, first[:, None] + np.arange(taps), 1)
