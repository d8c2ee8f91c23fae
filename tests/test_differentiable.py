"""NeuralPainting-v0 and DifferentiablePainting-v0: the same contract, and gradients."""

import copy
import pickle
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from strokenet_gym import Brush
from strokenet_gym.envs import PaintingEnv

ENV_ID = ""


@pytest.fixture(autouse=True, params=["NeuralPainting-v0", "DifferentiablePainting-v0"])
def _both(request, monkeypatch):
    """Every test runs with both."""
    monkeypatch.setattr(sys.modules[__name__], "ENV_ID", request.param)


def make(**kwargs):
    return gym.make(ENV_ID, **({"canvas_size": 32} | kwargs))


def make_vec(num_envs=4, **kwargs):
    return gym.make_vec(ENV_ID, num_envs=num_envs, **({"canvas_size": 32} | kwargs))


def smooth_action(dtype=torch.float32, channels=1):
    """A visible curve in the middle of all ranges."""
    t = torch.linspace(-0.6, 0.6, 16)
    anchors = torch.stack([t, 0.5 * torch.sin(4 * t), 0.5 + 0.2 * t], -1).flatten()
    return torch.cat([torch.full((channels,), 0.8), torch.tensor([0.6]), anchors]).to(dtype)


@pytest.mark.parametrize(
    "kwargs", [{}, {"channels": 3, "max_strokes": 4, "render_mode": "rgb_array"}]
)
def test_check_env(kwargs):
    check_env(make(**kwargs).unwrapped)


def test_same_spaces_and_info_as_the_real_one():
    kwargs = {"canvas_size": 32, "channels": 3, "max_strokes": 2}
    neural, real = make(**kwargs), gym.make("Painting-v0", **kwargs)
    assert neural.observation_space == real.observation_space
    assert neural.action_space == real.action_space
    (a, info_a), (b, info_b) = neural.reset(seed=4), real.reset(seed=4)
    np.testing.assert_array_equal(a["target"], b["target"])
    assert info_a == pytest.approx(info_b)
    action = smooth_action(channels=3).numpy()
    step_a, step_b = neural.step(action), real.step(action)
    assert [type(x) for x in step_a] == [type(x) for x in step_b]
    assert step_a[4].keys() == step_b[4].keys()
    assert {k: type(v) for k, v in step_a[4].items()} == {k: type(v) for k, v in step_b[4].items()}
    difference = np.abs(step_a[0]["canvas"].astype(float) - step_b[0]["canvas"])
    if ENV_ID == "DifferentiablePainting-v0":
        assert step_a[1] == pytest.approx(step_b[1], abs=1e-6)
        assert difference.max() == 0
    else:  # the network imitates the program
        assert step_a[1] == pytest.approx(step_b[1], abs=0.05)
        assert difference.mean() < 3


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_numpy_and_torch_agree(rng, kind):
    env = make(max_strokes=3, reward=kind, channels=3)
    actions = rng.uniform(-1, 1, (3, 52)).astype(np.float32)
    env.reset(seed=0)
    arrays = [env.step(a) for a in actions]
    start, _ = env.reset(seed=0, options={"as_tensor": True})
    tensors = [env.step(torch.from_numpy(a)) for a in actions]
    assert start["canvas"].dtype == torch.float32
    for (o, r, te, tr, i), (ot, rt, tet, trt, it) in zip(arrays, tensors, strict=True):
        for key in ("canvas", "target"):
            assert ot[key].dtype == torch.float32
            assert ot[key].shape == o[key].shape
            assert np.abs(ot[key].numpy() * 255 - o[key]).max() <= 0.501
        np.testing.assert_array_equal(ot["strokes_left"].numpy(), o["strokes_left"])
        assert isinstance(r, float)
        assert rt.shape == ()
        assert r == pytest.approx(rt.item(), abs=1e-6)
        assert (te, tr) == (tet, trt)
        assert type(tet) is type(trt) is bool
        assert i == pytest.approx(it)
        assert all(isinstance(v, (int, float)) for v in it.values())
    returns = sum(r for _, r, *_ in arrays)
    if kind == "l2":
        assert returns == pytest.approx(1 - arrays[-1][4]["residual"], abs=1e-5)


