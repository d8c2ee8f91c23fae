"""The tape: the seam between what paints exactly and what asks for gradients.

An :class:`ExactProgram` paints N strokes on each canvas of a batch, and keeps on a :class:`Tape`
what their backward pass needs. torch (autograd.py), JAX (examples/jax_vjp.py), the public functions
of sequences.py and the planner know no more of it; a step of an environment is N = 1. Another
executor of :class:`strokenet_gym.Brush`, or a program from outside, is a class of each
(docs/extending.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from strokenet_gym.checks import canvases, precision
from strokenet_gym.programs.base import Program
from strokenet_gym.stroke import Stroke

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ExactProgram", "Tape"]


class Tape(ABC):
    """What was painted, such that one can go back.

    Attributes:
        change: float64 ``[B, 2]``: by how much the sums of the squared and of the absolute
            differences between canvas and target changed; None without a target.
    """

    change: np.ndarray | None = None

    @abstractmethod
    def backward(
        self,
        grad_canvas: np.ndarray | None,
        grad_change: np.ndarray | None = None,
        *,
        canvas: bool = True,
    ) -> tuple[np.ndarray | None, Stroke]:
        """The adjoint of painting; it may be called several times.

        Args:
            grad_canvas: gradient with respect to the painted canvases, ``[B, C, H, W]``; None: 0.
            grad_change: the same for :attr:`change`.
            canvas: whether the gradient with respect to the canvases below is wanted.

        Returns:
            That gradient, or None, and the one with respect to the strokes, float64.
        """

    def removal_costs(self, target: np.ndarray) -> np.ndarray:
        """By how much the summed squared error of each picture would rise without each stroke.

        Args:
            target: ``[B, C, H, W]``, of the canvases' type.

        Returns:
            float64 ``[B, N]``, exact; less than 0 where it would be better without.
        """
        raise ValueError(f"{type(self).__name__} has no closed form for removal costs")

    def best_colours(
        self, target: np.ndarray, palette: np.ndarray, weight: np.ndarray
    ) -> np.ndarray:
        """The best colour of a palette for each stroke, from the last to the first.

        Each is exact, given the colours that the strokes above have got and those that the ones
        below had: one sweep of coordinate descent.

        Args:
            target: ``[B, C, H, W]``, of the canvases' type.
            palette: ``[K, C]``.
            weight: ``[H, W]`` of that type, what the squared error counts.

        Returns:
            Indices ``[B, N]`` into the palette.
        """
        raise ValueError(f"{type(self).__name__} has no closed form for best colours")

    def take_apart(self) -> tuple[list[np.ndarray], Callable[..., Tape]]:
        """Arrays that torch is to keep for the backward pass, and what makes a tape of them again.

        That is called with the arrays, the canvases and the target (or None), which torch keeps as
        well. It frees them all with its graph; what else a tape holds lives as long as the loss.
        """
        return [], lambda arrays, canvas, target: self


class ExactProgram(Program):
    """A program with an exact gradient. It has one method of its own."""

    gradient = "exact"

    @abstractmethod
    def paint_taped(
        self,
        canvas: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        accuracy: Any = "exact",
        *,
        target: np.ndarray | None = None,
        keep: bool = True,
    ) -> tuple[np.ndarray, Tape]:
        """Paint N strokes in order on each canvas: a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1, float32 or float64, which the painted ones are, too.
            stroke: arrays ``[B, N, …]``; or ``[B, …]``, one for each canvas.
            background: ``[C]``, or one number.
            accuracy: "exact" or "draft", for a program that knows drafts.
            target: the canvases' shape; with one, the tape has the change of the error.
            keep: whether anybody goes back.

        Returns:
            The painted canvases, and the tape.

        Raises:
            TypeError: if one of them does not hold real numbers.
            ValueError: if a shape is wrong.
        """

    def best_colours(
        self, canvas: np.ndarray, target: np.ndarray, stroke: Stroke, accuracy: Any = "exact"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best colour of each of K candidates for one stroke, and what it gains.

        Args:
            canvas: ``[C, H, W]``, float32 or float64.
            target: the same shape and type.
            stroke: arrays ``[K, …]``; their colour is not used.
            accuracy: see :meth:`paint_taped`.

        Returns:
            Colours ``[K, C]`` in 0 … 1, and gains ``[K]``: by how much each stroke alone would
            lower the sum of the squared errors.
        """
        raise ValueError(f"the program {self.name} has no closed form for best colours")

    def paint(
        self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Return the canvases with a stroke painted on each, see :meth:`Program.paint`."""
        below = canvases(canvas, copied=False)
        return self.paint_taped(below, stroke, background, keep=False)[0]

    def paint_sequence(
        self,
        canvas: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        accuracy: str = "exact",
    ) -> np.ndarray:
        """Paint N strokes in order, see :meth:`Program.paint_sequence`."""
        below = canvases(canvas, precision(canvas), copied=False)
        return self.paint_taped(below, stroke, background, accuracy, keep=False)[0]

    def paint_tensors(
        self, canvas: Tensor, target: Tensor, stroke: Stroke, background: Tensor | float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Paint with the exact gradient, see :meth:`Program.paint_tensors`.

        Computes in float64 if the strokes are float64 (for gradient checks), else in float32.
        Tensors of another device are copied to the CPU, and the results back to it.
        """
        from strokenet_gym.programs.autograd import paint

        return paint(self, canvas, stroke, background, target=target)

    def paint_sequence_tensors(
        self,
        canvas: Tensor,
        stroke: Stroke,
        background: Tensor | float = 0.0,
        accuracy: str = "exact",
    ) -> Tensor:
        """Paint N strokes in order, with the exact gradient through all of them."""
        from strokenet_gym.programs.autograd import paint

        return paint(self, canvas, stroke, background, accuracy)[0]
