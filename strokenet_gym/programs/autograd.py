"""Exact programs in torch: the tape as one function with a gradient, of steps and sequences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from strokenet_gym.extras import require

require("torch")

import torch
from torch import Tensor
from torch.autograd import Function

from strokenet_gym.checks import is_stroke, real_number, real_tensor
from strokenet_gym.programs.transforms import NO_VMAP, eager
from strokenet_gym.stroke import Stroke, is_tensor

__all__ = ["paint"]

_NUMPYS = {torch.float32, torch.float64, torch.float16, torch.uint8, torch.int64, torch.int32}
_FIELDS = len(Stroke._fields)


@eager
def paint(
    program: Any,
    canvas: Tensor,
    stroke: Stroke,
    background: Tensor | float = 0.0,
    accuracy: str = "exact",
    target: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Paint strokes in order on each canvas, with gradients to all of them and to the canvases.

    Args:
        program: an :class:`strokenet_gym.programs.tape.ExactProgram`.
        canvas: ``[B, C, H, W]``.
        stroke: ``[B, …]`` or ``[B, N, …]``.
        background: ``[C]``, or one number; gets no gradient.
        accuracy: see ``ExactProgram.paint_taped``.
        target: the canvases' shape; gets no gradient.

    Returns:
        The painted canvases, and ``[B, 2]``: the change of their mean squared and mean absolute
        difference to the target; without one, empty.
    """
    stroke = is_stroke(stroke)
    dtype = _kind(canvas, *(() if target is None else (target,)), *stroke)
    empty: Any = background
    if is_tensor(empty):
        colours = tuple(stroke.colour.shape[-1:]) if empty.ndim else ()
        empty = real_tensor(empty, "the background", colours).detach()
    else:
        empty = real_number(empty, "the background", 0, 1)
    needed = torch.is_grad_enabled() and any(t.requires_grad for t in (canvas, *stroke))
    goal = None if target is None else target.to(dtype)
    plain = program, accuracy, needed
    painted, change, *_ = _apply(_Paint, plain, empty, canvas.to(dtype), goal, *stroke)
    return painted, change


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
    """A function of arrays that is differentiated once."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """There is nothing to save."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("there are first derivatives of the painting program only")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Any) -> Any:
        raise ValueError(NO_VMAP)


class _Paint(_Once):
    """Paint on a tape; what that keeps goes with the graph."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(
        plain: Any, background: Any, canvas: Tensor, target: Tensor | None, *fields: Tensor
    ) -> Any:
        program, accuracy, needed = plain
        background = _array(background) if is_tensor(background) else background
        stroke = Stroke(*(_array(field, np.float64) for field in fields))
        painted, tape = program.paint_taped(
            _array(canvas), stroke, background, accuracy,
            target=None if target is None else _array(target), keep=needed,
        )  # fmt: skip
        change = np.zeros((0, 2)) if tape.change is None else tape.change
        mean = torch.from_numpy(change / math.prod(painted.shape[1:]))
        arrays, put_together = tape.take_apart() if needed else ([], None)
        painted, mean = torch.from_numpy(painted), mean.to(canvas.device, canvas.dtype)
        return painted.to(canvas.device), mean, put_together, *map(torch.from_numpy, arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        _, _, canvas, target, *fields = inputs
        _, _, ctx.put_together, *arrays = output
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*arrays)
        # The strokes too, so that torch sees whether they have been changed since.
        ctx.save_for_backward(canvas, target, *fields, *arrays)

    @staticmethod
    def backward(ctx: Any, grad_painted: Any, grad_mean: Any, *_: Any) -> Any:
        inputs = grad_painted, grad_mean, ctx.needs_input_grad[2], ctx.put_together
        grad_canvas, *grad_fields = _apply(_PaintBack, *inputs, *ctx.saved_tensors)
        return None, None, grad_canvas if ctx.needs_input_grad[2] else None, None, *grad_fields


class _PaintBack(_Once):
    """The tape's backward pass."""

    @staticmethod
    @np.errstate(under="ignore")
    def forward(
        grad_painted: Tensor | None, grad_mean: Tensor | None, through: bool, put_together: Any,
        canvas: Tensor, target: Tensor | None, *others: Tensor,
    ) -> Any:  # fmt: skip
        fields, arrays = others[:_FIELDS], others[_FIELDS:]
        above = None if grad_painted is None else _array(grad_painted)
        change = None
        if grad_mean is not None and len(grad_mean):
            change = _array(grad_mean).astype(np.float64) / math.prod(canvas.shape[1:])
        kept = [array.numpy() for array in arrays]
        tape = put_together(kept, _array(canvas), None if target is None else _array(target))
        below, grads = tape.backward(above, change, canvas=through)
        grad = canvas.new_empty(0) if below is None else torch.from_numpy(below).to(canvas.device)
        return grad, *(
            torch.from_numpy(array).to(tensor.device, tensor.dtype)
            for array, tensor in zip(grads, fields, strict=True)
        )


def _array(tensor: Tensor, kind: Any = None) -> np.ndarray:
    """As kernels take it, in this precision or its own."""
    tensor = tensor.detach()
    if tensor.dtype not in _NUMPYS or tensor.device.type != "cpu":
        tensor = tensor.cpu()
        tensor = tensor if tensor.dtype in _NUMPYS else tensor.float()
    return np.ascontiguousarray(tensor.numpy(), kind)
