"""The path of the pen: from 16 anchors to weighted stamps along a centripetal spline.

All of it is in float64 and in pixels (x to the right, y down); its derivative is in
path_adjoint.py.
"""

import math
from typing import NamedTuple

import numpy as np

from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST
from strokenet_gym.programs.stamped.numbers import Stamp
from strokenet_gym.programs.stamped.spline import (
    bounding_box,
    control_length,
    cubic,
    place,
    spline_tangents,
    velocity,
)
from strokenet_gym.stroke import MOST_PRESSURE

__all__ = [
    "DRAWABLE_RADIUS",
    "ENDS",
    "MAX_COVERAGE",
    "Path",
    "new_path",
    "power",
    "trace_on",
    "trace_stroke",
]

# Below this radius (pixels) a stamp would fall between the pixel centres. A thinner one is drawn
# with it and less strength instead.
DRAWABLE_RADIUS = 1.0

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
_NEAR = 1.0 / 16.0  # how far pressures are apart at most, as a share, whose powers are a series
_FAINT = 1e-6  # strength: a hundred passes are still less than 1/255 of ink


class Path(NamedTuple):
    """A stroke in pixels: what kernels fill anew for each stroke.

    Attributes:
        points: float64 ``(n, 2)``, the anchors, y down.
        tangents: float64 ``(n - 1, 2, 2)``, see :func:`spline_tangents`.
        pressure: float64 ``(n,)``, at the anchors.
        radius: float64 ``(1,)``.
        box: int64 ``(4,)``, the pixels that may hold ink: x0, x1, y0, y1, half open.
        stamps: :data:`Stamp` ``(capacity,)``.
        rest: int64 ``(2,)``, the segment and its piece that the stamps after these begin with: a
            long path has more than the table has room for.
    """

    points: np.ndarray
    tangents: np.ndarray
    pressure: np.ndarray
    radius: np.ndarray
    box: np.ndarray
    stamps: np.ndarray
    rest: np.ndarray


@njit(fastmath=FAST, error_model="numpy")
def power(base, exponent):
    """``base ** exponent`` for base >= 0; pow is slow and most brushes use small integers."""
    if exponent == 1.0:
        return base
    if exponent == 3.0:
        return base * base * base
    if exponent == 0.0:
        return 1.0
    return base**exponent


@njit(fastmath=FAST, error_model="numpy")
def _powers_around(low, high, brush):
    """One over the middle of two pressures, and its powers, for :func:`_powers`.

    0 if the pressures are far apart, or the brush's powers take no time.
    """
    middle = 0.5 * (low + high)
    quick = _is_quick(brush.pressure_size) and _is_quick(brush.pressure_opacity)
    if quick or not high - low <= 2.0 * _NEAR * middle or middle < 1e-9:
        return 0.0, 0.0, 0.0
    return 1.0 / middle, power(middle, brush.pressure_size), power(middle, brush.pressure_opacity)


@njit()
def _is_quick(exponent):
    """Whether :func:`power` only multiplies."""
    return exponent == 0.0 or exponent == 1.0 or exponent == 3.0


@njit(fastmath=FAST, error_model="numpy")
def _powers(pressure, around, brush):
    """A stamp's size and opacity: the two powers of its pressure.

    By the binomial series around a pressure near it, to 1e-9 (1e-6 for the exponent 10): a power
    takes as long as all else about a stamp.
    """
    inverse, size, opacity = around
    if inverse > 0.0:
        x = pressure * inverse - 1.0
        size *= _one_plus(x, brush.pressure_size)
        return size, opacity * _one_plus(x, brush.pressure_opacity)
    return power(pressure, brush.pressure_size), power(pressure, brush.pressure_opacity)


@njit(fastmath=FAST, error_model="numpy")
def _one_plus(x, e):
    """``(1 + x) ** e`` for small x."""
    s = 1.0 + (e - 5.0) / 6.0 * x
    s = 1.0 + (e - 3.0) / 4.0 * x * (1.0 + (e - 4.0) / 5.0 * x * s)
    return 1.0 + e * x * (1.0 + (e - 1.0) / 2.0 * x * (1.0 + (e - 2.0) / 3.0 * x * s))


@njit(fastmath=FAST, error_model="numpy")
def _faded_strength(strength, fade, buildup):
    """Strength of a stamp with a true radius of ``fade`` <= 1 px, drawn with a radius of 1 px.

    A straight line of strength q takes away about kq / (1 + kq) of the light across its width,
    where k = ``Brush.buildup``. A strength of fade q / (1 + kq (1 - fade)) takes away that times
    fade. With the factor (1 + fade / 4), which was fitted, the ink of a line stays in proportion
    to its true width, to about 15 % for most brushes.
    """
    return fade * strength / (1.0 + buildup * strength * (1.0 - fade) * (1.0 + 0.25 * fade))


@njit(fastmath=FAST, error_model="numpy")
def _tolerance(powers, radius, brush):
    """How much coarser than an opaque stroke one of this pressure's powers may be sampled.

    Measured: with the inverse root of the drawn strength, the largest error is about the same for
    all pressures.
    """
    strength = brush.opacity * powers[1] + 1e-12
    fade = min(1.0, radius * powers[0] / DRAWABLE_RADIUS)
    return 1.0 / math.sqrt(_faded_strength(strength, fade, brush.buildup))


