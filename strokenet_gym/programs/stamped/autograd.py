"""The painting program in torch: its exact derivative, from the compiled kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from strokenet_gym.extras import require

require("torch")

import torch
from torch import Tensor
from torch.autograd import Function

from strokenet_gym.programs.stamped import painting, sequence
from strokenet_gym.programs.stamped.numbers import Accuracy, Numbers
from strokenet_gym.programs.stamped.sequence import Chunk
from strokenet_gym.programs.transforms import NO_VMAP, eager
from strokenet_gym.stroke import Stroke, is_tensor

__all__ = ["draw", "paint", "paint_sequence"]

_NUMPYS = {torch.float32, torch.float64, torch.float16, torch.uint8, torch.int64, torch.int32}


def draw(stroke: Stroke, shape: tuple[int, int], brush: Numbers) -> Tensor:
    """Opacity of strokes, ``[B, height, width]``, whatever the brush's blend mode."""
    blank = stroke.position.new_zeros(len(stroke.position), 1, *shape)
    white = stroke._replace(colour=blank.new_ones(len(blank), 1))
    # White on black, laid on as it is, is opacity.
    return paint(blank, blank, white, (*brush[:-3], 1.0, 0.0, 0.0))[0][:, 0]


@eager
def paint(canvas: Tensor, target: Tensor, stroke: Stroke, brush: Numbers) -> tuple[Tensor, Tensor]:
    """Paint one stroke on each canvas; arguments and results as in Program.paint_tensors."""
    dtype = _kind(canvas, target, *stroke)
    painted, change, *_ = _apply(_Paint, canvas.to(dtype), target.to(dtype), brush, *stroke)
    return painted, change


@eager
def paint_sequence(canvas: Tensor, stroke: Stroke, brush: Numbers, accuracy: Accuracy) -> Tensor:
    """Paint N strokes in order on each canvas, see Program.paint_sequence_tensors."""
    dtype = _kind(canvas, *stroke)
    needed = torch.is_grad_enabled() and any(t.requires_grad for t in (canvas, *stroke))
    inputs = canvas.to(dtype), brush, accuracy, needed, *stroke
    return _apply(_PaintSequence, *inputs)[0]


def _kind(*tensors: Any) -> torch.dtype:
    """What is computed in: float64 if the positions, the last but one, are.

    Raises:
        TypeError: if one of them is no tensor.
    """
    for tensor in tensors:
        if not is_tensor(tensor):
            raise TypeError(f"canvases and strokes must all be tensors, got a {type(tensor)}")
        if tensor.is_meta or tensor.layout is not torch.strided or tensor.is_quantized:
            raise TypeError("canvases and strokes must be dense tensors with values")
        if tensor.is_complex() or tensor.dtype == torch.bool:
            raise TypeError(f"canvases and strokes must be real numbers, got {tensor.dtype}")
    return torch.float64 if tensors[-2].dtype == torch.float64 else torch.float32


def _apply(function: type[Function], *inputs: Any) -> Any:
    """What ``function.apply`` does, without the 30 µs that it takes to look at the signature."""
    if torch._C._are_functorch_transforms_active():
        return function.apply(*inputs)
    return super(Function, function).apply(*inputs)  # type: ignore[misc]


class _Once(Function):
    """A function of arrays that is differentiated once: what it saves goes with the graph."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """There is nothing to save."""

    @staticmethod
    def backward(ctx: Any, *by: Any) -> Any:
        raise RuntimeError("there are first derivatives of the painting program only")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        raise ValueError(NO_VMAP)


class _Paint(_Once):
    """:func:`painting.composite` on new canvases, with the ink that its adjoint needs."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(canvas: Tensor, target: Tensor, brush: Numbers, *fields: Tensor) -> Any:
        arrays = [_array(tensor) for tensor in (canvas, target, *fields)]
        painted = arrays[0].copy()
        ink = painting.new_ink(len(painted), painted.shape[2:], painted.dtype)
        change = painting.composite(painted, arrays[1], _strokes(arrays[2:]), brush, ink=ink)
        mean = torch.from_numpy(change / math.prod(painted.shape[1:])).to(
            canvas.device, canvas.dtype
        )
        return torch.from_numpy(painted).to(canvas.device), mean, *map(torch.from_numpy, ink)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        canvas, target, ctx.brush, *fields = inputs
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(canvas, target, *fields, *output[2:])

    @staticmethod
    def backward(ctx: Any, by_painted: Any, by_mean: Any, *_: Any) -> Any:
        inputs = by_painted, by_mean, ctx.needs_input_grad[0], ctx.brush, *ctx.saved_tensors
        by_canvas, *by_fields = _apply(_PaintBack, *inputs)
        return by_canvas if ctx.needs_input_grad[0] else None, None, None, *by_fields


