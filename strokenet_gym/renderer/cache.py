"""Where the compiled kernels are kept, so that only the first run ever compiles.

Numba's own cache notices a change of the file that a function is in, but not of the files whose
functions it calls: after an upgrade it may go on running old code. Ours is keyed by the text of
all the kernels' files, and works where the installed package cannot be written to.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba import config as _numba_config

__all__ = ["kernel_cache"]

config: Any = _numba_config


@contextlib.contextmanager
def kernel_cache() -> Iterator[None]:
    """Functions that numba decorates inside this context are cached in our folder."""
    here = Path(__file__).parent
    key = hashlib.sha256()
    for file in sorted(here.glob("*.py")):
        key.update(file.read_bytes())
    bases = [here / "__pycache__"]
    if config.CACHE_DIR:  # the user's NUMBA_CACHE_DIR
        bases.insert(0, Path(config.CACHE_DIR))
    with contextlib.suppress(RuntimeError):  # an account without a home
        bases.append(Path.home() / ".cache" / "strokenet_gym")
    previous = config.CACHE_DIR
    config.CACHE_DIR = str(_first_writable(bases) / f"kernels-{key.hexdigest()[:16]}")
    try:
        yield
    finally:
        config.CACHE_DIR = previous


def _first_writable(folders: list[Path]) -> Path:
    """The first folder that can be written to, else a new, private one for this process."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="strokenet_gym-"))
