"""Where the compiled kernels are kept, so that only the first run ever compiles.

Numba's own cache notices a change of the file that a function is in, but not of the files whose
functions it calls: after an upgrade it may go on running old code. One damaged file in it breaks
every later run, and so does a full disk. Ours is keyed by the text of all the kernels' files, has a
checksum in each of its own, and goes on to the next folder where one does not do. Of several
processes that need the same kernel one compiles it, and the others wait.

What a kernel calls is always compiled into it. Where the compiler may choose, kernels bring copies
of one function, of which a process runs the one that came first; and with fast arithmetic two
copies differ in the last bit, so that a seed gave other strokes in the run that compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import filelock

from strokenet_gym.interrupts import has_come, shielded
from strokenet_gym.messages import stderr

with shielded():
    import numba
    from numba.core import sigutils
    from numba.core.caching import _Cache
    from numba.core.ccallback import CFunc
    from numba.core.compiler import CompileResult
    from numba.core.serialize import dumps

__all__ = ["announce", "cfunc", "njit"]

_config: Any = numba.config
_announced: set[str] = set()
_CHECKSUM = 32  # bytes, at the begin of a file
_PATIENCE = 120  # seconds to wait for another process, which may have failed


def announce(kernel: Any) -> None:
    """Say on standard error that a kernel is to be compiled, if there is none on disk yet."""
    name = kernel.__name__
    if name not in _announced:
        found = any(any(folder.glob(f"{name}-*")) for folder in _folders())
        if found:
            _announced.add(name)
        else:
            where = f"once; kept in {_folders()[0]}"
            _say(name, f"compiling {name} (a few seconds, {where})")


def _say(about: str, message: str) -> None:
    """Say something on standard error, once about each thing."""
    if about not in _announced:
        _announced.add(about)
        print(f"strokenet_gym: {message}", file=stderr())


def njit(**options: Any) -> Callable[[Callable], Any]:
    """``numba.njit`` for a kernel: it releases the lock, and is kept in our folders, whole.

    Loading or compiling it sets the compiler up as well, so Ctrl-C waits for that.
    """

    def decorate(function: Callable) -> Any:
        kernel = numba.njit(nogil=True, forceinline=True, **options)(function)
        kernel._cache = _KernelCache(function)
        theirs = kernel._compile_for_args

        def compile_for_args(*args: Any, **kwargs: Any) -> Any:
            try:
                with shielded():
                    return theirs(*args, **kwargs)
            finally:
                kernel._cache.release()

        kernel._compile_for_args = compile_for_args
        return kernel

    return decorate


def cfunc(signature: Any) -> Callable[[Callable], Any]:
    """``numba.cfunc`` for a function that a library calls, kept in the same way."""

    @shielded()
    def decorate(function: Callable) -> Any:
        compiled: Any = CFunc(function, sigutils.normalize_signature(signature), {}, {})
        compiled._cache = _KernelCache(function)
        compiled.compile()
        return compiled

    return decorate


class _KernelCache(_Cache):  # type: ignore[misc]
    """What numba asks for compiled versions of one function, and gives them to."""

    def __init__(self, function: Any) -> None:
        self._name = function.__name__
        self._function = f"{function.__module__}.{function.__qualname__}"
        self._lock: filelock.BaseFileLock | None = None  # while this process compiles

    @property
    def cache_path(self) -> str:
        """The first of the folders."""
        return str(_folders()[0])

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The version for these types; None if there is none, and this process is to compile it."""
        target_context.refresh()
        name = self._file_name(sig, target_context.codegen())
        found = self._read(name, target_context)
        if found is None:
            self._acquire(name)
            found = self._read(name, target_context)  # another may have compiled it
            if found is not None:
                self.release()
        return found

    def _acquire(self, name: str) -> None:
        """Wait until no other process compiles a version, where files can be locked."""
        with contextlib.suppress(OSError):
            _folders()[0].mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(_folders()[0] / f".{name}.lock")
            for _ in range(_PATIENCE):
                if has_come():  # a Ctrl-C
                    return
                with contextlib.suppress(filelock.Timeout):
                    lock.acquire(timeout=1)
                    self._lock = lock
                    return

    def release(self) -> None:
        """Let other processes compile, also after an error."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _read(self, name: str, target_context: Any) -> Any:
        """The version in a file of that name, None if there is none."""
        for folder in _folders():
            try:
                content = (folder / name).read_bytes()
            except OSError:  # not there, or not ours to read
                continue
            checksum, data = content[:_CHECKSUM], content[_CHECKSUM:]
            if hashlib.sha256(data).digest() == checksum:
                return CompileResult._rebuild(target_context, *pickle.loads(data))
            _say("damaged", f"{folder / name} is damaged: compiling {self._name} again")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a version, in the first folder where that is possible."""
        content = dumps(data._reduce())
        content = hashlib.sha256(content).digest() + content
        why = ""
        for folder in _folders():
            path = folder / self._file_name(sig, data.codegen)
            new = path.with_name(f".{uuid.uuid4().hex}.new")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                new.write_bytes(content)
                os.replace(new, path)
                if why:
                    _say("elsewhere", f"compiled kernels are kept in {folder}, since {why}")
                break
            except OSError as error:  # a full disk, say
                why = why or str(error)
                with contextlib.suppress(OSError):
                    new.unlink(missing_ok=True)
        else:
            _say("nowhere", f"compiled kernels are kept in no folder, since {why}")
        self.release()

    def _file_name(self, sig: Any, codegen: Any) -> str:
        made_by = numba.__version__, sys.implementation.cache_tag, codegen.magic_tuple()
        key = hashlib.sha256(repr((self._function, str(sig), made_by)).encode())
        return f"{self._name}-{key.hexdigest()[:24]}"

    def enable(self) -> None:
        """It always is."""

    def disable(self) -> None:
        """Numba's own functions alone are asked that."""

    def flush(self) -> None:
        """The same."""


@cache
def _folders() -> list[Path]:
    """Where kernels may be, the best place first."""
    here, key = Path(__file__).parent, hashlib.sha256()
    programs = here.parent / "programs"
    files = (
        *sorted(here.glob("*.py")),
        programs / "blend.py",
        *sorted((programs / "stamped").glob("*.py")),
        programs / "mypaint" / "drawing.py",
        here.parent / "targets" / "raster.py",
    )
    for file in files:
        key.update(file.read_bytes())
    bases = [here / "__pycache__"]
    if _config.CACHE_DIR:  # the user's NUMBA_CACHE_DIR
        bases.insert(0, Path(_config.CACHE_DIR))
    with contextlib.suppress(RuntimeError):  # an account without a home
        bases.append(Path.home() / ".cache" / "strokenet_gym")
    return [base / f"kernels-{key.hexdigest()[:16]}" for base in bases]
