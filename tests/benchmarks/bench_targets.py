"""One-stroke episodes with autoreset against endless ones: what a new target costs.

    make bench

Batches of 64 on 128 px, three-body strokes; ratios to endless episodes with as many threads. Rounds
of all rows take turns, and each round has its ratios, of which the median counts: a machine has
better and worse moments. Writes runs/bench/targets.json.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro

import strokenet_gym  # noqa: F401
from strokenet_gym.kernels import threads
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.stroke import Stroke, pack

BATCH = 64
ENDLESS = 2**20  # strokes in an episode, so that none ends


@dataclasses.dataclass
class Args:
    """Measure episodes of one stroke."""

    data_dir: Path = Path("../shared/data")
    """Folder with the data sets; without it, glyphs alone."""
    targets: tuple[str, ...] = ("glyphs", "mnist", "kanjivg")
    """What is painted."""
    steps: int = 20
    """Steps in a round."""
    rounds: int = 40
    """The median of so many counts."""
    out: Path = Path("runs/bench/targets.json")
    """Where to write the numbers."""


def environment(args: Args, targets: str, max_strokes: int) -> Any:
    envs = gym.make_vec(
        "Painting-v0",
        num_envs=BATCH,
        targets=targets,
        data_dir=args.data_dir,
        max_strokes=max_strokes,
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
    )
    envs.reset(seed=0)
    return envs


def measure(args: Args, targets: list[str], actions: np.ndarray) -> dict[str, np.ndarray]:
    """Microseconds that a stroke of each row takes, new targets included, in each round."""
    rows = {"endless": environment(args, "glyphs", ENDLESS)}
    rows |= {name: environment(args, name, 1) for name in targets}
    for envs in rows.values():
        for _ in range(100):  # until most of what is prepared once is there
            envs.step(actions)
    each: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(args.rounds):
        for name, envs in rows.items():
            start = time.perf_counter()
            for _ in range(args.steps):
                envs.step(actions)
            seconds = time.perf_counter() - start
            each[name].append(1e6 * seconds / (BATCH * args.steps))
    return {name: np.array(rounds) for name, rounds in each.items()}


def main(args: Args) -> None:
    targets = [name for name in args.targets if name == "glyphs" or args.data_dir.is_dir()]
    stroke = three_body_strokes(np.random.default_rng(0), BATCH)
    actions = pack(Stroke(*(field.astype(np.float32) for field in stroke)))
    result: dict = {}
    for count in sorted({1, threads.available_cores()}):
        threads.THREADS = count
        measured = measure(args, targets, actions)
        endless = measured["endless"]
        stroke_us = float(np.median(endless))
        print(f"\nEpisodes of one stroke, {count} threads: a stroke takes {stroke_us:.1f} µs\n")
        result[str(count)] = {}
        for name, each in measured.items():
            times = float(np.median(each / endless))
            row = {
                "strokes a second": 1e6 / float(np.median(each)),
                "ratio to endless": 1 / times,
                "µs a new target": (times - 1) * stroke_us,
                "strokes a new target": times - 1,
            }
            result[str(count)][name] = row
            print(
                f"{name:10} {row['strokes a second']:10,.0f} a second, "
                f"{row['ratio to endless']:5.2f} of endless; a new target takes "
                f"{row['µs a new target']:5.1f} µs, {row['strokes a new target']:4.2f} strokes",
                flush=True,
            )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main(tyro.cli(Args))
