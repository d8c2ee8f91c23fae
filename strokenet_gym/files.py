"""Files by one rule: paths as people write them, and files that appear whole or not at all.

A file is written under a random name in its own folder, and renamed when it is whole. While it is
written it is locked; :func:`sweep` removes those whose lock is free, which are what killed
processes left, whatever machine or container they ran on.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "add_file", "allowed_memory", "check_distinct", "check_memory", "replace_file", "sweep",
    "try_file", "user_path", "write_text",
]  # fmt: skip

_MEMORY_MB = 1024  # that reading one file may take, unless STROKENET_MEMORY_MB says otherwise
_DAY = 86_400.0  # seconds
_LONGEST_SUFFIX = 16  # that an unfinished file takes over
_PREFIX, _NEW = ".strokenet-", ".new"


def user_path(path: str | os.PathLike) -> Path:
    """A path as people write it, with ``~`` for their home."""
    return Path(os.path.expanduser(path))


@contextlib.contextmanager
def replace_file(path: str | os.PathLike, *, swept: bool = False) -> Iterator[Path]:
    """Write a new file that takes the place of ``path`` at the end, if all goes well.

    A new file has the mode that the umask gives, one that is replaced keeps its own. Of a link the
    file it leads to is replaced. A device, a pipe and our own standard output are written to.

    Args:
        path: the file, perhaps with ``~``; its folder is made.
        swept: whether its folder has been swept before, as where many files are written.

    Yields:
        The path to write to, with the same suffix.

    Raises:
        OSError: if the file cannot be written; it names ``path``.
    """
    path = user_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if found is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    own = found and next((number for number in (1, 2) if _is_open_as(number, found)), None)
    if found is not None and (own or not stat.S_ISREG(found.st_mode)):
        with tempfile.TemporaryDirectory(prefix="strokenet-") as folder:
            new = Path(folder) / f"new{suffix}"
            with _named(new, path):
                yield new
                if own and sys.stdout is not None:
                    sys.stdout.flush()
                with open(os.dup(own) if own else path, "wb") as stream, new.open("rb") as file:
                    shutil.copyfileobj(file, stream)
        return
    target = Path(os.path.realpath(path))
    mode = 0o666 if found is None else stat.S_IMODE(found.st_mode)
    with _unfinished(target, path, swept, suffix, mode | stat.S_IWUSR) as new:
        yield new
        if found is not None and stat.S_IMODE(new.stat().st_mode) != mode:
            new.chmod(mode)
        os.replace(new, target)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text in UTF-8 by :func:`replace_file`."""
    with replace_file(path) as new:
        new.write_text(text, "utf-8")


@contextlib.contextmanager
def add_file(paths: Iterable[Path], *, swept: bool = False) -> Iterator[Path]:
    """Write a file that gets, at the end, the first of these names that no file has.

    However many threads and processes do so in one folder, each keeps its own.

    Args:
        paths: the names, in one folder, which is made.
        swept: as in :func:`replace_file`.

    Yields:
        The path to write to, without the suffix: what is not whole looks like none of them.
    """
    names = iter(paths)
    first = next(names)
    with _unfinished(first, first, swept) as new:
        yield new
        for path in itertools.chain([first], names):
            try:
                os.link(new, path)
            except FileExistsError:
                continue
            except OSError:  # no such links on this disk: claim the name, then fill it
                try:
                    path.open("x").close()
                except FileExistsError:
                    continue
                os.replace(new, path)
            break


def try_file(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Call ``write`` as in :func:`replace_file`, but leave what is at ``path`` as it was.

    Raises:
        OSError: if the file could not be written.
    """
    with contextlib.suppress(_NotYetError), replace_file(path) as new:
        write(new)
        raise _NotYetError


class _NotYetError(Exception):
    """Keeps a file from its place."""


def check_distinct(
    outputs: Mapping[str, str | os.PathLike | None],
    inputs: Mapping[str, str | os.PathLike | None] | None = None,
) -> None:
    """Refuse, by ValueError, to write two files in one place, or one over what is read.

    Args:
        outputs: by what they are, for the message; those that are None are not written.
        inputs: the same, of what is read.
    """
    taken = {os.path.realpath(user_path(p)): what for what, p in (inputs or {}).items() if p}
    for what, path in outputs.items():
        if path is None or os.fspath(path) == os.devnull:
            continue
        place = os.path.realpath(user_path(path))
        if place in taken:
            raise ValueError(f"{what} and {taken[place]} are the same file, {os.fspath(path)}")
        taken[place] = what


def _is_open_as(number: int, found: os.stat_result) -> bool:
    """Whether a file is our output of this number."""
    try:
        return os.path.samestat(found, os.fstat(number))
    except OSError:  # closed
        return False


@contextlib.contextmanager
def _named(new: Path, path: Path) -> Iterator[None]:
    """Have errors name the file instead of the one that is written for it."""
    try:
        yield
    except Exception as error:
        texts = (a.replace(str(new), str(path)) if isinstance(a, str) else a for a in error.args)
        error.args = tuple(texts)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(new), new):
            error.filename = str(path)
        raise


@contextlib.contextmanager
def _unfinished(
    path: Path, told: Path, swept: bool, suffix: str = "", mode: int = 0o666
) -> Iterator[Path]:
    """A new file beside ``path``, locked, which is removed at the end if it still has its name.

    Errors name ``told``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not swept:
        sweep(path.parent)
    while True:
        new = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_NEW}{suffix}")
        with _named(new, told):
            number = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            try:
                if fcntl is not None:
                    with contextlib.suppress(OSError):  # a disk without locks: it is never swept
                        fcntl.flock(number, fcntl.LOCK_EX)
                    if not new.exists():  # swept before it was locked
                        continue
                else:  # what is open cannot be renamed
                    os.close(number)
                yield new
                return
            finally:
                new.unlink(missing_ok=True)
                if fcntl is not None:
                    os.close(number)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left unfinished in a folder."""
    for file in folder.glob(f"{_PREFIX}*{_NEW}*"):
        with contextlib.suppress(OSError):
            if fcntl is None:
                if time.time() - file.stat().st_mtime > _DAY:
                    file.unlink()
                continue
            number = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error if it is written
                file.unlink()
            finally:
                os.close(number)


def allowed_memory() -> int:
    """Megabytes that reading one file may take: STROKENET_MEMORY_MB, or 1,024."""
    said = os.environ.get("STROKENET_MEMORY_MB", "") or str(_MEMORY_MB)
    if not re.fullmatch(r"\d{1,9}", said):
        raise ValueError(f"STROKENET_MEMORY_MB must be a whole number of megabytes, got {said!r}")
    return int(said)


def check_memory(what: str, needed: int) -> None:
    """Refuse, by ValueError, to read a file that would take more memory than is allowed.

    Args:
        what: the file, for the message.
        needed: bytes that reading it takes at most.
    """
    allowed = allowed_memory()
    if needed > allowed * 2**20:
        wanted = -(-needed // 2**20)
        raise ValueError(
            f"{what} would take {wanted:,} MB of memory, and {allowed:,} MB are allowed: if you "
            f"trust it, set the environment variable STROKENET_MEMORY_MB={wanted}"
        )
