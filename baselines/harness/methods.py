"""The methods that compare.py compares: one line of a table each.

compare.py gives a script the task's options, and ``--minutes``, ``--seed``, ``--out`` and
``--evaluate-every``.
"""

from __future__ import annotations

import dataclasses

__all__ = ["METHODS", "Method"]


@dataclasses.dataclass(frozen=True)
class Method:
    """A training script with the arguments that make it this method.

    Attributes:
        label: what it is called in reports.
        script: in baselines/; it leaves a run's folder as harness/run.py describes it.
        arguments: of the script.
        needs: what the task's brush must have: a shipped network that imitates it ("twin"), an
            exact gradient ("exact"), or nothing.
        minutes_before: of training that it builds on, on two cores.
    """

    label: str
    script: str
    arguments: tuple[str, ...] = ()
    needs: str | None = None
    minutes_before: float = 0.0


METHODS = {
    "neural": Method(
        "StrokeNet, learned generator", "train_strokenet.py", needs="twin", minutes_before=60.0
    ),
    "exact": Method(
        "StrokeNet, exact gradient", "train_strokenet.py", ("--generator", "exact"), needs="exact"
    ),
    "ppo": Method("PPO", "train_ppo.py"),
    "sac": Method("SAC", "train_sac.py"),
}
