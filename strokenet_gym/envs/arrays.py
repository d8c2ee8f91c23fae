"""The engine of ``Painting-v0``, whose pictures are NumPy arrays; the others derive from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from strokenet_gym.checks import array_of, real_array, real_tensor
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import Stroke, action_size, check_action, is_tensor, unpack
from strokenet_gym.targets.filling import put

__all__ = ["Arrays"]


class Arrays:
    """What paints a batch of pictures, here arrays that are painted in place.

    Args:
        program: what paints strokes; None: the engine paints something else.
        brush: what strokes leave in the real program; by default the program.

    Attributes:
        device: where tensors are; None: there are arrays only.
        as_tensor: whether observations are tensors, float32 in 0 … 1, and not arrays of uint8.
        colour: float32 array ``[C]``, the empty canvas.
        canvas: float32 ``[B, C, H, W]`` in 0 … 1, never rounded.
        target: the same.
        distance: float64 ``[B, 2]``, mean squared and mean absolute difference of the two.
        start: the same when the episode began; 1 if the target looks like the empty canvas.
    """

    device: Any = None
    as_tensor = False
    canvas: Any
    target: Any
    distance: Any
    start: Any

    def __init__(self, program: Program | None, brush: Program | None = None) -> None:
        self.program: Any = program
        self.brush: Any = brush or program

    def open(self, shape: tuple[int, ...], colour: np.ndarray) -> None:
        """Make the pictures ``[B, C, H, W]``."""
        self.colour = colour
        self.canvas, self.target = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        # Both rounded to 8 bits, for observations.
        self._pixels, self._target_pixels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        whole = np.array([0, shape[3], 0, shape[2]], np.int64)
        self._inked = np.tile(whole, (shape[0], 1))  # outside of which canvases are empty
        self.distance, self.start = np.zeros((shape[0], 2)), np.ones((shape[0], 2))
        self._area = self.canvas[0].size

    def action_space(self) -> spaces.Space:
        """What one stroke is chosen from."""
        return spaces.Box(-1, 1, (action_size(len(self.colour)),), np.float32)

    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        """Set targets, and empty canvases, see :meth:`Task.begin`."""
        if handed_over:
            self._pixels = np.empty_like(self._pixels)
            self._pixels[:] = to_bytes(self.colour)[:, None, None]
            self._target_pixels = np.empty_like(self._target_pixels)
        batch = self.target, self._target_pixels, self.canvas, self._pixels, self._inked
        start, visible = put(images, self.colour, indices, *batch)
        self.start[indices] = np.where(visible[:, None], start, 1.0)
        self.distance[indices] = start

    def check(self, action: Any, shape: tuple[int, ...]) -> Any:
        """Return actions clipped to [-1, 1]; raise as ``step`` does."""
        if is_tensor(action) and action.requires_grad:
            raise TypeError(
                "Painting-v0 has no gradients, but the action requires one: make "
                "DifferentiablePainting-v0 (or NeuralPainting-v0), or pass action.detach()"
            )
        return check_action(array_of(action, "an action"), shape)

    def check_canvas(self, canvas: Any, shape: tuple[int, ...]) -> Any:
        """Return a canvas in 0 … 1 as an array or a tensor; raise as ``paint`` does."""
        if str(getattr(canvas, "dtype", "")).endswith("uint8"):
            raise ValueError(
                f"a canvas must be in 0 … 1, got {canvas.max()} as uint8: divide it by 255"
            )
        real = real_tensor if self.device is not None and is_tensor(canvas) else real_array
        canvas = real(canvas, "a canvas", shape)
        low, high = canvas.min().item(), canvas.max().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"a canvas must be in 0 … 1, got {low:g} … {high:g}")
        return canvas

    def door(self, work: Callable[..., Any], *values: Any) -> Any:
        """Do work with checked values in the engine's library; answer in the user's."""
        return work(*values)

    def step(self, action: Any, rows: Any) -> Any:
        """Paint actions ``[B, A]`` on the canvases in these rows; None: on all.

        Returns:
            ``[B, 2]``: by how much :attr:`distance` changed.
        """
        stroke = self._unpack(action)
        if rows is not None:
            pressure = np.zeros_like(stroke.pressure)
            pressure[rows] = stroke.pressure[rows]
            stroke = stroke._replace(pressure=pressure)
        change = self.program.composite(
            self.canvas, self.target, stroke, self.colour, pixels=self._pixels, inked=self._inked
        )
        change /= self._area
        np.maximum(self.distance + change, 0.0, out=self.distance)
        return change

    def paint(self, canvas: Any, action: Any) -> Any:
        """Return canvases with an action painted on each: a pure function."""
        painted = canvas.astype(np.float32, order="C")
        self.program.composite(painted, painted.copy(), self._unpack(action), self.colour)
        return painted

    def _unpack(self, action: np.ndarray) -> Stroke:
        """In the precision and layout of kernels, which need no look at each field then."""
        stroke = unpack(action.astype(np.float64), len(self.colour), self.program.radii)
        return Stroke(*map(np.ascontiguousarray, stroke))

    def stroke_of(self, action: Any) -> Stroke:
        """What an action ``[A]`` (checked) means: float64 arrays."""
        numbers = array_of(action, "an action").astype(np.float64)
        return unpack(numbers, len(self.colour), self.program.radii)

    def index(self, active: np.ndarray) -> Any:
        """The rows that are active."""
        return np.flatnonzero(active)

    def values(self, values: Any) -> Any:
        """Numbers that the user's function returned."""
        return array_of(values, "rewards")

    def spread(self, values: Any, rows: Any) -> Any:
        """Values of some rows, among 0 for the others."""
        spread = np.zeros(len(self.canvas))
        spread[rows] = values
        return spread

    def kept(self, pictures: Any) -> Any:
        """Pictures that stay as they are when the next stroke is painted."""
        return pictures.copy()

    host: Any = kept  # numbers as an array, a copy
    told: Any = kept  # numbers for ``info``, a copy

    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        """The batched observation, with the strokes left ``[B, 1]``."""
        canvas, target = self._pixels, self._target_pixels
        if copy:
            canvas, target = canvas.copy(), target.copy()
        return {"canvas": canvas, "target": target, "strokes_left": left}

    def detach(self) -> None:
        """Cut the graph, if there is one."""
