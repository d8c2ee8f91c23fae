"""Strokes that are painted by other processes while a network learns from the ones before."""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np

from strokenet_gym import load_program
from strokenet_gym.stroke import Stroke

__all__ = ["DrawnAhead"]

_program: Any = None  # a worker's own


def _begin(brush: str) -> None:
    global _program
    _program = load_program(brush)


def _draw(stroke: Stroke, size: int) -> np.ndarray:
    return _program.draw(stroke, size)


class DrawnAhead:
    """Batches of strokes in the order in which they were added, with their opacity.

    Args:
        brush: what :func:`strokenet_gym.load_program` takes, a string.
        workers: processes; 0 paints in this one, when a batch is asked for.
    """

    def __init__(self, brush: str, workers: int) -> None:
        self._brush, self._workers = load_program(brush), workers
        self._batches: deque[tuple[Stroke, int, Future | None]] = deque()
        self._pool = None
        if workers > 0:
            spawn = multiprocessing.get_context("spawn")  # torch has threads
            self._pool = ProcessPoolExecutor(workers, spawn, _begin, (brush,))

    @property
    def wanted(self) -> bool:
        """Whether there is room for another batch."""
        return len(self._batches) <= 2 * self._workers

    def add(self, stroke: Stroke, size: int) -> None:
        """Have a batch painted on canvases of this side."""
        future = None if self._pool is None else self._pool.submit(_draw, stroke, size)
        self._batches.append((stroke, size, future))

    def next(self) -> tuple[Stroke, np.ndarray]:
        """The first batch, and its opacity ``[B, size, size]``."""
        stroke, size, future = self._batches.popleft()
        return stroke, self._brush.draw(stroke, size) if future is None else future.result()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
