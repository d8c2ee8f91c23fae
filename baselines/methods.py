"""The methods of the benchmark: one line of a table each.

A method is a module with ``Args``, which derive from :class:`.harness.task.AgentRunArgs`, and
``main(args)``, which trains on their task, from their seed and within their budget, and leaves a
run's folder as harness/run.py describes it. A folder that holds a run is gone on with.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

from . import train_ppo, train_sac, train_shac, train_strokenet
from .harness.task import Task

__all__ = ["METHODS", "Method"]


@dataclasses.dataclass(frozen=True)
class Method:
    """A training with the arguments that make it this method.

    Attributes:
        label: what it is called in reports.
        module: what trains.
        options: arguments of it.
        needs: what the task's brush must have: a shipped network that imitates it ("twin"), an
            exact gradient ("exact"), one of the two ("gradient"), or nothing.
        min_strokes: strokes that an episode must have at least,
        otherwise: and the method that it is with fewer.
    """

    label: str
    module: ModuleType
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    needs: str | None = None
    min_strokes: int = 1
    otherwise: str | None = None

    def train(self, task: Task, folder: Path, **options: Any) -> None:
        """Train, or go on with it: ``seed``, ``minutes`` or ``updates``, and other arguments."""
        values = {field.name: getattr(task, field.name) for field in dataclasses.fields(Task)}
        self.module.main(self.module.Args(**values, **self.options, out=folder, **options))


METHODS = {
    "ppo": Method("PPO", train_ppo),
    "sac": Method("SAC", train_sac),
    "apg": Method("APG", train_shac, {"batch": 16}, needs="gradient"),
    "shac": Method(
        "SHAC", train_shac, {"horizon": 4}, needs="gradient", min_strokes=5, otherwise="apg"
    ),
    "exact": Method(
        "StrokeNet, exact gradient", train_strokenet, {"generator": "exact"}, needs="exact"
    ),
    "neural": Method("StrokeNet, learned model", train_strokenet, needs="twin"),
}
