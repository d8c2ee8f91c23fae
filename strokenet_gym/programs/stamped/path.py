"""The path of the pen: from 16 anchors to weighted stamps along a centripetal spline.

All of it is in float64 and in pixels (x to the right, y down).
"""

import math
from typing import NamedTuple

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.stamped.numbers import Stamp
from strokenet_gym.programs.stamped.pressure import (
    DRAWABLE_RADIUS,
    powers,
    powers_around,
    put_stamp,
    put_stamp_back,
    tolerance,
)
from strokenet_gym.programs.stamped.spline import (
    bounding_box,
    control_length,
    cubic,
    place,
    spline_tangents,
    spline_tangents_back,
    velocity,
)
from strokenet_gym.stroke import MOST_PRESSURE

__all__ = [
    "ENDS",
    "MAX_COVERAGE",
    "Curve",
    "Path",
    "new_curve",
    "new_path",
    "trace_on",
    "trace_run_back",
    "trace_stroke",
    "trace_stroke_back",
]

# Never quite opaque, so that the logarithm stays finite.
MAX_COVERAGE = 0.999

ENDS = 2  # whole stamps, one at each end: the first in a stroke's table

_PIECES = 8  # of a segment, if it is not so long that most of them are off the canvas
_STAMPS = 16.0  # in a piece, about, if there are many,
_LONG = 256.0  # and where a segment is longer than that
_MOST_PIECES = 4096.0  # of a segment
_MOST_STAMPS = 65536.0  # of a piece: of what jumps across millions of pixels, few are seen
_ROOM = 2048  # stamps in a table, and in the largest, which takes 16 MB
_MOST_ROOM = 2**18
_FINEST = 0.0025  # spacing: with hard edges and few stamps the ink is still within 0.5/255
_AROUND = 4  # stamps at least where the path turns


class Curve(NamedTuple):
    """A stroke in pixels, or the gradient with respect to it.

    Attributes:
        points: float64 ``(n, 2)``, the anchors, y down.
        tangents: float64 ``(n - 1, 2, 2)``, see :func:`spline_tangents`.
        pressure: float64 ``(n,)``, at the anchors.
        radius: float64 ``(1,)``.
    """

    points: np.ndarray
    tangents: np.ndarray
    pressure: np.ndarray
    radius: np.ndarray


class Path(NamedTuple):
    """What kernels fill anew for each stroke.

    Attributes:
        curve: the stroke in pixels.
        box: int64 ``(4,)``, the pixels that may hold ink: x0, x1, y0, y1, half open.
        stamps: :data:`Stamp` ``(capacity,)``.
        rest: int64 ``(2,)``, the segment and its piece that the stamps after these begin with: a
            long path has more than the table has room for.
    """

    curve: Curve
    box: np.ndarray
    stamps: np.ndarray
    rest: np.ndarray


