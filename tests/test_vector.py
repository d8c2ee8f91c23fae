"""The batch of Painting-v0."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from test_painting import assert_same, make

from strokenet_gym import Program


def make_vec(num_envs=5, **kwargs):
    envs = gym.make_vec("Painting-v0", num_envs=num_envs, **({"canvas_size": 32} | kwargs))
    envs.action_space.seed(0)
    return envs


@pytest.mark.parametrize("limit", [-1, 2, 3, 9])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_env_is_like_single_ones(mode, limit):
    """Step for step what Gymnasium's own SyncVectorEnv makes of single environments."""
    kwargs = {"max_strokes": 3, "max_episode_steps": limit}
    ours = make_vec(autoreset_mode=mode, disable_env_checker=True, **kwargs)
    theirs = SyncVectorEnv([lambda: make(**kwargs) for _ in range(5)], autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] is mode
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_same(ours.reset(seed=11)[0], theirs.reset(seed=11)[0])
    ours.action_space.seed(0)
    for _ in range(8):
        action = ours.action_space.sample()
        a, b = ours.step(action), theirs.step(action)
        for x, y in zip(a[:4], b[:4], strict=True):
            assert_same(x, y)
        for key in ("l2", "stroke", "residual"):
            np.testing.assert_array_equal(a[4][key], b[4][key])
        assert ("final_obs" in a[4]) == ("final_obs" in b[4])
        if "final_obs" in a[4]:
            assert_same(a[4]["_final_obs"], b[4]["_final_obs"])
            assert_same(list(a[4]["final_obs"]), list(b[4]["final_obs"]))
            np.testing.assert_array_equal(a[4]["final_info"]["l2"], b[4]["final_info"]["l2"])
        if mode is AutoresetMode.DISABLED and (a[2] | a[3]).any():
            options = {"reset_mask": a[2] | a[3]}
            assert_same(ours.reset(options=dict(options))[0], theirs.reset(options=options)[0])


