"""The adapter for stable-baselines3, against SB3's own DummyVecEnv."""

import functools

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor

import strokenet_gym  # noqa: F401
from strokenet_gym.sb3 import SB3VecEnv


def make(num_envs=3, **kwargs):
    return SB3VecEnv(num_envs=num_envs, **({"canvas_size": 36, "max_strokes": 2} | kwargs))


def dummy(num_envs=3, **kwargs):
    return DummyVecEnv([functools.partial(_one, **kwargs)] * num_envs)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])


@pytest.mark.parametrize("limit", [-1, 1, 2])
def test_is_the_same_as_dummy_vec_env(rng, limit):
    ours, theirs = make(max_episode_steps=limit), dummy(max_episode_steps=limit)
    length = 1 if limit == 1 else 2
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.seed(7) == theirs.seed(7)
    assert_same(ours.reset(), theirs.reset())
    assert ours.reset_infos == theirs.reset_infos
    for _ in range(7):
        actions = rng.uniform(-1, 1, (3, 50)).astype(np.float32)
        a, b = ours.step(actions), theirs.step(actions)
        assert_same(a[0], b[0])
        for x, y in zip(a[1:3], b[1:3], strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
        assert len(a[3]) == 3
        for x, y in zip(a[3], b[3], strict=True):
            assert x.keys() == y.keys()
            assert (x["l2"], x["residual"], x["stroke"]) == (y["l2"], y["residual"], y["stroke"])
            assert x["TimeLimit.truncated"] is y["TimeLimit.truncated"] is (limit == 1)
            if "episode" in x:
                assert x["episode"].keys() == y["episode"].keys()
                assert x["episode"]["r"] == pytest.approx(y["episode"]["r"], abs=1e-6)
                assert x["episode"]["l"] == y["episode"]["l"] == length
                assert_same(x["terminal_observation"], y["terminal_observation"])
        assert ours.reset_infos == theirs.reset_infos


def _one(**kwargs):
    return Monitor(gym.make("Painting-v0", canvas_size=36, max_strokes=2, **kwargs))


def test_environments_by_spec_and_by_gymnasiums_names():
    spec = gym.make_vec("Painting-v0", num_envs=2, canvas_size=36).spec
    for envs in (SB3VecEnv(spec), SB3VecEnv("strokenet_gym:Painting-v0", 2, canvas_size=36)):
        assert envs.reset()["canvas"].shape == (2, 1, 36, 36)
        assert envs.step(np.zeros((2, 50), np.float32))[2].tolist() == [True, True]
    with pytest.raises(gym.error.Error, match="doesn't have a vector entry point"):
        SB3VecEnv("Spiral-v0")


@pytest.mark.parametrize("method", ["fork", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_single_environments_work_in_subprocesses(method, rng):
    theirs = SubprocVecEnv([_one] * 2, start_method=method)
    ours = make(2)
    for envs in (ours, theirs):
        envs.seed(1)
    assert_same(ours.reset(), theirs.reset())
    actions = rng.uniform(-1, 1, (2, 50)).astype(np.float32)
    a, b = ours.step(actions), theirs.step(actions)
    theirs.close()
    assert_same(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1].astype(np.float32))  # it alone keeps float64


def test_options_are_used_once():
    envs = make(2)
    pictures = [np.full((36, 36), v, np.uint8) for v in (10, 20)]
    envs.set_options([{"target": p} for p in pictures])
    assert envs.reset()["target"].max((1, 2, 3)).tolist() == [10, 20]
    envs.seed(0)
    assert envs.reset()["target"].max() > 20
    envs.set_options({"colour": 3})
    with pytest.raises(ValueError, match="unknown reset options"):
        envs.reset()


def test_attributes_and_methods():
    envs = make(render_mode="rgb_array")
    envs.reset()
    assert envs.get_attr("num_envs") == [3, 3, 3]
    assert envs.get_attr("num_envs", 1) == [3]
    envs.set_attr("note", "hello")
    assert envs.get_attr("note", [0, 2]) == ["hello", "hello"]
    frames = envs.env_method("render")
    assert len(frames) == 3
    assert frames[0].shape == (288 + 24, 584, 3)
    assert envs.render().ndim == 3
    assert envs.env_is_wrapped(Monitor) == [True] * 3
    assert envs.env_is_wrapped(VecMonitor, [0]) == [False]
    with pytest.raises(ValueError, match="all sub-environments at once"):
        envs.env_method("render", indices=1)
    with pytest.raises(ValueError, match="all sub-environments at once"):
        envs.set_attr("note", "hello", indices=[0])
    with pytest.raises(AttributeError):
        envs.get_attr("nonsense")
    envs.close()


@pytest.mark.parametrize("env_id", ["Painting-v0", "DifferentiablePainting-v0"])
def test_ppo_trains_and_is_evaluated(env_id):
    envs = make(4, env_id=env_id)
    model = PPO(
        "MultiInputPolicy", envs, n_steps=8, batch_size=16, n_epochs=1, seed=0, device="cpu"
    )
    model.learn(64)
    assert len(model.ep_info_buffer) == 32  # all episodes, with their statistics
    mean, _ = evaluate_policy(model, envs, n_eval_episodes=8)
    assert np.isfinite(mean)
