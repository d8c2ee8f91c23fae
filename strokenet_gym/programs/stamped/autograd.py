"""The painting program in torch: its exact derivative, from the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.extras import require

require("neural", "torch")

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from strokenet_gym.programs.stamped import painting, sequence
from strokenet_gym.programs.stamped.numbers import Accuracy, Numbers
from strokenet_gym.stroke import Stroke

__all__ = ["draw", "paint", "paint_sequence"]


def draw(stroke: Stroke, shape: tuple[int, int], brush: Numbers) -> Tensor:
    """Opacity of strokes, ``[B, height, width]``, whatever the brush's blend mode."""
    blank = stroke.position.new_zeros(len(stroke.position), 1, *shape)
    white = stroke._replace(colour=blank.new_ones(len(blank), 1))
    # White on black, laid on as it is, is opacity.
    return paint(blank, blank, white, (*brush[:-3], 1.0, 0.0, 0.0))[0][:, 0]


def paint(canvas: Tensor, target: Tensor, stroke: Stroke, brush: Numbers) -> tuple[Tensor, Tensor]:
    """Paint one stroke on each canvas; arguments and results as in Program.paint_tensors."""
    dtype = torch.float64 if stroke.position.dtype == torch.float64 else torch.float32
    return _Paint.apply(canvas.to(dtype), target.to(dtype), brush, *stroke)


def paint_sequence(canvas: Tensor, stroke: Stroke, brush: Numbers, accuracy: Accuracy) -> Tensor:
    """Paint N strokes in order on each canvas, see Program.paint_sequence_tensors."""
    sequence.check(canvas, stroke)
    dtype = torch.float64 if stroke.position.dtype == torch.float64 else torch.float32
    return _PaintSequence.apply(canvas.to(dtype), brush, accuracy, *stroke)


class _PaintSequence(torch.autograd.Function):
    """:func:`sequence.composite` on new canvases, and its adjoint."""

    @staticmethod
    def forward(
        ctx: Any, canvas: Tensor, brush: Numbers, accuracy: Accuracy, *fields: Tensor
    ) -> Tensor:
        painted = _array(canvas).copy()
        stroke = Stroke(*(_array(field) for field in fields))
        keep = any(ctx.needs_input_grad)
        ctx.kept = sequence.composite(painted, stroke, brush, accuracy, keep)
        ctx.brush, ctx.accuracy = brush, accuracy
        ctx.save_for_backward(*fields)
        return torch.from_numpy(painted).to(canvas.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_painted: Tensor) -> tuple[Any, ...]:
        fields = ctx.saved_tensors
        by_canvas = _array(by_painted).copy()
        stroke = Stroke(*(_array(field) for field in fields))
        by_stroke = sequence.composite_back(by_canvas, ctx.kept, stroke, ctx.brush, ctx.accuracy)
        results = [
            torch.from_numpy(array).to(field.device, field.dtype)
            for array, field in zip(by_stroke, fields, strict=True)
        ]
        return torch.from_numpy(by_canvas).to(by_painted.device), None, None, *results


class _Paint(torch.autograd.Function):
    """:func:`painting.composite` on new canvases, and its adjoint."""

    @staticmethod
    def forward(
        ctx: Any, canvas: Tensor, target: Tensor, brush: Numbers, *fields: Tensor
    ) -> tuple[Tensor, Tensor]:
        arrays = [_array(tensor) for tensor in (canvas, target, *fields)]
        painted = arrays[0].copy()
        ink = painting.new_ink(len(painted), painted.shape[2:], painted.dtype)
        change = painting.composite(painted, arrays[1], Stroke(*arrays[2:]), brush, ink=ink)
        ctx.set_materialize_grads(False)
        ctx.brush, ctx.ink = brush, ink
        ctx.save_for_backward(canvas, target, *fields)
        mean = torch.from_numpy(change / painted[0].size)
        return torch.from_numpy(painted).to(canvas.device), mean.to(canvas.device, canvas.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_painted: Tensor | None, by_mean: Tensor | None) -> tuple[Any, ...]:
        canvas, target, *fields = ctx.saved_tensors
        arrays = [_array(tensor) for tensor in (canvas, target, *fields)]
        above = None if by_painted is None else _array(by_painted)
        by_canvas = None
        if ctx.needs_input_grad[0]:
            by_canvas = np.zeros_like(arrays[0]) if above is None else above.copy()
        by_change = np.zeros((len(arrays[0]), 2))
        if by_mean is not None:
            by_change += _array(by_mean) / arrays[0][0].size
        stroke = Stroke(*arrays[2:])
        by_stroke = painting.composite_back(
            above, by_change, arrays[0], ctx.ink, arrays[1], stroke, ctx.brush, by_canvas=by_canvas
        )
        results = [None if by_canvas is None else torch.from_numpy(by_canvas).to(canvas.device)]
        results += [
            torch.from_numpy(array).to(field.device, field.dtype)
            for array, field in zip(by_stroke, fields, strict=True)
        ]
        return results[0], None, None, *results[1:]


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
