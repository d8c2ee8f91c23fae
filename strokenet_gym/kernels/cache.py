"""Where the compiled kernels are kept, so that only the first run ever compiles.

Numba's own cache (version 0.68, tried) has a hook for the folder and for the key, but no checksum:
one flipped bit in a file ended the process or ran, a truncated file raised an error in every later
run, and a full disk does. Ours is keyed by the text of all the kernels' files, so that no upgrade
runs old code, has a checksum in each of its files, and goes on to the next folder where one fails.
Of several processes that need the same kernel one compiles it, and the others wait.

What a kernel calls is always compiled into it. Where the compiler may choose, kernels bring copies
of one function, of which a process runs the one that came first; and with fast arithmetic two
copies differ in the last bit, so that a seed gave other strokes in the run that compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import filelock

from strokenet_gym.files import replace_file
from strokenet_gym.interrupts import has_come, shielded
from strokenet_gym.messages import stderr

with shielded():
    import numba
    from numba.core import sigutils
    from numba.core.caching import NullCache
    from numba.core.ccallback import CFunc
    from numba.core.compiler import CompileResult
    from numba.core.serialize import dumps

__all__ = ["cfunc", "njit"]

_config: Any = numba.config
# What compiled code depends on, beside the versions of numba and Python and the processor.
_SOURCES = (
    "kernels/*.py", "programs/blend.py", "programs/stamped/*.py", "programs/mypaint/drawing.py",
    "targets/raster.py",
)  # fmt: skip
_CHECKSUM = 32  # bytes, at the start of a file
_PATIENCE = 120  # seconds to wait for another process, which may have failed
_printed: set[str] = set()


def njit(**options: Any) -> Callable[[Callable], Any]:
    """``numba.njit`` for a kernel: it releases the GIL, and is kept in our folders.

    Loading or compiling it sets the compiler up as well, so Ctrl-C waits for that.
    """

    def decorate(function: Callable) -> Any:
        kernel = numba.njit(nogil=True, forceinline=True, **options)(function)
        compile_for_args, kept = kernel._compile_for_args, _KernelCache(function)
        kernel._cache = kept

        @shielded()
        def load_or_compile(*args: Any, **kwargs: Any) -> Any:
            kept.is_called = True
            try:
                return compile_for_args(*args, **kwargs)
            finally:
                kept.lock.close()

        kernel._compile_for_args = load_or_compile
        return kernel

    return decorate


@shielded()
def cfunc(signature: Any, function: Callable) -> Any:
    """``numba.cfunc`` of a function that a library calls, kept in the same way."""
    compiled: Any = CFunc(function, sigutils.normalize_signature(signature), {}, {})
    compiled._cache = _KernelCache(function)
    compiled.compile()
    return compiled


class _KernelCache(NullCache):  # type: ignore[misc]
    """What numba asks for compiled versions of one function, and gives them to."""

    def __init__(self, function: Callable) -> None:
        self._name = function.__name__
        self._function = f"{function.__module__}.{function.__qualname__}"
        self.lock = contextlib.ExitStack()  # held while this process compiles
        self.is_called = False  # from Python; the others are parts of those

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The version for these types; None if there is none, and this process is to compile it."""
        target_context.refresh()
        name = self._file_name(sig, target_context.codegen())
        found = self._read(name)
        if found is None:
            if self.is_called:
                where = f"a few seconds, once; kept in {_folders()[0]}"
                _print_once(self._name, f"compiling {self._name} ({where})")
            self._wait_for_others(name)
            found = self._read(name)
        if found is None:
            return None
        self.lock.close()
        return CompileResult._rebuild(target_context, *pickle.loads(found))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a version, in the first folder where that is possible."""
        content = dumps(data._reduce())
        content, why = hashlib.sha256(content).digest() + content, None
        for folder in _folders():
            try:
                with replace_file(folder / self._file_name(sig, data.codegen)) as new:
                    new.write_bytes(content)
            except OSError as error:  # a full disk, say
                why = why or error
            else:
                if why:
                    _print_once("where", f"compiled kernels are kept in {folder}, since {why}")
                break
        else:
            _print_once("where", f"compiled kernels are kept in no folder, since {why}")
        self.lock.close()

    def _file_name(self, sig: Any, codegen: Any) -> str:
        made_by = numba.__version__, sys.implementation.cache_tag, codegen.magic_tuple()
        key = hashlib.sha256(repr((self._function, str(sig), made_by)).encode())
        return f"{self._name}-{key.hexdigest()[:24]}"

    def _read(self, name: str) -> bytes | None:
        """The version in a file of that name, None if there is none."""
        for folder in _folders():
            try:
                content = (folder / name).read_bytes()
            except OSError:  # not there, or not ours to read
                continue
            data = content[_CHECKSUM:]
            if hashlib.sha256(data).digest() == content[:_CHECKSUM]:
                return data
            _print_once("damaged", f"{folder / name} is damaged: compiling {self._name} again")
        return None

    def _wait_for_others(self, name: str) -> None:
        """Until no other process compiles this version, where files can be locked."""
        with contextlib.suppress(OSError):
            _folders()[0].mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(_folders()[0] / f".{name}.lock")
            for _ in range(_PATIENCE):
                if has_come():  # a Ctrl-C
                    return
                with contextlib.suppress(filelock.Timeout):
                    self.lock.enter_context(lock.acquire(timeout=1))
                    return


def _print_once(about: str, message: str) -> None:
    if about not in _printed:
        _printed.add(about)
        print(f"strokenet_gym: {message}", file=stderr())


@cache
def _folders() -> list[Path]:
    """Where kernels may be, the best place first."""
    package, key = Path(__file__).parents[1], hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(package.glob(pattern)):
            key.update(file.read_bytes())
    bases = [package / "kernels" / "__pycache__"]
    if _config.CACHE_DIR:  # the user's NUMBA_CACHE_DIR
        bases.insert(0, Path(_config.CACHE_DIR))
    with contextlib.suppress(RuntimeError):  # an account without a home
        bases.append(Path.home() / ".cache" / "strokenet_gym")
    return [base / f"kernels-{key.hexdigest()[:16]}" for base in bases]
