"""The hot loop of the way back, against sums that NumPy makes."""

import numpy as np
import pytest
from numba import njit

from strokenet_gym.kernels.canvas import LANES
from strokenet_gym.programs.stamped.runs import Extent, new_pixels, new_run
from strokenet_gym.programs.stamped.stamping import add_blocks, add_up


@njit
def room(like):
    return new_run(like), new_pixels(like)


def a_run(rng, run, radius, edge, count, middle):
    """So many stamps, and how far they reach, as ``fill_run`` fills them."""
    x, y = rng.uniform(-1.5, 1.5, (2, count))
    strength = rng.uniform(0.3, 0.9, count)
    strength[0] = 0.999
    numbers = x, y, 1 - strength / edge, strength / edge / radius, 1 - strength
    for name, values, blank in zip("xyab", numbers[:4], (0, 0, 1, 0), strict=True):
        run[0][name][:] = np.pad(values, (0, LANES - count), constant_values=blank)
    run[0]["low"][:] = np.pad(numbers[4], (0, LANES - count), constant_values=1)
    centre = np.array([x.min() + x.max(), y.min() + y.max()]) / 2 + middle
    reach = np.ptp(x) / 2, np.ptp(y) / 2, radius
    return Extent(*map(float, (1, *centre, *reach, *middle)))


@pytest.mark.parametrize(
    ("count", "dtype"), [(LANES, np.float64), (LANES, np.float32), (3, np.float64)]
)
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("edge", [0.1, 1.0])  # with stamps and, if they are broad, pixels in lanes
@pytest.mark.parametrize(
    ("radius", "shape"), [(1.2, (16, 16)), (9.0, (41, 47)), (60.0, (128, 96)), (1900.0, (8, 2801))]
)
def test_sums_over_the_pixels_of_a_run(rng, radius, shape, edge, shift, count, dtype):
    height, width = shape
    middle = np.array([width // 2, height // 2])
    run, pixels = room(np.zeros(0, dtype))
    extent = a_run(rng, run, radius, edge, count, middle)
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
    add_up(run, extent, pixels, part, box, shift, edge)

    side, names = 1 << shift, run.dtype.names
    y, x = (np.mgrid[: part.shape[0], : part.shape[1]] + 0.5) * side
    part = part.astype(float)
    sums, logs = np.zeros((5, count)), 0.0
    for k in range(count):
        at_x, at_y, a, b, low = (float(run[0][name][k]) for name in names[:5])
        dx, dy = x - middle[0] - at_x, y - middle[1] - at_y
        d = np.sqrt(dx**2 + dy**2 + 1e-12)
        ramp = a + b * d
        t = ramp.clip(low, 1)
        slope = np.where((ramp > low) & (ramp < 1), part / t, 0)
        flat = np.where(ramp <= low, part / t, 0)
        parts = slope, slope * d, slope * dx / d, slope * dy / d, flat
        sums[:, k] = [each.sum() for each in parts]
        logs += (part * np.log(t)).sum()
    found = [run[0][name] for name in names[5:]]
    assert np.abs(sums).max() > 0
    close = 1e-9 if dtype is np.float64 else 1e-4
    for one, expected in zip(found[:5], sums, strict=True):
        np.testing.assert_allclose(
            one[:count], expected, rtol=close, atol=close * np.abs(sums).max()
        )
    np.testing.assert_allclose(found[5].sum(), logs, rtol=close, atol=close * np.abs(part).sum())
