"""Train stable-baselines3's SAC on the painting environment.

    python -m baselines.train_sac --targets mnist --data-dir DIR --minutes 15

The replay buffer is not kept in checkpoints: a resumed run fills it again with its own strokes.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from stable_baselines3 import SAC

from strokenet_gym.command import run_command

from .harness import rl


@dataclasses.dataclass(kw_only=True)
class Args(rl.Args):
    """Train SAC on the painting environment."""

    lr: float = 1e-3
    """Learning rate of the critic at the start; falls to zero linearly."""
    actor_pace: float = 0.1
    """The actor's learning rate as a share of the critic's: one that runs ahead of it ends where it
    is wrong."""
    warmup: int = 10_000
    """Strokes at the start from which only the critic learns."""
    batch: int = 256
    """Strokes in a gradient step."""
    gradient_steps: int = 8
    """Gradient steps for each turn of all environments."""
    buffer: int = 100_000
    """Strokes to learn from."""
    temperature: float = 1e-5
    """Weight of the entropy."""
    num_envs: int = 256
    """Environments that paint at once."""
    gamma: float = 0.5
    """Discount of what later strokes earn."""


class PacedSAC(SAC):
    """SAC whose actor begins later than its critic and learns more slowly."""

    pace: float
    warmup: int

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        super()._update_learning_rate(optimizers)
        for group in self.actor.optimizer.param_groups:
            group["lr"] *= self.pace if self.num_timesteps > self.warmup else 0.0


def main(args: Args) -> None:
    args.begin("sac", "batch", "gradient_steps", "buffer", "temperature")
    args.check_shares("gamma")
    envs = rl.make_envs(args)
    model = PacedSAC(
        "MultiInputPolicy",
        envs,
        learning_rate=args.lr,
        buffer_size=args.buffer,
        learning_starts=0,  # the first strokes are the policy's own: random ones are far from them
        batch_size=args.batch,
        gamma=args.gamma,
        tau=0.02,
        train_freq=1,
        gradient_steps=args.gradient_steps,
        ent_coef=args.temperature,
        seed=args.seed,
        device=args.device,
        policy_kwargs={
            "net_arch": {"pi": [256, 256], "qf": [512, 512]},
            # A second one takes as long again, and there is little to overestimate: rewards are
            # sure, and episodes are short.
            "n_critics": 1,
        },
    )
    model.pace, model.warmup = args.actor_pace, args.warmup
    actor: Any = model.policy.actor
    with torch.no_grad():
        for head in (actor.mu, actor.log_std):
            head.weight.mul_(0.1)
        actor.mu.bias.zero_()
        actor.log_std.bias.fill_(math.log(args.noise))
    rl.learn(model, args, args.num_envs, actor.optimizer, model.policy.critic.optimizer)


if __name__ == "__main__":
    run_command(main)
