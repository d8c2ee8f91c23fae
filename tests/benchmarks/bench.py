"""Strokes a second, all in one run: OpenCV stamps, the painting program, environments, network.

    make bench

Machines are noisy: read the ratios. Each number is the best of several rounds. Writes
runs/bench/bench.json.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import gymnasium as gym
import numpy as np
import torch
import tyro
from gymnasium.vector import SyncVectorEnv
from numba import njit

import strokenet_gym  # noqa: F401
from baselines.harness.stroke_samples import agent_strokes
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs import Program
from strokenet_gym.programs.learned import load_generator
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.programs.stamped.numbers import EXACT
from strokenet_gym.programs.stamped.path import ENDS, new_path, trace_stroke
from strokenet_gym.programs.stamped.runs import fill_run, new_run, next_run, run_columns, run_rows
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.stroke import Stroke, pack

BATCH = 64
PENCIL = BRUSHES["pencil"]
ENDLESS = 2**20  # strokes in an episode, so that none ends


@dataclasses.dataclass
class Args:
    """Measure strokes a second."""

    sizes: tuple[int, ...] = (64, 128, 256, 512)
    """Canvas sizes in pixels."""
    seconds: float = 0.2
    """Length of a round; the best of three counts."""
    out: Path = Path("runs/bench/bench.json")
    """Where to write the numbers."""


def rate(work: Callable[[], object], strokes: int, seconds: float) -> float:
    """Strokes a second: the best of three rounds."""
    work()
    best = 0.0
    for _ in range(3):
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            work()
            count += strokes
        best = max(best, count / elapsed)
    return best


def stamps_of(stroke: Stroke, size: int) -> list[list[tuple[tuple[int, int], int, float]]]:
    """For each stroke its stamps, an eighth of a radius apart: centre, radius, strength."""
    fine, result = EXACT._replace(spacing=0.01, most=0.02), []
    stroke = Stroke(*(np.asarray(field, float) for field in stroke))
    for b in range(len(stroke.radius)):
        numbers = stroke, b, PENCIL.numbers, fine, (size, size), 0, size
        path, count = trace_stroke(new_path(16), *numbers)
        # In the path's order: the two whole ones at its ends come first in the table.
        first, last, rest = np.split(path.stamps[:count], [1, ENDS])
        table = np.concatenate([first, rest, last])
        # The weights count stamps: take one whenever their sum passes a whole number.
        chosen = np.flatnonzero(np.diff(np.floor(np.cumsum(table["weight"])), prepend=0) > 0)
        result.append([
            ((round(stamp.x), round(stamp.y)), max(1, round(stamp.radius)), stamp.strength)
            for stamp in table[chosen].view(np.recarray)
        ])  # fmt: skip
    return result


def opencv_painter(stroke: Stroke, size: int) -> Callable[[], None]:
    """One filled circle for each stamp: what the program would cost with OpenCV."""
    stamps = stamps_of(stroke, size)

    def work() -> None:
        for one in stamps:
            canvas = np.zeros((size, size), np.uint8)
            for centre, radius, strength in one:
                cv2.circle(canvas, centre, radius, 255 * strength, -1)

    return work


def hundred_circles(size: int) -> Callable[[], None]:
    """Strokes as in LearningToPaint: 100 circles on a quadratic curve, at twice the size.

    As in its stroke_gen.py, points are uniformly random with the middle one between the ends,
    radii go up to half the size, and the float canvas is then reduced.
    """
    large = 2 * size
    rng = np.random.default_rng(0)
    t = np.arange(100)[:, None, None] / 100
    points = rng.uniform(0, large, (3, BATCH, 2))
    points[1] = points[0] + (points[2] - points[0]) * points[1] / large
    curve = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
    ends = 1 + rng.uniform(0, size / 2, (2, BATCH))
    radii = ((1 - t[:, :, 0]) * ends[0] + t[:, :, 0] * ends[1]).astype(int)

    def work() -> None:
        for b in range(BATCH):
            canvas = np.zeros((large, large), np.float32)
            for (x, y), radius in zip(curve[:, b].astype(int).tolist(), radii[:, b], strict=True):
                cv2.circle(canvas, (x, y), int(radius), 1.0, -1)
            cv2.resize(canvas, (size, size))

    return work


def forward_and_backward(generator: Program, stroke: Stroke, size: int) -> Callable[[], None]:
    tensors = Stroke(*(torch.from_numpy(f.astype(np.float32)).requires_grad_() for f in stroke))
    blank, target = torch.zeros(len(stroke.radius), 1, size, size), torch.rand(1, 1, size, size)
    target = target.expand_as(blank).contiguous()

    def work() -> None:
        _, change = generator.paint_tensors(blank, target, tensors)
        change[:, 0].sum().backward()

    return work


def forward(generator: Program, stroke: Stroke, size: int) -> Callable[[], None]:
    tensors = Stroke(*(torch.from_numpy(f.astype(np.float32)) for f in stroke))
    blank = torch.zeros(len(stroke.radius), 1, size, size)

    def work() -> None:
        with torch.no_grad():
            generator.paint_tensors(blank, blank, tensors)

    return work


def kernel(stroke: Stroke, size: int, brush: Program = PENCIL) -> Callable[[], None]:
    """The painting program as the environment calls it: one call paints the batch."""
    shape = (len(stroke.radius), 1, size, size)
    canvas, pixels = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    target = np.zeros(shape, np.float32)

    def work() -> None:
        brush.composite(canvas, target, stroke, pixels=pixels)

    return work


def one_by_one(stroke: Stroke, size: int) -> Callable[[], None]:
    singles = [
        kernel(Stroke(*(f[i : i + 1] for f in stroke)), size) for i in range(len(stroke.radius))
    ]

    def work() -> None:
        for single in singles:
            single()

    return work


def environments(stroke: Stroke, size: int) -> dict[str, Callable[[], object]]:
    actions = pack(Stroke(*(f.astype(np.float32) for f in stroke)))
    settings = {"canvas_size": size, "max_strokes": ENDLESS}
    single = gym.make("Painting-v0", **settings)
    single.reset(seed=0)
    batched = gym.make_vec("Painting-v0", num_envs=BATCH, **settings)
    batched.reset(seed=0)
    sync = SyncVectorEnv([lambda: gym.make("Painting-v0", **settings)] * BATCH)
    sync.reset(seed=0)
    adapter = SB3VecEnv("Painting-v0", BATCH, **settings)
    adapter.reset()
    return {
        "Painting-v0.step": lambda: [single.step(a) for a in actions],
        "vector environment of 64": lambda: batched.step(actions),
        "SB3VecEnv of 64": lambda: adapter.step(actions),
        "SyncVectorEnv of 64": lambda: sync.step(actions),
    }


def rows(name: str, stroke: Stroke, size: int, compact: Program) -> dict[str, Callable]:
    """What is measured for one kind of strokes at one size."""
    work: dict[str, Callable] = {"cv2.circle for each stamp": opencv_painter(stroke, size)}
    if name == "three_body":
        work["100 circles, as LearningToPaint"] = hundred_circles(size)
    work["program, one at a time"] = one_by_one(stroke, size)
    work["program, batch of 64, 1 thread"] = kernel(stroke, size)
    work["program, batch of 64"] = kernel(stroke, size)
    work |= environments(stroke, size)
    work["exact, forward"] = forward(PENCIL, stroke, size)
    work["exact, forward and backward"] = forward_and_backward(PENCIL, stroke, size)
    if size <= 256:
        work["network, forward"] = forward(compact, stroke, size)
        work["network, forward and backward"] = forward_and_backward(compact, stroke, size)
    return work


def small_stroke(size: int) -> Callable[[], None]:
    """One stroke of 80 x 60 pixels in the middle of the canvas, whatever its size."""
    (stroke,) = [three_body_strokes(np.random.default_rng(3), 1)]
    x, y = stroke.position[..., 0], stroke.position[..., 1]
    position = np.stack([80 / size * x / np.abs(x).max(), 60 / size * y / np.abs(y).max()], -1)
    return kernel(stroke._replace(position=position, radius=np.full(1, 6 / size)), size)


def start_up() -> dict[str, float]:
    """Seconds that a new interpreter needs, with compiled kernels on disk; the best of three."""
    first_step = (
        "import gymnasium as gym, strokenet_gym; env = gym.make('Painting-v0');"
        "env.reset(seed=0); env.step(env.action_space.sample())"
    )
    result = {}
    for name, code in {
        "python": "pass",
        "import gymnasium": "import gymnasium",
        "import strokenet_gym": "import strokenet_gym",
        "import, make, reset, step": first_step,
    }.items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        result[name] = min(times)
    return result


@njit
def trace_all(strokes, brush, accuracy, size):
    """Trace strokes; return how many stamps they have."""
    path, total = new_path(strokes.position.shape[1]), 0
    for b in range(len(strokes.radius)):
        path, count = trace_stroke(path, strokes, b, brush, accuracy, (size, size), 0, size)
        total += count
    return total


@njit
def count_visits(strokes, brush, accuracy, size):
    """How many runs the strokes' stamps form, and how many cells those visit."""
    path, run = new_path(strokes.position.shape[1]), new_run(np.empty(0, np.float32))
    runs, cells = 0, 0
    for b in range(len(strokes.radius)):
        path, count = trace_stroke(path, strokes, b, brush, accuracy, (size, size), 0, size)
        start = 0
        while start < count:
            stop = next_run(path.stamps, start, count, accuracy.weight_ratio)
            extent = fill_run(run, path.stamps, start, stop, brush.edge, path.box)
            if extent.weight > 0.0:
                runs += 1
                first, last = run_rows(extent, path.box)
                for row in range(first, last):
                    left, right = run_columns(extent, path.box, row)
                    if left < right:
                        cells += (right - 1) // LANES - left // LANES + 1
            start = stop
    return runs, cells


