"""Pictures that are painted: from a file or an array to what the planner aims at."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from strokenet_gym.envs.arguments import whole
from strokenet_gym.targets.images import read_image

__all__ = [
    "LUMA",
    "find_colour",
    "load_canvas",
    "load_picture",
    "load_weight",
    "resized",
    "shape_of",
]

_SHORTEST, _LONGEST = 16, 4096  # pixels of a side
_USUAL = 2048  # at most, if nobody says
_SLIMMEST = 64  # times as long as wide
LUMA = 0.299, 0.587, 0.114  # of red, green and blue in grey
_COLOURS = {"white": 1.0, "black": 0.0}


def load_picture(image: Any, grey: bool) -> tuple[np.ndarray, np.ndarray]:
    """Read a picture and look whether it can be painted.

    Args:
        image: a file, or an array ``[H, W]``, ``[H, W, 1 … 4]`` or ``[1 or 3, H, W]``: grey, grey
            and opacity, RGB, or RGBA; uint8 or uint16, or float in 0 … 1.
        grey: whether it is wanted in grey.

    Returns:
        Float32 ``[C, H, W]`` in 0 … 1, C 1 or 3, and its opacity ``[H, W]``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, or not a picture.
    """
    from_file = isinstance(image, (str, os.PathLike))
    pixels: np.ndarray = _read(os.fspath(image)) if from_file else np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 2, 3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != 3 or pixels.size == 0 or pixels.shape[2] not in (1, 2, 3, 4):
        raise ValueError(
            "a picture must have the shape [H, W], [H, W, 1 … 4] or [1 or 3, H, W], "
            f"got {np.shape(image)}"
        )
    height, width = pixels.shape[:2]
    if max(height, width) > _SLIMMEST * min(height, width):
        raise ValueError(
            f"a picture may be {_SLIMMEST} times as long as wide, got {width}x{height}"
        )
    if pixels.dtype in (np.uint8, np.uint16):
        pixels = pixels / np.float32(np.iinfo(pixels.dtype).max)
    elif pixels.dtype.kind != "f":
        raise ValueError(f"a picture must be uint8, uint16 or float, got dtype {pixels.dtype}")
    elif not (pixels.min() >= 0 and pixels.max() <= 1):
        raise ValueError(
            f"a float picture must be in 0 … 1, got {pixels.min():g} … {pixels.max():g}"
        )
    colour: np.ndarray = pixels.astype(np.float32, copy=False)
    opacity = np.ones((height, width), np.float32)
    if colour.shape[2] in (2, 4):
        colour, opacity = colour[:, :, :-1], np.ascontiguousarray(colour[:, :, -1])
    if grey and colour.shape[2] == 3:
        colour = cv2.cvtColor(np.ascontiguousarray(colour), cv2.COLOR_RGB2GRAY)[:, :, None]
    return np.array(np.moveaxis(colour, -1, 0), order="C"), opacity


def _read(path: str) -> np.ndarray:
    """A file's pixels, with their opacity if it has any."""
    if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE):
        raise ValueError(f"URLs are not read: download the picture first, got {path}")
    pixels = read_image(path)  # turned as the camera says
    if Path(path).suffix.lower() in (".png", ".webp", ".tif", ".tiff"):
        whole_file = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if whole_file is not None and whole_file.shape[2:] == (4,):
            return cv2.cvtColor(whole_file, cv2.COLOR_BGRA2RGBA)
    return pixels


def load_canvas(canvas: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Read what lies below the strokes.

    Args:
        canvas: a file or an array, as a picture.
        shape: ``[C, H, W]`` that it must have.

    Returns:
        Float32 of that shape.

    Raises:
        ValueError: if it is not a picture, or of another shape.
    """
    found, _ = load_picture(canvas, grey=shape[0] == 1)
    if found.shape != shape:
        raise ValueError(f"the canvas must have the picture's shape {shape}, got {found.shape}")
    return found


def load_weight(weight: Any, shape: tuple[int, int]) -> np.ndarray:
    """Read a map of how much the error counts.

    Args:
        weight: a file or an array, as a picture; its brightness is the weight.
        shape: height and width that it must have, up to a scale.

    Returns:
        Float32 ``[H, W]``, of mean 1.

    Raises:
        ValueError: if it is not a picture, all black, or of another shape.
    """
    found = load_picture(weight, grey=True)[0][0]
    if abs(np.log(found.shape[0] * shape[1] / (found.shape[1] * shape[0]))) > 0.02:
        raise ValueError(
            f"the weight must have the picture's shape, {shape[1]}x{shape[0]}, "
            f"got {found.shape[1]}x{found.shape[0]}"
        )
    if not found.max() > 0:
        raise ValueError("the weight is 0 everywhere: somewhere the error must count")
    return found / found.mean()


def find_colour(background: Any, picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The colour of an empty canvas.

    Args:
        background: "mean" (of the picture), "white", "black", "#rrggbb", or one number in 0 … 1 or
            one for each channel.
        picture: ``[C, H, W]``.
        opacity: its opacity, ``[H, W]``.

    Returns:
        Float32 ``[C]``.

    Raises:
        ValueError: if it is none of these.
    """
    channels = len(picture)
    if isinstance(background, str):
        if background == "mean":
            weights = opacity if opacity.any() else np.ones_like(opacity)
            return np.array([np.average(c, weights=weights) for c in picture], np.float32)
        if background in _COLOURS:
            return np.full(channels, _COLOURS[background], np.float32)
        if not re.fullmatch("#[0-9a-fA-F]{6}", background):
            raise ValueError(
                f"background must be mean, white, black or #rrggbb, got {background!r}"
            )
        background = np.frombuffer(bytes.fromhex(background[1:]), np.uint8) / 255
        if channels == 1:
            background = background @ LUMA
    colour = np.asarray(background, np.float32)
    if colour.shape not in ((), (1,), (channels,)) or not ((colour >= 0) & (colour <= 1)).all():
        raise ValueError(f"background must have {channels} numbers in 0 … 1, got {background}")
    return np.broadcast_to(colour, channels).copy()


def shape_of(shape: tuple[int, int], size: int | None) -> tuple[int, int]:
    """Height and width in pixels at which a picture is painted.

    Args:
        shape: the picture's.
        size: the longer side; None: the picture's own, but at most 2048. Both sides must have
            16 … 4096 pixels then, as a canvas' have; by default they are made to.

    Raises:
        ValueError: if the size is out of its range.
    """
    longer, shorter = max(shape), min(shape)
    least = math.ceil(_SHORTEST * longer / shorter)
    if size is None:
        size = max(min(longer, _USUAL), least)
    size = whole(size, "size", least, _LONGEST)
    height, width = (max(_SHORTEST, round(side * size / longer)) for side in shape)
    return height, width


def resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture ``[C, H, W]`` at another height and width, with anti-aliasing."""
    if picture.shape[1:] == shape:
        return picture
    smaller = shape[0] < picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    channels = [cv2.resize(c, shape[::-1], interpolation=method) for c in picture]
    return np.stack(channels).clip(picture.min(), picture.max())
