"""Painting-v0, single and batched."""

import pickle
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from gymnasium.utils.env_checker import check_env

import strokenet_gym
from strokenet_gym import Stroke, pack


def make(**kwargs):
    env = gym.make("Painting-v0", **({"canvas_size": 32} | kwargs))
    env.action_space.seed(0)  # samples are the same in every run
    return env


def episode(env, seed, strokes=3):
    observations = [env.reset(seed=seed)]
    env.action_space.seed(seed)
    for _ in range(strokes):
        observations.append(env.step(env.action_space.sample()))
    return observations


def assert_same(a, b):
    """The same nested values, bit for bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "kwargs", [{}, {"channels": 3, "max_strokes": 4, "render_mode": "rgb_array"}]
)
def test_check_env(kwargs):
    env = make(**kwargs)
    check_env(env.unwrapped)
    env.close()


def test_same_seed_same_episode():
    assert_same(episode(make(max_strokes=3), 7), episode(make(max_strokes=3), 7))
    a, b = make().reset(seed=1)[0], make().reset(seed=2)[0]
    assert (a["target"] != b["target"]).any()


@pytest.mark.parametrize("seeded", [False, True])
def test_pickles(seeded):
    env = make(max_strokes=5)
    if seeded:
        episode(env, 3, strokes=2)
    twin = pickle.loads(pickle.dumps(env))
    assert_same(episode(env, 4), episode(twin, 4))


def test_pickles_in_the_middle_of_an_episode():
    env = make(max_strokes=5)
    episode(env, 3, strokes=2)
    twin = pickle.loads(pickle.dumps(env))
    action = env.action_space.sample()
    assert_same(env.step(action), twin.step(action))


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_return_is_one_minus_residual(kind):
    env = make(max_strokes=6, reward=kind, channels=3)
    observation, _ = env.reset(seed=0)
    power = 2 if kind == "l2" else 1
    start = np.mean((observation["target"] / 255) ** power)
    rewards = []
    terminated = False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        rewards.append(reward)
        assert not truncated
    assert len(rewards) == 6
    error = np.abs(observation["canvas"] / 255.0 - observation["target"] / 255.0) ** power
    assert sum(rewards) == pytest.approx(1 - error.mean() / start, abs=2e-3)
    if kind == "l2":
        assert info["l2"] == pytest.approx(error.mean(), abs=1e-4)
        assert sum(rewards) == pytest.approx(1 - info["residual"])
    assert info["stroke"] == 6
    assert observation["strokes_left"] == 0


def test_an_error_in_the_reward_function_ends_the_episode():
    env = make(reward=lambda before, after, target: after.mean((2, 3)))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="must return the shape"):
        env.step(env.action_space.sample())
    with pytest.raises(ResetNeeded):
        env.step(env.action_space.sample())


def test_a_perfect_copy_returns_one():
    env = make(canvas_size=64)
    action = pack(
        Stroke(
            colour=np.ones(1),
            radius=np.array(0.1),
            position=np.linspace([-0.5, 0.5], [0.5, -0.2], 16),
            pressure=np.ones(16),
        )
    ).astype(np.float32)
    target = env.unwrapped.paint(np.zeros((1, 64, 64)), action)
    env.reset(options={"target": target})
    observation, reward, _, _, info = env.step(action)
    assert reward == pytest.approx(1)
    assert info["l2"] == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(observation["canvas"], observation["target"])


def test_y_points_up():
    env = make(canvas_size=64)
    env.reset(seed=0)
    anchors = np.tile([0.8, 0.8, 1.0], 16)  # near the top right
    observation, *_ = env.step(np.r_[1.0, 0.5, anchors].astype(np.float32))
    canvas = observation["canvas"][0]
    assert canvas[:16, 48:].sum() == canvas.sum() > 0


def test_target_equal_to_the_background():
    env = make(background=0.5)
    env.reset(options={"target": np.full((32, 32), 0.5)})
    _, reward, _, _, info = env.step(np.ones(50, np.float32))
    assert reward == pytest.approx(-info["l2"])
    assert reward < 0


def test_reward_function():
    seen = []

    def reward(before, after, target):
        seen.append((before.shape, after.shape, target.shape))
        return (after - before).mean((1, 2, 3))

    env = make(reward=reward)
    env.reset(seed=0)
    observation, value, *_ = env.step(np.ones(50, np.float32))
    assert seen == [((1, 1, 32, 32),) * 3]
    assert isinstance(value, float)
    assert value == pytest.approx(observation["canvas"].mean() / 255, abs=2e-3)


@pytest.mark.parametrize(
    ("background", "target"),
    [
        (1.0, np.full((200, 200), 255, np.uint8)),  # equal but for rounding in the resize
        (0.5, np.full((32, 32), 128, np.uint8)),  # equal on a screen
    ],
)
def test_target_that_looks_like_the_background(background, target):
    env = make(background=background)
    env.reset(options={"target": target})
    _, reward, _, _, info = env.step(np.ones(50, np.float32))
    assert reward == pytest.approx(-info["l2"], abs=1e-4)


def test_a_faint_target_still_counts():
    target = np.zeros((32, 32), np.uint8)
    target[10, 10] = 3
    env = make()
    _, info = env.reset(options={"target": target})
    assert info["residual"] == 1


@pytest.mark.parametrize("wrong", [lambda b, a, t: (a - b).mean(), lambda b, a, t: np.ones((1, 1))])
def test_reward_function_of_the_wrong_shape(wrong):
    env = make(reward=wrong)
    env.reset()
    with pytest.raises(ValueError, match=r"must return the shape \(1,\), got"):
        env.step(np.ones(50, np.float32))


@pytest.mark.parametrize(
    ("canvas", "message"),
    [
        (np.zeros((1, 16, 64), np.float32), "a canvas must have the shape"),
        (np.zeros((3, 32, 32), np.float32), "a canvas must have the shape"),
        (np.zeros((1, 1, 1), np.float32), "a canvas must have the shape"),
        (np.full((1, 32, 32), 255, np.uint8), "must be in 0 … 1, got 255"),
        (np.full((1, 32, 32), np.nan), "must be in 0 … 1"),
    ],
)
@pytest.mark.parametrize("env_id", ["Painting-v0", "NeuralPainting-v0"])
def test_paint_refuses_a_wrong_canvas(env_id, canvas, message):
    env = gym.make(env_id, canvas_size=32).unwrapped
    with pytest.raises(ValueError, match=message):
        env.paint(canvas, np.zeros(50, np.float32))


def test_paint_takes_lists():
    env = make(canvas_size=16).unwrapped
    assert env.paint(np.zeros((1, 16, 16)).tolist(), [1.0] * 50).max() > 0


def test_observations_are_copies():
    env = make(max_strokes=2)
    first, _ = env.reset(seed=0)
    kept = first["canvas"].copy()
    env.step(np.ones(50, np.float32))
    np.testing.assert_array_equal(first["canvas"], kept)


def test_actions_beyond_the_bounds_are_clipped():
    env = make()
    results = []
    for scale in (1, 3):
        env.reset(seed=0)
        results.append(env.step(np.full(50, scale, np.float32)))
    assert_same(*results)


def test_grey_and_colour_targets():
    grey, red = np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    assert make(targets=grey).observation_space["canvas"].shape == (1, 32, 32)
    env = make(targets=red)
    observation, _ = env.reset()
    assert observation["target"][:, 16, 16].tolist() == [255, 0, 0]
    assert make(targets=red, channels=1).reset()[0]["target"].max() == 76


def test_own_source_of_targets():
    class Stripes:
        def sample(self, rng):
            image = np.zeros((10, 10), np.uint8)
            image[rng.integers(10)] = 255
            return image

    env = make(targets=Stripes())
    a, b = (env.reset(seed=s)[0]["target"] for s in (0, 1))
    assert a.max() > 200
    assert (a != b).any()


def test_render():
    env = make(render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (256 + 24, 256 + 8 + 256, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[4:256:8, 4:256:8, 0], observation["target"][0])
    assert picture[:256, -256:].max() == 0
    env.step(np.ones(50, np.float32))
    assert env.render()[:256, -256:].max() == 255


def test_human_window():
    env = make(render_mode="human", stroke_seconds=0)
    env.reset(seed=0)
    assert env.render() is None
    env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env))  # opens a window of its own
    env.close()
    env.close()
    twin.reset(seed=0)
    twin.close()


def test_an_eraser_paints_the_background():
    env = make(brush="eraser", background=0.4, channels=3, max_strokes=4).unwrapped
    env.reset(seed=0)
    dot = np.r_[np.ones(4), np.tile([0, 0, 1.0], 16)].astype(np.float32)
    env.step(dot)
    np.testing.assert_allclose(env.task.engine.canvas, 0.4)
    white = np.ones((3, 32, 32), np.float32)
    assert env.paint(white, dot).min() == pytest.approx(0.4, abs=1e-3)
    env = make(brush="watercolour").unwrapped
    env.reset(seed=0)
    assert env.step(np.ones(50, np.float32))[0]["canvas"].max() == 0  # it darkens


def without_a_display(monkeypatch):
    for variable in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)


def without_pygame(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is a display")
@pytest.mark.parametrize("lack", [without_a_display, without_pygame])
@pytest.mark.parametrize("kind", ["Painting", "DifferentiablePainting", "NeuralPainting"])
def test_check_env_where_no_window_can_be_opened(kind, lack, monkeypatch):
    """It tries the render modes that an environment says it has."""
    env = gym.make(f"{kind}-v0", canvas_size=16).unwrapped
    assert env.metadata["render_modes"] == ["rgb_array", "human"]
    lack(monkeypatch)
    env = gym.make(f"{kind}-v0", canvas_size=16).unwrapped
    assert env.metadata["render_modes"] == ["rgb_array"]
    check_env(env)
    envs = gym.make_vec(f"{kind}-v0", num_envs=2, canvas_size=16)
    assert envs.metadata["render_modes"] == ["rgb_array"]
    assert type(env).metadata["render_modes"] == ["rgb_array", "human"]


class Flat(strokenet_gym.PaintingEnv):
    """Observes the canvas alone, in a row."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        size = self.observation_space["canvas"].shape
        self.observation_space = gym.spaces.Box(0, 255, (np.prod(size),), np.uint8)

    def reset(self, **kwargs):
        observation, info = super().reset(**kwargs)
        return observation["canvas"].ravel(), info

    def step(self, action):
        observation, *rest = super().step(action)
        return observation["canvas"].ravel(), *rest


