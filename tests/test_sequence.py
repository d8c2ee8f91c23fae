"""Sequences of strokes as one operation, against painting them one by one."""

import cv2
import numpy as np
import pytest
import torch

from strokenet_gym import (
    BRUSHES,
    Brush,
    Program,
    Stroke,
    pack,
    paint_sequence,
    paint_sequence_vjp,
    unpack,
)
from strokenet_gym.kernels import threads
from strokenet_gym.programs.stamped import painting
from strokenet_gym.programs.stamped.numbers import ACCURACIES
from strokenet_gym.programs.three_body import three_body_strokes

SOFT = Brush(pressure_opacity=1, edge=1, density=2, radius_min=0.004, radius_max=0.5)
BRUSH_VARIANTS = [*BRUSHES, SOFT]


def some(rng, batch=2, count=6, channels=3, size=48, radii=SOFT.radii, dtype=np.float64):
    """Canvases ``[B, C, H, W]`` and actions ``[B, N, A]``."""
    stroke = three_body_strokes(rng, batch * count, channels)
    radius = np.exp(rng.uniform(np.log(0.02), np.log(0.3), batch * count))
    stroke = stroke._replace(radius=radius, pressure=np.clip(stroke.pressure, 0.1, 0.95))
    actions = pack(Stroke(*(f.astype(np.float64) for f in stroke)), radii)
    canvas = rng.uniform(0, 1, (batch, channels, size, size))
    return canvas.astype(dtype), actions.reshape(batch, count, -1).clip(-0.99, 0.99).astype(dtype)


def one_by_one(canvas, actions, brush, background=0.3):
    """Through the program's own strokes."""
    for k in range(actions.shape[1]):
        stroke = unpack(actions[:, k], canvas.shape[1], brush.radii)
        canvas, _ = brush.paint_tensors(canvas, canvas.detach(), stroke, background)
    return canvas


def brush_of(name):
    return name if isinstance(name, Brush) else BRUSHES[name]


@pytest.mark.parametrize("name", BRUSH_VARIANTS)
def test_painted_as_one_by_one(rng, name):
    brush = brush_of(name)
    canvas, actions = some(rng, radii=brush.radii, dtype=np.float32)
    wanted = one_by_one(*map(torch.from_numpy, (canvas, actions)), brush)
    before = canvas.copy()
    painted = paint_sequence(canvas, actions, name, 0.3)
    assert painted.dtype == np.float32
    np.testing.assert_allclose(painted, wanted, atol=1e-5)
    np.testing.assert_array_equal(canvas, before)  # a pure function
    tensors = paint_sequence(*map(torch.from_numpy, (canvas, actions)), name, 0.3)
    np.testing.assert_allclose(tensors, wanted, atol=1e-5)


