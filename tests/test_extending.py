"""What comes from outside the package: docs/extending.md, and what its page promises of it."""

import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import ROOT
from gymnasium.utils.env_checker import check_env

from strokenet_gym import (
    BLENDS,
    BRUSHES,
    Agent,
    Brush,
    Program,
    RecordStrokes,
    StrokeLog,
    export,
    load_agent,
    load_generator,
    load_program,
    paint_sequence,
    paint_sequence_vjp,
    removal_costs,
    save_generator,
)
from strokenet_gym.agents import ARCHITECTURES
from strokenet_gym.envs import REWARDS
from strokenet_gym.exports import FORMATS
from strokenet_gym.programs.learned import CompactGenerator
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.targets import DATA_SETS


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The names that the page's blocks define; the tables are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    known = BRUSHES, BLENDS, DATA_SETS, REWARDS, ARCHITECTURES, FORMATS, gym.registry
    tables = [(table, dict(table)) for table in known]
    text = (ROOT / "docs" / "extending.md").read_text()
    names = {"__name__": "extending"}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M):
        exec(block, names)
    yield names
    for table, before in tables:
        table.clear()
        table.update(before)


def test_every_block_of_the_page_runs(page, tmp_path):
    assert {"flat", "exclusion", "doodles", "darkness", "mean", ".txt"} <= {
        *BRUSHES, *BLENDS, *DATA_SETS, *REWARDS, *ARCHITECTURES, *FORMATS
    }  # fmt: skip
    assert (tmp_path / "strokes.txt").read_text() == "1 strokes\n"
    doodles = DATA_SETS["doodles"]("data", size=16, select=["cat"])
    assert set(doodles.labels) == {"cat"}
    assert BRUSHES["flat"] == load_program("flat.json")


def test_a_program_from_outside_paints(page, tmp_path):
    """Single, batched, recorded, replayed, exported."""
    program = page["Polylines"]()
    kwargs = {"brush": program, "max_strokes": 3, "channels": 3, "canvas_size": 48}
    check_env(gym.make("Painting-v0", **kwargs).unwrapped)
    envs = gym.make_vec("Painting-v0", num_envs=3, **kwargs)
    singles = [gym.make("Painting-v0", **kwargs) for _ in range(3)]
    envs.reset(seed=5)
    envs.action_space.seed(0)
    for i, env in enumerate(singles):
        env.reset(seed=5 + i)
    for _ in range(4):  # through the autoreset
        actions = envs.action_space.sample()
        observation, rewards, _, _, info = envs.step(actions)
        if info["stroke"][0] == 0:
            break
        for i, env in enumerate(singles):
            one, reward, *_, one_info = env.step(actions[i])
            np.testing.assert_array_equal(one["canvas"], observation["canvas"][i])
            assert reward == pytest.approx(rewards[i], abs=1e-6)
            assert one_info["l2"] == pytest.approx(info["l2"][i], abs=1e-6)
        assert observation["canvas"].std() > 0
        error = (observation["canvas"] / 255.0 - observation["target"] / 255.0) ** 2
        np.testing.assert_allclose(info["l2"], error.mean((1, 2, 3)), atol=2e-3)

    recorder = RecordStrokes(gym.make("Painting-v0", **kwargs), tmp_path / "kept")
    recorder.reset(seed=0)
    for _ in range(3):
        observation, *_ = recorder.step(recorder.action_space.sample())
    file = tmp_path / "kept" / "strokes-00000.json"
    with pytest.raises(ValueError, match=r"'extending:Polylines' is not at hand, .* pass brush="):
        StrokeLog.load(file)
    log = StrokeLog.load(file, brush=program)
    np.testing.assert_array_equal(np.uint8(log.replay() * 255 + 0.5), observation["canvas"])
    export(log, tmp_path / "a.png", 64)
    export(log, tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"SVG needs the shapes of strokes.*'polylines'"):
        export(log, tmp_path / "a.svg")


def test_a_program_without_a_gradient_is_refused(page):
    sentence = (
        r"'polylines' has no exact gradient: paint with it in Painting-v0, or train a network"
    )
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=sentence):
            make("DifferentiablePainting-v0", brush=page["Polylines"]())
        with pytest.raises(ValueError, match="has no gradient: paint with it in Painting-v0"):
            make("NeuralPainting-v0", generator=page["Polylines"]())


def test_a_program_from_outside_has_a_twin(page, tmp_path):
    """Its opacity is what networks learn, and their file says what they imitate."""
    program = page["Polylines"]()
    alpha = program.draw(three_body_strokes(np.random.default_rng(0), 5), 32)
    assert alpha.shape == (5, 32, 32)
    assert set(np.unique(alpha)) == {0.0, 1.0}
    save_generator(CompactGenerator(), tmp_path / "twin.safetensors", program)
    twin = load_generator(tmp_path / "twin.safetensors")
    assert twin.imitates.name == "polylines"
    env = gym.make("NeuralPainting-v0", generator=twin, brush=program, canvas_size=32)
    env.reset(seed=0)
    assert env.step(torch.zeros(50, requires_grad=True))[1].requires_grad
    with pytest.raises(ValueError, match="imitates the brush 'polylines' only, got pencil"):
        gym.make("NeuralPainting-v0", generator=twin)


