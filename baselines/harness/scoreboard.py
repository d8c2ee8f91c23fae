"""What folders of benchmark runs and scoreboards hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.files import user_path
from strokenet_gym.reading import shown

from ..methods import METHODS
from .own_files import DAMAGES, damaged, read_own
from .run import read_curve
from .scoring import SCORES

__all__ = ["REFERENCE", "SETTINGS", "Results", "collect"]

REFERENCE, SETTINGS = "reference.json", "settings.json"

Results = dict[str, Any]


def collect(results: Sequence[Path]) -> Results:
    """What folders of runs and scoreboards hold.

    Returns:
        ``budgets`` of the folders; ``tasks``: of each task's id the returns of a ``random`` agent
        and the ``planner``, as far as they are known; ``entries``: of each method its ``label``,
        ``scores`` (for each task the returns of its seeds), and of our own runs ``curves`` and
        ``folders`` (for each task, seed by seed).

    Raises:
        FileNotFoundError: if a file or folder is missing.
        ValueError: if one is damaged, a method or a seed is there twice, or nothing is there.
    """
    all_results: Results = {"budgets": [], "tasks": {}, "entries": {}}
    runs: dict[str, dict[str, dict[int, Path]]] = {}  # by method, task and seed
    for path in map(user_path, results):
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        if path.is_dir():
            _find_runs(path, all_results, runs)
        else:
            _read_scoreboard(path, all_results)
    for name in METHODS:
        if name in runs:
            if name in all_results["entries"]:
                raise ValueError(f"the method {name!r} is in a scoreboard and in a folder")
            all_results["entries"][name] = _entry(METHODS[name].label, runs[name])
    for name, method in METHODS.items():
        entry, other = (all_results["entries"].get(k) for k in (name, method.otherwise))
        if entry and other and "curves" in other:
            for env_id, row in all_results["tasks"].items():
                if row.get("max_strokes", method.min_strokes) < method.min_strokes:
                    for kind in ("scores", "curves", "folders"):
                        entry[kind] |= {k: v for k, v in other[kind].items() if k == env_id}
    if not all_results["entries"]:
        raise ValueError(f"no finished runs in {', '.join(map(str, results)) or 'nothing'}")
    ours = {name: all_results["entries"].pop(name) for name in METHODS if name in runs}
    all_results["entries"] = ours | all_results["entries"]
    for entry in all_results["entries"].values():
        for env_id in entry["scores"]:
            all_results["tasks"].setdefault(env_id, {})
    return all_results


def _read_scoreboard(path: Path, all_results: Results) -> None:
    board = read_own(path)
    try:
        all_results["tasks"] = board.get("tasks", {}) | all_results["tasks"]
        for given in board["entries"]:
            name, entry = str(given["method"]), {**given, "label": str(given["label"])}
            entry["scores"] = {k: [float(x) for x in v] for k, v in given["scores"].items() if v}
            if not entry["scores"]:
                raise ValueError(f"the method {shown(name)!r} has no scores")
            if name in all_results["entries"]:
                raise ValueError(f"the method {shown(name)!r} is there twice")
            all_results["entries"][name] = entry
    except DAMAGES as error:
        raise damaged(path, error, "docs/benchmark.md says what it holds") from None


def _find_runs(out: Path, all_results: Results, runs: dict[str, Any]) -> None:
    settings = read_own(out / SETTINGS)
    updates = settings.get("updates")
    budget = settings.get("budget", "?") if updates is None else f"{updates} updates"
    all_results["budgets"].append(budget)
    for file in sorted(out.glob(f"*/{REFERENCE}")):
        reference = read_own(file, "random", "max_strokes")
        env_id = reference["env_id"]
        names = [name for name in ("random", "planner") if name in reference]
        row = {"max_strokes": reference["max_strokes"]}
        all_results["tasks"][env_id] = row | {name: 1 - reference[name] for name in names}
        for scores in sorted(file.parent.glob(f"*/{SCORES}")):
            match = re.fullmatch(r"(.+)-(\d+)", scores.parent.name)
            if match is None or match[1] not in METHODS:
                continue
            seeds = runs.setdefault(match[1], {}).setdefault(env_id, {})
            if int(match[2]) in seeds:
                raise ValueError(f"{scores.parent} and {seeds[int(match[2])]} have one seed")
            seeds[int(match[2])] = scores.parent


def _entry(label: str, runs: dict[str, dict[int, Path]]) -> Results:
    entry: Results = {"label": label, "scores": {}, "curves": {}, "folders": {}}
    for env_id, seeds in runs.items():
        folders = [seeds[seed] for seed in sorted(seeds)]
        scores = [read_own(folder / SCORES, "residual_exact") for folder in folders]
        entry["scores"][env_id] = [1 - score["residual_exact"] for score in scores]
        entry["folders"][env_id] = folders
        curves = [
            [
                [point["seconds"], point["strokes"], 1 - point["residual_exact"]]
                for point in read_curve(folder, "residual_exact", "strokes")
            ]
            for folder in folders
        ]
        if all(len(curve) > 1 for curve in curves):
            entry["curves"][env_id] = curves
        if all("accuracy_exact" in score for score in scores):
            read = [float(np.mean([s[k] for s in scores])) for k in _ACCURACIES]
            entry.setdefault("accuracy", {})[env_id] = dict(zip(_ACCURACIES, read, strict=True))
    return entry


_ACCURACIES = "accuracy_originals", "accuracy_exact"
