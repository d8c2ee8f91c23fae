"""Numbers that the kernels share: of a brush, of an accuracy, and of stamps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ACCURACIES", "EXACT", "VISITS", "Accuracy", "BrushNumbers", "Stamp", "find_accuracy"]

Stamp = np.dtype(
    [
        ("x", float),  # centre, pixels
        ("y", float),
        ("radius", float),  # as drawn, pixels
        ("strength", float),  # as drawn
        ("weight", float),  # for how many whole stamps it stands
        ("segment", int),
        ("t", float),  # where it is in the segment's parameter
        ("dt", float),  # the length that it stands for there; 0: a whole stamp at an end
    ]
)
# Visits of cells after which a kernel returns to Python between two strokes, so that Ctrl-C gets
# through: a tenth of a second, about.
VISITS = 2**24


class BrushNumbers(NamedTuple):
    """What the kernels know of a brush, see :class:`strokenet_gym.Brush`.

    The last three are its blend mode's, see blend.py.
    """

    pressure_size: float
    pressure_opacity: float
    edge: float
    opacity: float
    density: float
    buildup: float
    grain: float
    own: float
    product: float
    under: float


class Accuracy(NamedTuple):
    """How finely a path is sampled.

    The stamps' effect is an integral along the path, so this sets its error, never the amount of
    ink.

    Attributes:
        spacing: distance between stamps in radii, where a pass of the pen is opaque and the edge
            is half the radius.
        most: the largest distance.
        pressure_step: largest relative change of pressure from stamp to stamp.
        weight_ratio: largest ratio of the weights of stamps that go on pixels together.
        broad: from this radius times the brush's edge on, in pixels, the gradient with respect to
            a stamp is summed over blocks of 2 x 2 pixels.
    """

    spacing: float
    most: float
    pressure_step: float
    weight_ratio: float
    broad: float


# "exact" is tested to be within 2/255 of an independent reference, and 0.2/255 on average
# (tests/test_stamped.py); against it, a draft's mean squared change is at most 3e-6
# (tests/test_sequence.py).
ACCURACIES = {
    "exact": Accuracy(0.062, most=0.2, pressure_step=0.05, weight_ratio=1.07, broad=np.inf),
    "draft": Accuracy(0.17, most=0.5, pressure_step=0.2, weight_ratio=1.2, broad=6.0),
}
EXACT = ACCURACIES["exact"]


def find_accuracy(accuracy: str | Accuracy) -> Accuracy:
    """Return the accuracy of that name, or one as it is.

    Raises:
        ValueError: if there is none.
    """
    if isinstance(accuracy, Accuracy):
        return accuracy
    if not isinstance(accuracy, str) or accuracy not in ACCURACIES:
        known = ", ".join(ACCURACIES)
        raise ValueError(f"accuracy must be one of {known}, got {accuracy!r}")
    return ACCURACIES[accuracy]
