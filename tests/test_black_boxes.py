"""Programs without a gradient, and the networks that imitate them: docs/black_boxes.md."""

import json
import re

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import ROOT, run, run_process, succeed
from gymnasium.error import DependencyNotInstalled
from safetensors import safe_open

from strokenet_gym import BRUSHES, Stroke, load_generator, load_program
from strokenet_gym.brush_sheet import draw_sheet
from strokenet_gym.programs.learned import GENERATORS, twin_of
from strokenet_gym.programs.mypaint import brush_names
from strokenet_gym.programs.opacity import misfit
from strokenet_gym.programs.three_body import three_body_strokes

TWINS = {name: path for name, path in GENERATORS.items() if name.startswith("mypaint:")}
# Ink errors that evaluate.py measures on 2,000 strokes, and room for the luck of 150.
MOST = {"mypaint:classic/charcoal": 0.13, "mypaint:classic/pencil": 0.06}
MOST["mypaint:deevad/airbrush"] = 0.015


@pytest.fixture(scope="module")
def libmypaint():
    try:
        brush_names()
        return load_program("mypaint:classic/charcoal")
    except DependencyNotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture
def cairo(monkeypatch):
    """The program of the page."""
    pytest.importorskip("cairocffi", exc_type=(ImportError, OSError))
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return load_program("cairo_pen:CairoPen")


def tensors(stroke):
    return Stroke(*map(torch.from_numpy, stroke))


@pytest.mark.parametrize("name", TWINS)
def test_shipped_twins_imitate_their_brushes(libmypaint, name):
    assert TWINS[name].stat().st_size < 2**20
    program, twin = load_program(name), load_generator(name)
    assert twin_of(program) == name
    stroke = three_body_strokes(np.random.default_rng(10**7), 150)
    for size in (64, 128):
        truth = program.draw(stroke, size)
        with torch.no_grad():
            error = np.square(twin(tensors(stroke), size).numpy() - truth).sum()
        assert error / np.square(truth).sum() < MOST[name]


def test_files_of_twins_say_what_they_imitate():
    for name, path in TWINS.items():
        with safe_open(path, "pt") as file:
            said = file.metadata()
        assert json.loads(said["brush"]) == name
        about = json.loads(said["program"])
        assert about == {"name": name, "blend": "normal", "radii": [0.002, 0.125]}
        assert 128 in json.loads(said["learned_at"])


def test_twins_are_found_by_their_brush_and_refused_for_another(libmypaint):
    brush = "mypaint:classic/charcoal"
    env = gym.make("NeuralPainting-v0", brush=brush, canvas_size=48)
    assert env.unwrapped.task.engine.program.imitates.name == brush
    env.reset(seed=0)
    action = torch.zeros(50, requires_grad=True)
    env.step(action)[1].backward()
    assert action.grad.abs().sum() > 0
    envs = gym.make_vec("NeuralPainting-v0", num_envs=2, brush=brush, canvas_size=48)
    assert envs.reset(seed=0)[0]["canvas"].shape == (2, 1, 48, 48)
    gym.make("NeuralPainting-v0", brush=f"{brush}@3")  # another grain is the same brush
    for other in ("pencil", "mypaint:classic/pencil"):
        with pytest.raises(ValueError, match=f"imitates the brush '{brush}' only, got {other}"):
            gym.make("NeuralPainting-v0", brush=other, generator=brush)


@pytest.mark.slow
def test_twins_of_black_boxes_are_trained_by_processes_that_paint_ahead(libmypaint, tmp_path):
    out = tmp_path / "twin"
    succeed("baselines.train_generator", "--brush", "mypaint:classic/charcoal", "--out", out,
            "--updates", 3, "--batch", 8, "--sizes", 32, "--workers", 1, "--start",
            "mypaint:classic/charcoal", "--lr", 1e-4, run=run_process)  # fmt: skip
    twin = load_generator(out / "generator.safetensors")
    assert twin.imitates.name == "mypaint:classic/charcoal"
    gym.make("NeuralPainting-v0", brush="mypaint:classic/charcoal", generator=twin)
    smudge = run("baselines.train_generator", "--brush", "mypaint:classic/smudge", "--out", out)
    assert smudge.returncode == 1
    assert "it leaves no ink on an empty canvas" in smudge.stderr


def test_strokes_fitted_through_the_twin_are_as_good_on_the_brush(libmypaint, tmp_path):
    """And those that are fitted through our own pencil are not."""
    out = tmp_path / "fit.json"
    succeed("baselines.fit_strokes", "--brush", "mypaint:classic/charcoal", "--canvas-size", 64,
            "--count", 6, "--steps", 60, "--through", "twin", "pencil", "--out", out)  # fmt: skip
    found = json.loads(out.read_text())
    assert found["twin"]["here"] < 1.5 * found["twin"]["there"]
    assert found["twin"]["here"] < found["pencil"]["here"]


def test_the_page_has_the_example(cairo):
    page = (ROOT / "docs" / "black_boxes.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?class CairoPen.*?)^```", page, re.S | re.M)
    example = (ROOT / "examples" / "cairo_pen.py").read_text()
    assert block.strip() in example


def test_a_sheet_shows_every_brush():
    sheet = draw_sheet(BRUSHES.values(), 64)
    assert sheet.shape == (128, 192, 3)
    tiles = sheet.reshape(2, 64, 3, 64, 3).transpose(0, 2, 1, 3, 4).reshape(6, -1)
    assert len({tile.tobytes() for tile in tiles}) == 6
    with pytest.raises(ValueError, match="tile must be from 16 to 1024, got 8"):
        draw_sheet(BRUSHES.values(), 8)


def test_cairo_paints(cairo):
    assert misfit(cairo) < 1e-6
    t = np.linspace(-0.5, 0.5, 16)
    stroke = Stroke(
        np.ones((1, 1)),
        np.array([0.1]),
        np.stack([0.5 + 0 * t, 0.4 + t], 1)[None],
        np.ones((1, 16)),
    )
    alpha = cairo.draw(stroke, (40, 50))[0]
    y, x = np.nonzero(alpha)
    assert abs(x.mean() - 37) < 1.5
    assert y.min() < 4
    assert y.max() < 25
    assert (alpha.max(1) > 0.9).sum() > 16
