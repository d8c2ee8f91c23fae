"""The StrokeNet agent."""

import resource

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from strokenet_gym.agents import AGENTS, StrokeNetAgent, TracingAgent, load_agent, neighbour_penalty
from strokenet_gym.programs.learned import CompactGenerator, load_generator, save_generator
from strokenet_gym.stroke import unpack
from strokenet_gym.targets import make_targets


def observation(channels=1, size=48, batch=3):
    sides = size if isinstance(size, tuple) else (size, size)
    return {
        "canvas": torch.rand(batch, channels, *sides),
        "target": torch.rand(batch, channels, *sides),
        "strokes_left": torch.ones(batch, 1),
    }


AGENT_CLASSES = [StrokeNetAgent, TracingAgent]


@pytest.mark.parametrize("cls", AGENT_CLASSES)
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 64), (1, 200), (1, (48, 64))])
def test_actions_are_in_bounds(cls, channels, size):
    action = cls(channels, input_size=64, width=8, hidden=32)(observation(channels, size))
    assert action.shape == (3, channels + 49)
    assert action.abs().max() <= 1


PRECISIONS = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float64: 1e-5}  # and how close


@pytest.mark.parametrize("kind", PRECISIONS)
@pytest.mark.parametrize("name", ["glyphs", "kanjivg"])
def test_agents_in_other_precisions(name, kind):
    """Those of the weights, and those of the observation."""
    plain, agent = load_agent(name), load_agent(name).to(kind)
    env = gym.make("DifferentiablePainting-v0", canvas_size=128, as_tensor=True, max_strokes=2)
    seen = {key: value[None] for key, value in env.reset(seed=0)[0].items()}
    expected = plain(seen)
    action = agent(seen)
    assert action.dtype == torch.float32
    torch.testing.assert_close(action, expected, rtol=0, atol=PRECISIONS[kind])
    action.sum().backward()
    assert all(w.grad is None or w.grad.dtype == kind for w in agent.parameters())
    assert any(w.grad is not None and w.grad.any() for w in agent.parameters())
    action = plain({key: value.to(kind) for key, value in seen.items()})
    assert action.dtype == kind
    torch.testing.assert_close(action.float(), expected, rtol=0, atol=4 * PRECISIONS[kind])
    pixels = gym.make("Painting-v0", canvas_size=128, max_strokes=2).reset(seed=0)[0]
    assert agent.act(pixels).dtype == np.float32
    np.testing.assert_allclose(agent.act(pixels), plain.act(pixels), atol=PRECISIONS[kind])


def test_parts_of_an_agent_in_half_precision():
    plain, agent = load_agent("glyphs"), load_agent("glyphs").half()
    seen = observation()
    torch.testing.assert_close(
        agent.decode(agent.encode(seen).float()).float(), plain(seen), rtol=0, atol=5e-3
    )


def test_first_strokes_are_visible_and_spread():
    stroke = unpack(StrokeNetAgent()(observation()), 1)
    assert stroke.pressure.min() > 0.5
    assert stroke.colour.min() > 0.5
    assert (stroke.position[:, 0, 1] - stroke.position[:, -1, 1]).min() > 0.4  # top to bottom


