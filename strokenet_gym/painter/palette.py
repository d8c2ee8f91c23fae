"""Palettes: strokes in a few colours, which are found with them or given."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.envs.arguments import whole
from strokenet_gym.painter.picture import LUMA
from strokenet_gym.stroke import Stroke

__all__ = ["Palette"]

_ROUNDS = 20  # of k-means


class Palette:
    """A few colours; strokes take the nearest to the colour that they would like.

    The optimiser moves what they would like by the gradient of what they take (a straight-through
    estimate), so that a stroke changes to another colour when it is pulled far enough.

    Args:
        palette: how many colours, 1 … 256, or the colours ``[K, C]`` in 0 … 1 (of a grey
            picture also ``[K, 3]``).
        channels: C.

    Raises:
        ValueError: if it is neither.
    """

    def __init__(self, palette: Any, channels: int) -> None:
        given = np.asarray(palette, float)
        self._found = given.ndim == 0
        if self._found:
            self.colours = np.zeros((whole(palette, "palette", 1, 256), channels))
            return
        if channels == 1 and given.shape[1:] == (3,):
            given = given @ np.array(LUMA)[:, None]
        if given.ndim != 2 or given.shape[1] != channels or not 1 <= len(given) <= 256:
            raise ValueError(
                f"a palette must be a number or colours [K, {channels}], got shape {given.shape}"
            )
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError("the colours of a palette must be in 0 … 1")
        self.colours = given

    def fit(self, parameters: Stroke) -> None:
        """Find the colours, unless they were given: k-means, in which large strokes count more."""
        wanted, count = parameters.colour, len(self.colours)
        if not self._found or len(wanted) == 0:
            return
        steps = np.linalg.norm(np.diff(parameters.position, axis=1), axis=2).sum(1)
        radius = np.exp(parameters.radius)
        weight = radius * (steps + radius)
        centres = wanted[:1]
        for _ in range(count - 1):  # the farthest one, each time
            distance = _squares(wanted, centres).min(1)
            centres = np.concatenate([centres, wanted[[np.argmax(distance * weight)]]])
        for _ in range(_ROUNDS):
            own = _squares(wanted, centres).argmin(1)
            for k in np.unique(own):
                mine = own == k
                centres[k] = np.average(wanted[mine], axis=0, weights=weight[mine])
        self.colours = centres

    def nearest(self, colour: np.ndarray) -> np.ndarray:
        """The colours that strokes take which would like these, ``[N, C]``."""
        return self.colours[_squares(colour, self.colours).argmin(1)]


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None] - b) ** 2).sum(-1)
