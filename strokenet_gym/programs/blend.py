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
from typing import Any, NamedTuple

from strokenet_gym.checks import real_number
from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST

__all__ = [
    "BLENDS",
    "Blend",
    "blend",
    "blend_back",
    "error_back",
    "mix_of",
    "shade",
    "shade_per_canvas",
    "shade_per_colour",
]


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


class Mix(NamedTuple):
    """A blend mode's three numbers in the canvas' precision, as kernels take them."""

    own: Any
    product: Any
    under: Any


@njit()
def mix_of(brush, like):
    """The :class:`Mix` of a brush's numbers, in the dtype of an array."""
    real = like.dtype.type
    return Mix(real(brush.own), real(brush.product), real(brush.under))


@njit(fastmath=FAST, error_model="numpy", inline="always")
def shade(mix, colour, canvas):
    """The shade of one pixel."""
    one = type(canvas)(1.0)
    return colour * (mix.own + mix.product * (canvas - one)) + mix.under * canvas


@njit(fastmath=FAST, error_model="numpy", inline="always")
def shade_per_colour(mix, canvas):
    """Its derivative with respect to the colour."""
    return mix.own + mix.product * (canvas - type(canvas)(1.0))


@njit(fastmath=FAST, error_model="numpy", inline="always")
def shade_per_canvas(mix, colour):
    """Its derivative with respect to the canvas."""
    return colour * mix.product + mix.under


@njit(fastmath=FAST, error_model="numpy")
def blend(canvas, alpha, colour, mix, target):
    """Blend a stroke's opacity into a part of a row, in place.

    Returns:
        The change of the part's squared and absolute error to the target; 0 if that is empty.
    """
    zero, one = canvas.dtype.type(0.0), canvas.dtype.type(1.0)
    squared, absolute = zero, zero  # of a part of a row; an episode's are in float64
    if target.size == 0:
        for x in range(canvas.shape[0]):
            new = canvas[x] + (shade(mix, colour, canvas[x]) - canvas[x]) * alpha[x]
            canvas[x] = min(max(new, zero), one)
        return squared, absolute
    for x in range(canvas.shape[0]):
        old = canvas[x]
        new = old + (shade(mix, colour, old) - old) * alpha[x]
        new = min(max(new, zero), one)
        before, after = old - target[x], new - target[x]
        squared += (after - before) * (after + before)
        absolute += abs(after) - abs(before)
        canvas[x] = new
    return squared, absolute


@njit(fastmath=FAST, error_model="numpy")
def blend_back(grad, grad_alpha, below, alpha, colour, mix):
    """The adjoint of :func:`blend` without a target.

    Args:
        grad: with respect to the row after; becomes the one before.
        grad_alpha: added to.
        below: the row before.
        alpha: the opacity.
        colour: of the stroke.
        mix: a :class:`Mix`.

    Returns:
        The gradient with respect to the colour.
    """
    one, grad_colour = grad.dtype.type(1.0), grad.dtype.type(0.0)
    for x in range(grad.shape[0]):
        g = grad[x]
        grad_alpha[x] += g * (shade(mix, colour, below[x]) - below[x])
        grad_colour += g * alpha[x] * shade_per_colour(mix, below[x])
        grad[x] = g * (one + (shade_per_canvas(mix, colour) - one) * alpha[x])
    return grad_colour


@njit(fastmath=FAST, error_model="numpy")
def error_back(grad, below, alpha, colour, mix, target, sums, sign):
    """Add the gradient of a row's error, ``sums`` being that of the squared and the absolute one.

    Of the row with the stroke if the sign is 1; if it is -1, that of the row below is taken away.
    """
    one, zero = grad.dtype.type(1.0), grad.dtype.type(0.0)
    squared, absolute, laid = sign * sums[0], sign * sums[1], max(sign, zero)
    for x in range(grad.shape[0]):
        contrast = shade(mix, colour, below[x]) - below[x]
        error = below[x] - target[x] + contrast * alpha[x] * laid
        side = (one if error > zero else zero) - (one if error < zero else zero)
        grad[x] += squared * (error + error) + absolute * side
