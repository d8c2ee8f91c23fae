"""Random strokes from three-body motion: the data that generators are trained on.

Three masses attract each other; the path of one of them, seen from the front, is a stroke, and its
depth is the pressure (StrokeNet, section 4.1). Such paths are smooth, varied and full of loops,
like handwriting and unlike random points.
"""

from __future__ import annotations

import numpy as np

from strokenet_gym.stroke import NUM_ANCHORS, RADIUS_MAX, RADIUS_MIN, Stroke

__all__ = ["simulate", "three_body_strokes", "uniform_strokes"]

_RADII = RADIUS_MIN, RADIUS_MAX
_SOFTENING = 0.3  # keeps near collisions from flinging a body out of the picture
_SUBSTEPS = 8  # integration steps between two anchors


def simulate(
    position: np.ndarray, velocity: np.ndarray, mass: np.ndarray, time_step: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate softened gravity (G = 1) with the leapfrog scheme, which is symplectic.

    Args:
        position: ``[B, N, 3]``, of N bodies.
        velocity: the same shape.
        mass: ``[B, N]``.
        time_step: length of a step.
        steps: how many.

    Returns:
        Positions and velocities at the start and after each step, ``[steps + 1, B, N, 3]``.
    """
    positions, velocities = [position], [velocity]
    acceleration = _acceleration(position, mass)
    for _ in range(steps):
        half = velocity + 0.5 * time_step * acceleration
        position = position + time_step * half
        acceleration = _acceleration(position, mass)
        velocity = half + 0.5 * time_step * acceleration
        positions.append(position)
        velocities.append(velocity)
    return np.stack(positions), np.stack(velocities)


def _acceleration(position: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Plummer-softened attraction: sum of m_j (x_j - x_i) / (d² + eps²)^(3/2)."""
    delta = position[:, None, :, :] - position[:, :, None, :]
    squared = (delta**2).sum(-1) + _SOFTENING**2
    return np.einsum("bijk,bj,bij->bik", delta, mass, squared**-1.5)


def three_body_strokes(
    rng: np.random.Generator, count: int, channels: int = 1, radii: tuple[float, float] = _RADII
) -> Stroke:
    """Sample strokes whose anchors follow one of three bodies.

    Size and place on the canvas, the middle and the swing of the pressure, the radius (uniform in
    its logarithm) and the colour are random as well.

    Args:
        rng: random numbers.
        count: number of strokes B.
        channels: 1 or 3.
        radii: the smallest and the largest radius, half-widths.

    Returns:
        Stroke: float32 arrays ``[B, ...]`` in physical units.
    """
    return strokes_from(*draw_samples(rng, count, channels, radii))


def draw_samples(
    rng: np.random.Generator, count: int, channels: int, radii: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """All random numbers of :func:`three_body_strokes`, ``[B, ...]`` each."""
    return (
        rng.normal(0, 1, (count, 3, 3)),  # where the bodies are
        rng.normal(0, 0.6, (count, 3, 3)),  # their velocity
        rng.uniform(0.5, 2, (count, 3)),  # and mass
        # Their own time: short spans give gentle arcs, long ones give loops.
        rng.uniform(0.5, 6, (count, 1, 1)),
        rng.uniform(0.05, 0.95, (count, 1, 1)),  # the stroke's size
        rng.uniform(-1, 1, (count, 1, 2)),  # and place
        rng.uniform(0.2, 1, (count, 1)),  # the pressure's middle
        rng.uniform(0, 0.6, (count, 1)),  # and swing
        *_colours_and_radii(rng, count, channels, radii),
    )


def strokes_from(
    start: np.ndarray,
    velocity: np.ndarray,
    mass: np.ndarray,
    time: np.ndarray,
    size: np.ndarray,
    place: np.ndarray,
    middle: np.ndarray,
    swing: np.ndarray,
    colour: np.ndarray,
    radius: np.ndarray,
) -> Stroke:
    """The strokes that random numbers mean; many at once take less time than one by one."""
    steps = (NUM_ANCHORS - 1) * _SUBSTEPS
    # Scaling time by s scales velocities by s and masses by s².
    path, _ = simulate(start, velocity * time, mass * time[:, :, 0] ** 2, 1 / steps, steps)
    path = path[::_SUBSTEPS, :, 0].transpose(1, 0, 2)  # [B, 16, 3]: the first body
    path = path - (path.max(1, keepdims=True) + path.min(1, keepdims=True)) / 2
    extent = np.abs(path[:, :, :2]).max((1, 2), keepdims=True) + 1e-6
    depth = path[:, :, 2] / (np.abs(path[:, :, 2]).max(1, keepdims=True) + 1e-6)
    position = place * (1 - size) + size * path[:, :, :2] / extent
    pressure = np.clip(middle + swing * depth, 0, 1)
    return _single(colour, radius, position, pressure)


def uniform_strokes(
    rng: np.random.Generator, count: int, channels: int = 1, radii: tuple[float, float] = _RADII
) -> Stroke:
    """Sample strokes whose anchors and pressures are independent and uniform: scribbles.

    Arguments and result as in :func:`three_body_strokes`.
    """
    colour, radius = _colours_and_radii(rng, count, channels, radii)
    position = rng.uniform(-1, 1, (count, NUM_ANCHORS, 2))
    return _single(colour, radius, position, rng.uniform(0, 1, (count, NUM_ANCHORS)))


def _colours_and_radii(
    rng: np.random.Generator, count: int, channels: int, radii: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    colour = rng.uniform(0, 1, (count, channels))
    return colour, np.exp(rng.uniform(np.log(radii[0]), np.log(radii[1]), count))


def _single(*fields: np.ndarray) -> Stroke:
    return Stroke(*(field.astype(np.float32) for field in fields))
