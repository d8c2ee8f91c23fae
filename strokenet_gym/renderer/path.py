"""The path of the pen: from 16 anchors to weighted stamps along a centripetal spline.

All of it is in float64 and in pixels (x to the right, y down), and costs little beside the
pixels that the stamps touch.
"""

import math

from numba import njit

__all__ = ["DRAWABLE_RADIUS", "SPACING", "bounding_box", "spline_tangents", "trace_stamps"]

# Below this radius (pixels) a stamp would fall between the pixel centres. A thinner one is drawn
# with it and fades in proportion instead.
DRAWABLE_RADIUS = 1.0

# Distance between samples in radii, at full pressure and for an edge of half the radius. The
# stamps' effect is an integral along the path, so this sets its accuracy, never the amount of ink:
# doubling the samples changes no pixel by more than 1/255 (tests/test_renderer.py).
SPACING = 0.05
_MAX_SPACING = 0.2
_MAX_PIECES = 8
# Keeps the knot spacing differentiable where two anchors meet: (1e-6 px)^2.
_KNOT_EPSILON = 1e-12


@njit(nogil=True, cache=True)
def _knot(points, i, j):
    """Centripetal knot distance between two anchors: the square root of their distance."""
    dx = points[j, 0] - points[i, 0]
    dy = points[j, 1] - points[i, 1]
    return (dx * dx + dy * dy + _KNOT_EPSILON) ** 0.25


@njit(nogil=True, cache=True)
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
    for i in range(n - 1):
        d1 = _knot(points, i, i + 1)
        for k in range(2):
            chord = points[i + 1, k] - points[i, k]
            start = chord
            end = chord
            if i > 0:
                d0 = _knot(points, i - 1, i)
                before = points[i, k] - points[i - 1, k]
                start += d1 * (before / d0 - (before + chord) / (d0 + d1))
            if i < n - 2:
                d2 = _knot(points, i + 1, i + 2)
                after = points[i + 2, k] - points[i + 1, k]
                end += d1 * (after / d2 - (chord + after) / (d1 + d2))
            tangents[i, 0, k] = start
            tangents[i, 1, k] = end


@njit(nogil=True, cache=True)
def bounding_box(points, tangents, reach, size, box):
    """Pixels that the stroke can touch: hull of the Bezier control points, widened by ``reach``.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        reach: the largest radius of a stamp, pixels.
        size: width and height of the canvas, pixels.
        box: int64 ``(4,)``, filled with x0, x1, y0, y1, half open; empty if off the canvas.
    """
    for k in range(2):
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


@njit(nogil=True, cache=True)
def _power(base, exponent):
    """``base ** exponent`` for base >= 0; pow is slow and most brushes use small integers."""
    if exponent == 1.0:
        return base
    if exponent == 3.0:
        return base * base * base
    if exponent == 0.0:
        return 1.0
    return base**exponent


@njit(nogil=True, cache=True)
def _step(pressure, brush, spacing):
    """Distance between samples, in radii.

    A softer edge and less strength allow longer steps for the same error. The exponents are
    measured: with them the largest error is about the same for all brushes and pressures.
    """
    strength = brush[3] * _power(pressure, brush[1]) + 1e-12
    softness = min(1.0, 2.0 * brush[2]) ** 1.35 * min(1.0, brush[4] / 8.0) ** 0.35
    return min(spacing * softness / strength**0.25, _MAX_SPACING)


@njit(nogil=True, cache=True)
def _put_stamp(stamps, count, x, y, pressure, radius, brush, ds):
    """Append a stamp unless it leaves no ink; ``ds`` is its share of the path (negative: 1)."""
    strength = brush[3] * _power(pressure, brush[1])
    true_radius = radius * _power(pressure, brush[0])
    # A hundred passes at this strength are still less than 1/255 of ink.
    if pressure <= 0.0 or strength <= 1e-6 or true_radius <= 1e-4 * DRAWABLE_RADIUS:
        return count
    r = max(true_radius, DRAWABLE_RADIUS)
    if count < stamps.shape[1]:
        stamps[0, count] = x
        stamps[1, count] = y
        stamps[2, count] = r
        stamps[3, count] = strength
        stamps[4, count] = 1.0 if ds < 0.0 else brush[4] * ds / r
        stamps[5, count] = min(1.0, true_radius / DRAWABLE_RADIUS)
    return count + 1


