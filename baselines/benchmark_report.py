"""Draw the page of benchmark runs: tables, curves, a performance profile, and a scoreboard.

    strokenet-gym benchmark report runs/benchmark-full theirs.json --out runs/report

Scores are returns: 0 is the blank canvas, 1 a perfect copy. Of several runs the interquartile mean
counts, with the bootstrap's 95 % interval over seeds, after Agarwal et al., *Deep Reinforcement
Learning at the Edge of the Statistical Precipice* (NeurIPS 2021).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from matplotlib.figure import Figure
from scipy.stats import bootstrap, trim_mean

from strokenet_gym.command import run_command
from strokenet_gym.files import user_path, write_text

from .harness.measures import picture_grid, write_figure
from .harness.own_files import read_arrays
from .harness.scoreboard import Results, collect
from .harness.scoring import SAMPLES

__all__ = ["interval", "iqm", "write_page"]

_REFERENCE = "ppo"  # what others are compared with
_RESAMPLES = 2000


@dataclasses.dataclass(kw_only=True)
class Args:
    """Draw the page of runs: tables, curves, a profile, paintings, and a scoreboard."""

    results: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Output folders of benchmarks, and scoreboards of other people's methods (JSON)."""
    out: Path = Path("runs/report")
    """Folder for the page."""


