"""The environments. Those with gradients load torch, when they are asked for."""

from typing import TYPE_CHECKING, Any

from strokenet_gym.envs.painting import PaintingEnv
from strokenet_gym.envs.painting_vector import PaintingVectorEnv
from strokenet_gym.envs.rewards import REWARDS

if TYPE_CHECKING:
    from strokenet_gym.envs.differentiable import (
        DifferentiablePaintingEnv,
        DifferentiablePaintingVectorEnv,
    )
    from strokenet_gym.envs.neural import NeuralPaintingEnv, NeuralPaintingVectorEnv

__all__ = [
    "REWARDS",
    "DifferentiablePaintingEnv",
    "DifferentiablePaintingVectorEnv",
    "NeuralPaintingEnv",
    "NeuralPaintingVectorEnv",
    "PaintingEnv",
    "PaintingVectorEnv",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from strokenet_gym.envs import differentiable, neural

        return getattr(neural if name.startswith("Neural") else differentiable, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
