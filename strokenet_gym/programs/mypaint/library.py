"""The system's libmypaint, and where its brushes are: found, loaded, and called.

Nothing of it is part of this package. Its functions abort the whole process where an argument is
out of bounds, so settings.py and drawing.py see to it that none ever is.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gymnasium.error import DependencyNotInstalled

__all__ = [
    "FUNCTIONS", "TileRequest", "brush_folders", "input_range", "load_library", "missing_brushes",
    "setting_range",
]  # fmt: skip

_INSTALL = (
    "run `apt-get install libmypaint-1.5-1 mypaint-brushes` (Debian, Ubuntu), `brew install "
    "libmypaint mypaint-brushes` (macOS) or `conda install -c conda-forge libmypaint "
    "mypaint-brushes`"
)
_POINTER, _INT, _FLOAT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_float, ctypes.c_char_p


class _SettingInfo(ctypes.Structure):
    _fields_ = (
        ("cname", _TEXT), ("name", _TEXT), ("constant", _INT), ("low", _FLOAT),
        ("default", _FLOAT), ("high", _FLOAT), ("tooltip", _TEXT),
    )  # fmt: skip


class _InputInfo(ctypes.Structure):
    _fields_ = (
        ("cname", _TEXT), ("low", _FLOAT), ("soft_low", _FLOAT), ("normal", _FLOAT),
        ("soft_high", _FLOAT), ("high", _FLOAT), ("name", _TEXT), ("tooltip", _TEXT),
    )  # fmt: skip


# Result and arguments of each function.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "mypaint_brush_new": (_POINTER,),
    "mypaint_brush_unref": (None, _POINTER),
    "mypaint_brush_reset": (None, _POINTER),
    "mypaint_brush_set_base_value": (None, _POINTER, _INT, _FLOAT),
    "mypaint_brush_set_mapping_n": (None, _POINTER, _INT, _INT, _INT),
    "mypaint_brush_set_mapping_point": (None, _POINTER, *[_INT] * 3, *[_FLOAT] * 2),
    "mypaint_brush_stroke_to": (_INT, _POINTER, _POINTER, *[_FLOAT] * 5, ctypes.c_double),
    "mypaint_brush_setting_from_cname": (_INT, _TEXT),
    "mypaint_brush_input_from_cname": (_INT, _TEXT),
    "mypaint_brush_setting_info": (ctypes.POINTER(_SettingInfo), _INT),
    "mypaint_brush_input_info": (ctypes.POINTER(_InputInfo), _INT),
    "mypaint_fixed_tiled_surface_new": (_POINTER, _INT, _INT),
    "mypaint_surface_unref": (None, _POINTER),
    "mypaint_surface_begin_atomic": (None, _POINTER),
    "mypaint_surface_end_atomic": (None, _POINTER, _POINTER),
    "mypaint_tile_request_init": (None, _POINTER, *[_INT] * 4),
    "mypaint_tiled_surface_tile_request_start": (None, _POINTER, _POINTER),
    "mypaint_tiled_surface_tile_request_end": (None, _POINTER, _POINTER),
}


class TileRequest(ctypes.Structure):
    """What the library is asked for a tile's pixels with."""

    _fields_ = (
        ("tx", _INT), ("ty", _INT), ("readonly", _INT), ("buffer", _POINTER),
        ("context", _POINTER), ("thread_id", _INT), ("mipmap_level", _INT),
    )  # fmt: skip


@functools.cache
def load_library() -> Any:
    """The library, its functions with their types.

    Raises:
        DependencyNotInstalled: if it is missing; the message says how to install it.
    """
    for name in _candidates():
        try:
            library = ctypes.CDLL(name)
            for function, (result, *arguments) in FUNCTIONS.items():
                called = getattr(library, function)
                called.restype, called.argtypes = result, arguments
        except (OSError, AttributeError):  # not there, or of another version
            continue
        return library
    raise DependencyNotInstalled(f"libmypaint 1.5 or 1.6 is not installed, {_INSTALL}")


def _candidates() -> Iterator[str]:
    yield from filter(None, map(ctypes.util.find_library, ("mypaint-1.5", "mypaint")))
    for folder in (Path(sys.prefix) / "lib", Path("/opt/homebrew/lib"), Path("/usr/local/lib")):
        for file in sorted(folder.glob("libmypaint*")):
            if ".so" in file.name or file.suffix == ".dylib":
                yield str(file)


def brush_folders() -> list[Path]:
    """Folders of installed brushes; what is in an earlier one counts. Empty if there are none."""
    data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    shares = [Path(sys.prefix) / "share", *map(Path, data.split(":")), Path("/opt/homebrew/share")]
    folders = (
        s / "mypaint-data" / version / "brushes" for s in shares for version in ("2.0", "1.0")
    )
    return [folder for folder in folders if folder.is_dir()]


def missing_brushes() -> DependencyNotInstalled:
    """The error that there are no brushes."""
    return DependencyNotInstalled(f"the brushes of MyPaint are not installed, {_INSTALL}")


@functools.cache
def setting_range(setting: int) -> tuple[float, float]:
    """The smallest and the largest base value of a setting."""
    known = load_library().mypaint_brush_setting_info(setting).contents
    return known.low, known.high


@functools.cache
def input_range(number: int) -> tuple[float, float]:
    """The smallest and the largest value of an input; of one without, ten times what is usual."""
    known = load_library().mypaint_brush_input_info(number).contents
    usual = 10 * max(abs(known.soft_low), abs(known.soft_high))
    return max(known.low, -usual), min(known.high, usual)
