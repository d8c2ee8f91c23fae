"""The engine whose pictures are torch tensors on one device, with a graph through the strokes.

Nothing of an episode leaves the device in a step that has tensors in and out: canvases, targets
and distances stay there; counts of strokes, which flags are made of, are known without asking it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from strokenet_gym.extras import require

require("torch")

import torch
from torch import Tensor

from strokenet_gym.checks import array_of
from strokenet_gym.envs.arrays import Arrays
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.programs.base import Program
from strokenet_gym.programs.transforms import dense, refuse
from strokenet_gym.stroke import Stroke, check_action, is_tensor, unpack
from strokenet_gym.targets.filling import put

__all__ = ["Tensors", "find_device"]

_INTEGERS = torch.int8, torch.int16, torch.int32, torch.int64


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


class Tensors(Arrays):
    """Pictures as tensors; they are not changed in place, since a graph may need them."""

    def __init__(
        self, program: Program, brush: Program, device: str | torch.device, as_tensor: bool
    ) -> None:
        super().__init__(program, brush)
        self.device, self.as_tensor = find_device(device, program), as_tensor

    @torch.inference_mode(False)
    def open(self, shape: tuple[int, ...], colour: np.ndarray) -> None:
        self.colour = colour
        self._background = torch.from_numpy(colour).to(self.device)
        # In single precision, so that rewards have that of the strokes.
        start = torch.ones(shape[0], 2, dtype=torch.float32, device=self.device)
        self.canvas = self.target = self._background[:, None, None].expand(shape)
        double = self.device.type != "mps"  # which has none
        self._known: tuple[Any, Any] = None, None  # a target, and it in 8 bits
        self.start, self.distance = start, start.double() if double else start.clone()

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no graph."""
        state = {k: v.detach() if is_tensor(v) else v for k, v in self.__dict__.items()}
        return {**state, "_known": (None, None)}

    @torch.inference_mode(False)
    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        targets = np.empty((len(images), *self.canvas.shape[1:]), np.float32)
        found, visible = put(images, self.colour, range(len(images)), targets)
        errors = found.astype(np.float32)
        starts = np.where(visible[:, None], errors, np.float32(1))
        target, distance, start = (
            torch.from_numpy(array).to(self.device) for array in (targets, errors, starts)
        )
        canvas = self._background[:, None, None].expand_as(target)
        if len(indices) == len(self.canvas):  # a graph ends where all begin anew
            self.canvas, self.target = canvas.contiguous(), target
            self.start, self.distance = start, distance.to(self.distance.dtype)
            return
        rows = (torch.tensor(indices, device=self.device),)
        new = {"canvas": canvas, "target": target, "start": start, "distance": distance}
        for name, values in new.items():
            old = getattr(self, name)  # which may be part of a graph
            setattr(self, name, old.index_put(rows, values.to(old.dtype)))

    def check(self, action: Any, shape: tuple[int, ...]) -> Any:
        if not is_tensor(action):
            return check_action(array_of(action, "an action"), shape)
        refuse()
        action = dense(action, "an action")
        if not (action.is_floating_point() or action.dtype in _INTEGERS):
            raise TypeError(
                f"an action must hold real numbers in [-1, 1], got dtype {action.dtype}"
            )
        if action.shape != shape:
            raise ValueError(f"expected an action of shape {shape}, got {tuple(action.shape)}")
        if action.dtype != torch.float64:
            action = action.float()
        # A single number comes from the device; those beyond single precision are clipped.
        if not math.isfinite(action.detach().sum().item()) and not action.isfinite().all():
            index = tuple((~action.isfinite()).nonzero()[0].tolist())
            raise ValueError(f"action has the value {action[index].item()} at index {index}")
        return action.clamp(-1, 1)

    def check_canvas(self, canvas: Any, shape: tuple[int, ...]) -> Any:
        refuse()
        return super().check_canvas(canvas, shape)

    def door(self, work: Callable[..., Any], *values: Any) -> Any:
        """Arrays become tensors, and get an array without a graph. Inference mode ends here.

        So what is kept can be part of a graph later, whatever mode it was painted in.
        """
        tensors = any(map(is_tensor, values))
        graph = tensors and torch.is_grad_enabled()
        with torch.inference_mode(False), torch.set_grad_enabled(graph):
            result = work(*(dense(value, "a value").to(self.device) for value in values))
        return result if tensors else result.cpu().numpy()

    def step(self, action: Tensor, rows: Tensor | None) -> Tensor:
        stroke = unpack(action, len(self.colour), self.program.radii)
        canvas, target = self.canvas, self.target
        if rows is None:
            below = canvas, target, stroke, self._background
            self.canvas, change = self.program.paint_tensors(*below)
        else:
            stroke = Stroke(*(field[rows] for field in stroke))
            change = stroke.radius[:, None].expand(-1, 2)  # a graph, though there may be no row
            if len(rows):
                below = canvas[rows], target[rows], stroke, self._background
                painted, change = self.program.paint_tensors(*below)
                self.canvas = canvas.to(painted.dtype).index_put((rows,), painted)
            change = self.spread(change, rows)
        self.distance = (self.distance + change.detach()).clip(0)
        return change

    def paint(self, canvas: Tensor, action: Tensor) -> Tensor:
        stroke = unpack(action, len(self.colour), self.program.radii)
        canvas = canvas.to(stroke.position.dtype)
        return self.program.paint_tensors(canvas, canvas.detach(), stroke, self._background)[0]

    def index(self, active: np.ndarray) -> Tensor:
        return torch.from_numpy(np.flatnonzero(active)).to(self.device)

    def values(self, values: Any) -> Tensor:
        values = dense(values, "rewards").to(self.device)
        return values if values.is_floating_point() or values.is_complex() else values.float()

    def spread(self, values: Tensor, rows: Tensor) -> Tensor:
        return values.new_zeros(len(self.canvas), *values.shape[1:]).index_put((rows,), values)

    def kept(self, pictures: Tensor) -> Tensor:
        return pictures

    def host(self, pictures: Tensor) -> np.ndarray:
        return pictures.detach().cpu().numpy().copy()

    def told(self, numbers: Tensor) -> Any:
        return numbers.clone() if self.as_tensor else self.host(numbers)

    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        if not self.as_tensor:
            if self._known[0] is not self.target:
                self._known = self.target, self._to_bytes(self.target)
            canvas, target = self._to_bytes(self.canvas), self._known[1].copy()
            return {"canvas": canvas, "target": target, "strokes_left": left}
        canvas, target = self.canvas, self.target
        if copy:
            canvas, target = canvas.clone(), target.clone()
        strokes_left = torch.from_numpy(left).to(self.device)
        return {"canvas": canvas, "target": target, "strokes_left": strokes_left}

    def detach(self) -> None:
        self.canvas = self.canvas.detach()

    def _to_bytes(self, pictures: Tensor) -> np.ndarray:
        """Rounded to 8 bits, on another device before they are copied."""
        pictures = pictures.detach().float()
        if self.device.type == "cpu":  # where NumPy is faster
            return to_bytes(pictures.numpy())
        return (pictures * 255 + 0.5).to(torch.uint8).cpu().numpy()