@pytest.mark.parametrize("size", [64, 128, 256])
def test_tracing_starts_with_a_dab_where_most_is_missing(size):
    """Two dots, one of them painted already: the first stroke covers the other, in its grey."""
    target, canvas = torch.zeros(2, 1, 1, size, size)
    dot = size // 16
    target[..., size // 4 : size // 4 + dot, size // 2 : size // 2 + dot] = 0.75  # upper half
    target[..., -dot - 8 : -8, 8 : 8 + dot] = canvas[..., -dot - 8 : -8, 8 : 8 + dot] = 1
    seen = {"target": target, "canvas": canvas, "strokes_left": torch.ones(1, 1)}
    stroke = unpack(TracingAgent()(seen), 1)
    dot_centre = torch.tensor([dot / size, 0.5 - dot / size])
    torch.testing.assert_close(stroke.position.mean(1)[0], dot_centre, atol=0.03, rtol=0)
    assert stroke.position.std(1).max() < 0.05
    assert stroke.colour.item() == pytest.approx(0.75, abs=0.1)
    assert stroke.pressure.min() > 0.5


def test_tracing_sees_wrong_colours():
    """A red square that was painted in an equally bright green is missing still."""
    target, canvas = torch.full((2, 1, 3, 64, 64), 0.5)
    target[:, :, 8:16, 40:48] = torch.tensor([1.0, 0.0, 0.5])[:, None, None]
    canvas[:, :, 8:16, 40:48] = torch.tensor([0.0, 1.0, 0.5])[:, None, None]
    target[:, :, 48:50, 8:10] = 0.6
    place = TracingAgent(channels=3, input_size=64).place(target, canvas)
    torch.testing.assert_close(place, torch.tensor([[0.375, 0.625]]), atol=0.1, rtol=0)


def test_tracing_moves_with_the_picture():
    """A line elsewhere is drawn by the same stroke, elsewhere."""
    torch.manual_seed(0)
    agent = TracingAgent(width=8, hidden=32)
    agent.think[0].weight.data[:, -2:] = 0  # the place itself is an input too
    target = torch.zeros(2, 1, 128, 128)
    target[0, 0, 60:64, 50:70] = target[1, 0, 76:80, 66:86] = 1
    blank = torch.zeros_like(target)
    action = agent({"target": target, "canvas": blank, "strokes_left": torch.ones(2, 1)})
    one, other = unpack(action, 1).position
    torch.testing.assert_close(other - one, torch.tensor([0.25, -0.25]).expand(16, 2))


@pytest.mark.parametrize("cls", AGENT_CLASSES)
def test_gradients_reach_every_weight(cls):
    agent = cls(width=4, hidden=16)
    agent(observation()).square().sum().backward()
    for name, weight in agent.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cls", AGENT_CLASSES)
@pytest.mark.parametrize("channels", [1, 3])
def test_acts_in_both_environments(cls, channels):
    agent = cls(channels, width=4, hidden=16).eval()
    for env_id in ("Painting-v0", "NeuralPainting-v0"):
        kwargs = {"canvas_size": 32, "channels": channels}
        env = gym.make(env_id, **kwargs)
        seen, _ = env.reset(seed=0)
        action = agent.act(seen)
        assert env.action_space.contains(action)
        env.step(action)
        envs = gym.make_vec(env_id, num_envs=3, **kwargs)
        seen, _ = envs.reset(seed=0)
        actions = agent.act(seen)
        assert envs.action_space.contains(actions)
        np.testing.assert_allclose(actions[0], action, atol=1e-5)


def test_penalty():
    anchors = torch.zeros(1, 16, 3)
    anchors[0, 8:, 0] = 0.5  # one jump of 0.5 in fifteen
    action = torch.cat([torch.zeros(1, 2), anchors.flatten(1)], 1)
    assert neighbour_penalty(action).item() == pytest.approx(0.25 / 15)


@pytest.mark.parametrize("cls", AGENT_CLASSES)
def test_survives_a_file(cls, tmp_path):
    agent = cls(3, input_size=32, width=4, hidden=16).eval()
    agent.save(tmp_path / "agent.safetensors")
    copy = load_agent(tmp_path / "agent.safetensors")
    assert type(copy) is cls
    assert copy.sizes == agent.sizes
    seen = observation(3)
    torch.testing.assert_close(copy(seen), agent(seen), atol=5e-3, rtol=0)  # half precision


@pytest.mark.parametrize("agent", ["glyphs", "planner"])
@pytest.mark.parametrize(
    "seen",
    [
        {}, {"canvas": np.zeros((1, 32, 32), np.uint8)}, None, np.zeros((1, 32, 32)),
        {"canvas": [[0]], "target": [[0]], "strokes_left": [1]},
        {name: np.ones(1) for name in ("canvas", "target", "strokes_left")},
        {"canvas": np.zeros((1, 32, 32)), "target": np.zeros((1, 16, 16)), "strokes_left": [1.0]},
        {"canvas": np.zeros((2, 1, 9, 9)), "target": np.zeros((2, 1, 9, 9)), "strokes_left": [1.0]},
    ],
)  # fmt: skip
def test_observations_that_lack_something(agent, seen):
    with pytest.raises(ValueError, match=r"(observation|canvas and target) .* got"):
        load_agent(agent).act(seen)


@pytest.mark.parametrize("kind", ["agent", "generator"])
def test_a_disk_that_is_full(tmp_path, kind):
    """What was there stays, and nothing else does."""
    file = tmp_path / "weights.safetensors"
    save = (
        StrokeNetAgent(width=4).save
        if kind == "agent"
        else lambda path: save_generator(CompactGenerator(), path, "pencil")
    )
    save(file)
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_bytes() == before
    load_agent(file) if kind == "agent" else load_generator(file)


def test_bad_files(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"unknown agent 'cat': neither one of glyphs, kanjivg, mnist, mnist-3, mnist-neural",
    ):
        load_agent("cat")
    file = tmp_path / "bad.safetensors"
    file.write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"bad\.safetensors is damaged"):
        load_agent(file)
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="does not hold an agent"):
        load_agent(file)
    save_file({"x": torch.zeros(1)}, file, {"architecture": "strokenet", "width": "4"})
    with pytest.raises(ValueError, match="of another version"):
        load_agent(file)


@pytest.mark.parametrize("name", AGENTS)
def test_shipped_agents_paint(name, request):
    """Far better than a blank canvas, on the real program, on targets not trained on."""
    targets, agent = name.partition("-")[0], load_agent(name)
    folder = None if targets == "glyphs" else request.getfixturevalue("data_dir")
    source = make_targets(targets, 128, folder, "test")
    envs = gym.make_vec("Painting-v0", num_envs=32, targets=source, max_strokes=agent.max_strokes)
    seen, _ = envs.reset(seed=10**6)
    for _ in range(agent.max_strokes):
        seen, _, _, _, info = envs.step(agent.act(seen))
    assert info["residual"].mean() < 0.35
