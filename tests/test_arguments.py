"""Arguments as people pass them: NumPy's numbers, objects, lists, and what is refused."""

import json
import multiprocessing
import os
import subprocess
import sys

import cv2
import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from safetensors.torch import save_file

from strokenet_gym import BRUSHES, Brush, Program, Stroke, load_agent, load_generator, pack, unpack
from strokenet_gym.agents import StrokeNetAgent
from strokenet_gym.envs import Task
from strokenet_gym.kernels import threads
from strokenet_gym.programs.learned import CompactGenerator
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.targets import channels_of, make_targets

ALL = ("Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0")
ACTION = np.ones(50, np.float32)


def darkness(before, after, target):
    return (before - after).mean((1, 2, 3))


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.uint16, np.int64])
def test_numbers_of_numpy(kind):
    """int16(128)² overflows: the reward had the wrong sign."""
    plain, ours = (
        gym.make("Painting-v0", canvas_size=of(100), max_strokes=of(2), channels=of(1))
        for of in (int, kind)
    )
    results = []
    for env in (plain, ours):
        env.reset(seed=0)
        results.append(env.step(ACTION))
    assert results[0][1] == results[1][1]
    assert type(ours.unwrapped.task.sides[0]) is int
    json.dumps(ours.spec.kwargs)


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_seeds_of_numpy(make):
    results = []
    for seed in (3, np.int64(3), np.uint8(3)):
        env = make("Painting-v0", canvas_size=32)
        results.append(env.reset(seed=seed)[0]["target"])
        assert env.unwrapped.np_random_seed == (3 if make is gym.make else (3,))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    for wrong in (-1, 1.5, True, "a"):
        with pytest.raises(ValueError, match=f"seed must be a whole number from 0, got {wrong!r}"):
            env.reset(seed=wrong)


def test_seeds_of_the_batch():
    envs = gym.make_vec("Painting-v0", num_envs=3, canvas_size=32)
    seeds = envs.np_random_seed
    assert len(set(seeds)) == 3
    envs.reset()
    assert envs.np_random_seed == seeds  # asking does not change them
    envs.reset(seed=7)
    assert envs.np_random_seed == (7, 8, 9)
    envs.reset(seed=np.array([5, 1, 2]))
    assert envs.np_random_seed == (5, 1, 2)
    assert [g.integers(2**31) for g in envs.np_random] != [0, 0, 0]