class Named(strokenet_gym.PaintingVectorEnv):
    """Has its space under another name, and sets it before anything else is there."""

    def __init__(self, **kwargs):
        own = gym.spaces.Dict({"seen": gym.spaces.Box(0, 255, (1, 32, 32), np.uint8)})
        self.single_observation_space = own
        super().__init__(**kwargs)


def test_a_subclass_has_a_space_of_its_own():
    env = Flat(canvas_size=32)
    check_env(env, skip_render_check=True)
    assert env.observation_space.contains(env.reset(seed=0)[0])
    copied = pickle.loads(pickle.dumps(env))
    assert copied.observation_space == env.observation_space
    envs = Named(num_envs=3, canvas_size=32)
    assert envs.observation_space["seen"].shape == (3, 1, 32, 32)
    space = gym.spaces.Box(0, 1, (3, 4), np.float32)
    envs.observation_space = space
    assert envs.observation_space is space


def test_missing_pygame(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(DependencyNotInstalled, match=r"run `pip install pygame`"):
        make(render_mode="human")
    make(render_mode="rgb_array")


def test_step_needs_reset():
    env = make().unwrapped
    with pytest.raises(ResetNeeded, match="no episode yet"):
        env.step(env.action_space.sample())
    with pytest.raises(ResetNeeded, match="nothing to render"):
        env.render()
    env.reset()
    env.step(env.action_space.sample())
    with pytest.raises(ResetNeeded, match="has ended"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (np.zeros(7, np.float32), ValueError),
        (np.zeros((1, 50), np.float32), ValueError),
        (np.full(50, np.nan, np.float32), ValueError),
        (np.full(50, "a"), TypeError),
        (None, TypeError),
    ],
)
def test_bad_actions_change_nothing(action, error):
    env = make(max_strokes=2).unwrapped
    env.reset(seed=0)
    with pytest.raises(error, match="action"):
        env.step(action)
    assert env.step(np.zeros(50, np.float32))[4]["stroke"] == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"targets": "cats"}, "unknown targets 'cats'"),
        ({"canvas_size": 8}, "canvas_size must be from 16 to 4096, got 8"),
        ({"canvas_size": 64.5}, r"whole number, got 64\.5"),
        ({"max_strokes": 0}, "max_strokes must be from 1"),
        ({"channels": 2}, "channels must be 1"),
        ({"reward": "psnr"}, "reward must be"),
        ({"brush": "crayon"}, "unknown brush 'crayon'"),
        ({"background": 2}, "background must be"),
        ({"background": (0, 0)}, "background must be"),
        ({"render_mode": "ansi"}, "unknown render_mode 'ansi'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        strokenet_gym.envs.PaintingEnv(**kwargs)


def test_bad_reset_options():
    env = make()
    with pytest.raises(ValueError, match=r"unknown reset options \['goal'\]; known: target"):
        env.reset(options={"goal": 1})
    with pytest.raises(ValueError, match="shape"):
        env.reset(options={"target": np.zeros(3)})
