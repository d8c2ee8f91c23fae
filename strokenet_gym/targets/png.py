"""PNG: what Pillow leaves of it. Colours of 16 bits, transparent greys, texts of any size."""

from __future__ import annotations

import os
import struct
import zlib
from typing import Any

import numpy as np

from strokenet_gym.files import check_memory
from strokenet_gym.interrupts import shielded

with shielded():
    import cv2

__all__ = ["SIGNATURE", "clear_grey", "deep_file", "deep_levels", "essential", "with_key"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = b"IHDR", b"PLTE", b"IDAT", b"IEND"
# What else is seen, and its size where that is fixed.
_SEEN = {b"tRNS": None, b"iCCP": None, b"eXIf": None, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
_BYTES = 20  # of memory for a pixel of 16 bits
_FEW = {"1": 255, "L;2": 85, "L;4": 17}  # between two greys of so few bits


def essential(data: bytes) -> bytes:
    """A PNG file without the chunks that are not seen, or damaged and not needed.

    Pillow reads no picture with a text of more than 64 MB, or with a wrong checksum anywhere.
    """
    parts, at = [SIGNATURE], len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        whole = zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big") == data[end - 4 : end]
        if kind in _NEEDED or (kind in _SEEN and whole and _SEEN[kind] in (None, length)):
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def deep_file(image: Any, name: str) -> bytes | None:
    """The file of a PNG that is not loaded yet and has colours, or grey and opacity, of 16 bits:
    Pillow takes 8. None of any other image; ValueError if it is too large.
    """
    if _raw_mode(image) not in ("RGB;16B", "RGBA;16B", "LA;16B"):
        return None
    check_memory(name, image.fp.seek(0, os.SEEK_END) + _BYTES * image.size[0] * image.size[1])
    image.fp.seek(0)
    return image.fp.read()


def deep_levels(data: bytes, image: Any) -> np.ndarray:
    """The levels uint16 ``[H, W, 2 … 4]`` of such a file, which Pillow has loaded, too."""
    levels: np.ndarray | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.shape[:2] != image.size[::-1] or levels.dtype != np.uint16:
        raise ValueError("its pixels are damaged")
    levels[:, :, [0, 2]] = levels[:, :, [2, 0]]  # from BGR
    numbers = len(image.getbands())
    levels = levels[:, :, ::3] if numbers == 2 else levels[:, :, :numbers]
    return with_key(levels, image.info.get("transparency"))


def with_key(levels: np.ndarray, key: Any) -> np.ndarray:
    """Levels uint16 ``[H, W, C]``, with opacity 0 where they have a transparent colour."""
    if key is None:
        return levels
    seen = (levels != np.array(key, np.uint16)).any(-1, keepdims=True)
    return np.concatenate([levels, seen * np.uint16(65535)], -1)


def clear_grey(image: Any) -> int | None:
    """The grey of 255 that is transparent, of an image of less than 8 bits that is not loaded."""
    key, step = image.info.get("transparency"), _FEW.get(_raw_mode(image) or image.mode)
    return key * step if isinstance(key, int) and step is not None else None


def _raw_mode(image: Any) -> str:
    """How the pixels of a PNG are stored, while they are not loaded."""
    tile = getattr(image, "tile", None)
    return str(tile[0][3]) if image.format == "PNG" and tile else ""
