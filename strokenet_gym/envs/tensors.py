"""Canvases and targets of a batch of episodes as torch tensors, with a graph through the strokes.

The twin of arrays.py: the same methods. Nothing is changed in place, since a graph may need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from strokenet_gym.extras import require

require("torch")

import torch
from torch import Tensor

from strokenet_gym.programs.base import Program
from strokenet_gym.programs.transforms import dense, refuse, usable
from strokenet_gym.stroke import Stroke
from strokenet_gym.targets.filling import put

__all__ = ["Tensors", "find_device"]


def find_device(device: str | torch.device, program: Program) -> torch.device:
    """The device that is meant: "auto" takes CUDA if there is one and the program runs there.

    Raises:
        ValueError: if it is unknown or not available.
    """
    if isinstance(device, str) and device == "auto":
        device = "cuda" if torch.cuda.is_available() and "cuda" in program.devices else "cpu"
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"device {device!r} is unknown or not available, 'cpu' always is: {error}"
        ) from error
    if found.type == "meta":
        raise ValueError("device 'meta' has no values")
    return found


class Tensors:
    """A batch of pictures as tensors, see :class:`strokenet_gym.envs.arrays.Arrays`.

    Args:
        background: float32 ``[C]``, colour of the empty canvas.
        device: where the tensors are.
    """

    canvas: Tensor
    target: Tensor

    def __init__(self, background: np.ndarray, device: torch.device) -> None:
        self.device, self._background = device, background
        with torch.inference_mode(False):
            self.background = torch.from_numpy(background).to(device)

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no graph."""
        return {k: v.detach() if isinstance(v, Tensor) else v for k, v in self.__dict__.items()}

    def detach(self) -> None:
        """Cut the graph: later gradients stop at the canvas as it is now."""
        self.canvas = usable(self.canvas.detach())

    @torch.inference_mode(False)
    def take_over(self, canvas: np.ndarray, target: np.ndarray) -> None:
        """Have these pictures, arrays."""
        self.canvas = torch.tensor(canvas, device=self.device)
        self.target = torch.tensor(target, device=self.device)

    @torch.inference_mode(False)
    def begin(
        self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Set targets, and empty canvases, as new tensors, whether or not the old ones are needed.

        See :func:`strokenet_gym.targets.filling.put`.
        """
        targets = np.empty((len(images), *self.canvas.shape[1:]), np.float32)
        start = put(images, self._background, range(len(images)), targets)
        new = torch.from_numpy(targets).to(self.device)
        blank = self.background[:, None, None]
        if len(indices) == len(self.canvas):  # a graph ends where all begin anew
            target, canvas = new, blank.expand_as(new).clone()
        else:  # new tensors, since the old ones may be part of a graph
            target, canvas = usable(self.target).clone(), usable(self.canvas).clone()
            target[indices] = new
            canvas[indices] = blank.to(canvas.dtype)
        self.target, self.canvas = target, canvas
        return start

    def check(self, action: Any, shape: tuple[int, ...]) -> Tensor:
        """Check actions, as :func:`strokenet_gym.stroke.check_action` does."""
        refuse()
        action = dense(action, "an action")
        if not (action.dtype.is_floating_point or action.dtype in _INTEGERS):
            raise TypeError(
                f"an action must hold real numbers in [-1, 1], got dtype {action.dtype}"
            )
        if action.shape != shape:
            raise ValueError(f"expected an action of shape {shape}, got {tuple(action.shape)}")
        if action.dtype != torch.float64:
            action = action.float()
        finite = torch.isfinite(action)
        if not finite.all():
            index = tuple((~finite).nonzero()[0].tolist())
            raise ValueError(f"action has the value {action[index].item()} at index {index}")
        return action.clamp(-1, 1)

    def check_canvas(self, canvas: Any) -> Tensor:
        """Return the canvas as a tensor.

        Raises:
            TypeError: if it does not hold real numbers.
            ValueError: if it is in 8 bits.
        """
        refuse()
        canvas = dense(canvas, "a canvas")
        if canvas.dtype == torch.bool or canvas.dtype.is_complex:
            raise TypeError(f"a canvas must hold real numbers, got dtype {canvas.dtype}")
        if canvas.dtype == torch.uint8:
            raise ValueError(
                f"a canvas must be in 0 … 1, got {canvas.max()} as uint8: divide it by 255"
            )
        return canvas.to(self.device)

    def stroke(
        self, program: Program, stroke: Stroke, active: np.ndarray | None
    ) -> tuple[Tensor, Tensor]:
        """Paint a stroke on each active canvas; return the new canvases and the change."""
        canvas, target = usable(self.canvas), usable(self.target)
        if active is None:
            return program.paint_tensors(canvas, target, stroke, self.background)
        rows = np.flatnonzero(active)
        stroke = Stroke(*(field[rows] for field in stroke))
        change = stroke.radius[:, None].expand(-1, 2)  # a graph, though there may be no row
        if len(rows):
            below = canvas[rows], target[rows]
            after, change = program.paint_tensors(*below, stroke, self.background)
            canvas = _put(canvas.to(after.dtype), rows, after)
        return canvas, _put(change.new_zeros(len(active), 2), rows, change)

    def settle(self) -> None:
        """There is never anything to undo."""

    def undo(self) -> None:
        """There is never anything to undo."""

    def paint(self, program: Program, canvas: Tensor, stroke: Stroke) -> Tensor:
        """A stroke on each of these canvases, a pure function."""
        canvas = canvas.to(stroke.position.dtype)
        return program.paint_tensors(canvas, canvas.detach(), stroke, self.background)[0]

    def unpackable(self, action: Tensor) -> Tensor:
        """Actions where programs want strokes."""
        return action.to(self.device)

    def like(self, numbers: np.ndarray, values: Tensor) -> Tensor:
        """Numbers of the episodes, to compute with these."""
        return torch.from_numpy(numbers).to(values)

    def numbers(self, values: Tensor) -> np.ndarray:
        """The way back, without a graph."""
        return values.detach().cpu().double().numpy()

    def rewards(self, values: Any) -> Tensor:
        """What a reward function returned."""
        return dense(values, "rewards").to(self.device)

    def spread(self, rewards: Tensor, rows: np.ndarray, count: int) -> Tensor:
        """Rewards of some rows among so many, the others' 0."""
        return _put(rewards.new_zeros(count), rows, rewards)

    def kept(self, images: Tensor) -> Tensor:
        """Images for a reward function."""
        return images

    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        """The batched observation, with the strokes left ``[B, 1]``."""
        canvas, target = self.canvas, self.target
        if copy:
            canvas, target = canvas.clone(), target.clone()
        strokes_left = torch.from_numpy(left).to(self.device)
        return {"canvas": canvas, "target": target, "strokes_left": strokes_left}

    def observe_others(
        self, canvas: np.ndarray, target: np.ndarray, left: np.ndarray
    ) -> dict[str, Any]:
        """The batched observation of other pictures, float32 arrays in 0 … 1."""
        pictures = {"canvas": canvas, "target": target, "strokes_left": left}
        return {key: torch.tensor(value, device=self.device) for key, value in pictures.items()}

    def float_pictures(self) -> tuple[np.ndarray, np.ndarray]:
        """Canvases and targets, float32 ``[B, C, H, W]``."""
        canvas, target = self.canvas.detach().cpu().float(), self.target.cpu().float()
        return canvas.numpy(), target.numpy()


def _put(values: Tensor, rows: np.ndarray, new: Tensor) -> Tensor:
    """A copy of the values with new ones in some rows."""
    return values.index_put((torch.from_numpy(rows).to(values.device),), new)


_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)
