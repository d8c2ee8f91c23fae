"""What the model-free baselines share: environment, encoder, evaluation, checkpoints.

They are stable-baselines3's own algorithms on the batched environment. The loop is ours, in turns
of ``model.learn``, so that they have the same clock, checkpoints, learning curve and test targets
as the StrokeNet agent.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from evaluate import AgentArgs, Policy, evaluate_policy, rollout, test_targets
from gymnasium import spaces
from safetensors.torch import save_file
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnvWrapper
from torch import Tensor, nn
from training import Run

from strokenet_gym.agent import StrokeNetAgent
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.stroke import action_size

__all__ = ["Args", "Encoder", "channels_of", "first_stroke", "learn", "make_envs"]


@dataclasses.dataclass
class Args:
    """What can be set for every algorithm."""

    env: str = "Painting-v0"
    """Painting-v0, NeuralPainting-v0 or DifferentiablePainting-v0."""
    targets: str = "glyphs"
    """What to paint: glyphs, the name of a data set, or the path of an image or folder."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    out: Path | None = None
    """Folder of the run (runs/ALGORITHM-TARGETS-SEED); one that has a checkpoint is resumed."""
    minutes: float = 15.0
    """Time budget, evaluations not counted."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels (the paper's is 256)."""
    max_strokes: int = 1
    """Strokes per picture."""
    num_envs: int = 64
    """Environments that paint at once."""
    input_size: int = 32
    """Width and height to which the encoder reduces canvas and target."""
    width: int = 16
    """Channels of the encoder's first convolution."""
    lr: float = 3e-4
    """Learning rate at the start; falls to zero linearly."""
    evaluate_every: float = 60.0
    """Seconds between evaluations on 500 test targets (not counted as training); 0: only at the
    end."""
    seed: int = 0
    """Seed of weights, targets and exploration."""
    device: str = "cpu"
    """cpu or cuda."""


class Encoder(BaseFeaturesExtractor):
    """The StrokeNet agent's own convolutions, so that no method sees better than another."""

    def __init__(self, space: spaces.Dict, input_size: int, width: int) -> None:
        super().__init__(space, features_dim=256)
        channels = space["canvas"].shape[0]
        self.agent = StrokeNetAgent(channels, input_size, width, hidden=256)
        for head in (self.agent.position, self.agent.pressure, self.agent.brush):
            head.requires_grad_(False)  # not used

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        return self.agent.encode(observation)


class Stopwatch(VecEnvWrapper):
    """Adds up the seconds that the environment takes of a training."""

    seconds = 0.0

    def reset(self) -> Any:
        start = time.perf_counter()
        observation = self.venv.reset()
        self.seconds += time.perf_counter() - start
        return observation

    def step_wait(self) -> Any:
        start = time.perf_counter()
        result = self.venv.step_wait()
        self.seconds += time.perf_counter() - start
        return result


def first_stroke(channels: int) -> Tensor:
    """The action that an untrained StrokeNet agent starts with, ``[A]``: one visible curve."""
    agent, blank = StrokeNetAgent(channels), torch.zeros(1, channels, 64, 64)
    seen = {"target": blank, "canvas": blank, "strokes_left": torch.ones(1, 1)}
    with torch.no_grad():
        return agent(seen)[0]


def make_envs(args: Args) -> Stopwatch:
    """The batched environment."""
    envs = SB3VecEnv(
        args.env,
        args.num_envs,
        targets=args.targets,
        data_dir=args.data_dir,
        canvas_size=args.canvas_size,
        max_strokes=args.max_strokes,
    )
    return Stopwatch(envs)


def policy_of(model: BaseAlgorithm) -> Policy:
    """The model's mean actions."""
    return lambda observation: model.predict(observation, deterministic=True)[0]


def learn(
    model: BaseAlgorithm,
    args: Args,
    strokes: int,
    weights: nn.Module,
    *optimizers: torch.optim.Optimizer,
) -> None:
    """Train until the time is up, with checkpoints and a learning curve, and score the result.

    Args:
        model: the algorithm.
        args: the script's.
        strokes: painted in a turn, which ends with an update.
        weights: everything that is learned.
        optimizers: all there are.
    """
    run = Run(args, weights, *optimizers)
    model.set_logger(Logger(None, []))
    model.num_timesteps = run.step * strokes
    if isinstance(model, OffPolicyAlgorithm):  # the buffer is empty again
        model.learning_starts += model.num_timesteps
    # A resumed run must not see the first targets again.
    model.env.seed(int(run.rng.integers(2**31)))
    held_out, _ = test_targets(args.targets, args.canvas_size, args.data_dir, "test", 500)
    setup = {"canvas_size": args.canvas_size, "max_strokes": args.max_strokes}
    last: dict[str, Any] = {}
    begun = run.seconds

    def evaluate() -> None:
        nonlocal last
        with run.uncounted():
            scores = rollout("Painting-v0", policy_of(model), held_out, **setup)
            last = {
                "residual_exact": float(scores["residual"].mean()),
                "strokes": model.num_timesteps,
            }
            run.record(**last)

    for progress in run:
        if run.every(args.evaluate_every):
            evaluate()
        model.lr_schedule = lambda _, share=1 - progress: args.lr * share
        model.learn(strokes, reset_num_timesteps=False, log_interval=None)
        returns = [episode["r"] for episode in model.ep_info_buffer or []]
        if returns:
            run.log(residual=1 - float(np.mean(returns)), strokes=model.num_timesteps)
    evaluate()
    print(f"Residual {last['residual_exact']:.3f} after {last['strokes']:,} strokes")
    share = model.env.seconds / max(run.seconds - begun, 1e-9)  # of this session, if it was resumed
    print(f"The environment took {share:.1%} of the time, learning and acting the rest")
    score(policy_of(model), args, environment_share=share)
    # Clones, since actor and critic share the encoder.
    policy = {k: v.clone().contiguous() for k, v in model.policy.state_dict().items()}
    save_file(policy, args.out / "policy.safetensors")
    print(f"Wrote scores.json and policy.safetensors to {args.out}")


def score(policy: Policy, args: Args, **extra: float) -> None:
    """Write ``scores.json`` and ``samples.npz``: all test targets, on the real program."""
    task = AgentArgs(
        targets=args.targets,
        data_dir=args.data_dir,
        canvas_size=args.canvas_size,
        samples=args.out / "samples.npz",
    )
    result = evaluate_policy(policy, task, args.max_strokes) | extra
    (args.out / "scores.json").write_text(json.dumps(result, indent=2) + "\n")


def channels_of(envs: Stopwatch) -> int:
    """Colour channels of the environment."""
    (size,) = envs.action_space.shape
    return size - action_size(0)
