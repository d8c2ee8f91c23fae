"""Canvases that are not square."""

import csv
import re

import cv2
import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from reference import reference_opacity

from strokenet_gym import (
    BRUSHES,
    RecordStrokes,
    SB3VecEnv,
    Stroke,
    StrokeLog,
    export,
    load_generator,
    paint_sequence,
)
from strokenet_gym.display import frame
from strokenet_gym.programs.three_body import three_body_strokes

PENCIL = BRUSHES["pencil"]
SIZE = 40, 64
IDS = ["Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0"]


def square_of(stroke, size):
    """The same strokes for a square canvas of the longer side, of which this is the top left."""
    height, width = size
    side = max(size)
    x, y = (1 + stroke.position[..., 0]) * width / side, (1 - stroke.position[..., 1]) * height
    position = np.stack([x - 1, 1 - y / side], -1)
    return stroke._replace(position=position, radius=stroke.radius * min(size) / side)


@pytest.mark.parametrize("size", [SIZE, SIZE[::-1]])
@pytest.mark.parametrize("brush", [b for b in BRUSHES.values() if b.grain == 0])
def test_the_same_as_a_part_of_a_square(rng, brush, size):
    stroke = three_body_strokes(rng, 20)
    stroke = Stroke(*(f.astype(float) for f in stroke))
    drawn = brush.draw(stroke, size)
    assert drawn.shape == (20, *size)
    wanted = brush.draw(square_of(stroke, size), max(size))[:, : size[0], : size[1]]
    np.testing.assert_allclose(drawn, wanted, atol=1e-9)


def test_a_dot_is_round_and_where_it_should_be():
    stroke = Stroke(
        np.ones((1, 1)), np.full(1, 0.3), np.full((1, 16, 2), [0.5, 0.4]), np.ones((1, 16))
    )
    rows, columns = np.nonzero(PENCIL.draw(stroke, (40, 80))[0] > 0.5)
    assert np.ptp(rows) == np.ptp(columns)
    assert rows.mean() + 0.5 == pytest.approx(20 * 0.6)
    assert columns.mean() + 0.5 == pytest.approx(40 * 1.5)


@pytest.mark.parametrize("name", IDS)
def test_environments(name, rng, tmp_path):
    picture = rng.integers(0, 256, (20, 60, 3), np.uint8)
    env = gym.make(name, targets=picture, canvas_size=SIZE, max_strokes=3, render_mode="rgb_array")
    check_env(env.unwrapped)
    env = RecordStrokes(env, tmp_path)
    observation, _ = env.reset(seed=0)
    target = observation["target"]
    assert target.shape == (3, *SIZE)
    assert target[:, :9].max() == target[:, -9:].max() == 0  # fitted to the width, padded
    assert target[:, 10:30].mean() > 100
    env.action_space.seed(0)
    for _ in range(3):
        observation, reward, *_ = env.step(env.action_space.sample())
        assert np.isfinite(reward)
    shown = env.render()
    assert shown.shape == frame(env.unwrapped.task.scene(0)).shape == (184, 520, 3)
    env.close()
    log = StrokeLog.load(tmp_path / "strokes-00000.json")
    assert log.size == SIZE
    if name != "NeuralPainting-v0":  # of which a log keeps what the real program paints
        replayed = np.floor(log.replay() * 255 + 0.5)
        assert np.abs(replayed - observation["canvas"]).max() <= 1
    large = log.replay((4 * SIZE[0], 4 * SIZE[1]))
    assert large.shape == log.replay(4 * SIZE[1]).shape == (3, 160, 256)
    small = large.reshape(3, SIZE[0], 4, SIZE[1], 4).mean((2, 4))
    assert np.abs(small - log.replay()).mean() < 0.01


def test_batches(rng):
    env = gym.make_vec("Painting-v0", num_envs=3, canvas_size=SIZE)
    observation, _ = env.reset(seed=0)
    assert observation["target"].shape == (3, 1, *SIZE)
    single = gym.make("Painting-v0", canvas_size=SIZE)
    np.testing.assert_array_equal(single.reset(seed=1)[0]["target"], observation["target"][1])
    assert SB3VecEnv("Painting-v0", 2, canvas_size=SIZE).reset()["canvas"].shape == (2, 1, *SIZE)


