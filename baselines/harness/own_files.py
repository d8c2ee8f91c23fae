"""Files of runs and comparisons, read again: what is damaged is named, with what to do about it."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError

from strokenet_gym.files import write_text
from strokenet_gym.reading import read_bytes, read_json, shown

__all__ = ["DAMAGES", "damaged", "keep_settings", "read_arrays", "read_lines", "read_own"]

# What reading something else, or half of it, raises.
DAMAGES = (
    SafetensorError, zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, TypeError,
    LookupError,
)  # fmt: skip
_REMEDY = "Delete it to have it made again, or its folder to begin anew"


def damaged(what: object, error: Exception, remedy: str = _REMEDY) -> ValueError:
    """The error that a file is damaged."""
    why = (
        f"it lacks {error}" if isinstance(error, KeyError) else shown(" ".join(str(error).split()))
    )
    return ValueError(f"{what} is damaged: {why}. {remedy}")


def _check(found: Any, numbers: tuple[str, ...], texts: tuple[str, ...] = ()) -> Any:
    if not isinstance(found, dict):
        raise ValueError(f"expected a dictionary, got {type(found).__name__}")
    for name in numbers:
        known = isinstance(found[name], (int, float)) and not isinstance(found[name], bool)
        if not known or not math.isfinite(found[name]):
            raise ValueError(f"{name} must be a number, got {shown(found[name])!r}")
    for name in texts:
        if not isinstance(found[name], str):
            raise ValueError(f"{name} must be a text, got {shown(found[name])!r}")
    return found


def read_own(file: Path, *numbers: str) -> dict[str, Any]:
    """The dictionary in a JSON file.

    Args:
        file: the file.
        numbers: entries that it must have, and that must be numbers.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        return _check(read_json(file), numbers)
    except DAMAGES as error:
        raise damaged(file, error) from None


def keep_settings(file: Path, what: str, settings: dict[str, Any]) -> None:
    """Write the settings of what a folder holds, unless they are there.

    Raises:
        ValueError: if there are others, or the file is damaged.
    """
    if file.exists() and (before := read_own(file)) != settings:
        raise ValueError(
            f"{file.parent} holds {what} with other settings, {shown(before)}: choose another "
            "folder, or delete it"
        )
    write_text(file, json.dumps(settings) + "\n")


def read_lines(file: Path, *numbers: str, texts: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The dictionaries in a file with one in each line of JSON; none if there is no such file.

    Half a line at the end, which something that was killed may leave, is left out.

    Args:
        file: the file.
        numbers: entries that each line must have, and that must be numbers.
        texts: the same of texts.

    Raises:
        ValueError: if another line is damaged.
    """
    whole, _, half = read_bytes(file).rpartition(b"\n") if file.exists() else (b"", b"", b"")
    if not whole and not half.startswith(b"{"):  # nothing that something killed has written
        whole = half
    rows = []
    for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
        try:
            rows.append(_check(json.loads(line), numbers, texts))
        except DAMAGES as error:
            raise damaged(f"{file}, line {number},", error, "Delete that line") from None
    return rows


def read_arrays(file: Path, *names: str) -> list[np.ndarray]:
    """Arrays from a file of NumPy's, by their names.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except DAMAGES as error:
        raise damaged(file, error) from None
