"""Pictures that are painted: from a file or an array to what the planner aims at.

By default they are float32 ``[C, H, W]`` in 0 … 1, with C = 1 or 3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import ImageColor

from strokenet_gym.checks import array_of, whole
from strokenet_gym.interrupts import shielded
from strokenet_gym.painter.styles import Style
from strokenet_gym.targets.images import LUMA, load_image, plane

with shielded():
    import cv2

__all__ = ["load_motif", "load_picture", "load_weight", "named_colour", "resized", "shape_of"]

_SHORTEST, _LONGEST = 16, 4096  # pixels of a side
_USUAL = 2048  # at most, by default
_SLIMMEST = 64  # times as long as wide
_OPAQUE = 0.98  # on average: a picture with so little that is transparent has no ground to show
_ALIKE = 0.25  # of 1: in each channel, so that a colour is hardly seen on another
_HIDDEN = 0.2  # of what is opaque: so much may be as light as its ground


def load_motif(
    image: Any, canvas: Any, background: Any, style: Style, pens: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read what is painted, and on what.

    They are in RGB if one of them has colours, or the palette has (``pens``); else in grey. A
    transparent picture is laid on the background if one is given, or else on one that contrasts.

    Returns:
        The picture, the background's colour ``[C]``, and the canvas, or None if there is none.
    """
    picture, opacity = load_picture(image, style.grey and not pens)
    chosen = style.background if background is None else background
    colour = _find_colour(chosen, picture, opacity)
    below = None
    if canvas is not None:
        below, clear = load_picture(canvas)
        _check_shape("canvas", clear.shape, opacity.shape, alike=clear.shape == opacity.shape)
        channels = max(len(below), len(colour))
        below, ground = _in_channels(below, channels), _in_channels(colour, channels)
        below = _without_hue(_laid_on(below, clear, ground), 1)
    channels = 3 if pens else max(len(c) for c in (picture, colour, below) if c is not None)
    picture, colour = _in_channels(picture, channels), _in_channels(colour, channels)
    if opacity.min() < 1:
        behind = colour if background is not None else _contrasting(picture, opacity)
        picture = _laid_on(picture, opacity, behind)
    return picture, colour, None if below is None else _in_channels(below, channels)


def load_picture(image: Any, grey: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Read a picture, in grey if it is wanted so.

    Args:
        image: as :func:`strokenet_gym.targets.load_image` takes it.
        grey: whether colours are turned to grey.

    Returns:
        The picture, and its opacity ``[H, W]``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, not a picture, or too slim.
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


def load_weight(weight: Any, shape: tuple[int, int]) -> np.ndarray:
    """Read how much the error counts, ``[H, W]`` of mean 1: a picture's brightness times its
    opacity, of the shape of the picture that is painted, up to a scale.

    Raises:
        ValueError: if it is not a picture, all black or clear, or of another shape.
    """
    (found,), opacity = load_picture(weight, grey=True)
    found = found * opacity
    (height, width), (rows, columns) = found.shape, shape
    alike = abs(np.log(height * columns / (width * rows))) <= 0.02
    _check_shape("weight", found.shape, shape, alike=alike)
    if not found.max() > 0:
        raise ValueError("the weight is 0 everywhere: somewhere the error must count")
    return found / found.mean()


def _check_shape(name: str, found: Any, wanted: Any, *, alike: bool) -> None:
    if not alike:
        raise ValueError(
            f"the {name} must have the picture's shape, {wanted[1]}x{wanted[0]}, "
            f"got {found[1]}x{found[0]}"
        )


def _in_channels(colour: np.ndarray, channels: int) -> np.ndarray:
    """A colour ``[1 or C]``, or a picture ``[1 or C, H, W]``, in C channels."""
    return colour if len(colour) == channels else np.repeat(colour, channels, axis=0)


def _without_hue(colour: np.ndarray, channels: int) -> np.ndarray:
    """A colour ``[3]``, or a picture ``[3, H, W]``, in so many channels if it is but grey."""
    return colour if (colour != colour[:1]).any() else colour[:channels]


def _laid_on(picture: np.ndarray, opacity: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A picture with its opacity ``[H, W]`` on a ground, a colour ``[C]``."""
    return picture + (ground[:, None, None] - picture) * (1 - opacity)


def named_colour(text: str) -> np.ndarray:
    """A colour ``[3]`` in 0 … 1 by its name in CSS, or as #rrggbb.

    Raises:
        ValueError: if it is none, or not opaque.
    """
    rgb = ImageColor.getrgb(text)
    if len(rgb) != 3 or not all(0 <= level <= 255 for level in rgb):
        raise ValueError(f"a colour is a name or #rrggbb, got {text!r}")
    return np.array(rgb) / 255


def _find_colour(background: Any, picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The colour of an empty canvas, ``[C]``, or ``[3]`` if a grey picture has not got it."""
    if isinstance(background, str):
        if background == "mean":
            if opacity.mean() < _OPAQUE:
                return _contrasting(picture, opacity)
            return np.array([np.average(c, weights=opacity) for c in picture], np.float32)
        try:
            background = named_colour(background)
        except ValueError:
            raise ValueError(
                f"background must be mean, #rrggbb or a colour's name, got {background!r}"
            ) from None
    colour = array_of(background, "background")
    numbers = colour.dtype.kind in "iuf" and colour.shape in ((), (1,), (3,))
    if not (numbers and ((colour >= 0) & (colour <= 1)).all()):
        raise ValueError(
            f"background must have 3 numbers in 0 … 1, or one for all, got {background!r}"
        )
    if colour.shape == (3,):
        return _without_hue(colour.astype(np.float32), len(picture))
    return np.broadcast_to(colour, len(picture)).astype(np.float32)


def _contrasting(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """A grey ``[C]`` on which a picture with transparent parts can be seen: white, or black where
    white would hide more than a fifth of what is opaque, or a medium grey if black would, too.
    """
    total, hidden = max(float(opacity.sum(dtype=float)), 1e-9), {}
    for ground in (1.0, 0.0, 0.5):
        alike = (np.abs(picture - np.float32(ground)) < _ALIKE).all(0)
        hidden[ground] = float(opacity[alike].sum(dtype=float)) / total
        if hidden[ground] <= _HIDDEN:
            break
    return np.full(len(picture), min(hidden, key=hidden.__getitem__), np.float32)


def shape_of(shape: tuple[int, int], size: int | None) -> tuple[int, int]:
    """Height and width at which a picture of a shape is painted.

    The size is the longer side, by default the picture's own, up to 2048. Both sides must have the
    16 … 4096 pixels of a canvas; by default they are made to.

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
    """A picture at another height and width, with anti-aliasing."""
    if picture.shape[1:] == shape:
        return picture
    method = cv2.INTER_AREA if shape[0] < picture.shape[1] else cv2.INTER_CUBIC
    channels = [cv2.resize(c, shape[::-1], interpolation=method) for c in picture]
    return np.stack(channels).clip(picture.min(), picture.max())