def costs(stroke: Stroke, size: int, seconds: float) -> dict[str, float]:
    """Where the time of a stroke goes, in microseconds on one thread, and what it visits.

    Stamping is all between path and opacity map: gathering runs, stamping them, ink to opacity.
    """
    threads.THREADS = 1
    stroke = Stroke(*(np.asarray(field, float) for field in stroke))
    numbers = stroke, PENCIL.numbers, EXACT, size
    stamps, (runs, cells) = trace_all(*numbers), count_visits(*numbers)
    path = 1e6 / rate(lambda: trace_all(*numbers), BATCH, seconds)
    painted = 1e6 / rate(kernel(stroke, size), BATCH, seconds)
    return {
        "path": path,
        "pixels": painted - path,
        "stamps": stamps / BATCH,
        "runs": runs / BATCH,
        "cells": cells / BATCH,
        "ns a cell": 1e3 * (painted - path) * BATCH / cells,
    }


def peak_memory(size: int) -> float:
    """Megabytes that the first exact forward and backward pass of a batch of 64 adds."""
    few, many = (three_body_strokes(np.random.default_rng(0), n) for n in (2, BATCH))
    forward_and_backward(PENCIL, few, size)()  # compiles, starts threads
    work = forward_and_backward(PENCIL, many, size)  # its canvas and target do not count
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before


