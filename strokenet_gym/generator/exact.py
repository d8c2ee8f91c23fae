"""The real painting program as a generator: its exact derivative in place of a learned one.

The kernels run on the CPU. Tensors of another device are copied there and back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from strokenet_gym import renderer
from strokenet_gym.generator.base import Generator
from strokenet_gym.renderer import Brush
from strokenet_gym.stroke import Stroke

__all__ = ["ExactGenerator"]


class ExactGenerator(Generator):
    """The painting program, differentiable in every number of the stroke and in the canvas.

    Computes in float64 if the strokes are float64 (for gradient checks), else in float32. The
    derivative is that of the program as it is sampled; at kinks it is one-sided
    (renderer/adjoint.py says which side). The target gets no gradient. A stroke whose
    position, radius or pressure is NaN or infinite paints nothing.

    Args:
        brush: any brush.
    """

    def __init__(self, brush: Brush) -> None:
        super().__init__()
        self.brush = brush

    def forward(self, stroke: Stroke, size: int) -> Tensor:
        """Draw strokes: white on black is their opacity, ``[B, size, size]``."""
        blank = stroke.position.new_zeros(len(stroke.position), 1, size, size)
        white = stroke._replace(colour=blank.new_ones(len(blank), 1))
        return self.paint(blank, blank, white)[0][:, 0]

    def paint(self, canvas: Tensor, target: Tensor, stroke: Stroke) -> tuple[Tensor, Tensor]:
        """Paint one stroke on each canvas, see :meth:`Generator.paint`; inked pixels only."""
        dtype = torch.float64 if stroke.position.dtype == torch.float64 else torch.float32
        return _Paint.apply(canvas.to(dtype), target.to(dtype), self.brush, *stroke)


class _Paint(torch.autograd.Function):
    """:func:`strokenet_gym.renderer.paint` on new canvases, and its adjoint."""

    @staticmethod
    def forward(
        ctx: Any, canvas: Tensor, target: Tensor, brush: Brush, *fields: Tensor
    ) -> tuple[Tensor, Tensor]:
        arrays = [_array(tensor) for tensor in (canvas, target, *fields)]
        painted = arrays[0].copy()
        ink = renderer.new_ink(len(painted), painted.shape[-1], painted.dtype)
        change = renderer.paint(painted, arrays[1], Stroke(*arrays[2:]), brush, ink=ink)
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
        by_stroke = renderer.paint_back(
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
