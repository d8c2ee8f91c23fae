"""The planner as an agent: in every environment, with any brush, whatever it was told."""

import json
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from conftest import succeed
from gymnasium.vector import AutoresetMode

from strokenet_gym import Brush, PlannerAgent, Program, RecordStrokes, StrokeLog, load_agent
from strokenet_gym.painter import agent as painter_agent


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """So few steps that a plan takes a tenth of a second."""
    full = painter_agent._style
    short = {"iterations": 15, "finish": 60}
    monkeypatch.setattr(painter_agent, "_style", lambda brush: replace(full(brush), **short))


def paint(env, agent, seed=0, **options):
    observation, info = env.reset(seed=seed, options=options or None)
    residuals, done = [], False
    while not done:
        observation, _, done, _, info = env.step(agent.act(observation))
        residuals.append(info["residual"])
    return residuals


@pytest.mark.parametrize(
    "env_id", ["Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0"]
)
def test_planner_paints_in_every_environment(env_id):
    env, agent = gym.make(env_id, canvas_size=64, max_strokes=3), load_agent("planner")
    agent.prepare(env)
    assert paint(env, agent)[-1] < 0.1


def test_planner_finds_out_the_budget():
    env, agent = gym.make("Painting-v0", canvas_size=64, max_strokes=3), load_agent("planner")
    assert paint(env, agent)[-1] < 0.1
    assert agent.max_strokes == 3
    told = PlannerAgent(max_strokes=3)
    assert paint(env, agent, seed=1) == paint(env, told, seed=1)


@pytest.mark.parametrize(
    ("brush", "background", "channels"),
    [("watercolour", 1.0, 3), ("marker", (0.2, 0.4, 0.1), 3), (Brush(edge=1, density=2), 0.5, 1)],
)
def test_planner_paints_with_any_brush(brush, background, channels, rng):
    target = np.full((48, 64, 3), 60, np.uint8)
    target[10:30, 20:50] = 180, 120, 30
    env = gym.make(
        "Painting-v0", canvas_size=(48, 64), max_strokes=6, brush=brush, background=background,
        channels=channels, targets=target,
    )  # fmt: skip
    agent = load_agent("planner")
    agent.prepare(env)
    residuals = paint(env, agent)
    assert residuals[-1] < 0.8
    assert np.diff(residuals).max() < 0.05  # it is planned as a whole; none ruins much


def test_planner_paints_a_batch_whose_episodes_end_when_they_end():
    envs = gym.make_vec("Painting-v0", num_envs=3, canvas_size=64, max_strokes=2)
    agent = load_agent("planner")
    agent.prepare(envs)
    observation, _ = envs.reset(seed=0)
    ends = []
    for _ in range(7):  # the third and the sixth step only reset
        observation, _, done, _, info = envs.step(agent.act(observation))
        ends += info["residual"][done].tolist()
    assert len(ends) == 6
    assert np.mean(ends) < 0.2
    single = gym.make("Painting-v0", canvas_size=64, max_strokes=2)
    target = observation["target"][0]
    alone = paint(single, PlannerAgent(max_strokes=2), target=target)[-1]
    envs = gym.make_vec(
        "Painting-v0", num_envs=2, canvas_size=64, max_strokes=2,
        autoreset_mode=AutoresetMode.DISABLED,
    )  # fmt: skip
    observation, info = envs.reset(options={"target": [target, target]})
    for _ in range(2):
        observation, *_, info = envs.step(agent.act(observation))
    assert info["residual"] == pytest.approx([alone, alone])


def test_planner_can_be_recorded(tmp_path):
    env = RecordStrokes(gym.make("Painting-v0", canvas_size=64, max_strokes=2), tmp_path)
    agent = load_agent("planner")
    agent.prepare(env)
    paint(env, agent)
    (file,) = tmp_path.glob("*.json")
    assert len(StrokeLog.load(file).strokes) == 2


def test_blank_targets_get_blank_strokes():
    env, agent = gym.make("Painting-v0", canvas_size=64, max_strokes=2), load_agent("planner")
    agent.prepare(env)
    observation, _ = env.reset(options={"target": np.zeros((64, 64), np.uint8)})
    observation, *_ = env.step(agent.act(observation))
    assert observation["canvas"].max() == 0


def test_planner_refuses_what_has_no_exact_gradient():
    class Outside(Program):
        name = "outside"

        def paint(self, canvas, stroke, background):
            return canvas

    with pytest.raises(ValueError, match=r"exact gradient.*outside"):
        PlannerAgent(Outside())
    with pytest.raises(ValueError, match="max_strokes"):
        PlannerAgent(max_strokes=0)
    with pytest.raises(ValueError, match="brush"):
        PlannerAgent("no such brush")


def test_it_can_be_evaluated_and_watched(tmp_path):
    out = tmp_path / "scores.json"
    succeed("baselines.evaluate", "agent", "--agent", "planner", "--limit", 2, "--canvas-size",
            32, "--max-strokes", 2, "--brush", "marker", "--out", out)  # fmt: skip
    assert json.loads(out.read_text())["residual_exact"] < 0.3
    logs = tmp_path / "logs"
    succeed("examples/watch_agent.py", "--agent", "planner", "--pictures", 1, "--strokes", 2,
            "--canvas-size", 32, "--stroke-seconds", 0.01, "--record", logs)  # fmt: skip
    assert list(logs.iterdir())
