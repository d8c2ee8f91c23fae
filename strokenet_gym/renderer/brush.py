"""Brushes: how pressure, distance from the centre and overlap turn into ink."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from functools import cached_property

__all__ = ["BRUSHES", "Brush", "get_brush"]


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

    Raises:
        ValueError: if a number is out of its range.
    """

    pressure_size: float = 1.0
    pressure_opacity: float = 3.0
    edge: float = 0.5
    opacity: float = 1.0
    density: float = 8.0

    def __post_init__(self) -> None:
        ranges = {
            "pressure_size": (0.0, 10.0),
            "pressure_opacity": (0.0, 10.0),
            "edge": (0.05, 1.0),
            "opacity": (0.001, 1.0),
            "density": (0.1, 100.0),
        }
        for field in fields(self):
            low, high = ranges[field.name]
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise ValueError(
                    f"brush {field.name} must be from {low:g} to {high:g}, got {value}"
                )

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
        """What the compiled kernels take: the fields in their order, and the buildup."""
        return *(float(value) for value in astuple(self)), self.buildup


BRUSHES = {"pencil": Brush()}


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