def iqm(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """The interquartile mean: of the middle half."""
    return trim_mean(values, 0.25, axis)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The 95 % bootstrap interval of the interquartile mean over the first axis, the seeds.

    None of fewer than three seeds.
    """
    if len(values) < 3:
        return None
    found = bootstrap(
        (values,), iqm, axis=0, n_resamples=_RESAMPLES, method="percentile", rng=0
    ).confidence_interval  # fmt: skip
    return found.low, found.high


def write_page(found: Results, out: Path) -> None:
    """Write report.md, report.json, scoreboard.json, curves.png, profile.png and paintings."""
    ours = {name: entry for name, entry in found["entries"].items() if "curves" in entry}
    short = ", ".join(sorted({str(b) for b in found["budgets"]} - {"full"}))
    note = f"budget: {short}; too short for conclusions" if short else ""
    pages = [
        _score_table(found), _equal_strokes_table(found, ours), _worth_table(found, ours),
        _planner_table(found), _accuracy_table(found),
    ]  # fmt: skip
    text = "\n\n".join(page for page in pages if page)
    write_text(out / "report.md", (f"**{note}**\n\n" if note else "") + text + "\n")
    entries = [
        {"method": name, **{k: v for k, v in entry.items() if k not in ("curves", "folders")}}
        for name, entry in found["entries"].items()
    ]
    board = {"suite": 0, "budgets": found["budgets"], "tasks": found["tasks"], "entries": entries}
    write_text(out / "scoreboard.json", json.dumps(board, indent=1) + "\n")
    curves = {name: entry["curves"] for name, entry in ours.items()}
    write_text(out / "report.json", json.dumps(board | {"curves": curves}) + "\n")
    if ours:
        _draw_curves(found, ours, out / "curves.png", note)
    _draw_profile(found, out / "profile.png", note)
    for env_id in found["tasks"]:
        folders = [e["folders"][env_id][0] for e in ours.values() if env_id in e["folders"]]
        if folders:
            files = [folder / SAMPLES for folder in folders]
            rows = [read_arrays(files[0], "target")[0]]
            rows += [read_arrays(file, "canvas")[0] for file in files]
            picture_grid(rows, out / f"{_short(env_id)}.png", columns=12)


def _short(env_id: str) -> str:
    return env_id.rpartition("/")[2]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _told(values: Sequence[float] | None) -> str:
    """An interquartile mean and its interval, such as 0.52 (0.50 … 0.53)."""
    if values is None:
        return ""
    array = np.array(values)
    bounds = interval(array)
    told = f"{iqm(array):.3f}"
    return told if bounds is None else f"{told} ({bounds[0]:.3f} … {bounds[1]:.3f})"


def _score_table(found: Results) -> str:
    """Returns after equal time, task by task, and over all tasks."""
    entries = found["entries"].values()
    head = ["return", "random", *(entry["label"] for entry in entries), "planner"]
    rows = [
        [
            _short(env_id), f"{told['random']:.2f}" if "random" in told else "",
            *(_told(entry["scores"].get(env_id)) for entry in entries),
            f"{told['planner']:.3f}" if "planner" in told else "",
        ]
        for env_id, told in found["tasks"].items()
    ]  # fmt: skip
    common, cells = _common(found), []
    for entry in entries:
        strata = [np.array(entry["scores"][env_id]) for env_id in common]
        if not strata:
            cells.append("")
            continue
        told = f"{_iqm_of(*strata):.3f}"
        if min(map(len, strata)) >= 3:
            bounds = bootstrap(
                strata, _iqm_of, n_resamples=_RESAMPLES, method="percentile", rng=0
            ).confidence_interval  # fmt: skip
            told += f" ({bounds.low:.3f} … {bounds.high:.3f})"
        cells.append(told)
    rows.append([f"all methods' {len(common)} tasks", "", *cells, ""])
    return "After equal time:\n\n" + _rows(head, rows)


def _common(found: Results) -> list[str]:
    """The tasks of which all methods have scores."""
    entries = found["entries"].values()
    return [t for t in found["tasks"] if all(t in entry["scores"] for entry in entries)]


def _iqm_of(*strata: np.ndarray, axis: int = -1) -> np.ndarray:
    """The interquartile mean over all runs of all tasks."""
    return iqm(np.concatenate(strata, axis), axis)


def _equal_strokes_table(found: Results, ours: Results) -> str:
    """Returns when each method has painted as many strokes as the slowest painted in its time."""
    rows = []
    for env_id in found["tasks"]:
        curves = {name: e["curves"][env_id] for name, e in ours.items() if env_id in e["curves"]}
        if not curves:
            continue
        strokes = min(run[-1][1] for runs in curves.values() for run in runs)
        cells = [_told(_at(curves.get(name), 1, [strokes])) for name in ours]
        rows.append([_short(env_id), f"{strokes:,.0f}", *cells])
    head = ["return", "strokes", *(entry["label"] for entry in ours.values())]
    return "After equal strokes, as many as the slowest method paints:\n\n" + _rows(head, rows)


def _at(runs: list[Any] | None, column: int, places: Any) -> Any:
    """The returns of runs at seconds (column 0) or strokes (1), ``[seeds, places]``, or None."""
    if runs is None:
        return None
    curves = [np.array(run) for run in runs]
    values = np.stack([np.interp(places, curve[:, column], curve[:, 2]) for curve in curves])
    return values[:, 0] if len(places) == 1 else values


def _worth_table(found: Results, ours: Results) -> str:
    """After what share of PPO's time and strokes others are as good as it ever becomes."""
    others = [name for name in ours if name != _REFERENCE]
    rows = []
    for env_id in found["tasks"]:
        slow = ours.get(_REFERENCE, {"curves": {}})["curves"].get(env_id)
        if slow is None:
            continue
        cells = []
        for name in others:
            runs = ours[name]["curves"].get(env_id)
            cells.append("" if runs is None else _worth(runs, slow))
        rows.append([_short(env_id), *cells])
    if not rows:
        return ""
    head = ["as good as PPO ever becomes", *(ours[name]["label"] for name in others)]
    about = "After what share of PPO's time (and of its strokes), the median over seeds"
    return f"{about}:\n\n" + _rows(head, rows)


def _worth(runs: list[Any], slow: list[Any]) -> str:
    """A cell: the shares of time and strokes, each run against the run of its seed."""
    shares = []
    for mine, theirs in zip(runs, slow, strict=False):
        best = max(point[2] for point in theirs)
        # To 2 % of what it leaves: the top of a curve that is flat is a matter of luck.
        level = 1 - 1.02 * (1 - best)
        first = next((point for point in mine if point[2] >= level), None)
        there = next(point for point in theirs if point[2] >= level)
        if there[0] > 0:  # it learned
            never = [np.inf, np.inf]
            shares.append(never if first is None else [max(first[k], 1) / there[k] for k in (0, 1)])
    if not shares:
        return "PPO did not learn"
    time, strokes = np.median(np.array(shares), 0)
    return "never" if np.isinf(time) else f"{_share(time)} ({_share(strokes)})"


def _share(ratio: float) -> str:
    if ratio > 1:
        return f"{ratio:.1f} times"
    return f"1/{1 / max(ratio, 1e-4):.2g}" if ratio > 0.1 else f"1/{1 / max(ratio, 1e-4):.0f}"


def _planner_table(found: Results) -> str:
    """How far the best learned method is from what is possible."""
    rows = []
    for env_id, told in found["tasks"].items():
        scores = {
            entry["label"]: float(iqm(np.array(entry["scores"][env_id])))
            for entry in found["entries"].values()
            if env_id in entry["scores"]
        }
        if scores and "planner" in told:
            best = max(scores, key=lambda label: scores[label])
            left, possible = 1 - scores[best], 1 - told["planner"]
            factor = f"{left / max(possible, 1e-4):.1f}"
            rows.append([_short(env_id), best, f"{left:.3f}", f"{possible:.4f}", factor])
    head = ["residual", "best learned method", "it leaves", "the planner leaves", "factor"]
    return "What is possible:\n\n" + _rows(head, rows)


def _accuracy_table(found: Results) -> str:
    """How many repainted digits a classifier of real ones still reads, beside the originals."""
    rows = [
        [_short(env_id), entry["label"], f"{read['accuracy_exact']:.1%}",
         f"{read['accuracy_originals']:.1%}"]
        for entry in found["entries"].values()
        for env_id, read in entry.get("accuracy", {}).items()
    ]  # fmt: skip
    head = ["digits that a classifier reads", "", "repainted", "originals"]
    return _rows(head, rows) if rows else ""


def _draw_curves(found: Results, ours: Results, path: Path, note: str) -> None:
    """Returns against seconds and strokes: interquartile means, and bands of 95 %."""
    tasks = [t for t in found["tasks"] if any(t in e["curves"] for e in ours.values())]
    if not tasks:
        return
    figure = Figure((11, 2.7 * len(tasks) + 0.6), layout="constrained")
    figure.suptitle(note)
    grid = figure.subplots(len(tasks), 2, squeeze=False)
    for env_id, line in zip(tasks, grid, strict=True):
        for column, (axes, what) in enumerate(zip(line, ("seconds", "strokes"), strict=True)):
            for index, entry in enumerate(ours.values()):
                runs = entry["curves"].get(env_id)
                if runs is None:
                    continue
                low = max(min(run[1][column] for run in runs if len(run) > 1), 1e-3)
                high = min(run[-1][column] for run in runs)
                places = np.geomspace(low, max(high, 1.01 * low), 60)
                values = np.atleast_2d(_at(runs, column, places))
                axes.plot(places, iqm(values, 0), f"C{index}", label=entry["label"])
                bounds = interval(values)
                if bounds is not None:
                    axes.fill_between(places, *bounds, color=f"C{index}", alpha=0.2, linewidth=0)
            if "planner" in (told := found["tasks"][env_id]):
                axes.axhline(told["planner"], color="grey", linestyle="-.", label="planner")
            axes.axhline(0, color="grey", linestyle=":", label="blank canvas")
            axes.set(xscale="log", ylim=(-0.5, 1.02), xlabel=f"{what} of training")
        line[0].set(ylabel=f"{_short(env_id)}: return")
    grid[0, 0].legend(fontsize="x-small")
    write_figure(figure, path)


def _draw_profile(found: Results, path: Path, note: str) -> None:
    """The share of runs that have a higher return, for each return, on the tasks of all methods."""
    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    levels = np.linspace(-0.2, 1, 241)
    entries, common = found["entries"].values(), _common(found)
    for entry in entries:
        scores = np.concatenate([[], *(entry["scores"][env_id] for env_id in common)])
        if len(scores):
            axes.plot(levels, (scores[:, None] > levels).mean(0), label=entry["label"])
    what = f"runs with a higher return, on {len(common)} tasks"
    axes.set(xlabel="return", ylabel=what, ylim=(0, 1.02), title=note)
    axes.legend(fontsize="small")
    write_figure(figure, path)


def main(args: Args) -> None:
    out = user_path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_page(collect(args.results), out)
    print((out / "report.md").read_text())
    print(f"Wrote report.md, report.json, scoreboard.json and pictures to {out}")


if __name__ == "__main__":
    run_command(main)
