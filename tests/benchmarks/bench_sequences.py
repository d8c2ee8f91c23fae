"""Sequences of strokes on one canvas: forward and back, against painting them one by one.

    make bench

On one thread; ratios to the time of stepping through torch stroke by stroke. Then what two threads
save, candidates a second, and what the canvas' size costs a small stroke. Writes
runs/bench/sequences.json.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import tyro

from strokenet_gym import (
    Brush,
    Stroke,
    best_colours,
    pack,
    paint_sequence,
    paint_sequence_vjp,
    unpack,
)
from strokenet_gym.kernels import threads
from strokenet_gym.programs.three_body import three_body_strokes

SOFT = Brush(pressure_opacity=1, edge=1, density=2, radius_min=0.002, radius_max=0.5)
BACKGROUND = 0.5


@dataclasses.dataclass
class Args:
    """Measure sequences."""

    sizes: tuple[int, ...] = (256, 512)
    """Canvas sizes in pixels."""
    counts: tuple[int, ...] = (100, 500)
    """Strokes in a sequence."""
    rounds: int = 3
    """The best of so many counts."""
    candidates: int = 1000
    """Strokes whose best colours are found in one call."""
    out: Path = Path("runs/bench/sequences.json")
    """Where to write the numbers."""


def strokes(count: int, size: int, broad: bool) -> np.ndarray:
    """Actions ``[1, N, A]``: radii of 10 to 60 px at 256 px, or of 1 to 3; 1 to 8 radii long."""
    rng = np.random.default_rng(0)
    stroke = three_body_strokes(rng, count, 3)
    low, high = (10 / 128, 60 / 128) if broad else (1 / 128, 3 / 128)
    radius = np.exp(rng.uniform(np.log(low), np.log(high), count))
    middle = stroke.position.mean(1, keepdims=True)
    extent = np.ptp(stroke.position, axis=1).max(1)
    length = radius * rng.uniform(1, 8, count) / extent
    place = rng.uniform(-1, 1, (count, 1, 2))
    position = (place + (stroke.position - middle) * length[:, None, None]).clip(-1, 1)
    stroke = stroke._replace(
        radius=radius, position=position, pressure=np.clip(stroke.pressure, 0.1, 1)
    )
    fields = (np.asarray(field, float) for field in stroke)
    return pack(Stroke(*fields), SOFT.radii).clip(-1, 1).astype(np.float32)[None]


def best(work: Callable[[], object], rounds: int) -> float:
    """Seconds, the best of some rounds after one to warm up."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def canvas_of(size: int) -> np.ndarray:
    return np.full((1, 3, size, size), BACKGROUND, np.float32)


def there_and_back(
    actions: np.ndarray, size: int, accuracy: str = "exact", brush: Brush = SOFT
) -> None:
    painted, back = paint_sequence_vjp(canvas_of(size), actions, brush, BACKGROUND, accuracy)
    back(np.ones_like(painted))


def rows(actions: np.ndarray, size: int) -> dict[str, Callable[[], object]]:
    canvas = canvas_of(size)

    def one_by_one() -> None:
        numbers, below = torch.from_numpy(actions).requires_grad_(), torch.from_numpy(canvas)
        for k in range(actions.shape[1]):
            stroke = unpack(numbers[:, k], 3, SOFT.radii)
            below, _ = SOFT.paint_tensors(below, below.detach(), stroke, BACKGROUND)
        below.sum().backward()

    return {
        "one by one through torch": one_by_one,
        "exact": lambda: there_and_back(actions, size),
        "draft": lambda: there_and_back(actions, size, "draft"),
        "exact, forward": lambda: paint_sequence(canvas, actions, SOFT, BACKGROUND),
        "draft, forward": lambda: paint_sequence(canvas, actions, SOFT, BACKGROUND, "draft"),
    }


