"""Constants of a canvas: its sides, its cells, and how it is rounded to 8 bits."""

from __future__ import annotations

import numpy as np

from strokenet_gym.checks import whole

__all__ = ["LANES", "LOG_LANES", "Size", "sides", "to_bytes"]

LOG_LANES = 3
LANES = 1 << LOG_LANES  # pixels of a row in a cell: they fill a vector register
_LONGEST = 2**16  # pixels of a side


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Round an image in 0 … 1 to 8 bits."""
    return (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)


Size = int | tuple[int, int]  # of a canvas in pixels: its side, or height and width


def sides(size: Size) -> tuple[int, int]:
    """Height and width of a canvas that is given by them, or by one number if it is square.

    Raises:
        ValueError: if they are no whole numbers from 1.
    """
    if not isinstance(size, (tuple, list, np.ndarray)):
        return (whole(size, "a canvas' side", 1, _LONGEST),) * 2
    if len(size) != 2:
        raise ValueError(f"expected one number, or height and width, got {size!r}")
    height, width = size
    return whole(height, "a canvas' side", 1, _LONGEST), whole(width, "a canvas' side", 1, _LONGEST)
