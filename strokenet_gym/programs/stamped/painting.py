"""The painting program at work: draws batches of strokes on all cores.

:func:`draw` gives opacity maps, :func:`composite` paints strokes on canvases in place,
:func:`composite_back` is its derivative. All split the batch over threads; the compiled kernels
release the GIL. They take a brush as the numbers that it is to the kernels;
:class:`strokenet_gym.Brush` has them as methods.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from strokenet_gym.checks import check_composite, precision, real_array, strokes, whole
from strokenet_gym.kernels import threads
from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.base import Undo
from strokenet_gym.programs.stamped.grain import paper
from strokenet_gym.programs.stamped.numbers import EXACT, GRAIN, Accuracy, Numbers
from strokenet_gym.programs.stamped.raster import composite_strokes, draw_strokes
from strokenet_gym.programs.stamped.raster_adjoint import composite_strokes_back
from strokenet_gym.programs.stamped.spline import spline_tangents
from strokenet_gym.stroke import Stroke

__all__ = ["Ink", "composite", "composite_back", "draw", "new_ink", "pen_path"]

_local = threading.local()
_NO_BOXES = np.empty((0, 4), np.int64)
_NO_FLAGS = np.empty(0, np.uint8)
_NO_PIXELS = np.empty((0, 0, 0, 0), np.uint8)


class Ink(NamedTuple):
    """Where a batch of strokes left ink, and how much.

    Attributes:
        alpha: ``[B, H, W]``, opacity in 0 … 1 where marked, undefined elsewhere.
        marks: uint8 ``[B, H, cells]``, for each 8 pixels of a row whether there may be ink.
        boxes: int64 ``[B, 4]``, outside of which there is none: x0, x1, y0, y1.
    """

    alpha: np.ndarray
    marks: np.ndarray
    boxes: np.ndarray


class _Scratch(NamedTuple):
    logs: np.ndarray
    alpha: np.ndarray
    marks: np.ndarray


def new_ink(count: int, shape: tuple[int, int], dtype: Any) -> Ink:
    """Room for the ink of ``count`` strokes on canvases of this height and width."""
    height, width = shape
    marks = np.zeros((count, height, -(-width // LANES)), np.uint8)
    return Ink(np.empty((count, height, width), dtype), marks, np.zeros((count, 4), np.int64))


def draw(
    stroke: Stroke, shape: tuple[int, int], brush: Numbers, accuracy: Accuracy = EXACT
) -> np.ndarray:
    """Draw strokes as opacity maps.

    Args:
        stroke: a batch: NumPy arrays with one leading dimension B; the colour is not used.
        shape: height and width in pixels.
        brush: the brush.
        accuracy: how finely the path is sampled.

    Returns:
        ``[B, height, width]`` in 0 … 1; float64 if the positions are float64, else float32.

    Raises:
        TypeError: if a field does not hold real numbers.
        ValueError: if a shape is wrong.
    """
    _, radius, position, pressure = strokes(stroke, (None,), None)
    dtype = precision(stroke.position)
    alpha = np.zeros((len(radius), *shape), dtype)

    def work(start: int, stop: int) -> None:
        logs, _, marks = _scratch(shape, dtype)
        fields = position, pressure, radius, brush, tuple(accuracy)
        numbers = alpha, paper(shape, brush[GRAIN]), *fields, logs, marks[0]
        while (start := draw_strokes(*numbers, start, stop)) < stop:
            threads.check()

    threads.run(work, len(alpha))
    return alpha


def pen_path(position: np.ndarray, pressure: np.ndarray, steps: int = 16) -> np.ndarray:
    """Points along a stroke's path, for those who want to follow it themselves.

    Args:
        position: anchors ``[n, 2]``.
        pressure: ``[n]``.
        steps: points from one anchor to the next.

    Returns:
        float64 ``[(n - 1) * steps + 1, 3]``: x, y (in the units of the anchors), pressure.

    Raises:
        TypeError: if the anchors are no real numbers.
        ValueError: if a shape is wrong, there are fewer than two, or the steps are no whole number.
    """
    count = np.shape(position)[:1] or (0,)
    if count[0] < 2:
        raise ValueError(f"a path has at least 2 anchors, got the shape {np.shape(position)}")
    position = real_array(position, "anchors", (*count, 2))
    pressure = real_array(pressure, "the pressure of anchors", count)
    steps = whole(steps, "steps", 1, 2**20)
    scale = 1024.0  # the spline is made for pixels
    anchors = position * scale
    tangents = np.empty((len(anchors) - 1, 2, 2))
    spline_tangents(anchors, tangents)
    t = np.arange(steps)[:, None] / steps
    h, s = t * t * (3 - 2 * t), 1 - t
    points = (
        anchors[:-1, None] * (1 - h) + anchors[1:, None] * h
        + tangents[:, None, 0] * (s * s * t) - tangents[:, None, 1] * (t * t * s)
    )  # fmt: skip
    points = np.concatenate([points.reshape(-1, 2), anchors[-1:]]) / scale
    where = np.arange(len(points)) / steps
    return np.column_stack([points, np.interp(where, np.arange(len(anchors)), pressure)])


def composite(
    canvas: np.ndarray,
    target: np.ndarray,
    stroke: Stroke,
    brush: Numbers,
    *,
    pixels: np.ndarray | None = None,
    ink: Ink | None = None,
    undo: Undo | None = None,
) -> np.ndarray:
    """Paint one stroke on each canvas of a batch, in place.

    Args:
        canvas: float32 or float64 ``[B, C, H, W]`` in 0 … 1, contiguous; changed.
        target: the same type and shape, in 0 … 1.
        stroke: a batch of B strokes.
        brush: the brush.
        pixels: uint8 ``[B, C, H, W]``, the canvas rounded to 8 bits; kept up to date.
        ink: from :func:`new_ink`, filled with what :func:`composite_back` needs.
        undo: filled with what the canvases were before, its ``inked`` grown; nothing is to be
            undone in it yet. Not together with ``ink``.

    Returns:
        float64 ``[B, 2]``: by how much the sums of the squared and of the absolute
        differences between canvas and target changed.

    Raises:
        TypeError: if one of them does not hold real numbers.
        ValueError: if a shape or a layout is wrong.
    """
    target, stroke = check_composite(canvas, target, stroke, pixels, undo)
    colour, radius, position, pressure = stroke
    shape = canvas.shape
    change = np.zeros((shape[0], 2))
    if pixels is None:
        pixels = _NO_PIXELS
    ground = paper(shape[2:], brush[GRAIN])
    if undo is not None:
        before, painted, inked = undo.before, undo.painted, undo.inked
    else:
        before, painted, inked = canvas[:0], _NO_FLAGS, _NO_BOXES

    def work(start: int, stop: int) -> None:
        scratch = _scratch(shape[2:], canvas.dtype)
        if undo is not None:
            alpha, marks, boxes = scratch.alpha, undo.marks, undo.boxes
        else:
            alpha, marks, boxes = ink or (scratch.alpha, scratch.marks, _NO_BOXES)
        numbers = (
            canvas, pixels, alpha, marks, before, boxes, inked, painted, target, change, ground,
            colour, position, pressure, radius, brush, scratch.logs,
        )  # fmt: skip
        while (start := composite_strokes(*numbers, start, stop)) < stop:
            threads.check()

    threads.run(work, len(canvas))
    return change


def composite_back(
    by_painted: np.ndarray | None,
    by_change: np.ndarray,
    canvas: np.ndarray,
    ink: Ink,
    target: np.ndarray,
    stroke: Stroke,
    brush: Numbers,
    *,
    by_canvas: np.ndarray | None = None,
) -> Stroke:
    """The adjoint of :func:`composite`: from a loss' derivative by its results to its arguments.

    Args:
        by_painted: ``[B, C, H, W]``, derivative by the painted canvas, or None for 0.
        by_change: float64 ``[B, 2]``, derivative by what :func:`composite` returned.
        canvas: ``[B, C, H, W]``, as it was before.
        ink: as :func:`composite` filled it.
        target: as it was.
        stroke: the same.
        brush: the same.
        by_canvas: ``[B, C, H, W]``, a copy of ``by_painted`` (or 0): becomes the derivative by
            the canvas before.

    Returns:
        The derivative by each number of the strokes, float64. At kinks it is one-sided, see
        raster_adjoint.py.
    """
    colour, radius, position, pressure = strokes(stroke, canvas.shape[:1], canvas.shape[1])
    by = Stroke(*(np.zeros(field.shape) for field in (colour, radius, position, pressure)))
    nothing = np.empty((0, 0, 0, 0), canvas.dtype)
    outputs = (
        nothing if by_canvas is None else by_canvas,
        *(by.colour, by.position, by.pressure, by.radius),
        nothing if by_painted is None else by_painted,
    )
    ground = paper(canvas.shape[2:], brush[GRAIN])
    inputs = (
        by_change, canvas, ink.alpha, ink.marks, target, ground,
        colour, position, pressure, radius, brush,
    )  # fmt: skip

    def work(start: int, stop: int) -> None:
        seed = _scratch(canvas.shape[2:], canvas.dtype).logs
        while (start := composite_strokes_back(*outputs, *inputs, seed, start, stop)) < stop:
            threads.check()

    threads.run(work, len(canvas))
    return by


def _scratch(shape: tuple[int, ...], dtype: Any) -> _Scratch:
    """The calling thread's scratch; the kernels leave ``logs`` and ``marks`` zeroed."""
    height, width = shape
    key = (height, width, np.dtype(dtype))
    kept = getattr(_local, "scratch", None)
    if kept is None or kept[0] != key:  # one shape at a time: at 1024 px it takes 8 MB
        alpha, marks, _ = new_ink(1, (height, width), dtype)
        logs = np.zeros((height, marks.shape[2] * LANES), dtype)
        # In one go: a Ctrl-C between two would have kernels write beyond the end.
        kept = _local.scratch = key, _Scratch(logs, alpha, marks)
    return kept[1]
