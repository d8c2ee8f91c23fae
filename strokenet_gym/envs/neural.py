"""NeuralPainting-v0: the same task, painted by a learned generator, with its gradient."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from strokenet_gym.extras import require

require("torch", "safetensors")

import torch
from gymnasium.vector import AutoresetMode

from strokenet_gym.envs.differentiable import Brush, Differentiable, exact_program
from strokenet_gym.envs.episodes import Episodes
from strokenet_gym.envs.painting import PaintingEnv
from strokenet_gym.envs.painting_vector import PaintingVectorEnv
from strokenet_gym.envs.rewards import Reward
from strokenet_gym.envs.tensors import find_device
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.learned import load_generator, twin_of
from strokenet_gym.programs.opacity import why_no_twin

__all__ = ["NeuralPaintingEnv", "NeuralPaintingVectorEnv"]


def learned_program(
    generator: str | os.PathLike | Mapping[str, Any] | Program | None,
    brush: Brush,
    device: str | torch.device,
) -> Program:
    """The generator that is meant, on its device.

    Raises:
        ValueError: if there is none of that name, it has no gradient, its weights are not finite,
            or it imitates another brush.
    """
    if generator is None:
        generator = _twin_of(load_program(brush))
    if isinstance(generator, str) and generator == "exact":
        return exact_program(brush)
    if isinstance(generator, (Program, Mapping)):
        program = load_program(generator)
    elif isinstance(generator, (str, os.PathLike)):
        program = load_generator(generator)
    else:
        raise TypeError(
            f"generator must be a name, a path or a Program, got {type(generator).__name__}"
        )
    if program.gradient is None:
        raise ValueError(
            f"the generator {program.name!r} has no gradient: paint with it in Painting-v0, as "
            "brush="
        )
    imitates, real = getattr(program, "imitates", None), real_program(program, brush)
    if imitates is not None and not _are_same(imitates, real):
        raise ValueError(
            f"the generator {program.name!r} imitates the brush {imitates.name!r} only, got "
            f"{real.name}"
        )
    if isinstance(program, torch.nn.Module):
        if not all(weights.isfinite().all() for weights in program.parameters()):
            raise ValueError(f"the generator {program.name!r} has weights that are NaN or infinite")
        _make_usable(program)
        program.to(find_device(device, program))
    return program


def _twin_of(brush: Program) -> str:
    """The shipped network that imitates a brush.

    Raises:
        ValueError: if there is none; the message says whether there can be one.
    """
    name = twin_of(brush)
    if name is not None:
        return name
    why = why_no_twin(brush)
    if why is not None:
        raise ValueError(
            f"no network can imitate the brush {brush.name!r}, since it {why}: paint with it in "
            "Painting-v0"
        )
    raise ValueError(
        f"no network is shipped that imitates the brush {brush.name!r}: train one "
        "(docs/extending.md says how) and pass it as generator="
    )


def _make_usable(network: torch.nn.Module) -> None:
    """Copy what was made in inference mode, so that gradients go through it."""
    with torch.inference_mode(False):
        for module in network.modules():
            for key, weights in module._parameters.items():
                if weights is not None and weights.is_inference():
                    copy = torch.nn.Parameter(weights.clone(), weights.requires_grad)
                    module._parameters[key] = copy
            for key, values in module._buffers.items():
                if values is not None and values.is_inference():
                    module._buffers[key] = values.clone()


def real_program(program: Program, brush: Brush) -> Program:
    """What strokes leave in reality: the brush that a network imitates; an exact program's own."""
    return program if program.gradient == "exact" else load_program(brush)


def _are_same(imitates: Program, real: Program) -> bool:
    """Whether they are one program; of one from outside, a file has the name and the ranges."""
    if imitates == real:
        return True
    one, other = ((p.name, p.blend, tuple(p.radii)) for p in (imitates, real))
    return one == other


class NeuralPaintingEnv(Differentiable, PaintingEnv):
    """Paint a target image with strokes: differentiable, by a network.

    ## Description

    The task of `Painting-v0`, painted by a learned generator that stands in for the painting
    program, as in the paper: the way to gradients when a program is a black box, and on a GPU.
    A policy from one of the environments runs in the others.

    Spaces, rewards, episodes and gradients are those of `DifferentiablePainting-v0`.

    ## Arguments

    Those of `Painting-v0`, and

    * `generator=None`: the shipped network that imitates the brush; or name of a shipped one, path
      of a file of weights, any `strokenet_gym.Program` that has a gradient (a network is taken as
      it is: freeze it, unless you want to train it), or "exact": the brush's own gradient.
    * `brush="pencil"`: the brush that the generator imitates; "mypaint:classic/charcoal",
      "mypaint:classic/pencil" and "mypaint:deevad/airbrush" have networks too. The window and
      recorded strokes show what it paints.
    * `as_tensor=False`: whether observations are tensors, see `DifferentiablePainting-v0`.
    * `device="auto"`: "cpu", "cuda", …; "auto" takes CUDA if there is one.

    ## Vectorized environment

    `gym.make_vec("NeuralPainting-v0", num_envs=64)` gives :class:`NeuralPaintingVectorEnv`.

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
        generator: str | os.PathLike | Program | None = None,
        as_tensor: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        program = learned_program(generator, brush, device)
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
            brush=real_program(program, brush),
            device=find_device(device, program),
            as_tensor=as_tensor,
        )
        self._open(episodes, render_mode, stroke_seconds)


class NeuralPaintingVectorEnv(Differentiable, PaintingVectorEnv):
    """A batch of :class:`NeuralPaintingEnv`; as :class:`DifferentiablePaintingVectorEnv`."""

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
        generator: str | os.PathLike | Program | None = None,
        as_tensor: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        program = learned_program(generator, brush, device)
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
            brush=real_program(program, brush),
            device=find_device(device, program),
            as_tensor=as_tensor,
        )
        how = render_mode, stroke_seconds, autoreset_mode, shown, copy, max_episode_steps
        self._open(episodes, *how)
