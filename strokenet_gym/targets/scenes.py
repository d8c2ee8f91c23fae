"""Small landscapes in colour: endless, offline targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.checks import whole

__all__ = ["Scenes"]


class Scenes:
    """Landscapes: a sky, a sun, ranges of hills and some bushes, in random colours.

    Args:
        size: width and height of the images in pixels.
    """

    channels = 3

    def __init__(self, size: int = 64) -> None:
        self.size = whole(size, "size", 1, 4096)
        self._x, self._y = np.meshgrid(*[(np.arange(size) + 0.5) / size] * 2)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a random landscape, uint8 ``[size, size, 3]``."""
        x, y = self._x[..., None], self._y[..., None]
        above, below = _colour(rng, 0.4, 1.0), _colour(rng, 0.5, 1.0)
        image = above + (below - above) * y
        image = self._blob(image, rng, _colour(rng, 0.8, 1.0), (0.05, 0.45), (0.04, 0.12))
        ranges = rng.integers(1, 4)
        for k in range(ranges):
            line: Any = rng.uniform(0.35, 0.5) + 0.45 * k / ranges
            for wave in range(1, 4):
                swing, phase = rng.uniform(-0.08, 0.08) / wave, rng.uniform(0, 2 * np.pi)
                line = line + swing * np.sin(2 * np.pi * wave * x * rng.uniform(0.4, 1.0) + phase)
            hill = _colour(rng, 0.1, 0.8)
            shade = hill * (1 - 0.4 * (y - line).clip(0, 1))
            image = image + (shade - image) * self._edge(y - line)
        for _ in range(rng.integers(0, 6)):
            image = self._blob(image, rng, _colour(rng, 0.05, 0.6), (0.6, 0.95), (0.03, 0.09))
        return np.rint(image.clip(0, 1) * 255).astype(np.uint8)

    def _edge(self, inside: np.ndarray) -> np.ndarray:
        """How much of each pixel is inside, from the signed distance in widths of the image."""
        return (inside * self.size + 0.5).clip(0, 1)

    def _blob(
        self,
        image: np.ndarray,
        rng: np.random.Generator,
        colour: np.ndarray,
        height: tuple[float, float],
        radius: tuple[float, float],
    ) -> np.ndarray:
        """The image with an ellipse on it."""
        x, y, r = rng.uniform(0.05, 0.95), rng.uniform(*height), rng.uniform(*radius)
        flat = rng.uniform(0.7, 1.3)
        distance = np.hypot(self._x - x, (self._y - y) * flat)[..., None]
        return image + (colour - image) * self._edge(r - distance)


def _colour(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """A random colour of a brightness in this range."""
    return rng.uniform(low, high) * rng.uniform(0.3, 1.0, 3) ** 0.7
