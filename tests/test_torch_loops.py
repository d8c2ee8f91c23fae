"""Gradients in other people's loops: inference mode, default types, compiled and transformed."""

import copy
import subprocess
import sys
import tracemalloc

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from strokenet_gym import load_agent, load_generator, paint_sequence

BOTH = ["NeuralPainting-v0", "DifferentiablePainting-v0"]


def make(env_id, **kwargs):
    return gym.make(env_id, **({"canvas_size": 32, "max_strokes": 4} | kwargs))


def some_action(requires_grad=False, scale=1.0):
    t = torch.linspace(-0.6, 0.6, 16, dtype=torch.float32)
    anchors = torch.stack([t, 0.5 * torch.sin(4 * t), 0.5 + 0.2 * t], -1).flatten()
    start = torch.tensor([0.8, 0.6], dtype=torch.float32)
    return (torch.cat([start, anchors]) * scale).requires_grad_(requires_grad)


# One mode for an environment's life.


def in_space(env, observation):
    arrays = {key: np.asarray(value) for key, value in observation.items()}
    return env.observation_space.contains(arrays)


@pytest.mark.parametrize("env_id", BOTH)
def test_arrays_whatever_the_actions_are(env_id):
    env = make(env_id)
    target = np.full((32, 32), 0.9, np.float32)
    observation, _ = env.reset(seed=0, options={"target": target})
    for action in (some_action(True), some_action().numpy(), some_action()):
        assert in_space(env, observation)
        assert observation["target"].dtype == np.uint8
        assert observation["target"].max() == 230
        observation, reward, *_ = env.step(action)
        assert isinstance(reward, torch.Tensor if isinstance(action, torch.Tensor) else float)
    observation, _ = env.reset(options={"target": target})
    assert in_space(env, observation)
    assert observation["target"].max() == 230


@pytest.mark.parametrize("env_id", BOTH)
def test_tensors_whatever_the_actions_are(env_id):
    env = make(env_id, as_tensor=True)
    observation, _ = env.reset(seed=0)
    for action in (some_action(True), some_action().numpy(), some_action()):
        assert all(isinstance(value, torch.Tensor) for value in observation.values())
        assert in_space(env, {key: value.detach() for key, value in observation.items()})
        assert observation["target"].max() <= 1
        observation, *_ = env.step(action)
    assert isinstance(env.reset()[0]["canvas"], torch.Tensor)
    observation, _ = env.reset(options={"as_tensor": False})  # on purpose
    assert in_space(env, observation)
    assert isinstance(env.step(some_action())[0]["canvas"], np.ndarray)


@pytest.mark.parametrize("env_id", BOTH)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_part_of_a_batch_is_reset(env_id, as_tensor):
    kwargs = {"canvas_size": 32, "max_strokes": 2, "autoreset_mode": "Disabled"}
    envs = gym.make_vec(env_id, num_envs=2, as_tensor=as_tensor, **kwargs)
    observation, _ = envs.reset(seed=0)
    actions = torch.stack([some_action(), some_action(scale=0.8)])
    seen = [observation, envs.step(actions)[0], envs.step(actions.numpy())[0]]
    seen.append(envs.reset(options={"reset_mask": np.array([True, False])})[0])
    for observation in seen:
        kind = torch.Tensor if as_tensor else np.ndarray
        assert all(isinstance(value, kind) for value in observation.values())
        assert in_space(envs, observation)
    assert seen[-1]["canvas"][0].max() == 0
    np.testing.assert_array_equal(seen[-1]["canvas"][1], seen[-2]["canvas"][1])


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_as_tensor_is_a_flag(value):
    with pytest.raises(ValueError, match=f"as_tensor must be True or False, got {value!r}"):
        make("DifferentiablePainting-v0", as_tensor=value)
    with pytest.raises(ValueError, match="as_tensor must be True or False"):
        make("DifferentiablePainting-v0").reset(options={"as_tensor": value})


# Inference mode.


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("env_id", BOTH)
def test_gradients_after_a_rollout_in_inference_mode(env_id, as_tensor):
    env = make(env_id, as_tensor=as_tensor)
    with torch.inference_mode():
        env.reset(seed=0)
        for _ in range(2):
            env.step(some_action())
        action = some_action()  # an inference tensor itself
    env.unwrapped.detach()
    env.step(action)
    third = some_action(True)
    env.step(third)[1].backward()
    assert third.grad.abs().sum() > 0


@pytest.mark.parametrize("env_id", BOTH)
def test_environments_made_in_inference_mode(env_id):
    with torch.inference_mode():
        env = make(env_id, as_tensor=True, background=0.2)
        envs = gym.make_vec(env_id, num_envs=2, canvas_size=32)
        canvas, _ = env.reset(seed=0)
        envs.reset(seed=0)
    action = some_action(True)
    env.step(action)[1].backward()
    envs.step(torch.stack([action, action]))[1].sum().backward()
    env.unwrapped.paint(canvas["canvas"], action).sum().backward()
    assert action.grad.isfinite().all()
    assert action.grad.abs().sum() > 0


