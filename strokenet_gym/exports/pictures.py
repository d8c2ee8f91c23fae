"""Pictures of a stroke log: PNG, JPEG and WebP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.stroke_log import StrokeLog

__all__ = ["to_rgb", "write_picture"]

_ENCODED: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 4},
    ".jpg": {"format": "JPEG", "quality": 95},
    ".jpeg": {"format": "JPEG", "quality": 95},
    ".webp": {"format": "WEBP", "quality": 95},
}


def to_rgb(canvas: np.ndarray) -> np.ndarray:
    """From float32 ``[C, H, W]`` in 0 … 1 to uint8 ``[H, W, 3]``."""
    scaled = canvas * 255
    pixels = np.rint(scaled, out=scaled).astype(np.uint8)
    return np.broadcast_to(pixels, (3, *canvas.shape[1:])).transpose(1, 2, 0).copy()


def write_picture(log: StrokeLog, path: Path, size: tuple[int, int]) -> None:
    """Write what the strokes leave, in the suffix' format."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(to_rgb(log.replay(size))).save(data, **_ENCODED[path.suffix.lower()])
    path.write_bytes(data.getvalue())
