"""Styles: what a picture may be painted with, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

from strokenet_gym.checks import flag, real_number, told, whole
from strokenet_gym.programs.stamped import BLENDS, Brush

__all__ = ["STYLES", "Style", "find_style"]

# The least and the most of what has one number.
_NUMBERS: tuple[tuple[str, float, float], ...] = (
    ("bending", 0, 1e9),
    ("scribbling", 0, 1e9),
    ("margin", 0, 100),
    ("thinnest", 0, 1e4),
    ("detail", 0.01, 100),
    ("angle", -3600, 3600),
)
# And of what has two.
_LIMITS = ("pressure", 0.0, 1.0), ("tones", 0.0, 1.0), ("length", 0.01, 1000.0)


@dataclass(frozen=True)
class Style:
    """A way of painting: the brush, what strokes may look like, and how long they are sought.

    Attributes:
        brush: what paints; a stroke's radius is from its ``radius_min`` to its ``radius_max``.
        pressure: smallest and largest pressure, 0 … 1.
        tones: darkest and lightest colour of a stroke, 0 … 1, in each channel.
        bending: cost of a stroke's bends, 0 … 1e9: this times the squared second differences of
            its anchors (in half the shorter side) is added to the squared error summed at 256 px.
        scribbling: the same over the stroke's radius, so that thin lines pay more; 0 … 1e9.
        length: shortest and longest new stroke, in radii, 0.01 … 1000.
        margin: how far a stroke's anchors may leave the canvas, in half the shorter side, 0 … 100.
        angle: direction of new strokes in degrees, -3600 … 3600, anticlockwise from right; None:
            along the picture's edges.
        thinnest: where a line would have a smaller radius than this, in pixels of the picture as it
            is planned, the pen is lifted: it costs little error there, but is a scribble on a
            larger canvas. At most 10000; 0: nowhere.
        detail: how finely the picture is looked at while it is planned, 0.01 … 100; below 1,
            strokes may be thinner than its pixels, and tones come of many of them: hatching.
        grey: whether the picture is painted in grey, unless a palette has colours.
        background: of the canvas, unless somebody says another: "mean" (of the picture, or what
            differs from it where it is transparent), or a colour's name.
        iterations: steps of the optimiser in each of the stages in which strokes are added, for 256
            strokes at 256 px; they grow with the fourth root of the strokes and with the pixels.
        finish: steps at the end, with all strokes; the same.

    Raises:
        ValueError: if a number is out of its range, or the brush erases.
    """

    brush: Brush
    pressure: tuple[float, float] = (0.1, 1.0)
    tones: tuple[float, float] = (0.0, 1.0)
    bending: float = 10.0
    scribbling: float = 0.0
    length: tuple[float, float] = (1.0, 16.0)
    margin: float = 0.2
    angle: float | None = None
    thinnest: float = 0.0
    detail: float = 1.0
    grey: bool = False
    background: str = "mean"
    iterations: int = 15
    finish: int = 100

    def __post_init__(self) -> None:
        if not isinstance(self.brush, Brush) or BLENDS[self.brush.blend].erases:
            raise ValueError(f"a style's brush must be a Brush that adds colour, got {self.brush}")
        for name, least, most in _LIMITS:
            limits = getattr(self, name)
            if not isinstance(limits, tuple) or len(limits) != 2:
                raise ValueError(f"a style's {name} must be two numbers, got {limits!r}")
            low, high = (real_number(v, f"a style's {name}", least, most) for v in limits)
            if low > high:
                raise ValueError(f"a style's {name} must be a range, got {limits!r}")
            object.__setattr__(self, name, (low, high))
        if self.pressure[1] == 0:
            raise ValueError("a style's largest pressure must be more than 0")
        for name, least, most in _NUMBERS:
            if name != "angle" or self.angle is not None:
                plain = real_number(getattr(self, name), f"a style's {name}", least, most)
                object.__setattr__(self, name, plain)
        if self.thinnest > 0 and self.pressure[0] > 0:
            raise ValueError(
                f"a style that lifts the pen must allow pressures from 0, got {self.pressure}"
            )
        object.__setattr__(self, "grey", flag(self.grey, "a style's grey"))
        if not isinstance(self.background, str):
            raise ValueError(f"a style's background must be a text, got {told(self.background)}")
        for name in ("iterations", "finish"):
            count = whole(getattr(self, name), f"a style's {name}", 1, 10**9)
            object.__setattr__(self, name, count)


# Tuned by eye at 1024 px and by the error, on several photographs at once.
STYLES = {
    "photo": Style(
        Brush(pressure_opacity=1, edge=1, density=2, radius_min=0.004, radius_max=0.5),
        pressure=(0.0, 1.0),
        bending=3.0,
        scribbling=0.03,
        thinnest=0.8,
        finish=330,
    ),
    "gouache": Style(
        Brush(pressure_opacity=0, edge=0.5, radius_min=0.02, radius_max=0.125),
        pressure=(0.35, 1.0),
        bending=300.0,
    ),
    "marker": Style(
        Brush(pressure_size=0.4, pressure_opacity=0, edge=0.2, radius_min=0.025, radius_max=0.06),
        pressure=(0.5, 1.0),
        bending=1000.0,
        length=(4.0, 24.0),
    ),
    "pencil": Style(
        Brush(
            pressure_size=0.3,
            pressure_opacity=1,
            opacity=0.5,
            density=2,
            blend="multiply",
            edge=0.6,
            radius_min=0.004,
            radius_max=0.008,
        ),
        pressure=(0.1, 1.0),
        tones=(0.35, 0.75),
        bending=5000.0,
        length=(20.0, 80.0),
        angle=50.0,
        detail=0.4,
        grey=True,
        background="white",
    ),
    "watercolour": Style(
        Brush(
            pressure_size=0.7,
            pressure_opacity=0.5,
            edge=0.3,
            opacity=0.05,
            blend="multiply",
            radius_min=0.02,
            radius_max=0.3,
        ),
        pressure=(0.0, 1.0),
        bending=300.0,
        thinnest=1.5,
        background="white",
    ),
}


def find_style(style: str | Style) -> Style:
    """The style of that name, or the one that is given.

    Raises:
        ValueError: if there is none.
    """
    if isinstance(style, Style):
        return style
    if not isinstance(style, str) or style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, or a Style, got {style!r}")
    return STYLES[style]
