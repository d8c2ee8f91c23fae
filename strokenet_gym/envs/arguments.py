"""Arguments of the environments: checked once, and kept such that a spec of them fits in JSON."""

from __future__ import annotations

import copy
import enum
import math
import operator
from collections.abc import Mapping
from numbers import Real
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np

from strokenet_gym.programs import Program, load_program
from strokenet_gym.targets import ArrayTargets

__all__ = [
    "PortableSpec",
    "canvas_sides",
    "check_flag",
    "check_observation",
    "check_options",
    "check_render_mode",
    "check_seed",
    "is_number",
    "whole",
]


_SEEN = "canvas", "target", "strokes_left"  # what agents look at


def whole(value: Any, name: str, low: int, high: int) -> int:
    """Return a whole number as Python's own.

    Raises:
        ValueError: if it is not one, or out of its range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a real one, and finite; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def canvas_sides(value: Any, name: str, low: int, high: int) -> tuple[int, int]:
    """Return height and width of a canvas, which one number gives if it is square.

    Raises:
        ValueError: if they are no whole numbers, or out of their range.
    """
    if not isinstance(value, (tuple, list, np.ndarray)):
        return (whole(value, name, low, high),) * 2
    if len(value) != 2:
        raise ValueError(f"{name} must be one number, or height and width, got {value!r}")
    height, width = (whole(side, name, low, high) for side in value)
    return height, width


def check_seed(seed: Any) -> int | None:
    """Return a seed as Gymnasium takes it: Python's own int, or None.

    Raises:
        ValueError: if it is not a whole number from 0.
    """
    if seed is None:
        return None
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or number < 0:
        raise ValueError(f"a seed must be a whole number from 0, got {seed!r}")
    return number


def check_observation(observation: Any) -> dict[str, np.ndarray]:
    """Return what an agent is to look at, as arrays.

    Raises:
        ValueError: if it lacks canvas, target or strokes_left, or their shapes do not fit.
    """
    if not isinstance(observation, Mapping) or not set(_SEEN) <= set(observation):
        got = list(observation) if isinstance(observation, Mapping) else type(observation).__name__
        raise ValueError(f"an agent needs an observation with {', '.join(_SEEN)}, got {got}")
    seen = {key: np.asarray(value) for key, value in observation.items()}
    canvas, target, left = (seen[key].shape for key in _SEEN)
    if len(canvas) not in (3, 4) or target != canvas or left != (*canvas[:-3], 1):
        raise ValueError(
            "an observation must have a canvas and a target [C, H, W] and strokes_left [1], or "
            f"batches of them, got {canvas}, {target} and {left}"
        )
    return seen


def check_options(options: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the reset options.

    Raises:
        TypeError: if they are not a dictionary.
        ValueError: if there is one that nobody knows.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f"reset options must be a dictionary, got {type(options).__name__}")
    unknown = set(options) - set(known)
    if unknown:
        raise ValueError(
            f"unknown reset options {sorted(unknown, key=repr)}; known: {', '.join(known)}"
        )
    return dict(options)


def check_flag(name: str, value: Any) -> bool:
    """Return what is to be True or False.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_render_mode(mode: str | None, known: list[str]) -> str | None:
    """Return the render mode.

    Raises:
        ValueError: if it is not one of those.
    """
    if mode is not None and mode not in known:
        raise ValueError(f"unknown render_mode {mode!r}; known: None, {', '.join(known)}")
    return mode


class PortableSpec:
    """An environment whose ``spec`` has its arguments in forms that fit in JSON.

    Brushes become their numbers, other programs and functions "module:name", paths strings,
    generators the name that they were loaded by. Of an array of targets a copied spec has no copy;
    it fits in no JSON, nor do other objects.
    """

    _spec: Any = None

    @property
    def spec(self) -> Any:
        """What ``gym.make`` made it from."""
        return self._spec

    @spec.setter
    def spec(self, spec: Any) -> None:
        if spec is not None:
            spec = copy.copy(spec)
            spec.kwargs = {name: _portable(name, value) for name, value in spec.kwargs.items()}
        self._spec = spec


def _portable(name: str, value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return ArrayTargets(value) if name == "targets" else value.tolist()
    if isinstance(value, (tuple, list)):
        return [_portable(name, entry) for entry in value]
    if isinstance(value, dict):
        return {key: _portable(name, entry) for key, entry in value.items()}
    if isinstance(value, Program):
        return _portable_program(value)
    if isinstance(value, FunctionType) and value.__qualname__.isidentifier():
        return f"{value.__module__}:{value.__qualname__}"
    if type(value).__name__ == "device":  # torch's
        return str(value)
    return value


def _portable_program(program: Program) -> Any:
    """What a program is found by; itself, if it is not found by that."""
    if program.gradient == "learned":  # its file
        return program.loaded_from or program
    try:
        return program.to_json() if load_program(program.to_json()) == program else program
    except ValueError:
        return program
