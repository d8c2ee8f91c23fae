"""The benchmark's tasks, version 0: eight environments in which everything is frozen.

``gym.make("Painting/Glyphs4-v0")`` needs no argument. ``engine="gradient"`` gives the same task
with the program's exact gradient, where it has one (charcoal has none); ``engine="network"`` with a
learned model's, where the brush has one (the marker has none). What is frozen is tested by
:func:`fingerprint`; a change that changes a fingerprint makes version 1 of that task.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

__all__ = ["SUITE", "SuiteTask", "fingerprint", "scored_targets"]

_PROJECTIONS, _STEP = 8, 0.01  # of a fingerprint, and to what their numbers are rounded


class SuiteTask(NamedTuple):
    """A task of the suite.

    Attributes:
        tests: what it tests, in a sentence.
        frozen: arguments of ``PaintingEnv``.
        needs: what it needs beyond the base installation: "data", "libmypaint", or nothing.
    """

    tests: str
    frozen: dict[str, Any]
    needs: str | None = None


def _task(targets: str, max_strokes: int, **others: Any) -> dict[str, Any]:
    common = {"canvas_size": 64, "channels": 1, "brush": "pencil", "background": 0.0}
    return common | {"targets": targets, "max_strokes": max_strokes, "reward": "l2"} | others


SUITE = {
    "Painting/Glyphs1-v0": SuiteTask(
        "One action of 50 numbers decides everything: a bandit with a picture as context.",
        _task("glyphs", 1),
    ),
    "Painting/Glyphs4-v0": SuiteTask(
        "Four strokes of a character: credit over a short horizon.", _task("glyphs", 4)
    ),
    "Painting/Strokes8-v0": SuiteTask(
        "Eight random strokes of the same brush in colour: a return of 1 is possible, and known.",
        _task("strokes", 8, channels=3),
    ),
    "Painting/Scenes32-v0": SuiteTask(
        "Landscapes in 32 strokes of colour on white: what covers what.",
        _task("scenes", 32, channels=3, brush="marker", background=1.0),
    ),
    "Painting/Characters16-v0": SuiteTask(
        "Characters of up to 16 thin lines: a long horizon, where a miss costs what a hit earns.",
        _task("characters", 16),
    ),
    "Painting/Sparse4-v0": SuiteTask(
        "Four strokes of a character, of which the last alone is rewarded: a sparse reward.",
        _task("glyphs", 4, task="strokenet_gym.envs.sparse:SparseTask"),
    ),
    "Painting/Charcoal4-v0": SuiteTask(
        "MyPaint's charcoal in four strokes: a black box, whose only gradient is a network's.",
        _task("glyphs", 4, brush="mypaint:classic/charcoal"),
        "libmypaint",
    ),
    "Painting/MNIST4-v0": SuiteTask(
        "Handwritten digits in four strokes, which a classifier reads as well.",
        _task("mnist", 4),
        "data",
    ),
}


def scored_targets(
    env_id: str, count: int = 1000, data_dir: str | os.PathLike | None = None
) -> list[np.ndarray]:
    """The targets that scores are of: pass each to ``reset(options={"target": …})``.

    Args:
        env_id: an id in :data:`SUITE`, or of another environment with named targets.
        count: how many, from the first one; of a data set its test split's, in a fixed order.
        data_dir: folder with the data sets; by default the environment variable STROKENET_DATA.

    Raises:
        FileNotFoundError: if a data set's files are missing.
        ValueError: if the environment has no named targets, or the count is not positive.
    """
    from strokenet_gym.checks import whole
    from strokenet_gym.targets import held_out

    frozen = gym.spec(env_id).kwargs
    if not isinstance(frozen.get("targets"), str):
        raise ValueError(f"{env_id} is registered without the name of its targets")
    limit = whole(count, "count", 1, 2**20)
    return held_out(frozen["targets"], frozen["canvas_size"], data_dir, limit=limit)[0]


def fingerprint(env_id: str, data_dir: str | os.PathLike | None = None) -> str:
    """A hash of a task's first 100 scored targets, and of an episode of fixed actions on four.

    It is of random projections of them (one sign for each pixel), rounded so coarsely that machines
    whose arithmetic differs in the last bits agree. A charcoal's grain is part of it.
    """
    targets = scored_targets(env_id, 100, data_dir)
    data: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    env = gym.make_vec(env_id, num_envs=4, autoreset_mode="Disabled", **data)
    seen, rewards = [], []
    for start in range(0, 100, 4):
        observation, _ = env.reset(options={"target": targets[start : start + 4]})
        seen.append(observation["target"])
    rng, done = np.random.default_rng(0), np.zeros(4, bool)
    while not done.all():
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)
        observation, reward, done, *_ = env.step(action)
        rewards.append(reward)
    numbers = []
    for values in (np.concatenate(seen) / 255, observation["canvas"] / 255, np.stack(rewards)):
        for _ in range(_PROJECTIONS):
            signs = rng.choice([-1.0, 1.0], values.shape)
            numbers.append((signs * values).sum() / np.sqrt(values.size))
    rounded = np.rint(np.array(numbers) / _STEP).astype(int).tolist()
    return hashlib.sha256(repr(rounded).encode()).hexdigest()[:16]
