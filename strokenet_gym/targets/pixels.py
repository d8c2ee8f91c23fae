"""The pixels of an image that Pillow has opened: in 8 bits, in sRGB, the right way up."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.targets import png, tiff
from strokenet_gym.targets.colours import find_profile, from_lab, reduced, srgb_greys, to_srgb

__all__ = ["pixels_of"]


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
        info, turn, clear = {"icc_profile": icc}, image.turn, None
    else:
        clear, data = png.clear_grey(image), png.deep_file(image, name)
        try:
            image.load()
        except Exception as error:
            # Of a TIFF whatever is wrong with what else it says: its tile is emptied before.
            if isinstance(error, OSError) or image.format != "TIFF" or image.tile:
                raise
        levels = None if data is None else png.deep_levels(data, image)
        if image.mode[0] in "IF":
            levels = _deep_grey(image)
        info, turn = image.info, _turn(image)
    if levels is None:
        pixels = _shallow(image, clear, name)
    else:
        profile = find_profile(info, "L" if levels.shape[2] < 3 else "RGB", name)
        pixels = reduced(levels, profile)
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
        return image.getexif().get(0x0112, 1)
    except Exception:  # a damaged block says nothing
        return 1


def _deep_grey(image: Any) -> np.ndarray:
    """The levels uint16 ``[H, W, 1 or 2]`` of a PIL image in grey of more than 8 bits."""
    black, white = tiff.grey_range(image)
    values = np.asarray(image)
    if not ((values >= 0) & (values <= max(black, white))).all():  # nor NaN
        raise ValueError(f"its values are not from 0 to {max(black, white)}")
    if (black, white) != (0, 65535):
        scale = np.float32(65535 / (white - black))
        values = np.rint((values.astype(np.float32) - np.float32(black)) * scale)
    return png.with_key(values.astype(np.uint16)[:, :, None], image.info.get("transparency"))


def _shallow(image: Any, clear: int | None, name: str) -> np.ndarray:
    """The pixels uint8 ``[H, W, 1 … 4]`` of an image of 8 bits or less, of which a grey is clear,
    if it is not as in ``info``.
    """
    mode, transparent = image.mode, clear is not None or "transparency" in image.info
    if clear is not None:
        image = image.copy()
        image.info["transparency"] = clear
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
