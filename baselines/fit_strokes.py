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
from typing import Any

import numpy as np
from harness.fitting import fit, paint
from harness.measures import picture_grid
from harness.task import Task, check_positive

from strokenet_gym import pack, unpack
from strokenet_gym.files import check_distinct, write_text

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
    check_positive(args, "count", "steps")
    check_distinct({"--out": args.out, "--figure": args.figure}, {"--brush": args.brush})
    targets, _ = args.test_targets(limit=args.count)
    result: dict[str, dict[str, float]] = {}
    rows: list[np.ndarray] = []
    print("| through | residual there | on the brush |\n|---|---|---|")
    for name in args.through:
        if name == TWIN:
            program, env_id = args, "NeuralPainting-v0"
            options: dict[str, Any] = {"generator": args.generator, "device": "cpu"}
        else:
            program, env_id = dataclasses.replace(args, brush=name), "DifferentiablePainting-v0"
            options = {}
        fitted = fit(program, targets, env_id, args.steps, **options)
        there, view = paint(program, targets, fitted, env_id, **options)
        stroke = unpack(fitted, args.num_channels, program.program.radii)
        actions = pack(stroke, args.program.radii).astype(np.float32)
        here, seen = paint(args, targets, actions)
        result[name] = {"there": float(there.mean()), "here": float(here.mean())}
        print(f"| {name} | {there.mean():.4f} | {here.mean():.4f} |", flush=True)
        rows = rows or [c[:SHOWN] for c in (seen["target"], view["canvas"], seen["canvas"])]
    if args.out is not None:
        write_text(args.out, json.dumps(result, indent=2) + "\n")
    if args.figure is not None:
        picture_grid(rows, args.figure, SHOWN)


if __name__ == "__main__":
    with one_line_errors():
        main(Args.from_command_line())
