"""Batches of targets, filled on all threads by the kernels of raster.py."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from strokenet_gym.checks import behaved
from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.targets.raster import draw_glyphs, draw_lines, place_images, set_targets

with shielded():
    import cv2

__all__ = ["draw", "place", "put", "trace"]

_LEAST = 16  # fewer targets are not worth another thread
_VISIBLE = np.float32(0.51 / 255)
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
    batch, where = (target, target_pixels, canvas, pixels, inked), np.asarray(indices, np.int64)
    levels = to_bytes(background)
    images, unit = behaved(images, images.dtype), np.float32(255 if images.dtype == np.uint8 else 1)

    def work(start: int, stop: int) -> None:
        found = images, unit, where, background, levels, _VISIBLE
        set_targets(*batch, errors, visible, *found, start, stop)

    threads.run(work, len(images), _LEAST)
    return errors / target[0].size, visible


def place(images: np.ndarray, indices: np.ndarray, extent: int, size: int) -> np.ndarray:
    """Resize images of a set and put them in the middle of black canvases, uint8 ``[N, H, W]``.

    Args:
        images: uint8 ``[M, S, S]``.
        indices: int64 ``[N]``, which of them.
        extent: their width and height after that, at most ``size``.
        size: width and height of the canvas in pixels.
    """
    first, weights = _resizing(images.shape[1], extent)
    placed = np.empty((len(indices), size, size), np.uint8)

    def work(start: int, stop: int) -> None:
        place_images(placed, images, indices, first, weights, start, stop)

    threads.run(work, len(placed), _LEAST)
    return placed


@cache
def _resizing(side: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel of a resized line is made of, as OpenCV does it with anti-aliasing.

    Args:
        side: pixels of the line before.
        extent: and after: with cubic interpolation if they are more, else by area.

    Returns:
        int64 ``[extent]``, from which pixel on, and float32 ``[extent, T]``, the weights of that
        one and its followers.
    """
    method = cv2.INTER_CUBIC if extent > side else cv2.INTER_AREA
    matrix = cv2.resize(np.eye(side, dtype=np.float32), (side, extent), interpolation=method)
    used = matrix != 0
    first = used.argmax(1)
    taps = (side - used[:, ::-1].argmax(1) - first).max()
    first = np.minimum(first, side - taps)
    return first, np.take_along_axis(matrix, first[:, None] + np.arange(taps), 1)


def draw(
    fields: np.ndarray,
    boxes: np.ndarray,
    unit: float,
    which: np.ndarray,
    half: np.ndarray,
    inverse: np.ndarray,
    size: int,
    samples: int,
) -> np.ndarray:
    """Draw characters, white on black, uint8 ``[N, H, W]``; see :func:`draw_glyphs`."""
    drawn = np.empty((len(which), size, size), np.uint8)
    glyphs = fields, boxes, unit, which, half, inverse, samples

    def work(start: int, stop: int) -> None:
        draw_glyphs(drawn, *glyphs, start, stop)

    threads.run(work, len(drawn), _LEAST)
    return drawn


def trace(
    points: np.ndarray,
    lines: np.ndarray,
    drawings: np.ndarray,
    which: np.ndarray,
    unit: float,
    width: float,
    size: int,
) -> np.ndarray:
    """Draw lines, white on black, uint8 ``[N, size, size]``; see :func:`draw_lines`."""
    drawn = np.empty((len(which), size, size), np.uint8)
    kept = points, lines, drawings, which, unit, width

    def work(start: int, stop: int) -> None:
        draw_lines(drawn, *kept, start, stop)

    threads.run(work, len(drawn), _LEAST)
    return drawn
