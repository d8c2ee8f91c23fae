"""The curve: a centripetal Catmull-Rom spline through the anchors, in pixels and float64."""

import math

import numpy as np

from strokenet_gym.checks import real_array, whole
from strokenet_gym.kernels.cache import njit
from strokenet_gym.kernels.fastmath import FAST

__all__ = [
    "bounding_box",
    "control_length",
    "cubic",
    "knot",
    "pen_path",
    "place",
    "spline_tangents",
    "spline_tangents_back",
    "velocity",
]

# Keeps the spline differentiable, with bounded derivatives, where two anchors meet: (0.01 px)^2.
_KNOT_EPSILON = 1e-4


@njit(fastmath=FAST, error_model="numpy")
def knot(points, i, j):
    """Centripetal knot distance between two anchors: the square root of their distance."""
    dx = points[j, 0] - points[i, 0]
    dy = points[j, 1] - points[i, 1]
    return math.sqrt(math.sqrt(dx * dx + dy * dy + _KNOT_EPSILON))


@njit(fastmath=FAST, error_model="numpy")
def spline_tangents(points, tangents):
    """Hermite tangents of the centripetal Catmull-Rom spline through all points.

    With knot distances d_i = |P_{i+1} - P_i|^(1/2) (Yuksel, Schaefer, Keyser 2011), the segment
    from P_1 to P_2, in its own parameter from 0 to 1, starts with
    ``d_1 ((P_1 - P_0) / d_0 - (P_2 - P_0) / (d_0 + d_1) + (P_2 - P_1) / d_1)`` and ends with the
    mirror image. The ends are extended by reflection, which makes the first and the last tangent
    equal to the chord.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``, filled with (start, end) for each segment.
    """
    n = points.shape[0]
    d0 = 0.0
    d1 = knot(points, 0, 1)
    for i in range(n - 1):
        d2 = knot(points, i + 1, i + 2) if i < n - 2 else 0.0
        for k in range(2):
            chord = points[i + 1, k] - points[i, k]
            start = chord
            end = chord
            if i > 0:
                before = points[i, k] - points[i - 1, k]
                start += d1 * (before / d0 - (before + chord) / (d0 + d1))
            if i < n - 2:
                after = points[i + 2, k] - points[i + 1, k]
                end += d1 * (after / d2 - (chord + after) / (d1 + d2))
            tangents[i, 0, k] = start
            tangents[i, 1, k] = end
        d0, d1 = d1, d2


@njit(fastmath=FAST, error_model="numpy")
def spline_tangents_back(points, grad_tangents, grad_points):
    """The adjoint of :func:`spline_tangents`: adds to ``grad_points``."""
    n = points.shape[0]
    knots, grad_knots = np.empty(n - 1), np.zeros(n - 1)
    for i in range(n - 1):
        knots[i] = knot(points, i, i + 1)
    for i in range(n - 1):
        d1 = knots[i]
        for k in range(2):
            chord = points[i + 1, k] - points[i, k]
            grad_start, grad_end = grad_tangents[i, 0, k], grad_tangents[i, 1, k]
            grad_chord = grad_start + grad_end
            if i > 0:
                d0 = knots[i - 1]
                before = points[i, k] - points[i - 1, k]
                both = 1.0 / (d0 + d1)
                mean = (before + chord) * both
                grad_chord -= grad_start * d1 * both
                grad_before = grad_start * d1 * (1.0 / d0 - both)
                grad_knots[i] += grad_start * (before / d0 - mean + d1 * mean * both)
                grad_knots[i - 1] += grad_start * d1 * (mean * both - before / (d0 * d0))
                grad_points[i, k] += grad_before
                grad_points[i - 1, k] -= grad_before
            if i < n - 2:
                d2 = knots[i + 1]
                after = points[i + 2, k] - points[i + 1, k]
                both = 1.0 / (d1 + d2)
                mean = (chord + after) * both
                grad_chord -= grad_end * d1 * both
                grad_after = grad_end * d1 * (1.0 / d2 - both)
                grad_knots[i] += grad_end * (after / d2 - mean + d1 * mean * both)
                grad_knots[i + 1] += grad_end * d1 * (mean * both - after / (d2 * d2))
                grad_points[i + 2, k] += grad_after
                grad_points[i + 1, k] -= grad_after
            grad_points[i + 1, k] += grad_chord
            grad_points[i, k] -= grad_chord
    for i in range(n - 1):
        for k in range(2):
            grad_chord = grad_knots[i] * (points[i + 1, k] - points[i, k]) / (2.0 * knots[i] ** 3)
            grad_points[i + 1, k] += grad_chord
            grad_points[i, k] -= grad_chord


