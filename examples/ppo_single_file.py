"""PPO in one file, in CleanRL's manner, on the natively batched environment.

    python examples/ppo_single_file.py --total-strokes 200000

After Schulman et al., *Proximal Policy Optimization Algorithms* (2017), with generalised advantage
estimation. Nothing in here is the package's but the environments.
"""

from strokenet_gym.command import require_all, run_command

require_all("torch", "tensorboard")

import dataclasses
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn
from torch.distributions import Normal
from torch.utils.tensorboard import SummaryWriter

import strokenet_gym  # noqa: F401


@dataclasses.dataclass
class Args:
    """Train PPO on glyphs."""

    total_strokes: int = 200_000
    """Strokes to paint in all."""
    num_envs: int = 64
    """Canvases that are painted side by side."""
    num_steps: int = 16
    """Strokes of each between two updates."""
    canvas_size: int = 40
    """Width and height in pixels."""
    max_strokes: int = 1
    """Strokes of an episode."""
    lr: float = 1e-3
    """Learning rate; falls to zero on a line."""
    epochs: int = 4
    """Passes over a rollout."""
    minibatches: int = 4
    """Parts of a rollout, each a gradient step."""
    gae_lambda: float = 0.95
    """Of the advantages. Returns are not discounted: an episode is a picture."""
    clip: float = 0.2
    """How far the policy may move in an update."""
    seed: int = 0
    """Of all random numbers."""
    out: Path = Path("runs/ppo-single-file")
    """Folder of the TensorBoard log."""


class Agent(nn.Module):
    """A normal distribution of strokes, and a value."""

    def __init__(self, channels: int, action_size: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(2 * channels, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(),
            nn.AdaptiveAvgPool2d(5), nn.Flatten(), nn.Linear(32 * 25, 256), nn.ReLU(),
        )  # fmt: skip
        self.mean, self.value = nn.Linear(257, action_size), nn.Linear(257, 1)
        nn.init.orthogonal_(self.mean.weight, 0.01)
        self.log_std = nn.Parameter(torch.full((action_size,), -1.0))

    def forward(self, seen: dict[str, torch.Tensor]) -> tuple[Normal, torch.Tensor]:
        """The distribution ``[B, A]`` and the values ``[B]``."""
        pictures = torch.cat([seen["canvas"], seen["target"]], 1) / 255
        features = torch.cat([self.look(pictures), seen["strokes_left"]], 1)
        return Normal(self.mean(features), self.log_std.exp()), self.value(features)[:, 0]


def to_torch(seen: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(part) for name, part in seen.items()}


def main(args: Args) -> None:
    torch.manual_seed(args.seed)
    envs = gym.make_vec(
        "Painting-v0", args.num_envs, canvas_size=args.canvas_size, max_strokes=args.max_strokes,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )  # fmt: skip
    channels = envs.single_observation_space["canvas"].shape[0]
    agent = Agent(channels, envs.single_action_space.shape[0])
    optimizer = torch.optim.Adam(agent.parameters(), lr=args.lr, eps=1e-5)
    writer, start = SummaryWriter(args.out), time.monotonic()
    seen = to_torch(envs.reset(seed=args.seed)[0])
    updates = args.total_strokes // (args.num_envs * args.num_steps)
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = args.lr * (1 - update / updates)
        observations, actions, log_probs, values, rewards, dones = [], [], [], [], [], []
        for _ in range(args.num_steps):
            with torch.no_grad():
                policy, value = agent(seen)
                action = policy.sample()
            observations.append(seen)
            actions.append(action)
            log_probs.append(policy.log_prob(action).sum(1))
            values.append(value)
            step, reward, terminated, truncated, _ = envs.step(action.clamp(-1, 1).numpy())
            rewards.append(torch.as_tensor(reward, dtype=torch.float32))
            dones.append(torch.as_tensor(terminated | truncated))
            seen = to_torch(step)
        with torch.no_grad():
            following, last = agent(seen)[1], torch.zeros(args.num_envs)
        advantages = []
        for k in reversed(range(args.num_steps)):
            going_on = (~dones[k]).float()
            delta = rewards[k] + going_on * following - values[k]
            last = delta + args.gae_lambda * going_on * last
            advantages.insert(0, last)
            following = values[k]
        batch = {name: torch.cat([o[name] for o in observations]) for name in seen}
        action, log_prob, value, advantage = map(
            torch.cat, (actions, log_probs, values, advantages)
        )
        returns = advantage + value
        for _ in range(args.epochs):
            for part in torch.randperm(len(action)).chunk(args.minibatches):
                policy, found = agent({name: values[part] for name, values in batch.items()})
                ratio = (policy.log_prob(action[part]).sum(1) - log_prob[part]).exp()
                gain = advantage[part]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(1 - args.clip, 1 + args.clip)
                loss = -torch.min(gain * ratio, gain * clipped).mean()
                loss = loss + 0.5 * (found - returns[part]).pow(2).mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
        strokes = (update + 1) * args.num_envs * args.num_steps
        residual = 1 - float(torch.stack(rewards).mean()) * args.max_strokes
        writer.add_scalar("residual", residual, strokes)
        if update % 20 == 19 or update == updates - 1:
            rate = strokes / (time.monotonic() - start)
            print(f"{strokes} strokes: residual {residual:.3f} ({rate:.0f} strokes/s)", flush=True)
    writer.close()
    envs.close()


if __name__ == "__main__":
    run_command(main)
