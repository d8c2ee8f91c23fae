"""What paints: the contract that every painting program keeps, whoever wrote it.

An environment holds one program and hands it batches of strokes and canvases. Our own program, the
brushes of programs/stamped/, and the networks of programs/learned/ are such programs side by side;
one from outside derives from :class:`Program` and has a method ``paint`` (docs/extending.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from strokenet_gym.checks import (
    background_of,
    canvas_tensor,
    canvases,
    check_composite,
    real_tensor,
    strokes,
)
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import Size, sides, to_bytes
from strokenet_gym.stroke import RADIUS_MAX, RADIUS_MIN, Stroke

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MYPAINT", "Program"]

_TOGETHER = 8  # canvases, so that what is computed of them stays in the processor's caches
_ROUNDING = 1e-5  # that a program's canvases may leave 0 … 1
MYPAINT = "mypaint:"  # what the names of libmypaint's brushes begin with


class Program(ABC):
    """A painting program: strokes on canvases.

    A subclass has :meth:`paint`, and :meth:`paint_tensors` if it has a gradient. Whole strokes
    without pressure leave no ink: an environment does not ask a program for them.

    Attributes:
        name: what people call it.
        gradient: "exact", "learned", or None if it is a black box.
        devices: kinds of devices that its tensors may be on without a copy.
        blend: name of the blend mode, see :data:`strokenet_gym.BLENDS`.
        any_shape: whether it paints on canvases of any shape and not on square ones alone.
        loaded_from: what it was loaded by, "module:name" or a file; None if it was made here.
        radius_min: smallest radius of a stroke, half-widths.
        radius_max: the largest.
        pressure_size: exponent of the dependence of a line's width on pressure.
    """

    name: str = "unnamed"
    gradient: str | None = None
    devices: tuple[str, ...] = ("cpu",)
    blend: str = "normal"
    any_shape: bool = True
    radius_min: float = RADIUS_MIN
    radius_max: float = RADIUS_MAX
    pressure_size: float = 1.0
    loaded_from: str | None = None

    @property
    def radii(self) -> tuple[float, float]:
        """Range of a stroke's radius, as :func:`strokenet_gym.unpack` takes it."""
        return self.radius_min, self.radius_max

    def to_json(self) -> Any:
        """What :func:`strokenet_gym.load_program` finds it by, such that it fits in JSON.

        What it was loaded by, or its class. (:func:`strokenet_gym.programs.find_name` knows the
        names in :data:`strokenet_gym.BRUSHES` as well.)
        """
        return self.loaded_from or f"{type(self).__module__}:{type(self).__qualname__}"

    @abstractmethod
    def paint(self, canvas: np.ndarray, stroke: Stroke, background: np.ndarray) -> np.ndarray:
        """Return the canvases with a stroke painted on each: a pure function.

        Args:
            canvas: float32 ``[B, C, H, W]`` in 0 … 1; not to be changed.
            stroke: a batch of B strokes with C colour channels, float64.
            background: float32 ``[C]``, colour of the empty canvas.

        Returns:
            The new canvases, float32 ``[B, C, H, W]`` in 0 … 1.
        """

    def paint_tensors(
        self, canvas: Tensor, target: Tensor, stroke: Stroke, background: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Paint one stroke on each canvas, with gradients to the strokes and the canvases.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            target: the same shape; gets no gradient.
            stroke: a batch of B strokes with C colour channels, tensors.
            background: ``[C]``.

        Returns:
            The painted canvases, and ``[B, 2]``: by how much their mean squared and their mean
            absolute difference to the target changed.

        Raises:
            ValueError: if the program has no gradient.
        """
        raise ValueError(f"the program {self.name} has no gradient")

    @np.errstate(under="ignore")
    def paint_sequence(
        self,
        canvas: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        accuracy: str = "exact",
    ) -> np.ndarray:
        """Return the canvases with N strokes painted on each, in order: a pure function.

        Args:
            canvas: ``[B, C, H, W]`` in 0 … 1.
            stroke: a batch of B sequences of N strokes, arrays ``[B, N, …]``.
            background: ``[C]``, or one number.
            accuracy: "exact" or "draft", for a program that knows drafts.

        Raises:
            TypeError: if one of them does not hold real numbers.
            ValueError: if a shape is wrong, or a canvas is not in 0 … 1.
        """
        painted = canvases(canvas)
        stroke = strokes(stroke, (len(painted), None), painted.shape[1])
        for k in range(stroke.radius.shape[1]):
            one = Stroke(*(field[:, k] for field in stroke))
            self.composite(painted, painted.copy(), one, background)
        return painted

    def paint_sequence_tensors(
        self,
        canvas: Tensor,
        stroke: Stroke,
        background: Tensor | float = 0.0,
        accuracy: str = "exact",
    ) -> Tensor:
        """The same for tensors, with gradients to all strokes and the canvases."""
        canvas = canvas_tensor(canvas)
        stroke = strokes(stroke, (len(canvas), None), canvas.shape[1], real_tensor)
        for k in range(stroke.radius.shape[1]):
            one = Stroke(*(field[:, k] for field in stroke))
            canvas, _ = self.paint_tensors(canvas, canvas.detach(), one, background)  # type: ignore[arg-type]
        return canvas

    @np.errstate(under="ignore")
    def draw(self, stroke: Stroke, size: Size) -> np.ndarray:
        """Draw strokes as opacity maps: what a network learns that imitates the program.

        Args:
            stroke: a batch of B strokes, arrays; the colour is not used.
            size: side of the canvas in pixels, or height and width.

        Returns:
            ``[B, height, width]`` in 0 … 1.

        Raises:
            TypeError: if a field does not hold real numbers.
            ValueError: if a shape is wrong.
        """
        from strokenet_gym.programs.blend import BLENDS

        blank = BLENDS[self.blend].blank  # on which the opposite colour is opacity
        stroke = strokes(stroke, (None,), None)
        canvas = np.full((len(stroke.radius), 1, *sides(size)), blank, np.float32)
        stroke = stroke._replace(colour=np.full((len(canvas), 1), 1 - blank))
        painted = self.paint(canvas, stroke, np.full(1, 1 - blank, np.float32))
        return np.abs(painted - canvas)[:, 0]

    @np.errstate(under="ignore")
    def composite(
        self,
        canvas: np.ndarray,
        target: np.ndarray,
        stroke: Stroke,
        background: np.ndarray | float = 0.0,
        *,
        pixels: np.ndarray | None = None,
        inked: np.ndarray | None = None,
    ) -> np.ndarray:
        """Paint one stroke on each canvas of a batch, in place; what an environment's step calls.

        Args:
            canvas: float32 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
            target: the same shape, in 0 … 1.
            stroke: a batch of B strokes.
            background: ``[C]``, or one number.
            pixels: uint8 ``[B, C, H, W]``, the canvas rounded to 8 bits; kept up to date.
            inked: int64 ``[B, 4]``, boxes x0, x1, y0, y1, half open; grown to where strokes are.

        Returns:
            float64 ``[B, 2]``: by how much the sums of the squared and of the absolute
            differences between canvas and target changed.

        Raises:
            TypeError: if one of them does not hold real numbers, or is no array.
            ValueError: if a shape or a layout is wrong.
        """
        target, stroke = check_composite(canvas, target, stroke, pixels, inked)
        colour = background_of(background, canvas.shape[1])
        change = np.zeros((len(canvas), 2))
        pressed = np.flatnonzero(np.any(stroke.pressure, axis=1))  # the others stay as they are
        if len(pressed) == 0:
            return change
        below = canvas[pressed]
        part = Stroke(*(field[pressed] for field in stroke))
        painted = np.asarray(self.paint(below.copy(), part, colour), np.float32)
        low, high = painted.min(), painted.max()
        if painted.shape != below.shape or not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            raise ValueError(
                f"the program {self.name} must paint canvases of shape {below.shape} in 0 … 1, "
                f"got {painted.shape} in {low:g} … {high:g}"
            )
        if inked is not None:
            inked[pressed] = 0, canvas.shape[3], 0, canvas.shape[2]

        def take_over(start: int, stop: int) -> None:
            for low in range(start, stop, _TOGETHER):
                some = slice(low, min(low + _TOGETHER, stop))
                rows = pressed[some]
                new, goal = np.clip(painted[some], 0.0, 1.0), target[rows]
                after, before = new - goal, below[some] - goal
                # a² - b² = (a - b)(a + b), exact for small changes too.
                change[rows, 0] = ((after - before) * (after + before)).sum((1, 2, 3), float)
                change[rows, 1] = (np.abs(after) - np.abs(before)).sum((1, 2, 3), float)
                canvas[rows] = new
                if pixels is not None:
                    pixels[rows] = to_bytes(new)

        threads.run(take_over, len(pressed))
        return change
