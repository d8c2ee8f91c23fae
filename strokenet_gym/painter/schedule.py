"""When strokes come and at which size they are planned: from few on a small canvas to all."""

from __future__ import annotations

import itertools
import math
import time
from typing import NamedTuple

from strokenet_gym.files import check_memory
from strokenet_gym.painter.styles import Style

__all__ = ["Clock", "Stage", "plan_stages"]

_STAGES = 8  # in which strokes are added, on a canvas of half the size
_ALL = 6  # the stage from which on there are all
_GROWTH = 1.5  # exponent of their number until then
_PIXELS = 16.0  # of the shorter side of the planned picture, times the root of the strokes,
_LEAST = 256  # and at least
_INK = 0.13  # bytes that a stroke keeps for its gradient, for a pixel of the canvas
_EFFORT = 0.4, 2.0  # times a style's steps, at least and at most


class Stage(NamedTuple):
    """A time in which a number of strokes is optimised together.

    Attributes:
        shape: height and width of the canvas in pixels.
        strokes: how many there are to be.
        steps: of the optimiser.
        rates: share of the full learning rate at the beginning, and at the end.
        renew: whether the weakest strokes go and new ones come first.
    """

    shape: tuple[int, int]
    strokes: int
    steps: int
    rates: tuple[float, float] = (1.0, 0.6)
    renew: bool = True


def plan_stages(strokes: int, style: Style, shape: tuple[int, int]) -> list[Stage]:
    """The stages of a picture of a height and width, planned at that size or at a smaller one that
    suits the number of strokes.

    Raises:
        ValueError: if that would take too much memory.
    """

    def scaled(scale: float) -> tuple[int, int]:
        height, width = (max(1, round(side * scale)) for side in shape)
        return height, width

    suits = style.detail * max(_LEAST, _PIXELS * math.sqrt(strokes))
    scale = min(1.0, suits / min(shape))
    full, half = scaled(scale), scaled(scale / 2)
    what = f"planning {strokes} strokes on {full[1]}x{full[0]} px"
    check_memory(what, int(_INK * strokes * math.prod(full)))
    least, most = _EFFORT
    effort = (strokes / 256) ** 0.25 * math.prod(full) / 256**2
    effort = min(max(effort, least), most)
    steps, last = (math.ceil(effort * number) for number in (style.iterations, style.finish))
    counts = [round(strokes * min(1, k / _ALL) ** _GROWTH) for k in range(1, _STAGES + 1)]
    return [
        *(Stage(half, max(1, count), steps) for count in counts),
        Stage(full, strokes, steps),
        Stage(full, strokes, last, (0.6, 0.03), renew=False),
    ]


class Clock:
    """Tells the learning rate of each step: by their number, or by the time that is left.

    Args:
        stages: what lies ahead.
        seconds: for all of it, from the first step; None: as many steps as the stages say.

    Attributes:
        share: of the work that is done, 0 … 1.
        steps: how many of the stage have been taken.
        over: whether the stage is; there is at least one step in each.
    """

    def __init__(self, stages: list[Stage], seconds: float | None) -> None:
        self.share, self.steps, self.over = 0.0, 0, True
        self._seconds, self._started = seconds, math.nan
        work = [s.steps * math.prod(s.shape) * math.sqrt(s.strokes) for s in stages]
        self._ahead = [
            (s, end / sum(work)) for s, end in zip(stages, itertools.accumulate(work), strict=True)
        ]

    def begin(self, number: int) -> None:
        """Begin a stage."""
        if number == 0:
            self._started = time.monotonic()
        (self._stage, self._end), self._begun = self._ahead[number], self.share
        self.steps, self.over, self._part = 0, False, 0.0

    @property
    def rate(self) -> float:
        """The share of the full learning rate that the next step has."""
        first, last = self._stage.rates
        return last + (first - last) * (1 + math.cos(math.pi * self._part)) / 2

    def tick(self) -> None:
        """A step has been taken."""
        self.steps += 1
        length = self._end - self._begun
        if self._seconds is None:
            self._part = self.steps / self._stage.steps
        else:
            passed = (time.monotonic() - self._started) / self._seconds
            self._part = (passed - self._begun) / length if length > 0 else 1.0
        self.over = self._part >= 1
        self.share = min(self._begun + self._part * length, self._end)
