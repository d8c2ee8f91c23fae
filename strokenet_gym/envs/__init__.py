"""The environments; importing this loads no torch."""

from strokenet_gym.envs.painting import PaintingEnv, PaintingVectorEnv

__all__ = ["PaintingEnv", "PaintingVectorEnv"]
