"""An independent, slow painting program: DESIGN 3 in plain NumPy and SciPy."""

import numpy as np
from scipy.interpolate import CubicHermiteSpline

STEP = 0.03  # distance of two samples in radii, if the edge is half of it


def reference_opacity(position, pressure, radius, size, brush):
    """Opacity ``[size, size]`` of one stroke; arguments as in Stroke, without a batch."""
    position = np.asarray(position, float)
    pressure = np.asarray(pressure, float)
    points = np.stack([1 + position[:, 0], 1 - position[:, 1]], 1) * size / 2
    points = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    gaps = np.maximum(np.sqrt(np.linalg.norm(np.diff(points, axis=0), axis=1)), 1e-4)
    # Tangents of the non-uniform Catmull-Rom spline, per unit of the knot parameter.
    d, chord = gaps[:, None], np.diff(points, axis=0)
    velocity = chord[:-1] / d[:-1] - (chord[:-1] + chord[1:]) / (d[:-1] + d[1:]) + chord[1:] / d[1:]
    knots = np.concatenate([[0], np.cumsum(gaps[1:-1])])
    spline = CubicHermiteSpline(knots, points[1:-1], velocity)

    broad = max(radius * size / 2, 1)
    step = STEP * min(1, 2 * brush.edge) ** 1.35
    where, weights = [], []
    for i in range(len(knots) - 1):
        if pressure[i] == pressure[i + 1] == 0:
            continue
        rough = np.linalg.norm(
            np.diff(spline(np.linspace(knots[i], knots[i + 1], 20)), axis=0), axis=1
        )
        thin = max(min(pressure[i], pressure[i + 1]) ** brush.pressure_size * broad, 1)
        count = int(np.ceil(1.5 * rough.sum() / (step * thin))) + 1
        edges = np.linspace(knots[i], knots[i + 1], count + 1)
        middle = (edges[:-1] + edges[1:]) / 2
        where.append(middle)
        weights.append(np.linalg.norm(spline(middle, 1), axis=1) * np.diff(edges))
    if not where:
        where, weights = [np.empty(0)], [np.empty(0)]
    where, length = np.concatenate(where), np.concatenate(weights)
    centre = np.concatenate([spline(where).reshape(-1, 2), points[[1, -2]]])
    p = np.concatenate([np.interp(where, knots, pressure), pressure[[0, -1]]])
    true = radius * size / 2 * p**brush.pressure_size
    r = np.maximum(true, 1.0)  # a stamp thinner than a pixel is drawn this large ...
    fade = true / r  # ... and loses strength, so that a line's ink stays in proportion
    core = 1 - brush.edge
    buildup = np.pi * brush.density * (1 + core + core**2) / 6
    q = brush.opacity * p**brush.pressure_opacity
    q = fade * q / (1 + buildup * q * (1 - fade) * (1 + fade / 4))
    weight = np.concatenate([brush.density * length / r[:-2], fade[-2:]])  # a stamp at each end
    weight[p <= 0] = 0

    reach = int(np.ceil(r.max())) + 1
    offset = np.arange(-reach, reach + 1)
    logs = np.zeros(size * size)
    for part in np.array_split(np.arange(len(p)), len(p) // 4000 + 1):
        corner = np.floor(centre[part]).astype(int)
        x = corner[:, 0, None, None] + offset[None, None, :]
        y = corner[:, 1, None, None] + offset[None, :, None]
        c, rr = centre[part], r[part, None, None]
        distance = np.hypot(x + 0.5 - c[:, 0, None, None], y + 0.5 - c[:, 1, None, None])
        stamp = np.clip((1 - distance / rr) / brush.edge, 0, 1)
        a = np.minimum(q[part, None, None] * stamp, 0.999)
        x, y, w = np.broadcast_arrays(x, y, weight[part, None, None])
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size) & (a > 0)
        index = (y * size + x)[inside]
        logs += np.bincount(index, (w * np.log(1 - a))[inside], minlength=size * size)
    return (1 - np.exp(logs)).reshape(size, size)
