"""Brushes: how pressure, distance from the centre and overlap become ink, and ink colour."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from strokenet_gym.checks import (
    background_of,
    check_composite,
    is_stroke,
    precision,
    real_array,
    real_number,
    shape_of,
    strokes,
    told,
)
from strokenet_gym.kernels.canvas import Size, sides
from strokenet_gym.programs.base import Program
from strokenet_gym.programs.blend import BLENDS
from strokenet_gym.programs.stamped.numbers import EXACT, Accuracy, BrushNumbers, find_accuracy
from strokenet_gym.programs.stamped.painting import best_colours, paint_in_place
from strokenet_gym.programs.stamped.tape import StampedTape
from strokenet_gym.programs.tape import ExactProgram
from strokenet_gym.stroke import RADIUS_MAX, RADIUS_MIN, Stroke

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BRUSHES", "Brush"]

_RANGES = {
    "pressure_size": (0.0, 10.0),
    "pressure_opacity": (0.0, 10.0),
    "edge": (0.05, 1.0),
    "opacity": (0.001, 1.0),
    "density": (0.1, 100.0),
    "grain": (0.0, 1.0),
    "radius_min": (1e-4, 1.0),
    "radius_max": (1e-4, 1.0),
}


@dataclass(frozen=True)
class Brush(ExactProgram):
    """A round stamp that is dragged along the stroke: our painting program, with these numbers.

    A stamp at a point with pressure p has radius ``R * p ** pressure_size`` (R: the stroke's
    radius) and strength ``q = opacity * p ** pressure_opacity``; at distance d from its centre
    it covers ``q * min(1, (1 - d / r) / edge)``.

    Attributes:
        pressure_size: exponent of the radius' dependence on pressure, 0 … 10.
        pressure_opacity: exponent of the strength's dependence on pressure, 0 … 10.
        edge: the part of the radius over which the stamp fades to nothing, 0.05 … 1: small is a
            hard rim.
        opacity: strength at full pressure, 0.001 … 1.
        density: stamps per radius of path, 0.1 … 100: how quickly ink builds up.
        blend: how a stroke of opacity alpha changes the canvas c, a name in
            :data:`strokenet_gym.BLENDS`: "normal" gives ``c (1 - alpha) + colour alpha``, as
            opaque paint does; "multiply" gives ``c (1 - alpha) + c colour alpha``, as translucent
            paint does on white paper; "screen" the same for light on black; "erase" gives
            ``c (1 - alpha) + background alpha``, whatever the colour.
        grain: how much of the ink the pits of a rough paper keep off, 0 … 1.
        radius_min: smallest radius of a stroke, half-widths, 0.0001 … 1.
        radius_max: the largest; more than ``radius_min``.

    Raises:
        ValueError: if a number is out of its range, or the blend mode is unknown.
    """

    pressure_size: float = 1.0
    pressure_opacity: float = 3.0
    edge: float = 0.5
    opacity: float = 1.0
    density: float = 8.0
    blend: str = "normal"
    grain: float = 0.0
    radius_min: float = RADIUS_MIN
    radius_max: float = RADIUS_MAX

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            plain = real_number(getattr(self, name), f"brush {name}", low, high)
            object.__setattr__(self, name, plain)
        if self.radius_min >= self.radius_max:
            raise ValueError(
                f"brush radius_min must be less than radius_max, got {self.radius_min:g} and "
                f"{self.radius_max:g}"
            )
        if not isinstance(self.blend, str) or self.blend not in BLENDS:
            known = ", ".join(BLENDS)
            raise ValueError(f"brush blend must be one of {known}, got {told(self.blend)}")

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, Any]) -> Brush:
        """The brush with these attributes; those that are not named have their defaults.

        Raises:
            ValueError: if a name is unknown, or a value is wrong.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(numbers, Mapping) or set(numbers) - set(known):
            raise ValueError(f"a brush has the numbers {', '.join(known)}, got {told(numbers)}")
        return cls(**numbers)

    def to_json(self) -> dict[str, Any]:
        """The attributes by their names: what :meth:`from_numbers` takes."""
        return dataclasses.asdict(self)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Its name in :data:`BRUSHES`, or its numbers."""
        return next((name for name, brush in BRUSHES.items() if brush == self), repr(self))

    @property
    def buildup(self) -> float:
        """How fast a pass of the pen darkens, for small strengths.

        A straight pass of strength q takes away ``buildup * q`` of the light, averaged over its
        width: the coverage of one stamp of strength 1, times density, over its area's width.
        """
        core = 1 - self.edge
        return math.pi * self.density * (1 + core + core**2) / 6

    @cached_property
    def numbers(self) -> BrushNumbers:
        """What the compiled kernels take."""
        blend = BLENDS[self.blend]
        stamp = self.pressure_size, self.pressure_opacity, self.edge, self.opacity, self.density
        mix = float(blend.own), float(blend.product), float(blend.under)
        return BrushNumbers(*stamp, self.buildup, self.grain, *mix)

    @cached_property
    def _white(self) -> Brush:
        """The same that lays its colour on as it is: its white on black is opacity."""
        return dataclasses.replace(self, blend="normal")

    @cached_property
    def _erases(self) -> bool:
        return BLENDS[self.blend].erases

    def deposits(self, stroke: Stroke, background: Any) -> Stroke:
        """Strokes as it paints them: in their own colour, or the background's if it erases.

        Args:
            stroke: a batch of arrays.
            background: ``[C]``, or one number.

        Raises:
            TypeError: if one of them does not hold real numbers.
            ValueError: if it has another number of channels.
        """
        if not self._erases:
            return stroke
        shape = shape_of(is_stroke(stroke).colour, "a stroke's colour")
        empty = background_of(background, shape[-1] if shape else 1, np.float64)
        return stroke._replace(colour=np.broadcast_to(empty, shape))

    @np.errstate(under="ignore")
    def draw(self, stroke: Stroke, size: Size, accuracy: str | Accuracy = EXACT) -> np.ndarray:
        """Draw strokes as opacity maps, at any accuracy.

        Args:
            stroke: a batch: arrays with one leading dimension B; the colour is not used.
            size: side of the canvas in pixels, or height and width.
            accuracy: how finely the path is sampled: "exact", "draft", or an ``Accuracy``.

        Returns:
            ``[B, height, width]`` in 0 … 1; float64 if the positions are float64, else float32.

        Raises:
            TypeError: if a field does not hold real numbers.
            ValueError: if a shape is wrong.
        """
        kind, stroke = precision(is_stroke(stroke).position), strokes(stroke, (None,), None)
        stroke = stroke._replace(colour=np.ones((len(stroke.radius), 1)))
        canvas = np.zeros((len(stroke.radius), 1, *sides(size)), kind)
        paint_in_place(canvas, stroke, self._white.numbers, find_accuracy(accuracy))
        return canvas[:, 0]

    def draw_tensors(self, stroke: Stroke, size: Size) -> Tensor:
        """The same for tensors, with gradients to the strokes."""
        blank = stroke.position.new_zeros(len(stroke.position), 1, *sides(size))
        white = stroke._replace(colour=blank.new_ones(len(blank), 1))
        return self._white.paint_sequence_tensors(blank, white)[:, 0]

    def paint_taped(
        self,
        canvas: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        accuracy: str | Accuracy = "exact",
        *,
        target: np.ndarray | None = None,
        keep: bool = True,
    ) -> tuple[np.ndarray, StampedTape]:
        """Paint N strokes in order on each canvas, see ``ExactProgram.paint_taped``.

        The gradient is that of the program as it is sampled; at kinks it is one-sided (raster.py
        says which side). A stroke with a number that is NaN or infinite, or with a pressure beyond
        100, paints nothing.
        """
        fineness = find_accuracy(accuracy)
        count = shape_of(canvas, "a canvas")[:1] or (None,)
        below = real_array(canvas, "a canvas", (*count, None, None, None), precision(canvas))
        painted = below.copy()
        stroke = self.deposits(stroke, background)
        single = len(shape_of(is_stroke(stroke).radius, "a stroke's radius")) == 1
        leading = painted.shape[:1] if single else (len(painted), None)
        stroke = strokes(stroke, leading, painted.shape[1])
        shape = stroke.radius.shape
        if not single:
            stroke = Stroke(*(f.reshape(-1, *f.shape[2:]) for f in stroke))
        if target is not None:
            target = real_array(target, "the target", painted.shape, painted.dtype)
        change, chunks = paint_in_place(
            painted, stroke, self.numbers, fineness, target=target, keep=keep
        )
        numbers = self.numbers, fineness, self._erases
        tape = StampedTape(below, painted, stroke, shape, numbers, target, chunks)
        if target is not None:
            tape.change = change
        return painted, tape

    def composite(
        self,
        canvas: np.ndarray,
        target: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        *,
        pixels: np.ndarray | None = None,
        inked: np.ndarray | None = None,
    ) -> np.ndarray:
        """Paint one stroke on each canvas in place, see :meth:`Program.composite`.

        Touches inked pixels only; canvas and target may be float64 as well.
        """
        if self._erases:
            stroke = self.deposits(stroke, background)
        goal, stroke = check_composite(canvas, target, stroke, pixels, inked)
        return paint_in_place(
            canvas, stroke, self.numbers, target=goal, pixels=pixels, inked=inked
        )[0]

    def best_colours(
        self,
        canvas: np.ndarray,
        target: np.ndarray,
        stroke: Stroke,
        accuracy: str | Accuracy = "exact",
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best colours of candidates, see ``ExactProgram.best_colours``.

        Raises:
            ValueError: if it erases.
        """
        if self._erases:
            raise ValueError(f"the brush {self.name} erases, whatever the colour")
        return best_colours(canvas, target, stroke, self.numbers, find_accuracy(accuracy))


BRUSHES: dict[str, Program] = {
    "pencil": Brush(),
    "marker": Brush(pressure_size=0.4, pressure_opacity=0, edge=0.1),
    "airbrush": Brush(pressure_size=0, pressure_opacity=1.5, edge=1, opacity=0.06),
    "watercolour": Brush(
        pressure_size=0.7, pressure_opacity=0.5, edge=0.3, opacity=0.05, blend="multiply"
    ),
    "eraser": Brush(pressure_size=0.7, pressure_opacity=0.5, edge=0.3, blend="erase"),
    "chalk": Brush(pressure_size=0.5, pressure_opacity=1, edge=0.4, opacity=0.4, grain=0.9),
}
