"""New strokes: where the error is, along the picture's edges, and the best of many."""

from __future__ import annotations

import math

import numpy as np

from strokenet_gym.interrupts import shielded
from strokenet_gym.painter.parameters import extent_of, select, to_strokes
from strokenet_gym.painter.styles import Style
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

with shielded():
    import cv2

__all__ = ["near", "new_strokes"]

_EACH = 8  # candidates for each stroke that is wanted
_OVERLAPS = 0.3, 0.6, 1.0  # part of a new stroke that may lie on others; more if it must
_BLUR = 0.03  # of the error, half the shorter side
_GRID = 96  # pixels of the shorter side on which the overlap is looked at


def new_strokes(
    count: int,
    canvas: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    style: Style,
    thinnest: float,
    rng: np.random.Generator,
) -> Stroke:
    """Parameters of up to so many strokes, best first: those of many random ones that gain most.

    Each is looked at on the canvas as it is, float32 ``[C, H, W]`` as the target. The weight
    ``[H, W]`` is how much the error counts, ``thinnest`` the smallest radius that is drawn.
    """
    extent = extent_of(target)
    half = min(target.shape[1:]) / 2  # pixels of the unit
    error = ((canvas - target) ** 2).sum(0) * weight
    blurred = cv2.GaussianBlur(error, (0, 0), _BLUR * half).ravel().astype(float)
    total = _EACH * max(count, 0) if blurred.sum() > 0 else 0
    pixel = (
        rng.choice(len(blurred), total, p=blurred / blurred.sum()) if total else np.zeros(0, int)
    )
    row, column = np.divmod(pixel, target.shape[2])
    right, down = np.stack([column, row]) + rng.uniform(0, 1, (2, total))
    centre = np.stack([right / half - extent[0], extent[1] - down / half], 1)
    if style.angle is None:
        angle = _directions(target)[row, column] + rng.normal(0, 0.2, total)
    else:
        angle = np.radians(style.angle) + rng.normal(0, 0.1, total)
    middle = float(np.mean(style.pressure))
    pressure = np.full((total, NUM_ANCHORS), middle)
    low, high = style.brush.radii
    low = min(max(low, thinnest / middle**style.brush.pressure_size), high)
    radius = _log_uniform(rng, (low, high), total)
    length = np.exp(_log_uniform(rng, style.length, total) + radius)
    along = np.stack([np.cos(angle), np.sin(angle)], 1) * length[:, None] / 2
    position = centre[:, None] + np.linspace(-1, 1, NUM_ANCHORS)[:, None] * along[:, None]
    lines = Stroke(np.zeros((total, len(target))), radius, position, pressure)
    strokes = to_strokes(lines, extent)
    colours, gains = style.brush.best_colours(canvas, target, strokes, "draft")
    lines = lines._replace(colour=colours.clip(*style.tones))
    gains *= near(position, weight, extent)
    return select(lines, _apart(lines, gains, extent, count))


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float], count: int) -> np.ndarray:
    """Logarithms of random numbers, uniform between those of the limits."""
    low, high = limits
    return rng.uniform(math.log(low), math.log(high), count)


def near(position: np.ndarray, values: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Mean of a map ``[H, W]`` under the anchors of each stroke."""
    shape = np.array(values.shape)[::-1]
    pixel = ((position * [1, -1] + extent) / (2 * extent) * shape).astype(int)
    x, y = np.moveaxis(pixel.clip(0, shape - 1), -1, 0)
    return values[y, x].mean(1)


def _directions(target: np.ndarray) -> np.ndarray:
    """Angle of the edge at each pixel ``[H, W]``, y upwards: of the structure tensor."""
    x, y = (
        np.stack([cv2.Sobel(channel, cv2.CV_32F, *order) for channel in target])
        for order in ((1, 0), (0, 1))
    )
    sigma = 0.02 * min(target.shape[1:]) / 2 + 1
    xx, xy, yy = (
        cv2.GaussianBlur(product.sum(0), (0, 0), sigma) for product in (x * x, -x * y, y * y)
    )
    return np.arctan2(2 * xy, xx - yy) / 2 + np.pi / 2


def _apart(lines: Stroke, gains: np.ndarray, extent: np.ndarray, count: int) -> np.ndarray:
    """Indices of the strokes that gain most and do not lie on each other, best first."""
    scale = _GRID / 2
    taken = np.zeros(np.ceil(2 * extent[::-1] * scale).astype(int), np.uint8)
    pixels = np.rint((lines.position * [1, -1] + extent) * scale * 16 - 8).astype(np.int32)
    order = [k for k in np.argsort(-gains, kind="stable") if gains[k] > 0]
    chosen: list[int] = []
    used = np.zeros(len(gains), bool)
    for overlap in _OVERLAPS:
        for k in order:
            if len(chosen) == count:
                break
            if used[k]:
                continue
            mask, thick = np.zeros_like(taken), max(1, round(2 * scale * np.exp(lines.radius[k])))
            cv2.polylines(mask, [pixels[k]], False, 1, thick, shift=4)
            covered = cv2.countNonZero(mask)
            if cv2.countNonZero(cv2.bitwise_and(mask, taken)) <= overlap * covered:
                taken |= mask
                used[k] = True
                chosen.append(int(k))
    return np.array(chosen, int)