def two_threads(actions: np.ndarray, size: int, rounds: int) -> float:
    """Seconds there and back over one canvas by two threads, times those by one."""
    seconds = []
    for count in (1, 2):
        threads.THREADS = count
        seconds.append(best(lambda: there_and_back(actions, size), rounds))
    threads.THREADS = 1
    return seconds[1] / seconds[0]


def candidate_rate(actions: np.ndarray, size: int, accuracy: str, rounds: int) -> float:
    """Candidates a second that :func:`best_colours` scores, on one thread."""
    canvas = canvas_of(size)[0]
    target = np.random.default_rng(1).random(canvas.shape, np.float32)
    seconds = best(lambda: best_colours(canvas, target, actions[0], SOFT, accuracy), rounds)
    return actions.shape[1] / seconds


def small_stroke_back(count: int, rounds: int, canvas: bool) -> float:
    """Seconds of the way back through small strokes on 1024 px, times those on 256 px.

    They have the same pixels on both: about 80 x 80, all in one place.

    Args:
        count: how many.
        rounds: the best of so many counts.
        canvas: whether the derivative by the canvas is wanted, too, which has as many pixels.
    """
    seconds = []
    for size in (256, 1024):
        stroke = unpack(strokes(1, size, broad=False)[0], 3, SOFT.radii)
        place = stroke.position - stroke.position.mean(1, keepdims=True)
        place *= 80 / size / np.ptp(place, axis=1).max()
        stroke = stroke._replace(position=place, radius=np.full(1, 6 / size))
        actions = pack(stroke, SOFT.radii).astype(np.float32)[None].repeat(count, 1)
        painted, back = paint_sequence_vjp(canvas_of(size), actions, SOFT, BACKGROUND)
        by_painted = np.ones_like(painted)
        seconds.append(best(lambda: back(by_painted, canvas), rounds))  # noqa: B023
    return seconds[1] / seconds[0]


def main(args: Args) -> None:
    threads.THREADS = 1
    torch.set_num_threads(1)
    result: dict = {}
    print("Sequences on one canvas, RGB, one thread: milliseconds, and the share of one by one\n")
    for size in args.sizes:
        for count in args.counts:
            for broad in (True, False):
                name = f"{count} {'broad' if broad else 'thin'}, {size} px"
                seconds = {
                    row: best(work, args.rounds)
                    for row, work in rows(strokes(count, size, broad), size).items()
                }
                slowest = seconds["one by one through torch"]
                result[name] = {row: {"ms": 1e3 * s, "ratio": s / slowest} for row, s in
                                seconds.items()}  # fmt: skip
                cells = [f"{row} {1e3 * s:.0f} ({s / slowest:.2f})" for row, s in seconds.items()]
                print(f"{name:24}" + "   ".join(cells), flush=True)
    result["two threads over one"], result["candidates a second"] = {}, {}
    for size in args.sizes:
        for broad in (True, False):
            name = f"{'broad' if broad else 'thin'}, {size} px"
            ratio = two_threads(strokes(max(args.counts), size, broad), size, args.rounds)
            result["two threads over one"][name] = ratio
            tried = strokes(args.candidates, size, broad)
            rates = {a: candidate_rate(tried, size, a, args.rounds) for a in ("exact", "draft")}
            result["candidates a second"][name] = rates
            cells = [f"{accuracy} {rate:,.0f}" for accuracy, rate in rates.items()]
            print(f"{name:16}two threads over one {ratio:.2f}   candidates a second, one thread: ",
                  "   ".join(cells), flush=True)  # fmt: skip
    for canvas, what in ((False, "to the strokes"), (True, "to strokes and canvas")):
        ratio = small_stroke_back(100, args.rounds, canvas)
        result[f"small strokes back {what}, 1024 px over 256 px"] = ratio
        print(f"The way back {what} of 100 small ones costs {ratio:.2f} on 1024 px over 256 px")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory of all of this: {peak:.0f} MB")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main(tyro.cli(Args))