def test_truncations_are_the_users():
    """Who changes what a step returned does not change the episodes."""
    envs = make_vec(2, max_strokes=9, max_episode_steps=2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    truncated = envs.step(envs.action_space.sample())[3]
    assert truncated.tolist() == [True, True]
    truncated[:] = False
    with pytest.raises(ResetNeeded):
        envs.step(envs.action_space.sample())


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_frames_are_collected_as_in_single_ones(mode):
    kwargs = {"max_strokes": 2, "render_mode": "rgb_array_list"}
    ours = make_vec(2, autoreset_mode=mode, **kwargs)
    theirs = SyncVectorEnv([lambda: make(**kwargs) for _ in range(2)], autoreset_mode=mode)
    assert ours.render_mode == theirs.render_mode
    for envs in (ours, theirs):
        envs.reset(seed=0)
    for looks in (False, True, False, False, True):
        action = ours.action_space.sample()
        for envs in (ours, theirs):
            over = np.logical_or(*envs.step(action)[2:4])
            if mode is AutoresetMode.DISABLED and over.any():
                envs.reset(options={"reset_mask": over})
        if looks:
            a, b = ours.render(), theirs.render()
            assert [len(frames) for frames in a] == [len(frames) for frames in b]
            assert_same(list(a), list(b))


@pytest.fixture
def registered():
    """An environment of a user's: ours, with a limit and arguments of its own."""
    gym.register(
        id="Short-v0", entry_point="strokenet_gym.envs:PaintingEnv",
        vector_entry_point="strokenet_gym.envs:PaintingVectorEnv",
        max_episode_steps=2, kwargs={"max_strokes": 5, "canvas_size": 16},
    )  # fmt: skip
    yield "Short-v0"
    del gym.registry["Short-v0"]


def test_a_limit_that_is_registered(registered):
    envs = gym.make_vec(registered, num_envs=2)
    again = gym.make_vec(gym.envs.registration.EnvSpec.from_json(envs.spec.to_json()))
    for made in (envs, again, gym.make_vec(registered, num_envs=2, max_episode_steps=4)):
        made.reset(seed=0)
        limit = made.spec.kwargs["max_episode_steps"]
        for k in range(1, limit + 1):
            *_, terminated, truncated, _ = made.step(made.action_space.sample())
            assert truncated.tolist() == [k == limit] * 2
            assert not terminated.any()
    free = gym.make_vec(registered, num_envs=2, max_episode_steps=-1)
    free.reset(seed=0)
    for _ in range(5):
        *_, terminated, truncated, _ = free.step(free.action_space.sample())
        assert not truncated.any()
    assert terminated.all()


def test_a_limit_of_spiral():
    try:
        envs = gym.make_vec("Spiral-v0", num_envs=2, max_episode_steps=2)
    except gym.error.DependencyNotInstalled as error:
        pytest.skip(str(error))
    envs.reset(seed=0)
    assert [envs.step(envs.action_space.sample())[3].any() for _ in range(2)] == [False, True]


@pytest.mark.parametrize("limit", [0, -2, 1.5, "3"])
@pytest.mark.parametrize("kind", ["Painting", "DifferentiablePainting", "NeuralPainting"])
def test_wrong_limits(kind, limit):
    with pytest.raises(ValueError, match="max_episode_steps must be"):
        gym.make_vec(f"{kind}-v0", num_envs=2, max_episode_steps=limit)


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_last_observations_stay_as_they_were(copy, together):
    """Those of episodes that end together and one by one, while the next ones are painted."""
    kwargs = {"background": 0.3, "autoreset_mode": AutoresetMode.SAME_STEP, "copy": copy}
    ours = make_vec(4, max_strokes=2, **kwargs)
    empty = ours.reset(seed=3)[0]["canvas"][0, 0, 0, 0]
    if not together:  # 0 is a stroke behind the others
        ours.step(ours.action_space.sample())
        mask = np.array([True, False, False, False])
        target = np.zeros(ours.unwrapped.task.sides, np.float32)
        ours.reset(options={"reset_mask": mask, "target": [target, None, None, None]})
    kept, sure = [], []
    for _ in range(7):
        actions = ours.action_space.sample()
        observation, _, terminated, _, info = ours.step(actions)
        if terminated.any():
            assert terminated.all() == together
            assert (
                observation["canvas"][terminated] == empty
            ).all()  # empty, wherever there was ink
            for last in info["final_obs"][terminated]:
                kept.append(last)
                sure.append({key: value.copy() for key, value in last.items()})
                assert (last["canvas"] != empty).any()
    assert len(kept) >= 12
    assert_same(kept, sure)


def test_vector_env_resets_some():
    envs = make_vec(max_strokes=4)
    envs.reset(seed=0)
    actions = envs.action_space.sample()
    actions[:, :2] = 1  # white and broad: what a random stroke leaves may be too dark to see
    envs.step(actions)
    mask = np.array([True, False, False, True, False])
    observation, info = envs.reset(options={"reset_mask": mask})
    assert info["stroke"].tolist() == [0, 1, 1, 0, 1]
    assert info["_stroke"].tolist() == mask.tolist()
    assert observation["canvas"][0].max() == 0
    assert observation["canvas"][1].max() > 0


def test_observations_are_copies_unless_asked():
    for copy in (True, False):
        envs = make_vec(2, max_strokes=3, copy=copy)
        observation, _ = envs.reset(seed=0)
        before = {key: value.copy() for key, value in observation.items()}
        actions = np.ones((2, 50), np.float32)
        after, *_ = envs.step(actions)
        assert np.shares_memory(after["canvas"], observation["canvas"]) is not copy
        assert (before["canvas"] == observation["canvas"]).all() == copy
        assert (after["canvas"] != before["canvas"]).any()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_async_vector_env(context):
    """Threads and fork are a known trap: the parent has painted with its threads before."""
    parent = make_vec(32)
    parent.reset(seed=0)
    parent.step(parent.action_space.sample())
    actions = np.random.default_rng(0).uniform(-1, 1, (2, 50)).astype(np.float32)
    here = SyncVectorEnv([make] * 2)
    there = AsyncVectorEnv([make] * 2, context=context)
    here.reset(seed=3)
    there.reset(seed=3)
    a, b = here.step(actions), there.step(actions)
    there.close()
    assert_same(a[0], b[0])
    np.testing.assert_array_equal(a[1], b[1])


def test_vector_env_takes_targets_and_seeds():
    envs = make_vec(2)
    targets = [np.full((32, 32), v, np.uint8) for v in (10, 20)]
    observation, _ = envs.reset(seed=[3, None], options={"target": targets})
    assert observation["target"].max((1, 2, 3)).tolist() == [10, 20]
    for kwargs in (
        {"seed": [1]},
        {"options": {"target": targets[:1]}},
        {"options": {"reset_mask": np.ones(3, bool)}},
    ):
        with pytest.raises(ValueError, match="expected 2 "):
            envs.reset(**kwargs)
    with pytest.raises(ValueError, match="at least one True"):
        envs.reset(options={"reset_mask": np.zeros(2, bool)})
    envs.reset(options={"target": None})
    with pytest.raises(ResetNeeded, match="without a reset_mask"):
        make_vec(2).reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize("kind", ["Painting", "DifferentiablePainting", "NeuralPainting"])
@pytest.mark.parametrize("tensors", [False, True])
def test_own_rewards_are_of_strokes_alone(kind, tensors):
    """A row that only starts its next episode has no stroke: its blank canvas is not asked about.

    There the mean change is 0, where 0 / 0 is NaN, and a root has an infinite slope.
    """
    if tensors and kind == "Painting":
        pytest.skip("it has no gradients")
    counts = []

    def root_of_share(before, after, target):
        change = ((after - before) ** 2).mean((1, 2, 3))
        counts.append(len(change))
        return (change**0.5 + change / change) / 2

    envs = gym.make_vec(
        f"{kind}-v0", num_envs=2, canvas_size=16, max_strokes=2, background=0.3,
        reward=root_of_share, autoreset_mode=AutoresetMode.NEXT_STEP,
    )  # fmt: skip
    envs.reset(seed=0)
    envs.unwrapped.task.stroke[0] = 1  # it ends a step before the other
    action = np.zeros((2, 50), np.float32)
    if tensors:
        action = torch.zeros(2, 50, requires_grad=True)
    strokes = []
    for _ in range(6):
        rewards = envs.step(action)[1]
        strokes.append([bool(reward > 0) for reward in rewards])
        assert rewards.shape == (2,)
        if tensors:
            (slope,) = torch.autograd.grad(rewards.sum(), action)
            assert slope.isfinite().all()
            assert slope.any(1).tolist() == strokes[-1]
            envs.unwrapped.detach()
        else:
            assert rewards.dtype == np.float64
    assert strokes == [
        [True, True], [False, True], [True, False], [True, True], [False, True], [True, False]
    ]  # fmt: skip
    assert counts == [sum(row) for row in strokes]


class Normed(Program):
    """Divides by the largest pressure, which a row without a stroke does not have."""

    gradient = "exact"

    def paint(self, canvas, stroke, background):
        shade = stroke.pressure.mean(1) / stroke.pressure.max(1)
        return np.broadcast_to(shade[:, None, None, None], canvas.shape)

    def paint_tensors(self, canvas, target, stroke, background):
        share = stroke.pressure.mean(1) / stroke.pressure.amax(1)
        painted = share[:, None, None, None].expand_as(canvas)
        squared = ((painted - target) ** 2 - (canvas - target) ** 2).mean((1, 2, 3))
        absolute = ((painted - target).abs() - (canvas - target).abs()).mean((1, 2, 3))
        return painted, torch.stack([squared, absolute], 1)


@pytest.mark.parametrize("tensors", [False, True])
def test_programs_are_asked_for_strokes_alone(tensors):
    envs = gym.make_vec(
        "DifferentiablePainting-v0", num_envs=2, canvas_size=16, max_strokes=2, brush=Normed()
    )
    envs.reset(seed=0)
    envs.unwrapped.task.stroke[0] = 1  # it ends a step before the other
    action = np.full((2, 50), 0.5, np.float32)
    action[:, -1] = 1
    if tensors:
        action = torch.from_numpy(action).requires_grad_()
    painted = []
    for _ in range(6):
        observation, rewards, *_ = envs.step(action)
        painted.append(observation["canvas"].any((1, 2, 3)).tolist())
        if tensors:
            (slope,) = torch.autograd.grad(rewards.sum(), action)
            assert slope.isfinite().all()
            assert slope.any(1).tolist() == painted[-1]
            envs.unwrapped.detach()
    assert painted == [
        [True, True], [False, True], [True, False], [True, True], [False, True], [True, False]
    ]  # fmt: skip


@pytest.mark.parametrize("tensors", [False, True])
def test_own_rewards_where_all_start_anew(tensors):
    """The function is not asked at all, and a tensor's reward still has a graph."""
    env_id = "DifferentiablePainting-v0" if tensors else "Painting-v0"
    counts = []
    envs = gym.make_vec(
        env_id, num_envs=3, canvas_size=16,
        reward=lambda before, after, target: counts.append(len(after)) or after.mean((1, 2, 3)),
    )  # fmt: skip
    envs.reset(seed=0)
    action = torch.zeros(3, 50, requires_grad=True) if tensors else np.zeros((3, 50), np.float32)
    envs.step(action)
    rewards = envs.step(action)[1]
    assert counts == [3]
    assert rewards.tolist() == [0, 0, 0]
    if tensors:
        rewards.sum().backward()
        assert not action.grad.any()


def test_vector_env_needs_reset():
    envs = make_vec(2, autoreset_mode="Disabled")
    with pytest.raises(ResetNeeded):
        envs.step(envs.action_space.sample())
    envs.reset()
    envs.step(envs.action_space.sample())
    with pytest.raises(ResetNeeded, match=r"\[0, 1\]"):
        envs.step(envs.action_space.sample())


def test_vector_env_pickles_and_renders():
    envs = make_vec(3, render_mode="rgb_array", max_strokes=3)
    envs.reset(seed=0)
    twin = pickle.loads(pickle.dumps(envs))
    action = envs.action_space.sample()
    assert_same(envs.step(action), twin.step(action))
    frames = envs.render()
    assert len(frames) == 3
    assert frames[0].shape == (280, 520, 3)


def test_vector_env_refuses_bad_arguments():
    with pytest.raises(ValueError, match="num_envs must be from 1"):
        make_vec(0)
    with pytest.raises(ValueError, match="render_mode"):
        make_vec(2, render_mode="ansi")
    envs = make_vec(2)
    envs.reset()
    with pytest.raises(ValueError, match=r"expected an action of shape \(2, 50\), got \(3, 50\)"):
        envs.step(np.zeros((3, 50), np.float32))
