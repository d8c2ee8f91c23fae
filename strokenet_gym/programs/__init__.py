"""What paints: one contract, and its implementations side by side.

base.py is the contract; stamped/ is our own program, exact and with its exact gradient; mypaint/
are real brushes, black boxes; learned/ are the networks that imitate a program. Importing this
loads neither numba nor torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strokenet_gym.extras import import_object
from strokenet_gym.files import user_path
from strokenet_gym.programs.base import MYPAINT, Program
from strokenet_gym.reading import read_json, shown

__all__ = ["Program", "find_name", "load_program"]


def load_program(
    brush: str | os.PathLike | Mapping[str, Any] | Program, *, trusted: bool = True
) -> Program:
    """Return the painting program that is meant.

    Args:
        brush: a name in :data:`strokenet_gym.BRUSHES`; the path of a JSON file with a brush's
            numbers, or the numbers themselves, by their names in :class:`strokenet_gym.Brush`;
            "mypaint:NAME" of a brush of MyPaint, or the path of its .myb file; "module:name" of a
            program in somebody's module, or of its class; or a program, which is returned as it is.
        trusted: whether it may open files and import modules. What data say (a log, an agent's or a
            generator's file) is not trusted: only names of brushes, ours and the installed ones of
            MyPaint, and numbers.

    Raises:
        ValueError: if there is no program of that name, a number is wrong, or it would have to
            open what is not trusted.
        TypeError: if it is none of these.
        FileNotFoundError: if there is no such .myb file.
        DependencyNotInstalled: if it is a brush of MyPaint, and libmypaint is not installed.
    """
    if isinstance(brush, Program):
        return brush
    from strokenet_gym.programs.stamped import BRUSHES, Brush  # compiled kernels

    if isinstance(brush, Mapping):
        return Brush.from_numbers(brush)
    if not isinstance(brush, (str, os.PathLike)):
        raise TypeError(
            f"brush must be a name, a path, numbers or a Program, got {type(brush).__name__}"
        )
    name = os.fspath(brush)
    if name in BRUSHES:
        return BRUSHES[name]
    installed = name.startswith(MYPAINT) and ".myb" not in name
    if not (trusted or installed):
        raise ValueError(
            f"the program {shown(name)!r} is not at hand, since data open no files and modules: if "
            f"you trust it, pass brush={shown(name)!r}"
        )
    if Path(name).suffix == ".json":
        try:
            return Brush.from_numbers(read_json(user_path(name)))
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{shown(name)} is not a brush: {shown(error)}") from None
    if name.startswith(MYPAINT) or Path(name).suffix == ".myb":
        from strokenet_gym.programs.mypaint import MyPaintBrush

        return MyPaintBrush.from_name(name)
    if ":" in name:
        found = import_object(name, "brush")
        if isinstance(found, type) and issubclass(found, Program):
            found = found()
        if not isinstance(found, Program):
            raise ValueError(f"brush {name!r} is not a Program, but a {type(found).__name__}")
        if not isinstance(found, Brush):  # which is found by its numbers
            found.loaded_from = name
        return found
    raise ValueError(
        f"unknown brush {shown(name)!r}; known brushes: {', '.join(BRUSHES)}, "
        'the path of a .json file, "mypaint:NAME", or "module:name"'
    )


def find_name(program: Program) -> Any:
    """What :func:`load_program` finds a program by, such that it fits in JSON: its inverse.

    Its name in :data:`strokenet_gym.BRUSHES`, or :meth:`Program.to_json`.
    """
    from strokenet_gym.programs.stamped import BRUSHES, Brush  # compiled kernels

    names = (name for name, one in BRUSHES.items() if one is program)
    found = None if isinstance(program, Brush) else next(names, None)  # whose numbers are kept
    return found or program.to_json()
