"""What public functions check of their arguments: numbers, arrays, tensors, canvases and strokes.

Compiled kernels trust what they get: each function that leads to one passes its arrays through
here, where they get the shape, the type and the memory layout that kernels are compiled for. Each
check takes a value and its name in messages, and returns the value. A wrong shape, range or layout
raises ValueError; what holds no real numbers, or is no array or tensor at all, TypeError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from strokenet_gym.reading import shown
from strokenet_gym.stroke import NUM_ANCHORS, Stroke, is_tensor

__all__ = [
    "array_of", "background_of", "behaved", "canvas_tensor", "canvases", "check_composite",
    "check_dense", "flag", "in_unit", "is_stroke", "painted_in_place", "precision", "real_array",
    "real_number", "real_tensor", "shape_of", "strokes", "told", "whole",
]  # fmt: skip

_SINGLE, _DOUBLE, _BYTE = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint8)
_NO_NUMBERS = bool, np.bool_, np.timedelta64  # though Python and NumPy count them as numbers
_NUMPYS = "torch.float16", "torch.float32", "torch.float64"  # torch's floats that NumPy has too
_ROUNDING = 1e-5  # by which computed values may leave 0 … 1

Shape = tuple["int | None", ...]  # None: any size, but 0 only of a batch, the first axis
_CANVASES: Shape = None, None, None, None


def told(value: Any) -> str:
    """A value for a message, of a length that can be read; numbers of any size."""
    try:
        return shown(repr(value))
    except ValueError:  # Python prints no number of so many digits
        return f"{type(value).__name__} of thousands of digits"


def whole(value: Any, name: str, low: int, high: int) -> int:
    """Return a whole number in a range as Python's own."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, _NO_NUMBERS):
        raise ValueError(f"{name} must be a whole number, got {told(value)}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {told(value)}")
    return int(value)


