"""The path of the pen: from 16 anchors to weighted stamps along a centripetal spline.

All of it is in float64 and in pixels (x to the right, y down); its derivative is in
path_adjoint.py.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from strokenet_gym.programs.stamped.fastmath import FAST
from strokenet_gym.programs.stamped.numbers import Piece, Stamp
from strokenet_gym.programs.stamped.spline import (
    bounding_box,
    cubic,
    place,
    spline_tangents,
    velocity,
)

__all__ = [
    "DRAWABLE_RADIUS",
    "ENDS",
    "MAX_COVERAGE",
    "Path",
    "new_path",
    "power",
    "trace_stroke",
]

# Below this radius (pixels) a stamp would fall between the pixel centres. A thinner one is drawn
# with it and less strength instead.
DRAWABLE_RADIUS = 1.0

# Never quite opaque, so that the logarithm stays finite.
MAX_COVERAGE = 0.999

ENDS = 2  # whole stamps, one at each end: the first in a stroke's table

_UNEVEN = 16  # pieces at most that a segment is cut into where it is uneven
_LONG = 256.0  # stamps in a piece, about, where a segment is long
_MOST_PIECES = 4096  # of a segment
_MOST_STAMPS = 2.0**16  # for a piece: of what jumps across millions of pixels, only a few are seen
_UNEQUAL = 0.1  # by how much the distances of stamps on two sides of an anchor may differ
_AT_ENDS = 2.0  # times as many stamps where the path begins and ends
_FLOOR = 0.8  # of a segment's demand is everywhere: where the path turns it is slow
_TIP = 0.5  # of a segment's demand: less at an anchor, and the path turns there
_DENSER = 8.0  # most of what pressure asks for around an anchor
_NOTCHES = 16.0  # of a piece's demand from one power of two to the next
_FAINT = 1e-6  # strength: a hundred passes are still less than 1/255 of ink


class Path(NamedTuple):
    """A stroke in pixels: what kernels fill anew for each stroke.

    Attributes:
        points: float64 ``(n, 2)``, the anchors, y down.
        tangents: float64 ``(n - 1, 2, 2)``, see :func:`spline_tangents`.
        box: int64 ``(4,)``, the pixels that may hold ink: x0, x1, y0, y1, half open.
        pieces: :data:`Piece` ``(capacity,)``.
        stamps: :data:`Stamp` ``(capacity,)``.
    """

    points: np.ndarray
    tangents: np.ndarray
    box: np.ndarray
    pieces: np.ndarray
    stamps: np.ndarray


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def power(base, exponent):
    """``base ** exponent`` for base >= 0; pow is slow and most brushes use small integers."""
    if exponent == 1.0:
        return base
    if exponent == 3.0:
        return base * base * base
    if exponent == 0.0:
        return 1.0
    return base**exponent


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _faded_strength(strength, fade, buildup):
    """Strength of a stamp with a true radius of ``fade`` <= 1 px, drawn with a radius of 1 px.

    A straight line of strength q takes away about kq / (1 + kq) of the light across its width,
    where k = ``Brush.buildup``. A strength of fade q / (1 + kq (1 - fade)) takes away that times
    fade. With the factor (1 + fade / 4), which was fitted, the ink of a line stays in proportion
    to its true width, to about 15 % for most brushes.
    """
    return fade * strength / (1.0 + buildup * strength * (1.0 - fade) * (1.0 + 0.25 * fade))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _steps(pressure, radius, brush, spacing, accuracy):
    """How far stamps may be apart, in pixels and in pressure.

    Measured: with the inverse root of the drawn strength, the largest error is about the same for
    all pressures.
    """
    strength = brush.opacity * power(pressure, brush.pressure_opacity) + 1e-12
    r = radius * power(pressure, brush.pressure_size)
    fade = min(1.0, r / DRAWABLE_RADIUS)
    tolerance = 1.0 / math.sqrt(_faded_strength(strength, fade, brush.buildup))
    step = min(spacing * tolerance, accuracy.most) * max(r, DRAWABLE_RADIUS)
    return step, accuracy.pressure_step * math.sqrt(tolerance) * max(pressure, 1e-3)


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _demands(x, y, change, steps):
    """Stamps for a unit of the path's parameter: for its length, and for its pressure."""
    return math.sqrt(x * x + y * y) / steps[0] + 1e-3, abs(change) / steps[1]


