"""Canvases and targets of a batch of episodes as NumPy arrays, painted in place.

Its twin for tensors is tensors.py; :class:`strokenet_gym.envs.episodes.Episodes` holds one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from strokenet_gym.checks import array_of
from strokenet_gym.kernels.canvas import to_bytes
from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import Stroke, check_action, is_tensor
from strokenet_gym.targets.filling import put

__all__ = ["Arrays"]


class Arrays:
    """A batch of pictures as arrays.

    Args:
        shape: ``(B, C, H, W)``.
        background: float32 ``[C]``, colour of the empty canvas.

    Attributes:
        canvas: float32 ``[B, C, H, W]`` in 0 … 1, never rounded.
        target: the same.
        background: as given.
    """

    def __init__(self, shape: tuple[int, ...], background: np.ndarray) -> None:
        self.background = background
        self.canvas, self.target = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        # Both rounded to 8 bits, for observations.
        self._pixels, self._target_pixels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._whole = np.array([0, shape[3], 0, shape[2]], np.int64)
        self._inked = np.tile(self._whole, (shape[0], 1))  # boxes where there may be ink
        self._area = self.canvas[0].size  # what distances are averaged over

    def take_over(self, canvas: np.ndarray, target: np.ndarray) -> None:
        """Have these pictures, float32 ``[B, C, H, W]``."""
        self._inked[:] = self._whole
        self.canvas[:], self.target[:] = canvas, target
        self._pixels[:], self._target_pixels[:] = to_bytes(canvas), to_bytes(target)

    def begin(
        self, indices: Sequence[int], images: np.ndarray, handed_over: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Set targets, and empty canvases; see :func:`strokenet_gym.targets.filling.put`.

        If all begin anew, what has been observed of them without a copy may be ``handed_over``: it
        stays as it is.
        """
        if handed_over:
            self._pixels = np.empty_like(self._pixels)
            self._pixels[:] = to_bytes(self.background)[:, None, None]
            self._target_pixels = np.empty_like(self._target_pixels)
        batch = self.target, self._target_pixels, self.canvas, self._pixels, self._inked
        return put(images, self.background, indices, *batch)

    def check(self, action: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Check actions, see :func:`strokenet_gym.stroke.check_action`."""
        if is_tensor(action) and action.requires_grad:
            raise TypeError(
                "Painting-v0 has no gradients, but the action requires one: make "
                "DifferentiablePainting-v0 (or NeuralPainting-v0), or pass action.detach()"
            )
        return check_action(array_of(action, "an action"), shape)

    def check_canvas(self, canvas: Any) -> np.ndarray:
        """Return the canvas as float32.

        Raises:
            TypeError: if it does not hold real numbers.
            ValueError: if it is in 8 bits.
        """
        canvas = array_of(canvas, "a canvas")
        if canvas.dtype.kind not in "fiu":
            raise TypeError(f"a canvas must hold real numbers, got dtype {canvas.dtype}")
        if canvas.dtype == np.uint8:
            raise ValueError(
                f"a canvas must be in 0 … 1, got {canvas.max()} as uint8: divide it by 255"
            )
        return canvas

    def stroke(
        self, program: Program, stroke: Stroke, active: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paint a stroke on each active canvas.

        Args:
            program: what paints.
            stroke: float64 arrays.
            active: bool ``[B]``, or None for all.

        Returns:
            The canvases, and float64 ``[B, 2]``, see :meth:`Program.paint_tensors`.
        """
        if active is not None:
            stroke = stroke._replace(pressure=stroke.pressure * active[:, None])
        change = program.composite(
            self.canvas,
            self.target,
            stroke,
            self.background,
            pixels=self._pixels,
            inked=self._inked,
        )
        change /= self._area
        return self.canvas, change

    def settle(self) -> None:
        """There is nothing to undo."""

    def undo(self) -> None:
        """There is nothing to undo."""

    def paint(self, program: Program, canvas: np.ndarray, stroke: Stroke) -> np.ndarray:
        """A stroke on each of these canvases, a pure function."""
        painted = canvas.astype(np.float32, order="C")
        program.composite(painted, painted.copy(), stroke, self.background)
        return painted

    def unpackable(self, action: np.ndarray) -> np.ndarray:
        """Actions in the precision in which programs want strokes."""
        return action.astype(np.float64)

    def like(self, numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Numbers of the episodes, to compute with these."""
        return numbers

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """The way back."""
        return values

    def rewards(self, values: Any) -> np.ndarray:
        """What a reward function returned."""
        return array_of(values, "rewards")

    def spread(self, rewards: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        """Rewards of some rows among so many, the others' 0."""
        spread = np.zeros(count)
        spread[rows] = rewards
        return spread

    def kept(self, images: np.ndarray) -> np.ndarray:
        """Images for a reward function, which may keep them."""
        return images.copy()

    def observe(self, left: np.ndarray, copy: bool) -> dict[str, Any]:
        """The batched observation, with the strokes left ``[B, 1]``."""
        return {
            "canvas": self._pixels.copy() if copy else self._pixels,
            "target": self._target_pixels.copy() if copy else self._target_pixels,
            "strokes_left": left,
        }

    def observe_others(
        self, canvas: np.ndarray, target: np.ndarray, left: np.ndarray
    ) -> dict[str, Any]:
        """The batched observation of other pictures, float32 arrays in 0 … 1."""
        return {"canvas": to_bytes(canvas), "target": to_bytes(target), "strokes_left": left}

    def detach(self) -> None:
        """There is no graph."""

    def float_pictures(self) -> tuple[np.ndarray, np.ndarray]:
        """Canvases and targets, float32 ``[B, C, H, W]``."""
        return self.canvas, self.target
