"""When strokes come and at which size they are planned: from few on a small canvas to all."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

from strokenet_gym.painter.styles import Style

__all__ = ["Clock", "Stage", "plan_stages"]

_STAGES = 8  # in which strokes are added, on a canvas of half the size
_ALL = 6  # the stage from which on there are all
_GROWTH = 1.5  # exponent of their number until then
_PIXELS = 16.0  # of the shorter side of the planned picture, times the root of the strokes
_LEAST = 192  # of the same


class Stage(NamedTuple):
    """A time in which a number of strokes is optimised together.

    Attributes:
        shape: height and width of the canvas in pixels.
        strokes: how many there are to be.
        steps: of the optimiser.
        rates: share of the full learning rate at the beginning, and at the end.
        accuracy: of the program, "draft" or "exact".
        renew: whether the weakest strokes go and new ones come first.
    """

    shape: tuple[int, int]
    strokes: int
    steps: int
    rates: tuple[float, float]
    accuracy: str = "draft"
    renew: bool = True


def plan_stages(strokes: int, style: Style, shape: tuple[int, int]) -> list[Stage]:
    """The stages of a picture.

    Args:
        strokes: how many it is to have.
        style: how long they are sought.
        shape: height and width of the finished picture; it is planned at that size or at a smaller
            one that suits the number of strokes.
    """
    scale = min(1.0, max(_LEAST, _PIXELS * math.sqrt(strokes)) / min(shape))
    full, half = (_scaled(shape, scale), _scaled(shape, scale / 2))
    counts = [round(strokes * min(1, k / _ALL) ** _GROWTH) for k in range(1, _STAGES + 1)]
    return [
        *(Stage(half, max(1, count), style.iterations, (1.0, 0.6)) for count in counts),
        Stage(full, strokes, style.iterations, (1.0, 0.6)),
        Stage(full, strokes, style.finish, (0.6, 0.03), renew=False),
    ]


def _scaled(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    height, width = (max(1, round(side * scale)) for side in shape)
    return height, width


class Clock:
    """Tells the learning rate of each step: by their number, or by the time that is left.

    Args:
        stages: what lies ahead.
        seconds: for all of it; None: as many steps as the stages say.
    """

    def __init__(self, stages: list[Stage], seconds: float | None) -> None:
        self._seconds = seconds
        self._begun = time.monotonic()
        work = [s.steps * s.shape[0] * s.shape[1] * math.sqrt(s.strokes) for s in stages]
        self._ends = [sum(work[: k + 1]) / sum(work) for k in range(len(work))]

    def rates(self, stage: Stage, number: int) -> Iterator[float]:
        """The rates of one stage's steps, of which there is at least one."""
        first, last = stage.rates
        begun, steps, share = self._passed(), 0, 0.0
        while share < 1:
            yield last + (first - last) * (1 + math.cos(math.pi * share)) / 2
            steps += 1
            share = steps / stage.steps
            if self._seconds is not None:
                left = self._ends[number] - begun
                share = (self._passed() - begun) / left if left > 0 else 1.0

    def _passed(self) -> float:
        return (time.monotonic() - self._begun) / (self._seconds or 1.0)
