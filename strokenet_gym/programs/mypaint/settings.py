"""Brushes of MyPaint: found by name, and their files read and checked.

A file (.myb) is JSON: for each setting a base value, and for some of the pen's inputs (pressure,
speed, chance, …) a line through points that gives what they add to it. The library has a reader of
its own, which aborts on damaged files; this one leads to the same pixels.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.files import user_path
from strokenet_gym.programs.mypaint import library
from strokenet_gym.reading import read_json, shown

__all__ = ["Settings", "brush_names", "find_brush", "number_of", "read_settings"]

_OWN = "radius_logarithmic", "color_h", "color_s", "color_v"
_VERSION = 3  # of the format
_MOST_POINTS = 64  # of a line
# Dabs that a stroke may leave, for a radius of its way or a second: more than any brush of MyPaint.
_MOST = {"dabs_per_basic_radius": 12, "dabs_per_actual_radius": 200, "dabs_per_second": 160}


class Settings(NamedTuple):
    """A brush as the library takes it.

    Attributes:
        numbers: int64 ``[S]``, the settings that the file has; the others are 0.
        base: float32 ``[S]``, their base values.
        lines: int64 ``[N, 3]``: setting, input, number of points.
        points: float32 ``[sum of these, 2]``: input, and what is added.
        own: int64 ``[4]``, the settings that each stroke has its own values of: logarithm of the
            radius, hue, saturation, value.
    """

    numbers: np.ndarray
    base: np.ndarray
    lines: np.ndarray
    points: np.ndarray
    own: np.ndarray


def brush_names() -> list[str]:
    """The names of all installed brushes, such as "classic/charcoal".

    Raises:
        DependencyNotInstalled: if there are none.
    """
    files = {
        file.relative_to(folder).with_suffix("").as_posix()
        for folder in library.brush_folders()
        for file in folder.glob("*/*.myb")
    }
    if not files:
        raise library.missing_brushes()
    return sorted(files, key=str.lower)


def find_brush(name: str) -> Path:
    """The file of an installed brush, or of a path; raises what :class:`MyPaintBrush` does."""
    if name.endswith(".myb"):
        file = user_path(name)
        if not file.is_file():
            raise FileNotFoundError(f"there is no brush file {name}")
        return file
    for folder in library.brush_folders():
        file = folder / f"{name}.myb"
        if os.path.isfile(file) and folder in file.resolve().parents:
            return file
    names, group = brush_names(), name.partition("/")[0]
    alike = [other for other in names if other.partition("/")[0] == group] or names
    raise ValueError(
        f"unknown brush 'mypaint:{shown(name)}'; `strokenet-gym brushes` lists all, among them "
        f"{', '.join(alike[:8])}"
    )


def read_settings(file: Path) -> Settings:
    """Read a brush; raises what :class:`MyPaintBrush` does.

    Settings and inputs that this library does not know are left out.
    """
    try:
        document = read_json(file)
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise ValueError(f"it must be JSON with the version {_VERSION}")
        numbers, base, lines, points = [], [], [], []
        for name, entry in _entries(document.get("settings"), "settings"):
            setting = number_of("setting", name)
            if setting < 0:
                continue
            low, high = library.setting_range(setting)
            value = _number(entry.get("base_value"), f"base_value of {name}")
            if not low <= np.float32(value) <= high:
                limits = f"from {low:g} to {high:g}"
                raise ValueError(f"base_value of {name} must be {limits}, got {value}")
            numbers.append(setting)
            base.append(value)
            highest = value
            for source, line in _entries(entry.get("inputs"), f"inputs of {name}", list):
                number = number_of("input", source)
                if number < 0:  # the library's reader leaves out what follows, too
                    break
                if line:
                    points.append(_line(line, f"{source} of {name}", high - low))
                    lines.append((setting, number, len(line)))
                    highest += max(0.0, _highest(points[-1], *library.input_range(number)))
            if highest > _MOST.get(name, math.inf):
                raise ValueError(f"{name} must be at most {_MOST[name]}, comes to {highest:g}")
    except (OSError, ValueError, OverflowError) as error:
        raise ValueError(f"{file} is not a brush of MyPaint: {shown(error)}") from None
    return Settings(
        np.array(numbers, np.int64),
        np.array(base, np.float32),
        np.array(lines, np.int64).reshape(-1, 3),
        np.concatenate([np.zeros((0, 2)), *points]).astype(np.float32),
        np.array([number_of("setting", name) for name in _OWN], np.int64),
    )


def number_of(kind: str, name: str) -> int:
    """The library's number of a setting or an input, -1 if it does not know it."""
    return int(getattr(library.load_library(), f"mypaint_brush_{kind}_from_cname")(name.encode()))


def _entries(value: Any, what: str, kind: type = dict) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(v, kind) for v in value.values()):
        raise ValueError(f"{what} must be a dictionary, each entry a {kind.__name__}")
    return list(value.items())


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{what} must be a number, got {value!r}")
    return float(value)


def _line(line: list, what: str, most: float) -> np.ndarray:
    """A line's points, float64 ``[N, 2]``."""
    if not 2 <= len(line) <= _MOST_POINTS:
        raise ValueError(f"{what} must have 2 to {_MOST_POINTS} points, got {len(line)}")
    wrong = [point for point in line if not isinstance(point, list) or len(point) != 2]
    if wrong:
        raise ValueError(f"{what} must have points of two numbers, got {wrong[0]!r}")
    numbers = np.array([[_number(v, what) for v in point] for point in line])
    if np.diff(numbers[:, 0]).min() < 0:
        raise ValueError(f"{what} must have points in order")
    if np.abs(numbers[:, 0]).max() > 1e6 or np.abs(numbers[:, 1]).max() > 1.1 * most:
        raise ValueError(f"{what} must add at most {most:g}, got {np.abs(numbers).max():g}")
    return numbers


def _highest(points: np.ndarray, low: float, high: float) -> float:
    """The most that a line adds for inputs from ``low`` to ``high``; its ends are extrapolated."""
    most = float(points[:, 1].max())
    (x0, y0), (x1, y1) = points[:2]
    if low < x0 < x1:
        most = max(most, y0 + (y1 - y0) * (low - x0) / (x1 - x0))
    (x0, y0), (x1, y1) = points[-2:]
    if x0 < x1 < high:
        most = max(most, y0 + (y1 - y0) * (high - x0) / (x1 - x0))
    return most
