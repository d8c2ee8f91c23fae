"""What folders of benchmark runs and scoreboards hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.files import user_path

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
        ``budget``; ``tasks``: of each task's id the returns of a ``random`` agent and the
        ``planner``; ``entries``: of each method its ``label``, ``scores`` (for each task the
        returns of its seeds), and of our own runs ``curves`` and ``folders`` (for each task, seed
        by seed).

    Raises:
        ValueError: if a file is damaged, or nothing is found.
    """
    found: Results = {"budget": None, "tasks": {}, "entries": {}}
    for path in map(user_path, results):
        if path.is_dir():
            _collect_runs(path, found)
        else:
            board = read_own(path)
            try:
                found["tasks"] = board.get("tasks", {}) | found["tasks"]
                for entry in board["entries"]:
                    scores = {k: [float(x) for x in v] for k, v in entry["scores"].items()}
                    known = {"label": str(entry["label"]), "scores": scores}
                    found["entries"].setdefault(str(entry["method"]), known)
            except DAMAGES as error:
                raise damaged(path, error, "docs/benchmark.md says what it holds") from None
    if not found["entries"]:
        raise ValueError(f"no finished runs in {', '.join(map(str, results))}")
    return found


def _collect_runs(out: Path, found: Results) -> None:
    found["budget"] = read_own(out / SETTINGS).get("budget")
    for file in sorted(out.glob(f"*/{REFERENCE}")):
        reference = read_own(file, "random", "planner")
        env_id = reference["env_id"]
        told = {name: 1 - reference[name] for name in ("random", "planner")}
        found["tasks"][env_id] = told
        for name in METHODS:
            files = sorted(file.parent.glob(f"{name}-*/{SCORES}"), key=_seed)
            if not files:
                continue
            label = METHODS[name].label
            empty: Results = {"label": label, "scores": {}, "curves": {}, "folders": {}}
            entry = found["entries"].setdefault(name, empty)
            runs = [one.parent for one in files]
            scores = [read_own(folder / SCORES, "residual_exact") for folder in runs]
            entry["scores"][env_id] = [1 - score["residual_exact"] for score in scores]
            if all("accuracy_exact" in score for score in scores):
                accuracy = {name: float(np.mean([s["accuracy_exact"] for s in scores]))}
                told.setdefault("accuracy", {"originals": scores[0]["accuracy_originals"]})
                told["accuracy"] |= accuracy
            entry["curves"][env_id] = [
                [
                    [point["seconds"], point["strokes"], 1 - point["residual_exact"]]
                    for point in read_curve(folder, "residual_exact", "strokes")
                ]
                for folder in runs
            ]
            entry["folders"][env_id] = runs


def _seed(file: Path) -> int:
    return int(file.parent.name.rpartition("-")[2])
