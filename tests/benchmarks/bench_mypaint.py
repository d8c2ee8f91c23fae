"""Strokes a second of MyPaint's brushes on one thread, and what two threads gain.

    make bench

Three-body strokes through the batched environment, 128 px, in one run; rounds take turns and the
best of each counts. Writes runs/bench/mypaint.json.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import tyro

from strokenet_gym import Stroke, load_program, pack
from strokenet_gym.kernels import threads
from strokenet_gym.programs.three_body import three_body_strokes


@dataclasses.dataclass
class Args:
    """Measure MyPaint's brushes."""

    brushes: tuple[str, ...] = ("classic/pencil", "classic/charcoal", "deevad/airbrush")
    """Names of installed ones."""
    batch: int = 64
    """Canvases that are painted side by side."""
    rounds: int = 20
    """The best of so many counts."""
    out: Path = Path("runs/bench/mypaint.json")
    """Where to write the numbers."""


def main(args: Args) -> None:
    found = {}
    print("| brush | strokes/s, 1 thread | 2 threads | ratio |\n|---|---|---|---|")
    for name in args.brushes:
        envs = gym.make_vec(
            "Painting-v0", num_envs=args.batch, brush=f"mypaint:{name}", max_strokes=2**20
        )
        envs.reset(seed=0)
        stroke = three_body_strokes(np.random.default_rng(0), args.batch)
        radii = load_program(f"mypaint:{name}").radii
        actions = pack(Stroke(*(np.asarray(f, float) for f in stroke)), radii).astype(np.float32)
        rates = {1: 0.0, 2: 0.0}
        for _ in range(args.rounds):
            for threads.THREADS in rates:
                start = time.perf_counter()
                envs.step(actions.clip(-1, 1))
                rate = args.batch / (time.perf_counter() - start)
                rates[threads.THREADS] = max(rates[threads.THREADS], rate)
        found[name] = rates
        ratio = rates[2] / rates[1]
        print(f"| {name} | {rates[1]:.0f} | {rates[2]:.0f} | {ratio:.2f} |", flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Args))
