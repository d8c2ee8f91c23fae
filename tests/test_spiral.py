"""Spiral-v0: SPIRAL's task on libmypaint."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from gymnasium.utils.env_checker import check_env

import strokenet_gym  # noqa: F401

WHITE = np.full((64, 64, 3), 255, np.uint8)


@pytest.fixture(autouse=True)
def _library():
    try:
        gym.make("Spiral-v0")
    except DependencyNotInstalled as error:
        pytest.skip(str(error))


def place(x, y):
    return 32 * y + x


def action(control, end, flag=1, pressure=9, size=2, colour=(0, 0, 0)):
    return np.array([place(*control), place(*end), flag, pressure, size, *colour])


def test_follows_gymnasiums_rules():
    env = gym.make("Spiral-v0", render_mode="rgb_array")
    check_env(env.unwrapped)
    assert env.action_space == gym.spaces.MultiDiscrete([1024, 1024, 2, 10, 6, 20, 20, 20])
    observation, info = env.reset(seed=0)
    assert observation["canvas"].shape == (3, 64, 64)
    assert observation["canvas"].min() == 255
    assert observation["action_mask"].tolist() == [0, 1, 1, 0, 0, 0, 0, 0]
    assert info["residual"] == pytest.approx(1)
    for k in range(20):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert terminated == (k == 19)
        assert not truncated
    with pytest.raises(ResetNeeded):
        env.step(env.action_space.sample())
    assert env.render().std() > 0
    assert gym.make_vec("Spiral-v0", num_envs=2, vectorization_mode="sync").num_envs == 2


def test_curves_go_where_they_are_sent():
    env = gym.make("Spiral-v0", reward="none")
    env.reset(seed=0, options={"target": WHITE})
    env.step(action((0, 0), (4, 16), flag=0))
    observation, reward, *_ = env.step(action((16, 16), (28, 16), colour=(19, 0, 0)))
    assert reward == 0
    y, x = np.nonzero((255 - observation["canvas"].astype(int)).sum(0) > 60)
    assert abs(y.mean() - 32) < 4
    assert x.min() < 16
    assert x.max() > 48
    red, green, _ = observation["canvas"][:, y, x].mean(1)
    assert red > 240 > green
    # The next one goes on from there.
    observation, *_ = env.step(action((28, 24), (28, 31), colour=(0, 0, 0)))
    y, x = np.nonzero(observation["canvas"].sum(0) < 200)
    assert np.median(y) > 40
    assert abs(np.median(x) - 56) < 6


def test_rewards_are_what_the_error_falls_by():
    env = gym.make("Spiral-v0", max_strokes=3)
    _, info = env.reset(seed=1, options={"target": 255 - WHITE})
    total = 0.0
    for _ in range(3):
        *_, info = result = env.step(action((16, 0), (31, 31), size=5))
        total += result[1]
    assert total == pytest.approx(1 - info["residual"])
    assert total > 0.1


def test_same_actions_same_picture():
    actions = np.random.default_rng(0).integers(0, [1024, 1024, 2, 10, 6, 20, 20, 20], (8, 8))
    pictures = []
    env = gym.make("Spiral-v0")
    for other in (env, env, pickle.loads(pickle.dumps(env.unwrapped))):
        other.reset(seed=0)
        for chosen in actions:
            observation, *_ = other.step(chosen)
        pictures.append(observation["canvas"])
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[2])


def test_the_originals_move_takes_y_for_x():
    starts = []
    for original in (False, True):
        env = gym.make("Spiral-v0", original_move=original)
        env.reset(seed=0)
        env.step(action((0, 0), (24, 8), flag=0))
        observation, *_ = env.step(action((16, 8), (16, 8)))
        x = np.nonzero(observation["canvas"].sum(0) < 500)[1]
        starts.append(x.mean())
    assert starts[0] > 34
    assert starts[1] < 30


@pytest.mark.parametrize("wrong", [[0] * 7, [0.5] * 8, [1024, *[0] * 7], [-1, *[0] * 7]])
def test_wrong_actions(wrong):
    env = gym.make("Spiral-v0")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="an action must be 8 whole numbers under"):
        env.step(np.array(wrong))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"brush": 5}, "brush must be the name of a brush or a path, got 5"),
        ({"brush": b"classic/pencil"}, "brush must be the name"),
        ({"brush": "classic/none"}, "unknown brush"),
        ({"brush": "mypaint:classic/charcoal@3"}, "unknown brush"),
        ({"reward": "l3"}, 'reward must be "l2", "l1", "none", .* got \'l3\''),
        ({"reward": np.zeros(2)}, 'reward must be "l2", "l1", "none"'),
        ({"canvas_size": 8}, "canvas_size must be from 16 to 4096, got 8"),
        ({"max_strokes": 0}, "max_strokes must be from 1"),
        ({"original_move": 2}, "original_move"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gym.make("Spiral-v0", **kwargs)
