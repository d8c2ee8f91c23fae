"""Rewards by name: one entry of a table each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from strokenet_gym.extras import import_object
from strokenet_gym.stroke import is_tensor

__all__ = ["REWARDS", "Reward", "ask", "find_reward"]

Reward = Callable[[Any, Any, Any], Any]

# A function of (canvas before, canvas after, target), ``[B, C, H, W]`` each, that returns ``[B]``;
# or the column of what a program says of its stroke: the decrease of the mean squared (0) or
# absolute (1) error, in units of that at the start.
REWARDS: dict[str, int | Reward] = {"l2": 0, "l1": 1}


def find_reward(reward: str | Reward) -> int | Reward:
    """Return the entry that is meant.

    Args:
        reward: a name in :data:`REWARDS`, "module:function", or a function.

    Raises:
        ValueError: if it is none of these.
    """
    if isinstance(reward, str):
        if reward in REWARDS:
            return REWARDS[reward]
        if ":" in reward:
            reward = import_object(reward, "reward")
    if not callable(reward):
        names = ", ".join(f'"{name}"' for name in REWARDS)
        raise ValueError(f'reward must be {names}, "module:function" or a function, got {reward!r}')
    return reward


def ask(kind: Reward, pictures: Any, images: Sequence[Any], active: np.ndarray | None) -> Any:
    """What a user's function says of the rows that have a stroke, ``[B]``; 0 elsewhere.

    Args:
        kind: the function.
        pictures: arrays or tensors.
        images: canvas before, canvas after and target, ``[B, C, H, W]``.
        active: bool ``[B]``, or None for all.

    Returns:
        The rewards; None if no row has a stroke.
    """
    if active is None:
        return _check(pictures.rewards(kind(*images)), len(images[0]))
    rows = np.flatnonzero(active)
    if len(rows) == 0:
        return None
    rewards = pictures.rewards(kind(*(batch[rows] for batch in images)))
    return pictures.spread(_check(rewards, len(rows)), rows, len(active))


def _check(rewards: Any, num_envs: int) -> Any:
    """Return what a reward function gave: a tensor of floats, or a new array of float64.

    Raises:
        ValueError: if it is not one finite number for each environment.
    """
    if tuple(rewards.shape) != (num_envs,):
        raise ValueError(
            f"the reward function must return the shape ({num_envs},), got {tuple(rewards.shape)}"
        )
    tensors = is_tensor(rewards)
    if tensors and not (rewards.is_floating_point() or rewards.is_complex()):
        rewards = rewards.float()
    real = not rewards.is_complex() if tensors else rewards.dtype.kind in "fiub"
    if not real or not bool((abs(rewards) < math.inf).all()):
        raise ValueError(f"the reward function must return finite numbers, got {rewards}")
    if not tensors:
        return rewards.astype(np.float64)
    return rewards
