"""Train stable-baselines3's SAC on the painting environment.

    python baselines/train_sac.py --targets mnist --data-dir DIR --minutes 15

The replay buffer is not kept in checkpoints: a resumed run fills it again before it goes on.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import rl
import torch
import tyro
from stable_baselines3 import SAC
from torch import nn


@dataclasses.dataclass
class Args(rl.Args):
    """Train SAC on the painting environment."""

    batch: int = 256
    """Strokes in a gradient step."""
    updates: int = 4
    """Gradient steps for each turn of all environments."""
    buffer: int = 20_000
    """Strokes to learn from."""
    begin: int = 2_000
    """Random strokes before the first update."""
    noise: float = 0.2
    """Standard deviation of the actions at the start."""
    temperature: float = 0.01
    """Weight of the entropy at the start."""


def main(args: Args) -> None:
    if args.out is None:
        args.out = Path("runs") / f"sac-{Path(args.targets).name}-{args.seed}"
    envs = rl.make_envs(args)
    model = SAC(
        "MultiInputPolicy",
        envs,
        learning_rate=args.lr,
        buffer_size=args.buffer,
        learning_starts=args.begin,
        batch_size=args.batch,
        gamma=0.99,
        train_freq=1,
        gradient_steps=args.updates,
        ent_coef=f"auto_{args.temperature}",
        seed=args.seed,
        device=args.device,
        policy_kwargs={
            "features_extractor_class": rl.Encoder,
            "features_extractor_kwargs": {"input_size": args.input_size, "width": args.width},
            "net_arch": [128],
        },
    )
    actor = model.policy.actor
    with torch.no_grad():
        for head in (actor.mu, actor.log_std):
            head.weight.mul_(0.01)
        # The policy's mean goes through tanh.
        actor.mu.bias.copy_(rl.first_stroke(rl.channels_of(envs)).clamp(-0.99, 0.99).atanh())
        actor.log_std.bias.fill_(math.log(args.noise))
    weights = nn.Module()  # with the temperature, which is no part of the policy
    weights.policy = model.policy
    weights.log_temperature = nn.Parameter(model.log_ent_coef.detach().clone())
    model.log_ent_coef = weights.log_temperature
    model.ent_coef_optimizer = torch.optim.Adam([weights.log_temperature], args.lr)
    optimizers = actor.optimizer, model.policy.critic.optimizer, model.ent_coef_optimizer
    rl.learn(model, args, args.num_envs, weights, *optimizers)


if __name__ == "__main__":
    main(tyro.cli(Args))