@pytest.mark.parametrize("name", BRUSH_VARIANTS)
@pytest.mark.parametrize("pixels", [2**20, 2**12])
def test_gradients_as_one_by_one(rng, name, pixels, monkeypatch):
    """With one chunk, and with many of them."""
    monkeypatch.setattr(painting, "_PIXELS", pixels)
    brush = brush_of(name)
    canvas, actions = (torch.from_numpy(a).requires_grad_() for a in some(rng, radii=brush.radii))
    weights = torch.from_numpy(rng.normal(size=canvas.shape))
    wanted = torch.autograd.grad(
        (one_by_one(canvas, actions, brush) * weights).sum(), (canvas, actions)
    )
    loss = (paint_sequence(canvas, actions, name, 0.3) * weights).sum()
    found = torch.autograd.grad(loss, (canvas, actions))
    arrays = [t.detach().numpy() for t in (canvas, actions)]
    _, back = paint_sequence_vjp(*arrays, name, 0.3)
    for a, b, c in zip(wanted, found, back(weights.numpy()), strict=True):
        scale = a.abs().max()
        torch.testing.assert_close(b / scale, a / scale, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(c, b, rtol=1e-9, atol=1e-12)
    nothing, own = back(weights.numpy(), canvas=False)
    assert nothing is None
    np.testing.assert_array_equal(own, c)
    fixed = (paint_sequence(canvas.detach(), actions, name, 0.3) * weights).sum()
    assert torch.equal(torch.autograd.grad(fixed, actions)[0], found[1])


def test_the_way_back_to_the_strokes_alone(rng):
    """Over several bands, from a derivative whose channels are last in memory."""
    canvas, actions = some(rng, size=150)
    _, back = paint_sequence_vjp(canvas, actions, SOFT)
    by_painted = np.moveaxis(rng.normal(size=np.moveaxis(canvas, 1, -1).shape), -1, 1)
    _, wanted = back(by_painted)
    nothing, found = back(by_painted, canvas=False)
    assert nothing is None
    np.testing.assert_array_equal(found, wanted)


def test_gradients_against_finite_differences(rng):
    """200 random sequences of 5, in float64, along random directions."""
    canvas, actions = some(rng, batch=200, count=5, channels=1, size=32)
    weights = rng.normal(size=(200, 1, 4, 4)).repeat(8, 2).repeat(8, 3)
    _, back = paint_sequence_vjp(canvas, actions, SOFT)
    _, by_actions = back(weights)
    direction = rng.normal(size=actions.shape) * 1e-6
    ahead, behind = (
        (paint_sequence(canvas, actions + sign * direction, SOFT) * weights).sum((1, 2, 3))
        for sign in (1, -1)
    )
    difference = (ahead - behind) / 2
    derivative = (by_actions * direction).sum((1, 2))
    error = np.abs(derivative - difference) / (np.abs(difference) + 1e-12)
    assert np.median(error) <= 1e-3
    assert np.quantile(error, 0.8) <= 2e-2  # the rest crosses kinks or nearly cancels


def test_threads_change_nothing(rng, monkeypatch):
    canvas, actions = some(rng, batch=3, size=160, dtype=np.float32)  # of three bands
    results = []
    for count in (1, 3):
        monkeypatch.setattr(threads, "THREADS", count)
        painted, back = paint_sequence_vjp(canvas, actions, SOFT)
        results.append((painted, *back(np.ones_like(painted))))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", BRUSH_VARIANTS)
def test_a_draft_is_near(rng, name):
    brush = brush_of(name)
    canvas, actions = some(rng, batch=4, count=40, size=128, radii=brush.radii, dtype=np.float32)
    exact, draft = (paint_sequence(canvas, actions, name, 0.3, a) for a in ("exact", "draft"))
    assert 0 < ((exact - draft) ** 2).mean() <= 3e-6


@pytest.mark.parametrize("name", ["airbrush", SOFT])
def test_blocks_change_the_gradient_of_a_draft_little(rng, name):
    """It looks at broad stamps through blocks of pixels, at the last row of an odd height too."""
    brush, draft = brush_of(name), ACCURACIES["draft"]
    _, actions = some(rng, batch=4, count=20, radii=(0.2, 0.5), dtype=np.float32)
    stroke = unpack(actions.astype(float), 3, (0.2, 0.5))
    target = cv2.resize(rng.random((8, 8)), (90, 127), interpolation=cv2.INTER_CUBIC)
    slopes = []
    for accuracy in (draft._replace(broad=np.inf), draft):
        canvas = np.full((4, 3, 127, 90), 0.5, np.float32)
        painted, kept = brush.paint_taped(canvas, stroke, 0.0, accuracy)
        _, by = kept.backward((painted - target).astype(np.float32))
        slopes.append(np.concatenate([by.radius[..., None], by.pressure], -1))
        slopes.append(by.position.reshape(4, 20, -1))
    for pixels, blocks in (slopes[0::2], slopes[1::2]):
        lengths = np.linalg.norm(pixels, axis=-1) * np.linalg.norm(blocks, axis=-1)
        cosine = (pixels * blocks).sum(-1) / lengths
        assert (pixels != blocks).any(-1).mean() > 0.5
        assert np.median(cosine) >= 0.999
        together = np.linalg.norm(pixels) * np.linalg.norm(blocks)
        assert (pixels * blocks).sum() / together >= 0.998


def test_memory_follows_the_ink(rng):
    """Four bytes for an inked pixel, and a canvas for each chunk."""
    canvas, actions = some(rng, batch=1, count=50, size=256, dtype=np.float32)
    stroke = unpack(actions.astype(np.float64), 3, SOFT.radii)
    bands = SOFT.paint_taped(canvas, stroke)[1].chunks
    kept = [chunk for band in bands for chunk in band]
    inked = sum((SOFT.draw(Stroke(*(f[:, k] for f in stroke)), 256) > 0).sum() for k in range(50))
    pixels = sum(len(chunk.ink.alphas) for chunk in kept)
    assert inked <= pixels <= 1.5 * inked  # in cells of eight
    for band in bands:
        starts, stops = zip(*((chunk.part.start, chunk.part.stop) for chunk in band), strict=True)
        assert starts[1:] == stops[:-1]


def test_a_program_from_outside_paints_sequences(rng):
    class Inverse(Program):
        name = "inverse"

        def paint(self, canvas, stroke, background):
            return 1 - canvas

    canvas, actions = some(rng, count=3, dtype=np.float32)
    np.testing.assert_allclose(paint_sequence(canvas, actions, Inverse()), 1 - canvas, atol=1e-6)
    with pytest.raises(ValueError, match="'inverse' has no exact gradient"):
        paint_sequence_vjp(canvas, actions, Inverse())


def test_no_strokes_and_no_ink(rng):
    canvas, actions = some(rng, dtype=np.float32)
    np.testing.assert_array_equal(paint_sequence(canvas, actions[:, :0]), canvas)
    actions[..., 6::3] = -1  # no pressure
    painted, back = paint_sequence_vjp(canvas, actions)
    np.testing.assert_array_equal(painted, canvas)
    by_canvas, by_actions = back(np.ones_like(canvas))
    assert (by_canvas == 1).all()
    assert np.isfinite(by_actions).all()


@pytest.mark.parametrize(
    ("canvas", "actions", "kwargs", "error", "message"),
    [
        ((2, 3, 16, 16), (2, 4, 50), {}, ValueError, r"expected actions \[2, N, 52\], got"),
        ((2, 3, 16, 16), (1, 4, 52), {}, ValueError, r"expected actions \[2, N, 52\], got"),
        ((3, 16, 16), (1, 4, 52), {}, ValueError, "expected canvases"),
        ((1, 1, 16, 16), (1, 4, 50), {"accuracy": "fine"}, ValueError, "one of exact, draft"),
        ((1, 1, 16, 16), (1, 4, 50), {"brush": "crayon"}, ValueError, "unknown brush"),
    ],
)
def test_refused(canvas, actions, kwargs, error, message):
    for kind in (np.zeros, torch.zeros):
        with pytest.raises(error, match=message):
            paint_sequence(kind(canvas), kind(actions), **kwargs)


def test_values_that_are_refused():
    good = np.zeros((1, 1, 16, 16), np.float32), np.zeros((1, 2, 50), np.float32)
    for kind in (lambda a: a, torch.from_numpy):
        with pytest.raises(ValueError, match="actions must be finite"):
            paint_sequence(kind(good[0]), kind(good[1] * np.nan))
        with pytest.raises(ValueError, match="canvas must be in 0 … 1, got 2"):
            paint_sequence(kind(good[0] + 2), kind(good[1]))
        with pytest.raises(TypeError, match="must hold floating-point numbers"):
            paint_sequence(kind(good[0].astype(np.uint8)), kind(good[1]))