@pytest.mark.parametrize("name", IDS[1:])
def test_gradients(name, rng):
    env = gym.make(name, targets=rng.random((40, 64)), canvas_size=SIZE)

    def reward(action):
        env.reset(seed=0, options={"as_tensor": True})
        return env.step(action)[1]

    action = torch.from_numpy(rng.uniform(-0.5, 0.5, 50)).requires_grad_()
    (gradient,) = torch.autograd.grad(reward(action), action)
    direction = torch.from_numpy(rng.normal(size=50)) * 1e-7
    difference = (reward(action + direction) - reward(action - direction)).item() / 2
    assert (gradient * direction).sum().item() == pytest.approx(difference, rel=1e-3)


def test_sequences(rng):
    canvas = rng.random((2, 3, *SIZE))
    actions = rng.uniform(-1, 1, (2, 4, 52))
    painted = paint_sequence(canvas, actions)
    tensors = paint_sequence(torch.from_numpy(canvas), torch.from_numpy(actions))
    assert painted.shape == canvas.shape
    np.testing.assert_allclose(tensors, painted, atol=1e-9)


def test_the_paper_generator_paints_squares(rng):
    with pytest.raises(ValueError, match=r"'paper' paints on square canvases only.*\(40, 64\)"):
        gym.make("NeuralPainting-v0", generator="paper", canvas_size=SIZE)
    stroke = Stroke(*map(torch.from_numpy, three_body_strokes(rng, 2)))
    assert load_generator("compact")(stroke, SIZE).shape == (2, *SIZE)


@pytest.mark.parametrize("size", [(8, 64), (64,), (64, 64, 3), "64", (64, 5000), (64.0, 64)])
def test_refused(size):
    with pytest.raises(ValueError, match="canvas_size must be"):
        gym.make("Painting-v0", canvas_size=size)


def test_exports(rng, tmp_path):
    stroke = Stroke(*(f[0].astype(float) for f in three_body_strokes(rng, 1)))
    log = StrokeLog(SIZE, (0.0,), PENCIL, strokes=[stroke])
    options = {".gif": {"seconds": 0.1}, ".mp4": {"seconds": 0.1}}
    for suffix in (".png", ".svg", ".gif", ".mp4", ".csv"):
        export(log, tmp_path / f"picture{suffix}", 128, **options.get(suffix, {}))
    assert cv2.imread(str(tmp_path / "picture.png")).shape == (80, 128, 3)
    for suffix in (".gif", ".mp4"):
        film = cv2.VideoCapture(str(tmp_path / f"picture{suffix}"))
        assert film.read()[1].shape == (80, 128, 3)
        film.release()
    svg = (tmp_path / "picture.svg").read_text()
    assert re.search(r'width="128" height="80" viewBox="0 0 5120 3200"', svg)
    with (tmp_path / "picture.csv").open() as file:
        rows = list(csv.DictReader(file))
    # The canvas fills the paper's width, and is centred in its height.
    position = stroke.position[0]
    assert float(rows[0]["x_mm"]) == pytest.approx(105 + 105 * position[0], abs=1e-3)
    assert float(rows[0]["y_mm"]) == pytest.approx(148.5 + 105 * 40 / 64 * position[1], abs=1e-3)


def test_near_the_reference(rng):
    """On a canvas whose square part is the reference's, far from the border."""
    stroke = three_body_strokes(rng, 5)
    stroke = Stroke(*(f.astype(float) for f in stroke))._replace(
        position=stroke.position.astype(float) * 0.4
    )
    drawn = PENCIL.draw(stroke, SIZE)
    square = square_of(stroke, SIZE)
    for i in range(5):
        wanted = reference_opacity(
            square.position[i], square.pressure[i], square.radius[i], max(SIZE), PENCIL
        )
        assert np.abs(drawn[i] - wanted[: SIZE[0]]).max() * 255 <= 2
