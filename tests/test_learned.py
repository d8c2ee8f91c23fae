"""The learned generators, their features and their data."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from strokenet_gym.programs.learned import (
    CompactGenerator,
    PaperGenerator,
    load_generator,
    save_generator,
)
from strokenet_gym.programs.learned.features import resample, survey
from strokenet_gym.programs.learned.paper import gaussian_dots
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.programs.three_body import simulate, three_body_strokes, uniform_strokes
from strokenet_gym.stroke import Stroke

PENCIL = BRUSHES["pencil"]


def tensors(stroke):
    return Stroke(*map(torch.from_numpy, stroke))


@pytest.fixture(scope="module")
def compact():
    return load_generator("compact")


def test_three_body_energy_and_momentum(rng):
    mass = rng.uniform(0.5, 2, (20, 3))
    position, velocity = rng.normal(0, 1, (2, 20, 3, 3))
    x, v = simulate(position, velocity, mass, 0.002, 2000)
    kinetic = 0.5 * (mass * (v**2).sum(-1)).sum(-1)
    potential = 0
    for i, j in ((0, 1), (0, 2), (1, 2)):
        squared = ((x[:, :, i] - x[:, :, j]) ** 2).sum(-1)
        potential = potential - mass[:, i] * mass[:, j] / np.sqrt(squared + 0.3**2)
    energy = kinetic + potential
    drift = np.abs(energy - energy[0]).max(0) / (np.abs(kinetic[0]) + np.abs(potential[0]))
    assert drift.max() < 1e-3
    momentum = np.einsum("tbik,bi->tbk", v, mass)
    np.testing.assert_allclose(momentum, momentum[:1].repeat(2001, 0), atol=1e-9)


@pytest.mark.parametrize("sample", [three_body_strokes, uniform_strokes])
def test_samples_are_in_range_and_repeat(sample):
    a, b = (sample(np.random.default_rng(3), 500, channels=3) for _ in range(2))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.dtype == np.float32
    assert a.colour.shape == (500, 3)
    assert a.position.shape == (500, 16, 2)
    assert np.abs(a.position).max() <= 1
    assert 0 <= a.pressure.min() < 0.1
    assert 0.9 < a.pressure.max() <= 1
    assert 0.002 <= a.radius.min() < 0.0025
    assert 0.12 < a.radius.max() <= 0.12501


def test_three_body_strokes_are_smooth(rng):
    def turning(stroke):
        step = np.diff(stroke.position, axis=1)
        return np.mean((step[:, 1:] * step[:, :-1]).sum(-1) > 0)

    assert turning(three_body_strokes(rng, 200)) > 0.9
    assert turning(uniform_strokes(rng, 200)) < 0.5


def test_points_lie_on_the_spline_that_the_program_draws(rng):
    stroke = three_body_strokes(rng, 20)._replace(pressure=np.ones((20, 16), np.float32))
    drawn = PENCIL.draw(stroke, 128)
    flipped = np.stack([1 + stroke.position[..., 0], 1 - stroke.position[..., 1]], -1)
    points = torch.from_numpy(flipped * 64)
    pressure, radius = torch.ones(20, 16), torch.full((20,), 2.0)
    counts, box = survey(points, pressure, radius, 0.1, 1000)
    path = resample(points, pressure, radius, counts)
    for i in range(20):  # length, against the polygon of the points
        inner = path.position[i, 1:-1][path.length[i, 1:-1] > 0]
        assert len(inner) == counts[i].sum()
        polygon = (inner[1:] - inner[:-1]).norm(dim=-1).sum()
        assert path.length[i, 1:-1].sum() == pytest.approx(polygon.item(), rel=0.05, abs=0.5)
    for i in range(20):
        x, y = path.position[i].numpy().astype(int).clip(0, 127).T
        visible = stroke.radius[i] * 64 > 1.5
        assert not visible or drawn[i, y, x].min() > 0.5
    assert (path.position.amin(1) >= box[:, :2] - 0.5).all()
    assert (path.position.amax(1) <= box[:, 2:] + 0.5).all()


@pytest.mark.parametrize(("sample", "size"), [
    (three_body_strokes, 64), (three_body_strokes, 128), (three_body_strokes, 256),
    (uniform_strokes, 128),
])  # fmt: skip
def test_imitates_the_program(compact, sample, size):
    stroke = sample(np.random.default_rng(10**7), 60)
    truth = PENCIL.draw(stroke, size)
    with torch.no_grad():
        prediction = compact(tensors(stroke), size).numpy()
    error = ((prediction - truth) ** 2).sum() / (truth**2).sum()
    assert error < 0.02, "far above what evaluate.py measures, far below a blank prediction's 1"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", ["compact", "paper"])
def test_other_precisions(name, kind, rng):
    """Those of the weights, and those of the strokes: the network draws in single precision."""
    plain, network = load_generator(name), load_generator(name).to(kind)
    close = 1e-3 if kind == torch.bfloat16 else 1e-6
    stroke = tensors(three_body_strokes(rng, 3))
    expected = plain(stroke, 64)
    opacity = network(stroke, 64)
    assert opacity.dtype == torch.float32
    assert (opacity - expected).square().mean() < close
    opacity = network(Stroke(*(field.to(kind) for field in stroke)), 64)
    assert opacity.dtype == kind
    assert (opacity.float() - expected).square().mean() < 1e-3
    env = gym.make("NeuralPainting-v0", canvas_size=32, generator=network, max_strokes=9)
    env.reset(seed=0)
    for action in (torch.zeros(50, dtype=kind), torch.zeros(50), np.zeros(50, np.float16)):
        if isinstance(action, torch.Tensor):
            action.requires_grad_()
        reward = env.step(action)[1]
        if isinstance(action, torch.Tensor):
            reward.backward()
            assert action.grad.dtype == action.dtype
            assert action.grad.isfinite().all()
            env.unwrapped.detach()


def test_weights_in_half_precision_learn(rng):
    network = CompactGenerator().half()
    network(tensors(three_body_strokes(rng, 2)), 32).mean().backward()
    assert all(w.grad.dtype == torch.float16 for w in network.parameters())
    assert any(w.grad.any() for w in network.parameters())


def test_any_canvas_size(compact, rng):
    stroke = tensors(three_body_strokes(rng, 3))
    for size in (16, 33, 100, 512):
        assert compact(stroke, size).shape == (3, size, size)


def test_grouping_does_not_change_the_picture(compact, rng):
    """Strokes are drawn in windows and groups, in order of their extent; nobody may notice."""
    stroke = tensors(uniform_strokes(rng, 20))._replace(radius=torch.linspace(0.002, 0.125, 20))
    with torch.no_grad():
        together = compact(stroke, 64)
        for i in range(20):
            alone = compact(Stroke(*(field[i : i + 1] for field in stroke)), 64)
            torch.testing.assert_close(together[i], alone[0], atol=1e-4, rtol=0)


def test_no_ink_without_pressure_and_off_the_path(compact):
    stroke = tensors(three_body_strokes(np.random.default_rng(0), 4))
    with torch.no_grad():
        lifted = compact(stroke._replace(pressure=torch.zeros(4, 16)), 64)
        small = compact(stroke._replace(position=stroke.position * 0.2 + 0.7), 64)
    assert lifted.max() < 0.02
    assert small[:, 40:, :20].max() < 1e-3


def test_degenerate_strokes_have_finite_gradients(compact):
    for position in (torch.zeros(1, 16, 2), torch.ones(1, 16, 2), torch.full((1, 16, 2), 3.0)):
        for pressure in (0.0, 1e-6, 1.0):
            stroke = Stroke(
                torch.ones(1, 1),
                torch.tensor([0.002], requires_grad=True),
                position.clone().requires_grad_(),
                torch.full((1, 16), pressure, requires_grad=True),
            )
            compact(stroke, 32).sum().backward()
            for field in stroke[1:]:
                assert torch.isfinite(field.grad).all()


def test_weights_are_frozen_and_survive_a_file(compact, tmp_path, rng):
    assert not any(p.requires_grad for p in compact.parameters())
    assert not compact.training
    file = tmp_path / "copy.safetensors"
    save_generator(compact, file, "pencil")
    copy = load_generator(file)
    assert copy.imitates == PENCIL
    stroke = tensors(three_body_strokes(rng, 3))
    torch.testing.assert_close(copy(stroke, 32), compact(stroke, 32))


def test_gaussian_dots():
    centre = torch.tensor([[(40.5 / 32) - 1, 1 - (10.5 / 32)]])  # of the pixel in column 40, row 10
    dots = gaussian_dots(centre)[0]
    assert dots[10, 40] == pytest.approx(1)
    assert dots[10, 41] == pytest.approx(np.exp(-0.5))
    assert dots[11, 41] == pytest.approx(np.exp(-1))
    assert dots.sum() == pytest.approx(2 * np.pi, rel=1e-3)


def test_shipped_paper_generator():
    paper = load_generator("paper")
    position = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (200, 2))).float()
    with torch.no_grad():
        dots, truth = paper.dots(position), gaussian_dots(position)
        assert (dots - truth).square().sum() < 0.5 * truth.square().sum()
        stroke = three_body_strokes(np.random.default_rng(10**7), 20)
        for size in (128, 256):
            drawn = PENCIL.draw(stroke, size)
            prediction = paper(tensors(stroke), size).numpy()
            assert 0 <= prediction.min() <= prediction.max() <= 1
            assert ((prediction - drawn) ** 2).sum() < 0.5 * (drawn**2).sum()


def test_paper_generator_serves_any_size_and_has_gradients(rng):
    paper = PaperGenerator(width=8, hidden=16).eval()
    stroke = Stroke(*(field.requires_grad_() for field in tensors(three_body_strokes(rng, 2))))
    for size in (16, 100, 256, 300):
        assert paper(stroke, size).shape == (2, size, size)
    paper.train()(stroke, 64).sum().backward()
    for field in stroke[1:]:
        assert field.grad.abs().max() > 0


def test_paper_generator_survives_a_file(tmp_path, rng):
    paper = PaperGenerator(width=8, hidden=16).eval()
    paper.each[1].num_batches_tracked.fill_(100_000)  # more than half precision has
    file = tmp_path / "paper.safetensors"
    save_generator(paper, file, "pencil")
    copy = load_generator(file)
    assert copy.each[1].num_batches_tracked == 100_000
    assert copy.sizes == {"width": 8, "hidden": 16}
    stroke = tensors(three_body_strokes(rng, 2))
    with torch.no_grad():  # the file is in half precision
        torch.testing.assert_close(copy(stroke, 64), paper(stroke, 64), atol=2e-3, rtol=0)


def test_bad_weight_files(tmp_path):
    with pytest.raises(ValueError, match="unknown generator 'papr'"):
        load_generator("papr")
    file = tmp_path / "bad.safetensors"
    file.write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"bad\.safetensors is damaged"):
        load_generator(file)
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="does not hold a generator"):
        load_generator(file)
    generator = CompactGenerator(blobs=3)
    generator.sizes["blobs"] = 4  # the file will claim other sizes than it holds
    save_generator(generator, file, "pencil")
    with pytest.raises(ValueError, match=r"another version: .* size mismatch for brush\.4"):
        load_generator(file)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda():
    with pytest.raises(ValueError, match="device 'cuda'"):
        gym.make("NeuralPainting-v0", device="cuda")


def test_a_learned_brush_blends_as_it_says(tmp_path):
    file = tmp_path / "watercolour.safetensors"
    save_generator(CompactGenerator(), file, "watercolour")
    env = gym.make("NeuralPainting-v0", generator=file, brush="watercolour", background=0.5)
    env.reset(seed=0)
    action = np.r_[0.0, 1.0, np.tile([0, 0, 1.0], 16)].astype(np.float32)  # grey, a large dot
    painted = env.unwrapped.paint(np.full((1, 128, 128), 0.5, np.float32), action)
    assert 0.24 < painted.min() < 0.45
    assert painted.max() == pytest.approx(0.5, abs=0.01)
