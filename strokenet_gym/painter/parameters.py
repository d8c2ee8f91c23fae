"""Parameters: the numbers of all strokes of a picture as the optimiser moves them.

They are a :class:`Stroke` of arrays ``[N, …]``, whose ``radius`` is the radius' logarithm, and
whose positions are in half the shorter side in both directions, so that lengths and angles are
those that one sees on a canvas of any shape.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.painter.styles import Style
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = [
    "Adam",
    "bend",
    "extent_of",
    "gradient",
    "lift",
    "limit",
    "none",
    "select",
    "to_strokes",
    "without_thin_lines",
]

# What one step of the optimiser changes, about.
_RATES = Stroke(colour=0.03, radius=0.12, position=0.03, pressure=0.15)
_SWELLING = 0.01  # what changes of the pressure cost, next to those of the direction


def none(channels: int) -> Stroke:
    """Those of no stroke."""
    parts = (0, channels), (0,), (0, NUM_ANCHORS, 2), (0, NUM_ANCHORS)
    return Stroke(*(np.zeros(part) for part in parts))


def extent_of(canvas: np.ndarray) -> np.ndarray:
    """Half the width and half the height of a canvas ``[C, H, W]``, in half the shorter side."""
    height, width = canvas.shape[1:]
    return np.array([width, height]) / min(height, width)


def to_strokes(parameters: Stroke, extent: np.ndarray) -> Stroke:
    """Strokes as the program takes them.

    Args:
        parameters: of N strokes.
        extent: half the width and half the height, in half the shorter side.
    """
    return parameters._replace(
        radius=np.exp(parameters.radius), position=parameters.position / extent
    )


def gradient(by: Stroke, parameters: Stroke, extent: np.ndarray) -> Stroke:
    """The derivative by the parameters, from the one by :func:`to_strokes`."""
    return by._replace(radius=by.radius * np.exp(parameters.radius), position=by.position / extent)


def bend(parameters: Stroke, style: Style) -> tuple[float, Stroke]:
    """What bends and swellings of strokes cost in a style, and the derivative.

    That is the squared second differences of the anchors' positions and, with less weight, of their
    pressures.
    """
    thinness = style.scribbling / np.exp(parameters.radius)
    weight = style.bending + thinness
    bends, by = np.zeros(len(weight)), []
    for field, share in ((parameters.position, 1.0), (parameters.pressure[..., None], _SWELLING)):
        second = np.diff(field, 2, axis=1)
        slope = np.zeros_like(field)
        slope[:, :-2] += second
        slope[:, 1:-1] -= 2 * second
        slope[:, 2:] += second
        by.append(2 * share * weight[:, None, None] * slope)
        bends += share * (second**2).sum((1, 2))
    by_colour = np.zeros_like(parameters.colour)
    return float(weight @ bends), Stroke(by_colour, -thinness * bends, by[0], by[1][..., 0])


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
    """The same, and strokes that are left without any ink are left out."""
    lifted = lift(parameters, style, thinnest)
    return select(lifted, np.flatnonzero(lifted.pressure.any(1)))


def select(parameters: Stroke, which: np.ndarray) -> Stroke:
    """Those strokes of which the indices are given, in their order."""
    return Stroke(*(field[which] for field in parameters))


class Adam:
    """The optimiser (Kingma and Ba 2015), of one stage's strokes.

    Args:
        parameters: what will be moved.
    """

    _MEAN, _SQUARE = 0.9, 0.95  # what is left of the past

    def __init__(self, parameters: Stroke) -> None:
        self._steps = 0
        self._mean = [np.zeros_like(field) for field in parameters]
        self._square = [np.zeros_like(field) for field in parameters]

    def step(self, parameters: Stroke, by: Stroke, rate: float) -> Stroke:
        """Parameters one step down the gradient ``by``."""
        self._steps += 1
        moved, parts = [], zip(parameters, by, _RATES, self._mean, self._square, strict=True)
        self._mean, self._square = [], []  # new ones, since a copy may have the old
        for field, slope, own, mean, square in parts:
            mean = mean + (1 - self._MEAN) * (slope - mean)
            square = square + (1 - self._SQUARE) * (slope**2 - square)
            self._mean.append(mean)
            self._square.append(square)
            first = mean / (1 - self._MEAN**self._steps)
            second = square / (1 - self._SQUARE**self._steps)
            moved.append(field - rate * own * first / (np.sqrt(second) + 1e-9))
        return Stroke(*moved)
