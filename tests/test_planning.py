"""What planners ask in closed form, against trying it out."""

import numpy as np
import pytest
from test_sequence import SOFT, brush_of, some

from strokenet_gym import (
    BRUSHES,
    Program,
    Stroke,
    best_colours,
    pack,
    paint_sequence,
    removal_costs,
    unpack,
)

COLOURED = [name for name in BRUSHES if name != "eraser"]


def recoloured(actions, colours, radii):
    stroke = unpack(actions.astype(float), colours.shape[1], radii)
    return pack(Stroke(colours, *stroke[1:]), radii)


@pytest.mark.parametrize("name", [*COLOURED, SOFT])
def test_best_colours(rng, name):
    """The gain is that of the stroke in this colour, and no other colour gains more."""
    brush = brush_of(name)
    canvas, actions = some(rng, batch=1, count=30, radii=brush.radii)
    canvas, candidates = canvas[0], actions[0]
    target = rng.uniform(0, 1, canvas.shape)
    colours, gains = best_colours(canvas, target, candidates, name)
    assert colours.shape == (30, 3)
    assert (colours >= 0).all()
    assert (colours <= 1).all()

    def gain_of(colours):
        each = recoloured(candidates, colours, brush.radii)[:, None]
        below = np.broadcast_to(canvas, (30, *canvas.shape))
        painted = paint_sequence(below, each, name)
        errors = ((painted - target) ** 2).mean((1, 2, 3))
        return ((canvas - target) ** 2).mean() - errors

    np.testing.assert_allclose(gains, gain_of(colours), atol=1e-9)
    for _ in range(10):
        other = (colours + rng.normal(0, 0.1, colours.shape)).clip(0, 1)
        assert (gain_of(other) <= gains + 1e-12).all()


def test_best_colours_of_what_is_there_already(rng):
    """A target that a stroke has made: its own colour, and all there is to gain."""
    canvas, actions = some(rng, batch=1, count=1)
    target = paint_sequence(canvas, actions, SOFT)[0]
    colours, gains = best_colours(canvas[0], target, actions[0], SOFT)
    np.testing.assert_allclose(colours[0], unpack(actions[0, 0], 3).colour, atol=1e-6)
    assert gains[0] == pytest.approx(((canvas[0] - target) ** 2).mean())


@pytest.mark.parametrize("name", [*BRUSHES, SOFT])
@pytest.mark.parametrize("pixels", [2**20, 2**12])
def test_removal_costs(rng, name, pixels, monkeypatch):
    monkeypatch.setattr("strokenet_gym.programs.stamped.painting._PIXELS", pixels)
    brush = brush_of(name)
    canvas, actions = some(rng, count=8, radii=brush.radii)
    target = rng.uniform(0, 1, canvas.shape)
    costs = removal_costs(canvas, actions, target, name, 0.3)
    assert costs.shape == (2, 8)

    def errors(actions):
        return ((paint_sequence(canvas, actions, name, 0.3) - target) ** 2).mean((1, 2, 3))

    whole = errors(actions)
    for k in range(8):
        without = errors(np.delete(actions, k, 1))
        np.testing.assert_allclose(costs[:, k], without - whole, atol=1e-9)


@pytest.mark.parametrize("name", [*COLOURED, SOFT])
@pytest.mark.parametrize(("size", "pixels"), [(48, 2**20), (150, 2**12)])
def test_choose_colours(rng, name, size, pixels, monkeypatch):
    """Each has the best one that there is, as the others then are: found by trying them all.

    One of which nothing is seen takes the one that is nearest to its own.
    """
    monkeypatch.setattr("strokenet_gym.programs.stamped.painting._PIXELS", pixels)
    brush = brush_of(name)
    canvas, actions = some(rng, batch=1, count=8, size=size, radii=brush.radii)
    canvas, stroke = canvas.astype(float), unpack(actions.astype(float), 3, brush.radii)
    target, weight = rng.uniform(0, 1, canvas.shape[1:]), rng.uniform(0, 1, canvas.shape[2:])
    palette, colours = rng.uniform(0, 1, (4, 3)), stroke.colour.copy()
    stroke.pressure[0, 3] = 0
    nearest = ((palette - colours[0, 3]) ** 2).sum(1).argmin()

    def painted(colours):
        return brush.paint_taped(canvas, stroke._replace(colour=colours))

    def error(colours):
        return ((painted(colours)[0][0] - target) ** 2 * weight).sum()

    own = painted(colours)[1].best_colours(target[None], palette, weight)[0]
    for k in reversed(range(8)):
        tried = []
        for each in palette:
            colours[0, k] = each
            tried.append(error(colours))
        assert tried[own[k]] <= min(tried) + 3e-4
        colours[0, k] = palette[own[k]]
    assert own[3] == nearest


def test_refused(rng):
    canvas, actions = some(rng, batch=1, count=3)
    target = np.zeros_like(canvas)
    with pytest.raises(ValueError, match="the brush eraser erases"):
        best_colours(canvas[0], target[0], actions[0], "eraser")
    with pytest.raises(ValueError, match=r"a target must have the shape \(3, 48, 48\)"):
        best_colours(canvas[0], target, actions[0])
    with pytest.raises(ValueError, match=r"a target must be in 0 … 1, got 2"):
        removal_costs(canvas, actions, target + 2)

    class Outside(Program):
        name = "outside"

        def paint(self, canvas, stroke, background):
            return canvas

    with pytest.raises(ValueError, match="'outside' has no exact gradient"):
        removal_costs(canvas, actions, target, Outside())
