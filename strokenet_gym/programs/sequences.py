"""Sequences of strokes as one operation: what planners paint and differentiate a picture with.

And two things that they ask of a stroke in closed form: its best colour and what that gains, and
what leaving it out would cost.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from strokenet_gym.checks import array_of, background_of, flag, precision, real_array
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.tape import ExactProgram
from strokenet_gym.programs.transforms import dense, eager, refuse
from strokenet_gym.stroke import NUM_ANCHORS, Stroke, action_size, is_tensor, unpack

__all__ = ["best_colours", "paint_sequence", "paint_sequence_vjp", "removal_costs"]

Brush = str | os.PathLike | Mapping[str, Any] | Program


@eager
@np.errstate(under="ignore")
def paint_sequence(
    canvas: Any,
    actions: Any,
    brush: Brush = "pencil",
    background: float | Sequence[float] = 0.0,
    accuracy: str = "exact",
) -> Any:
    """Paint N strokes in order on each canvas of a batch.

    Arrays give arrays. Tensors give tensors, with gradients to the actions and the canvases through
    all strokes at once. Both compute in float64 if the actions are float64, else in float32.

    Args:
        canvas: ``[B, C, H, W]`` in 0 … 1.
        actions: ``[B, N, C + 49]``; beyond [-1, 1] they are clipped, and get no gradient there.
        brush: what paints, see :func:`strokenet_gym.load_program`.
        background: intensity of the empty canvas, a number or one for each channel.
        accuracy: "exact", or "draft": faster, with a mean squared change of at most 3e-6; the
            gradient by broad strokes is summed over blocks of 2 x 2 pixels.

    Returns:
        The painted canvases ``[B, C, H, W]``.

    Raises:
        ValueError: if a shape is wrong or a value out of its range.
        TypeError: if one of them does not hold real numbers.

    Example:
        >>> import torch
        >>> from strokenet_gym import paint_sequence
        >>> actions = torch.zeros(1, 5, 50).uniform_(-1, 1).requires_grad_()
        >>> painted = paint_sequence(torch.zeros(1, 1, 64, 64), actions)
        >>> painted.mean().backward()
        >>> actions.grad.shape
        torch.Size([1, 5, 50])
    """
    program = load_program(brush)
    if is_tensor(canvas) or is_tensor(actions):
        import torch

        refuse()
        device = (canvas if is_tensor(canvas) else actions).device
        canvas, actions = dense(canvas, "a canvas"), dense(actions, "actions")
        canvas, actions = canvas.to(device), actions.to(device)
        kind = torch.float64 if actions.dtype == torch.float64 else torch.float32
        _check(canvas, actions)
        stroke = unpack(actions.to(kind).clamp(-1, 1), canvas.shape[1], program.radii)
        empty = _background(background, canvas.shape[1])
        colour = torch.from_numpy(empty).to(device, kind)
        return program.paint_sequence_tensors(canvas.to(kind), stroke, colour, accuracy)
    canvas, stroke, empty = _arrays(canvas, actions, program, background)
    return program.paint_sequence(canvas, stroke, empty, accuracy)


@np.errstate(under="ignore")
def paint_sequence_vjp(
    canvas: np.ndarray,
    actions: np.ndarray,
    brush: Brush = "pencil",
    background: float | Sequence[float] = 0.0,
    accuracy: str = "exact",
) -> tuple[np.ndarray, Callable[..., tuple[np.ndarray | None, np.ndarray]]]:
    """Paint a sequence, and get its backward pass: gradients without torch.

    Args:
        canvas: ``[B, C, H, W]`` in 0 … 1.
        actions: ``[B, N, C + 49]``.
        brush: one whose gradient is exact, as ours have.
        background: intensity of the empty canvas, a number or one for each channel.
        accuracy: "exact" or "draft".

    Returns:
        The painted canvases, and a function: from the derivative of a loss by these,
        ``[B, C, H, W]``, to the one by the canvases and the one by the actions (their
        vector-Jacobian product). With ``canvas=False`` the former is None, and the time of
        the backward pass follows the ink, not the canvas. It raises what this function raises.

    Raises:
        ValueError: as :func:`paint_sequence`, or if the brush has no exact gradient.
        TypeError: if one of them does not hold real numbers.
    """
    program = _exact(brush)
    canvas, stroke, empty = _arrays(canvas, actions, program, background)
    clipped = np.abs(array_of(actions, "actions")) > 1
    painted, tape = program.paint_taped(canvas, stroke, empty, accuracy)
    canvas_shape, kind, (low, high) = painted.shape, painted.dtype, program.radii

    @np.errstate(under="ignore")
    def back(grad_painted: np.ndarray, canvas: bool = True) -> tuple[np.ndarray | None, np.ndarray]:
        wanted = flag(canvas, "canvas")
        above = real_array(grad_painted, "the derivative by the canvases", canvas_shape, kind)
        grad_canvas, grad = tape.backward(above, canvas=wanted)
        anchors = np.concatenate([grad.position, grad.pressure[..., None] / 2], -1)
        parts = [
            grad.colour / 2,
            (grad.radius * stroke.radius * (math.log(high / low) / 2))[..., None],
            anchors.reshape(*grad.radius.shape, 3 * NUM_ANCHORS),
        ]
        grad_actions = np.concatenate(parts, -1)
        grad_actions[clipped] = 0.0
        return grad_canvas, grad_actions

    return painted, back


@np.errstate(under="ignore")
def best_colours(
    canvas: np.ndarray,
    target: np.ndarray,
    actions: np.ndarray,
    brush: Brush = "pencil",
    accuracy: str = "exact",
) -> tuple[np.ndarray, np.ndarray]:
    """The best colour of each of many candidates for the next stroke, and exactly what it gains.

    Args:
        canvas: ``[C, H, W]`` in 0 … 1.
        target: the same shape, in 0 … 1.
        actions: candidates ``[K, C + 49]``; their colour is not used.
        brush: one of ours, that does not erase.
        accuracy: see :func:`paint_sequence`.

    Returns:
        Colours ``[K, C]`` in 0 … 1, and gains ``[K]``: by how much each stroke alone, in its best
        colour, would lower the mean squared error.

    Raises:
        ValueError: if a shape is wrong, a value out of its range, or the brush not one of these.
        TypeError: if one of them does not hold floating-point numbers.
    """
    program = _exact(brush)
    one = array_of(canvas, "a canvas")[None], array_of(actions, "actions")[None]
    below, stroke, _ = _arrays(*one, program, 0.0)
    goal = _target(target, below[0])
    candidates = Stroke(*(field[0] for field in stroke))
    colours, gains = program.best_colours(below[0], goal, candidates, accuracy)
    return colours, gains / goal.size


@np.errstate(under="ignore")
def removal_costs(
    canvas: np.ndarray,
    actions: np.ndarray,
    target: np.ndarray,
    brush: Brush = "pencil",
    background: float | Sequence[float] = 0.0,
    accuracy: str = "exact",
) -> np.ndarray:
    """Exactly what leaving out each stroke of a sequence would cost.

    Args:
        canvas: ``[B, C, H, W]`` in 0 … 1.
        actions: ``[B, N, C + 49]``.
        target: the canvases' shape, in 0 … 1.
        brush: one of ours.
        background: intensity of the empty canvas, a number or one for each channel.
        accuracy: "exact" or "draft".

    Returns:
        ``[B, N]``: by how much the mean squared error of each finished picture would rise without
        the stroke; less than 0 where it would be better without.

    Raises:
        ValueError: if a shape is wrong, a value out of its range, or the brush not one of ours.
        TypeError: if one of them does not hold floating-point numbers.
    """
    program = _exact(brush)
    canvas, stroke, empty = _arrays(canvas, actions, program, background)
    goal = _target(target, canvas)
    _, tape = program.paint_taped(canvas, stroke, empty, accuracy)
    return tape.removal_costs(goal) / math.prod(goal.shape[1:])


def _exact(brush: Brush) -> ExactProgram:
    """The brush's program, if it has an exact gradient.

    Raises:
        ValueError: if it has none.
    """
    program = load_program(brush)
    if not isinstance(program, ExactProgram):
        raise ValueError(f"the program {program.name!r} has no exact gradient without torch")
    return program


def _target(target: Any, canvas: np.ndarray) -> np.ndarray:
    """Targets of the canvases' shape and type.

    Raises:
        ValueError: if the shape is another, or a value out of 0 … 1.
    """
    goal = real_array(target, "a target", canvas.shape, canvas.dtype)
    _check_range(goal, "a target")
    return goal


def _arrays(
    canvas: Any, actions: Any, program: Program, background: float | Sequence[float]
) -> tuple[np.ndarray, Stroke, np.ndarray]:
    """A copy of the canvases, the strokes in float64, and the background."""
    canvas, actions = array_of(canvas, "a canvas"), array_of(actions, "actions")
    _check(canvas, actions)
    kind = precision(actions)
    stroke = unpack(actions.clip(-1, 1).astype(np.float64), canvas.shape[1], program.radii)
    return np.array(canvas, kind, order="C"), stroke, _background(background, canvas.shape[1])


def _background(background: Any, channels: int) -> np.ndarray:
    """The colour of the empty canvas, float64 ``[C]``.

    Raises:
        TypeError: if it does not hold real numbers.
        ValueError: if there are more or fewer of them, or they are not in 0 … 1.
    """
    colour = background_of(background, channels, np.float64)
    if not ((colour >= 0) & (colour <= 1)).all():
        raise ValueError(f"background must be in 0 … 1, got {background!r}")
    return colour


def _check(canvas: Any, actions: Any) -> None:
    for what, values in (("a canvas", canvas), ("actions", actions)):
        real = values.is_floating_point() if is_tensor(values) else values.dtype.kind == "f"
        if not real:
            raise TypeError(f"{what} must hold floating-point numbers, got {values.dtype}")
    if canvas.ndim != 4 or canvas.shape[1] not in (1, 3):
        raise ValueError(f"expected canvases [B, 1 or 3, H, W], got {tuple(canvas.shape)}")
    wanted = canvas.shape[0], action_size(canvas.shape[1])
    if actions.ndim != 3 or (actions.shape[0], actions.shape[2]) != wanted:
        raise ValueError(
            f"expected actions [{wanted[0]}, N, {wanted[1]}], got {tuple(actions.shape)}"
        )
    if not bool((abs(actions) < math.inf).all()):
        raise ValueError("actions must be finite numbers")
    if 0 in canvas.shape[2:]:
        raise ValueError(f"a canvas has at least one pixel, got {tuple(canvas.shape)}")
    _check_range(canvas, "a canvas")


def _check_range(values: Any, what: str) -> None:
    """Check that values, an array or a tensor, are in 0 … 1.

    Raises:
        ValueError: if they are not.
    """
    if len(values) == 0:
        return
    low, high = values.min().item(), values.max().item()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"{what} must be in 0 … 1, got {low:g} … {high:g}")