@njit(nogil=True, cache=True)
def trace_stamps(points, tangents, pressure, radius, brush, spacing, stamps):
    """Sample the stroke: stamps whose weights make their product the integral along the path.

    Each segment is cut into pieces, each piece is sampled at the midpoints of equal steps of the
    spline's parameter, about ``spacing`` radii apart. A stamp's weight is density * ds / r
    (step 4 of the painting program). One whole stamp is added at each end.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        pressure: float64 ``(n,)``, 0 … 1.
        radius: pixels.
        brush: :meth:`Brush.as_tuple`.
        spacing: distance of two samples, see ``SPACING``.
        stamps: float64 ``(6, capacity)``, filled with x, y, drawn radius, strength, weight and
            fade (true radius / drawn radius).

    Returns:
        The number of stamps. If it exceeds the capacity, only the first ones were stored.
    """
    n = points.shape[0]
    count = _put_stamp(stamps, 0, points[0, 0], points[0, 1], pressure[0], radius, brush, -1.0)
    for i in range(n - 1):
        if pressure[i] <= 0.0 and pressure[i + 1] <= 0.0:
            continue
        x1, y1, x2, y2 = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
        u1, v1 = tangents[i, 0, 0], tangents[i, 0, 1]
        u2, v2 = tangents[i, 1, 0], tangents[i, 1, 1]
        # The control polygon is at least as long as the curve.
        length = (
            math.hypot(u1, v1) / 3.0
            + math.hypot(x2 - x1 - (u1 + u2) / 3.0, y2 - y1 - (v1 + v2) / 3.0)
            + math.hypot(u2, v2) / 3.0
        )
        thinnest = max(
            DRAWABLE_RADIUS, radius * _power(min(pressure[i], pressure[i + 1]), brush[0])
        )
        step_radii = _step(max(pressure[i], pressure[i + 1]), brush, spacing)
        pieces = min(_MAX_PIECES, 1 + int(length / (4.0 * step_radii * thinnest)))
        for piece in range(pieces):
            t0 = piece / pieces
            p0 = pressure[i] + (pressure[i + 1] - pressure[i]) * t0
            p1 = pressure[i] + (pressure[i + 1] - pressure[i]) * (t0 + 1.0 / pieces)
            r = max(DRAWABLE_RADIUS, radius * _power(min(p0, p1), brush[0]))
            # A piece of the curve is no longer than its share at the highest speed at hand.
            step_radii = _step(max(p0, p1), brush, spacing)
            steps = 1 + int(1.3 * length / pieces / (step_radii * r))
            dt = 1.0 / (pieces * steps)
            for step in range(steps):
                t = t0 + (step + 0.5) * dt
                s = 1.0 - t
                h1, h2 = s * s * (1.0 + 2.0 * t), t * t * (3.0 - 2.0 * t)
                g1, g2 = s * s * t, -t * t * s
                x = h1 * x1 + h2 * x2 + g1 * u1 + g2 * u2
                y = h1 * y1 + h2 * y2 + g1 * v1 + g2 * v2
                e, k1, k2 = 6.0 * t * s, s * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)
                speed = math.hypot(
                    e * (x2 - x1) + k1 * u1 + k2 * u2, e * (y2 - y1) + k1 * v1 + k2 * v2
                )
                p = pressure[i] + (pressure[i + 1] - pressure[i]) * t
                count = _put_stamp(stamps, count, x, y, p, radius, brush, speed * dt)
    return _put_stamp(
        stamps, count, points[n - 1, 0], points[n - 1, 1], pressure[n - 1], radius, brush, -1.0
    )
