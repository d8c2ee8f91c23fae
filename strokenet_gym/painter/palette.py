"""Palettes: strokes in a few colours, which are found with them or given."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.envs.arguments import whole
from strokenet_gym.targets.images import LUMA

__all__ = ["Palette"]

_ROUNDS = 20  # of k-means


class Palette:
    """A few colours, of which each stroke has one.

    Args:
        palette: how many colours, 1 … 256, or the colours ``[K, C]`` in 0 … 1 (of a grey
            picture also ``[K, 3]``).
        channels: C.

    Raises:
        ValueError: if it is neither.
    """

    def __init__(self, palette: Any, channels: int) -> None:
        given = np.asarray(palette)
        if given.dtype.kind not in "biuf":
            raise ValueError(f"a palette must be a number or colours, got {palette!r}")
        given = given.astype(float)
        self.given = given.ndim > 0
        self._colours = given
        self._own = np.zeros(0, int)  # which of them each stroke has
        if not self.given:
            self._count = whole(palette, "palette", 1, 256)
            return
        if channels == 1 and given.shape[1:] == (3,):
            self._colours = given = given @ np.array(LUMA)[:, None]
        if given.ndim != 2 or given.shape[1] != channels or not 1 <= len(given) <= 256:
            raise ValueError(
                f"a palette must be a number or 1 … 256 colours [K, {channels}], "
                f"got shape {given.shape}"
            )
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError("the colours of a palette must be in 0 … 1")

    def settle(self, wanted: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Give each stroke a colour.

        Colours that are to be found come from k-means at first, and then go each time to the middle
        of what their strokes would like; in between :meth:`moved` moves them down the gradient.

        Args:
            wanted: ``[N, C]``, the colours that the strokes would like.
            weight: ``[N]``, how much each counts.

        Returns:
            The nearest colours ``[N, C]``.
        """
        if len(wanted) == 0:
            return wanted
        if not self.given:
            rounds = 1
            if self._colours.ndim == 0:
                self._colours, rounds = _spread(wanted, weight, self._count), _ROUNDS
            for _ in range(rounds):
                self._colours = _centred(wanted, weight, self._colours)
        self._own = _nearest(wanted, self._colours)
        return self._colours[self._own]

    def shared(self, slope: np.ndarray) -> np.ndarray:
        """The derivative by the colours that strokes share, ``[N, C]``, from that by their own."""
        total = np.zeros_like(self._colours)
        if not self.given:
            np.add.at(total, self._own, slope)
        return total[self._own]

    def moved(self, colours: np.ndarray) -> np.ndarray:
        """The strokes' colours, ``[N, C]``, after each was moved: those of the palette move along,
        to the middle of their strokes', unless they are given.
        """
        if not self.given:
            count = np.bincount(self._own, minlength=len(self._colours))[:, None]
            total = np.zeros_like(self._colours)
            np.add.at(total, self._own, colours)
            self._colours = np.where(count > 0, total / np.maximum(count, 1), self._colours)
        return self._colours[self._own]


def _spread(wanted: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """Colours far from each other: each time the one that is worst served by those before."""
    centres = wanted[[np.argmax(weight)]]
    for _ in range(count - 1):
        distance = _squares(wanted, centres).min(1)
        centres = np.concatenate([centres, wanted[[np.argmax(distance * weight)]]])
    return centres


def _centred(wanted: np.ndarray, weight: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """One step of k-means: each centre in the middle of the colours next to it."""
    own, centres = _nearest(wanted, centres), centres.copy()
    for k in np.unique(own[weight > 0]):
        centres[k] = np.average(wanted[own == k], axis=0, weights=weight[own == k])
    return centres


def _nearest(wanted: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return _squares(wanted, centres).argmin(1)


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None] - b) ** 2).sum(-1)
