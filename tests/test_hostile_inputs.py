"""Weights, brushes and arguments that are wrong in ways that nobody thinks of."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from strokenet_gym import Brush, Planner, TracingAgent, load_agent, load_generator, load_program
from strokenet_gym.agents import AGENTS
from strokenet_gym.programs.learned import GENERATORS

LONG = "x" * 5000


def change(source, path, weights=None, **metadata):
    """Copy a file of weights with other metadata."""
    with safe_open(source, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        said = dict(file.metadata())
    said |= metadata
    save_file(tensors if weights is None else weights(tensors), path, said)
    return path


@pytest.mark.parametrize("name", ["mnist", "kanjivg"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"width": "999"}, {"hidden": "99999999"}, {"width": "9" * 30}, {"width": "0"},
        {"input_size": "0"}, {"input_size": "-64"}, {"glimpse": "0"}, {"channels": "3"},
        {"width": "9" * 5000}, {"width": "1.5"}, {"max_strokes": "0"}, {"colour": "1"},
        {"task": "[" * 100_000}, {"task": "[]"}, {"task": "{"},
    ],
)  # fmt: skip
def test_agent_files_that_claim_something_else(tmp_path, name, sizes):
    """They are refused before they take memory."""
    path = change(AGENTS[name], tmp_path / "agent.safetensors", **sizes)
    load_agent(name)
    before = peak()
    with pytest.raises(ValueError, match=r"agent\.safetensors is of another version"):
        load_agent(path)
    assert peak() - before < 100


def peak():
    """Most memory that this process has had, MB."""
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmPeak")).split()[1]) / 1024


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": "9999"}, {"blobs": "0"}, {"brush": "[" * 100_000}, {"brush": "3"},
        {"brush": '{"edge": 1e999}'}, {"brush": "os:path"}, {"program": "[" * 100_000},
        {"program": "{}"}, {"brush": ""}, {"brush": LONG},
    ],
)  # fmt: skip
def test_generator_files_that_claim_something_else(tmp_path, sizes):
    path = change(GENERATORS["compact"], tmp_path / "generator.safetensors", **sizes)
    with pytest.raises(ValueError, match=r"generator\.safetensors is of another version"):
        load_generator(path)


def test_weights_of_other_kinds(tmp_path):
    def complex_ones(tensors):
        return {key: tensor.to(torch.complex64) for key, tensor in tensors.items()}

    path = change(GENERATORS["compact"], tmp_path / "file.safetensors", complex_ones)
    with pytest.raises(ValueError, match=r"file\.safetensors is damaged: weights must be real"):
        load_generator(path)


@pytest.mark.parametrize("load", [load_agent, load_generator])
@pytest.mark.parametrize("name", [LONG, "a\0b", "", ".", "/", "nothing.safetensors"])
def test_names_of_no_file(load, name):
    with pytest.raises(ValueError, match=r"unknown (agent|generator)"):
        load(name)


def test_agents_of_impossible_sizes():
    for size in (0, -1, 1.5):
        with pytest.raises(ValueError, match="sizes must be whole numbers from 1"):
            TracingAgent(glimpse=size)


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e999, float("nan"), "1", [], {}, 1j])
@pytest.mark.parametrize("name", ["edge", "density", "radius_max"])
def test_brush_numbers(name, value):
    with pytest.raises(ValueError, match=f"brush {name} must be from"):
        Brush(**{name: value})


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int64, np.array, torch.tensor])
def test_numbers_of_every_kind_are_numbers(kind):
    brush = Brush(edge=kind(1), density=kind(8))
    assert brush == Brush(edge=1.0)
    assert all(type(number) is float for number in brush.numbers)
    env = gym.make("Painting-v0", canvas_size=16, brush=Brush(edge=np.float16(0.3)))
    env.reset(seed=0)
    env.step(np.zeros(50, np.float32))


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "[]", '{"edge": 1' + "0" * 400 + "}"])
def test_brush_files(tmp_path, text):
    path = tmp_path / "brush.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"brush\.json is not a brush"):
        load_program(path)


@pytest.mark.parametrize("name", [LONG, LONG + ".json", "a\0.json", ":", "a:", "..:b", "\0:b", ""])
def test_names_of_no_brush(name):
    with pytest.raises((ValueError, TypeError), match="brush"):
        load_program(name)


@pytest.mark.parametrize(
    "options",
    [
        {"reset_mask": np.ones((2, 2), bool)}, {"reset_mask": [[True], [True, False]]},
        {"reset_mask": "no"}, {1: 2, "a": 3, None: 4}, {"target": 5}, {"target": [1, 2]},
        [], 3, {"reset_mask": np.zeros(2, bool)}, {"target": {"a": 1, "b": 2}},
        {"target": {1, 2}}, {"target": {0: np.zeros((16, 16)), 1: np.zeros((16, 16))}},
        {"reset_mask": torch.ones(2, requires_grad=True)}, {"target": np.array(7)},
    ],
)  # fmt: skip
def test_reset_options(options):
    envs = gym.make_vec("Painting-v0", num_envs=2, canvas_size=16, autoreset_mode="Disabled")
    envs.reset(seed=0)
    with pytest.raises((ValueError, TypeError)):
        envs.reset(options=options)


@pytest.mark.parametrize("value", [np.zeros(3), torch.zeros(3), torch.zeros(0), 10**400, [], "x"])
@pytest.mark.parametrize("name", ["channels", "copy", "device", "generator", "shown", "as_tensor"])
def test_arguments_of_any_kind(name, value):
    kwargs = {"canvas_size": 16, name: value}
    with pytest.raises((ValueError, TypeError)):
        gym.make_vec("NeuralPainting-v0", num_envs=2, **kwargs)


GRAPH = torch.full((16, 16), 0.5, requires_grad=True)
NO_ARRAYS = {
    "meta": torch.zeros(16, 16, device="meta"),
    "sparse": torch.zeros(16, 16).to_sparse(),
    "a list with a graph": [[GRAPH]],
    "unequal parts": [[1.0], [1.0, 2.0]],
    "a dictionary": {"image": np.zeros((16, 16))},
    "a huge number": 10**400,
    "huge numbers": [[10**400] * 16] * 16,
    "complex": torch.zeros(16, 16, dtype=torch.complex64).conj(),
}


@pytest.mark.parametrize("kind", ["Painting", "DifferentiablePainting"])
@pytest.mark.parametrize("name", NO_ARRAYS)
def test_what_is_no_array(kind, name):
    """The message names what was expected, whichever place it was given in."""
    value = NO_ARRAYS[name]
    env = gym.make(f"{kind}-v0", canvas_size=16, reward=lambda before, after, target: value)
    env.reset(seed=0)
    canvas, action = np.zeros((1, 16, 16), np.float32), np.zeros(50, np.float32)
    calls = {
        "target|picture": lambda: env.reset(options={"target": value}),
        "action": lambda: env.step(value),
        "canvas": lambda: env.unwrapped.paint(value, action),
        "an action": lambda: env.unwrapped.paint(canvas, value),
        "reward": lambda: env.step(action),
        "background": lambda: gym.make(f"{kind}-v0", background=value),
        "targets|picture": lambda: gym.make(f"{kind}-v0", targets=value),
        "max_episode_steps": lambda: gym.make_vec(
            f"{kind}-v0", num_envs=2, max_episode_steps=value
        ),
        "palette": lambda: Planner(np.zeros((16, 16)), palette=value),
    }
    for message, call in calls.items():
        env.reset(seed=0)
        with pytest.raises((ValueError, TypeError), match=message):
            call()


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_with_a_graph_where_arrays_are_taken(kind):
    """Their values are used, where no gradient is asked for."""
    picture = torch.full((16, 16), 0.5, dtype=kind, requires_grad=True)
    env = gym.make("Painting-v0", canvas_size=16, targets=picture)
    for options in ({}, {"target": picture}):
        assert (env.reset(options=options)[0]["target"] == 128).all()
    grey = torch.tensor([0.5], dtype=kind, requires_grad=True)
    env = gym.make("Painting-v0", canvas_size=16, background=grey)
    assert (env.reset()[0]["canvas"] == 128).all()


def test_a_picture_with_a_palette_as_the_target_of_an_episode():
    picture = Image.new("RGB", (16, 16), (200, 100, 0)).quantize(4)
    env = gym.make("Painting-v0", canvas_size=16, channels=3)
    target = env.reset(options={"target": picture})[0]["target"]
    assert target[:, 0, 0].tolist() == [200, 100, 0]


@pytest.mark.parametrize("name", ["glyphs", "planner"])
@pytest.mark.parametrize(
    "change",
    [
        {"canvas": None}, {"strokes_left": None}, {"canvas": np.zeros((16, 16))},
        {"target": np.zeros((1, 8, 8))}, {"strokes_left": np.zeros((2, 1))},
        {"strokes_left": np.array(1.0)}, {"target": np.full((1, 16, 16), None)},
        {"canvas": torch.zeros(1, 16, 16, device="meta")},
    ],
)  # fmt: skip
def test_observations_of_another_kind(name, change):
    seen = gym.make("Painting-v0", canvas_size=16).reset(seed=0)[0] | change
    seen = {key: value for key, value in seen.items() if value is not None}
    with pytest.raises((ValueError, TypeError), match=r"canvas|target|strokes_left"):
        load_agent(name).act(seen)


def test_an_agent_looks_at_observations_with_a_graph():
    env = gym.make("DifferentiablePainting-v0", as_tensor=True, max_strokes=2)
    env.reset(seed=0)
    seen = env.step(torch.zeros(50, requires_grad=True))[0]
    assert seen["canvas"].requires_grad
    agent = load_agent("glyphs")
    as_pixels = {k: v.detach().numpy() for k, v in seen.items()}
    np.testing.assert_array_equal(agent.act(seen), agent.act(as_pixels))
