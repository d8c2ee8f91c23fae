"""NeuralPainting-v0 and DifferentiablePainting-v0: the same task, with gradients.

The one is painted by a learned generator, the other by the real program with its exact derivative.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

import torch
from torch import Tensor

from strokenet_gym.envs.episodes import Episodes, check_rewards, to_bytes
from strokenet_gym.envs.painting import PaintingEnv, PaintingVectorEnv
from strokenet_gym.generator import ExactGenerator, Generator, load_generator
from strokenet_gym.renderer import get_brush
from strokenet_gym.stroke import Stroke, unpack

__all__ = ["NeuralPaintingEnv", "NeuralPaintingVectorEnv"]


class _NeuralEpisodes(Episodes):
    """Episodes painted by a generator, with a graph if the actions are tensors.

    ``canvas`` and ``target`` are tensors ``[B, C, H, W]`` on the device. ``as_tensor`` says
    whether the last action was a tensor, and so what observations and rewards are.
    """

    def __init__(
        self,
        num_envs: int,
        *,
        generator: str | os.PathLike = "compact",
        device: str | torch.device = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(num_envs, **kwargs)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() and generator != "exact" else "cpu"
        try:
            self.device = torch.device(device)
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device {device!r} is unknown or not available: {error}") from error
        self.generator: Generator
        if generator == "exact":
            self.generator = ExactGenerator(self.brush)
        else:
            self.generator = learned = load_generator(generator, self.device)
            if get_brush(learned.imitates) != self.brush:
                raise ValueError(
                    f"the generator {os.fspath(generator)!r} imitates the brush "
                    f"{learned.imitates!r} only, got {self.brush}"
                )
        self._double: Generator | None = None
        self.as_tensor = False
        self._blank = torch.from_numpy(self.background).to(self.device)[:, None, None]

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self.canvas = self.target = torch.empty(0)  # made by the first reset

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"canvas": self.canvas.detach()}

    def detach(self) -> None:
        """Cut the graph: later gradients stop at the canvas as it is now."""
        self.canvas = self.canvas.detach()

    def _put(self, indices: Sequence[int], targets: np.ndarray, distance: np.ndarray) -> None:
        new = torch.from_numpy(targets).to(self.device)
        if len(indices) == self.num_envs:  # a graph ends where all begin anew
            self.target = new
            self.canvas = self._blank.expand_as(new).clone()
        else:  # new tensors, since the old ones may be part of a graph
            self.target, self.canvas = self.target.clone(), self.canvas.clone()
            self.target[indices] = new
            self.canvas[indices] = self._blank.to(self.canvas.dtype)
        self._distance[indices] = distance

    def paint(self, action: Any, active: np.ndarray | None = None) -> Any:
        self.as_tensor = isinstance(action, Tensor)
        if self.as_tensor:
            return self._paint(action, active)
        with torch.no_grad():
            reward = self._paint(torch.from_numpy(action), active)
        return reward.cpu().double().numpy()

    def _paint(self, action: Tensor, active: np.ndarray | None) -> Tensor:
        before = self.canvas
        after, change = self._apply(before, self.target, action)
        if active is not None:
            mask = torch.from_numpy(active).to(self.device)
            after = torch.where(mask[:, None, None, None], after, before)
            change = torch.where(mask[:, None], change, torch.zeros_like(change))
        if callable(self.reward):
            reward = check_rewards(self.reward(before, after, self.target), self.num_envs)
            if active is not None:
                reward = torch.where(mask, reward, torch.zeros_like(reward))
        else:
            start = torch.from_numpy(self._start[:, self._kind]).to(self.device, change.dtype)
            reward = -change[:, self._kind] / start
        self.canvas = after
        self.stroke += 1 if active is None else active
        self._distance = np.maximum(self._distance + change.detach().cpu().double().numpy(), 0.0)
        return reward

    def composite(self, canvas: Any, action: Any) -> Any:
        self._check_canvas(canvas)
        if isinstance(action, Tensor) or isinstance(canvas, Tensor):
            canvas, action = torch.as_tensor(canvas), torch.as_tensor(action)
            canvas = canvas.to(self.device)
            return self._apply(canvas, canvas.detach(), action)[0]
        with torch.no_grad():
            tensor = torch.from_numpy(np.asarray(canvas, np.float32)).to(self.device)
            painted, _ = self._apply(tensor, tensor, torch.from_numpy(action))
        return painted.cpu().numpy()

    def _apply(self, canvas: Tensor, target: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Painted canvases and the change of their distances, see :meth:`Generator.paint`."""
        stroke = unpack(action.to(self.device), self.channels)
        stroke = self.brush.lays_down(stroke, self._blank[:, 0, 0])
        generator = self.generator
        if action.dtype == torch.float64:  # for gradcheck
            if self._double is None:
                with torch.inference_mode(False):
                    self._double = copy.deepcopy(self.generator).double()
            generator = self._double
        return generator.paint(canvas, target, stroke)

    def check(self, action: Any, single: bool = False) -> Any:
        if not isinstance(action, Tensor):
            return super().check(action, single)
        shape = self.action_space.shape if single else (self.num_envs, *self.action_space.shape)
        if action.dtype == torch.bool or action.dtype.is_complex:
            raise TypeError(f"an action must hold real numbers, got {action.dtype}")
        if action.shape != shape:
            raise ValueError(f"expected an action of shape {shape}, got {tuple(action.shape)}")
        if action.dtype != torch.float64:
            action = action.float()
        finite = torch.isfinite(action)
        if not finite.all():
            index = tuple((~finite).nonzero()[0].tolist())
            raise ValueError(f"action has the value {action[index].item()} at index {index}")
        action = action.clamp(-1, 1)
        return action[None] if single else action

    def observe(self, copy: bool = True) -> dict[str, Any]:
        left = self._strokes_left()
        if self.as_tensor:
            left_tensor = torch.from_numpy(left).to(self.device)
            canvas, target = self.canvas, self.target
            if copy:
                canvas, target = canvas.clone(), target.clone()
            return {"canvas": canvas, "target": target, "strokes_left": left_tensor}
        return {
            "canvas": to_bytes(self.canvas.detach().cpu().numpy()),
            "target": to_bytes(self.target.cpu().numpy()),
            "strokes_left": left,
        }

    def stroke_of(self, action: Any) -> Stroke:
        if isinstance(action, Tensor):
            action = action.detach().cpu().numpy()
        return super().stroke_of(action)

    def float_canvas(self, index: int) -> np.ndarray:
        return self.canvas[index].detach().cpu().float().numpy().copy()

    def _pictures(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        target, canvas = self.target[index], self.canvas[index].detach()
        return to_bytes(target.cpu().numpy()), to_bytes(canvas.cpu().numpy())


class _Differentiable:
    """What the single and the batched neural environment share."""

    _episodes: _NeuralEpisodes

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As in `Painting-v0`, with the option ``as_tensor``: observe tensors."""
        self._episodes.as_tensor = bool((options or {}).get("as_tensor", False))
        return super().reset(seed=seed, options=options)  # type: ignore[misc]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self._episodes.device

    def detach(self) -> None:
        """Cut the graph: later gradients stop at the canvas as it is now."""
        self._episodes.detach()


class NeuralPaintingEnv(_Differentiable, PaintingEnv):
    """Paint a target image with strokes: differentiable.

    ## Description

    The task of `Painting-v0`, with gradients from the reward back into the action. In
    `NeuralPainting-v0` a learned generator stands in for the painting program, as in the paper: the
    way to gradients when a program is a black box. In `DifferentiablePainting-v0` (the same class
    with `generator="exact"`) the real program paints, and hands down its exact derivative: the same
    pictures as in `Painting-v0`, and much faster on a CPU. A policy from one runs in the others.

    ## Action Space

    As in `Painting-v0`. A tensor is accepted as well as an array.

    ## Observation Space

    As in `Painting-v0`. If the action was a tensor: float32 tensors in [0, 1] of the same shapes,
    on the environment's device (float64 after float64 actions, which are for gradient checks).

    ## Rewards

    As in `Painting-v0`. If the action was a tensor: a scalar tensor with a graph. A reward
    function gets and returns tensors.

    ## Starting State

    As in `Painting-v0`. `reset(options={"as_tensor": True})` returns tensors.

    ## Episode End

    As in `Painting-v0`; the flags are bools.

    ## Information

    As in `Painting-v0`; floats without a graph.

    ## Gradients

    With tensor actions, `step` and the pure function `paint(canvas, action)` build a graph through
    all strokes since the last `reset` or `detach()` (both on `env.unwrapped`). The generator is
    frozen; the exact one has first derivatives only. Gradients survive `gym.make`'s own wrappers;
    wrappers that go through NumPy (ClipAction, RescaleAction) cut them. A component outside [-1, 1]
    is clipped and gets no gradient.

    ## Arguments

    Those of `Painting-v0`, and

    * `generator="compact"`: name of a shipped generator, path of a file of weights, or "exact".
    * `device="auto"`: "cpu", "cuda", …; "auto" takes CUDA if there is one, but the CPU for the
      exact program, which runs there: tensors of another device are copied to and fro.

    ## Vectorized environment

    `gym.make_vec("NeuralPainting-v0", num_envs=64)` gives :class:`NeuralPaintingVectorEnv`, and so
    does `DifferentiablePainting-v0`.

    ## Version History

    * v0: Initial release.

    ## References

    * N. Zheng, Y. Jiang, D. Huang. StrokeNet: A Neural Painting Environment. ICLR 2019.
    """

    _episodes: _NeuralEpisodes
    _known_options: ClassVar[tuple[str, ...]] = ("target", "as_tensor")

    def _make_episodes(self, **kwargs: Any) -> Episodes:
        return _NeuralEpisodes(1, **kwargs)


class NeuralPaintingVectorEnv(_Differentiable, PaintingVectorEnv):
    """A batch of differentiable painting environments that paint in one call.

    Tensor actions ``[B, A]`` give tensor observations and rewards ``[B]`` with a graph; the flags
    are NumPy arrays. Otherwise as :class:`NeuralPaintingEnv` and :class:`PaintingVectorEnv`.
    """

    _episodes: _NeuralEpisodes
    _known_options: ClassVar[tuple[str, ...]] = ("target", "reset_mask", "as_tensor")

    def _make_episodes(self, num_envs: int, **kwargs: Any) -> Episodes:
        return _NeuralEpisodes(num_envs, **kwargs)
