"""Ctrl-C that waits until what is done but once is done.

Python raises KeyboardInterrupt between any two of its lines. Packages that are half imported then,
and compilers that are half set up, fail in each later call.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["has_come", "shielded"]

_come: list[int] = []  # interrupts that wait for the end of a block


def has_come() -> bool:
    """Whether a Ctrl-C waits for the end of a block: what can be left out is."""
    return bool(_come)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Have a Ctrl-C (SIGINT) come at the end of the block instead of in it."""
    main = threading.current_thread() is threading.main_thread()
    theirs = signal.getsignal(signal.SIGINT) if main else None
    if theirs is None:  # Python raises it in the main thread only
        yield
        return
    came = False

    def wait(*_: object) -> None:
        nonlocal came
        came = True
        _come.append(signal.SIGINT)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, theirs)
        if came:
            _come.clear()
            signal.raise_signal(signal.SIGINT)
