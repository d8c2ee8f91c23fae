"""Fit strokes by gradient descent through some programs, and see what they leave on the brush.

    python -m baselines.fit_strokes --brush mypaint:classic/charcoal --through twin pencil marker

How much a learned imitation of a black box is worth: without one, there is only the gradient of
another program.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym import pack, unpack
from strokenet_gym.command import run_command
from strokenet_gym.files import check_distinct, write_text

from .harness.fitting import fit
from .harness.measures import picture_grid
from .harness.scoring import rollout
from .harness.task import Task

TWIN = "twin"
SHOWN = 8  # pictures in the figure


@dataclasses.dataclass(kw_only=True)
class Args(Task):
    """Fit strokes through programs, and paint them with the brush."""

    through: tuple[str, ...] = (TWIN,)
    """Programs with an exact gradient, as --brush names them; twin is the network that imitates the
    brush."""
    generator: str | None = None
    """The twin: the name of a shipped one, or a path; by default the brush's own."""
    count: int = 100
    """Test targets."""
    steps: int = 400
    """Steps of gradient descent."""
    out: Path | None = None
    """Write the result as JSON."""
    figure: Path | None = None
    """Write a grid of eight: targets, what the first of --through sees of their strokes, and what
    the brush paints of these."""


def main(args: Args) -> None:
    args.prepare("count", "steps")
    check_distinct({"--out": args.out, "--figure": args.figure}, {"--brush": args.brush})
    targets, _ = args.test_targets(limit=args.count)
    result: dict[str, dict[str, float]] = {}
    rows: list[np.ndarray] = []
    print("| through | residual there | on the brush |\n|---|---|---|")
    for name in args.through:
        if name == TWIN:
            program, env_id = Task.of(vars(args)), "NeuralPainting-v0"
            options: dict[str, Any] = {"generator": args.generator, "device": "cpu"}
        else:
            program = Task.of(vars(args) | {"brush": name})
            env_id = "DifferentiablePainting-v0"
            options = {}
        fitted = fit(program, targets, env_id, args.steps, **options)
        there = rollout(program, fitted, targets, env_id, **options)
        stroke = unpack(fitted, args.num_channels, program.program.radii)
        actions = pack(stroke, args.program.radii).astype(np.float32)
        here = rollout(args, actions, targets)
        painted = {"there": there, "here": here}
        result[name] = {where: float(p["residual"].mean()) for where, p in painted.items()}
        print("| {} | {there:.4f} | {here:.4f} |".format(name, **result[name]), flush=True)
        rows = rows or [c[:SHOWN] for c in (here["target"], there["canvas"], here["canvas"])]
    if args.out is not None:
        write_text(args.out, json.dumps(result, indent=2) + "\n")
    if args.figure is not None:
        picture_grid(rows, args.figure, SHOWN)


if __name__ == "__main__":
    run_command(main)