def flag(value: Any, name: str) -> bool:
    """Return True or False as Python's own; ValueError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {told(value)}")
    return bool(value)


def real_number(value: Any, name: str, low: float, high: float, *, above: bool = False) -> float:
    """Return a real number as Python's own.

    Args:
        value: a number, or an array or tensor of one; True and False are none. A tensor that
            requires a gradient, which it would not get, is refused.
        name: what to call it in messages.
        low: the smallest that is allowed.
        high: the largest, finite.
        above: whether it must be more than ``low``.
    """
    plain, found = value, math.nan
    if is_tensor(value):
        if value.requires_grad:
            raise ValueError(
                f"{name} must be a plain number, which gets no gradient; the tensor {value!r} "
                "requires one: pass value.item()"
            )
        plain = value.item() if value.ndim == 0 and not value.is_meta else None
    elif isinstance(value, np.ndarray):
        plain = value[()]  # the number in it, if it has no axes
    if isinstance(plain, Real) and not isinstance(plain, _NO_NUMBERS):
        try:
            found = float(plain)
        except OverflowError:
            found = math.inf
    if not low <= found <= high or (above and found == low):
        limits = f"more than {low:g}, at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise ValueError(f"{name} must be {limits}, got {told(value)}")
    return found


def in_unit(values: np.ndarray, name: str) -> np.ndarray:
    """Return an array whose values are in 0 … 1, up to 1e-5 of rounding; none is NaN."""
    low, high = (values.min(), values.max()) if values.size else (0, 1)
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise ValueError(f"{name} must be in 0 … 1, got {low:g} … {high:g}")
    return values


def check_dense(tensor: Any, name: str) -> None:
    """Refuse a tensor without plain values: TypeError for a meta, sparse or quantised one."""
    kind = "meta" if tensor.is_meta else str(tensor.layout).removeprefix("torch.")
    kind = "quantised" if tensor.is_quantized else kind
    if kind != "strided":
        raise TypeError(f"{name} must be a dense tensor with values, got a {kind} one")


def array_of(value: Any, name: str) -> np.ndarray:
    """An array, or a tensor or list as one, without a graph.

    Raises:
        TypeError: if it is a tensor without plain values.
        ValueError: if there is no array of it: a list of unequal parts, or of tensors with a graph.
    """
    tensor = is_tensor(value)
    if tensor:
        check_dense(value, name)
    try:
        if not tensor:
            return np.asarray(value)
        value = value.detach().cpu().resolve_conj()
        known = str(value.dtype) in _NUMPYS or not value.is_floating_point()
        return (value if known else value.float()).numpy()
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array: {str(error).splitlines()[0]}") from error


def shape_of(value: Any, name: str) -> tuple[int, ...]:
    """The shape of an array, a tensor or a list."""
    return value.shape if hasattr(value, "shape") else array_of(value, name).shape


def precision(value: Any) -> Any:
    """The type to compute in for an array or tensor: float64 if it has that, in any byte order."""
    double = str(getattr(value, "dtype", "")).endswith(("float64", "f8"))
    return np.float64 if double else np.float32


def behaved(array: np.ndarray, dtype: Any) -> np.ndarray:
    """An array as kernels are compiled for it, a copy if need be.

    C-contiguous, aligned, in the processor's byte order and not read-only: numba would compile
    another kernel for each of these.
    """
    if array.dtype == dtype and array.flags.carray and type(array) is np.ndarray:
        return array
    if dtype is _DOUBLE and array.dtype.itemsize <= 8:  # nothing is beyond it
        return np.array(array, dtype, order="C")
    with np.errstate(all="ignore"):  # of numbers beyond the type's; it takes a microsecond
        return np.array(array, dtype, order="C")


def real_array(value: Any, name: str, shape: Shape, dtype: Any = _DOUBLE) -> np.ndarray:
    """Return real numbers of a shape as kernels take them; no tensor that requires a gradient."""
    if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
        return value if value.flags.carray else value.copy()  # most are such
    if is_tensor(value) and value.requires_grad:
        raise TypeError(f"{name} requires a gradient, which arrays do not have: pass it detached")
    array = array_of(value, name)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    _check_shape(array.shape, name, shape)
    return behaved(array, dtype)


def real_tensor(value: Any, name: str, shape: Shape) -> Any:
    """Return a tensor of real numbers of a shape as it is."""
    if not is_tensor(value):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    check_dense(value, name)
    if value.is_complex() or str(value.dtype) == "torch.bool":
        raise TypeError(f"{name} must hold real numbers, got dtype {value.dtype}")
    _check_shape(tuple(value.shape), name, shape)
    return value


def _check_shape(found: tuple[int, ...], name: str, wanted: Shape) -> None:
    if found == wanted:
        return
    fits = len(found) == len(wanted) and all(
        size == most or (most is None and (size > 0 or axis == 0))
        for axis, (size, most) in enumerate(zip(found, wanted, strict=True))
    )
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in wanted)
        raise ValueError(f"{name} must have the shape ({sizes}), got {found}")


def is_stroke(stroke: Any) -> Stroke:
    """Return a stroke as it is; raise TypeError if it is none."""
    if not isinstance(stroke, Stroke):
        raise TypeError(f"expected a Stroke, got {type(stroke).__name__}")
    return stroke


def _are_ready(stroke: Stroke, leading: Shape, channels: int | None) -> bool:
    """Whether kernels can take strokes as they are: looked at in less than a microsecond."""
    colour, radius, position, pressure = stroke
    anchors = (*leading, NUM_ANCHORS)
    return (
        type(radius) is type(position) is type(pressure) is type(colour) is np.ndarray
        and radius.dtype is position.dtype is pressure.dtype is colour.dtype is _DOUBLE
        and radius.shape == leading and colour.shape == (*leading, channels)
        and pressure.shape == anchors and position.shape == (*anchors, 2)
        and radius.flags.carray and colour.flags.carray
        and pressure.flags.carray and position.flags.carray
    )  # fmt: skip


def strokes(
    stroke: Stroke, leading: Shape, channels: int | None, real: Callable[..., Any] = real_array
) -> Stroke:
    """Return strokes as kernels take them.

    Args:
        stroke: a batch.
        leading: the shape of the batch; where it is None, the radius has the size.
        channels: of the colour; None: it is not used, nor looked at.
        real: what each field is to be: :func:`real_array`, in float64, or :func:`real_tensor`.
    """
    if real is real_array and type(stroke) is Stroke and _are_ready(stroke, leading, channels):
        return stroke
    colour, radius, position, pressure = is_stroke(stroke)
    found = shape_of(radius, "a stroke's radius")
    if len(found) != len(leading):
        sizes = ", ".join("BN"[: len(leading)])
        raise ValueError(f"a stroke's radius must have the shape [{sizes}], got {found}")
    leading = tuple(a if b is None else b for a, b in zip(found, leading, strict=True))
    if channels is not None:
        colour = real(colour, "a stroke's colour", (*leading, channels))
    return Stroke(
        colour,
        real(radius, "a stroke's radius", leading),
        real(position, "a stroke's position", (*leading, NUM_ANCHORS, 2)),
        real(pressure, "a stroke's pressure", (*leading, NUM_ANCHORS)),
    )


def canvases(canvas: Any, dtype: Any = np.float32, *, copied: bool = True) -> np.ndarray:
    """Return canvases ``[B, C, H, W]`` in 0 … 1: a copy that may be painted on, or not."""
    array = in_unit(real_array(canvas, "a canvas", _CANVASES, dtype), "a canvas")
    return array.copy() if copied else array


def canvas_tensor(canvas: Any) -> Any:
    """Return canvases ``[B, C, H, W]``, a tensor, as they are."""
    return real_tensor(canvas, "a canvas", _CANVASES)


def painted_in_place(
    canvas: Any, name: str = "the canvas", known: tuple[np.dtype, ...] = (_SINGLE, _DOUBLE)
) -> None:
    """Check that kernels can change an array ``[B, C, H, W]`` of one of the known types."""
    if type(canvas) is not np.ndarray or canvas.dtype not in known:
        kinds = " or ".join(kind.name for kind in known)
        found = getattr(canvas, "dtype", type(canvas).__name__)
        raise TypeError(f"{name} is painted in place: it must be an array of {kinds}, got {found}")
    if canvas.ndim != 4 or 0 in canvas.shape[1:]:
        raise ValueError(f"{name} must have the shape [B, C, H, W], got {canvas.shape}")
    if not canvas.flags.carray:
        raise ValueError(
            f"{name} is painted in place: it must be C-contiguous and not read-only, pass a copy"
        )


def check_composite(
    canvas: Any, target: Any, stroke: Stroke, pixels: Any = None, inked: Any = None
) -> tuple[np.ndarray, Stroke]:
    """Check what :meth:`Program.composite` is given.

    Returns:
        The target and the strokes as kernels take them.
    """
    painted_in_place(canvas)
    shape = canvas.shape
    if pixels is not None:
        painted_in_place(pixels, "pixels", (_BYTE,))
        _check_shape(pixels.shape, "pixels", shape)
    boxes = inked is None or (type(inked) is np.ndarray and inked.flags.carray)
    if not boxes or (inked is not None and (inked.dtype, inked.shape) != (np.int64, (shape[0], 4))):
        raise ValueError(
            f"inked must be a contiguous int64 array [{shape[0]}, 4], got {told(inked)}"
        )
    target = real_array(target, "the target", shape, canvas.dtype)
    return target, strokes(stroke, shape[:1], shape[1])


def background_of(background: Any, channels: int, dtype: Any = np.float32) -> np.ndarray:
    """Return the colour of an empty canvas, ``[C]``, from one number in 0 … 1 or C of them."""
    ndim = array_of(background, "the background").ndim
    colour = real_array(background, "the background", (channels,) if ndim else (), dtype)
    return np.broadcast_to(in_unit(colour, "the background"), (channels,)).copy()
