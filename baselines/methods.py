"""The methods that are compared: one line of a table each.

A method is a module with ``Args``, which derive from :class:`.harness.task.AgentRunArgs`, and
``main(args)``, which trains on their task, from their seed and within their budget, and leaves a
run's folder as harness/run.py describes it. A folder that holds a run is gone on with.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

from . import train_ppo, train_sac, train_strokenet
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
            exact gradient ("exact"), or nothing.
    """

    label: str
    module: ModuleType
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    needs: str | None = None

    def train(self, task: Task, folder: Path, **options: Any) -> None:
        """Train, or go on with it: ``seed``, ``minutes`` or ``updates``, and other arguments."""
        values = {field.name: getattr(task, field.name) for field in dataclasses.fields(Task)}
        self.module.main(self.module.Args(**values, **self.options, out=folder, **options))

    def about(self, brush: Any) -> dict[str, Any]:
        """Its label, and the minutes of training that it builds on: that of the brush's network."""
        before = _TWIN_MINUTES.get(str(brush), 0.0) if self.needs == "twin" else 0.0
        return {"label": self.label, "minutes_before": before}


# What the shipped networks took to train: our pencil's on two cores, the others on one.
_TWIN_MINUTES = {
    "pencil": 60.0,
    "mypaint:classic/charcoal": 12.0,
    "mypaint:classic/pencil": 12.0,  # begun from the charcoal's
    "mypaint:deevad/airbrush": 5.0,
}

METHODS = {
    "neural": Method("StrokeNet, learned generator", train_strokenet, needs="twin"),
    "exact": Method(
        "StrokeNet, exact gradient", train_strokenet, {"generator": "exact"}, needs="exact"
    ),
    "ppo": Method("PPO", train_ppo),
    "sac": Method("SAC", train_sac),
}