@njit(nogil=True, cache=True, error_model="numpy")
def _notched(demand):
    """Round up to a notch."""
    mantissa, exponent = math.frexp(demand)
    return math.ldexp(math.ceil(mantissa * 2.0 * _NOTCHES) / (2.0 * _NOTCHES), exponent)


@njit(nogil=True, cache=True)
def _cut_at(share, tip, tip_ahead):
    """Where a segment is cut: pieces are shorter towards a tip."""
    if tip and tip_ahead:
        return share * share * (3.0 - 2.0 * share)
    if tip:
        return share * share
    return share * (2.0 - share) if tip_ahead else share


@njit(nogil=True, cache=True, error_model="numpy")
def _find_pieces(points, tangents, pressure, radius, brush, accuracy, box, pieces):
    """Cut the path into pieces, and find how many stamps each needs.

    Along a piece the demand goes evenly from the one where it begins to the one where it ends, so
    that stamps are equally far apart where two pieces meet. Segments that are long, or whose demand goes
    otherwise, are cut. A demand is rounded up to a notch, so that a stroke that moves a little
    keeps its stamps where they are in the parameter: with these fixed, the derivative is exact.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        pressure: float64 ``(n,)``, 0 … 1.
        radius: pixels.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        box: int64 ``(4,)``, the pixels that may hold ink: pieces that reach none are not seen.
        pieces: :data:`Piece` ``(capacity,)``, filled.

    Returns:
        The number of pieces. If it exceeds the capacity, only the first ones were stored.
    """
    n, count = points.shape[0], 0
    spacing = (
        accuracy.spacing
        * min(1.0, 2.0 * brush.edge) ** 1.35
        * min(1.0, max(brush.density, accuracy.sparse) / 8.0) ** 0.35
    )
    steps, denser, apart = _steps(pressure[0], radius, brush, spacing, accuracy), 1.0, 0.0
    for i in range(n - 1):
        steps_before, denser_before, apart_before = steps, denser, apart
        steps = _steps(pressure[i + 1], radius, brush, spacing, accuracy)
        change = pressure[i + 1] - pressure[i]
        # By how much pressure asks for more stamps than length, on either side of the anchor.
        long, press = _demands(tangents[i, 1, 0], tangents[i, 1, 1], change, steps)
        end, denser = max(long, press), press / long
        if i < n - 2:
            more = pressure[i + 2] - pressure[i + 1]
            a, b = _demands(tangents[i + 1, 0, 0], tangents[i + 1, 0, 1], more, steps)
            denser = max(denser if 4.0 * long > a else 0.0, b / a if 4.0 * a > long else 0.0)
        denser = min(max(denser, 1.0), _DENSER)
        end = max(end, long * denser)
        if pressure[i] <= 0.0 and pressure[i + 1] <= 0.0:
            apart = 0.0
            continue
        curve = cubic(points, tangents, i)
        long, press = _demands(curve[2], curve[3], change, steps_before)
        begin = max(long * denser_before, press)
        dx, dy = velocity(curve, 0.5)
        long, press = _demands(
            dx, dy, change,
            _steps(pressure[i] + 0.5 * change, radius, brush, spacing, accuracy),
        )  # fmt: skip
        middle = max(long, press)
        # No stamp stands for a way around a tip, nor for two sides that differ.
        largest = max(begin, middle, end)
        # No stamp stands for a way around a tip, where the path turns, nor for two sides that
        # differ. Towards a tip, and where the demand changes much, pieces get shorter.
        tip, tip_ahead = begin < _TIP * largest, end < _TIP * largest
        dip = middle < _TIP * min(begin, end)
        begin, end = max(begin, _FLOOR * largest), max(end, _FLOOR * largest)
        here = math.hypot(curve[2], curve[3]) / begin  # pixels between stamps
        joined = abs(here - apart_before) <= _UNEQUAL * max(here, apart_before) and not tip
        apart = 0.0 if tip_ahead else math.hypot(tangents[i, 1, 0], tangents[i, 1, 1]) / end
        cuts = min(accuracy.cuts * (largest / min(begin, middle, end) - 1.0), _UNEVEN - 1.0)
        cuts = 1 + int(min(max(cuts, largest / _LONG), _MOST_PIECES - 1.0))
        cuts += cuts % 2 if dip else 0
        # Nowhere is the curve faster than the hull of its derivative.
        u, v = curve[2] + curve[4], curve[3] + curve[5]
        fastest = math.sqrt(
            max(
                curve[2] ** 2 + curve[3] ** 2,
                u * u + v * v,
                tangents[i, 1, 0] ** 2 + tangents[i, 1, 1] ** 2,
            )
        )
        begin *= _AT_ENDS if i == 0 else 1.0
        end *= _AT_ENDS if i == n - 2 else 1.0
        last, t1 = end, 0.0
        for cut in range(cuts):
            t0, t1 = t1, _cut_at((cut + 1) / cuts, tip, tip_ahead)
            dt = t1 - t0
            high = max(pressure[i] + change * t0, pressure[i] + change * t1)
            end = last
            if cut < cuts - 1:
                dx, dy = velocity(curve, t1)
                inner = _steps(pressure[i] + change * t1, radius, brush, spacing, accuracy)
                long, press = _demands(dx, dy, change, inner)
                end = max(long, press, _FLOOR * largest)
            # Whether a disc around the piece's middle reaches the box.
            x, y = place(curve, t0 + 0.5 * dt)
            reach = 0.5 * dt * fastest
            reach += max(DRAWABLE_RADIUS, radius * power(high, brush.pressure_size))
            seen = box[0] - reach <= x <= box[1] + reach and box[2] - reach <= y <= box[3] + reach
            if count < pieces.shape[0]:
                piece = pieces[count]
                piece.segment, piece.t, piece.dt, piece.seen = i, t0, dt, seen
                piece.joined = joined if cut == 0 else not dip or 2 * cut != cuts
                piece.begin = min(_notched(begin), _MOST_STAMPS * cuts)
                piece.end = min(_notched(end), _MOST_STAMPS * cuts)
            begin = end
            count += 1
    return count


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _put_stamp(stamp, place, length, pressure, radius, segment, t, dt, brush):
    """Fill in a stamp that stands for a length of the path in pixels; 0: a whole one at an end."""
    strength = brush.opacity * power(pressure, brush.pressure_opacity)
    r = radius * power(pressure, brush.pressure_size)
    fade = min(1.0, r / DRAWABLE_RADIUS)
    drawn = max(r, DRAWABLE_RADIUS)
    # A whole one's ink is in proportion to its true area.
    weight = length * brush.density / drawn if dt > 0.0 else fade
    inked = pressure > 0.0 and strength > _FAINT and fade > 1e-4
    stamp.x, stamp.y = place
    stamp.radius, stamp.weight = drawn, weight if inked else 0.0
    stamp.strength = _faded_strength(strength, fade, brush.buildup)
    stamp.segment, stamp.t, stamp.dt = segment, t, dt


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _put_piece(stamps, start, stop, before, per, piece, curve, low, change, radius, brush):
    """Put stamps on a piece of the curve.

    The demand is D(t) = begin + (end - begin) t / dt, and stamp k lies where its integral is
    ``before + k per``.
    """
    begin, steeper = piece.begin, 2.0 * (piece.end - piece.begin) / piece.dt
    for k in range(start, stop):
        asked = before + (k - start) * per
        demand = math.sqrt(max(begin * begin + steeper * asked, 1e-6))
        t = piece.t + 2.0 * asked / (begin + demand)
        dx, dy = velocity(curve, t)
        dt = per / demand
        _put_stamp(
            stamps[k], place(curve, t), dt * math.sqrt(dx * dx + dy * dy),
            max(0.0, low + change * t), radius, piece.segment, t, dt, brush,
        )  # fmt: skip


