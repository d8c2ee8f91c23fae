"""How any picture fits on a canvas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from strokenet_gym.interrupts import shielded
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.targets.images import LUMA, load_image, plane

with shielded():
    import cv2

__all__ = ["fit_image", "fit_images"]


@np.errstate(under="ignore")
def fit_image(image: Any, size: Size, channels: int, background: np.ndarray) -> np.ndarray:
    """Bring an image to the canvas: laid on the background, resized, centred, padded.

    Args:
        image: as :func:`load_image` takes it.
        size: side of the canvas in pixels, or height and width.
        channels: 1 (grey) or 3 (RGB); the image is converted.
        background: ``[channels]``, seen where the image is transparent, and fills what it leaves
            free.

    Returns:
        float32 ``[channels, H, W]`` in 0 … 1. Errors are those of :func:`load_image`.
    """
    pixels = load_image(image)
    height, width, numbers = pixels.shape
    rows, columns = sides(size)
    scale = min(rows / height, columns / width)
    if scale != 1:
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    opacity = plane(pixels, -1) if numbers in (2, 4) else None
    fitted = np.empty((channels, rows, columns), np.float32)
    fitted[:] = background[:, None, None]
    top, left = (rows - height) // 2, (columns - width) // 2
    place = np.s_[top : top + height, left : left + width]
    values: np.ndarray
    for c in range(channels):  # one after the other, which takes the least memory
        if c > 0 and numbers == 1:
            fitted[c][place] = fitted[0][place]
            continue
        if channels == 1 and numbers > 2:
            values = plane(pixels, 0) * np.float32(LUMA[0])
            for k in (1, 2):
                values += plane(pixels, k) * np.float32(LUMA[k])
        else:
            values = plane(pixels, c if numbers > 2 else 0)
        if opacity is not None:
            own = None if pixels.dtype == np.float32 else values  # not somebody's array
            values = np.subtract(values, background[c], out=own)
            values *= opacity
            values += background[c]
        if scale != 1:
            values = cv2.resize(values, (width, height), interpolation=method)
        np.clip(values, 0, 1, out=fitted[c][place])
    return fitted


def fit_images(
    images: Iterable[Any], size: Size, channels: int, background: np.ndarray
) -> np.ndarray:
    """A batch of images brought to the canvas by :func:`fit_image`."""
    return np.stack([fit_image(image, size, channels, background) for image in images])
