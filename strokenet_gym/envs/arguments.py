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
from strokenet_gym.targets import ArrayTargets

__all__ = ["PortableSpec", "canvas_sides", "check_observation", "check_seed"]

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


class PortableSpec:
    """An environment whose ``spec`` has its arguments in forms that fit in JSON.

    Brushes become their numbers; other programs and generators what they were loaded by, functions
    and classes "module:name", paths strings. Arrays, programs that were made here, and other
    objects stay as they are.
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
        from strokenet_gym.programs.stamped import BRUSHES  # compiled kernels

        known = any(value is one for one in BRUSHES.values()) or value.loaded_from is not None
        # Else itself, which its class alone might not be.
        return find_name(value) if known or "to_json" in vars(type(value)) else value
    if isinstance(value, (FunctionType, type)):
        home = sys.modules.get(value.__module__)
        found = getattr(home, value.__qualname__, None) is value
        return f"{value.__module__}:{value.__qualname__}" if found else value
    if type(value).__name__ == "device":  # torch's
        return str(value)
    return value
