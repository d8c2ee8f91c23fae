"""Pictures that are painted: from a file or an array to what the planner aims at."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from PIL import ImageColor

from strokenet_gym.envs.arguments import whole
from strokenet_gym.targets.images import LUMA, load_image, plane

__all__ = [
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
_COLOURS = {"white": 1.0, "black": 0.0}


def load_picture(image: Any, grey: bool) -> tuple[np.ndarray, np.ndarray]:
    """Read a picture and look whether it can be painted.

    Args:
        image: as :func:`strokenet_gym.targets.load_image` takes it.
        grey: whether it is wanted in grey.

    Returns:
        Float32 ``[C, H, W]`` in 0 … 1, C 1 or 3, and its opacity ``[H, W]``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, or not a picture.
    """
    pixels = load_image(image)
    height, width, numbers = pixels.shape
    if max(height, width) > _SLIMMEST * min(height, width):
        raise ValueError(
            f"a picture may be {_SLIMMEST} times as long as wide, got {width}x{height}"
        )
    opaque = numbers in (1, 3)
    opacity = np.ones((height, width), np.float32) if opaque else plane(pixels, -1)
    colour = np.stack([plane(pixels, c) for c in range(3 if numbers > 2 else 1)])
    if grey and len(colour) == 3:
        colour = np.tensordot(np.array(LUMA, np.float32), colour, 1)[None]
    return colour, opacity


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
        background: "mean" (of the picture), "#rrggbb", a name as in CSS, or one number in 0 … 1 or
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
        try:
            background = np.array(ImageColor.getrgb(background)[:3]) / 255
        except ValueError:
            raise ValueError(
                f"background must be mean, #rrggbb or a colour's name, got {background!r}"
            ) from None
        if channels == 1:
            background = background @ LUMA
    colour = np.asarray(background)
    numbers = colour.dtype.kind in "iuf" and colour.shape in ((), (1,), (channels,))
    if not (numbers and ((colour >= 0) & (colour <= 1)).all()):
        raise ValueError(f"background must have {channels} numbers in 0 … 1, got {background!r}")
    return np.broadcast_to(colour, channels).astype(np.float32)


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
