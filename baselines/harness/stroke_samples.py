"""Strokes to measure with, of every kind: from physics, from chance, from agents, and hard ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import numpy as np

from strokenet_gym.agents import load_agent
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.stroke import NUM_ANCHORS, RADIUS_MAX, RADIUS_MIN, Stroke, unpack
from strokenet_gym.targets import Glyphs

__all__ = ["SAMPLERS", "Sampler", "agent_strokes", "far_apart_strokes", "join"]

Radii = tuple[float, float]
Sampler = Callable[..., Stroke]  # takes a generator, a number of strokes, and ``radii``
_RADII = RADIUS_MIN, RADIUS_MAX
_FAR = 0.5  # half-widths: a quarter of the canvas


def join(parts: Iterable[Stroke]) -> Stroke:
    """Batches of strokes as one batch."""
    return Stroke(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def agent_strokes(
    rng: np.random.Generator,
    count: int,
    agents: tuple[str, ...] = ("glyphs", "mnist"),
    radii: Radii = _RADII,
) -> Stroke:
    """Strokes of the shipped agents on characters; the MNIST agent's are digits of MNIST's size."""
    size, parts = 128, []
    for k, name in enumerate(agents):
        targets = np.zeros((len(range(k, count, len(agents))), 1, size, size), np.uint8)
        for target in targets:
            if name == "mnist":
                target[0, 34:94, 34:94] = _digits(60).sample(rng) * 255
            else:
                target[0] = _glyphs(size).sample(rng) * 255
        left = np.ones((len(targets), 1), np.float32)
        seen: dict[str, np.ndarray] = {
            "canvas": np.zeros_like(targets),
            "target": targets,
            "strokes_left": left,
        }
        parts.append(unpack(_agent(name).act(seen), 1, radii))
    return join(parts)


_agent = functools.cache(load_agent)
_glyphs = functools.cache(Glyphs)
_digits = functools.cache(functools.partial(Glyphs, characters="0123456789"))


def far_apart_strokes(rng: np.random.Generator, count: int, radii: Radii = _RADII) -> Stroke:
    """Random anchors, each more than a quarter of the canvas from the one before."""
    stroke = uniform_strokes(rng, count, radii=radii)
    position = stroke.position
    for i in range(1, NUM_ANCHORS):
        near = np.full(count, True)
        while near.any():
            position[near, i] = rng.uniform(-1, 1, (int(near.sum()), 2))
            near = np.linalg.norm(position[:, i] - position[:, i - 1], axis=1) <= _FAR
    return stroke


SAMPLERS: dict[str, Sampler] = {
    "three_body": three_body_strokes,
    "uniform": uniform_strokes,
    "agents": agent_strokes,
    "far_apart": far_apart_strokes,
}
