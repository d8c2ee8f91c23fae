"""The hot loop of the way back, against sums that NumPy makes."""

import numpy as np
import pytest

from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.numbers import RUN
from strokenet_gym.programs.stamped.run_adjoint import MANY, add_blocks, add_up
from strokenet_gym.programs.stamped.stamping import LOW, A, B, X, Y, new_run


def a_run(rng, radius, edge, count, dtype):
    """So many stamps, and how far they reach, as ``fill_run`` fills them."""
    run, extent = new_run(np.zeros(0, dtype))
    x, y = rng.uniform(-1.5, 1.5, (2, count))
    strength = rng.uniform(0.3, 0.9, count)
    strength[0] = 0.999
    run[: 5 * RUN] = 0
    run[A : A + RUN] = run[LOW : LOW + RUN] = 1
    run[X : X + count], run[Y : Y + count] = x, y
    run[A : A + count], run[B : B + count] = 1 - strength / edge, strength / edge / radius
    run[LOW : LOW + count] = 1 - strength
    extent[:2] = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    extent[2:4] = np.ptp(x) / 2, np.ptp(y) / 2
    extent[4] = radius
    return run, extent


@pytest.mark.parametrize(
    ("count", "dtype"), [(RUN, np.float64), (RUN, np.float32), (3, np.float64)]
)
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("edge", [0.1, 1.0])  # with stamps and, if they are broad, pixels in lanes
@pytest.mark.parametrize(
    ("radius", "shape"), [(1.2, (16, 16)), (9.0, (41, 47)), (60.0, (128, 96)), (1900.0, (8, 2801))]
)
def test_sums_over_the_pixels_of_a_run(rng, radius, shape, edge, shift, count, dtype):
    height, width = shape
    run, extent = a_run(rng, radius, edge, count, dtype)
    middle = np.array([width // 2, height // 2])
    extent[:2] += middle
    extent[5:7] = middle
    seed = np.zeros((height, -(-width // LANES) * LANES), dtype)
    seed[:, :width] = rng.normal(size=shape)
    seed[rng.uniform(size=seed.shape) < 0.3] = 0
    box, part = np.array([0, width, 0, height]), seed
    if shift == 1:
        part = np.zeros((-(-height // 2), seed.shape[1] // 2), dtype)
        add_blocks(part, seed, box)
        even = np.pad(seed.astype(float), ((0, height % 2), (0, 0)))
        sums = even.reshape(part.shape[0], 2, part.shape[1], 2).sum((1, 3))
        np.testing.assert_allclose(part, sums, rtol=1e-5, atol=1e-6)
    add_up(run, extent, np.empty((4, MANY), dtype), part, box, shift, edge)

    side = 1 << shift
    y, x = (np.mgrid[: part.shape[0], : part.shape[1]] + 0.5) * side
    part, run = part.astype(float), run.astype(float)
    sums, logs = np.zeros((5, count)), 0.0
    for k in range(count):
        dx, dy = x - middle[0] - run[X + k], y - middle[1] - run[Y + k]
        d = np.sqrt(dx**2 + dy**2 + 1e-12)
        ramp = run[A + k] + run[B + k] * d
        t = ramp.clip(run[LOW + k], 1)
        slope = np.where((ramp > run[LOW + k]) & (ramp < 1), part / t, 0)
        flat = np.where(ramp <= run[LOW + k], part / t, 0)
        parts = slope, slope * d, slope * dx / d, slope * dy / d, flat
        sums[:, k] = [each.sum() for each in parts]
        logs += (part * np.log(t)).sum()
    found = run[5 * RUN : 11 * RUN].reshape(6, RUN)
    assert np.abs(sums).max() > 0
    close = 1e-9 if dtype is np.float64 else 1e-4
    for one, expected in zip(found[:5, :count], sums, strict=True):
        np.testing.assert_allclose(one, expected, rtol=close, atol=close * np.abs(sums).max())
    np.testing.assert_allclose(found[5].sum(), logs, rtol=close, atol=close * np.abs(part).sum())
