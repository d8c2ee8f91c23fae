"""Gymnasium environments in which agents paint with strokes, exactly or differentiably.

Importing this package registers ``Painting-v0`` (the real painting program),
``DifferentiablePainting-v0`` (the same with its exact gradient) and ``NeuralPainting-v0`` (a
learned, differentiable imitation). The last two need PyTorch.
"""

import gymnasium as _gym

from strokenet_gym.renderer import BRUSHES, Brush
from strokenet_gym.stroke import Stroke, pack, unpack
from strokenet_gym.targets import MNIST, Glyphs

__all__ = ["BRUSHES", "MNIST", "Brush", "Glyphs", "Stroke", "pack", "unpack"]

__version__ = "0.1.0"

# Gymnasium's passive checker warns about tensors; the tests run the full check_env instead. The
# environments say themselves when a call comes too early, in less time than the wrapper.
_gym.register(
    id="Painting-v0",
    entry_point="strokenet_gym.envs.painting:PaintingEnv",
    vector_entry_point="strokenet_gym.envs.painting:PaintingVectorEnv",
    disable_env_checker=True,
    order_enforce=False,
)
for _name, _kwargs in (
    ("NeuralPainting-v0", {}),
    ("DifferentiablePainting-v0", {"generator": "exact"}),
):
    _gym.register(
        id=_name,
        entry_point="strokenet_gym.envs.neural_painting:NeuralPaintingEnv",
        vector_entry_point="strokenet_gym.envs.neural_painting:NeuralPaintingVectorEnv",
        disable_env_checker=True,
        order_enforce=False,
        kwargs=_kwargs,
    )
