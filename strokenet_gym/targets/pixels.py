"""The pixels of an image that Pillow has opened: in 8 bits, in sRGB, the right way up.

Pillow takes 8 of the 16 bits of a PNG's colours, and shows the wrong grey of few bits as clear.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from strokenet_gym.files import check_memory
from strokenet_gym.interrupts import shielded
from strokenet_gym.targets import tiff
from strokenet_gym.targets.colours import find_profile, from_lab, reduced, srgb_greys, to_srgb

with shielded():
    import cv2

__all__ = ["pixels_of"]

_BYTES = 20  # of memory for a pixel of 16 bits
_FEW = {"1": 255, "L;2": 85, "L;4": 17}  # between two greys of so few bits


def pixels_of(image: Any, name: str) -> np.ndarray:
    """A PIL image, or a page of a TIFF, in sRGB and turned as the camera says.

    Args:
        image: it, not loaded yet if all of its bits are wanted.
        name: of the file, for messages.

    Returns:
        uint8 ``[H, W]`` or ``[H, W, 2 … 4]``, with opacity where it has any.

    Raises:
        ValueError: if it is damaged, and whatever Pillow raises.
    """
    levels: np.ndarray | None
    if isinstance(image, tiff.Page):
        levels, icc = image.read(name)
        info, turn = {"icc_profile": icc}, image.first(tiff.TURN, 1)
    else:
        key, data, tile = image.info.get("transparency"), b"", getattr(image, "tile", None)
        raw = str(tile[0][3]) if image.format == "PNG" and tile else ""  # while it is not loaded
        if raw in ("RGB;16B", "RGBA;16B", "LA;16B"):
            needed = _BYTES * image.size[0] * image.size[1]
            check_memory(name, image.fp.seek(0, os.SEEK_END) + needed)
            image.fp.seek(0)
            data = image.fp.read()
        try:
            image.load()
        except Exception as error:
            # Of a TIFF whatever is wrong with what else it says: its tile is emptied before.
            if isinstance(error, OSError) or image.format != "TIFF" or image.tile:
                raise
        turn = _turn(image)
        if isinstance(key, int) and (step := _FEW.get(raw or image.mode)):
            image = image.copy()
            image.info["transparency"] = key * step
        levels = _deep_colours(data, image) if data else None
        if image.mode[0] in "IF":
            levels = _deep_grey(image)
        info = image.info
    if levels is None:
        pixels = _shallow(image, name)
    else:
        pixels = reduced(levels, find_profile(info, "L" if levels.shape[2] < 3 else "RGB", name))
    if pixels.shape[2] in (2, 4) and (pixels[:, :, -1] == 255).all():
        pixels = pixels[:, :, :-1]
    if turn in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    pixels = pixels[:: -1 if turn in (3, 4, 7, 8) else 1, :: -1 if turn in (2, 3, 6, 7) else 1]
    pixels = np.ascontiguousarray(pixels)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _turn(image: Any) -> int:
    """How the camera was held, a number from 1 to 8, see EXIF."""
    try:
        return image.getexif().get(tiff.TURN, 1)
    except Exception:  # a damaged block says nothing
        return 1


def _deep_colours(data: bytes, image: Any) -> np.ndarray:
    """The levels uint16 ``[H, W, 2 … 4]`` of a PNG's contents, which Pillow has loaded, too."""
    levels: np.ndarray | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.shape[:2] != image.size[::-1] or levels.dtype != np.uint16:
        raise ValueError("its pixels are damaged")
    levels[:, :, [0, 2]] = levels[:, :, [2, 0]]  # from BGR
    numbers = len(image.getbands())
    return _with_key(levels[:, :, ::3] if numbers == 2 else levels[:, :, :numbers], image)


def _deep_grey(image: Any) -> np.ndarray:
    """The levels uint16 ``[H, W, 1 or 2]`` of a PIL image in grey of more than 8 bits."""
    black, white = tiff.grey_range(image)
    values = np.asarray(image)
    if not ((values >= 0) & (values <= max(black, white))).all():  # nor NaN
        raise ValueError(f"its values are not from 0 to {max(black, white)}")
    if (black, white) != (0, 65535):
        scale = np.float32(65535 / (white - black))
        values = np.rint((values.astype(np.float32) - np.float32(black)) * scale)
    return _with_key(values.astype(np.uint16)[:, :, None], image)


def _with_key(levels: np.ndarray, image: Any) -> np.ndarray:
    """Levels with opacity, 0 where they have the image's transparent colour, if it has one."""
    key = image.info.get("transparency")
    if key is None:
        return levels
    seen = (levels != np.array(key, np.uint16)).any(-1, keepdims=True)
    return np.concatenate([levels, seen * np.uint16(65535)], -1)


def _shallow(image: Any, name: str) -> np.ndarray:
    """The pixels uint8 ``[H, W, 1 … 4]`` of a PIL image of 8 bits or less."""
    mode, transparent = image.mode, "transparency" in image.info
    if mode in ("1", "L", "LA", "La"):
        wanted = "LA" if transparent or "a" in mode.lower() else "L"
    elif mode == "CMYK":
        wanted = mode
    else:
        wanted = "RGBA" if transparent or mode in ("RGBA", "RGBa", "PA") else "RGB"
    if mode != wanted:
        image = from_lab(image) if mode == "LAB" else image.convert(wanted)
    if mode == "P" and wanted == "RGB" and not np.ptp(np.asarray(image), axis=2).any():
        image = image.getchannel(0)
    profile = find_profile(image.info, "L" if image.mode[0] == "L" else image.mode, name)
    if image.mode[0] == "L":
        pixels = np.asarray(image).reshape(*image.size[::-1], -1)
        greys = None if profile is None else srgb_greys(profile)
        if greys is not None:
            pixels = np.concatenate([greys[pixels[:, :, :1]], pixels[:, :, 1:]], 2)
        return pixels
    if profile is not None:
        image = to_srgb(image, profile)
    return np.asarray(image.convert("RGB") if image.mode == "CMYK" else image)