class _PaintBack(_Once):
    """:func:`painting.composite_back`."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(
        by_painted: Tensor | None, by_mean: Tensor | None, through: bool, brush: Numbers,
        canvas: Tensor, target: Tensor, *others: Tensor,
    ) -> Any:  # fmt: skip
        arrays = [_array(tensor) for tensor in (canvas, target, *others)]
        above = None if by_painted is None else _array(by_painted)
        by_canvas = None
        if through:
            by_canvas = np.zeros_like(arrays[0]) if above is None else above.copy()
        by_change = np.zeros((len(arrays[0]), 2))
        if by_mean is not None:
            by_change += _array(by_mean) / math.prod(canvas.shape[1:])
        stroke, ink = _strokes(arrays[2:6]), painting.Ink(*arrays[6:])
        by_stroke = painting.composite_back(
            above, by_change, arrays[0], ink, arrays[1], stroke, brush, by_canvas=by_canvas
        )
        below = canvas.new_empty(0) if by_canvas is None else torch.from_numpy(by_canvas)
        return below.to(canvas.device), *_like(by_stroke, others)


class _PaintSequence(_Once):
    """:func:`sequence.composite` on new canvases, with what its adjoint needs."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(
        canvas: Tensor, brush: Numbers, accuracy: Accuracy, needed: bool, *fields: Tensor
    ) -> Any:
        painted = _array(canvas).copy()
        stroke = _strokes([_array(field) for field in fields])
        kept = sequence.composite(painted, stroke, brush, accuracy, needed)
        # Tensors can be saved: the chunks' arrays in one row, and where they belong.
        where = [[[tuple(chunk[4:]) for chunk in band] for band in bands] for bands in kept]
        arrays = [
            array for bands in kept for band in bands for chunk in band for array in chunk[:4]
        ]
        return torch.from_numpy(painted).to(canvas.device), where, *map(torch.from_numpy, arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, ctx.brush, ctx.accuracy, _, *fields = inputs
        _, ctx.where, *arrays = output
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*arrays)
        ctx.save_for_backward(*fields, *arrays)

    @staticmethod
    def backward(ctx: Any, by_painted: Any, *_: Any) -> Any:
        if by_painted is None:
            return (None,) * 8
        through = ctx.needs_input_grad[0]
        inputs = through, ctx.brush, ctx.accuracy, ctx.where, *ctx.saved_tensors
        by_canvas, *by_fields = _apply(_PaintSequenceBack, by_painted, *inputs)
        return by_canvas if through else None, None, None, None, *by_fields


class _PaintSequenceBack(_Once):
    """:func:`sequence.composite_back`."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(
        by_painted: Tensor, through: bool, brush: Numbers, accuracy: Accuracy, where: Any,
        *others: Tensor,
    ) -> Any:  # fmt: skip
        arrays = [_array(tensor) for tensor in others]
        rest = iter(arrays[4:])
        kept = [
            [
                [Chunk(next(rest), next(rest), next(rest), next(rest), *part) for part in band]
                for band in bands
            ]
            for bands in where
        ]
        above, stroke = _array(by_painted), _strokes(arrays[:4])
        by_canvas = above.copy() if through else sequence.inked(above, kept)
        by_stroke = sequence.composite_back(by_canvas, kept, stroke, brush, accuracy)
        below = torch.from_numpy(by_canvas) if through else by_painted.new_empty(0)
        return below.to(by_painted.device), *_like(by_stroke, others)


def _like(arrays: Stroke, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Derivatives as tensors where and as the numbers are that they belong to."""
    return [
        torch.from_numpy(array).to(tensor.device, tensor.dtype)
        for array, tensor in zip(arrays, tensors[: len(arrays)], strict=True)
    ]


def _strokes(fields: Sequence[np.ndarray]) -> Stroke:
    """As kernels take them."""
    return Stroke(*(np.ascontiguousarray(field, np.float64) for field in fields))


def _array(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return np.ascontiguousarray((tensor if tensor.dtype in _NUMPYS else tensor.float()).numpy())
