"""Painting in other people's torch: compiled, transformed, and after inference mode.

The kernels are no torch operations. ``torch.compile`` breaks its graph around what is
:func:`eager`. ``torch.func.grad`` goes through the pure functions; :func:`refuse` says of the
others, and of ``vmap``, that it does not. What people pass becomes a :func:`dense` tensor, whatever
torch's default device is, and whatever mode it was made in.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from strokenet_gym.checks import array_of, check_dense
from strokenet_gym.stroke import is_tensor

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NO_VMAP", "dense", "eager", "refuse"]

NO_VMAP = (
    "painting has no rule for torch.vmap: it takes batches itself (gym.make_vec, or "
    "strokenet_gym.paint_sequence), and their gradients are those of each alone"
)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def eager(function: _Function) -> _Function:
    """Have ``torch.compile`` call a function as it is, in a break of its graph.

    What ``torch.compiler.disable`` does, without importing the compiler, which takes a second.
    """
    broken: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        dynamo = sys.modules.get("torch._dynamo")
        if dynamo is None or not hasattr(dynamo, "disable"):  # or on its way
            return function(*args, **kwargs)
        if not broken:
            broken.append(dynamo.disable(function))
        return broken[0](*args, **kwargs)

    return cast(_Function, call)


def refuse(keeps: str = "") -> None:
    """Refuse transforms of torch that cannot be gone through.

    Args:
        keeps: what keeps the canvas, so that it is in no transform, nor run again in a backward
            pass; by default only vmap is refused.

    Raises:
        ValueError: if one is at work in this thread.
    """
    core: Any = getattr(sys.modules.get("torch"), "_C", None)  # torch has no public way to ask
    if core is None:
        return
    if keeps and core._current_graph_task_id() != -1:
        raise ValueError(
            f"{keeps} keeps the canvas, so it cannot run again inside a backward pass, as in "
            "torch.utils.checkpoint: use the pure functions paint or strokenet_gym.paint_sequence"
        )
    if not core._are_functorch_transforms_active():
        return
    functorch = core._functorch
    kinds = [transform.key() for transform in functorch.get_interpreter_stack()]
    if functorch.TransformType.Vmap in kinds:
        raise ValueError(NO_VMAP)
    if keeps:
        raise ValueError(
            f"{keeps} keeps the canvas, so torch.func cannot go through it: use the pure function "
            "paint, or torch.autograd.grad"
        )


def dense(value: Any, what: str) -> Tensor:
    """The value as a tensor: itself, or a copy of an array's numbers on the CPU.

    A copy too of one from inference mode, which gradients could not go through.

    Raises:
        TypeError: if it is a meta or sparse tensor, or no real numbers.
    """
    import torch

    if not is_tensor(value):
        array = np.array(array_of(value, what), order="C")
        if array.dtype.kind not in "fiu":
            raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}")
        value = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))
    check_dense(value, what)
    inference = value.is_inference() and not torch.is_inference_mode_enabled()
    return value.clone() if inference else value
