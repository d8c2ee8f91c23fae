"""Painters of whole pictures, ours and older ones: each paints a picture in so many marks.

All but primitive paint with our program. What they cost is measured in seconds of one core.
"""

from __future__ import annotations

import functools
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from strokenet_gym import paint_picture

from .hertzmann import paint_layers, relax
from .hill_climbing import climb

__all__ = ["PAINTERS", "PRIMITIVE", "Painted", "Painter"]

PRIMITIVE = "primitive"  # the name of its binary
_STROKE, _TRIANGLE, _ELLIPSE = 52, 10, 9  # numbers in a mark, its colour included


class Painted(NamedTuple):
    """A picture in so many marks.

    Attributes:
        marks: how many were allowed.
        used: how many there are.
        canvas: float ``[3, H, W]`` in 0 … 1.
        seconds: of one core.
    """

    marks: int
    used: int
    canvas: np.ndarray
    seconds: float


class Painter(NamedTuple):
    """A way to paint a picture.

    Attributes:
        label: what reports call it.
        numbers: how many of them a mark has.
        paint: takes float32 ``[3, H, W]``, ascending numbers of marks and a seed.
    """

    label: str
    numbers: int
    paint: Callable[[np.ndarray, Sequence[int], int], Iterator[Painted]]


Way = Callable[[np.ndarray, int, int], tuple[int, np.ndarray]]  # picture, marks, seed: used, canvas


def _timed(way: Way) -> Callable[[np.ndarray, Sequence[int], int], Iterator[Painted]]:
    """Have a picture painted anew in each number of marks."""

    def paint(picture: np.ndarray, marks: Sequence[int], seed: int) -> Iterator[Painted]:
        for count in marks:
            begun = time.process_time()
            used, canvas = way(picture, count, seed)
            yield Painted(count, used, canvas, time.process_time() - begun)

    return paint


def _planned(style: str, palette: int | None = None) -> Way:
    """The package's planner: all strokes together, down the exact gradient."""

    def paint(picture: np.ndarray, count: int, seed: int) -> tuple[int, np.ndarray]:
        size = max(picture.shape[1:])
        log = paint_picture(picture, count, style, size=size, seed=seed, palette=palette)
        return len(log.strokes), log.replay()

    return paint


def _layered(picture: np.ndarray, count: int, seed: int) -> tuple[int, np.ndarray]:
    strokes, canvas = paint_layers(picture, count, np.random.default_rng(seed))
    return len(strokes.radius), canvas


def _relaxed(picture: np.ndarray, count: int, seed: int) -> tuple[int, np.ndarray]:
    return relax(picture, count, np.random.default_rng(seed))


def _climbed(picture: np.ndarray, marks: Sequence[int], seed: int) -> Iterator[Painted]:
    begun, rest = time.process_time(), set(marks)
    for count, canvas in climb(picture, max(marks), np.random.default_rng(seed)):
        if count in rest:
            yield Painted(count, count, canvas, time.process_time() - begun)


def _primitives(
    picture: np.ndarray, marks: Sequence[int], seed: int, *, mode: int
) -> Iterator[Painted]:
    """Run fogleman's primitive, with one worker; it is seeded by the clock.

    It tells the time since its start at each mark. That is of the wall, so it is brought to the
    seconds of its core by what both are at the end.
    """
    height, width = picture.shape[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.rint(picture.transpose(1, 2, 0)[:, :, ::-1] * 255).astype(np.uint8)
        cv2.imwrite(str(folder / "picture.png"), pixels)
        step = functools.reduce(np.gcd, marks)
        command = f"{PRIMITIVE} -v -i picture.png -o %d.png -n {max(marks)} -nth {step} -j 1"
        command += f" -m {mode} -r {max(height, width)} -s {max(height, width)}"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = [line.split(": t=") for line in run.stdout.splitlines() if ": t=" in line]
        wall = {int(number): float(rest.split(",")[0]) for number, rest in lines}
        if run.returncode != 0 or not set(marks) <= set(wall):
            last = (run.stderr.strip() or "it told no times").splitlines()[-1]
            raise OSError(f"{PRIMITIVE} ended with {run.returncode}: {last}")
        core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        for count in marks:
            image = np.asarray(cv2.imread(str(folder / f"{count}.png")))[:, :, ::-1].transpose(
                2, 0, 1
            )
            yield Painted(count, count, image / 255, wall[count] / wall[max(marks)] * core)


PAINTERS = {
    "photo": Painter("ours, photo", _STROKE, _timed(_planned("photo"))),
    "photo-12": Painter("ours, photo in 12 colours", _STROKE, _timed(_planned("photo", 12))),
    "gouache": Painter("ours, gouache", _STROKE, _timed(_planned("gouache"))),
    "hill-climbing": Painter("greedy hill climbing, our brush", _STROKE, _climbed),
    "hertzmann-1998": Painter("Hertzmann 1998, our brush", _STROKE, _timed(_layered)),
    "hertzmann-2001": Painter("Hertzmann 2001, our brush", _STROKE, _timed(_relaxed)),
    "triangles": Painter("primitive, triangles", _TRIANGLE, functools.partial(_primitives, mode=1)),
    "ellipses": Painter(
        "primitive, rotated ellipses", _ELLIPSE, functools.partial(_primitives, mode=7)
    ),
}
