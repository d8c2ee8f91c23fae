"""The action vector."""

import numpy as np
import pytest
import torch

from strokenet_gym.stroke import (
    NUM_ANCHORS,
    RADIUS_MAX,
    RADIUS_MIN,
    Stroke,
    action_size,
    check_action,
    fit_anchors,
    pack,
    part_way,
    split,
    unpack,
)


@pytest.mark.parametrize(("channels", "size"), [(1, 50), (3, 52)])
def test_size(channels, size):
    assert action_size(channels) == size


@pytest.mark.parametrize("channels", [1, 3])
def test_bounds_and_order(channels):
    low, high = (unpack(np.full(action_size(channels), v, np.float32), channels) for v in (-1, 1))
    assert low.colour.tolist() == [0] * channels
    assert high.colour.tolist() == [1] * channels
    assert low.radius == pytest.approx(RADIUS_MIN)
    assert high.radius == pytest.approx(RADIUS_MAX)
    assert (low.position == -1).all()
    assert (high.position == 1).all()
    assert (low.pressure == 0).all()
    assert (high.pressure == 1).all()
    action = np.zeros(action_size(channels), np.float32)
    action[channels + 1 + 3 * 4 : channels + 1 + 3 * 5] = 0.5, -0.25, 1  # x5, y5, p5
    stroke = unpack(action, channels)
    np.testing.assert_allclose(stroke.position[4], [0.5, -0.25])
    assert stroke.pressure[4] == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_split_names_every_component_once(channels):
    parts = split(np.arange(action_size(channels)), channels)
    flat = np.concatenate([np.ravel(part) for part in parts])
    assert sorted(flat.tolist()) == list(range(action_size(channels)))
    assert parts.radius == channels
    assert parts.position[2].tolist() == [channels + 7, channels + 8]
    assert parts.pressure[2] == channels + 9


@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
def test_pack_inverts_unpack(rng, shape):
    action = rng.uniform(-1, 1, (*shape, 52)).astype(np.float32)
    stroke = unpack(action, 3)
    assert stroke.position.shape == (*shape, NUM_ANCHORS, 2)
    np.testing.assert_allclose(pack(stroke), action, atol=1e-5)


def test_numpy_and_torch_agree(rng):
    action = rng.uniform(-1, 1, (5, 50)).astype(np.float32)
    tensor = torch.from_numpy(action).requires_grad_()
    stroke = unpack(tensor, 1)
    for ours, theirs in zip(stroke, unpack(action, 1), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-6)
    pack(Stroke(*stroke)).sum().backward()
    np.testing.assert_allclose(tensor.grad.numpy(), 1, rtol=1e-4)


def test_check_action_clips_and_converts():
    checked = check_action([2] * 50, (50,))
    assert checked.dtype == np.float32
    assert (checked == 1).all()


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.zeros(49), ValueError, r"expected an action of shape \(50,\), got \(49,\)"),
        (np.zeros((1, 50)), ValueError, r"got \(1, 50\)"),
        (np.full(50, np.nan), ValueError, r"value nan at index \(0,\)"),
        (np.full(50, np.inf), ValueError, r"value inf"),
        (np.full(50, "x"), TypeError, "real numbers"),
        (np.zeros(50, complex), TypeError, "complex"),
    ],
)
def test_check_action_refuses(action, error, message):
    with pytest.raises(error, match=message):
        check_action(action, (50,))


def test_fit_anchors_follows_a_drawn_path():
    angle = np.linspace(0, 3, 200) ** 1.3  # unevenly fast
    points = np.stack([np.cos(angle), np.sin(angle)], 1)
    position, pressure = fit_anchors(points, np.linspace(0, 1, 200))
    assert position.shape == (NUM_ANCHORS, 2)
    np.testing.assert_allclose(position[[0, -1]], points[[0, -1]])
    np.testing.assert_allclose(np.linalg.norm(position, axis=1), 1, atol=1e-3)
    steps = np.linalg.norm(np.diff(position, axis=0), axis=1)
    assert np.ptp(steps) < 0.01 * steps.mean()
    assert (np.diff(pressure) > 0).all()
    (dot,) = fit_anchors(np.array([[0.1, 0.2]]))
    np.testing.assert_array_equal(dot, [[0.1, 0.2]] * NUM_ANCHORS)


def test_part_way_grows():
    stroke = Stroke(
        np.ones(1), np.array(0.1), np.zeros((NUM_ANCHORS, 2)), np.full(NUM_ANCHORS, 0.5)
    )
    assert part_way(stroke, 0).pressure.max() == 0
    np.testing.assert_array_equal(part_way(stroke, 1).pressure, stroke.pressure)
    half = part_way(stroke, 0.5 + 0.5 / NUM_ANCHORS).pressure
    np.testing.assert_allclose(half, [0.5] * 8 + [0.25] + [0] * 7)