@njit(error_model="numpy")
def _trace_stamps(path, count, brush, accuracy, shape):
    """Sample the stroke: stamps whose weights make their product the integral along the path.

    Each segment is cut into pieces, and each piece into equal steps of the spline's parameter, with
    a stamp on the curve in the middle of each. Its weight is density * ds / r (step 4 of the
    painting program).

    Args:
        path: a :class:`Path`; its table is filled from where its rest says, and the rest is moved
            on, to the segment n - 1 if there is nothing more.
        count: of the stamps that are in the table already.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas. Pieces that do not reach it have no stamps. (Those
            that only miss the rows asked for have, so that bands of rows have the same runs.)

    Returns:
        The number of stamps.
    """
    points, tangents, pressure, stroke_radius = path.curve
    n, radius, stamps = points.shape[0], stroke_radius[0], path.stamps
    begin, resume = path.rest[0], path.rest[1]
    # Of few stamps, one more or less would be seen, but not if they fade out.
    soft = min(max(0.0, 2.0 * brush.edge - 1.0), 1.0) * min(max(0.0, brush.density - 1.0), 1.0)
    few = min(1.0, min(1.0, brush.density / 8.0) ** 0.35 * (1.0 + 0.6 * soft))
    spacing = max(accuracy.spacing * min(1.0, 2.0 * brush.edge) ** 1.35 * few, _FINEST)
    for i in range(begin, n - 1):
        if pressure[i] <= 0.0 and pressure[i + 1] <= 0.0:
            continue
        curve, change = cubic(points, tangents, i), pressure[i + 1] - pressure[i]
        length = control_length(curve)  # at least the curve's
        low, high = min(pressure[i], pressure[i + 1]), max(pressure[i], pressure[i + 1])
        around = powers_around(low, high, brush)
        of_low, of_high = powers(low, around, brush), powers(high, around, brush)
        thinnest = max(DRAWABLE_RADIUS, radius * of_low[0])
        step = min(spacing * tolerance(of_high, radius, brush), accuracy.most) * thinnest
        pieces = max(min(length / (_STAMPS * step), _PIECES - 1.0), length / (_LONG * step))
        pieces = 1 + int(min(pieces, _MOST_PIECES))
        far = length > 2.0 * (shape[0] + shape[1])  # it leaves the canvas
        # Where the path turns it is slow, on an anchor or halfway between two on one spot.
        dx, dy = velocity(curve, 0.5)
        u2, v2 = tangents[i, 1, 0], tangents[i, 1, 1]
        slowest = min(dx * dx + dy * dy, curve[2] ** 2 + curve[3] ** 2, u2 * u2 + v2 * v2)
        least = _AROUND if 2.0 * slowest < length * length else 1
        for piece in range(resume if i == begin else 0, pieces):
            t0 = piece / pieces
            p0 = pressure[i] + change * t0
            p1 = p0 + change / pieces
            low, high = max(0.0, min(p0, p1)), max(p0, p1)
            of_low, of_high = powers(low, around, brush), powers(high, around, brush)
            r0, r1 = radius * of_low[0], radius * of_high[0]
            # A piece of the curve is hardly longer than this share of the whole.
            part = 1.3 * length / pieces
            x, y = place(curve, t0 + 0.5 / pieces)
            reach = part + max(DRAWABLE_RADIUS, r1)
            if not (-reach <= x <= shape[1] + reach and -reach <= y <= shape[0] + reach):
                continue
            if far:  # near its anchors it is much slower than on the whole
                part = min(part, 1.1 * _fastest(curve, t0, t0 + 1.0 / pieces) / pieces)
            coarser = tolerance(of_high, radius, brush)
            step = min(spacing * coarser, accuracy.most) * max(DRAWABLE_RADIUS, r0)
            presses = abs(p1 - p0) / (accuracy.pressure_step * math.sqrt(coarser) * high)
            steps = max(1 + int(min(max(part / step, presses), _MOST_STAMPS)), least)
            dt = 1.0 / (pieces * steps)
            if count + steps > len(stamps):
                path.rest[0], path.rest[1] = i, piece
                return count
            for k in range(steps):
                t = t0 + (k + 0.5) * dt
                dx, dy = velocity(curve, t)
                put_stamp(
                    stamps[count + k], place(curve, t), dt * math.sqrt(dx * dx + dy * dy),
                    max(0.0, pressure[i] + change * t), around, radius, i, t, dt, brush,
                )  # fmt: skip
            count += steps
    path.rest[0], path.rest[1] = n - 1, 0
    return count


@njit(fastmath=FAST, error_model="numpy")
def _fastest(curve, t0, t1):
    """The largest speed at either end and in the middle of a piece of a segment."""
    most = 0.0
    for t in (t0, 0.5 * (t0 + t1), t1):
        dx, dy = velocity(curve, t)
        most = max(most, dx * dx + dy * dy)
    return math.sqrt(most)


@njit()
def new_curve(n):
    """Room for n anchors."""
    return Curve(np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(n), np.empty(1))


@njit()
def new_path(n):
    """Room for strokes of n anchors."""
    box, rest = np.empty(4, np.int64), np.empty(2, np.int64)
    return Path(new_curve(n), box, np.empty(_ROOM, Stamp), rest)


@njit()
def trace_stroke(path, strokes, k, brush, accuracy, shape, low, high):
    """Turn a stroke in half-widths into stamps in pixels: its first ones.

    Args:
        path: a :class:`Path`, filled.
        strokes: a :class:`strokenet_gym.Stroke` of arrays ``(K, …)``.
        k: which of them. One with a number that is not finite, or a pressure beyond 100 (a network
            that has diverged has such), has no stamps.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas, pixels.
        low: first row that is asked for; 0 for all.
        high: one past the last row; the height for all.

    Returns:
        The path (with a larger table if it was too small), and the number of stamps in it; those
        after them are :func:`trace_on`'s.
    """
    (points, tangents, pressure, radius), box, rest = path.curve, path.box, path.rest
    height, width = shape
    n, total = points.shape[0], strokes.radius[k] + 0.0 * strokes.colour[k].sum()
    rest[0], rest[1] = n - 1, 0
    for i in range(n):
        x, y, p = strokes.position[k, i, 0], strokes.position[k, i, 1], strokes.pressure[k, i]
        points[i, 0] = (1.0 + x) * (width / 2.0)
        points[i, 1] = (1.0 - y) * (height / 2.0)
        pressure[i] = p
        total += x + y + p
        if abs(p) > MOST_PRESSURE:
            total = math.inf
    if not math.isfinite(total):
        box[:] = 0
        return path, 0
    radius[0] = strokes.radius[k] * (min(width, height) / 2.0)
    spline_tangents(points, tangents)
    bounding_box(points, tangents, max(radius[0], DRAWABLE_RADIUS), width, height, box)
    box[2], box[3] = max(box[2], low), min(box[3], high)
    if box[0] >= box[1] or box[2] >= box[3]:
        return path, 0
    count = _first_stamps(path, brush, accuracy, shape)
    if rest[0] < n - 1 and len(path.stamps) < _MOST_ROOM:
        table = np.empty(_MOST_ROOM, Stamp)  # takes the memory that is written to
        path = Path(path.curve, box, table, rest)
        count = _first_stamps(path, brush, accuracy, shape)
    return path, count


