"""How many threads paint, and the pool that they are.

There is one setting, numba's own: the environment variable ``NUMBA_NUM_THREADS``. Without it there
are as many threads as this process may use cores: those of its affinity, and no more than the quota
of the container that it runs in.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["available_cores", "check", "run"]

_CHUNK = 8  # fewer strokes are not worth another thread
_pool: ThreadPoolExecutor | None = None
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
    global _pool
    if count <= least or THREADS == 1:
        work(0, count)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(THREADS - 1, "strokenet")
    # The next one that comes takes the next share. They get smaller towards the end, since strokes
    # differ in cost. The calling thread helps, which saves it from being woken up.
    shares = iter(_shares(count, least))
    claim = threading.Lock()
    busy: set[tuple[int, int]] = set()  # what helpers are at work on
    over = threading.Event()

    def help_out() -> None:
        _helper.over = over
        while True:
            with claim:
                share = next(shares, None)
                if share is None:
                    return
                busy.add(share)
            try:
                work(*share)
            finally:
                busy.discard(share)

    try:
        helpers = []
        with contextlib.suppress(RuntimeError):
            for _ in range(THREADS - 1):
                helpers.append(_pool.submit(help_out))
        for share in shares:
            work(*share)
        for helper in helpers:
            if not helper.cancel():  # one that has not begun waits for other calls' work
                helper.result()
    except BaseException:  # Ctrl-C above all: nobody takes another share, and all leave theirs
        over.set()
        with claim:
            for _ in shares:
                pass
        while busy:
            time.sleep(1e-4)
        raise
    finally:
        # Else what it paints lives as long as a helper that has not begun, or is leaving.
        work = _nothing


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


def _forget_pool() -> None:
    """A forked child has none of its parent's threads: it makes its own."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
