"""The folder of what has been prepared from data sets and pictures, in the user's cache."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from strokenet_gym.files import replace_file, sweep, user_path

__all__ = ["cache_folder", "cached_files", "clear_cache", "keep", "kept"]


def cache_folder() -> Path:
    """The folder in the environment variable STROKENET_CACHE, or one in the user's cache."""
    for variable, rest in (("STROKENET_CACHE", ""), ("XDG_CACHE_HOME", "strokenet_gym/targets")):
        if os.environ.get(variable):
            return user_path(os.environ[variable]) / rest
    return user_path("~") / ".cache" / "strokenet_gym" / "targets"


def keep(path: Path, arrays: Iterable[np.ndarray], swept: bool = False) -> None:
    """Write arrays to a file: in NumPy's format, one behind the other, and a checksum of them.

    It appears whole, so that two processes may do the same; without room on the disk it does not.

    Args:
        path: in the cache.
        arrays: those of the widest type first, so that all are aligned when they are mapped.
        swept: see :func:`strokenet_gym.files.replace_file`.
    """
    with contextlib.suppress(OSError), replace_file(path, swept=swept) as new:
        with new.open("wb") as file:
            for array in arrays:
                np.save(file, array)
        checksum = zlib.crc32(np.memmap(new, np.uint8, "r").data)
        with new.open("ab") as file:
            file.write(checksum.to_bytes(4, "little"))


def kept(path: Path) -> list[np.ndarray] | None:
    """Map the arrays of a file that :func:`keep` wrote; None if it is not there, or damaged."""
    arrays = []
    with contextlib.suppress(OSError, ValueError):
        data = np.memmap(path, np.uint8, "r").view(np.ndarray)
        if zlib.crc32(data[:-4].data).to_bytes(4, "little") != data[-4:].tobytes():
            return None
        with path.open("rb") as file:
            while file.tell() < len(data) - 4:
                np.lib.format.read_magic(file)
                shape, _, kind = np.lib.format.read_array_header_1_0(file)
                start = file.tell()
                stop = file.seek(start + int(np.prod(shape)) * kind.itemsize)
                arrays.append(data[start:stop].view(kind).reshape(shape))
    return arrays or None


def cached_files() -> dict[str, list[Path]]:
    """The files in the cache by what they were made from: a data set, or "pictures"."""
    files: dict[str, list[Path]] = {}
    for pattern in ("*.prepared", "pictures/*.pixels"):
        found = cache_folder().glob(pattern)
        for file in sorted(f for f in found if f.name[0] != "."):  # those are being written
            name = "pictures" if file.suffix == ".pixels" else file.name.rpartition("-")[0]
            files.setdefault(name, []).append(file)
    return files


def clear_cache(names: tuple[str, ...] = ()) -> int:
    """Remove what the cache has of some sets, or all; what is needed again is prepared again.

    Args:
        names: as :func:`cached_files` says them; all if there are none.

    Returns:
        Bytes that this frees.

    Raises:
        ValueError: if the cache has nothing of that name.
    """
    for folder in (cache_folder(), cache_folder() / "pictures"):
        sweep(folder)
    freed, found = 0, cached_files()
    if unknown := sorted(set(names) - set(found)):
        raise ValueError(
            f"the cache has nothing of {', '.join(unknown)}; it has {', '.join(found)}"
        )
    for file in (file for name in names or found for file in found[name]):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            size = file.stat().st_size
            file.unlink()
            freed += size
    return freed
