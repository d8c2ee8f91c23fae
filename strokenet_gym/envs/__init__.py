"""The environments. The engines with gradients load torch, when they are asked for."""

from strokenet_gym.envs.painting import PaintingEnv
from strokenet_gym.envs.rewards import REWARDS
from strokenet_gym.envs.task import Task
from strokenet_gym.envs.vector import PaintingVectorEnv

__all__ = ["REWARDS", "PaintingEnv", "PaintingVectorEnv", "Task"]