@njit(nogil=True, cache=True, error_model="numpy")
def _trace_stamps(points, tangents, pressure, radius, brush, pieces, stamps):
    """Sample the stroke: stamps whose weights make their product the integral along the path.

    Stamps stand for equal shares of what all the pieces demand, each in the middle of its own, so
    that they go on evenly from piece to piece. A stamp's weight is density * ds / r (step 4 of
    the painting program). The two whole stamps at the ends come first.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        pressure: float64 ``(n,)``, 0 … 1.
        radius: pixels.
        brush: a :class:`BrushNumbers`.
        pieces: :data:`Piece` ``(count,)``, from :func:`_find_pieces`.
        stamps: :data:`Stamp` ``(capacity,)``, filled.

    Returns:
        The number of stamps. If it exceeds the capacity, some were not stored.
    """
    count, k = ENDS, 0
    while k < len(pieces):
        # As far as stamps go on evenly there are whole ones.
        last, total = k, 0.0
        while last == k or (last < len(pieces) and pieces[last].joined):
            total += 0.5 * pieces[last].dt * (pieces[last].begin + pieces[last].end)
            last += 1
        most = 1 + math.ceil(total)
        scale = most / total
        start, first = 0.0, 0
        while k < last:  # which stamps are in a piece: those whose middle is
            piece = pieces[k]
            end = start + 0.5 * piece.dt * (piece.begin + piece.end) * scale
            stop = min(max(math.ceil(end - 0.5), first), most)
            if piece.seen:
                count += stop - first
                if count <= len(stamps):
                    i = piece.segment
                    _put_piece(
                        stamps, count - (stop - first), count, (first + 0.5 - start) / scale,
                        1.0 / scale, piece, cubic(points, tangents, i), pressure[i],
                        pressure[i + 1] - pressure[i], radius, brush,
                    )  # fmt: skip
            start, first = end, stop
            k += 1
    n = points.shape[0]
    for k in range(ENDS):
        i = k * (n - 1)
        _put_stamp(
            stamps[k], (points[i, 0], points[i, 1]), 0.0, pressure[i], radius, k * (n - 2),
            float(k), 0.0, brush,
        )  # fmt: skip
    return count


