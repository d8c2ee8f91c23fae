"""The path of the pen: from 16 anchors to weighted stamps along a centripetal spline.

All of it is in float64 and in pixels (x to the right, y down); its derivative is in
path_adjoint.py.
"""

import math

from numba import njit

from strokenet_gym.programs.stamped.fastmath import FAST
from strokenet_gym.programs.stamped.numbers import RUN

__all__ = [
    "DRAWABLE_RADIUS",
    "MAX_COVERAGE",
    "bounding_box",
    "knot",
    "power",
    "spline_tangents",
    "trace_runs",
]

# Below this radius (pixels) a stamp would fall between the pixel centres. A thinner one is drawn
# with it and less strength instead.
DRAWABLE_RADIUS = 1.0

# Never quite opaque, so that the logarithm stays finite.
MAX_COVERAGE = 0.999

_MAX_PIECES = 8
# Keeps the spline differentiable, with bounded derivatives, where two anchors meet: (0.01 px)^2.
_KNOT_EPSILON = 1e-4


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def knot(points, i, j):
    """Centripetal knot distance between two anchors: the square root of their distance."""
    dx = points[j, 0] - points[i, 0]
    dy = points[j, 1] - points[i, 1]
    return math.sqrt(math.sqrt(dx * dx + dy * dy + _KNOT_EPSILON))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
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


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
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
def _faded_strength(strength, fade, brush):
    """Strength of a stamp with a true radius of ``fade`` < 1 px, drawn with a radius of 1 px.

    A straight line of strength q takes away about kq / (1 + kq) of the light across its width,
    where k = ``Brush.buildup``. A strength of fade q / (1 + kq (1 - fade)) takes away that times
    fade. With the factor (1 + fade / 4), which was fitted, the ink of a line stays in proportion
    to its true width, to about 15 % for most brushes.
    """
    return fade * strength / (1.0 + brush.buildup * strength * (1.0 - fade) * (1.0 + 0.25 * fade))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _tolerance(pressure, radius, brush):
    """How much coarser than an opaque stroke one of this pressure may be sampled.

    Measured: with the inverse root of the drawn strength, the largest error is about the same for
    all pressures.
    """
    strength = brush.opacity * power(pressure, brush.pressure_opacity) + 1e-12
    fade = min(1.0, radius * power(pressure, brush.pressure_size) / DRAWABLE_RADIUS)
    return 1.0 / math.sqrt(_faded_strength(strength, fade, brush))


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def _put_run(runs, count, x, y, dx, dy, pressure, radius, brush, segment, t, dt):
    """Append a run of stamps unless it leaves no ink; return the new number of runs."""
    strength = brush.opacity * power(pressure, brush.pressure_opacity)
    r = radius * power(pressure, brush.pressure_size)
    # A hundred passes at this strength are still less than 1/255 of ink.
    if pressure <= 0.0 or strength <= 1e-6 or r <= 1e-4 * DRAWABLE_RADIUS:
        return count
    if count < runs.shape[0]:
        run = runs[count]
        fade = 1.0
        if r < DRAWABLE_RADIUS:
            fade = r / DRAWABLE_RADIUS
            strength = _faded_strength(strength, fade, brush)
            r = DRAWABLE_RADIUS
        run.x, run.y, run.dx, run.dy = x, y, dx, dy
        run.radius, run.strength = r, strength
        if dt > 0.0:
            run.weight = brush.density * math.sqrt(dx * dx + dy * dy) / r
        else:  # a whole stamp; the ink of a dot is in proportion to its true area
            run.weight = fade / RUN
        run.segment, run.t, run.dt = segment, t, dt
    return count + 1


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
def trace_runs(points, tangents, pressure, radius, brush, accuracy, runs):
    """Sample the stroke: stamps whose weights make their product the integral along the path.

    Each segment is cut into pieces, each piece into equal steps of the spline's parameter, and
    each step is a run of stamps about ``accuracy.spacing`` radii apart along its tangent. A stamp's
    weight is density * ds / r (step 4 of the painting program). One whole stamp is added at each
    end.

    Args:
        points: float64 ``(n, 2)``, pixels.
        tangents: float64 ``(n - 1, 2, 2)``.
        pressure: float64 ``(n,)``, 0 … 1.
        radius: pixels.
        brush: a :class:`BrushNumbers`.
        accuracy: an :class:`Accuracy`.
        runs: :data:`Run` ``(capacity,)``, filled.

    Returns:
        The number of runs. If it exceeds the capacity, only the first ones were stored.
    """
    n = points.shape[0]
    spacing = (
        accuracy.spacing
        * min(1.0, 2.0 * brush.edge) ** 1.35
        * min(1.0, brush.density / 8.0) ** 0.35
    )
    x, y = points[0, 0], points[0, 1]
    count = _put_run(runs, 0, x, y, 0.0, 0.0, pressure[0], radius, brush, 0, 0.0, 0.0)
    for i in range(n - 1):
        if pressure[i] <= 0.0 and pressure[i + 1] <= 0.0:
            continue
        x1, y1 = points[i, 0], points[i, 1]
        x21, y21 = points[i + 1, 0] - x1, points[i + 1, 1] - y1
        u1, v1 = tangents[i, 0, 0], tangents[i, 0, 1]
        u2, v2 = tangents[i, 1, 0], tangents[i, 1, 1]
        # The control polygon is at least as long as the curve.
        length = (
            math.sqrt(u1 * u1 + v1 * v1) / 3.0
            + math.sqrt((x21 - (u1 + u2) / 3.0) ** 2 + (y21 - (v1 + v2) / 3.0) ** 2)
            + math.sqrt(u2 * u2 + v2 * v2) / 3.0
        )
        # Half the curve's second derivative at both ends; between them it is linear.
        au, av = 3.0 * x21 - 2.0 * u1 - u2, 3.0 * y21 - 2.0 * v1 - v2
        bu, bv = u1 + 2.0 * u2 - 3.0 * x21, v1 + 2.0 * v2 - 3.0 * y21
        bend = math.sqrt(max(au * au + av * av, bu * bu + bv * bv))
        change = pressure[i + 1] - pressure[i]
        low, high = min(pressure[i], pressure[i + 1]), max(pressure[i], pressure[i + 1])
        thinnest = max(DRAWABLE_RADIUS, radius * power(low, brush.pressure_size))
        step = min(spacing * _tolerance(high, radius, brush), accuracy.most)
        reach = 4.0 * RUN * step * thinnest
        pieces = min(_MAX_PIECES, 1 + int(length / reach))
        for piece in range(pieces):
            t0 = piece / pieces
            p0 = pressure[i] + change * t0
            p1 = p0 + change / pieces
            low, high = max(0.0, min(p0, p1)), max(p0, p1)
            r0, r1 = (
                radius * power(low, brush.pressure_size),
                radius * power(high, brush.pressure_size),
            )
            r = max(DRAWABLE_RADIUS, r0)
            tolerance = _tolerance(high, radius, brush)
            span = RUN * min(spacing * tolerance, accuracy.most) * r
            # A piece of the curve is hardly longer than this share of the whole.
            steps = 1.3 * length / pieces / span
            # A run is straight and has one pressure: neither may differ much from the path's.
            coarser = math.sqrt(tolerance)
            bends = math.sqrt(bend / (4.0 * accuracy.sagitta * coarser * r)) / pieces
            presses = abs(p1 - p0) / (accuracy.pressure_step * coarser * high)
            if r0 < DRAWABLE_RADIUS < r1:  # a run is either thin or not
                presses *= 4.0
            steps = 1 + int(max(steps, bends, presses))
            dt = 1.0 / (pieces * steps)
            centring = dt * dt / 12.0
            for k in range(steps):
                t = t0 + (k + 0.5) * dt
                s = 1.0 - t
                h, g1, g2 = t * t * (3.0 - 2.0 * t), s * s * t, -t * t * s
                # The run lies through the mean of its part of the curve, c + c'' dt² / 24.
                mx, my = (s * au + t * bu) * centring, (s * av + t * bv) * centring
                e, k1, k2 = 6.0 * t * s, s * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)
                count = _put_run(
                    runs,
                    count,
                    x1 + h * x21 + g1 * u1 + g2 * u2 + mx,
                    y1 + h * y21 + g1 * v1 + g2 * v2 + my,
                    (e * x21 + k1 * u1 + k2 * u2) * (dt / RUN),
                    (e * y21 + k1 * v1 + k2 * v2) * (dt / RUN),
                    pressure[i] + change * t,
                    radius,
                    brush,
                    i,
                    t,
                    dt,
                )
    x, y = points[n - 1, 0], points[n - 1, 1]
    p = pressure[n - 1]
    return _put_run(runs, count, x, y, 0.0, 0.0, p, radius, brush, n - 2, 1.0, 0.0)
