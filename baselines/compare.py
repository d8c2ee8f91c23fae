"""Train several methods for the same time on the same task, and say how they compare.

    python -m baselines.compare --targets mnist --data-dir DIR --minutes 6 --seeds 3

One method at a time, so that none steals another's cores. All are scored on the same test targets
on the real program, beside the blank canvas, a random agent, and what the planner reaches, which
descends the gradient for the strokes of each target. Interrupted, the same command goes on. Writes
report.json, report.md, curves.png and paintings.png to the output folder.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from strokenet_gym import Brush, PlannerAgent
from strokenet_gym.command import run_command
from strokenet_gym.files import user_path, write_text
from strokenet_gym.programs.learned import twin_of

from .harness.fitting import fit
from .harness.own_files import keep_settings
from .harness.report import draw_curves, draw_paintings, summarise, table
from .harness.run import lock
from .harness.scoring import SCORES, rollout
from .harness.task import Task
from .methods import METHODS


@dataclasses.dataclass(kw_only=True)
class Args(Task):
    """Compare methods after equal training time."""

    out: Path | None = None
    """Output folder (runs/compare-TARGETS-STROKES-BRUSH); one that is half done is gone on with."""
    minutes: float = 15.0
    """Training time of each method and seed."""
    updates: int | None = None
    """Updates of each method and seed, instead of a time."""
    score_limit: int | None = None
    """Test targets to score with, as in training."""
    seeds: int = 3
    """Runs of each method."""
    methods: tuple[str, ...] | None = None
    """Which methods; by default all that the brush allows: neural, exact, ppo, sac."""
    planned: int = 100
    """Test targets that the planner paints, for what can be reached."""


def settings_of(args: Args) -> dict[str, Any]:
    """What all runs of a comparison must have in common."""
    own = {name: getattr(args, name) for name in ("minutes", "updates", "score_limit")}
    return {**own, "threads": torch.get_num_threads(), **args.settings()}


def train(args: Args, folder: Path, name: str, seed: int) -> None:
    """Train and score one method, unless that is done already."""
    if (folder / SCORES).exists():
        return
    print(f"{name}, seed {seed}: {METHODS[name].label}", flush=True)
    every = max(2.0, args.minutes * 60 / 15)
    METHODS[name].train(
        args, folder, seed=seed, minutes=args.minutes, updates=args.updates,
        score_limit=args.score_limit, evaluate_every=every,
    )  # fmt: skip


def optimum(args: Args) -> float | None:
    """The residual that can be reached, target by target.

    By the planner with its kind of brush, else by gradient descent through the program's own
    gradient, or through the network that imitates it, painted by the real one then; None if there
    is none of these.
    """
    targets, _ = args.test_targets(limit=args.planned)
    policy: Any
    if isinstance(args.program, Brush):
        policy = PlannerAgent(args.program, args.max_strokes).act
    elif args.program.gradient == "exact":
        policy = fit(args, targets, "DifferentiablePainting-v0")
    elif twin_of(args.program) is not None:
        policy = fit(args, targets, "NeuralPainting-v0", device="cpu")
    else:
        return None
    return float(rollout(args, policy, targets)["residual"].mean())


def choose_methods(args: Args) -> list[str]:
    """The methods that were asked for, or all that the brush allows."""
    exact = args.program.gradient == "exact"
    has = {"twin": twin_of(args.program) is not None, "exact": exact, None: True}
    allowed = [name for name, method in METHODS.items() if has[method.needs]]
    chosen = allowed if args.methods is None else list(args.methods)
    if not chosen or set(chosen) - set(allowed):
        raise ValueError(
            f"--methods must be of {', '.join(allowed)} with --brush {args.brush}, got "
            f"{', '.join(chosen)}"
        )
    return chosen


def main(args: Args) -> None:
    args.prepare("minutes", "updates", "score_limit", "seeds", "planned")
    methods = choose_methods(args)
    brush = "" if args.brush == "pencil" else f"-{Path(args.brush).name}"
    name = f"compare-{Path(args.targets).name}-{args.max_strokes}{brush}"
    out = user_path(args.out or Path("runs") / name)
    out.mkdir(parents=True, exist_ok=True)
    with lock(out):
        settings = settings_of(args)
        keep_settings(out / "settings.json", "a comparison", settings)
        folders = {name: [out / f"{name}-{k}" for k in range(args.seeds)] for name in methods}
        for seed in range(args.seeds):
            for name in methods:
                train(args, folders[name][seed], name, seed)
        about = {name: METHODS[name].about(settings["brush"]) for name in methods}
        report = summarise(settings, about, folders, optimum(args))
        write_text(out / "report.json", json.dumps(report, indent=2) + "\n")
        write_text(out / "report.md", table(report) + "\n")
        draw_curves(report, out / "curves.png")
        draw_paintings(folders, out / "paintings.png")
    print(table(report))
    print(f"\nWrote report.json, report.md, curves.png and paintings.png to {out}")


if __name__ == "__main__":
    run_command(main)
