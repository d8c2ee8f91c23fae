"""What the model-free baselines share: environment, encoder, evaluation, checkpoints.

They are stable-baselines3's own algorithms on the batched environment. The loop is ours, in turns
of ``model.learn``, so that they have the same clock, checkpoints, learning curve and test targets
as the StrokeNet agent.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from gymnasium import spaces
from scipy.fft import dct
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import Tensor

from strokenet_gym.agents import StrokeNetAgent
from strokenet_gym.envs.tensors import find_device
from strokenet_gym.pretrained import write_weights
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.stroke import NUM_ANCHORS, action_size

from .run import Run
from .scoring import evaluate, write_scores
from .task import AgentRunArgs, check_positive

__all__ = ["Args", "Encoder", "first_stroke", "learn", "make_envs"]


@dataclasses.dataclass(kw_only=True)
class Args(AgentRunArgs):
    """What can be set for every algorithm."""

    env: str = "Painting-v0"
    """Painting-v0, NeuralPainting-v0 or DifferentiablePainting-v0."""
    num_envs: int = 128
    """Environments that paint at once."""
    input_size: int = 16
    """Width and height at which the policy sees canvas and target."""
    noise: float = 0.1
    """Standard deviation of the actions at the start, in the policy's coordinates."""
    lr: float = 5e-4
    """Learning rate at the start; falls to zero linearly."""


class Encoder(BaseFeaturesExtractor):
    """The small pictures as one row of numbers, and the strokes left.

    Nothing learned: critics on convolutions learn more slowly what an action does to a picture.
    """

    def __init__(self, space: spaces.Dict) -> None:
        pixels = sum(math.prod(space[key].shape or ()) for key in ("target", "canvas"))
        super().__init__(space, features_dim=pixels + 1)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        pictures = [4 * observation[key].flatten(1) for key in ("target", "canvas")]  # mostly dark
        return torch.cat([*pictures, observation["strokes_left"]], 1)


class PolicyView(VecEnvWrapper):
    """The environment as policies see it: small pictures, and changes to one first stroke.

    Pictures shrink once, where they come from, so that rollouts and replay buffers are small and
    quickly read. A policy's numbers, all zero, mean the stroke that an untrained StrokeNet agent
    draws. Position and pressure change by orthonormal cosine transforms along the 16 anchors, the
    k-th coefficient in units of 4 / (1 + k): independent noise on anchors makes a scribble, but on
    these coefficients it moves, turns and bends the stroke. What makes ink (brush and pressure)
    comes in units of INK: less ink is the first thing that any policy learns, and one that draws
    none learns nothing more.

    Attributes:
        seconds: that the environment has taken of a training.
    """

    INK = 0.5
    seconds = 0.0

    def __init__(self, venv: VecEnv, input_size: int) -> None:
        self.input_size = input_size
        self.channels = math.prod(venv.action_space.shape or ()) - action_size(0)
        picture = spaces.Box(0, 255, (self.channels, input_size, input_size), np.uint8)
        seen = {**dict(venv.observation_space), "canvas": picture, "target": picture}  # type: ignore[call-overload]
        super().__init__(venv, spaces.Dict(seen))
        self.first = first_stroke(self.channels).numpy()
        units = 4 / (1 + np.arange(NUM_ANCHORS))
        self.series = units[:, None] * dct(np.eye(NUM_ANCHORS), norm="ortho", axis=0)

    def look(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """An observation of the environment, single or batched, with small pictures."""
        small, size = dict(observation), (self.input_size, self.input_size)
        for key in ("canvas", "target"):
            pictures = observation[key].reshape(-1, *observation[key].shape[-2:])
            reduced = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures]
            small[key] = np.reshape(reduced, (*observation[key].shape[:-2], *size))
        return small

    def action_of(self, numbers: np.ndarray) -> np.ndarray:
        """The actions that a policy's numbers ``[B, A]`` mean."""
        brush, series = np.split(numbers, [self.channels + 1], 1)
        anchors = np.einsum("ka,bkd->bad", self.series, series.reshape(-1, NUM_ANCHORS, 3))
        anchors[..., 2] *= self.INK
        change = np.concatenate([self.INK * brush, anchors.reshape(len(numbers), -1)], 1)
        return (self.first + change).clip(-1, 1).astype(np.float32)

    def reset(self) -> Any:
        return self.look(self._timed(self.venv.reset))

    def step_async(self, actions: np.ndarray) -> None:
        self.venv.step_async(self.action_of(actions))

    def step_wait(self) -> Any:
        observation, reward, done, infos = self._timed(self.venv.step_wait)
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = self.look(info["terminal_observation"])
        return self.look(observation), reward, done, infos

    def _timed(self, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds += time.perf_counter() - start
        return result


def first_stroke(channels: int) -> Tensor:
    """The action that an untrained StrokeNet agent starts with, ``[A]``: one visible curve."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        agent = StrokeNetAgent(channels)
    blank = torch.zeros(1, channels, 64, 64)
    seen = {"target": blank, "canvas": blank, "strokes_left": torch.ones(1, 1)}
    with torch.no_grad():
        return agent(seen)[0]


def make_envs(args: Args) -> PolicyView:
    """The batched environment, timed and as policies see it."""
    check_positive(args, "num_envs", "input_size", "noise", "lr")
    find_device(args.device, args.program)  # stable-baselines3 takes another one in silence
    options = args.arguments()
    if args.env == "NeuralPainting-v0":
        options["device"] = args.device
    return PolicyView(SB3VecEnv(args.env, args.num_envs, **options), args.input_size)


def learn(
    model: BaseAlgorithm, args: Args, strokes: int, *optimizers: torch.optim.Optimizer
) -> None:
    """Train until the time is up, with checkpoints and a learning curve, and score the result.

    Args:
        model: the algorithm, on what :func:`make_envs` returns.
        args: the script's.
        strokes: painted in a turn, which ends with an update.
        optimizers: all there are.
    """
    run = Run(args, model.policy, *optimizers)
    model.set_logger(Logger(None, []))
    model.num_timesteps = run.step * strokes
    envs: Any = model.env
    envs.seed(int(run.rng.integers(2**31)))  # a resumed run must not see the first targets again
    begun = run.seconds

    def policy(observation: dict[str, np.ndarray]) -> np.ndarray:
        """The model's mean actions."""
        return envs.action_of(model.predict(envs.look(observation), deterministic=True)[0])

    for progress in run:
        if run.every(args.evaluate_every):
            evaluate(run, args, policy, model.num_timesteps)
        model.lr_schedule = lambda _, share=1 - progress: args.lr * share  # type: ignore[misc]
        model.learn(strokes, reset_num_timesteps=False, log_interval=None)  # type: ignore[arg-type]
        returns = [episode["r"] for episode in model.ep_info_buffer or []]
        if returns:
            run.log(episode_return=float(np.mean(returns)), strokes=model.num_timesteps)
    # First, since scoring takes its time. Clones, since PPO's actor and critic share the encoder.
    weights = {k: v.clone().contiguous() for k, v in model.policy.state_dict().items()}
    write_weights(run.folder / "policy.safetensors", weights)
    residual = evaluate(run, args, policy, model.num_timesteps)
    print(f"Residual {residual:.3f} after {model.num_timesteps:,} strokes")
    extra = {}
    if run.seconds > begun:
        share = envs.seconds / (run.seconds - begun)
        print(f"The environment took {share:.1%} of the time, learning and acting the rest")
        extra["environment_share"] = share
    write_scores(run, args, policy, **extra)
    print(f"Wrote scores.json and policy.safetensors to {run.folder}")