@njit(nogil=True, cache=True)
def new_path(n):
    """Room for strokes of n anchors."""
    points, tangents, box = np.empty((n, 2)), np.empty((n - 1, 2, 2)), np.empty(4, np.int64)
    return Path(points, tangents, box, np.empty(_UNEVEN * n, Piece), np.empty(2048, Stamp))


@njit(nogil=True, cache=True)
def trace_stroke(path, position, pressure, radius, brush, accuracy, shape, low, high):
    """Turn a stroke in half-widths into stamps in pixels.

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
        The path (with larger tables if they were too small), and the number of its stamps.
    """
    points, tangents, box, pieces, stamps = path
    height, width = shape
    total = radius
    for i in range(points.shape[0]):
        points[i, 0] = (1.0 + position[i, 0]) * (width / 2.0)
        points[i, 1] = (1.0 - position[i, 1]) * (height / 2.0)
        total += position[i, 0] + position[i, 1] + pressure[i]
    if not math.isfinite(total):  # from a network that has diverged: nothing is drawn
        box[:] = 0
        return path, 0
    r = radius * (min(width, height) / 2.0)
    spline_tangents(points, tangents)
    bounding_box(points, tangents, max(r, DRAWABLE_RADIUS), width, height, box)
    box[2], box[3] = max(box[2], low), min(box[3], high)
    if box[0] >= box[1] or box[2] >= box[3]:
        return path, 0
    cut = _find_pieces(points, tangents, pressure, r, brush, accuracy, box, pieces)
    if cut > len(pieces):
        pieces = np.empty(2 * cut, Piece)
        _find_pieces(points, tangents, pressure, r, brush, accuracy, box, pieces)
    count = _trace_stamps(points, tangents, pressure, r, brush, pieces[:cut], stamps)
    if count > len(stamps):
        stamps = np.empty(2 * count, Stamp)
        _trace_stamps(points, tangents, pressure, r, brush, pieces[:cut], stamps)
    return Path(points, tangents, box, pieces, stamps), count
