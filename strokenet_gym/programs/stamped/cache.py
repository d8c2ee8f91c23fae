"""Where the compiled kernels are kept, so that only the first run ever compiles.

Numba's own cache notices a change of the file that a function is in, but not of the files whose
functions it calls: after an upgrade it may go on running old code. Ours is keyed by the text of
all the kernels' files, and works where the installed package cannot be written to.
"""

import atexit
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba import config as _numba_config

__all__ = ["announce", "kernel_cache"]

config: Any = _numba_config
_folder: Path | None = None  # set by kernel_cache
_announced: set[str] = set()


def announce(kernel: Any) -> None:
    """Say on standard error that a kernel is to be compiled, if there is none on disk yet."""
    name = kernel.__name__
    if name in _announced:
        return
    _announced.add(name)
    if _folder is None or not any(_folder.rglob(f"*.{name}-*.nbi")):
        print(
            f"strokenet_gym: compiling {name} (a few seconds, once; kept in {_folder})",
            file=sys.stderr,
            flush=True,
        )


@contextlib.contextmanager
def kernel_cache() -> Iterator[None]:
    """Functions that numba decorates inside this context are cached in our folder."""
    global _folder
    _folder = _folder or _find_folder()
    previous = config.CACHE_DIR
    config.CACHE_DIR = str(_folder)
    try:
        yield
    finally:
        config.CACHE_DIR = previous


def _find_folder() -> Path:
    here, key = Path(__file__).parent, hashlib.sha256()
    elsewhere = (
        here.parent / "base.py",
        here.parent / "mypaint" / "drawing.py",
        here.parents[1] / "targets" / "raster.py",
    )
    for file in [*sorted(here.glob("*.py")), *elsewhere]:
        key.update(file.read_bytes())
    bases = [here / "__pycache__"]
    if config.CACHE_DIR:  # the user's NUMBA_CACHE_DIR
        bases.insert(0, Path(config.CACHE_DIR))
    with contextlib.suppress(RuntimeError):  # an account without a home
        bases.append(Path.home() / ".cache" / "strokenet_gym")
    return _first_writable(bases) / f"kernels-{key.hexdigest()[:16]}"


def _first_writable(folders: list[Path]) -> Path:
    """The first folder that can be written to, else a new, private one for this process."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    private = tempfile.mkdtemp(prefix="strokenet_gym-")
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return Path(private)
