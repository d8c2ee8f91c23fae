"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["replace_file"]


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Write a new file that takes the place of ``path`` at the end, if all goes well.

    Args:
        path: the file; its folder is made.

    Yields:
        The path to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(
        f".{path.stem}-{os.getpid()}.new{path.suffix}"
    )  # writers look at the suffix
    try:
        yield new
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
