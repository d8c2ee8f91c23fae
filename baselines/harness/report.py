"""What a comparison found: how good methods become, what each needs for it, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .measures import picture_grid, write_figure
from .own_files import read_arrays, read_own
from .run import read_curve
from .scoring import SAMPLES, SCORES

__all__ = ["as_good", "draw_curves", "draw_paintings", "reached", "share", "summarise", "table"]


def reached(curve: list[dict[str, float]], residual: float) -> dict[str, float] | None:
    """The first point of a learning curve that is that low, None if there is none."""
    return next((point for point in curve if point["residual_exact"] <= residual), None)


def summarise(
    settings: dict[str, Any],
    about: dict[str, dict[str, Any]],
    folders: dict[str, list[Path]],
    optimum: float | None,
) -> dict[str, Any]:
    """The report, such that it fits in JSON.

    Args:
        settings: what all runs have in common.
        about: of each method ``label``, and ``minutes_before``, of training that it builds on.
        folders: of the runs, seed by seed, for each method.
        optimum: the residual that can be reached, if there is a gradient.
    """
    report: dict[str, Any] = {"settings": settings, "optimum": optimum, "methods": {}}
    for name, paths in folders.items():
        runs: list[dict[str, Any]] = [
            {
                "scores": read_own(path / SCORES, "residual_exact", "residual_random"),
                "curve": read_curve(path, "residual_exact", "strokes"),
            }
            for path in paths
        ]
        final = [run["scores"]["residual_exact"] for run in runs]
        report["methods"][name] = about[name] | {
            "runs": runs,
            "residual_exact": float(np.mean(final)),
            "spread": float(np.std(final)),
        }
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
                part = None
                if first and slow_first and slow_first["seconds"] > 0:  # the other learned
                    part = as_good(method["minutes_before"], first, slow_first)
                parts.append(part)
            method["as_good_as"][other] = parts
    return report


def as_good(
    minutes_before: float, mine: dict[str, float], theirs: dict[str, float]
) -> dict[str, float]:
    """How many times less of everything one point of a curve took than another's."""
    before = minutes_before * 60
    return {
        "time": theirs["seconds"] / max(mine["seconds"], 1.0),
        "time_with_generator": theirs["seconds"] / max(mine["seconds"] + before, 1.0),
        "strokes": theirs["strokes"] / max(mine["strokes"], 1.0),
    }


def table(report: dict[str, Any]) -> str:
    """How good the methods become, and what each needs to be as good as another."""
    lines = ["| method | residual, real program | spread | strokes painted |", "|---|---|---|---|"]
    some = next(iter(report["methods"].values()))["runs"][0]["scores"]
    lines.append("| blank canvas | 1 | | |")
    lines.append(f"| random agent | {some['residual_random']:.2f} | | |")
    if report["optimum"] is not None:
        lines.append(f"| gradient descent, target by target | {report['optimum']:.4f} | | |")
    for method in report["methods"].values():
        strokes = np.mean([run["curve"][-1]["strokes"] for run in method["runs"]])
        spread = f"{method['spread']:.4f}" if len(method["runs"]) > 1 else ""
        cells = f"{method['residual_exact']:.4f} | {spread} | {strokes:,.0f}"
        lines.append(f"| {method['label']} | {cells} |")
    needs = []
    for method in report["methods"].values():
        for other, results in method["as_good_as"].items():
            if not any(results):
                continue
            kinds = ["time", "strokes"]
            if method["minutes_before"] > 0:
                kinds.append("time_with_generator")
            shares = [", ".join(share(r and r[kind]) for r in results) for kind in kinds]
            shares += [""] * (3 - len(shares))
            label = report["methods"][other]["label"]
            needs.append(f"| {method['label']} | {label} | {' | '.join(shares)} |")
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
    """Residuals of all runs against seconds and against strokes."""
    figure = Figure((12, 4.5), layout="constrained")
    plots = figure.subplots(1, 2, sharey=True)
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
            "gradient descent, target by target": (report["optimum"], "-."),
        }
        for label, (height, style) in lines.items():
            if height is None:
                continue
            axes.axhline(height, color="grey", linestyle=style, label=label)
        # Even up to where something happens, logarithmic from there.
        axes.set_xscale("symlog", linthresh=even)
        axes.set(yscale="log", xlim=(0, None))
    plots[0].set(xlabel="seconds of training", ylabel="residual, real program")
    plots[1].set(xlabel="strokes painted in training")
    plots[0].legend(fontsize="small")
    write_figure(figure, path)


def draw_paintings(folders: dict[str, list[Path]], path: Path) -> None:
    """Targets, and below them what each method's first run paints."""
    files = [paths[0] / SAMPLES for paths in folders.values()]
    rows = [*read_arrays(files[0], "target"), *(read_arrays(file, "canvas")[0] for file in files)]
    picture_grid(rows, path, columns=12)