def test_networks_made_in_inference_mode():
    with torch.inference_mode():
        generator, agent = load_generator("compact"), load_agent("mnist")
        own = copy.deepcopy(load_generator("compact"))
        for module in own.modules():
            for key, weights in module._parameters.items():
                module._parameters[key] = torch.nn.Parameter(weights.clone(), False)
        assert next(own.parameters()).is_inference()
    for network in (generator, own):
        action = some_action(True)
        env = make("NeuralPainting-v0", generator=network)
        env.reset(seed=0)
        env.step(action)[1].backward()
        assert action.grad.abs().sum() > 0
    picture = torch.rand(1, 1, 64, 64)
    seen = {"canvas": picture * 0, "target": picture, "strokes_left": torch.ones(1, 1)}
    agent(seen).sum().backward()
    assert all(p.grad is not None for p in agent.parameters())


def test_sequences_of_tensors_from_inference_mode():
    with torch.inference_mode():
        canvas = torch.zeros(1, 1, 32, 32)
    actions = some_action().repeat(1, 2, 1).requires_grad_()
    paint_sequence(canvas, actions).sum().backward()
    assert actions.grad.abs().sum() > 0


# Memory.


@pytest.mark.parametrize("work", ["step", "sequence"])
def test_ink_goes_with_the_graph(work):
    """Whoever keeps losses does not keep the ink, once he has gone back: 260 kB of each stroke."""
    env = make("DifferentiablePainting-v0", canvas_size=256, targets=np.zeros((256, 256)))
    canvas, action = torch.zeros(1, 1, 256, 256), some_action(True)
    losses, held = [], []
    tracemalloc.start()
    try:
        for _ in range(5):
            env.reset()
            if work == "step":
                loss = env.step(action)[1]
            else:
                loss = paint_sequence(canvas, action.repeat(1, 2, 1)).sum()
            loss.backward()
            losses.append(loss)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] - held[1] < 100_000
    assert losses[-1].grad_fn is not None


@pytest.mark.parametrize("work", ["step", "sequence", "network"])
def test_a_graph_that_is_retained_keeps_its_ink(work):
    """Until the last backward pass, and no longer."""
    kind = "NeuralPainting-v0" if work == "network" else "DifferentiablePainting-v0"
    env = make(kind, canvas_size=256, targets=np.zeros((256, 256)))
    canvas, action = torch.zeros(1, 1, 256, 256), some_action(True)
    env.reset()
    env.step(action)[1].backward()  # makes what is made but once
    env.reset()
    tracemalloc.start()
    try:
        if work == "sequence":
            loss = paint_sequence(canvas, action.repeat(1, 2, 1)).sum()
        else:
            loss = env.step(action)[1]
        (first,) = torch.autograd.grad(loss, action, retain_graph=True)
        retained = tracemalloc.get_traced_memory()[0]
        (again,) = torch.autograd.grad(loss, action)
        freed = retained - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    torch.testing.assert_close(first, again)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    if work != "network":  # whose tensors are torch's own
        assert freed > 20_000


# Default types.

DEFAULTS = """
import gymnasium as gym, numpy as np, torch
import strokenet_gym
from strokenet_gym import load_agent, load_generator
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
picture = np.full((1, 32, 32), 128, np.uint8)
seen = {"canvas": picture * 0, "target": picture, "strokes_left": np.ones(1, np.float32)}
for name in ("mnist", "kanjivg"):
    agent = load_agent(name)
    if agent.channels == 1:
        assert agent.act(seen).dtype == np.float32
for env_id in ("NeuralPainting-v0", "DifferentiablePainting-v0"):
    for generator in ("compact", "paper") if "Neural" in env_id else (None,):
        more = {} if generator is None else {"generator": generator}
        env = gym.make(env_id, canvas_size=32, max_strokes=3, device="cpu", **more)
        env.reset(seed=0)
        for action in (np.zeros(50, np.float32), torch.zeros(50, device="cpu")):
            observation, reward, *_ = env.step(action)
            assert observation["canvas"].dtype == np.uint8
        assert reward.device.type == "cpu"
        observation, _ = env.reset(options={"as_tensor": True})
        assert observation["canvas"].dtype == torch.float32
        action = torch.zeros(50, device="cpu", dtype=torch.float32, requires_grad=True)
        observation, reward, *_ = env.step(action)
        assert observation["canvas"].dtype == reward.dtype == torch.float32
        reward.backward()
canvas, actions = np.zeros((1, 1, 32, 32), np.float32), np.full((1, 3, 50), 0.1, np.float32)
expected = strokenet_gym.paint_sequence(canvas, actions)
on_cpu = torch.from_numpy(canvas), torch.from_numpy(actions).requires_grad_()
for below in (canvas, on_cpu[0]):
    for above in (actions, on_cpu[1]):
        painted = strokenet_gym.paint_sequence(below, above)
        np.testing.assert_allclose(np.asarray(torch.as_tensor(painted, device="cpu").detach()),
                                   expected, atol=1e-6)
        if isinstance(painted, torch.Tensor):
            assert (painted.device.type, painted.dtype) == ("cpu", torch.float32)
            if painted.requires_grad:
                painted.sum().backward()
env = gym.make("DifferentiablePainting-v0", canvas_size=32, reward=lambda b, a, t: [0.5])
env.reset(seed=0)
reward = env.step(torch.zeros(50, device="cpu"))[1]
assert reward.device.type == "cpu" and reward == 0.5
print("done")
"""


