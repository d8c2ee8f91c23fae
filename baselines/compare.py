"""Train several methods for the same time on the same task, and say how they compare.

    python baselines/compare.py --targets mnist --data-dir DIR --minutes 6 --seeds 3

One method at a time, so that none steals another's cores. All are scored on the same test targets
on the real program. Interrupted, the same command goes on. Writes report.json, report.md and
curves.png to the output folder.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import filelock
import matplotlib
import numpy as np
import tyro
from evaluate import AgentArgs, evaluate_agent
from training import read_curve

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Method:
    """A training script with the arguments that make it this method."""

    label: str
    script: str
    arguments: tuple[str, ...]


METHODS = {
    "neural": Method("StrokeNet, learned generator", "train_strokenet.py", ()),
    "exact": Method("StrokeNet, exact gradient", "train_strokenet.py", ("--generator", "exact")),
}


@dataclasses.dataclass
class Args:
    """Compare methods after equal training time."""

    out: Path | None = None
    """Output folder (runs/compare-TARGETS-STROKES); one that is half done is gone on with."""
    minutes: float = 15.0
    """Training time of each method and seed."""
    seeds: int = 3
    """Runs of each method."""
    targets: str = "glyphs"
    """What to paint: glyphs, mnist, or the path of an image or folder."""
    strokes: int = 1
    """Strokes per picture."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels (the paper's is 256)."""
    methods: tuple[Literal["neural", "exact"], ...] = ("neural", "exact")
    """Which methods."""


def check_settings(args: Args) -> None:
    """Keep one comparison's settings in its folder, and refuse others."""
    keys = ("minutes", "targets", "strokes", "canvas_size")
    settings = {key: getattr(args, key) for key in keys}
    file = args.out / "settings.json"
    if file.exists() and (before := json.loads(file.read_text())) != settings:
        raise ValueError(
            f"{args.out} holds a comparison with other settings, {before}: choose another --out, "
            "or delete it"
        )
    file.write_text(json.dumps(settings) + "\n")


def train(args: Args, name: str, seed: int) -> Path:
    """Train one method, unless that is done already; return the folder of the run."""
    method, folder = METHODS[name], args.out / f"{name}-{seed}"
    if not (folder / "agent.safetensors").exists():
        options = {
            "targets": args.targets, "minutes": args.minutes, "canvas-size": args.canvas_size,
            "max-strokes": args.strokes, "seed": seed, "out": folder,
            "evaluate-every": max(2.0, args.minutes * 60 / 30),
        }  # fmt: skip
        if args.data_dir is not None:
            options["data-dir"] = args.data_dir
        command = [sys.executable, str(HERE / method.script), *method.arguments]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        print(f"{name}, seed {seed}: {method.label}", flush=True)
        done = subprocess.run(command)
        if done.returncode != 0:
            raise SystemExit(done.returncode)
    return folder


def time_to_reach(curve: list[dict[str, float]], residual: float) -> float | None:
    """Seconds of training after which the residual was first that low, None if never."""
    return next((p["seconds"] for p in curve if p["residual_exact"] <= residual), None)


def summarise(args: Args, folders: dict[str, list[Path]]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "settings": {k: str(v) for k, v in dataclasses.asdict(args).items()},
        "methods": {},
    }
    for name, paths in folders.items():
        runs = []
        for path in paths:
            scores = path / "scores.json"
            if not scores.exists():
                task = {
                    "targets": args.targets, "data_dir": args.data_dir,
                    "canvas_size": args.canvas_size, "max_strokes": args.strokes,
                }  # fmt: skip
                result = evaluate_agent(AgentArgs(agent=str(path / "agent.safetensors"), **task))
                scores.write_text(json.dumps(result))
            runs.append({"scores": json.loads(scores.read_text()), "curve": read_curve(path)})
        final = [run["scores"]["residual_exact"] for run in runs]
        report["methods"][name] = {
            "label": METHODS[name].label,
            "runs": runs,
            "residual_exact": float(np.mean(final)),
            "spread": float(np.std(final)),
        }
    # Seed by seed: how long each method takes to be as good as another is at its end.
    for name, method in report["methods"].items():
        method["time_ratios"] = {}
        for other, slow in report["methods"].items():
            if other == name:
                continue
            ratios = []
            for mine, theirs in zip(method["runs"], slow["runs"], strict=True):
                end = theirs["curve"][-1]
                seconds = time_to_reach(mine["curve"], end["residual_exact"])
                ratios.append(None if seconds is None else end["seconds"] / max(seconds, 1.0))
            method["time_ratios"][other] = ratios
    return report


def table(report: dict[str, Any]) -> str:
    lines = [
        "| method | residual, real program | spread | as good as another at its end after |",
        "|---|---|---|---|",
    ]
    some = next(iter(report["methods"].values()))["runs"][0]["scores"]
    lines.append("| blank canvas | 1 | | |")
    lines.append(f"| random agent | {some['residual_random']:.2f} | | |")
    for method in report["methods"].values():
        parts = []
        for other, ratios in method["time_ratios"].items():
            shares = ["never" if r is None else f"1/{r:.1f} of its time" for r in ratios]
            parts.append(f"{other}: {', '.join(shares)}")
        cells = f"{method['residual_exact']:.4f} | {method['spread']:.4f}"
        lines.append(f"| {method['label']} | {cells} | {'; '.join(parts)} |")
    return "\n".join(lines)


def draw_curves(report: dict[str, Any], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for index, method in enumerate(report["methods"].values()):
        for k, run in enumerate(method["runs"]):
            axes.plot(
                [point["seconds"] / 60 for point in run["curve"]],
                [point["residual_exact"] for point in run["curve"]],
                color=f"C{index}",
                alpha=0.8,
                label=method["label"] if k == 0 else None,
            )
    axes.axhline(1, color="grey", linestyle=":", label="blank canvas")
    axes.set(xlabel="minutes of training", ylabel="residual, real program", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main(args: Args) -> None:
    if not args.minutes > 0:
        raise ValueError(f"--minutes must be positive, got {args.minutes}")
    if args.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {args.seeds}")
    if args.out is None:
        args.out = Path("runs") / f"compare-{Path(args.targets).name}-{args.strokes}"
    args.out.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(args.out / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ValueError(f"{args.out} is in use by another run: choose another --out") from error
    try:
        check_settings(args)
        folders: dict[str, list[Path]] = {name: [] for name in args.methods}
        for seed in range(args.seeds):
            for name in args.methods:
                folders[name].append(train(args, name, seed))
        report = summarise(args, folders)
        (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        (args.out / "report.md").write_text(table(report) + "\n")
        draw_curves(report, args.out / "curves.png")
    finally:
        lock.release()
    print(table(report))
    print(f"\nWrote report.json, report.md and curves.png to {args.out}")


if __name__ == "__main__":
    main(tyro.cli(Args))
