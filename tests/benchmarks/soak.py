"""A million random strokes through the batched environment: nothing may grow or go wrong.

make soak
"""

from __future__ import annotations

import dataclasses
import resource

import gymnasium as gym
import numpy as np
import tyro
from tqdm import tqdm

import strokenet_gym  # noqa: F401


@dataclasses.dataclass
class Args:
    """Paint random strokes and watch memory, canvases and rewards."""

    strokes: int = 1_000_000
    """How many."""
    canvas_size: int = 64
    """Width and height of the canvas in pixels."""
    num_envs: int = 64
    """Sub-environments."""


def resident() -> float:
    """Memory in use now, MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main(args: Args) -> None:
    envs = gym.make_vec(
        "Painting-v0", num_envs=args.num_envs, canvas_size=args.canvas_size, max_strokes=50
    )
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    start = 0.0
    rounds = args.strokes // args.num_envs
    for k in tqdm(range(rounds)):
        actions = rng.uniform(-1.2, 1.2, envs.action_space.shape).astype(np.float32)
        _, reward, _, _, info = envs.step(actions)
        canvas = envs.unwrapped._episodes.pictures.canvas
        if not (canvas.min() >= 0 and canvas.max() <= 1):  # also catches NaN
            raise SystemExit(f"a canvas left [0, 1] after {k * args.num_envs} strokes")
        if not (np.isfinite(reward).all() and np.isfinite(info["l2"]).all()):
            raise SystemExit(f"a reward is not finite after {k * args.num_envs} strokes")
        if k == rounds // 10:
            start = resident()
    grown = resident() - start
    print(f"{rounds * args.num_envs} strokes; memory grew by {grown:.1f} MB after the first tenth")
    if grown > 20:
        raise SystemExit("memory is not flat")


if __name__ == "__main__":
    main(tyro.cli(Args))
