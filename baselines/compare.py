"""Train several methods for the same time on the same task, and say how they compare.

    python baselines/compare.py --targets mnist --data-dir DIR --minutes 6 --seeds 3

One method at a time, so that none steals another's cores. All are scored on the same test targets
on the real program, beside the blank canvas, a random agent, and what gradient descent on the
strokes of each target reaches. Interrupted, the same command goes on. Writes report.json,
report.md, curves.png and paintings.png to the output folder.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import matplotlib
import numpy as np
import torch
import tyro
from evaluate import AgentArgs, evaluate_agent, test_targets
from gymnasium.vector import AutoresetMode
from rl import first_stroke
from scores import picture_grid
from training import lock, read_curve

from strokenet_gym.agents import neighbour_penalty
from strokenet_gym.stroke import action_size

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclasses.dataclass(frozen=True)
class Method:
    """A training script with the arguments that make it this method."""

    label: str
    script: str
    arguments: tuple[str, ...]


METHODS = {
    "neural": Method("StrokeNet, learned generator", "train_strokenet.py", ()),
    "exact": Method("StrokeNet, exact gradient", "train_strokenet.py", ("--generator", "exact")),
    "ppo": Method("PPO", "train_ppo.py", ()),
    "sac": Method("SAC", "train_sac.py", ()),
}
GENERATOR_MINUTES = 60  # of training, for the shipped one


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
    """What to paint: glyphs, the name of a data set, or the path of an image or folder."""
    strokes: int = 1
    """Strokes per picture."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels (the paper's is 256)."""
    methods: tuple[Literal["neural", "exact", "ppo", "sac"], ...] = (
        "neural",
        "exact",
        "ppo",
        "sac",
    )
    """Which methods."""


def settings_of(args: Args) -> dict[str, Any]:
    """What all runs of a comparison must have in common."""
    keys = ("minutes", "targets", "strokes", "canvas_size")
    return {key: getattr(args, key) for key in keys} | {"threads": torch.get_num_threads()}


def check_settings(args: Args) -> None:
    """Keep one comparison's settings in its folder, and refuse others."""
    settings = settings_of(args)
    file = args.out / "settings.json"
    if file.exists() and (before := json.loads(file.read_text())) != settings:
        raise ValueError(
            f"{args.out} holds a comparison with other settings, {before}: choose another --out, "
            "or delete it"
        )
    file.write_text(json.dumps(settings) + "\n")


def train(args: Args, name: str, seed: int) -> Path:
    """Train and score one method, unless that is done already; return the folder of the run."""
    method, folder = METHODS[name], args.out / f"{name}-{seed}"
    scores = folder / "scores.json"
    if not scores.exists():
        options = {
            "targets": args.targets, "minutes": args.minutes, "canvas-size": args.canvas_size,
            "max-strokes": args.strokes, "seed": seed, "out": folder,
            "evaluate-every": max(2.0, args.minutes * 60 / 15),
        }  # fmt: skip
        if args.data_dir is not None:
            options["data-dir"] = args.data_dir
        command = [sys.executable, str(HERE / method.script), *method.arguments]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        print(f"{name}, seed {seed}: {method.label}", flush=True)
        status = run(command)
        if status != 0:
            raise SystemExit(status)
        if not scores.exists():  # the RL scripts score what they trained
            task = {
                "targets": args.targets, "data_dir": args.data_dir,
                "canvas_size": args.canvas_size, "max_strokes": args.strokes,
                "samples": folder / "samples.npz",
            }  # fmt: skip
            result = evaluate_agent(AgentArgs(agent=str(folder / "agent.safetensors"), **task))
            scores.write_text(json.dumps(result, indent=2) + "\n")
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


def reached(curve: list[dict[str, float]], residual: float) -> dict[str, float] | None:
    """The first point of a learning curve that is that low, None if there is none."""
    return next((point for point in curve if point["residual_exact"] <= residual), None)


def summarise(args: Args, folders: dict[str, list[Path]]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "settings": settings_of(args),
        "methods": {},
    }
    for name, paths in folders.items():
        runs = [
            {"scores": json.loads((path / "scores.json").read_text()), "curve": read_curve(path)}
            for path in paths
        ]
        final = [run["scores"]["residual_exact"] for run in runs]
        report["methods"][name] = {
            "label": METHODS[name].label,
            "runs": runs,
            "residual_exact": float(np.mean(final)),
            "spread": float(np.std(final)),
        }
    report["optimum"] = optimum(args)
    # Seed by seed: what it takes to be as good as another method ever is.
    for name, method in report["methods"].items():
        method["as_good_as"] = {}
        for other, slow in report["methods"].items():
            if other == name:
                continue
            parts = []
            for mine, theirs in zip(method["runs"], slow["runs"], strict=True):
                # To 2 %, since the very lowest point of a curve that is flat is a matter of luck.
                level = 1.02 * min(point["residual_exact"] for point in theirs["curve"])
                first, slow_first = reached(mine["curve"], level), reached(theirs["curve"], level)
                learned = slow_first["seconds"] > 0
                parts.append(as_good(name, first, slow_first) if first and learned else None)
            method["as_good_as"][other] = parts
    return report