def test_gradcheck_through_step():
    env = make(canvas_size=16, max_strokes=2).unwrapped

    def final_reward(action):
        env.reset(seed=1)
        _, first, *_ = env.step(action)
        _, second, *_ = env.step(0.9 * action)
        return first + second

    action = smooth_action(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(final_reward, action, eps=1e-6, atol=1e-4, rtol=1e-3)


def test_gradient_through_three_strokes():
    env = make(max_strokes=3)
    env.reset(seed=0)
    actions = [(smooth_action() * s).requires_grad_() for s in (1, 0.8, 0.6)]
    rewards = [env.step(a)[1] for a in actions]
    rewards[-1].backward()
    for action in actions:  # the last reward depends on all strokes beneath
        assert torch.isfinite(action.grad).all()
        assert action.grad.abs().sum() > 0


def test_gradient_goes_uphill():
    env = make(canvas_size=64)
    action = smooth_action().requires_grad_()
    env.reset(seed=3)
    _, before, *_ = env.step(action)
    (gradient,) = torch.autograd.grad(before, action)
    env.reset(seed=3)
    _, after, *_ = env.step(action.detach() + 0.02 * gradient / gradient.norm())
    assert after > before


def test_detach_cuts_the_graph():
    env = make(max_strokes=2)
    env.reset(seed=0)
    first, second = (smooth_action().requires_grad_() for _ in range(2))
    env.step(first)
    env.unwrapped.detach()
    env.step(second)[1].backward()
    assert first.grad is None
    assert second.grad is not None


def test_paint_is_pure():
    env = make(max_strokes=2).unwrapped
    env.reset(seed=0)
    canvas = torch.rand(1, 32, 32, requires_grad=True)
    action = smooth_action().requires_grad_()
    painted = env.paint(canvas, action)
    painted.sum().backward()
    assert canvas.grad.min() >= 0
    assert action.grad.abs().sum() > 0
    arrays = env.paint(canvas.detach().numpy(), action.detach().numpy())
    assert isinstance(arrays, np.ndarray)
    np.testing.assert_allclose(arrays, painted.detach().numpy(), atol=1e-6)
    observation, *_ = env.step(np.full(50, -1, np.float32))  # nothing was painted in the episode
    assert observation["canvas"].max() == 0


def test_numpy_step_leaves_no_graph():
    env = make(max_strokes=3)
    env.reset(seed=0)
    env.step(smooth_action().requires_grad_())
    env.step(smooth_action().numpy())
    assert not env.unwrapped.task.engine.canvas.requires_grad


def test_target_equal_to_the_background():
    env = make()
    env.reset(options={"target": np.zeros((32, 32)), "as_tensor": True})
    action = smooth_action().requires_grad_()
    _, reward, *_ = env.step(action)
    reward.backward()
    assert reward < 0
    assert torch.isfinite(action.grad).all()


def test_any_brush_if_the_generator_is_exact():
    brush = Brush(edge=0.2)
    env = make(brush=brush, **({"generator": "exact"} if "Neural" in ENV_ID else {}))
    env.reset(seed=0)
    action = smooth_action().requires_grad_()
    env.step(action)[1].backward()
    assert action.grad.abs().sum() > 0


def test_reward_function_gets_tensors():
    env = make(reward=lambda before, after, target: -(after - target).abs().mean((1, 2, 3)))
    env.reset(seed=0)
    action = smooth_action().requires_grad_()
    env.step(action)[1].backward()
    assert action.grad.abs().sum() > 0


def test_pickles_with_a_graph():
    env = make(max_strokes=3)
    env.reset(seed=0)
    env.step(smooth_action().requires_grad_())
    twin = pickle.loads(pickle.dumps(env))
    assert env.unwrapped.task.engine.canvas.requires_grad  # the original keeps its graph
    a, b = (e.step(smooth_action().numpy()) for e in (env, twin))
    np.testing.assert_array_equal(a[0]["canvas"], b[0]["canvas"])
    assert a[1] == b[1]


def test_double_actions_do_not_linger():
    env = make(as_tensor=True)
    env.reset(seed=0)
    assert env.step(smooth_action(torch.float64))[0]["canvas"].dtype == torch.float64
    observation, _ = env.reset()
    assert observation["canvas"].dtype == torch.float32


def test_observed_tensors_are_copies():
    env = make(max_strokes=2)
    observation, _ = env.reset(seed=0, options={"as_tensor": True})
    with torch.no_grad():
        for tensor in observation.values():
            tensor.fill_(0.5)
    _, _, _, _, info = env.step(torch.full((50,), -1.0))
    assert info["residual"] == pytest.approx(1)


def test_paint_mixes_arrays_and_tensors():
    env = make().unwrapped
    action = smooth_action().requires_grad_()
    env.paint(np.zeros((1, 32, 32), np.float32), action).sum().backward()
    assert action.grad.abs().sum() > 0
    assert isinstance(env.paint(torch.zeros(1, 32, 32), action.detach().numpy()), torch.Tensor)


def test_reward_function_of_the_wrong_shape():
    envs = make_vec(reward=lambda before, after, target: after.mean((2, 3)))
    envs.reset()
    with pytest.raises(ValueError, match=r"must return the shape \(4,\), got \(4, 1\)"):
        envs.step(np.zeros((4, 50), np.float32))


def test_same_seed_same_episode(rng):
    action = rng.uniform(-1, 1, 50).astype(np.float32)
    results = []
    for _ in range(2):
        env = make()
        env.reset(seed=9)
        observation, reward, *_ = env.step(action)
        results.append((observation["canvas"].tobytes(), reward))
    assert results[0] == results[1]


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_env_is_like_single_ones(rng, mode, as_tensor):
    """Through the ends of episodes, what Gymnasium's SyncVectorEnv makes of single ones."""
    ours = make_vec(max_strokes=2, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: make(max_strokes=2) for _ in range(4)], autoreset_mode=mode)
    options = {"as_tensor": as_tensor}
    ours.reset(seed=5, options=options)
    theirs.reset(seed=5)
    for _ in range(5):
        actions = rng.uniform(-1, 1, (4, 50)).astype(np.float32)
        a = ours.step(torch.from_numpy(actions) if as_tensor else actions)
        b = theirs.step(actions)
        assert isinstance(a[1], torch.Tensor if as_tensor else np.ndarray)
        scale = 255 if as_tensor else 1
        for key in ("canvas", "target"):
            assert np.abs(np.asarray(a[0][key], float) * scale - b[0][key]).max() <= 1.01
        np.testing.assert_allclose(a[1], b[1], atol=1e-5)
        np.testing.assert_array_equal(a[2], b[2])
        np.testing.assert_allclose(a[4]["l2"], b[4]["l2"], atol=1e-6)
        assert ("final_obs" in a[4]) == ("final_obs" in b[4])
        if "final_obs" in a[4]:
            for x, y in zip(a[4]["final_obs"], b[4]["final_obs"], strict=True):
                assert np.abs(np.asarray(x["canvas"], float) * scale - y["canvas"]).max() <= 1.01
        if mode is AutoresetMode.DISABLED and a[2].any():
            mask = a[2]
            ours.reset(options={"reset_mask": mask, **options})
            theirs.reset(options={"reset_mask": mask})