def test_default_types_and_devices():
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", DEFAULTS],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


# Transforms.


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled():
    env = make("DifferentiablePainting-v0").unwrapped
    env.reset(seed=0)

    def painted(action):
        sequence = paint_sequence(torch.zeros(1, 1, 32, 32), 0.9 * action.repeat(1, 2, 1))
        return env.paint(torch.zeros(1, 32, 32), action * 0.5).sum() + sequence.sum()

    def played(action):
        env.reset(seed=0)
        return env.step(action * 0.5)[1]

    for function in (painted, played):
        torch.compiler.reset()
        action = some_action(True)
        compiled = torch.compile(function, backend="eager")
        (by,) = torch.autograd.grad(compiled(action), action)
        (expected,) = torch.autograd.grad(function(action), action)
        torch.testing.assert_close(by, expected)
        assert expected.abs().sum() > 0


@pytest.mark.parametrize("env_id", BOTH)
@pytest.mark.parametrize("reentrant", [False, True])
def test_steps_are_not_taken_again_in_a_backward_pass(env_id, reentrant):
    env = make(env_id)
    env.reset(seed=0)
    action = some_action(True)
    reward = checkpoint(lambda a: env.step(a)[1], action, use_reentrant=reentrant)
    with pytest.raises(ValueError, match="step keeps the canvas, so it cannot run again"):
        reward.backward()
    assert env.step(action)[4]["stroke"] == 2  # nothing happened to the episode


def test_steps_in_hooks_are_refused():
    envs = gym.make_vec("DifferentiablePainting-v0", num_envs=2, canvas_size=32, max_strokes=4)
    envs.reset(seed=0)
    actions = torch.zeros(2, 50, requires_grad=True)
    actions.register_hook(lambda grad: envs.step(grad) and None)
    with pytest.raises(ValueError, match="inside a backward pass"):
        envs.step(actions)[1].sum().backward()


def test_pure_functions_go_through_checkpoints():
    env = make("DifferentiablePainting-v0").unwrapped
    actions = torch.zeros(1, 3, 50).uniform_(-1, 1).requires_grad_()
    blank = torch.zeros(1, 32, 32)

    def painted(first):
        return env.paint(env.paint(blank, first), first * 0.5).square().mean()

    def drawn(all_of_them):
        return paint_sequence(blank[None], all_of_them).square().mean()

    for function, value in ((painted, actions[0, 0]), (drawn, actions)):
        (expected,) = torch.autograd.grad(function(value), actions)
        again = checkpoint(function, value, use_reentrant=False)
        (found,) = torch.autograd.grad(again, actions)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_functional_gradients():
    env = make("DifferentiablePainting-v0").unwrapped
    canvas = torch.rand(1, 32, 32)

    def painted(action, canvas):
        sequence = paint_sequence(canvas[None], action.repeat(1, 2, 1))
        return env.paint(canvas, action).square().sum() + sequence.square().sum()

    inputs = some_action(True), canvas.requires_grad_()
    expected = torch.autograd.grad(painted(*inputs), inputs)
    found = torch.func.grad(painted, (0, 1))(*(x.detach() for x in inputs))
    torch.testing.assert_close(found, expected)


def test_transforms_that_are_refused():
    env = make("DifferentiablePainting-v0").unwrapped
    env.reset(seed=0)
    canvas, actions = torch.zeros(1, 32, 32), torch.stack([some_action(), some_action(scale=0.9)])

    def painted(action):
        return env.paint(canvas, action).sum()

    for function in (
        lambda: torch.vmap(painted)(actions),
        lambda: torch.vmap(torch.func.grad(painted))(actions),
        lambda: torch.vmap(lambda a: paint_sequence(canvas[None], a[None, None]))(actions),
    ):
        with pytest.raises(ValueError, match=r"no rule for torch\.vmap: it takes batches"):
            function()
    with pytest.raises(ValueError, match="step keeps the canvas"):
        torch.func.grad(lambda action: env.step(action)[1])(some_action())
    env.step(some_action())  # and nothing is broken


@pytest.mark.parametrize("env_id", ["Painting-v0", "DifferentiablePainting-v0"])
def test_steps_with_arrays_are_not_taken_again_either(env_id):
    env, envs = gym.make(env_id, canvas_size=16), gym.make_vec(env_id, num_envs=2, canvas_size=16)
    for made, count in ((env, ()), (envs, (2,))):
        made.reset(seed=0)
        steps = []

        def step(x, made=made, count=count, steps=steps):
            if not steps:  # the forward pass
                made.reset(seed=0)
            steps.append(made.step(np.zeros((*count, 50), np.float32)))
            return x * x

        x = torch.ones(1, requires_grad=True)
        with pytest.raises(ValueError, match="step keeps the canvas, so it cannot run again"):
            checkpoint(step, x, use_reentrant=False).sum().backward()
        assert len(steps) == 1
