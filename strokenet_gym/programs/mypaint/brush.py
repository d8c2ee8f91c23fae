"""A brush of MyPaint as a painting program: a black box, with a grain of its own."""

from __future__ import annotations

import threading

import numpy as np

from strokenet_gym.checks import background_of, canvases, strokes, whole
from strokenet_gym.kernels import threads
from strokenet_gym.programs.base import MYPAINT, Program
from strokenet_gym.programs.mypaint.drawing import paint_strokes
from strokenet_gym.programs.mypaint.settings import find_brush, read_settings
from strokenet_gym.programs.mypaint.surface import Surface
from strokenet_gym.stroke import Stroke

__all__ = ["MyPaintBrush"]

_STRIDE = 17  # random numbers from a seed to the next: neighbours share part of their grain
_local = threading.local()


class MyPaintBrush(Program):
    """Strokes by libmypaint, the brush engine of MyPaint, GIMP and Krita.

    Its size, colour and pressure are the stroke's, all else is the brush's. The pen passes through
    the same curve as ours, at a fixed pace: 8 points a segment, 0.031 seconds apart. Each stroke
    gets a new brush, so that the same stroke is always the same picture, chance and all. Strokes of
    a batch are painted side by side on all threads. A stroke ends where its dabs have covered the
    canvas 4,000 times, which none of MyPaint's own does.

    Args:
        source: name of an installed brush, such as "classic/charcoal", or the path of a .myb file.
        seed: 0 … 10000, of the library's random numbers: another seed gives another grain.

    Raises:
        ValueError: if there is no brush of that name, or its file is damaged.
        FileNotFoundError: if there is no such file.
        DependencyNotInstalled: if libmypaint, or its brushes, are not installed.
    """

    pressure_size = 0.0  # the brush knows; to others a line has the stroke's radius

    def __init__(self, source: str, seed: int = 0) -> None:
        self.source, self.seed = source, whole(seed, "seed", 0, 10**4)
        self._settings = read_settings(find_brush(source))

    @classmethod
    def from_name(cls, name: str) -> MyPaintBrush:
        """The brush of a name as :meth:`to_json` returns it: "mypaint:NAME", perhaps "@SEED"."""
        source, _, seed = name.removeprefix(MYPAINT).rpartition("@")
        if source and seed.isdecimal():
            return cls(source, int(seed))
        return cls(name.removeprefix(MYPAINT))

    @property
    def name(self) -> str:  # type: ignore[override]
        """What :func:`strokenet_gym.load_program` finds it by, without its seed."""
        return f"{MYPAINT}{self.source}"

    def to_json(self) -> str:
        """What :func:`strokenet_gym.load_program` finds it by."""
        return f"{self.name}@{self.seed}" if self.seed else self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MyPaintBrush) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __reduce__(self) -> tuple:
        """A copy in another process loads the library there."""
        return MyPaintBrush, (self.source, self.seed)

    @np.errstate(under="ignore")
    def paint(
        self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Return the canvases with a stroke painted on each, see :meth:`Program.paint`.

        A stroke with a number that is NaN or infinite paints nothing.

        Raises:
            TypeError: if one of them does not hold real numbers.
            ValueError: if a shape is wrong, or a canvas is not in 0 … 1.
        """
        painted = canvases(canvas)
        count, channels, height, width = painted.shape
        stroke = strokes(stroke, (count,), channels)
        below, skip = background_of(background, channels), _STRIDE * self.seed

        def work(start: int, stop: int) -> None:
            memory = _surface(height, width).memory
            paint_strokes(painted, below, stroke, self._settings, skip, memory, start, stop)

        threads.run(work, count, least=1)
        return painted


def _surface(height: int, width: int) -> Surface:
    """The calling thread's surface; one size at a time."""
    kept = getattr(_local, "surface", None)
    if kept is None or kept[0] != (height, width):
        kept = _local.surface = (height, width), Surface(height, width)
    return kept[1]
