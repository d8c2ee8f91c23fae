"""The planner as an agent: it plans all strokes of an episode first, and then paints them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.checks import whole
from strokenet_gym.envs.arguments import check_observation
from strokenet_gym.painter.planner import Planner
from strokenet_gym.painter.styles import Style
from strokenet_gym.programs import load_program
from strokenet_gym.programs.stamped import Brush
from strokenet_gym.recording import episodes_of
from strokenet_gym.stroke import action_size, pack

__all__ = ["PlannerAgent"]


class _Plan(NamedTuple):
    """What is planned for one environment.

    Attributes:
        target: uint8 ``[C, H, W]``.
        left: the share of the budget that is left when the next action is due.
        actions: those that are still to be painted, ``[N, A]``.
    """

    target: np.ndarray
    left: float
    actions: np.ndarray


class PlannerAgent:
    """An agent without a network: it paints any target with any :class:`strokenet_gym.Brush`.

    At the first step of an episode it plans all strokes, through the exact gradient of the brush,
    and then it paints one after the other.

    Args:
        brush: what the environment paints with; see ``gym.make``.
        max_strokes: strokes in an episode; None: found out at the second step of the first
            episode, up to which it plans one stroke.
        seed: of the plans.

    Attributes:
        channels: None, since it paints in grey and in RGB.
        max_strokes: as given, or as found out.
        task: empty, since it is not trained.

    Raises:
        ValueError: if the brush has no exact gradient, or a number is wrong.
    """

    channels = None

    def __init__(
        self, brush: Any = "pencil", max_strokes: int | None = None, seed: int = 0
    ) -> None:
        self.max_strokes = (
            None if max_strokes is None else whole(max_strokes, "max_strokes", 1, 2**20)
        )
        self.task: dict[str, Any] = {}
        self._seed = seed
        self._style = _style(brush)
        self._plans: dict[int, _Plan] = {}

    def prepare(self, env: Any) -> None:
        """Take the brush and the budget of an environment of this package, single or batched.

        Raises:
            ValueError: if the brush has no exact gradient.
        """
        episodes = episodes_of(env)
        self._style, self.max_strokes = _style(episodes.engine.brush), episodes.max_strokes
        self._plans = {}

    @np.errstate(under="ignore")
    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Choose strokes for the NumPy observations of any environment, single or batched.

        Arguments, result and errors are those of :meth:`strokenet_gym.Agent.act`.
        """
        arrays, single = check_observation(observation)
        seen = [arrays[key] for key in ("canvas", "target", "strokes_left")]
        if single:
            return self._act(0, *seen)
        return np.stack([self._act(k, *one) for k, one in enumerate(zip(*seen, strict=True))])

    def _act(
        self, index: int, canvas: np.ndarray, target: np.ndarray, strokes_left: np.ndarray
    ) -> np.ndarray:
        left, plan = float(strokes_left[0]), self._plans.get(index)
        on = False  # whether this is the next step of the plan
        if plan is not None and np.array_equal(plan.target, target):
            if self.max_strokes is None and left < plan.left:
                self.max_strokes = round(1 / (plan.left - left))
            elif len(plan.actions) and self.max_strokes is not None:
                on = abs(left - plan.left) * self.max_strokes < 0.5
        budget = self.max_strokes
        if plan is None or not on:
            count = 1 if budget is None else max(1, round(left * budget))
            plan = _Plan(target.copy(), left, self._plan(canvas, target, count))
        after = plan.left if budget is None else plan.left - 1 / budget
        self._plans[index] = _Plan(plan.target, after, plan.actions[1:])
        return plan.actions[0]

    def _plan(self, canvas: np.ndarray, target: np.ndarray, count: int) -> np.ndarray:
        """Actions ``[count, A]``; the last ones are blank if fewer strokes are of use."""
        planner = Planner(target, count, self._style, seed=self._seed, canvas=canvas)
        while not planner.done:
            planner.step()
        actions = np.zeros((count, action_size(len(target))), np.float32)
        actions[:, len(target) + 3 :: 3] = -1  # no pressure
        for index, stroke in enumerate(planner.log().strokes):
            actions[index] = pack(stroke, self._style.brush.radii)
        return actions.clip(-1, 1)


def _style(brush: Any) -> Style:
    """Any stroke that the brush can paint; long ones at first, to trace lines with."""
    program = load_program(brush)
    if not isinstance(program, Brush):
        raise ValueError(
            f"the planner needs the exact gradient of a strokenet_gym.Brush, got {program.name!r}"
        )
    return Style(
        program,
        pressure=(0.0, 1.0),
        margin=0.0,
        bending=2.0,
        length=(2.0, 60.0),
        iterations=150,
        finish=1000,
    )
