"""A sparse reward: the last stroke gets what all of an episode's strokes earned."""

from __future__ import annotations

from typing import Any

from strokenet_gym.envs.task import Task

__all__ = ["SparseTask"]


class SparseTask(Task):
    """Only the last stroke of an episode is rewarded, with the return of the whole episode."""

    _earned: Any = None  # by each episode so far, [B]

    def reward(self, earned: Any) -> Any:
        """Nothing but at the end, see :class:`Task`."""
        engine, begun = self.engine, self.stroke > 1
        if begun.any():
            rows = engine.index(begun)
            earned = earned + engine.spread(self._earned[rows], rows)
        self._earned, last = earned, engine.index(self.ended())
        return engine.spread(earned[last], last)

    def detach(self) -> None:
        """Cut the graph of what was earned as well."""
        super().detach()
        if hasattr(self._earned, "detach"):
            self._earned = self._earned.detach()
