"""Gymnasium environments in which agents paint with strokes, exactly or differentiably.

Importing this package registers ``Painting-v0`` (the real painting program),
``DifferentiablePainting-v0`` (the same with its exact gradient), ``NeuralPainting-v0`` (a
learned, differentiable imitation), ``Spiral-v0`` (SPIRAL's task, with MyPaint's brushes) and the
benchmark's tasks (suite.py). The second and the third need PyTorch. All other names, which
``__init__.pyi`` lists, are loaded when they are first asked for, so that the import costs next to
nothing.
"""

import lazy_loader as _lazy_loader

from strokenet_gym import forks as _forks  # noqa: F401
from strokenet_gym.interrupts import shielded as _shielded

with _shielded():
    from gymnasium.envs import registration as _registration

    from strokenet_gym.suite import SUITE as _SUITE

__version__ = "0.2.0"

_load, __dir__, _names = _lazy_loader.attach_stub(__name__, __file__)
__getattr__ = _shielded()(_load)
_PACKAGES = "agents", "envs", "exports", "painter", "programs", "targets"
__all__ = [name for name in _names if name not in _PACKAGES]

# Gymnasium's passive checker warns about tensors; the tests run the full check_env instead. The
# environments say themselves when a call comes too early, in less time than the wrapper.
_SPECS = {
    "Painting-v0": {"engine": "program"},
    "DifferentiablePainting-v0": {"engine": "gradient"},
    "NeuralPainting-v0": {"engine": "network"},
    **{name: task.frozen for name, task in _SUITE.items()},
}
for _name, _arguments in _SPECS.items():
    if _name not in _registration.registry:
        _registration.register(
            id=_name,
            entry_point="strokenet_gym.envs:PaintingEnv",
            vector_entry_point="strokenet_gym.envs:PaintingVectorEnv",
            disable_env_checker=True,
            order_enforce=False,
            kwargs=_arguments,
        )
if "Spiral-v0" not in _registration.registry:
    _registration.register(
        id="Spiral-v0",
        entry_point="strokenet_gym.envs.spiral:SpiralEnv",
        disable_env_checker=True,
        order_enforce=False,
    )
