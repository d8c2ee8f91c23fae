"""What planners of pictures ask of a brush, in closed form.

planning_raster.py has the formulas.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.checks import strokes
from strokenet_gym.kernels import threads
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import (
    GRAIN,
    Accuracy,
    Numbers,
)
from strokenet_gym.programs.stamped.planning_raster import (
    find_best_colours,
    find_removal_costs,
    recolour,
)
from strokenet_gym.programs.stamped.sequence import Chunk, beneath, new_scratch
from strokenet_gym.stroke import Stroke

__all__ = ["best_colours", "choose_colours", "removal_costs"]

_TIE = 1e-4  # squared pixels of a stroke; one of fewer takes the colour that is nearest to its own


def best_colours(
    canvas: np.ndarray, target: np.ndarray, stroke: Stroke, brush: Numbers, accuracy: Accuracy
) -> tuple[np.ndarray, np.ndarray]:
    """The best colour of each of many candidates for one stroke, and what it gains.

    Args:
        canvas: float32 ``[C, H, W]``, contiguous.
        target: the same shape and type.
        stroke: a batch of K candidates; their colour is not used.
        brush: its numbers.
        accuracy: how finely paths are sampled.

    Returns:
        Colours ``[K, C]`` in 0 … 1, and gains ``[K]``: by how much the sum of the squared errors
        would fall.
    """
    _, radius, position, pressure = strokes(stroke, (None,), None)
    shape, dtype = canvas.shape[1:], canvas.dtype
    colours, gains = np.zeros((len(radius), len(canvas))), np.zeros(len(radius))
    ground = paper(shape, brush[GRAIN])
    numbers = ground, position, pressure, radius, brush, tuple(accuracy)

    def work(start: int, stop: int) -> None:
        scratch = new_scratch(shape, dtype)
        inputs: Any = colours, gains, canvas, target, *numbers, *scratch
        while start < stop:
            part: Any = start, stop
            start = find_best_colours(*inputs, *part)
            threads.check()

    threads.run(work, len(radius))
    return colours, gains


def removal_costs(
    painted: np.ndarray, target: np.ndarray, kept: list[list[Chunk]], colour: Any, brush: Numbers
) -> np.ndarray:
    """What leaving out each stroke of a sequence would cost, exactly.

    Args:
        painted: ``[C, H, W]``, the canvas with all of them.
        target: the same shape and type.
        kept: what :func:`strokenet_gym.programs.stamped.sequence.composite` kept of this canvas.
        colour: ``[N, C]``, of the strokes.
        brush: its numbers.

    Returns:
        float64 ``[N]``: by how much the sum of the squared errors would rise; less than 0 where the
        picture would be better without.
    """
    colour = np.ascontiguousarray(colour, np.float64)
    costs, share = np.zeros(len(colour)), np.ones_like(painted)
    for chunk in (chunk for band in kept for chunk in reversed(band)):
        ink = beneath(chunk, colour, brush), chunk.alphas, chunk.spans, chunk.ends
        part = chunk.begin, chunk.stop
        find_removal_costs(costs, share, painted, target, *ink, colour, brush, *part)
    return costs


def choose_colours(
    painted: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    kept: list[list[Chunk]],
    colour: np.ndarray,
    palette: np.ndarray,
    brush: Numbers,
) -> np.ndarray:
    """The best colour of a palette for each stroke of a sequence, from the last to the first.

    Each is exact, given the colours that the strokes above have got and those that the ones below
    had: one sweep of coordinate descent.

    Args:
        painted: see :func:`removal_costs`.
        target: see there.
        weight: ``[H, W]`` of the same type, what the squared error counts.
        kept: see there.
        colour: ``[N, C]``, of the strokes.
        palette: ``[K, C]``.
        brush: see there.

    Returns:
        Indices ``[N]`` into the palette.
    """
    colour, palette = (np.ascontiguousarray(field, np.float64) for field in (colour, palette))
    own = np.zeros(len(colour), int)
    share, error = np.ones_like(painted), painted - target
    waiting: list[list[Chunk]] = [list(band) for band in kept]
    inks: list[Any] = [None] * len(kept)  # of each band's chunk
    nothing = np.empty(0)
    for k in reversed(range(len(colour))):
        for band, chunks in enumerate(waiting):
            if chunks and chunks[-1].stop == k + 1:
                chunk = chunks.pop()
                below = beneath(chunk, colour, brush)
                inks[band] = below, chunk.alphas, chunk.spans, chunk.ends, brush
        parts = [ink for ink in inks if ink[3][k, 0] < ink[3][k + 1, 0]]
        sums = np.zeros((len(painted), 2))
        for ink in parts:
            recolour(sums, share, error, weight, *ink, k, nothing, nothing)
        change = palette - colour[k]
        own[k] = (change * (2 * sums[:, 0] + change * (sums[:, 1] + _TIE))).sum(1).argmin()
        for ink in parts:
            recolour(sums, share, error, weight, *ink, k, palette[own[k]], change[own[k]])
    return own