def as_good(name: str, mine: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """How many times less of everything one point of a curve took than another's."""
    before = GENERATOR_MINUTES * 60 if name == "neural" else 0
    return {
        "time": theirs["seconds"] / max(mine["seconds"], 1.0),
        "time_with_generator": theirs["seconds"] / max(mine["seconds"] + before, 1.0),
        "strokes": theirs["strokes"] / max(mine["strokes"], 1.0),
    }


def optimum(args: Args, count: int = 100, steps: int = 400) -> float:
    """The residual that gradient descent on the strokes reaches, target by target.

    Adam through the real program, from the stroke that an untrained agent starts with, all strokes
    of a picture at once.
    """
    targets, _ = test_targets(args.targets, args.canvas_size, args.data_dir, "test", count)
    envs = gym.make_vec(
        "DifferentiablePainting-v0",
        num_envs=len(targets),
        targets=targets[0],
        canvas_size=args.canvas_size,
        max_strokes=args.strokes,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    (size,) = envs.single_action_space.shape
    generator = torch.Generator().manual_seed(0)
    start = first_stroke(size - action_size(0)).expand(len(targets), args.strokes, -1)
    noise = 0.1 * torch.randn(start.shape, generator=generator)
    actions = (start + noise).clamp(-0.95, 0.95).requires_grad_()
    optimizer = torch.optim.Adam([actions], lr=0.03)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * (1 - step / steps)
        envs.reset(options={"target": targets, "as_tensor": True})
        loss = torch.zeros(())
        for k in range(args.strokes):
            _, reward, *_, info = envs.step(actions[:, k])
            loss = (
                loss
                - reward.sum()
                + 0.3 * 0.01 ** (step / steps) * neighbour_penalty(actions[:, k]).sum()
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            actions.clamp_(-1, 1)
    return float(info["residual"].mean())


def table(report: dict[str, Any]) -> str:
    """How good the methods become, and what each needs to be as good as another."""
    lines = ["| method | residual, real program | spread | strokes painted |", "|---|---|---|---|"]
    some = next(iter(report["methods"].values()))["runs"][0]["scores"]
    lines.append("| blank canvas | 1 | | |")
    lines.append(f"| random agent | {some['residual_random']:.2f} | | |")
    lines.append(f"| gradient descent on each of 100 targets | {report['optimum']:.4f} | | |")
    for method in report["methods"].values():
        strokes = np.mean([run["curve"][-1]["strokes"] for run in method["runs"]])
        spread = f"{method['spread']:.4f}" if len(method["runs"]) > 1 else ""
        cells = f"{method['residual_exact']:.4f} | {spread} | {strokes:,.0f}"
        lines.append(f"| {method['label']} | {cells} |")
    needs = []
    for name, method in report["methods"].items():
        for other, results in method["as_good_as"].items():
            if not any(results):
                continue
            kinds = ["time", "strokes"]
            if name == "neural":
                kinds.append("time_with_generator")
            cells = [", ".join(share(r and r[kind]) for r in results) for kind in kinds]
            cells += [""] * (3 - len(cells))
            label = report["methods"][other]["label"]
            needs.append(f"| {method['label']} | {label} | {' | '.join(cells)} |")
    if needs:
        lines += [
            "",
            "| method | is as good as … ever becomes (to 2 %) | after … of its time "
            "| of its strokes | of its time, with the generator's training |",
            "|---|---|---|---|---|",
            *needs,
        ]
    return "\n".join(lines)


def share(ratio: float | None) -> str:
    """How many times less, as a share (or how many times as much); ``None`` is never."""
    if ratio is None:
        return "never"
    if ratio < 1:
        return f"{1 / ratio:.1f} times"
    return f"1/{ratio:.2g}" if ratio < 10 else f"1/{ratio:.0f}"


def draw_curves(report: dict[str, Any], path: Path) -> None:
    figure, plots = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained", sharey=True)
    for axes, key, even in zip(plots, ("seconds", "strokes"), (10, 1000), strict=True):
        for index, method in enumerate(report["methods"].values()):
            for k, run in enumerate(method["runs"]):
                axes.plot(
                    [point[key] for point in run["curve"]],
                    [point["residual_exact"] for point in run["curve"]],
                    color=f"C{index}",
                    alpha=0.8,
                    label=method["label"] if k == 0 else None,
                )
        some = next(iter(report["methods"].values()))["runs"][0]["scores"]
        lines = {
            "random agent": (some["residual_random"], "--"),
            "blank canvas": (1, ":"),
            "gradient descent on each target": (report["optimum"], "-."),
        }
        for label, (height, style) in lines.items():
            axes.axhline(height, color="grey", linestyle=style, label=label)
        # Even up to where something happens, logarithmic from there.
        axes.set_xscale("symlog", linthresh=even)
        axes.set(yscale="log", xlim=(0, None))
    plots[0].set(xlabel="seconds of training", ylabel="residual, real program")
    plots[1].set(xlabel="strokes painted in training")
    plots[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_paintings(folders: dict[str, list[Path]], path: Path) -> None:
    """Targets, and below them what each method's first run paints."""
    samples = [np.load(paths[0] / "samples.npz") for paths in folders.values()]
    rows = [samples[0]["target"], *(sample["canvas"] for sample in samples)]
    picture_grid(rows, path, columns=12)


def main(args: Args) -> None:
    if not args.minutes > 0:
        raise ValueError(f"--minutes must be positive, got {args.minutes}")
    if args.seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {args.seeds}")
    if args.out is None:
        args.out = Path("runs") / f"compare-{Path(args.targets).name}-{args.strokes}"
    args.out.mkdir(parents=True, exist_ok=True)
    with lock(args.out):
        check_settings(args)
        folders: dict[str, list[Path]] = {name: [] for name in args.methods}
        for seed in range(args.seeds):
            for name in args.methods:
                folders[name].append(train(args, name, seed))
        report = summarise(args, folders)
        (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        (args.out / "report.md").write_text(table(report) + "\n")
        draw_curves(report, args.out / "curves.png")
        draw_paintings(folders, args.out / "paintings.png")
    print(table(report))
    print(f"\nWrote report.json, report.md, curves.png and paintings.png to {args.out}")


if __name__ == "__main__":
    main(tyro.cli(Args))
