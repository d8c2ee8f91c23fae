"""Pictures that are painted: from a file or an array to what the planner aims at."""

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

__all__ = [
    "contrasting",
    "find_colour",
    "load_motif",
    "load_picture",
    "load_weight",
    "named_colour",
    "resized",
    "shape_of",
]

_SHORTEST, _LONGEST = 16, 4096  # pixels of a side
_USUAL = 2048  # at most, if nobody says
_SLIMMEST = 64  # times as long as wide
_OPAQUE = 0.98  # on average: a picture with so little that is transparent has no ground to show
_ALIKE = 0.25  # of 1: in each channel, so that a colour is hardly seen on another
_HIDDEN = 0.2  # of what is opaque: so much may be as light as its ground


def load_motif(
    image: Any, canvas: Any, background: Any, style: Style, pens: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read what is painted, and on what.

    They are in RGB if one of them has colours, or the palette has; else in grey. Where the picture
    is transparent, it is laid on the background that somebody chose, or else on one that contrasts.

    Args:
        image: the picture, as :func:`strokenet_gym.targets.load_image` takes it.
        canvas: what lies below the strokes, likewise, or None for nothing.
        background: see :func:`find_colour`; None for the style's.
        style: in which it is painted.
        pens: whether the palette has colours.

    Returns:
        Float32 in 0 … 1: the picture ``[C, H, W]``, the background ``[C]``, and what is on the
        canvas ``[C, H, W]`` or None.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a URL, not a picture, or of the wrong shape, or no background.
    """
    picture, opacity = load_picture(image, style.grey and not pens)
    chosen = style.background if background is None else background
    colour = find_colour(chosen, picture, opacity)
    below = None if canvas is None else _load_canvas(canvas, opacity.shape, colour)
    channels = max(len(c) for c in (picture, colour, colour if below is None else below))
    if pens:
        channels = 3
    picture, colour = _in_channels(picture, channels), _in_channels(colour, channels)
    if opacity.min() < 1:
        behind = colour if background is not None else contrasting(picture, opacity)
        picture = _laid_on(picture, opacity, behind)
    return picture, colour, None if below is None else _in_channels(below, channels)


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


def _in_channels(colour: np.ndarray, channels: int) -> np.ndarray:
    """A colour ``[1 or C]``, or a picture ``[1 or C, H, W]``, in C channels."""
    return colour if len(colour) == channels else np.repeat(colour, channels, axis=0)


def _load_canvas(canvas: Any, shape: tuple[int, int], background: np.ndarray) -> np.ndarray:
    """Read what lies below the strokes.

    Args:
        canvas: a file or an array, as a picture.
        shape: height and width that it must have.
        background: ``[C]``, seen where it is transparent.

    Returns:
        Float32 ``[1 or 3, H, W]``: grey or RGB.

    Raises:
        ValueError: if it is not a picture, or of another shape.
    """
    found, opacity = load_picture(canvas, grey=False)
    if opacity.shape != shape:
        raise ValueError(
            f"the canvas must have the picture's shape, {shape[1]}x{shape[0]}, "
            f"got {opacity.shape[1]}x{opacity.shape[0]}"
        )
    channels = max(len(found), len(background))
    found = _laid_on(_in_channels(found, channels), opacity, _in_channels(background, channels))
    return _without_hue(found, 1)


def _without_hue(colour: np.ndarray, channels: int) -> np.ndarray:
    """A colour ``[3]``, or a picture ``[3, H, W]``, in so many channels if it is but grey."""
    return colour if (colour != colour[:1]).any() else colour[:channels]


def _laid_on(picture: np.ndarray, opacity: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A picture ``[C, H, W]`` with its opacity ``[H, W]`` on a ground, a colour ``[C]``."""
    return picture + (ground[:, None, None] - picture) * (1 - opacity)


def load_weight(weight: Any, shape: tuple[int, int]) -> np.ndarray:
    """Read a map of how much the error counts.

    Args:
        weight: a file or an array, as a picture; its brightness is the weight, and where it is
            transparent the error counts less, down to not at all.
        shape: height and width that it must have, up to a scale.

    Returns:
        Float32 ``[H, W]``, of mean 1.

    Raises:
        ValueError: if it is not a picture, all black or clear, or of another shape.
    """
    (found,), opacity = load_picture(weight, grey=True)
    found = found * opacity
    if abs(np.log(found.shape[0] * shape[1] / (found.shape[1] * shape[0]))) > 0.02:
        raise ValueError(
            f"the weight must have the picture's shape, {shape[1]}x{shape[0]}, "
            f"got {found.shape[1]}x{found.shape[0]}"
        )
    if not found.max() > 0:
        raise ValueError("the weight is 0 everywhere: somewhere the error must count")
    return found / found.mean()


def named_colour(text: str) -> np.ndarray:
    """A colour ``[3]`` in 0 … 1 by its name in CSS, or as #rrggbb.

    Raises:
        ValueError: if it is none, or not opaque.
    """
    rgb = ImageColor.getrgb(text)
    if len(rgb) != 3 or not all(0 <= level <= 255 for level in rgb):
        raise ValueError(f"a colour is a name or #rrggbb, got {text!r}")
    return np.array(rgb) / 255


def find_colour(background: Any, picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The colour of an empty canvas.

    Args:
        background: "mean" (of the picture; :func:`contrasting` if it has transparent parts),
            "#rrggbb", a name as in CSS, or one number in 0 … 1, or three, or one for each channel.
        picture: ``[C, H, W]``.
        opacity: its opacity, ``[H, W]``.

    Returns:
        Float32 ``[C]``, or ``[3]`` for a colour that is none of a grey picture's.

    Raises:
        ValueError: if it is none of these.
    """
    channels = len(picture)
    if isinstance(background, str):
        if background == "mean":
            if opacity.mean() < _OPAQUE:
                return contrasting(picture, opacity)
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
        return _without_hue(colour.astype(np.float32), channels)
    return np.broadcast_to(colour, channels).astype(np.float32)


def contrasting(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """A grey ``[C]`` on which a picture ``[C, H, W]`` with transparent parts can be seen.

    That is white, or black where white would hide more than a fifth of what is opaque, or a medium
    grey if black would, too.
    """
    total, hidden = max(float(opacity.sum(dtype=float)), 1e-9), {}
    for ground in (1.0, 0.0, 0.5):
        alike = (np.abs(picture - np.float32(ground)) < _ALIKE).all(0)
        hidden[ground] = float(opacity[alike].sum(dtype=float)) / total
        if hidden[ground] <= _HIDDEN:
            break
    return np.full(len(picture), min(hidden, key=hidden.__getitem__), np.float32)


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
