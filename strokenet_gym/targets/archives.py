"""Published files as people have them: zipped, unzipped, zipped anew, packed once more."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from strokenet_gym.files import check_memory
from strokenet_gym.reading import open_regular, shown

__all__ = ["check_fold", "damaged", "find_data", "folders_of", "members", "read_file", "streams"]

_MOST_FOLD, _SMALL = 30, 2**18  # how much larger what is unpacked may be, and bytes that always may
_MEMBER = 2**20  # bytes, at most, of one drawing's or picture's file
_ENTRY = 20  # bytes of memory that one of a zip's table becomes


@contextlib.contextmanager
def damaged(name: object, where: object = "") -> Iterator[None]:
    """Turn whatever reading a damaged file raises into a ValueError that names it.

    One that names it already, as it would take too much memory, stays as it is.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and str(where or name) in str(error):
            raise
        inside = f" in {where}" if where else ""
        raise ValueError(f"{shown(name)}{inside} is damaged: {shown(error)}") from None


def folders_of(data_dir: Path, name: str) -> list[Path]:
    """Where a data set's files may be: subfolders of its name, in any case, then the folder.

    Of each also the folder ``raw`` in it, where torchvision puts files.
    """
    folders = []
    for parent in (data_dir, data_dir / name):
        inner = sorted(parent.iterdir()) if parent.is_dir() else []
        folders += [f for f in inner if _plain(f.name) == _plain(name) and not _is_aside(f.name)]
    both = [found for folder in [*folders, data_dir] for found in (folder, folder / "raw")]
    return [folder for folder in dict.fromkeys(both) if folder.is_dir()]


def find_data(data_set: Any, data_dir: Path, *patterns: str | tuple[str, ...]) -> list[Path]:
    """Files of a data set in a folder, or in its subfolder of the data set's name.

    Args:
        data_set: the class, an :class:`strokenet_gym.targets.ImageSet`.
        data_dir: the folder.
        patterns: of names, in any case; the files of the first one that matches any are taken. A
            tuple of them counts as one.

    Raises:
        FileNotFoundError: if there are none; the message names the command that fetches them.
    """
    name, folders = data_set.name, folders_of(data_dir, data_set.name)
    for pattern in patterns:
        several = (pattern,) if isinstance(pattern, str) else pattern
        for folder in folders:
            found = {f for one in several for f in folder.glob(_in_any_case(one))}
            if files := sorted(f for f in found if f.name[0] != "."):
                return files
    fetch = ""
    if data_set.addresses or data_set.category_address:
        more = " with the --categories that you want" if data_set.category_address else ""
        fetch = f"run `strokenet-gym download {name} --to {data_dir}`{more}, or "
    raise FileNotFoundError(
        f"{name} needs {' or '.join(data_set.patterns)} in {data_dir} or {data_dir / name}: {fetch}"
        "pass data_dir=… or set STROKENET_DATA to the folder that has it"
    )


def _in_any_case(pattern: str) -> str:
    if "[" in pattern:
        return pattern
    return "".join(f"[{c}{c.swapcase()}]" if c.isalpha() else c for c in pattern)


def check_fold(name: str, packed: int, unpacked: int) -> None:
    """Raise ValueError if a packed file unpacks to very much more: published data sets do not."""
    if unpacked > _MOST_FOLD * packed + _SMALL:
        raise ValueError(
            f"{shown(name)} has {packed:,} bytes and unpacks to {unpacked:,} or more; published "
            f"files do to less than {_MOST_FOLD} times as many"
        )


def read_file(file: Path) -> bytes:
    """All of a plain or gzipped file; ValueError if it is damaged, or takes too much memory."""
    packed, pieces, total = file.suffix.lower() == ".gz", [], 0
    with open_regular(file) as opened, damaged(file):
        stream: Any = gzip.GzipFile(fileobj=opened) if packed else opened
        while piece := stream.read(2**24):
            pieces.append(piece)
            total += len(piece)
            check_memory(f"{file}, unpacked," if packed else str(file), 2 * total)
    return b"".join(pieces)


class _Table(io.BufferedReader):
    """A zip whose table of files is read only if there is memory for it."""

    def read(self, size: int | None = -1) -> bytes:
        check_memory(str(self.name), _ENTRY * (size or 0))
        return super().read(size)


def streams(source: Path, suffix: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and opened files of a zip or a folder that have a suffix, by name; no hidden ones.

    The source may also be a file, which is then the only one; ValueError if a zip is damaged.
    """
    if source.suffix.lower() == ".zip" and source.is_file():
        with _Table(io.FileIO(source)) as table:
            with damaged(source):
                archive = zipfile.ZipFile(table)
            entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
            unpacked = sum(entry.file_size for entry in entries)
            check_fold(str(source), source.stat().st_size, unpacked)
            for entry in entries:
                if _is_wanted(entry.filename, suffix):
                    with damaged(entry.filename, source):
                        file = archive.open(entry)
                    with file:
                        yield entry.filename, file
        return
    for path in [source] if source.is_file() else sorted(source.rglob("*")):
        name = path.name if path == source else path.relative_to(source.parent).as_posix()
        if path.is_file() and _is_wanted(name, suffix):
            with path.open("rb") as opened:
                yield name, opened


def members(source: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """The same with the files' contents, of drawings and small pictures; 1 MB at most."""
    for name, file in streams(source, suffix):
        with damaged(name, source):
            data = file.read(_MEMBER + 1)
        if len(data) > _MEMBER:
            where = f"{shown(name)} in {source}"
            raise ValueError(f"{where} has more than {_MEMBER:,} bytes: it is no drawing")
        yield name, data


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _is_wanted(name: str, suffix: str) -> bool:
    return name.lower().endswith(suffix) and not any(map(_is_aside, PurePosixPath(name).parts))


def _is_aside(part: str) -> bool:
    return part.startswith(".") or part in ("__MACOSX", "@eaDir")
