"""Strokes a second, all in one run: OpenCV stamps, the painting program, environments, network.

    make bench

Machines are noisy: read the ratios. Each line is the best of several rounds.
"""

import time
from collections.abc import Callable

import cv2
import gymnasium as gym
import numpy as np
import torch

import strokenet_gym  # noqa: F401
from strokenet_gym.generator import load_generator
from strokenet_gym.generator.three_body import three_body_strokes
from strokenet_gym.renderer import BRUSHES, draw, program
from strokenet_gym.renderer.path import RUN, spline_tangents, trace_stamps
from strokenet_gym.stroke import Stroke, pack

BATCH = 64
PENCIL = BRUSHES["pencil"]


def rate(work: Callable[[], object], strokes: int, rounds: int = 5) -> float:
    """Strokes a second: the best of some rounds of at least 0.3 s."""
    work()
    best = 0.0
    for _ in range(rounds):
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < 0.3:
            work()
            count += strokes
        best = max(best, count / elapsed)
    return best


def stamps_of(stroke: Stroke, size: int) -> list[list[tuple[tuple[int, int], int, float]]]:
    """For each stroke its stamps, an eighth of a radius apart: centre, radius, strength."""
    result = []
    for b in range(len(stroke.radius)):
        x, y = stroke.position[b].astype(float).T
        points = np.stack([1 + x, 1 - y], 1) * size / 2
        tangents, table = np.empty((len(points) - 1, 2, 2)), np.empty((10**6, 8))
        spline_tangents(points, tangents)
        pressure, radius = stroke.pressure[b].astype(float), float(stroke.radius[b]) * size / 2
        count = trace_stamps(points, tangents, pressure, radius, PENCIL.as_tuple(), 0.004, table)
        # The weights count stamps: take one whenever their sum passes a whole number.
        passed = np.floor(np.cumsum(RUN * table[:count, 6]))
        chosen = np.flatnonzero(np.diff(passed, prepend=-1) > 0)
        result.append([
            ((round(table[k, 0]), round(table[k, 1])), max(1, round(table[k, 4])), table[k, 5])
            for k in chosen
        ])  # fmt: skip
    return result


def main() -> None:
    size = 128
    stroke = three_body_strokes(np.random.default_rng(0), BATCH)
    stamps = stamps_of(stroke, size)

    def opencv(line_type: int) -> None:
        for one in stamps:
            canvas = np.zeros((size, size), np.uint8)
            for centre, radius, strength in one:
                cv2.circle(canvas, centre, radius, 255 * strength, -1, line_type)

    def paint() -> None:
        draw(stroke, size, PENCIL)

    rates = {
        "cv2.circle for each stamp": rate(lambda: opencv(cv2.LINE_8), BATCH),
        "cv2.circle for each stamp, anti-aliased": rate(lambda: opencv(cv2.LINE_AA), BATCH),
    }
    program.THREADS = 1
    rates["painting program, batch of 64, 1 thread"] = rate(paint, BATCH)
    program.THREADS = program.available_cores()
    rates[f"painting program, batch of 64, {program.THREADS} threads"] = rate(paint, BATCH)
    actions = pack(stroke)
    envs = gym.make_vec("Painting-v0", num_envs=BATCH, max_strokes=2**20)
    envs.reset(seed=0)
    rates["Painting-v0, vector of 64"] = rate(lambda: envs.step(actions), BATCH)
    env = gym.make("Painting-v0", max_strokes=2**20)
    env.reset(seed=0)
    rates["Painting-v0, single"] = rate(lambda: [env.step(a) for a in actions], BATCH)

    generator = load_generator("compact")
    tensors = Stroke(*map(torch.from_numpy, stroke))
    tensors.position.requires_grad_()
    with torch.no_grad():
        rates["compact generator, forward"] = rate(lambda: generator(tensors, size), BATCH, 3)
    rates["compact generator, forward and backward"] = rate(
        lambda: generator(tensors, size).square().sum().backward(), BATCH, 3
    )

    count = np.mean([len(one) for one in stamps])
    print(f"{size} px, three-body strokes, {count:.0f} stamps each\n")
    baseline = next(iter(rates.values()))
    for name, value in rates.items():
        print(f"{name:45}{value:10,.0f} strokes/s {value / baseline:8.1f} x")


if __name__ == "__main__":
    main()