@njit(fastmath=FAST, error_model="numpy")
def bounding_box(points, tangents, reach, width, height, box):
    """Pixels that the stroke can touch: hull of the Bezier control points, widened by ``reach``.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        reach: the largest radius of a stamp, pixels.
        width: of the canvas, pixels.
        height: the same.
        box: int64 ``(4,)``, filled with x0, x1, y0, y1, half open; empty if off the canvas.
    """
    for k in range(2):
        size = width if k == 0 else height
        low = points[0, k]
        high = points[0, k]
        for i in range(points.shape[0] - 1):
            a = points[i, k] + tangents[i, 0, k] / 3.0
            b = points[i + 1, k] - tangents[i, 1, k] / 3.0
            low = min(low, a, b, points[i + 1, k])
            high = max(high, a, b, points[i + 1, k])
        # Clamped first: a float far off the canvas may not fit in an integer.
        low = min(max(low - reach - 0.5, 0.0), float(size))
        high = min(max(high + reach - 0.5, -1.0), size - 1.0)
        box[2 * k] = math.ceil(low)
        box[2 * k + 1] = math.floor(high) + 1


@njit(fastmath=FAST, error_model="numpy")
def cubic(points, tangents, i):
    """Coefficients of a segment, x and y of each power of its parameter t from 0 to 1."""
    x, y = points[i, 0], points[i, 1]
    chord_x, chord_y = points[i + 1, 0] - x, points[i + 1, 1] - y
    u1, v1 = tangents[i, 0, 0], tangents[i, 0, 1]
    u2, v2 = tangents[i, 1, 0], tangents[i, 1, 1]
    return (
        x, y, u1, v1, 3.0 * chord_x - 2.0 * u1 - u2, 3.0 * chord_y - 2.0 * v1 - v2,
        u1 + u2 - 2.0 * chord_x, v1 + v2 - 2.0 * chord_y,
    )  # fmt: skip


@njit(fastmath=FAST, error_model="numpy")
def place(c, t):
    """Where a segment is at t."""
    return c[0] + t * (c[2] + t * (c[4] + t * c[6])), c[1] + t * (c[3] + t * (c[5] + t * c[7]))


@njit(fastmath=FAST, error_model="numpy")
def velocity(c, t):
    """Its derivative by t."""
    return c[2] + t * (2.0 * c[4] + 3.0 * t * c[6]), c[3] + t * (2.0 * c[5] + 3.0 * t * c[7])


@njit(fastmath=FAST, error_model="numpy")
def control_length(c):
    """Length of a segment's Bezier control polygon: at least the curve's."""
    u, v = c[2] + c[4], c[3] + c[5]  # the derivative's hull: its begin, this, and its end
    u2, v2 = velocity(c, 1.0)
    lengths = math.sqrt(c[2] * c[2] + c[3] * c[3]), math.sqrt(u * u + v * v)
    return (lengths[0] + lengths[1] + math.sqrt(u2 * u2 + v2 * v2)) / 3.0


def pen_path(position: np.ndarray, pressure: np.ndarray, steps: int = 16) -> np.ndarray:
    """Points along a stroke's path, for those who want to follow it themselves.

    Args:
        position: anchors ``[n, 2]``.
        pressure: ``[n]``.
        steps: points from one anchor to the next.

    Returns:
        float64 ``[(n - 1) * steps + 1, 3]``: x, y (in the units of the anchors), pressure.

    Raises:
        TypeError: if the anchors are no real numbers.
        ValueError: if a shape is wrong, there are fewer than two, or the steps are no whole number.
    """
    count = np.shape(position)[:1] or (0,)
    if count[0] < 2:
        raise ValueError(f"a path has at least 2 anchors, got the shape {np.shape(position)}")
    position = real_array(position, "anchors", (*count, 2))
    pressure = real_array(pressure, "the pressure of anchors", count)
    steps = whole(steps, "steps", 1, 2**20)
    scale = 1024.0  # the spline is made for pixels
    anchors = position * scale
    tangents = np.empty((len(anchors) - 1, 2, 2))
    spline_tangents(anchors, tangents)
    t = np.arange(steps)[:, None] / steps
    h, s = t * t * (3 - 2 * t), 1 - t
    points = (
        anchors[:-1, None] * (1 - h) + anchors[1:, None] * h
        + tangents[:, None, 0] * (s * s * t) - tangents[:, None, 1] * (t * t * s)
    )  # fmt: skip
    points = np.concatenate([points.reshape(-1, 2), anchors[-1:]]) / scale
    where = np.arange(len(points)) / steps
    return np.column_stack([points, np.interp(where, np.arange(len(anchors)), pressure)])