def memory(kind: str) -> float:
    """Memory of this process in MB, now (VmRSS) or at its peak (VmHWM); Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {kind} in /proc/self/status")


def main(args: Args) -> None:
    result: dict = {"peak_memory_mb": {"exact, forward and backward, 256 px": peak_memory(256)}}
    result["costs"] = {}
    compact = load_generator("compact")
    kinds = {
        "three_body": three_body_strokes(np.random.default_rng(0), BATCH),
        "uniform": uniform_strokes(np.random.default_rng(0), BATCH),
        "agent": agent_strokes(np.random.default_rng(0), BATCH, ("mnist",)),
    }
    for name, stroke in kinds.items():
        result[name] = {}
        for size in args.sizes:
            rates = {}
            for row, work in rows(name, stroke, size, compact).items():
                threads.THREADS = 1 if "1 thread" in row else threads.available_cores()
                rates[row] = rate(work, BATCH, args.seconds)
            result[name][str(size)] = rates
            result["costs"][f"{name}, {size} px"] = costs(stroke, size, args.seconds)
        print(f"\n{name} strokes a second, and times one cv2.circle for each stamp\n")
        print(f"{'':34}" + "".join(f"{size:>11} px    " for size in args.sizes))
        columns = list(result[name].values())
        for row in columns[0]:
            cells = [
                f"{c[row]:11,.0f} {c[row] / next(iter(c.values())):6.2f}" if row in c else " " * 18
                for c in columns
            ]
            print(f"{row:34}" + "".join(cells), flush=True)
    threads.THREADS = threads.available_cores()
    result["brushes"] = {
        name: rate(kernel(kinds["three_body"], 128, brush), BATCH, args.seconds)
        for name, brush in BRUSHES.items()
    }
    threads.THREADS = 1
    small = {size: rate(small_stroke(size), 1, args.seconds) for size in (256, 1024)}
    threads.THREADS = threads.available_cores()
    result["small stroke, 1024 px over 256 px"] = small[256] / small[1024]
    result["start-up"] = start_up()
    print("\nWhere a stroke's time goes, one thread, microseconds\n")
    print(f"{'':20}" + "".join(f"{name:>12}" for name in next(iter(result["costs"].values()))))
    for what, cost in result["costs"].items():
        print(f"{what:20}" + "".join(f"{value:12.1f}" for value in cost.values()))
    print("\nBrushes, three_body strokes a second at 128 px:", end="")
    print("".join(f"  {name} {rate:,.0f}" for name, rate in result["brushes"].items()))
    print("\nA new interpreter, seconds:", end="")
    print("".join(f"  {what} {seconds:.2f}" for what, seconds in result["start-up"].items()))
    ratio = result["small stroke, 1024 px over 256 px"]
    print(f"A small stroke on 1024 px costs {ratio:.2f} times one on 256 px")
    for what, megabytes in result["peak_memory_mb"].items():
        print(f"{what}: {megabytes:.0f} MB at the peak")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main(tyro.cli(Args))
