"""Train several methods for the same time on the same task, and say how they compare.

    python baselines/compare.py --targets mnist --data-dir DIR --minutes 6 --seeds 3

One method at a time, so that none steals another's cores. All are scored on the same test targets
on the real program, beside the blank canvas, a random agent, and what the planner reaches, which
descends the gradient for the strokes of each target. Interrupted, the same command goes on. Writes
report.json, report.md, curves.png and paintings.png to the output folder.
"""

from __future__ import annotations

from strokenet_gym.command import one_line_errors, require_all

require_all()

import ctypes
import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from harness.fitting import fit, paint
from harness.methods import METHODS
from harness.own_files import read_own
from harness.report import draw_curves, draw_paintings, summarise, table
from harness.run import lock
from harness.scoring import SCORES, rollout
from harness.task import Task, check_positive

from strokenet_gym import Brush, PlannerAgent
from strokenet_gym.files import write_text
from strokenet_gym.programs.learned import twin_of
from strokenet_gym.reading import shown

HERE = Path(__file__).parent
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


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


def check_settings(args: Args) -> None:
    """Keep one comparison's settings in its folder, and refuse others."""
    settings = settings_of(args)
    file = args.out / "settings.json"
    if file.exists() and (before := read_own(file)) != settings:
        raise ValueError(
            f"{args.out} holds a comparison with other settings, {shown(before)}: choose another "
            "--out, or delete it"
        )
    write_text(file, json.dumps(settings) + "\n")


def train(args: Args, name: str, seed: int) -> Path:
    """Train and score one method, unless that is done already; return the folder of the run."""
    method, folder = METHODS[name], args.out / f"{name}-{seed}"
    if not (folder / SCORES).exists():
        options = {
            "minutes": args.minutes, "seed": seed, "out": folder,
            "evaluate-every": max(2.0, args.minutes * 60 / 15),
        }  # fmt: skip
        script = [sys.executable, str(HERE / method.script)]
        command = [*script, *method.arguments, *args.command_line()]
        options |= {"updates": args.updates, "score-limit": args.score_limit}
        for key, value in options.items():
            command += [] if value is None else [f"--{key}", str(value)]
        print(f"{name}, seed {seed}: {method.label}", flush=True)
        status = run(command)
        if status != 0:
            raise SystemExit(status)
    return folder


def end_with_parent() -> None:
    """Have this process sent SIGTERM as soon as its parent is gone."""
    LIBC.prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def run(command: list[str]) -> int:
    """Run a script; a signal that is to stop us stops it, and we wait until it has saved.

    We can't when we are killed outright. Then Linux tells it to stop; elsewhere it goes on to its
    end, and keeps others out of its folder.
    """
    ends_with_us = end_with_parent if LIBC else None
    with subprocess.Popen(command, start_new_session=True, preexec_fn=ends_with_us) as child:
        previous = {
            number: signal.signal(number, lambda number, _: child.send_signal(number))
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            return child.wait()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def optimum(args: Args) -> float | None:
    """The residual that can be reached, target by target.

    By the planner with its kind of brush, else by gradient descent through the program's own
    gradient, or through the network that imitates it, painted by the real one then; None if there
    is none of these.
    """
    targets, _ = args.test_targets(limit=args.planned)
    if isinstance(args.program, Brush):
        planner = PlannerAgent(args.program, args.max_strokes)
        return float(rollout(args, planner.act, targets, "Painting-v0")["residual"].mean())
    if args.program.gradient == "exact":
        return float(fit(args, targets, "DifferentiablePainting-v0")[1].mean())
    if twin_of(args.program) is None:
        return None
    actions = fit(args, targets, "NeuralPainting-v0", device="cpu")
    return float(paint(args, targets, actions)[0].mean())


def choose_methods(args: Args) -> list[str]:
    """The methods that were asked for, or all that the brush allows.

    Raises:
        ValueError: if there is none of that name, or the brush does not allow it.
    """
    exact = args.program.gradient == "exact"
    has = {"twin": twin_of(args.program) is not None, "exact": exact, None: True}
    allowed = [name for name, method in METHODS.items() if has[method.needs]]
    wrong = set(args.methods or ()) - set(allowed)
    if wrong or args.methods == ():
        raise ValueError(
            f"--methods must be of {', '.join(allowed)} with --brush {args.brush}, got "
            f"{', '.join(args.methods)}"
        )
    return list(args.methods or allowed)


def main(args: Args) -> None:
    check_positive(args, "minutes", "updates", "score_limit")
    for name in ("seeds", "planned"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1, got {getattr(args, name)}")
    methods = choose_methods(args)
    if args.out is None:
        brush = "" if args.brush == "pencil" else f"-{Path(args.brush).name}"
        args.out = Path("runs") / f"compare-{Path(args.targets).name}-{args.max_strokes}{brush}"
    args.out.mkdir(parents=True, exist_ok=True)
    with lock(args.out):
        check_settings(args)
        folders: dict[str, list[Path]] = {name: [] for name in methods}
        for seed in range(args.seeds):
            for name in methods:
                folders[name].append(train(args, name, seed))
        report = summarise(settings_of(args), folders, optimum(args))
        write_text(args.out / "report.json", json.dumps(report, indent=2) + "\n")
        write_text(args.out / "report.md", table(report) + "\n")
        draw_curves(report, args.out / "curves.png")
        draw_paintings(folders, args.out / "paintings.png")
    print(table(report))
    print(f"\nWrote report.json, report.md, curves.png and paintings.png to {args.out}")


if __name__ == "__main__":
    with one_line_errors():
        main(Args.from_command_line())
