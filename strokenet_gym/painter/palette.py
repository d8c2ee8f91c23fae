"""Palettes: strokes in a few colours, which are found with them or given."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.checks import array_of, whole
from strokenet_gym.targets.images import LUMA

__all__ = ["Palette", "has_colours"]

_RUNS, _ROUNDS = 10, 20  # of k-means, at most


class Palette:
    """A few colours, of which each stroke has one.

    Args:
        palette: how many colours, 1 … 256, or the colours ``[K, C]`` in 0 … 1 (of a grey
            picture also ``[K, 3]``).
        channels: C.

    Attributes:
        given: whether its colours are not to be found, nor moved.
        colours: ``[K, C]``; none until they are found.

    Raises:
        ValueError: if it is neither.
    """

    def __init__(self, palette: Any, channels: int) -> None:
        given = array_of(palette, "a palette")
        if given.dtype.kind not in "biuf":
            raise ValueError(f"a palette must be a number or colours, got {palette!r}")
        given = given.astype(float)
        self.given = given.ndim > 0
        self.colours = given if self.given else np.zeros((0, channels))
        self._own = np.zeros(0, int)  # which of them each stroke has
        if not self.given:
            self._count = whole(palette, "palette", 1, 256)
            return
        if channels == 1 and given.shape[1:] == (3,):
            self.colours = given = given @ np.array(LUMA)[:, None]
        if given.ndim != 2 or given.shape[1] != channels or not 1 <= len(given) <= 256:
            raise ValueError(
                f"a palette must be a number or 1 … 256 colours [K, {channels}], "
                f"got shape {given.shape}"
            )
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError("the colours of a palette must be in 0 … 1")

    def find(self, colours: np.ndarray, weight: np.ndarray) -> None:
        """Find the palette's colours: the best of several runs of k-means.

        From then on :meth:`moved` moves them down the gradient.

        Args:
            colours: ``[N, C]``, of the strokes as they are.
            weight: ``[N]``, how much each counts, more than 0.
        """
        found = []
        for run in range(_RUNS):
            first = weight * np.random.default_rng(run).random(len(weight)) if run else weight
            centres = _centred(colours, weight, _spread(colours, first, self._count))
            found.append((_squares(colours, centres).min(1) @ weight, centres))
        self.colours = min(found, key=lambda pair: pair[0])[1]

    def give(self, own: np.ndarray) -> np.ndarray:
        """The colours ``[N, C]`` of strokes that are to have these of the palette, ``[N]``."""
        self._own = own
        return self.colours[own]

    def shared(self, slope: np.ndarray) -> np.ndarray:
        """The derivative by the colours that strokes share, ``[N, C]``, from that by their own."""
        total = np.zeros_like(self.colours)
        if not self.given:
            np.add.at(total, self._own, slope)
        return total[self._own]

    def moved(self, colours: np.ndarray) -> np.ndarray:
        """The strokes' colours, ``[N, C]``, after each was moved: those of the palette move along,
        to the middle of their strokes', unless they are given.
        """
        if not self.given:
            count = np.bincount(self._own, minlength=len(self.colours))[:, None]
            total = np.zeros_like(self.colours)
            np.add.at(total, self._own, colours)
            self.colours = np.where(count > 0, total / np.maximum(count, 1), self.colours)
        return self.colours[self._own]


def has_colours(palette: Any) -> bool:
    """Whether a palette, as :class:`Palette` takes it, has a colour that is not grey."""
    given = array_of(palette, "a palette")
    return given.shape[1:] == (3,) and bool((given != given[:, :1]).any())


def _spread(colours: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """Colours far from each other: each time the one that is worst served by those before."""
    chosen, distance = [int(np.argmax(weight))], np.full(len(colours), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, _squares(colours, colours[chosen[-1:]])[:, 0])
        chosen.append(int(np.argmax(distance * weight)))
    return colours[chosen]


def _centred(colours: np.ndarray, weight: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """K-means: each centre in the middle of the colours next to it."""
    own = np.zeros(0, int)
    for _ in range(_ROUNDS):
        before, own = own, _squares(colours, centres).argmin(1)
        if np.array_equal(own, before):
            break
        centres = centres.copy()
        for k in np.unique(own):
            centres[k] = np.average(colours[own == k], axis=0, weights=weight[own == k])
    return centres


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None] - b) ** 2).sum(-1)
