"""Published files as people have them: zipped, unzipped, zipped anew, packed once more."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from strokenet_gym.files import check_memory
from strokenet_gym.reading import open_regular, shown

_MOST_FOLD, _SMALL = 30, 2**18  # how much larger what is unpacked may be, and bytes that always may
_MEMBER = 2**20  # bytes, at most, of one drawing's or picture's file
_ENTRY = 20  # bytes of memory that one of a zip's table becomes

__all__ = [
    "check_fold",
    "find_data",
    "folders_of",
    "members",
    "names",
    "open_file",
    "read_file",
    "streams",
]


def folders_of(data_dir: Path, name: str) -> list[Path]:
    """Where a data set's files may be: subfolders of its name, in any case, then the folder.

    Of each also the folder ``raw`` in it, where torchvision puts files.
    """
    folders = []
    for parent in (data_dir, data_dir / name):
        if parent.is_dir():
            inner = sorted(f for f in parent.iterdir() if f.is_dir() and not _is_aside(f.name))
            same = [f for f in inner if _plain(f.name) == _plain(name)]
            folders += [found for f in same for found in (f, f / "raw") if found.is_dir()]
    return [f for f in dict.fromkeys([*folders, data_dir, data_dir / "raw"]) if f.is_dir()]


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
    name = data_set.name
    for pattern in patterns:
        for folder in folders_of(data_dir, name):
            several = (pattern,) if isinstance(pattern, str) else pattern
            found = {f for one in several for f in folder.glob(_in_any_case(one))}
            files = sorted(f for f in found if f.name[0] != ".")
            if files:
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


class _Table(io.BufferedReader):
    """A zip whose table of files is read only if there is memory for it."""

    def read(self, size: int | None = -1) -> bytes:
        check_memory(str(self.name), _ENTRY * (size or 0))
        return super().read(size)


def check_fold(name: str, packed: int, unpacked: int) -> None:
    """Refuse a packed file that unpacks to very much more: published data sets do not.

    Raises:
        ValueError: if it does.
    """
    if unpacked > _MOST_FOLD * packed + _SMALL:
        raise ValueError(
            f"{shown(name)} has {packed:,} bytes and unpacks to {unpacked:,} or more; published "
            f"files do to less than {_MOST_FOLD} times as many"
        )


def open_file(file: Path) -> IO[bytes]:
    """Open a file, unpacked if it is gzipped.

    Raises:
        ValueError: if it is not a regular file.
    """
    opened = open_regular(file)
    if file.suffix.lower() != ".gz":
        return opened
    opened.close()
    return gzip.open(file)  # type: ignore[return-value]


def read_file(file: Path) -> bytes:
    """All of a plain or gzipped file.

    Raises:
        ValueError: if it is damaged, or would take too much memory.
    """
    packed = file.suffix.lower() == ".gz"
    what, pieces, total = f"{file}, unpacked," if packed else str(file), [], 0
    with open_file(file) as stream:
        try:
            while piece := stream.read(2**24):
                pieces.append(piece)
                total += len(piece)
                check_memory(what, 2 * total)
        except Exception as error:  # whatever unpacking raises
            if isinstance(error, ValueError) and str(file) in str(error):
                raise
            raise ValueError(f"{file} is damaged or cut short: {error}") from error
    return b"".join(pieces)


def streams(source: Path, suffix: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and opened files of a zip or a folder that have a suffix, by name; no hidden ones.

    Args:
        source: the zip or the folder; or a file, which is then the only one.
        suffix: in small letters.

    Raises:
        ValueError: if the zip is damaged.
    """
    if source.suffix.lower() == ".zip" and source.is_file():
        table = _Table(io.FileIO(source))
        try:
            archive = zipfile.ZipFile(table)
        except Exception as error:
            table.close()
            if "STROKENET_MEMORY_MB" in str(error):
                raise
            raise ValueError(f"{source} is damaged: {shown(error)}") from None
        with table, archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
            unpacked = sum(entry.file_size for entry in entries)
            check_fold(str(source), source.stat().st_size, unpacked)
            for entry in entries:
                if entry.filename.lower().endswith(suffix) and not _is_hidden(entry.filename):
                    try:
                        file = archive.open(entry)
                    except Exception as error:
                        where = f"{shown(entry.filename)} in {source}"
                        raise ValueError(f"{where} is damaged: {shown(error)}") from None
                    with file:
                        yield entry.filename, file
        return
    files = [source] if source.is_file() else sorted(source.rglob("*"))
    for path in files:
        name = path.name if path == source else path.relative_to(source.parent).as_posix()
        if path.is_file() and name.lower().endswith(suffix) and not _is_hidden(name):
            with path.open("rb") as opened:
                yield name, opened


def members(source: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    """The same with the files' contents: of drawings and small pictures.

    Raises:
        ValueError: if the zip is damaged, or a file has more than 1 MB.
    """
    for name, file in streams(source, suffix):
        where = f"{shown(name)} in {source}"
        try:
            data = file.read(_MEMBER + 1)
        except Exception as error:  # whatever unpacking raises
            raise ValueError(f"{where} is damaged or cut short: {shown(error)}") from None
        if len(data) > _MEMBER:
            raise ValueError(f"{where} has more than {_MEMBER:,} bytes: it is no drawing")
        yield name, data


def names(source: Path, suffix: str) -> list[str]:
    """Names of the files that :func:`streams` would open."""
    return [name for name, _ in streams(source, suffix)]


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _is_hidden(name: str) -> bool:
    return any(map(_is_aside, PurePosixPath(name).parts))


def _is_aside(part: str) -> bool:
    return part.startswith(".") or part in ("__MACOSX", "@eaDir")
