"""Engines, and the one whose pictures are NumPy arrays: ``Painting-v0`` (tensors: tensors.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from strokenet_gym.checks import array_of, real_array, real_tensor
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import Stroke, action_size, check_action, is_tensor, unpack
from strokenet_gym.targets.filling import put

__all__ = ["Arrays", "Engine"]


class Engine(ABC):
    """What paints a batch of pictures, and the library that these are in.

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
    colour: np.ndarray
    canvas: Any
    target: Any
    distance: Any
    start: Any

    def __init__(self, program: Program | None, brush: Program | None = None) -> None:
        self.program: Any = program
        self.brush: Any = brush or program

    def open(self, shape: tuple[int, ...], colour: np.ndarray) -> None:
        """Make the pictures ``[B, C, H, W]``.

        Raises:
            ValueError: if the program does not paint on such.
        """
        if self.program is not None and shape[2] != shape[3] and not self.program.any_shape:
            raise ValueError(
                f"the program {self.program.name!r} paints on square canvases only, got "
                f"canvas_size={shape[2:]!r}"
            )
        self.colour = colour

    def action_space(self) -> spaces.Space:
        """What one stroke is chosen from."""
        return spaces.Box(-1, 1, (action_size(len(self.colour)),), np.float32)

    def stroke_of(self, action: Any) -> Stroke:
        """What an action ``[A]`` (checked) means: float64 arrays."""
        numbers = array_of(action, "an action").astype(np.float64)
        return unpack(numbers, len(self.colour), self.program.radii)

    @abstractmethod
    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        """Set targets and empty canvases, see :func:`strokenet_gym.targets.filling.put`.

        If all begin anew, what has been observed without a copy may be ``handed_over``: it stays
        as it is.
        """

    @abstractmethod
    def check(self, action: Any, shape: tuple[int, ...]) -> Any:
        """Return actions clipped to [-1, 1]; raise as ``step`` does."""

    def check_canvas(self, canvas: Any, shape: tuple[int, ...]) -> Any:
        """Return a canvas as an array or a tensor.

        Raises:
            TypeError: if it does not hold real numbers.
            ValueError: if its shape is another, or a value is not in 0 … 1.
        """
        if str(getattr(canvas, "dtype", "")).endswith("uint8"):
            raise ValueError(
                f"a canvas must be in 0 … 1, got {canvas.max()} as uint8: divide it by 255"
            )
        tensors = self.device is not None and is_tensor(canvas)
        canvas = (real_tensor if tensors else real_array)(canvas, "a canvas", shape)
        low, high = canvas.min().item(), canvas.max().item()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"a canvas must be in 0 … 1, got {low:g} … {high:g}")
        return canvas

    @abstractmethod
    def door(self, work: Callable[..., Any], *values: Any) -> Any:
        """Do work with what the user passed, in the engine's library; answer in the user's."""

    @abstractmethod
    def step(self, action: Any, rows: Any) -> Any:
        """Paint an action ``[B, …]`` on the canvases in these rows; None: on all.

        Returns:
            ``[B, 2]``: by how much :attr:`distance` changed.
        """

    @abstractmethod
    def paint(self, canvas: Any, action: Any) -> Any:
        """Return canvases with an action painted on each: a pure function."""

    @abstractmethod
    def index(self, active: np.ndarray) -> Any:
        """The rows that are active, as both libraries take them for an index."""

    @abstractmethod
    def values(self, values: Any) -> Any:
        """Numbers that the user's function returned."""

    @abstractmethod
    def spread(self, values: Any, rows: Any) -> Any:
        """Values for some rows among 0 for the others."""

    @abstractmethod
    def kept(self, pictures: Any) -> Any:
        """Pictures that stay as they are when the next stroke is painted."""

    @abstractmethod
    def host(self, pictures: Any) -> np.ndarray:
        """A copy as a float32 array."""

    @abstractmethod
    def told(self, numbers: Any) -> Any:
        """A copy of numbers for ``info``."""

    @abstractmethod
    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        """The batched observation, with the strokes left ``[B, 1]``."""

    def detach(self) -> None:  # noqa: B027
        """Cut the graph, if there is one."""


class Arrays(Engine):
    """Pictures as arrays, painted in place."""

    def open(self, shape: tuple[int, ...], colour: np.ndarray) -> None:
        super().open(shape, colour)
        self.canvas, self.target = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        # Both rounded to 8 bits, for observations.
        self._pixels, self._target_pixels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        whole = np.array([0, shape[3], 0, shape[2]], np.int64)
        self._inked = np.tile(whole, (shape[0], 1))  # outside of which canvases are empty
        self.distance, self.start = np.zeros((shape[0], 2)), np.ones((shape[0], 2))
        self._area = self.canvas[0].size

    def begin(self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False) -> None:
        if handed_over:
            self._pixels = np.empty_like(self._pixels)
            self._pixels[:] = to_bytes(self.colour)[:, None, None]
            self._target_pixels = np.empty_like(self._target_pixels)
        batch = self.target, self._target_pixels, self.canvas, self._pixels, self._inked
        start, visible = put(images, self.colour, indices, *batch)
        self.start[indices] = np.where(visible[:, None], start, 1.0)
        self.distance[indices] = start

    def check(self, action: Any, shape: tuple[int, ...]) -> np.ndarray:
        if is_tensor(action) and action.requires_grad:
            raise TypeError(
                "Painting-v0 has no gradients, but the action requires one: make "
                "DifferentiablePainting-v0 (or NeuralPainting-v0), or pass action.detach()"
            )
        return check_action(array_of(action, "an action"), shape)

    def door(self, work: Callable[..., Any], *values: Any) -> Any:
        return work(*values)

    def step(self, action: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
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

    def paint(self, canvas: np.ndarray, action: np.ndarray) -> np.ndarray:
        painted = canvas.astype(np.float32, order="C")
        self.program.composite(painted, painted.copy(), self._unpack(action), self.colour)
        return painted

    def _unpack(self, action: np.ndarray) -> Stroke:
        """In the precision and layout of kernels, which need no look at each field then."""
        stroke = unpack(action.astype(np.float64), len(self.colour), self.program.radii)
        return Stroke(*map(np.ascontiguousarray, stroke))

    def index(self, active: np.ndarray) -> np.ndarray:
        return np.flatnonzero(active)

    def values(self, values: Any) -> np.ndarray:
        return array_of(values, "rewards")

    def spread(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        spread = np.zeros(len(self.canvas))
        spread[rows] = values
        return spread

    def kept(self, pictures: np.ndarray) -> np.ndarray:
        return pictures.copy()

    host = kept

    def told(self, numbers: np.ndarray) -> np.ndarray:
        return numbers.copy()

    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        canvas, target = self._pixels, self._target_pixels
        if copy:
            canvas, target = canvas.copy(), target.copy()
        return {"canvas": canvas, "target": target, "strokes_left": left}
