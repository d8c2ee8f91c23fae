"""Whether a program's strokes are an opacity and a colour, as networks take them to be.

Such a stroke changes a canvas c to what its blend mode makes of c, its colour and its opacity,
which is the same on every canvas. One that smudges, bleaches or changes hue is more than that.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["MOST_MISFIT", "misfit", "why_no_twin"]

MOST_MISFIT = 0.01  # that a network may leave out
_SIZE = 32  # pixels
_BLANK = 1e-5  # mean squared opacity over that of a full canvas; less is no ink


def misfit(program: Program) -> float | None:
    """How much of what strokes change is not their opacity and colour.

    Returns:
        The squared difference, over six strokes on a coloured canvas, to what their opacity says,
        in units of the squared change: 0 fits. None if they leave no ink on an empty canvas.
    """
    from strokenet_gym.programs.blend import BLENDS

    stroke = _strokes(program.radii)
    alpha = program.draw(stroke, _SIZE)[:, None]
    if float(np.square(alpha).mean()) < _BLANK:
        return None
    rows, columns = np.mgrid[0:_SIZE, 0:_SIZE] / (_SIZE - 1)
    canvas = np.stack([rows, columns, 1 - rows]).astype(np.float32) * 0.8 + 0.1
    canvas = np.repeat(canvas[None], len(alpha), 0)
    background = np.full(3, 0.5, np.float32)
    painted = program.paint(canvas, stroke, background)
    blend, colour = BLENDS[program.blend], stroke.colour
    if blend.erases:
        colour = np.broadcast_to(background, colour.shape)
    shade = blend.shade(colour[:, :, None, None], canvas)
    wanted = canvas + (shade - canvas) * alpha
    return float(np.square(painted - wanted).sum() / np.square(wanted - canvas).sum())


def why_no_twin(program: Program) -> str | None:
    """Why no network can imitate a program, None if one can."""
    rest = misfit(program)
    if rest is None:
        return "leaves no ink on an empty canvas"
    if rest > MOST_MISFIT:
        return f"is more than opacity and colour (differs by {rest:.2g} of the squared change)"
    return None


def _strokes(radii: tuple[float, float]) -> Stroke:
    """Waves from light to heavy, in six colours and widths."""
    t = np.linspace(-1, 1, NUM_ANCHORS)
    turns = np.array([1, 2, 3, 4, 5, 6])[:, None]
    position = np.stack([np.broadcast_to(0.8 * t, (6, NUM_ANCHORS)), 0.8 * np.sin(turns * t)], 2)
    radius = np.geomspace(max(radii[0], radii[1] / 8), radii[1], 6)
    pressure = np.broadcast_to(np.linspace(0.2, 1, NUM_ANCHORS), (6, NUM_ANCHORS))
    colour = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0.2, 0.9, 0.8], [0, 0, 0]])
    return Stroke(colour.astype(float), radius, position, pressure)
