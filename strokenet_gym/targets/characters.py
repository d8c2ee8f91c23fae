"""Characters that look like kanji: endless, offline targets of many strokes.

A character is one to four parts side by side, above each other or around each other, as in real
ones; a part is a few brush strokes on a grid of 0 … 8. The parts are simple shapes of our own
(a box, a cross, a roof, ...); what they spell means nothing.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.interrupts import shielded

with shielded():
    import cv2

__all__ = ["Characters"]

# Strokes as corner points "xy" on the grid, y down; strokes are divided by a blank.
_PARTS = (
    "0484",
    "1272 0686",
    "0181 1474 0787",
    "0484 4048",
    "1474 4048 0888",
    "0080 1474 0888 4008 4048",
    "1017 107077 1777",
    "1018 108088 1484 1888",
    "0008 008088 0484 4048 0888",
    "0383 4048 4317 4377",
    "4008 4488",
    "0383 4038 3508 4388",
    "2017 2083 1484",
    "1021 0314 0805",
    "1008 108088 2464",
    "4041 0203 028284",
    "0080 4048 1575 0888",
    "2008 6088 0444 4484",
    "0181 2037 5147 0585 4548",
    "4008 4088 2464 4448",
)
# Where the parts of a character stand: left, top, right, bottom in 0 … 1.
_LAYOUTS = (
    ((0.10, 0.10, 0.90, 0.90),),
    ((0.06, 0.08, 0.42, 0.92), (0.50, 0.08, 0.94, 0.92)),
    ((0.12, 0.06, 0.88, 0.42), (0.10, 0.52, 0.90, 0.94)),
    ((0.06, 0.08, 0.38, 0.92), (0.47, 0.06, 0.94, 0.44), (0.47, 0.54, 0.94, 0.94)),
    ((0.14, 0.05, 0.86, 0.36), (0.06, 0.46, 0.47, 0.94), (0.54, 0.46, 0.94, 0.94)),
)
_FINER = 4  # times as large as the image that strokes are drawn
_SHIFT = 4  # binary digits of a pixel that cv2 gets
_STROKES = 5, 16  # at least and at most


class Characters:
    """White characters on black, of 5 to 16 straight or bent strokes.

    Args:
        size: width and height of the images in pixels.
    """

    channels = 1

    def __init__(self, size: int = 64) -> None:
        self.size = whole(size, "size", 1, 4096)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a random character, uint8 ``[size, size]``."""
        strokes = self._strokes(rng)
        side = self.size * _FINER
        image = np.zeros((side, side), np.uint8)
        width = max(1, round(side * rng.uniform(0.02, 0.035)))
        for points in strokes:
            pixels = np.rint(points * side * 2**_SHIFT).astype(np.int32)
            cv2.polylines(image, [pixels[:, None]], False, 255, width, cv2.LINE_8, _SHIFT)
        return cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def _strokes(self, rng: np.random.Generator) -> list[np.ndarray]:
        """The strokes' corners, ``[n, 2]`` in 0 … 1."""
        while True:
            boxes = _LAYOUTS[rng.integers(len(_LAYOUTS))]
            parts = [_PARTS[k].split() for k in rng.integers(len(_PARTS), size=len(boxes))]
            if _STROKES[0] <= sum(map(len, parts)) <= _STROKES[1]:
                break
        slant = rng.uniform(-0.08, 0.08)
        strokes = []
        for (left, top, right, bottom), part in zip(boxes, parts, strict=True):
            low, high = np.array([left, top]), np.array([right, bottom])
            for corners in part:
                grid = np.array([int(digit) for digit in corners]).reshape(-1, 2) / 8
                points = low + (high - low) * grid + rng.normal(0, 0.012, grid.shape)
                points[:, 1] -= slant * (points[:, 0] - 0.5)
                strokes.append(points)
        return strokes
