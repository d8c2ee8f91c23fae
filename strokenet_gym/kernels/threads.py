"""How many threads paint, and how they share the work.

There is one setting, numba's own: the environment variable ``NUMBA_NUM_THREADS``. Without it there
are as many threads as this process may use cores: those of its affinity, and no more than the quota
of the container that it runs in.
"""

from __future__ import annotations

import _thread
import contextlib
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

__all__ = ["available_cores", "check", "run"]

_CHUNK = 8  # fewer strokes are not worth another thread
# Ctrl-C is raised between any two lines of Python, also where a pool or a Thread of the standard
# library has just taken a lock, which nobody gets any more then. What is written in C it cannot
# break. These threads end with the process.
_calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
_started = 0  # threads that take them
_helper = threading.local()  # .over: whether the call that this thread helps has been broken off
_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Threads that may paint at once: ``NUMBA_NUM_THREADS``, or the cores of this process.

    Raises:
        ValueError: if the variable is not a whole number from 1.
    """
    asked = os.environ.get("NUMBA_NUM_THREADS")
    if asked:
        if not asked.isdecimal() or int(asked) < 1:
            raise ValueError(f"NUMBA_NUM_THREADS must be a whole number from 1, got {asked!r}")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _quota())))


def _quota() -> float:
    """Cores that the container may use on average: Linux' control groups, version 2 or 1."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((_CGROUP / name).read_text() for name in files).split()
            if int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError):  # not there, or "max"
            continue
    return math.inf


THREADS = available_cores()


def run(work: Callable[[int, int], None], count: int, least: int = _CHUNK) -> None:
    """Call ``work(start, stop)`` for all of ``range(count)``, on all threads if it is worth it.

    Fewer than ``least`` are not worth another thread.

    When it returns or raises, no thread is at work any more. Where there are no other threads to be
    had, as after the end of the main thread, the calling one does it all.
    """
    if count <= least or THREADS == 1:
        work(0, count)
        return
    # The next one that comes takes the next share. They get smaller towards the end, since strokes
    # differ in cost. The calling thread helps, which saves it from being woken up.
    ranges = _shares(count, least)
    shares = iter(ranges)
    busy: set[int] = set()  # the helpers that may have a share
    left: SimpleQueue[None] = SimpleQueue()  # an item for each that is no longer in it
    errors: list[BaseException] = []
    over = threading.Event()

    def help_out() -> None:
        _helper.over = over
        busy.add(threading.get_ident())
        try:
            for share in shares:
                work(*share)
        except BaseException as error:
            if not errors:
                errors.append(error)
        finally:
            busy.discard(threading.get_ident())
            left.put(None)

    def wait() -> None:
        """Until no helper has a share, and none is to be had."""
        for _ in shares:
            pass
        while busy:
            left.get()

    try:
        for _ in range(_helpers(min(THREADS, len(ranges)) - 1)):
            _calls.put(help_out)
        for share in shares:
            work(*share)
        wait()
    except BaseException:  # Ctrl-C above all
        over.set()
        wait()
        raise
    finally:
        # Else what it paints lives as long as a helper that has not begun, or is leaving.
        work = _nothing
    if errors:
        raise errors.pop()


def _helpers(wanted: int) -> int:
    """As many threads that take calls as there can be, at most ``wanted``."""
    global _started
    with contextlib.suppress(RuntimeError):
        while _started < wanted:
            _thread.start_new_thread(_take, (_calls,))
            _started += 1
    return min(wanted, _started)


def _take(calls: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        calls.get()()


def _nothing(start: int, stop: int) -> None:
    pass


def _shares(count: int, least: int) -> list[tuple[int, int]]:
    """Ranges that cover ``range(count)``: half a thread's part of what is left each time."""
    shares, start = [], 0
    while start < count:
        stop = min(count, start + max(least, (count - start) // (2 * THREADS)))
        shares.append((start, stop))
        start = stop
    return shares


def check() -> None:
    """What work calls between two kernels: Ctrl-C gets through there, in all threads.

    Raises:
        InterruptedError: in a helper, if the call that it helps has been broken off.
    """
    over = getattr(_helper, "over", None)
    if over is not None and over.is_set():
        raise InterruptedError("the call that this thread helps has been broken off")


def _forget_threads() -> None:
    """A forked child has none of its parent's threads: it makes its own."""
    global _calls, _started
    _calls, _started = SimpleQueue(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