@njit(error_model="numpy")
def _first_stamps(path, brush, accuracy, shape):
    """The two whole stamps at the ends, and as many of the others as there is room for."""
    points, _, pressure, radius = path.curve
    n = points.shape[0]
    for k in range(ENDS):
        i = k * (n - 1)
        put_stamp(
            path.stamps[k], (points[i, 0], points[i, 1]), 0.0, pressure[i], (0.0, 0.0, 0.0),
            radius[0], k * (n - 2), float(k), 0.0, brush,
        )  # fmt: skip
    path.rest[0], path.rest[1] = 0, 0
    return _trace_stamps(path, ENDS, brush, accuracy, shape)


@njit()
def trace_on(path, brush, accuracy, shape):
    """Fill the table with the stamps after those that are in it; return their number, 0 at last."""
    if path.rest[0] >= path.curve.points.shape[0] - 1:
        return 0
    return _trace_stamps(path, 0, brush, accuracy, shape)


@njit(fastmath=FAST, error_model="numpy")
def trace_run_back(grad_curve, grad_stamps, stamps, start, stop, curve, brush):
    """Add the gradient with respect to the stamps ``start`` to ``stop`` to that of the curve.

    Args:
        grad_curve: a :class:`Curve`.
        grad_stamps: :data:`Stamp` ``(stop - start,)``.
        stamps: of the stroke.
        start: the first of them.
        stop: one past the last.
        curve: of the stroke.
        brush: a :class:`BrushNumbers`.
    """
    (points, tangents, pressure, stroke_radius), k = curve, start
    grad_points, grad_tangents, grad_pressure, grad_radius = grad_curve
    radius, total = stroke_radius[0], 0.0
    while k < stop:
        i = stamps[k].segment
        coefficients = cubic(points, tangents, i)
        # With respect to the coefficients of the cubic.
        x0, x1, x2, x3, y0, y1, y2, y3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        while k < stop and stamps[k].segment == i:
            grad, stamp = grad_stamps[k - start], stamps[k]
            t, grad_x, grad_y = stamp.t, grad.x, grad.y
            k += 1
            if stamp.weight == 0.0:
                continue
            p = (1.0 - t) * pressure[i] + t * pressure[i + 1]
            grad_log, grad_p, grad_r = put_stamp_back(grad, stamp, p, radius, brush)
            dx, dy = velocity(coefficients, t)
            grad_speed = grad_log / max(dx * dx + dy * dy, 1e-300)
            grad_dx, grad_dy = grad_speed * dx, grad_speed * dy
            grad_pressure[i] += (1.0 - t) * grad_p
            grad_pressure[i + 1] += t * grad_p
            total += grad_r
            x0, y0 = x0 + grad_x, y0 + grad_y
            x1, y1 = x1 + t * grad_x + grad_dx, y1 + t * grad_y + grad_dy
            x2 += t * (t * grad_x + 2.0 * grad_dx)
            y2 += t * (t * grad_y + 2.0 * grad_dy)
            x3 += t * t * (t * grad_x + 3.0 * grad_dx)
            y3 += t * t * (t * grad_y + 3.0 * grad_dy)
        grad_points[i, 0] += x0 - 3.0 * x2 + 2.0 * x3
        grad_points[i, 1] += y0 - 3.0 * y2 + 2.0 * y3
        grad_points[i + 1, 0] += 3.0 * x2 - 2.0 * x3
        grad_points[i + 1, 1] += 3.0 * y2 - 2.0 * y3
        grad_tangents[i, 0, 0] += x1 - 2.0 * x2 + x3
        grad_tangents[i, 0, 1] += y1 - 2.0 * y2 + y3
        grad_tangents[i, 1, 0] += x3 - x2
        grad_tangents[i, 1, 1] += y3 - y2
    grad_radius[0] += total


@njit()
def trace_stroke_back(grads, k, grad_curve, curve, shape):
    """From the gradient with respect to the curve to that of stroke k, which is filled."""
    spline_tangents_back(curve.points, grad_curve.tangents, grad_curve.points)
    for i in range(curve.points.shape[0]):  # from pixels, y down, to half-widths, y up
        grads.position[k, i, 0] = grad_curve.points[i, 0] * (shape[1] / 2.0)
        grads.position[k, i, 1] = grad_curve.points[i, 1] * (-shape[0] / 2.0)
        grads.pressure[k, i] = grad_curve.pressure[i]
    grads.radius[k] = grad_curve.radius[0] * (min(shape[0], shape[1]) / 2.0)
