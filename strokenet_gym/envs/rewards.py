"""Rewards by name: one entry of a table each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from strokenet_gym.extras import import_object
from strokenet_gym.stroke import is_tensor

__all__ = ["REWARDS", "Reward", "check_rewards", "find_reward"]

Reward = Callable[[Any, Any, Any], Any]


def no_reward(before: Any, after: Any, target: Any) -> np.ndarray:
    """0: somebody outside judges the picture."""
    return np.zeros(len(after))


# A function of (canvas before, canvas after, target), ``[B, C, H, W]`` each, that returns ``[B]``;
# or the column of what a program says of its stroke: the decrease of the mean squared (0) or
# absolute (1) error, in units of that at the start.
REWARDS: dict[str, int | Reward] = {"l2": 0, "l1": 1, "none": no_reward}


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


def check_rewards(rewards: Any, count: int) -> Any:
    """Return what a reward function gave: a tensor of floats, or a new array of float64.

    Raises:
        ValueError: if it is not one finite number for each stroke.
    """
    if tuple(rewards.shape) != (count,):
        raise ValueError(
            f"the reward function must return the shape ({count},), got {tuple(rewards.shape)}"
        )
    tensors = is_tensor(rewards)
    real = not rewards.is_complex() if tensors else rewards.dtype.kind in "fiub"
    if not real or not bool((abs(rewards) < math.inf).all()):
        raise ValueError(f"the reward function must return finite numbers, got {rewards}")
    return rewards if tensors else rewards.astype(np.float64)