@njit(fastmath=FAST, error_model="numpy")
def _put_stamp(stamp, place, length, pressure, around, radius, segment, t, dt, brush):
    """Fill in a stamp that stands for a length of the path in pixels; 0: a whole one at an end."""
    size, opacity = _powers(pressure, around, brush)
    strength, r = brush.opacity * opacity, radius * size
    fade = min(1.0, r / DRAWABLE_RADIUS)
    drawn = max(r, DRAWABLE_RADIUS)
    # A whole one's ink is in proportion to its true area.
    weight = length * brush.density / drawn if dt > 0.0 else fade
    inked = pressure > 0.0 and strength > _FAINT and fade > 1e-4
    stamp.x, stamp.y = place
    stamp.radius, stamp.weight = drawn, weight if inked else 0.0
    stamp.strength = _faded_strength(strength, fade, brush.buildup)
    stamp.segment, stamp.t, stamp.dt = segment, t, dt


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
    points, tangents, pressure, stamps = path.points, path.tangents, path.pressure, path.stamps
    n, radius = points.shape[0], path.radius[0]
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
        around = _powers_around(low, high, brush)
        of_low, of_high = _powers(low, around, brush), _powers(high, around, brush)
        thinnest = max(DRAWABLE_RADIUS, radius * of_low[0])
        step = min(spacing * _tolerance(of_high, radius, brush), accuracy.most) * thinnest
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
            of_low, of_high = _powers(low, around, brush), _powers(high, around, brush)
            r0, r1 = radius * of_low[0], radius * of_high[0]
            # A piece of the curve is hardly longer than this share of the whole.
            part = 1.3 * length / pieces
            x, y = place(curve, t0 + 0.5 / pieces)
            reach = part + max(DRAWABLE_RADIUS, r1)
            if not (-reach <= x <= shape[1] + reach and -reach <= y <= shape[0] + reach):
                continue
            if far:  # near its anchors it is much slower than on the whole
                part = min(part, 1.1 * _fastest(curve, t0, t0 + 1.0 / pieces) / pieces)
            tolerance = _tolerance(of_high, radius, brush)
            step = min(spacing * tolerance, accuracy.most) * max(DRAWABLE_RADIUS, r0)
            presses = abs(p1 - p0) / (accuracy.pressure_step * math.sqrt(tolerance) * high)
            steps = max(1 + int(min(max(part / step, presses), _MOST_STAMPS)), least)
            dt = 1.0 / (pieces * steps)
            if count + steps > len(stamps):
                path.rest[0], path.rest[1] = i, piece
                return count
            for k in range(steps):
                t = t0 + (k + 0.5) * dt
                dx, dy = velocity(curve, t)
                _put_stamp(
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
def new_path(n):
    """Room for strokes of n anchors."""
    points, tangents, pressure = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(n)
    box, rest = np.empty(4, np.int64), np.empty(2, np.int64)
    return Path(points, tangents, pressure, np.empty(1), box, np.empty(_ROOM, Stamp), rest)


@njit()
def trace_stroke(path, position, pressure, radius, brush, accuracy, shape, low, high):
    """Turn a stroke in half-widths into stamps in pixels: its first ones.

    Args:
        path: a :class:`Path`, filled.
        position: float64 ``(n, 2)``, half the canvas' sides, y up.
        pressure: float64 ``(n,)``.
        radius: half the shorter side.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        shape: height and width of the canvas, pixels.
        low: first row that is asked for; 0 for all.
        high: one past the last row; the height for all.

    Returns:
        The path (with a larger table if it was too small), and the number of stamps in it; those
        after them are :func:`trace_on`'s.
    """
    points, box, rest = path.points, path.box, path.rest
    height, width = shape
    n, total = points.shape[0], radius
    rest[0], rest[1] = n - 1, 0
    for i in range(n):
        points[i, 0] = (1.0 + position[i, 0]) * (width / 2.0)
        points[i, 1] = (1.0 - position[i, 1]) * (height / 2.0)
        path.pressure[i] = pressure[i]
        total += position[i, 0] + position[i, 1] + pressure[i]
        if abs(pressure[i]) > MOST_PRESSURE:
            total = math.inf
    if not math.isfinite(total):  # from a network that has diverged: nothing is drawn
        box[:] = 0
        return path, 0
    r = radius * (min(width, height) / 2.0)
    path.radius[0] = r
    spline_tangents(points, path.tangents)
    bounding_box(points, path.tangents, max(r, DRAWABLE_RADIUS), width, height, box)
    box[2], box[3] = max(box[2], low), min(box[3], high)
    if box[0] >= box[1] or box[2] >= box[3]:
        return path, 0
    count = _first_stamps(path, brush, accuracy, shape)
    if rest[0] < n - 1 and len(path.stamps) < _MOST_ROOM:
        table = np.empty(_MOST_ROOM, Stamp)  # takes the memory that is written to
        path = Path(points, path.tangents, path.pressure, path.radius, box, table, rest)
        count = _first_stamps(path, brush, accuracy, shape)
    return path, count


@njit(error_model="numpy")
def _first_stamps(path, brush, accuracy, shape):
    """The two whole stamps at the ends, and as many of the others as there is room for."""
    points, n = path.points, path.points.shape[0]
    for k in range(ENDS):
        i = k * (n - 1)
        _put_stamp(
            path.stamps[k], (points[i, 0], points[i, 1]), 0.0, path.pressure[i], (0.0, 0.0, 0.0),
            path.radius[0], k * (n - 2), float(k), 0.0, brush,
        )  # fmt: skip
    path.rest[0], path.rest[1] = 0, 0
    return _trace_stamps(path, ENDS, brush, accuracy, shape)


@njit()
def trace_on(path, brush, accuracy, shape):
    """Fill the table with the stamps after those that are in it; return their number, 0 at last."""
    if path.rest[0] >= path.points.shape[0] - 1:
        return 0
    return _trace_stamps(path, 0, brush, accuracy, shape)
