"""Ctrl-C that waits: a package half imported, or a compiler half set up, fails ever after."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["has_come", "shielded"]

_come: list[int] = []  # interrupts that wait for the end of a block


def has_come() -> bool:
    """Whether a Ctrl-C waits for the end of a block, so that what is optional can be left out."""
    return bool(_come)


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Have a Ctrl-C (SIGINT) come at the end of the block instead of in it."""
    main = threading.current_thread() is threading.main_thread()
    theirs = signal.getsignal(signal.SIGINT) if main else None
    if theirs is None:  # Python raises it in the main thread only
        yield
        return
    before = len(_come)
    signal.signal(signal.SIGINT, lambda number, frame: _come.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, theirs)
        if len(_come) > before:
            _come.clear()
            signal.raise_signal(signal.SIGINT)
