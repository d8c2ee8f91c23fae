"""Pictures of a stroke log: PNG, JPEG and WebP."""

from __future__ import annotations

import functools
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.stroke_log import StrokeLog

__all__ = ["encode", "to_rgb", "write_picture"]

_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95}
_ENCODED: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 4},
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": {"format": "WEBP", "quality": 95},
}


@np.errstate(under="ignore")
def to_rgb(canvas: np.ndarray) -> np.ndarray:
    """From float32 ``[C, H, W]`` in 0 … 1 to uint8 ``[H, W, 3]``."""
    scaled = canvas * 255
    pixels = np.rint(scaled, out=scaled).astype(np.uint8)
    return np.broadcast_to(pixels, (3, *canvas.shape[1:])).transpose(1, 2, 0).copy()


def encode(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    """The file of a picture, with a tag or profile that its colours are sRGB.

    Args:
        pixels: uint8 ``[H, W]`` or ``[H, W, 3]``.
        suffix: of the format: ``.png``, ``.jpg``, ``.jpeg`` or ``.webp``.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    data, chunks = io.BytesIO(), PngInfo()
    chunks.add(b"sRGB", b"\0")
    tag = {"pnginfo": chunks} if suffix == ".png" else {"icc_profile": _srgb()}
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, **_ENCODED[suffix], **tag)
    return data.getvalue()


@functools.cache
def _srgb() -> bytes:
    """LittleCMS' profile of sRGB, with a constant date."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def write_picture(log: StrokeLog, path: Path, size: tuple[int, int]) -> None:
    """Write the painted canvas in the suffix' format."""
    path.write_bytes(encode(to_rgb(log.replay(size)), path.suffix.lower()))
