"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["add_file", "replace_file"]


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
        f".{path.stem}-{threading.get_native_id()}-{os.getpid()}.new{path.suffix}"
    )  # writers look at the suffix
    try:
        yield new
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def add_file(paths: Iterable[Path]) -> Iterator[Path]:
    """Write a file that gets, at the end, the first of these names that nobody has.

    However many threads and processes do so in one folder, each keeps its own.

    Args:
        paths: the names, in one folder, which is made.

    Yields:
        The path to write to, without the suffix: what is not whole looks like none of them.
    """
    names = iter(paths)
    first = next(names)
    first.parent.mkdir(parents=True, exist_ok=True)
    new = first.with_name(f".{first.stem}-{threading.get_native_id()}-{os.getpid()}.new")
    try:
        yield new
        for path in itertools.chain([first], names):
            with contextlib.suppress(FileExistsError):
                _give_name(new, path)
                break
    finally:
        new.unlink(missing_ok=True)


def _give_name(new: Path, path: Path) -> None:
    """Name a file that is written.

    Raises:
        FileExistsError: if there is one of that name.
    """
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # no such links on this disk: claim the name, then fill it
        path.open("x").close()
        os.replace(new, path)
