"""The action vector: what its numbers mean, their bounds, packing and unpacking.

An action is a flat vector of ``C + 1 + 3 * 16`` numbers in [-1, 1], in the order
colour, radius, x1, y1, p1, …, x16, y16, p16, where C is 3 (RGB) or 1 (grey). No other module knows
this layout, and only :func:`is_tensor` tells tensors from arrays. Functions that take both keep the
type, and let gradients through.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "NUM_ANCHORS", "RADIUS_MAX", "RADIUS_MIN", "Stroke", "action_size", "check_action",
    "is_tensor", "pack", "split", "unpack",
]  # fmt: skip

NUM_ANCHORS = 16
RADIUS_MIN = 0.002
RADIUS_MAX = 0.125
MOST_PRESSURE = 100.0  # of strokes that paint: beyond it they would have endless stamps
_RADII = RADIUS_MIN, RADIUS_MAX  # the pencil's
_LOW, _HIGH = np.float32(-1), np.float32(1)


class Stroke(NamedTuple):
    """One stroke, or a batch of strokes, in physical units.

    Attributes:
        colour: ``[..., C]``, 0 … 1, intensity as stored in the image.
        radius: ``[...]``, canvas half-widths: 0.002 … 0.125, or the brush's own range.
        position: ``[..., 16, 2]``, x and y from -1 to 1; the centre is 0 and **y points up**.
        pressure: ``[..., 16]``, 0 … 1; 0 lifts the pen.
    """

    colour: Any
    radius: Any
    position: Any
    pressure: Any


def action_size(channels: int) -> int:
    """Number of components of an action: 50 for grey (``channels=1``), 52 for RGB (3)."""
    return channels + 1 + 3 * NUM_ANCHORS


def split(action: Any, channels: int) -> Stroke:
    """Views of the components of actions ``[..., channels + 49]``, or of gradients like them."""
    anchors = action[..., channels + 1 :].reshape(*action.shape[:-1], NUM_ANCHORS, 3)
    return Stroke(action[..., :channels], action[..., channels], anchors[..., :2], anchors[..., 2])


def is_tensor(value: Any) -> bool:
    """Whether a value is a torch tensor; does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


@np.errstate(under="ignore")
def unpack(action: Any, channels: int, radii: tuple[float, float] = _RADII) -> Stroke:
    """Turn normalised actions into strokes.

    Colour, position and pressure are mapped affinely, the radius on a log scale: equal steps widen
    any brush by the same factor, and 0 is a fine pen (0.0158 half-widths, one pixel at 128 px).

    Args:
        action: array or tensor ``[..., channels + 49]`` in [-1, 1].
        channels: 1 (grey) or 3 (RGB).
        radii: the smallest and the largest radius, the brush's ``radii``; by default the pencil's.

    Returns:
        Stroke: fields of the same type, with the same leading dimensions.

    Example:
        >>> import numpy as np
        >>> from strokenet_gym import unpack
        >>> stroke = unpack(np.zeros(50), channels=1)
        >>> float(stroke.colour[0]), round(float(stroke.radius), 4), stroke.position.shape
        (0.5, 0.0158, (16, 2))
    """
    part = split(action, channels)
    share = (action + 1) / 2  # of all, since one call takes less time than two
    low, high = radii
    return Stroke(
        colour=share[..., :channels],
        radius=math.sqrt(low * high) * (high / low) ** (part.radius / 2),
        position=part.position,
        pressure=share[..., channels + 3 :: 3],
    )


@np.errstate(under="ignore")
def pack(stroke: Stroke, radii: tuple[float, float] = _RADII) -> Any:
    """Turn strokes into normalised actions: the inverse of :func:`unpack`.

    Args:
        stroke: NumPy arrays or torch tensors, shapes as in :class:`Stroke`.
        radii: as in :func:`unpack`.

    Returns:
        The action ``[..., C + 49]``, of the same type; outside [-1, 1] where the stroke is out of
        range.
    """
    library: Any = sys.modules["torch"] if is_tensor(stroke.position) else np
    low, high = radii
    radius = library.log(stroke.radius / low) / math.log(high / low)
    anchors = library.concatenate([(stroke.position + 1) / 2, stroke.pressure[..., None]], -1)
    flat = anchors.reshape(*anchors.shape[:-2], 3 * NUM_ANCHORS)
    return 2 * library.concatenate([stroke.colour, radius[..., None], flat], -1) - 1


@np.errstate(under="ignore")
def part_way(stroke: Stroke, share: float) -> Stroke:
    """The stroke when the pen has come so far, 0 … 1: anchors ahead of it have no pressure.

    At the next anchor the pressure rises with the share, so that the picture grows smoothly.
    """
    reached = share * NUM_ANCHORS - np.arange(NUM_ANCHORS)
    return stroke._replace(pressure=stroke.pressure * np.clip(reached, 0, 1))


def fit_anchors(points: np.ndarray, *along: np.ndarray) -> list[np.ndarray]:
    """Anchors for a drawn path ``[N, 2]``: 16 points at equal distances along it, N >= 1.

    Returns:
        The anchors, float64 ``[16, 2]``, and the values there, ``[16]``, of each of ``along``
        (``[N]``), such as pressure or time.
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0], np.cumsum(steps)])
    where = np.linspace(0, length[-1], NUM_ANCHORS)
    x, y, *others = (np.interp(where, length, values) for values in (*np.transpose(points), *along))
    return [np.stack([x, y], 1), *others]


def check_action(action: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a NumPy action as float32, clipped to [-1, 1]: a policy's noise may overshoot.

    Raises:
        TypeError: if it does not hold real numbers.
        ValueError: if its shape is wrong or a component is NaN or infinite.
    """
    array = np.asarray(action)
    if array.dtype.kind not in "fi":
        raise TypeError(f"an action must hold real numbers in [-1, 1], got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"expected an action of shape {shape}, got {array.shape}")
    # For most the sum of squares first: a third of the time of looking at each.
    quick = array.dtype == np.float32 and math.isfinite(np.vdot(array, array))
    if not (quick or np.isfinite(array).all()):
        index = np.argwhere(~np.isfinite(array))[0]
        value = array[tuple(index)]
        raise ValueError(f"action has the value {value} at index {tuple(index.tolist())}")
    # Before the cast, since float64 goes beyond float32; a third of np.clip's time.
    array = np.minimum(np.maximum(array, _LOW), _HIGH)
    if array.dtype == np.float32:
        return array
    with np.errstate(under="ignore"):
        return array.astype(np.float32)
