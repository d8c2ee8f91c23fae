"""Gymnasium environments in which agents paint with strokes, exactly or differentiably.

Importing this package registers ``Painting-v0`` (the real painting program),
``DifferentiablePainting-v0`` (the same with its exact gradient), ``NeuralPainting-v0`` (a
learned, differentiable imitation) and ``Spiral-v0`` (SPIRAL's task, with MyPaint's brushes). The
second and the third need PyTorch. All other names are loaded when they are first asked for
(PEP 562), so that the import costs next to nothing.
"""

import importlib as _importlib
from typing import TYPE_CHECKING, Any

from strokenet_gym import forks as _forks  # noqa: F401
from strokenet_gym.interrupts import shielded as _shielded

with _shielded():
    from gymnasium.envs import registration as _registration

if TYPE_CHECKING:
    from strokenet_gym.agents import Agent, StrokeNetAgent, TracingAgent, load_agent
    from strokenet_gym.envs import PaintingEnv, PaintingVectorEnv
    from strokenet_gym.exports import export, film
    from strokenet_gym.painter import STYLES, Planner, PlannerAgent, Style, paint_picture
    from strokenet_gym.programs import Program, load_program
    from strokenet_gym.programs.learned import LearnedGenerator, load_generator, save_generator
    from strokenet_gym.programs.sequences import (
        best_colours,
        paint_sequence,
        paint_sequence_vjp,
        removal_costs,
    )
    from strokenet_gym.programs.stamped import BLENDS, BRUSHES, Blend, Brush
    from strokenet_gym.recording import RecordStrokes, VectorRecordStrokes
    from strokenet_gym.sb3 import SB3VecEnv
    from strokenet_gym.stroke import Stroke, pack, unpack
    from strokenet_gym.stroke_log import StrokeLog
    from strokenet_gym.targets import (
        DATA_SETS,
        MNIST,
        Glyphs,
        ImageSet,
        KanjiVG,
        Omniglot,
        QuickDraw,
        make_targets,
    )

__version__ = "0.2.0"

# Where each public name is.
_NAMES = {
    "agents": ("Agent", "StrokeNetAgent", "TracingAgent", "load_agent"),
    "envs": ("PaintingEnv", "PaintingVectorEnv"),
    "exports": ("export", "film"),
    "painter": ("STYLES", "Planner", "PlannerAgent", "Style", "paint_picture"),
    "programs": ("Program", "load_program"),
    "programs.learned": ("LearnedGenerator", "load_generator", "save_generator"),
    "programs.sequences": (
        "best_colours",
        "paint_sequence",
        "paint_sequence_vjp",
        "removal_costs",
    ),
    "programs.stamped": ("BLENDS", "BRUSHES", "Blend", "Brush"),
    "recording": ("RecordStrokes", "VectorRecordStrokes"),
    "sb3": ("SB3VecEnv",),
    "stroke": ("Stroke", "pack", "unpack"),
    "stroke_log": ("StrokeLog",),
    "targets": (
        "DATA_SETS",
        "MNIST",
        "Glyphs",
        "ImageSet",
        "KanjiVG",
        "Omniglot",
        "QuickDraw",
        "make_targets",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [
    "BLENDS",
    "BRUSHES",
    "DATA_SETS",
    "MNIST",
    "STYLES",
    "Agent",
    "Blend",
    "Brush",
    "Glyphs",
    "ImageSet",
    "KanjiVG",
    "LearnedGenerator",
    "Omniglot",
    "PaintingEnv",
    "PaintingVectorEnv",
    "Planner",
    "PlannerAgent",
    "Program",
    "QuickDraw",
    "RecordStrokes",
    "SB3VecEnv",
    "Stroke",
    "StrokeLog",
    "StrokeNetAgent",
    "Style",
    "TracingAgent",
    "VectorRecordStrokes",
    "best_colours",
    "export",
    "film",
    "load_agent",
    "load_generator",
    "load_program",
    "make_targets",
    "pack",
    "paint_picture",
    "paint_sequence",
    "paint_sequence_vjp",
    "removal_costs",
    "save_generator",
    "unpack",
]


@_shielded()
def __getattr__(name: str) -> Any:
    if name in {module.partition(".")[0] for module in _NAMES}:
        return _importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Gymnasium's passive checker warns about tensors; the tests run the full check_env instead. The
# environments say themselves when a call comes too early, in less time than the wrapper.
_ENGINES = {
    "Painting": "program",
    "DifferentiablePainting": "gradient",
    "NeuralPainting": "network",
}
for _kind, _engine in _ENGINES.items():
    if f"{_kind}-v0" not in _registration.registry:
        _registration.register(
            id=f"{_kind}-v0",
            entry_point="strokenet_gym.envs:PaintingEnv",
            vector_entry_point="strokenet_gym.envs:PaintingVectorEnv",
            disable_env_checker=True,
            order_enforce=False,
            kwargs={"engine": _engine},
        )
if "Spiral-v0" not in _registration.registry:
    _registration.register(
        id="Spiral-v0",
        entry_point="strokenet_gym.envs.spiral:SpiralEnv",
        disable_env_checker=True,
        order_enforce=False,
    )
