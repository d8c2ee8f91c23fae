"""The hot loop of the way back, against sums that NumPy makes."""

import numpy as np
import pytest

from strokenet_gym.programs.stamped.numbers import RUN
from strokenet_gym.programs.stamped.run_adjoint import MANY, add_up
from strokenet_gym.programs.stamped.stamping import LOW, A, B, X, Y, new_run


def a_run(rng, radius, edge):
    """Eight stamps, and how far they reach, as ``fill_run`` fills them."""
    run, extent = new_run(np.zeros(0))
    x, y = rng.uniform(-1.5, 1.5, (2, RUN))
    strength = rng.uniform(0.3, 0.9, RUN)
    run[X : X + RUN], run[Y : Y + RUN] = x, y
    run[A : A + RUN], run[B : B + RUN] = 1 - strength / edge, strength / edge / radius
    run[LOW : LOW + RUN] = 1 - strength
    extent[:2] = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    extent[2:4] = np.ptp(x) / 2, np.ptp(y) / 2
    extent[4] = radius
    return run, extent


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("edge", [0.1, 1.0])  # by stamps, by pixels
@pytest.mark.parametrize(
    ("radius", "shape"), [(1.2, (16, 16)), (9.0, (40, 48)), (60.0, (128, 96)), (900.0, (8, 1400))]
)
def test_sums_over_the_pixels_of_a_run(rng, radius, shape, edge, side):
    height, width = shape
    run, extent = a_run(rng, radius, edge)
    middle = np.array([width // 2, height // 2])
    extent[:2] += middle
    extent[5:7] = middle
    seed = rng.normal(size=(height // side, width // side))
    seed[rng.uniform(size=seed.shape) < 0.3] = 0
    box = np.array([0, width, 0, height])
    if radius > 100:
        assert width > MANY
    add_up(run, extent, np.empty((4, MANY)), seed, box, side // 2, edge)

    y, x = (np.mgrid[: seed.shape[0], : seed.shape[1]] + 0.5) * side
    sums = np.zeros((5, RUN))
    logs = 0.0
    for k in range(RUN):
        dx, dy = x - middle[0] - run[X + k], y - middle[1] - run[Y + k]
        d = np.sqrt(dx**2 + dy**2 + 1e-12)
        ramp = run[A + k] + run[B + k] * d
        t = ramp.clip(run[LOW + k], 1)
        slope = np.where((ramp > run[LOW + k]) & (ramp < 1), seed / t, 0)
        flat = np.where(ramp <= run[LOW + k], seed / t, 0)
        parts = slope, slope * d, slope * dx / d, slope * dy / d, flat
        sums[:, k] = [part.sum() for part in parts]
        logs += (seed * np.log(t)).sum()
    found = run[5 * RUN : 11 * RUN].reshape(6, RUN)
    assert np.abs(sums).max() > 0
    np.testing.assert_allclose(found[:5], sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[5].sum(), logs, rtol=1e-9, atol=1e-9)
