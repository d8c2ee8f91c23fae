"""Strokes of strokes: targets that the program itself painted, endless and offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.programs import load_program
from strokenet_gym.programs.three_body import draw_samples, strokes_from
from strokenet_gym.stroke import RADIUS_MAX, Stroke
from strokenet_gym.targets.fitting import fit_images

__all__ = ["PaintedStrokes"]


class PaintedStrokes:
    """Random strokes of the pencil in light colours, on black: a perfect copy is possible.

    They follow three-body motion, and their radius is at least 0.02 half-widths.

    Args:
        size: width and height of the images in pixels.
        count: strokes in an image.
    """

    channels = 3

    def __init__(self, size: int = 64, count: int = 8) -> None:
        self.size = whole(size, "size", 1, 4096)
        self.count = whole(count, "count", 1, 1000)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Paint random strokes, float32 ``[size, size, 3]`` in 0 … 1."""
        return self._paint([rng])[0].transpose(1, 2, 0)

    def strokes(self, rngs: Sequence[np.random.Generator]) -> Stroke:
        """The strokes of an image for each generator, ``[N, count, …]``."""
        sizes = self.count, self.channels, (0.02, RADIUS_MAX)
        samples = [draw_samples(rng, *sizes) for rng in rngs]
        drawn = strokes_from(*map(np.concatenate, zip(*samples, strict=True)))
        drawn = drawn._replace(colour=0.25 + 0.75 * drawn.colour)
        return Stroke(*(f.reshape(len(rngs), self.count, *f.shape[1:]) for f in drawn))

    def sample_fitted(
        self, rngs: Sequence[np.random.Generator], size: Size, channels: int, background: np.ndarray
    ) -> np.ndarray:
        """An image for each generator, see :class:`strokenet_gym.targets.Targets`."""
        if sides(size) != (self.size, self.size) or channels != self.channels:
            return fit_images(map(self.sample, rngs), size, channels, background)
        return self._paint(rngs)

    def _paint(self, rngs: Sequence[np.random.Generator]) -> np.ndarray:
        """An image for each generator, ``[N, 3, size, size]``."""
        pencil = load_program("pencil")
        black = np.zeros((len(rngs), self.channels, self.size, self.size), np.float32)
        return pencil.paint_sequence(black, self.strokes(rngs), np.zeros(self.channels, np.float32))
