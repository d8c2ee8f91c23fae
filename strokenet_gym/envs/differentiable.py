"""DifferentiablePainting-v0: the same task, with the exact gradient of the program. Both shapes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from strokenet_gym.extras import require

require("torch")

import torch
from gymnasium.vector import AutoresetMode

from strokenet_gym.envs.episodes import Episodes
from strokenet_gym.envs.painting import PaintingEnv
from strokenet_gym.envs.painting_vector import PaintingVectorEnv
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.envs.tensors import find_device
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.transforms import eager, refuse
from strokenet_gym.stroke import is_tensor

__all__ = [
    "Differentiable",
    "DifferentiablePaintingEnv",
    "DifferentiablePaintingVectorEnv",
    "exact_program",
]

Brush = str | os.PathLike | Mapping[str, Any] | Program


def exact_program(brush: Brush) -> Program:
    """The brush's program, if it has an exact gradient.

    Raises:
        ValueError: if it has none.
    """
    program = load_program(brush)
    if program.gradient != "exact":
        raise ValueError(
            f"the program {program.name!r} has no exact gradient: paint with it in Painting-v0, or "
            "train a network that imitates it (docs/extending.md says how) and pass that to "
            "NeuralPainting-v0 as generator="
        )
    return program


class Differentiable:
    """What the single and the batched environments with gradients share."""

    _episodes: Episodes

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self._episodes.device

    def detach(self) -> None:
        """Cut the graph: later gradients stop at the canvas as it is now."""
        self._episodes.pictures.detach()

    @eager
    def reset(self, **kwargs: Any) -> Any:
        """Start an episode, as in `Painting-v0`."""
        return super().reset(**kwargs)  # type: ignore[misc]

    @eager
    def step(self, action: Any) -> Any:
        """Paint a stroke, as in `Painting-v0`."""
        if is_tensor(action):
            refuse("step")
        return super().step(action)  # type: ignore[misc]

    @eager
    def paint(self, canvas: Any, action: Any) -> Any:
        """Return the canvas with a stroke on it, as in `Painting-v0`: a pure function."""
        return super().paint(canvas, action)  # type: ignore[misc]


class DifferentiablePaintingEnv(Differentiable, PaintingEnv):
    """Paint a target image with strokes: differentiable, exactly.

    ## Description

    The task of `Painting-v0`, with gradients from the reward back into the action. The real program
    paints, and hands down its exact derivative: the same pictures as in `Painting-v0`. A policy
    from one of the environments runs in the others.

    ## Action Space

    As in `Painting-v0`. A tensor is accepted as well as an array.

    ## Observation Space

    As in `Painting-v0`, whatever the actions are. With `as_tensor=True`: float32 tensors in [0, 1]
    of the same shapes, on the environment's device, with a graph to the strokes (float64 after
    float64 actions, which are for gradient checks); and so the space says.

    ## Rewards

    As in `Painting-v0`. If the action was a tensor: a scalar tensor with a graph. A reward
    function gets and returns tensors.

    ## Starting State

    As in `Painting-v0`. `reset(options={"as_tensor": True})` has observations be tensors from then
    on, False arrays.

    ## Episode End

    As in `Painting-v0`; the flags are bools.

    ## Information

    As in `Painting-v0`; floats without a graph.

    ## Gradients

    With tensor actions, `step` and the pure function `paint(canvas, action)` build a graph through
    all strokes since the last `reset` or `detach()` (both on `env.unwrapped`). There are first
    derivatives only. Gradients survive `gym.make`'s own wrappers; wrappers that go through NumPy
    (ClipAction, RescaleAction) cut them. A component outside [-1, 1] is clipped and gets no
    gradient.

    ## Arguments

    Those of `Painting-v0`, with a brush that has an exact gradient, as ours have, and

    * `as_tensor=False`: whether observations are tensors.
    * `device="auto"`: where tensors are: "cpu", "cuda", …; "auto" is the CPU, where the program
      runs: tensors of another device are copied to and fro.

    ## Vectorized environment

    `gym.make_vec("DifferentiablePainting-v0", num_envs=64)` gives
    :class:`DifferentiablePaintingVectorEnv`.

    ## Version History

    * v0: Initial release.

    ## References

    * N. Zheng, Y. Jiang, D. Huang. StrokeNet: A Neural Painting Environment. ICLR 2019.
    """

    known_options: ClassVar[tuple[str, ...]] = ("target", "as_tensor")

    def __init__(
        self,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int | Sequence[int] = 128,
        channels: int | None = None,
        max_strokes: int = 1,
        brush: Brush = "pencil",
        background: float | Sequence[float] = 0.0,
        reward: str | Reward = "l2",
        render_mode: str | None = None,
        stroke_seconds: float = 0.5,
        as_tensor: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        program = exact_program(brush)
        episodes = Episodes(
            1,
            program,
            targets=targets,
            data_dir=data_dir,
            canvas_size=canvas_size,
            channels=channels,
            max_strokes=max_strokes,
            background=background,
            reward=reward,
            device=find_device(device, program),
            as_tensor=as_tensor,
        )
        self._open(episodes, render_mode, stroke_seconds)


class DifferentiablePaintingVectorEnv(Differentiable, PaintingVectorEnv):
    """A batch of differentiable painting environments that paint in one call.

    Tensor actions ``[B, A]`` give tensor observations and rewards ``[B]`` with a graph; the flags
    are NumPy arrays. Otherwise as :class:`DifferentiablePaintingEnv` and
    :class:`PaintingVectorEnv`.
    """

    known_options: ClassVar[tuple[str, ...]] = ("target", "reset_mask", "as_tensor")

    def __init__(
        self,
        num_envs: int = 1,
        *,
        targets: Any = "glyphs",
        data_dir: str | os.PathLike | None = None,
        canvas_size: int | Sequence[int] = 128,
        channels: int | None = None,
        max_strokes: int = 1,
        brush: Brush = "pencil",
        background: float | Sequence[float] = 0.0,
        reward: str | Reward = "l2",
        render_mode: str | None = None,
        stroke_seconds: float = 0.5,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        shown: int = 0,
        copy: bool = True,
        max_episode_steps: int | None = None,
        disable_env_checker: bool | None = None,
        as_tensor: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        program = exact_program(brush)
        episodes = Episodes(
            num_envs,
            program,
            targets=targets,
            data_dir=data_dir,
            canvas_size=canvas_size,
            channels=channels,
            max_strokes=max_strokes,
            background=background,
            reward=reward,
            device=find_device(device, program),
            as_tensor=as_tensor,
        )
        how = render_mode, stroke_seconds, autoreset_mode, shown, copy, max_episode_steps
        self._open(episodes, *how)
