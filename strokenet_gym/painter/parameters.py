"""Parameters: the numbers of all strokes of a picture as the optimiser moves them.

They are a :class:`Stroke` of arrays ``[N, …]``, whose ``radius`` is the radius' logarithm, and
whose positions are in half the shorter side in both directions, so that lengths and angles are
those that one sees on a canvas of any shape. An ``extent`` is half the width and half the height of
the canvas in that unit.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.painter.styles import Style
from strokenet_gym.stroke import Stroke

__all__ = [
    "Adam",
    "bend",
    "extent_of",
    "gradient",
    "lift",
    "limit",
    "select",
    "to_strokes",
    "without_thin_lines",
]

# What one step of the optimiser changes, about.
_RATES = Stroke(colour=0.03, radius=0.12, position=0.03, pressure=0.15)
_SWELLING = 0.01  # what changes of the pressure cost, next to those of the direction
_PAST, _SQUARE_PAST = 0.9, 0.95  # what a step leaves of Adam's means


def extent_of(canvas: np.ndarray) -> np.ndarray:
    """The extent of a canvas ``[C, H, W]``."""
    height, width = canvas.shape[1:]
    return np.array([width, height]) / min(height, width)


def to_strokes(parameters: Stroke, extent: np.ndarray) -> Stroke:
    """Strokes as the program takes them."""
    radius, position = np.exp(parameters.radius), parameters.position / extent
    return parameters._replace(radius=radius, position=position)


def gradient(grad: Stroke, parameters: Stroke, extent: np.ndarray) -> Stroke:
    """The gradient of the parameters, from the one of :func:`to_strokes`."""
    radius, position = grad.radius * np.exp(parameters.radius), grad.position / extent
    return grad._replace(radius=radius, position=position)


def bend(parameters: Stroke, style: Style) -> tuple[float, Stroke]:
    """What bends and swellings of strokes cost in a style, and the gradient.

    That is the squared second differences of the anchors' positions and, with less weight, of their
    pressures.
    """
    thinness = style.scribbling / np.exp(parameters.radius)
    weight = style.bending + thinness
    bends, grads = np.zeros(len(weight)), []
    for field, share in ((parameters.position, 1.0), (parameters.pressure[..., None], _SWELLING)):
        second = np.diff(field, 2, axis=1)
        grad = np.zeros_like(field)
        grad[:, :-2] += second
        grad[:, 1:-1] -= 2 * second
        grad[:, 2:] += second
        grads.append(2 * share * weight[:, None, None] * grad)
        bends += share * (second**2).sum((1, 2))
    grad_colour = np.zeros_like(parameters.colour)
    return float(weight @ bends), Stroke(grad_colour, -thinness * bends, grads[0], grads[1][..., 0])


def limit(parameters: Stroke, style: Style, extent: np.ndarray) -> Stroke:
    """The nearest parameters that the style and the canvas allow."""
    edge = extent + style.margin
    return Stroke(
        parameters.colour.clip(*style.tones),
        parameters.radius.clip(*np.log(style.brush.radii)),
        parameters.position.clip(-edge, edge),
        parameters.pressure.clip(*style.pressure),
    )


def lift(parameters: Stroke, style: Style, thinnest: float) -> Stroke:
    """Parameters with the pen lifted wherever it would draw a line of a smaller radius."""
    shares = parameters.pressure**style.brush.pressure_size
    thin = np.exp(parameters.radius)[:, None] * shares < thinnest
    return parameters._replace(pressure=np.where(thin, 0.0, parameters.pressure))


def without_thin_lines(parameters: Stroke, style: Style, thinnest: float) -> Stroke:
    """The same, and strokes that are left without any pressure are left out."""
    lifted = lift(parameters, style, thinnest)
    return select(lifted, np.flatnonzero(lifted.pressure.any(1)))


def select(parameters: Stroke, which: np.ndarray) -> Stroke:
    """Those strokes of which the indices are given, in their order."""
    return Stroke(*(field[which] for field in parameters))


class Adam:
    """The optimiser (Kingma and Ba 2015), of one stage's strokes."""

    def __init__(self, parameters: Stroke) -> None:
        self._steps = 0
        self._mean = self._square = [np.zeros_like(field) for field in parameters]

    def step(self, parameters: Stroke, grad: Stroke, rate: float) -> Stroke:
        """Parameters one step down a gradient; arrays are new, since a copy may have the old."""
        self._steps += 1
        moved, parts = [], zip(parameters, grad, _RATES, self._mean, self._square, strict=True)
        self._mean, self._square = [], []
        for field, slope, own, mean, square in parts:
            self._mean.append(mean + (1 - _PAST) * (slope - mean))
            self._square.append(square + (1 - _SQUARE_PAST) * (slope**2 - square))
            first = self._mean[-1] / (1 - _PAST**self._steps)
            second = self._square[-1] / (1 - _SQUARE_PAST**self._steps)
            moved.append(field - rate * own * first / (np.sqrt(second) + 1e-9))
        return Stroke(*moved)
