"""Greedy search: stroke after stroke, each the best that hill climbing finds, as primitive does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from strokenet_gym import STYLES
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["climb", "mutants", "random_strokes", "take"]

BRUSH = STYLES["photo"].brush  # soft, of any size: what the greedy search does best with
_RANDOM = 300  # strokes to begin with, of which the best
_CLIMBERS = 4  # climb,
_MUTANTS = 16  # trying so many at once,
_AGE = 4  # until so many rounds in a row gained nothing
_LENGTH = 1.0, 16.0  # of a random stroke, in radii


def random_strokes(count: int, radii: tuple[float, float], rng: np.random.Generator) -> Stroke:
    """Straight lines anywhere on a square canvas; radius and length log-uniform."""
    low, high = np.log([radii, _LENGTH]).T
    radius, length = np.exp(rng.uniform(low[:, None], high[:, None], (2, count)))
    length *= radius
    angle = rng.uniform(0, np.pi, count)
    along = np.stack([np.cos(angle), np.sin(angle)], 1) * length[:, None] / 2
    line = np.linspace(-1, 1, NUM_ANCHORS)[:, None] * along[:, None]
    position = rng.uniform(-1, 1, (count, 1, 2)) + line
    return Stroke(np.zeros((count, 3)), radius, position, np.full((count, NUM_ANCHORS), 0.6))


def mutants(
    stroke: Stroke, count: int, radii: tuple[float, float], rng: np.random.Generator
) -> Stroke:
    """One stroke (a batch of one), changed at random: moved, turned, bent, or of another size."""
    t = np.linspace(-1, 1, NUM_ANCHORS)
    shapes = np.stack([np.ones_like(t), t, t**2, (1 + t) / 2, (1 - t) / 2])  # what an anchor moves
    shift = shapes[rng.integers(0, len(shapes), count)][..., None] * rng.normal(
        0, 0.125, (count, 1, 2)
    )
    same_place = rng.uniform(size=count) < 0.25
    shift[same_place] = 0
    growth = np.where(same_place, rng.normal(0, 0.4, count), 0)
    pressure = stroke.pressure + same_place[:, None] * rng.normal(0, 0.2, (count, 1))
    return Stroke(
        np.repeat(stroke.colour, count, 0),
        (stroke.radius * np.exp(growth)).clip(*radii),
        (stroke.position + shift).clip(-1.2, 1.2),
        pressure.clip(0.1, 1),
    )


def take(strokes: Stroke, index: int) -> Stroke:
    """One of several strokes, as a batch of one."""
    return Stroke(*(field[index : index + 1] for field in strokes))


def climb(
    picture: np.ndarray, strokes: int, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Paint a square picture ``[3, S, S]``; yield the canvas and the number of its strokes."""
    canvas = np.ones_like(picture) * picture.mean((1, 2), keepdims=True)

    def score(candidates: Stroke) -> tuple[Stroke, np.ndarray]:
        colours, gains = BRUSH.best_colours(canvas, picture, candidates, "draft")
        return candidates._replace(colour=colours), gains

    for number in range(1, strokes + 1):
        found, gains = score(random_strokes(_RANDOM, BRUSH.radii, rng))
        best, best_gain = take(found, 0), -np.inf
        for index in np.argsort(-gains)[:_CLIMBERS]:
            stroke, gain, age = take(found, index), gains[index], 0
            while age < _AGE:
                tried, their_gains = score(mutants(stroke, _MUTANTS, BRUSH.radii, rng))
                top, age = int(their_gains.argmax()), age + 1
                if their_gains[top] > gain:
                    stroke, gain, age = take(tried, top), their_gains[top], 0
            if gain > best_gain:
                best, best_gain = stroke, gain
        batch = Stroke(*(field[None] for field in best))
        canvas = BRUSH.paint_sequence(canvas[None], batch)[0]
        yield number, canvas