@pytest.mark.parametrize("wrong", ["shape", "range"])
def test_a_program_that_breaks_the_contract_is_refused(wrong):
    class Broken(Program):
        name = "broken"

        def paint(self, canvas, stroke, background):
            return canvas[0] if wrong == "shape" else canvas + 2

    env = gym.make("Painting-v0", brush=Broken(), canvas_size=16)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="program broken must paint canvases of shape"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize("name", ["pencil:nothing", "no_module:thing", "numpy:zeros"])
def test_programs_by_module_and_name(name):
    with pytest.raises(ValueError, match=f"brush '{name}'"):
        gym.make("Painting-v0", brush=name)


def test_a_blend_mode_is_an_entry(page, tmp_path):
    """Kernels, their derivative and torch's form agree, and SVG has its name."""
    brush = Brush(blend="exclusion")
    rng = np.random.default_rng(0)
    stroke = three_body_strokes(rng, 4)
    canvas = rng.uniform(0, 1, (4, 1, 24, 24)).astype(np.float32)
    alpha = brush.draw(stroke, 24)[:, None]
    colour = stroke.colour[:, :, None, None]
    wanted = canvas * (1 - alpha) + (colour + canvas - 2 * colour * canvas) * alpha
    np.testing.assert_allclose(brush.paint(canvas, stroke), wanted, atol=1e-5)
    np.testing.assert_allclose(
        BLENDS["exclusion"].shade(colour, canvas), colour + canvas - 2 * colour * canvas, atol=1e-6
    )
    fields = [torch.from_numpy(f).double().requires_grad_() for f in stroke]
    below = torch.from_numpy(canvas).double().requires_grad_()

    def work(below, *fields):
        return brush.paint_tensors(below, below.detach() * 0, stroke._make(fields))[0].mean((1, 2))

    assert torch.autograd.gradcheck(work, (below, *fields), eps=1e-7, atol=1e-6, rtol=1e-3)


def test_an_agent_from_outside_is_saved_and_loads(page):
    agent = load_agent("mean.safetensors")
    assert type(agent).__name__ == "Mean"
    assert agent.task["targets"] == "glyphs"
    env = gym.make("Painting-v0")
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(agent.act(observation))
    with pytest.raises(TypeError, match="architecture 'mean' of Other is Mean's already"):

        class Other(Agent):
            architecture = "mean"

    with pytest.raises(TypeError, match="agent Nameless needs an attribute architecture"):

        class Nameless(Agent):
            pass

    del ARCHITECTURES["mean"]
    with pytest.raises(ValueError, match="but 'mean': import the module that defines that first"):
        load_agent("mean.safetensors")


def test_an_exact_program_from_outside(page):
    """A tip given as a bitmap: painted, differentiated in torch and without, in an environment."""
    program, rng = page["Stamps"](), np.random.default_rng(0)
    canvas, actions = rng.uniform(0, 1, (2, 1, 48, 40)), rng.uniform(-0.5, 0.5, (2, 3, 50))
    weight = np.broadcast_to(np.mgrid[:48, :40].sum(0) / 48.0, canvas.shape).copy()
    painted, back = paint_sequence_vjp(canvas, actions, program)
    np.testing.assert_array_equal(painted, paint_sequence(canvas, actions, program))
    assert (painted != canvas).any()
    inputs = [torch.from_numpy(a).requires_grad_() for a in (canvas, actions)]
    loss = (paint_sequence(*inputs, program) * torch.from_numpy(weight)).sum()
    for a, b in zip(torch.autograd.grad(loss, inputs), back(weight), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    step = np.zeros_like(actions)
    step[..., 2::3], step[..., 3::3] = rng.uniform(-0.1, 0.1, (2, 2, 3, 1))
    ahead, behind = (
        (paint_sequence(canvas, actions + s * step, program) * weight).sum() for s in (0.5, -0.5)
    )
    assert (back(weight)[1] * step).sum() == pytest.approx(ahead - behind, rel=0.1)
    env = page["exact"]
    env.reset(seed=0)
    action = torch.zeros(50, requires_grad=True)
    env.step(action)[1].backward()
    assert action.grad.any()
    with pytest.raises(ValueError, match="StampsTape has no closed form for removal costs"):
        removal_costs(canvas, actions, canvas, program)


@pytest.mark.parametrize("engine", ["program", "gradient"])
def test_a_task_from_outside(page, engine):
    """Rewarded at the end alone, single and batched, and not where an episode only restarts."""
    kwargs = {"task": page["Sparse"], "max_strokes": 3, "canvas_size": 32, "engine": engine}
    env = gym.make("Painting-v0", **kwargs)
    check_env(env.unwrapped)
    env.reset(seed=0)
    env.action_space.seed(0)
    steps = [env.step(env.action_space.sample()) for _ in range(3)]
    assert [step[1] for step in steps[:2]] == [0, 0]
    assert steps[2][1] == pytest.approx(1 - steps[2][4]["residual"], abs=1e-5)
    envs = gym.make_vec("Painting-v0", num_envs=2, **kwargs)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for turn in range(8):  # through the automatic reset
        _, rewards, _, _, info = envs.step(envs.action_space.sample())
        wanted = 1 - info["residual"] if turn % 4 == 2 else np.zeros(2)
        np.testing.assert_allclose(rewards, wanted, atol=1e-5)
    if engine == "gradient":
        env.reset()
        action = torch.zeros(50, requires_grad=True)
        for _ in range(3):
            reward = env.step(action)[1]
        reward.backward()
        assert action.grad.any()
