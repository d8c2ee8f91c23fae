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

import numpy as np
import torch
from gymnasium import spaces
from scipy.fft import dct
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from torch import Tensor

from strokenet_gym.agents import TracingAgent
from strokenet_gym.envs.tensors import find_device
from strokenet_gym.pretrained import write_weights
from strokenet_gym.sb3 import SB3VecEnv
from strokenet_gym.stroke import NUM_ANCHORS, action_size

from .run import Run
from .scoring import evaluate, write_scores
from .task import AgentRunArgs, check_positive

__all__ = ["Args", "learn", "make_envs"]


@dataclasses.dataclass(kw_only=True)
class Args(AgentRunArgs):
    """What can be set for every algorithm."""

    env: str = "Painting-v0"
    """Painting-v0, NeuralPainting-v0 or DifferentiablePainting-v0."""
    num_envs: int = 128
    """Environments that paint at once."""
    input_size: int = 64
    """Width and height at which the policy looks for a place to draw."""
    glimpse: int = 8
    """Width and height of what it sees of it, at each of several scales; a multiple of 8."""
    noise: float = 0.05
    """Standard deviation of the actions at the start, in the policy's coordinates."""
    lr: float = 5e-4
    """Learning rate at the start; falls to zero linearly."""


Place = tuple[Tensor, Tensor]  # x and y [B, 2], and the target's colour there [B, C]


class PolicyView(VecEnvWrapper):
    """The environment as policies see it: through the eyes and the hand of a tracing agent.

    So model-free methods begin with what the agents that learn by gradients begin with. They see
    its glimpses of the place where most is missing, and their numbers, all zero, mean the dab that
    it draws there untrained, in the target's colour. Numbers change what its heads say by
    orthonormal cosine transforms along the 16 anchors, the k-th coefficient in units of
    4 / (1 + k): independent noise on anchors makes a scribble, but on these coefficients it moves,
    turns and bends the stroke.

    Attributes:
        seconds: that the environment has taken of a training.
        place: where the next strokes begin.
    """

    UNIT = 0.25  # of positions, before the tanh of the agent
    seconds = 0.0

    def __init__(self, venv: VecEnv, input_size: int, glimpse: int) -> None:
        self.channels = math.prod(venv.action_space.shape or ()) - action_size(0)
        self.agent = TracingAgent(self.channels, input_size, glimpse)
        depth = 2 * self.channels * self.agent.scales
        seen = {
            "glimpses": spaces.Box(-8, 8, (depth, glimpse, glimpse), np.float32),
            "place": spaces.Box(-1, 1, (2,), np.float32),
            "strokes_left": spaces.Box(0, 1, (1,), np.float32),
        }
        super().__init__(venv, spaces.Dict(seen))  # type: ignore[arg-type]
        self.action_space = spaces.Box(-1, 1, (1 + 3 * NUM_ANCHORS,), np.float32)
        self.end = {key: np.zeros(space.shape, np.float32) for key, space in seen.items()}
        units = 4 / (1 + np.arange(NUM_ANCHORS))
        series = units[:, None] * dct(np.eye(NUM_ANCHORS), norm="ortho", axis=0)
        self.series = torch.from_numpy(series).float()

    @torch.no_grad()
    def look(self, observation: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Place]:
        """What is seen of the environment's observations; where strokes are to begin."""
        tensors = {key: torch.from_numpy(observation[key]) for key in ("target", "canvas")}
        pictures = {key: value.float() / 255 for key, value in tensors.items()}
        glimpses, place, colour = self.agent.glimpse(pictures)
        seen = {"glimpses": glimpses.numpy(), "place": place.numpy()}
        return seen | {"strokes_left": observation["strokes_left"]}, (place, colour)

    @torch.no_grad()
    def action_of(self, numbers: np.ndarray, place: Place) -> np.ndarray:
        """The actions that a policy's numbers ``[B, 49]`` mean there."""
        agent, given = self.agent, torch.from_numpy(numbers)
        change = torch.einsum("ka,bkd->bad", self.series, given[:, 1:].unflatten(1, (-1, 3)))
        position = agent.position.bias + self.UNIT * change[..., :2].flatten(1)
        pressure = agent.pressure.bias + change[..., 2]
        radius = agent.radius.bias + given[:, :1]
        return agent.draw(*place, position, pressure, radius).numpy()

    def reset(self) -> Any:
        seen, self.place = self.look(self._timed(self.venv.reset))
        return seen

    def step_async(self, actions: np.ndarray) -> None:
        self.venv.step_async(self.action_of(actions, self.place))

    def step_wait(self) -> Any:
        observation, reward, done, infos = self._timed(self.venv.step_wait)
        for info in infos:
            if "terminal_observation" in info:  # after which there is nothing, whatever is seen
                info["terminal_observation"] = self.end
        seen, self.place = self.look(observation)
        return seen, reward, done, infos

    def _timed(self, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds += time.perf_counter() - start
        return result


def make_envs(args: Args) -> PolicyView:
    """The batched environment, timed and as policies see it."""
    check_positive(args, "num_envs", "input_size", "glimpse", "noise", "lr")
    find_device(args.device, args.program)  # stable-baselines3 takes another one in silence
    options = args.arguments()
    if args.env == "NeuralPainting-v0":
        options["device"] = args.device
    return PolicyView(SB3VecEnv(args.env, args.num_envs, **options), args.input_size, args.glimpse)


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
        seen, place = envs.look(observation)
        return envs.action_of(model.predict(seen, deterministic=True)[0], place)

    for progress in run:
        if run.every(args.evaluate_every):
            evaluate(run, args, policy, model.num_timesteps)
        model.lr_schedule = lambda _, share=1 - progress: args.lr * share  # type: ignore[misc]
        model.learn(strokes, reset_num_timesteps=False, log_interval=None)  # type: ignore[arg-type]
        returns = [episode["r"] for episode in model.ep_info_buffer or []]
        if returns:
            run.log(episode_return=float(np.mean(returns)), strokes=model.num_timesteps)
    # First, since scoring takes its time.
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
