"""Blend modes: how a stroke's colour meets the canvas beneath. One entry of a table each.

Where a stroke of opacity alpha lies, ``canvas ← canvas (1 - alpha) + shade alpha``. The shade is
``colour (own + product (canvas - 1)) + under canvas``, so that an entry is three numbers, from
which the compiled kernels, their derivative and torch's form follow:

=========  ===  =======  =====  =================================
mode       own  product  under  shade
=========  ===  =======  =====  =================================
normal     1    0        0      colour
multiply   1    1        0      colour canvas
screen     0    -1       1      1 - (1 - colour) (1 - canvas)
erase      1    0        0      background, whatever the colour
=========  ===  =======  =====  =================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from strokenet_gym.checks import real_number
from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST

__all__ = ["BLENDS", "Blend", "by_canvas", "by_colour", "shade"]


@dataclass(frozen=True)
class Blend:
    """An entry of the table.

    Attributes:
        own: see above.
        product: see above.
        under: see above.
        erases: whether the background takes the place of the stroke's colour.
        blank: intensity of a canvas on which strokes of any colour show best: ink that darkens
            shows on white.
        css: the same mode in SVG's ``mix-blend-mode``.

    Raises:
        ValueError: if a number is none, or a shade of a colour and a canvas in 0 … 1 is not.
    """

    own: float = 1.0
    product: float = 0.0
    under: float = 0.0
    erases: bool = False
    blank: float = 0.0
    css: str = "normal"

    def __post_init__(self) -> None:
        for name, most in (("own", 10.0), ("product", 10.0), ("under", 10.0), ("blank", 1.0)):
            plain = real_number(getattr(self, name), f"blend {name}", -most, most)
            object.__setattr__(self, name, plain)
        own, product, under = self.own, self.product, self.under
        # It is linear in both, so that the corners are the extremes.
        if not all(0 <= shade <= 1 for shade in (under, own - product, own + under, self.blank)):
            raise ValueError(
                "a blend's shade must be in 0 … 1 for all colours and canvases, and so must blank, "
                f"got {self}"
            )

    def shade(self, colour: Any, canvas: Any) -> Any:
        """The shade, for arrays and tensors ``[B, C, 1, 1]`` and ``[B, C, H, W]``."""
        if self.product == self.under == 0:
            return colour
        return colour * (self.own + self.product * (canvas - 1)) + self.under * canvas


BLENDS = {
    "normal": Blend(),
    "multiply": Blend(product=1.0, blank=1.0, css="multiply"),
    "screen": Blend(own=0.0, product=-1.0, under=1.0, css="screen"),
    "erase": Blend(erases=True, blank=1.0),
}


# The kernels' form takes the three numbers in the canvas' precision.
@njit(fastmath=FAST, error_model="numpy", inline="always")
def shade(mix, colour, canvas):
    """The shade of one pixel."""
    one = type(canvas)(1.0)
    return colour * (mix[0] + mix[1] * (canvas - one)) + mix[2] * canvas


@njit(fastmath=FAST, error_model="numpy", inline="always")
def by_colour(mix, canvas):
    """Its derivative by the colour."""
    return mix[0] + mix[1] * (canvas - type(canvas)(1.0))


@njit(fastmath=FAST, error_model="numpy", inline="always")
def by_canvas(mix, colour):
    """Its derivative by the canvas."""
    return colour * mix[1] + mix[2]
