"""Drawings as lines: kept as points, whatever the size in which they are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from strokenet_gym.interrupts import shielded

with shielded():
    import cv2

__all__ = ["MOST_POINTS", "UNIT", "as_points", "normalised", "simplified"]

MOST_POINTS = 2**14  # in a drawing; those of people have up to some thousands
_PIECE = 2**11  # points of a line that are simplified at once: the time grows with their square
UNIT = 2**13  # of a point's coordinate in a canvas' width: a sixteenth of a pixel at 512 px


def as_points(lines: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Lines as they are kept: int16 ``[K, 2]`` each, in units of :data:`UNIT`.

    Args:
        lines: ``[K, 2]`` each: x, y in 0 … 1 of the canvas, y down. A single point is a dot.

    Raises:
        ValueError: if there is none, they have more than 16,384 points, or a number is not finite
            or far from the canvas.
    """
    if not lines:
        raise ValueError("there are no lines")
    if (count := sum(map(len, lines))) > MOST_POINTS:
        raise ValueError(f"a drawing has at most {MOST_POINTS:,} points, this one {count:,}")
    points = []
    for line in lines:
        line = np.asarray(line, float)
        if line.ndim != 2 or line.shape[1] != 2 or len(line) == 0:
            raise ValueError(f"a line must have the shape [K, 2], got {line.shape}")
        if not (np.abs(line) < 3).all():  # nor NaN
            raise ValueError("a line must be near the canvas")
        points.append(np.rint(simplified(line * UNIT, 1.0)).astype(np.int16))
    return points


def simplified(line: np.ndarray, off: float) -> np.ndarray:
    """A line ``[K, 2]`` without those points in between that are on the way, or ``off`` beside it.

    Returns:
        float32 ``[L, 2]``, from the first point to the last.
    """
    line = np.asarray(line, np.float32)
    apart = np.flatnonzero((line != line[0]).any(1))
    if len(line) < 3 or len(apart) == 0:
        return line[:1] if len(apart) == 0 else line
    # OpenCV takes a line that ends where it begins for a ring, and leaves its end out.
    closed = apart[-1] + 1 < len(line)
    begins = range(0, max(1, apart[-1]), _PIECE)
    pieces = [line[: apart[-1] + 1][k : k + _PIECE + 1] for k in begins]
    pieces = [cv2.approxPolyDP(piece, off, False)[:, 0] for piece in pieces]
    kept = np.concatenate([*(piece[:-1] for piece in pieces[:-1]), pieces[-1]])
    return np.concatenate([kept, line[-1:]]) if closed else kept


def normalised(lines: Sequence[np.ndarray], share: float) -> Iterator[np.ndarray]:
    """Lines moved and scaled so that they are centred and their longer side is ``share``."""
    points = np.concatenate(lines)
    if not (np.abs(points) < 1e9).all():  # nor NaN
        raise ValueError("a line has a number that is not finite")
    low, high = points.min(0), points.max(0)
    extent = max(float((high - low).max()), 1e-9)
    for line in lines:
        yield (line - (low + high) / 2) * (share / extent) + 0.5
