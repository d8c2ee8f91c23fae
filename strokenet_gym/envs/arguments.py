"""Arguments of the environments: checked once, and kept such that a spec of them fits in JSON."""

from __future__ import annotations

import copy
import enum
import operator
import sys
from collections.abc import Mapping
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np

from strokenet_gym.checks import array_of, whole
from strokenet_gym.programs import Program, find_name
from strokenet_gym.stroke import is_tensor
from strokenet_gym.targets import ArrayTargets

__all__ = [
    "PortableSpec",
    "canvas_sides",
    "check_count",
    "check_observation",
    "check_options",
    "check_render_mode",
    "check_seed",
]

_OBSERVED = "canvas", "target", "strokes_left"


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


def check_count(entries: Any, name: str, count: int) -> None:
    """Check that there is an entry for each of so many.

    Raises:
        ValueError: if they are no sequence, or another number.
    """
    sequence = isinstance(entries, (list, tuple, np.ndarray)) or is_tensor(entries)
    own = len(entries) if sequence and getattr(entries, "ndim", 1) > 0 else None
    if own != count:
        got = f"a {type(entries).__name__}" if own is None else own
        raise ValueError(f"expected {count} {name}, got {got}")


def check_observation(observation: Any) -> tuple[dict[str, np.ndarray], bool]:
    """Return what an agent is to look at as arrays, and whether it is a single observation.

    Raises:
        ValueError: if it lacks ``canvas`` ``[C, H, W]``, ``target`` of that shape or
            ``strokes_left`` ``[1]``, and they are no batches of these.
        TypeError: if one does not hold real numbers.
    """
    known = isinstance(observation, Mapping) and set(_OBSERVED) <= set(observation)
    if not known:
        keys = [*observation] if isinstance(observation, Mapping) else type(observation).__name__
        raise ValueError(f"an observation has {', '.join(_OBSERVED)}, got {keys}")
    arrays = {key: array_of(value, key) for key, value in observation.items()}
    for key in _OBSERVED:
        if arrays[key].dtype.kind not in "fiu":
            raise TypeError(f"{key} must hold real numbers, got dtype {arrays[key].dtype}")
    canvas, target, left = (arrays[key].shape for key in _OBSERVED)
    if len(canvas) not in (3, 4) or target != canvas or left != (*canvas[:-3], 1):
        raise ValueError(
            "canvas and target must be [C, H, W] and strokes_left [1], or batches of them, got "
            f"{canvas}, {target} and {left}"
        )
    return arrays, len(canvas) == 3


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

    Brushes become their numbers; other programs and generators what they were loaded by, functions
    "module:name", paths strings. Of an array of targets a copied spec has no copy; it fits in no
    JSON, nor do programs that were made here, and other objects.
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
    if isinstance(value, FunctionType):
        home = sys.modules.get(value.__module__)
        found = getattr(home, value.__qualname__, None) is value
        return f"{value.__module__}:{value.__qualname__}" if found else value
    if type(value).__name__ == "device":  # torch's
        return str(value)
    return value


def _portable_program(program: Program) -> Any:
    """What a program is found by; itself, if that might be another: its class alone, say."""
    from strokenet_gym.programs.stamped import BRUSHES  # compiled kernels

    known = any(program is one for one in BRUSHES.values())
    if known or program.loaded_from is not None or "to_json" in vars(type(program)):
        return find_name(program)
    return program
