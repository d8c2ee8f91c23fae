"""The exact derivative of the painting program, against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strokenet_gym import paint_sequence
from strokenet_gym.programs.stamped import BRUSHES, Brush
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

PENCIL = BRUSHES["pencil"]
BRUSH_VARIANTS = [
    PENCIL,
    Brush(edge=1, pressure_size=0.5, pressure_opacity=1.5, opacity=0.6),
    Brush(edge=0.2, density=3, pressure_size=0),
    BRUSHES["watercolour"],
    BRUSHES["chalk"],
]


def tensors(stroke, dtype=torch.float64):
    """A stroke as leaves of a graph, its pressure away from the kinks at 0."""
    stroke = stroke._replace(pressure=np.clip(stroke.pressure, 0.05, 1))
    return Stroke(*(torch.from_numpy(f).to(dtype).requires_grad_() for f in stroke))


def pictures(count, channels, size, dtype=torch.float64):
    """A canvas, a target, and smooth random weights for a loss, which pixel noise is not."""
    canvas, target = torch.rand(2, count, channels, size, size, dtype=torch.float64)
    weights = torch.randn(count, channels, size // 8, size // 8, dtype=torch.float64)
    weights = torch.nn.functional.interpolate(weights, (size, size), mode="bicubic")
    return canvas.to(dtype).requires_grad_(), target.to(dtype), weights.to(dtype)


def loss(brush, canvas, target, weights, stroke):
    """Depends on all that a step returns; one number for each stroke."""
    painted, change = brush.paint_tensors(canvas, target, stroke)
    per_pixel = (painted * weights).mean((1, 2, 3))
    return per_pixel + 2 * change[:, 0] + change[:, 1]


@pytest.mark.parametrize("brush", BRUSH_VARIANTS)
@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 20)])
def test_gradcheck(brush, channels, size):
    """Every component of a few strokes and their canvases."""
    stroke = tensors(three_body_strokes(np.random.default_rng(1), 3, channels))
    # From thinner than a pixel to so large that the kernels treat it differently.
    stroke = stroke._replace(radius=torch.tensor([0.02, 0.3, 0.9]).double().requires_grad_())
    canvas, target, weights = pictures(3, channels, size)

    def work(canvas, *fields):
        return loss(brush, canvas, target, weights, Stroke(*fields))

    assert torch.autograd.gradcheck(work, (canvas, *stroke), eps=1e-7, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("brush", BRUSH_VARIANTS)
def test_directional_derivatives_in_float32(rng, brush):
    """200 strokes, all numbers at once: float32 gradients against float64 differences."""
    stroke = three_body_strokes(rng, 160), uniform_strokes(rng, 40)
    stroke = Stroke(*(np.concatenate(fields) for fields in zip(*stroke, strict=True)))
    stroke = stroke._replace(pressure=np.clip(stroke.pressure, 0.05, 1))
    exact = Stroke(*(torch.from_numpy(f).double() for f in stroke))
    single = tensors(stroke, torch.float32)
    canvas, target, weights = pictures(200, 1, 64)
    single_pictures = (p.detach().float() for p in (canvas, target, weights))
    loss(brush, *single_pictures, single).sum().backward()

    direction = [torch.from_numpy(rng.normal(size=f.shape)) * 1e-6 for f in exact]
    direction[1] *= exact.radius
    with torch.no_grad():
        ahead, behind = (
            loss(
                brush, canvas, target, weights,
                Stroke(*(f + sign * d for f, d in zip(exact, direction, strict=True))),
            )
            for sign in (1, -1)
        )  # fmt: skip
    difference = (ahead - behind) / 2
    derivative = sum(
        (field.grad.double() * d).reshape(200, -1).sum(1)
        for field, d in zip(single, direction, strict=True)
    )
    error = (derivative - difference).abs() / (difference.abs() + 1e-12)
    assert error.median() <= 1e-3
    assert error.quantile(0.8) <= 2e-2  # the rest crosses kinks or nearly cancels


def test_gradient_without_the_canvas_or_the_picture(rng):
    """Each result has a gradient of its own, and nobody need ask for all of them."""
    stroke = tensors(three_body_strokes(rng, 4))
    canvas, target, weights = pictures(4, 1, 32)
    together = torch.autograd.grad(
        loss(PENCIL, canvas, target, weights, stroke).sum(), (canvas, *stroke)
    )
    total = [torch.zeros_like(t) for t in together]
    for part in range(2):
        painted, change = PENCIL.paint_tensors(canvas, target, stroke)
        picture = (painted * weights).mean((1, 2, 3)).sum()
        value = picture if part == 0 else (2 * change[:, 0] + change[:, 1]).sum()
        for t, g in zip(total, torch.autograd.grad(value, (canvas, *stroke)), strict=True):
            t += g
    for t, g in zip(total, together, strict=True):
        torch.testing.assert_close(t, g)
    value = loss(PENCIL, canvas.detach(), target, weights, stroke).sum()
    for a, b in zip(torch.autograd.grad(value, stroke), together[1:], strict=True):
        torch.testing.assert_close(a, b)


def test_batch_gradients_are_the_same_as_one_by_one(rng):
    stroke = tensors(uniform_strokes(rng, 20), torch.float32)
    pics = [p.detach() for p in pictures(20, 1, 32, torch.float32)]
    together = torch.autograd.grad(loss(PENCIL, *pics, stroke).sum(), stroke)
    for i in range(20):
        one = [p[i : i + 1] for p in pics]
        alone = Stroke(*(f[i : i + 1] for f in stroke))
        for a, b in zip(
            torch.autograd.grad(loss(PENCIL, *one, alone).sum(), stroke), together, strict=True
        ):
            torch.testing.assert_close(a[i], b[i])


def test_opacity_map_is_the_one_that_draw_gives(rng):
    stroke = tensors(three_body_strokes(rng, 10), torch.float32)
    exact = PENCIL.draw_tensors(stroke, 48)
    wanted = PENCIL.draw(Stroke(*(f.detach().numpy() for f in stroke)), 48)
    np.testing.assert_allclose(exact.detach().numpy(), wanted, atol=1e-6)


def test_more_pressure_radius_and_colour_bring_more_ink(rng):
    """Signs that need no finite differences."""
    stroke = tensors(three_body_strokes(rng, 30), torch.float32)
    blank = torch.zeros(30, 1, 64, 64)
    painted, _ = PENCIL.paint_tensors(blank, blank, stroke)
    painted.sum().backward()
    assert stroke.colour.grad.min() >= 0
    assert stroke.radius.grad.min() >= 0
    assert (stroke.pressure.grad.sum(1) >= 0).all()


def test_moving_a_dot_moves_its_gradient():
    """A dot left of and below a bright spot is pulled to the right and up: y points up."""
    target = torch.zeros(1, 1, 64, 64)
    target[:, :, 20:24, 44:48] = 1  # x = 0.44, y = 0.31
    position = torch.full((1, NUM_ANCHORS, 2), 0.35)
    position[..., 1] = 0.22
    position.requires_grad_()
    stroke = Stroke(torch.ones(1, 1), torch.tensor([0.12]), position, torch.ones(1, NUM_ANCHORS))
    _, change = PENCIL.paint_tensors(torch.zeros_like(target), target, stroke)
    change[0, 0].backward()
    pull = -position.grad.sum(1)[0]
    assert pull[0] > 0
    assert pull[1] > 0


@settings(max_examples=200)
@given(
    position=arrays(
        np.float32, (NUM_ANCHORS, 2), elements=st.sampled_from([-1.0, 0.0, 1e-9, 0.5, 1.0, 50.0])
    ),
    pressure=arrays(
        np.float32, NUM_ANCHORS, elements=st.sampled_from([0.0, 1e-18, 0.01, 0.5, 1.0])
    ),
    radius=st.sampled_from([0.002, 0.03, 0.125]),
    brush=st.sampled_from(
        [PENCIL, Brush(opacity=0.001), Brush(pressure_size=0, pressure_opacity=0)]
    ),
    colour=st.sampled_from([0.0, 1.0]),
)
def test_degenerate_strokes_have_finite_gradients(position, pressure, radius, brush, colour):
    """Coincident anchors, no pressure, off the canvas, saturated opacity, the bounds of radius."""
    stroke = Stroke(
        torch.full((1, 1), colour),
        torch.tensor([radius]),
        torch.from_numpy(position)[None].clone(),
        torch.from_numpy(pressure)[None].clone(),
    )
    stroke = Stroke(*(f.requires_grad_() for f in stroke))
    canvas = torch.linspace(0, 1, 32 * 32).reshape(1, 1, 32, 32).requires_grad_()
    painted, change = brush.paint_tensors(canvas, canvas.detach(), stroke)
    (painted.sum() + change.sum()).backward()
    for tensor in (canvas, *stroke):
        assert torch.isfinite(tensor.grad).all()
    # Anchors on one spot may pull hard, but not without bounds.
    assert stroke.position.grad.abs().max() < 1e7


def test_nan_paints_nothing(rng):
    """A network that has diverged may not write all over the memory."""
    stroke = tensors(three_body_strokes(rng, 8), torch.float32)
    blank = torch.zeros(8, 1, 32, 32)
    for spoilt in (
        {"position": stroke.position * torch.nan},
        {"radius": stroke.radius * torch.nan},
    ):
        painted, _ = PENCIL.paint_tensors(blank, blank, stroke._replace(**spoilt))
        assert painted.sum() == 0


def test_scratch_is_left_clean(rng):
    stroke = tensors(uniform_strokes(rng, 20), torch.float32)
    pics = pictures(20, 1, 32, torch.float32)
    first = torch.autograd.grad(loss(PENCIL, *pics, stroke).sum(), stroke)
    other = tensors(uniform_strokes(rng, 20), torch.float32)
    torch.autograd.grad(loss(PENCIL, *pics, other).sum(), other)
    for a, b in zip(
        torch.autograd.grad(loss(PENCIL, *pics, stroke).sum(), stroke), first, strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_no_second_derivative(rng):
    stroke = tensors(three_body_strokes(rng, 1))
    canvas, target, weights = pictures(1, 1, 16)
    (by,) = torch.autograd.grad(
        loss(PENCIL, canvas, target, weights, stroke).sum(), stroke.radius, create_graph=True
    )
    with pytest.raises(RuntimeError, match="there are first derivatives"):
        by.sum().backward()


@pytest.mark.parametrize(("eps", "passes"), [(1e-6, False), (1e-7, True), (1e-8, True)])
def test_kinks_fail_gradcheck_at_its_usual_step(eps, passes):
    """A difference across a kink mixes both sides: docs/gradients.md says which step to take."""
    torch.manual_seed(19)
    canvas = torch.full((1, 1, 16, 16), 0.2, dtype=torch.float64)
    actions = torch.empty(1, 1, 50, dtype=torch.float64).uniform_(-0.9, 0.9).requires_grad_()
    weight = torch.rand(1, 1, 16, 16, dtype=torch.float64)

    def work(actions):
        return (paint_sequence(canvas, actions) * weight).mean()

    assert torch.autograd.gradcheck(work, actions, eps=eps, raise_exception=False) is passes