def test_vector_env_gradients_and_autoreset():
    envs = make_vec(max_strokes=2)
    envs.reset(seed=0, options={"as_tensor": True})
    actions = smooth_action().repeat(4, 1).requires_grad_()
    total = 0
    for _ in range(5):  # through the automatic resets
        observation, reward, *_ = envs.step(actions)
        total = total + reward.sum()
    total.backward()
    assert torch.isfinite(actions.grad).all()
    assert actions.grad.abs().sum(1).min() > 0
    assert observation["canvas"].shape == (4, 1, 32, 32)


def test_rewards_are_batched_sums_of_gradients():
    """Each sub-environment's gradient is its own."""
    envs = make_vec(max_strokes=1)
    actions = torch.stack([smooth_action() * s for s in (1, 0.9, 0.8, 0.7)]).requires_grad_()
    envs.reset(seed=0)
    envs.step(actions)[1][2].backward()
    assert actions.grad[2].abs().sum() > 0
    assert actions.grad[[0, 1, 3]].abs().sum() == 0


def test_step_needs_reset():
    with pytest.raises(ResetNeeded):
        make().unwrapped.step(smooth_action())


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (torch.zeros(3), ValueError, "expected an action of shape"),
        (torch.full((50,), torch.nan), ValueError, "value nan"),
        (torch.zeros(50, dtype=torch.bool), TypeError, "bool"),
        (torch.zeros(1, 50), ValueError, r"shape \(50,\), got \(1, 50\)"),
        (np.zeros(3), ValueError, "expected an action of shape"),
    ],
)
def test_bad_actions(action, error, message):
    env = make().unwrapped
    env.reset()
    with pytest.raises(error, match=message):
        env.step(action)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"generator": "nonsense"}, "unknown generator 'nonsense': neither one of compact"),
        ({"device": "abacus"}, "device 'abacus'"),
        ({"brush": Brush(edge=0.2)}, "no network is shipped that imitates the brush .Brush"),
        ({"brush": Brush(edge=0.2), "generator": "compact"}, "imitates the brush 'pencil' only"),
        ({"render_mode": "ansi"}, "unknown render_mode"),
        ({"targets": "cats"}, "unknown targets"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        PaintingEnv(engine="network", **kwargs)


def test_a_copy_after_a_tensor_step():
    env = make(max_strokes=3).unwrapped
    env.reset(seed=0)
    env.step(torch.zeros(50, requires_grad=True))
    twin = copy.deepcopy(env)
    action = np.ones(50, np.float32)
    assert twin.step(action)[1] == env.step(action)[1]


def test_last_observations_are_no_part_of_the_graph():
    """Whoever got them may change them, and go back through the step after that."""
    envs = gym.make_vec("DifferentiablePainting-v0", num_envs=3, canvas_size=32, max_strokes=1,
                        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP)  # fmt: skip
    envs.reset(seed=0, options={"as_tensor": True})
    action = torch.zeros(3, 50, requires_grad=True)
    _, reward, _, _, info = envs.step(action)
    for last in info["final_obs"]:
        last["target"].mul_(2)
        last["canvas"].detach().mul_(2)
    reward.sum().backward()
    assert action.grad.abs().sum() > 0