def test_a_spec_fits_in_json(tmp_path):
    """Minari and others keep it."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16), 99, np.uint8))
    env = gym.make(
        "DifferentiablePainting-v0",
        brush=Brush(edge=0.2),
        targets=tmp_path / "a.png",
        canvas_size=np.int64(32),
        background=np.array([0.5], np.float32),
        reward=darkness,
    )
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.task.engine.brush == Brush(edge=0.2)
    for e in (env, again):
        e.reset(seed=0)
    assert env.step(ACTION)[1] == again.step(ACTION)[1] != 0
    env = gym.make("NeuralPainting-v0", generator=load_generator("compact"))
    assert json.loads(env.spec.to_json())["kwargs"]["generator"] == "compact"
    envs = gym.make_vec("Painting-v0", num_envs=2, brush=BRUSHES["marker"], canvas_size=32)
    again = gym.make_vec(EnvSpec.from_json(envs.spec.to_json()))
    assert again.unwrapped.task.engine.brush == BRUSHES["marker"]
    assert again.num_envs == 2


class Wide(Program):
    """A program with an argument, equal to others with the same; counts how many there are."""

    name, made = "wide", 0

    def __init__(self, width):
        Wide.made += 1
        self.width = width

    def __eq__(self, other):
        return isinstance(other, Wide) and self.width == other.width

    __hash__ = None

    def paint(self, canvas, stroke, background):
        return np.full_like(canvas, self.width / 10)


class Usual(Wide):
    """The same with a default, so that a second one could be made without the argument."""

    def __init__(self, width=1):
        super().__init__(width)


@pytest.mark.parametrize("program", [Wide, Usual])
def test_a_program_is_made_once(program):
    """A spec holds the object that was given, with its arguments."""
    Wide.made = 0
    brush = program(3)
    env = gym.make("Painting-v0", brush=brush, canvas_size=16)
    envs = gym.make_vec("Painting-v0", num_envs=2, brush=brush, canvas_size=16)
    for made in (env, gym.make(env.spec), envs, gym.make_vec(envs.spec)):
        assert made.unwrapped.task.engine.program.width == 3
        assert made.unwrapped.spec.kwargs["brush"].width == 3
    assert Wide.made == 1
    loaded = gym.make("Painting-v0", brush=f"{__name__}:Usual", canvas_size=16)
    assert json.loads(loaded.spec.to_json())["kwargs"]["brush"] == f"{__name__}:Usual"
    assert Wide.made == 2


def test_a_function_of_another_name_is_kept_itself():
    """Its name would lead to another function."""
    namespace = {"__name__": __name__}
    exec("def darkness(before, after, target):\n    return before[:, 0, 0, 0] * 0 + 7", namespace)
    env = gym.make("Painting-v0", reward=namespace["darkness"], canvas_size=16)
    again = gym.make(env.spec)
    again.reset(seed=0)
    assert again.step(ACTION)[1] == 7


def test_specs_do_not_copy_pictures():
    pictures = np.zeros((100, 64, 64), np.uint8)
    env = gym.wrappers.TimeLimit(gym.make("Painting-v0", targets=pictures), 5)
    assert env.spec.kwargs["targets"].images is env.unwrapped.spec.kwargs["targets"].images
    assert np.shares_memory(env.spec.kwargs["targets"].images, pictures)
    gym.make(env.spec).reset(seed=0)


def test_a_wrong_keyword_names_the_environment():
    for env_id in ALL:
        with pytest.raises(TypeError, match=r"PaintingEnv.__init__\(\).*'max_stroke'"):
            gym.make(env_id, max_stroke=3)
        with pytest.raises(TypeError, match=r"PaintingVectorEnv.__init__\(\).*'max_stroke'"):
            gym.make_vec(env_id, num_envs=2, max_stroke=3)


@pytest.mark.parametrize("first", ["grey", "colour"])
def test_channels_of_a_folder_follow_from_all_its_pictures(tmp_path, first):
    for k in range(6):
        grey = (k == 0) == (first == "grey")
        shape = (16, 16) if grey and k in (0, 5) else (16, 16, 3)
        picture = np.random.default_rng(k).integers(0, 255, shape).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{k}.png"), picture)
    cv2.imwrite(str(tmp_path / "9.png"), np.zeros((16, 16), np.uint8))
    assert gym.make("Painting-v0", targets=tmp_path).observation_space["canvas"].shape[0] == 3
    only = tmp_path / "grey"
    only.mkdir()
    cv2.imwrite(str(only / "0.png"), np.zeros((16, 16), np.uint8))
    assert channels_of(make_targets(only, 32)) == 1


def test_channels_of_a_source_that_does_not_say():
    class Mixed:
        def sample(self, rng):
            return np.zeros((8, 8) if rng.random() < 0.7 else (8, 8, 3))

    assert gym.make("Painting-v0", targets=Mixed()).observation_space["canvas"].shape[0] == 3


def test_an_agent_of_other_channels_says_so():
    observation, _ = gym.make("Painting-v0", channels=3).reset(seed=0)
    with pytest.raises(ValueError, match=r"1 colour channel.*has 3: make .* with channels=1"):
        load_agent("glyphs").act(observation)


@pytest.mark.parametrize("env_id", ALL)
def test_canvases_to_paint_on(env_id):
    env = gym.make(env_id, canvas_size=16).unwrapped
    envs = gym.make_vec(env_id, num_envs=2, canvas_size=16).unwrapped
    blank = np.zeros((1, 16, 16))
    one = env.paint(blank, ACTION)
    np.testing.assert_array_equal(env.paint(blank.tolist(), ACTION.tolist()), one)
    both = envs.paint([blank.tolist()] * 2, [ACTION.tolist()] * 2)
    np.testing.assert_allclose(both, [one, one], atol=1e-6)
    for value in (0, 200):  # blank and inked
        with pytest.raises(ValueError, match=f"in 0 … 1, got {value} as uint8: divide it by 255"):
            env.paint(np.full((1, 16, 16), value, np.uint8), ACTION)
    for wrong in (np.full((1, 16, 16), None), np.full((1, 16, 16), "a")):
        with pytest.raises(TypeError, match="canvas must hold real numbers"):
            env.paint(wrong, ACTION)
    with pytest.raises(TypeError, match="dense tensor with values"):
        env.paint(torch.zeros(1, 16, 16, device="meta"), ACTION)


@pytest.mark.parametrize("env_id", ALL)
@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.full(50, None), "real numbers in .*object"),
        (np.zeros(50, np.uint8), "real numbers in .*uint8"),
        (torch.zeros(50, dtype=torch.uint8), "real numbers in .*uint8"),
        (torch.zeros(50, device="meta"), "dense tensor with values"),
        (torch.zeros(50).to_sparse(), "dense tensor with values"),
        (torch.zeros(50, dtype=torch.complex64), "real numbers.*complex64"),
    ],
)
def test_actions_that_are_none(env_id, action, message):
    env = gym.make(env_id, canvas_size=16).unwrapped
    env.reset(seed=0)
    with pytest.raises(TypeError, match=message):
        env.step(action)
    assert env.step(ACTION)[4]["stroke"] == 1  # nothing was lost


def test_gradients_are_somewhere_else():
    action = torch.zeros(50, requires_grad=True)
    for env in (gym.make("Painting-v0"), gym.make_vec("Painting-v0", num_envs=1)):
        env.reset(seed=0)
        with pytest.raises(TypeError, match="make DifferentiablePainting-v0"):
            env.step(action if env.action_space.shape == (50,) else action[None])
    env = gym.make("Painting-v0")
    env.reset(seed=0)
    assert isinstance(env.step(action.detach())[1], float)


@pytest.mark.parametrize("make", [gym.make, gym.make_vec])
def test_reset_options_must_be_a_dictionary(make):
    env = make("Painting-v0", canvas_size=16).unwrapped
    for options in ([1], "target", 3):
        with pytest.raises(TypeError, match="reset options must be a dictionary, got"):
            env.reset(options=options)


def test_weights_that_are_not_numbers(tmp_path):
    agent = StrokeNetAgent(width=4, hidden=8)
    agent.think[0].bias.data[0] = torch.nan
    with pytest.raises(
        ValueError, match=r"the agent holds weights that are NaN or infinite: think\.0\.bias"
    ):
        agent.save(tmp_path / "agent.safetensors")
    sizes = {k: str(v) for k, v in agent.sizes.items()} | {"architecture": "strokenet"}
    weights = {name: tensor.contiguous() for name, tensor in agent.state_dict().items()}
    save_file(weights, tmp_path / "agent.safetensors", sizes)
    with pytest.raises(ValueError, match=r"agent\.safetensors holds weights that are NaN"):
        load_agent(tmp_path / "agent.safetensors")
    network = CompactGenerator()
    next(network.parameters()).data.fill_(torch.inf)
    with pytest.raises(ValueError, match="has weights that are NaN or infinite"):
        gym.make("NeuralPainting-v0", generator=network)


def test_a_generator_may_be_an_object():
    network = load_generator("compact")
    by_name, by_object = (
        gym.make("NeuralPainting-v0", generator=g, canvas_size=32) for g in ("compact", network)
    )
    for env in (by_name, by_object):
        env.reset(seed=0)
    assert by_name.step(ACTION)[1] == by_object.step(ACTION)[1]


def test_radii_belong_to_the_brush():
    """A house painter's brush; the pencil's action means what it always did."""
    broad = Brush(pressure_size=0, edge=0.05, radius_min=0.02, radius_max=0.5)
    stroke = unpack(ACTION, 1, broad.radii)
    assert stroke.radius == pytest.approx(0.5)
    assert unpack(-ACTION, 1, broad.radii).radius == pytest.approx(0.02)
    np.testing.assert_allclose(pack(stroke, broad.radii), ACTION, atol=1e-6)
    env = gym.make("DifferentiablePainting-v0", brush=broad, canvas_size=64)
    env.reset(seed=0)
    dot = np.r_[1, 1, np.tile([0, 0, 1], 16)].astype(np.float32)
    canvas = env.step(dot)[0]["canvas"][0]
    assert (canvas > 127).sum() == pytest.approx(np.pi * 16**2, rel=0.05)  # pixels
    action = torch.from_numpy(0.9 * dot).requires_grad_()
    env.reset(seed=0)
    env.step(action)[1].backward()
    assert action.grad[1] != 0
    with pytest.raises(ValueError, match="radius_min must be less than radius_max"):
        Brush(radius_min=0.2, radius_max=0.1)
    with pytest.raises(ValueError, match="brush radius_max must be from"):
        Brush(radius_max=3)


def test_every_brush_gives_its_opacity(rng):
    """White on black would be nothing with a brush that multiplies."""
    stroke = three_body_strokes(rng, 6)._replace(radius=np.full(6, 0.1, np.float32))
    tensors = Stroke(*map(torch.from_numpy, stroke))
    for name, brush in BRUSHES.items():
        wanted = brush.draw(stroke, 48)
        assert wanted.max() > 0.05, name
        np.testing.assert_allclose(brush.draw_tensors(tensors, 48), wanted, atol=1e-6)
        if brush.grain == 0:  # what a program from outside has, by painting
            np.testing.assert_allclose(super(Brush, brush).draw(stroke, 48), wanted, atol=1e-5)
    assert paper((48, 48), 0.9).min() < 0.5


def test_numbers_of_a_brush():
    brush = Brush(edge=np.float16(0.3), opacity=np.int64(1))
    assert type(brush.edge) is float
    brush.draw(Stroke(np.ones((1, 1)), np.ones(1), np.zeros((1, 16, 2)), np.ones((1, 16))), 16)
    assert Brush.from_numbers(json.loads(json.dumps(brush.to_json()))) == brush
    with pytest.raises(ValueError, match="a brush has the numbers"):
        gym.make("Painting-v0", brush={"hardness": 1})
    with pytest.raises(ValueError, match="brush edge must be"):
        gym.make("Painting-v0", brush={"edge": [1]})


def threads_of(**variables):
    code = "from strokenet_gym.kernels import threads; print(threads.THREADS)"
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_NUM_THREADS"} | variables
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_number_of_threads(tmp_path, monkeypatch):
    assert int(threads_of(NUMBA_NUM_THREADS="1").stdout) == 1
    assert int(threads_of().stdout) <= multiprocessing.cpu_count()
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(threads, "_CGROUP", tmp_path)
    assert threads.available_cores() == 64
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert threads.available_cores() == 2
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert threads.available_cores() == 64
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert threads.available_cores() == 64
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    assert threads.available_cores() == 1
    monkeypatch.setenv("NUMBA_NUM_THREADS", "5")
    assert threads.available_cores() == 5
    monkeypatch.setenv("NUMBA_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="NUMBA_NUM_THREADS must be a whole number"):
        threads.available_cores()


def test_shapes_that_do_not_fit():
    """Kernels would write beyond the end of others."""
    stroke = Stroke(np.ones((1, 1)), np.ones(1), np.zeros((1, 16, 2)), np.ones((1, 16)))
    for shape in ((1, 1, 32, 64), (1, 1, 64, 32)):
        with pytest.raises(ValueError, match="must be square"):
            load_generator("paper").paint(np.zeros(shape, np.float32), stroke)
    with pytest.raises(
        ValueError, match=r"a stroke's colour must have the shape \(2, 1\), got \(1, 1\)"
    ):
        BRUSHES["pencil"].paint(np.zeros((2, 1, 32, 32), np.float32), stroke)


def test_double_precision_follows_the_weights():
    network = load_generator("compact")
    env = gym.make("NeuralPainting-v0", generator=network, canvas_size=32)
    rewards = []
    for factor in (1, 1.1):
        for weights in network.parameters():
            weights.data *= factor
        for kind in (torch.float32, torch.float64):
            env.reset(seed=0)
            rewards.append(env.step(torch.from_numpy(ACTION).to(kind))[1].item())
    assert rewards[0] == pytest.approx(rewards[1], abs=1e-4)
    assert rewards[2] == pytest.approx(rewards[3], abs=1e-4)
    assert rewards[0] != pytest.approx(rewards[2], abs=1e-3)


@pytest.mark.parametrize("env_id", ALL)
def test_targets_that_are_tensors(env_id):
    env = gym.make(env_id, canvas_size=16)
    target = torch.rand(16, 16, requires_grad=True)
    observation, _ = env.reset(options={"target": target})
    assert observation["target"].max() > 200
    with pytest.raises(TypeError, match="dense tensor with values"):
        env.reset(options={"target": torch.zeros(16, 16, device="meta")})
    envs = gym.make_vec(env_id, num_envs=2, canvas_size=16)
    for wrong in (5, (x for x in ())):
        with pytest.raises(ValueError, match="expected 2 targets, got"):
            envs.reset(options={"target": wrong})
    with pytest.raises(ValueError, match="expected 2 reset_mask, got 1"):
        envs.reset(options={"reset_mask": True})
    envs.reset(options={"reset_mask": None})


def test_actions_in_half_precision():
    for env_id in ALL:
        env = gym.make(env_id, canvas_size=16)
        env.reset(seed=0)
        assert env.step(torch.ones(50, dtype=torch.bfloat16))[4]["stroke"] == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"channels": True}, "channels must be"),
        ({"channels": 3.0}, "channels must be"),
        ({"background": "0.5"}, "background must be"),
    ],
)
def test_numbers_that_are_none(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gym.make("Painting-v0", **kwargs)


def test_generators_that_are_none():
    with pytest.raises(ValueError, match="device 'meta' has no values"):
        gym.make("NeuralPainting-v0", device="meta")
    for wrong in (5, []):
        with pytest.raises(TypeError, match="generator must be a name, a path or a Program"):
            gym.make("NeuralPainting-v0", generator=wrong)
    env = gym.make("NeuralPainting-v0", generator=BRUSHES["marker"], device=torch.device("cpu"))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.task.engine.program == BRUSHES["marker"]


class Short(Task):
    """One stroke alone."""

    def ended(self):
        return self.stroke >= 1


def test_a_task_goes_through_a_spec():
    env = gym.make("Painting-v0", task=Short, canvas_size=16, max_strokes=5)
    assert json.loads(env.spec.to_json())["kwargs"]["task"] == f"{__name__}:Short"
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    again.reset(seed=0)
    assert again.step(again.action_space.sample())[2]
