"""The methods that compare.py compares: one line of a table each.

compare.py gives a script the task's options, and ``--minutes``, ``--seed``, ``--out`` and
``--evaluate-every``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["METHODS", "TWIN_MINUTES", "Method"]


@dataclasses.dataclass(frozen=True)
class Method:
    """A training script with the arguments that make it this method.

    Attributes:
        label: what it is called in reports.
        script: in baselines/; it leaves a run's folder as harness/run.py describes it.
        arguments: of the script.
        needs: what the task's brush must have: a shipped network that imitates it ("twin"), an
            exact gradient ("exact"), or nothing.
    """

    label: str
    script: str
    arguments: tuple[str, ...] = ()
    needs: str | None = None

    def minutes_before(self, brush: Any) -> float:
        """Of training that it builds on: that of the brush's network.

        Args:
            brush: as the task's settings have it.
        """
        return TWIN_MINUTES.get(brush, 0.0) if self.needs == "twin" else 0.0


# What the shipped networks took to train: our pencil's on two cores, the others on one.
TWIN_MINUTES = {
    "pencil": 60.0,
    "mypaint:classic/charcoal": 12.0,
    "mypaint:classic/pencil": 12.0,  # begun from the charcoal's
    "mypaint:deevad/airbrush": 5.0,
}

METHODS = {
    "neural": Method("StrokeNet, learned generator", "train_strokenet.py", needs="twin"),
    "exact": Method(
        "StrokeNet, exact gradient", "train_strokenet.py", ("--generator", "exact"), needs="exact"
    ),
    "ppo": Method("PPO", "train_ppo.py"),
    "sac": Method("SAC", "train_sac.py"),
}
