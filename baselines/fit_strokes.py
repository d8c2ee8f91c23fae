"""Fit strokes by gradient descent through some programs, and see what they leave on the brush.

    python baselines/fit_strokes.py --brush mypaint:classic/charcoal --through twin pencil marker

How much a learned imitation of a black box is worth: without one, there is only the gradient of
another program.
"""

from __future__ import annotations

from strokenet_gym.command import one_line_errors, require_all

require_all()

import dataclasses
import json
from pathlib import Path

import numpy as np
from harness.fitting import fit, paint, refine
from harness.measures import picture_grid
from harness.task import Task, check_positive

from strokenet_gym import pack, unpack

TWIN = "twin"


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
    tries: int = 0
    """Then so many small changes of each at random, kept where the brush itself comes closer."""
    out: Path | None = None
    """Write the result as JSON."""
    figure: Path | None = None
    """Write a grid of the first 12: target above what the strokes through each leave."""


def main(args: Args) -> None:
    check_positive(args, "count", "steps")
    if args.tries < 0:
        raise ValueError(f"--tries must be 0 or more, got {args.tries}")
    targets, _ = args.test_targets(limit=args.count)
    result: dict[str, dict[str, float]] = {}
    rows: list[np.ndarray] = []
    print("| through | residual there | on the brush |\n|---|---|---|")
    for name in args.through:
        twin = name == TWIN
        other = args if twin else dataclasses.replace(args, brush=name)
        env_id = "NeuralPainting-v0" if twin else "DifferentiablePainting-v0"
        options = {"generator": args.generator, "device": "cpu"} if twin else {}
        actions, _ = fit(other, targets, env_id, args.steps, **options)
        for tries in (0, args.tries) if args.tries else (0,):
            own = _repacked(actions, other, args)
            if tries:
                own = refine(args, targets, own, tries)
                actions = _repacked(own, args, other)
            there, _ = paint(other, targets, actions, env_id, **options)
            here, seen = paint(args, targets, own)
            label = f"{name}, {tries} tries" if tries else name
            result[label] = {"there": float(there.mean()), "here": float(here.mean())}
            print(f"| {label} | {there.mean():.4f} | {here.mean():.4f} |", flush=True)
            rows += [seen["canvas"][:12]] if rows else [seen["target"][:12], seen["canvas"][:12]]
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=2) + "\n")
    if args.figure is not None:
        picture_grid(rows, args.figure, 12)


def _repacked(actions: np.ndarray, task: Task, other: Task) -> np.ndarray:
    """Actions of a task as those of another, whose brush has other radii."""
    stroke = unpack(actions, task.num_channels, task.program.radii)
    return pack(stroke, other.program.radii).astype(np.float32)


if __name__ == "__main__":
    with one_line_errors():
        main(Args.from_command_line())
