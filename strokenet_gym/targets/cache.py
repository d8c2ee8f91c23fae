"""The folder of what has been prepared from data sets and pictures, in the user's cache."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from strokenet_gym.files import sweep, user_path

__all__ = ["cache_folder", "cached_files", "clear_cache"]


def cache_folder() -> Path:
    """The folder in the environment variable STROKENET_CACHE, or one in the user's cache."""
    for variable, rest in (("STROKENET_CACHE", ""), ("XDG_CACHE_HOME", "strokenet_gym/targets")):
        if os.environ.get(variable):
            return user_path(os.environ[variable]) / rest
    return user_path("~") / ".cache" / "strokenet_gym" / "targets"


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
    unknown = set(names) - set(found)
    if unknown:
        raise ValueError(
            f"the cache has nothing of {', '.join(sorted(unknown))}; it has {', '.join(found)}"
        )
    for name, files in found.items():
        for file in files if not names or name in names else ():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                size = file.stat().st_size
                file.unlink()
                freed += size
    return freed
