"""Brushes: how pressure, distance from the centre and overlap become ink, and ink colour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strokenet_gym.stroke import Stroke

__all__ = ["BRUSHES", "Brush", "get_brush"]

_BLEND_MODES = ("normal", "multiply", "erase")


@dataclass(frozen=True)
class Brush:
    """A round stamp that is dragged along the stroke.

    A stamp at a point with pressure p has radius ``R * p ** pressure_size`` (R: the stroke's
    radius) and strength ``q = opacity * p ** pressure_opacity``; at distance d from its centre
    it covers ``q * min(1, (1 - d / r) / edge)``.

    Attributes:
        pressure_size: exponent of the radius' dependence on pressure, 0 or more.
        pressure_opacity: exponent of the strength's dependence on pressure, 0 or more.
        edge: the part of the radius over which the stamp fades to nothing, 0.05 … 1: small is a
            hard rim.
        opacity: strength at full pressure, 0.001 … 1.
        density: stamps per radius of path: how quickly ink builds up.
        blend: how a stroke of opacity alpha changes the canvas c: "normal" gives
            ``c (1 - alpha) + colour alpha``, as opaque paint does; "multiply" gives
            ``c (1 - alpha) + c colour alpha``, as translucent paint does on white paper; "erase"
            gives ``c (1 - alpha) + background alpha``, whatever the colour.
        grain: how much of the ink the pits of a rough paper keep off, 0 … 1; see
            :func:`strokenet_gym.renderer.grain.paper`.

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

    def __post_init__(self) -> None:
        ranges = {
            "pressure_size": (0.0, 10.0),
            "pressure_opacity": (0.0, 10.0),
            "edge": (0.05, 1.0),
            "opacity": (0.001, 1.0),
            "density": (0.1, 100.0),
            "grain": (0.0, 1.0),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, str) or not low <= value <= high:
                raise ValueError(f"brush {name} must be from {low:g} to {high:g}, got {value!r}")
        if self.blend not in _BLEND_MODES:
            known = ", ".join(_BLEND_MODES)
            raise ValueError(f"brush blend must be one of {known}, got {self.blend!r}")

    @property
    def buildup(self) -> float:
        """How fast a pass of the pen darkens, for small strengths.

        A straight pass of strength q takes away ``buildup * q`` of the light, averaged over its
        width: the coverage of one stamp of strength 1, times density, over its area's width.
        """
        core = 1 - self.edge
        return math.pi * self.density * (1 + core + core**2) / 6

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """What the compiled kernels take: five fields, the buildup, and 1 for "multiply"."""
        stamp = self.pressure_size, self.pressure_opacity, self.edge, self.opacity, self.density
        return *(float(value) for value in stamp), self.buildup, float(self.blend == "multiply")

    def lays_down(self, stroke: Stroke, background: Any) -> Stroke:
        """What it leaves of strokes: their own colour, or the background's if it erases.

        Args:
            stroke: a batch, arrays or tensors.
            background: of the same type, ``[C]``.
        """
        if self.blend != "erase":
            return stroke
        return stroke._replace(colour=stroke.colour * 0 + background)


BRUSHES = {
    "pencil": Brush(),
    "marker": Brush(pressure_size=0.4, pressure_opacity=0, edge=0.1),
    "airbrush": Brush(pressure_size=0, pressure_opacity=1.5, edge=1, opacity=0.06),
    "watercolour": Brush(
        pressure_size=0.7, pressure_opacity=0.5, edge=0.3, opacity=0.05, blend="multiply"
    ),
    "eraser": Brush(pressure_size=0.7, pressure_opacity=0.5, edge=0.3, blend="erase"),
    "chalk": Brush(pressure_size=0.5, pressure_opacity=1, edge=0.4, opacity=0.4, grain=0.9),
}


def get_brush(brush: str | Brush) -> Brush:
    """Return the brush of that name, or the brush itself.

    Raises:
        ValueError: if there is no brush of that name.
        TypeError: if it is neither a name nor a :class:`Brush`.
    """
    if isinstance(brush, Brush):
        return brush
    if not isinstance(brush, str):
        raise TypeError(f"brush must be a name or a Brush, got {type(brush).__name__}")
    if brush not in BRUSHES:
        raise ValueError(f"unknown brush {brush!r}; known brushes: {', '.join(BRUSHES)}")
    return BRUSHES[brush]
