"""The benchmark's tasks: what is frozen, the sparse reward, and targets without files."""

import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import ROOT
from gymnasium.error import DependencyNotInstalled
from gymnasium.utils.env_checker import check_env

from strokenet_gym.programs.mypaint import brush_names
from strokenet_gym.programs.mypaint.library import load_library
from strokenet_gym.stroke import pack
from strokenet_gym.suite import SUITE, fingerprint, scored_targets
from strokenet_gym.targets import ENDLESS, PaintedStrokes

FROZEN = {
    "Painting/Glyphs1-v0": "738c4a0b64b59720",
    "Painting/Glyphs4-v0": "67bfd7b296564234",
    "Painting/Strokes8-v0": "e04959aa2ad8d906",
    "Painting/Scenes32-v0": "39b44818b6f5aca0",
    "Painting/Characters16-v0": "949ea5bcfd4990cb",
    "Painting/Sparse4-v0": "f6ee3925abe098bc",
    "Painting/Charcoal4-v0": "b15c49cfab02483b",
    "Painting/MNIST4-v0": "f9f5d776a9487e70",
}
OFFLINE = [name for name, task in SUITE.items() if task.needs is None]


@pytest.fixture(params=SUITE)
def env_id(request, monkeypatch):
    """A task of the suite, if what it needs is here."""
    if SUITE[request.param].needs == "data":
        monkeypatch.setenv("STROKENET_DATA", str(request.getfixturevalue("data_dir")))
    if SUITE[request.param].needs == "libmypaint":
        try:
            load_library()
            brush_names()
        except DependencyNotInstalled as error:
            pytest.skip(str(error))
    return request.param


def test_tasks_are_as_they_were(env_id):
    """Whoever changes one of these has made version 1 of the task."""
    assert fingerprint(env_id) == FROZEN[env_id]


def test_tasks_pass_gymnasiums_checks(env_id):
    env = gym.make(env_id)  # warnings are errors
    check_env(env.unwrapped, skip_render_check=True)
    envs = gym.make_vec(env_id, num_envs=2)
    assert envs.single_observation_space == env.observation_space


@pytest.mark.slow
def test_tasks_do_not_depend_on_threads():
    code = "from strokenet_gym.suite import fingerprint; print(*map(fingerprint, {!r}))"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
    told = subprocess.run(
        [sys.executable, "-c", code.format(OFFLINE)],
        env=os.environ | threads, cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == [FROZEN[env_id] for env_id in OFFLINE]


def test_most_tasks_need_nothing():
    assert len(OFFLINE) == 6
    for env_id in OFFLINE:
        first, again = scored_targets(env_id, 2), scored_targets(env_id, 3)
        np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("engine", ["program", "gradient", "network"])
def test_the_last_stroke_gets_the_whole_return(engine):
    images = scored_targets("Painting/Sparse4-v0", 3)
    options = {"engine": engine, "autoreset_mode": "Disabled"}
    envs = [
        gym.make_vec(f"Painting/{name}-v0", num_envs=3, **options)
        for name in ("Sparse4", "Glyphs4")
    ]
    rng, earned = np.random.default_rng(0), np.zeros(3)
    for env in envs:
        env.reset(options={"target": images})
    for k in range(4):
        action = rng.uniform(-1, 1, envs[0].action_space.shape).astype(np.float32)
        (_, sparse, *_), (_, dense, *_) = (env.step(action) for env in envs)
        earned += dense
        np.testing.assert_allclose(sparse, earned * (k == 3), atol=1e-5)


def test_sparse_episodes_may_end_at_different_times():
    envs = gym.make_vec("Painting/Sparse4-v0", num_envs=2, engine="gradient")
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    returns = [[], []]
    for k in range(14):  # the first is begun anew after two strokes
        if k == 2:
            envs.reset(options={"reset_mask": np.array([True, False])})
        action = rng.uniform(-1, 1, envs.action_space.shape).astype(np.float32)
        _, reward, ended, _, info = envs.step(action)
        for i in np.flatnonzero(ended):
            returns[i].append((k, reward[i], 1 - info["residual"][i]))
        assert not reward[~ended].any()
    assert [k for k, *_ in returns[0]] == [5, 10]
    assert [k for k, *_ in returns[1]] == [3, 8, 13]
    for _, reward, told in returns[0] + returns[1]:
        assert reward == pytest.approx(told, abs=1e-5)


def test_a_sparse_rewards_gradient_is_that_of_the_return():
    gradients = []
    for name in ("Sparse4", "Glyphs4"):
        env = gym.make(f"Painting/{name}-v0", engine="gradient")
        env.reset(seed=3)
        generator = torch.Generator().manual_seed(0)
        actions = torch.empty(4, 50).uniform_(-1, 1, generator=generator).requires_grad_()
        total = sum(env.step(action)[1] for action in actions)
        total.backward()
        gradients.append(actions.grad.clone())
        env.unwrapped.detach()  # and the next episode has no part of this one
        env.reset()
        env.step(actions[0])[1].backward()
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_strokes_of_strokes_can_be_painted_perfectly():
    rng = np.random.default_rng(10**6)  # as the first target was drawn
    strokes = PaintedStrokes().strokes([rng])
    env = gym.make("Painting/Strokes8-v0")
    env.reset(options={"target": scored_targets("Painting/Strokes8-v0", 1)[0]})
    for action in pack(strokes)[0]:
        *_, info = env.step(action)
    assert info["residual"] < 1e-6


@pytest.mark.parametrize("name", sorted(ENDLESS))
def test_targets_without_an_end(name):
    source = ENDLESS[name](48)
    image = source.sample(np.random.default_rng(1))
    assert image.shape == ((48, 48, 3) if source.channels == 3 else (48, 48))
    assert image.std() > 0
    np.testing.assert_array_equal(image, source.sample(np.random.default_rng(1)))
    assert not np.array_equal(image, source.sample(np.random.default_rng(2)))
    for options in ({}, {"channels": 3, "canvas_size": (48, 64)}):
        envs = gym.make_vec(
            "Painting-v0", num_envs=2, **{"targets": name, "canvas_size": 48} | options
        )
        single = gym.make("Painting-v0", **{"targets": name, "canvas_size": 48} | options)
        together, alone = envs.reset(seed=4)[0], single.reset(seed=5)[0]
        np.testing.assert_array_equal(together["target"][1], alone["target"])
    with pytest.raises(ValueError, match="got 0"):
        ENDLESS[name](0)
