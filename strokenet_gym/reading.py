"""Reading files that may be somebody else's: regular ones, no more than fits, told in brief."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import IO, Any

from strokenet_gym.files import check_memory

__all__ = ["open_regular", "read_bytes", "read_json", "shown"]

_LONGEST = 300  # characters in a message
# Bytes of memory that these characters of a JSON text become at most, with what follows them.
_JSON = {b"{": 200, b"[": 100, b":": 120, b",": 72}


def shown(what: object) -> str:
    """A text for a message (a path, a value, an error), of a length that can be read."""
    text = os.fspath(what) if isinstance(what, os.PathLike) else str(what)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def open_regular(path: Path) -> IO[bytes]:
    """Open a file; ValueError for a device, a pipe or a folder, which may hang or never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{shown(path)} cannot be read: it is not a regular file")
    return path.open("rb")


def read_bytes(path: Path, growth: int = 1) -> bytes:
    """Read a regular file, each byte of which takes ``growth`` bytes of memory in the end.

    Raises:
        ValueError: if it is not a regular file, or would take too much memory.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        check_memory(shown(path), growth * size)
        return file.read(size)


def read_json(path: Path) -> Any:
    """Read a JSON file; ValueError if it is none, or as in :func:`read_bytes`."""
    data = read_bytes(path)
    needed = len(data) * (2 if data.isascii() else 5)  # the text beside it
    check_memory(shown(path), needed + sum(data.count(c) * size for c, size in _JSON.items()))
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no JSON error
        raise ValueError(f"{shown(path)} is not JSON: {shown(error)}") from None
