"""Files that appear whole or not at all, and how much memory reading one may take."""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["add_file", "allowed_memory", "check_memory", "replace_file", "sweep"]

_MEMORY_MB = 1024  # that reading one file may take, unless STROKENET_MEMORY_MB says otherwise
_DAY = 86_400.0  # seconds


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Write a new file that takes the place of ``path`` at the end, if all goes well.

    Args:
        path: the file; its folder is made.

    Yields:
        The path to write to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _unfinished(path)
    new = new.with_name(new.name + path.suffix)  # which writers look at
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
    new = _unfinished(first)
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


def _unfinished(path: Path) -> Path:
    """The name of a file while this thread writes it; sweep() looks at machine and process."""
    return path.with_name(
        f".{path.stem}-{_machine()}-{threading.get_native_id()}-{os.getpid()}.new"
    )


def sweep(folder: Path) -> None:
    """Remove what the two left in a folder in processes that were killed."""
    for file in folder.glob(f".*-{_machine()}-*.new*"):
        found = re.search(r"-(\d+)\.new[^-]*$", file.name)
        with contextlib.suppress(OSError):
            if found and not _at_work(int(found[1]), file):
                file.unlink()


def _machine() -> str:
    """This machine's name: processes of another one, or of another container, are not known."""
    return re.sub(r"\W", "", platform.node())


def _at_work(process: int, file: Path) -> bool:
    """Whether the process that writes a file may still be running."""
    if os.name == "nt":  # where asking for a process may end it
        return time.time() - file.stat().st_mtime < _DAY
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def allowed_memory() -> int:
    """Megabytes that reading one file may take.

    Raises:
        ValueError: if the environment variable STROKENET_MEMORY_MB is no such number.
    """
    said = os.environ.get("STROKENET_MEMORY_MB", "") or str(_MEMORY_MB)
    if not re.fullmatch(r"\d{1,9}", said):
        raise ValueError(f"STROKENET_MEMORY_MB must be a whole number of megabytes, got {said!r}")
    return int(said)


def check_memory(what: str, needed: int) -> None:
    """Refuse to read a file that would take too much memory, before it is taken.

    Args:
        what: the file, for the message.
        needed: bytes that reading it takes at most.

    Raises:
        ValueError: if that is more than 1,024 MB, or than the environment variable
            STROKENET_MEMORY_MB says.
    """
    allowed = allowed_memory()
    if needed > allowed * 2**20:
        wanted = -(-needed // 2**20)
        raise ValueError(
            f"{what} would take {wanted:,} MB of memory, and {allowed:,} MB are allowed: if you "
            f"trust it, set the environment variable STROKENET_MEMORY_MB={wanted}"
        )
