"""Published files as people have them: zipped, unzipped, zipped anew, packed once more."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from strokenet_gym.files import check_memory

__all__ = ["find_data", "folders_of", "members", "names", "open_file", "read_file", "streams"]


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


def open_file(file: Path) -> IO[bytes]:
    """Open a file, unpacked if it is gzipped."""
    return gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb")  # type: ignore


def read_file(file: Path) -> bytes:
    """All of a plain or gzipped file.

    Raises:
        ValueError: if it is damaged, or would take too much memory.
    """
    packed = file.suffix.lower() == ".gz"
    with open_file(file) as stream:
        return _read(stream, f"{file}, unpacked," if packed else str(file), str(file))


def _read(stream: IO[bytes], what: str, name: str) -> bytes:
    """All of a stream, piece by piece, so that nothing takes more memory than is allowed."""
    pieces, total = [], 0
    try:
        while piece := stream.read(2**24):
            pieces.append(piece)
            total += len(piece)
            check_memory(what, 2 * total)
    except Exception as error:  # whatever unpacking raises
        if isinstance(error, ValueError) and "STROKENET_MEMORY_MB" in str(error):
            raise
        raise ValueError(f"{name} is damaged or cut short: {error}") from error
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
        try:
            archive = zipfile.ZipFile(source)
        except Exception as error:
            raise ValueError(f"{source} is damaged: {error}") from error
        with archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if entry.filename.lower().endswith(suffix) and not _is_hidden(entry.filename):
                    try:
                        file = archive.open(entry)
                    except Exception as error:
                        raise ValueError(
                            f"{entry.filename} in {source} is damaged: {error}"
                        ) from error
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
    """The same with the files' contents.

    Raises:
        ValueError: if the zip is damaged, or a file would take too much memory.
    """
    for name, file in streams(source, suffix):
        where = f"{name} in {source}"
        yield name, _read(file, where, where)


def names(source: Path, suffix: str) -> list[str]:
    """Names of the files that :func:`streams` would open."""
    return [name for name, _ in streams(source, suffix)]


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _is_hidden(name: str) -> bool:
    return any(map(_is_aside, PurePosixPath(name).parts))


def _is_aside(part: str) -> bool:
    return part.startswith(".") or part in ("__MACOSX", "@eaDir")
