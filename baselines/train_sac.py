"""Train stable-baselines3's SAC on the painting environment.

    python baselines/train_sac.py --targets mnist --data-dir DIR --minutes 15

The replay buffer is not kept in checkpoints: a resumed run fills it again with its own strokes.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import rl
import torch
import tyro
from stable_baselines3 import SAC


@dataclasses.dataclass
class Args(rl.Args):
    """Train SAC on the painting environment."""

    batch: int = 256
    """Strokes in a gradient step."""
    updates: int = 4
    """Gradient steps for each turn of all environments."""
    buffer: int = 100_000
    """Strokes to learn from."""
    temperature: float = 1e-3
    """Weight of the entropy."""


def main(args: Args) -> None:
    if args.out is None:
        args.out = Path("runs") / f"sac-{Path(args.targets).name}-{args.seed}"
    envs = rl.make_envs(args)
    model = SAC(
        "MultiInputPolicy",
        envs,
        learning_rate=args.lr,
        buffer_size=args.buffer,
        learning_starts=0,  # the first strokes are the policy's own: random ones are far from them
        batch_size=args.batch,
        gamma=1.0,  # the return is what counts, and episodes are short
        tau=0.02,
        train_freq=1,
        gradient_steps=args.updates,
        ent_coef=args.temperature,
        seed=args.seed,
        device=args.device,
        policy_kwargs={
            "features_extractor_class": rl.Encoder,
            "features_extractor_kwargs": {"width": args.width},
            "net_arch": {"pi": [256], "qf": [512, 512]},
        },
    )
    actor = model.policy.actor
    with torch.no_grad():
        for head in (actor.mu, actor.log_std):
            head.weight.mul_(0.1)
        # The policy's mean goes through tanh.
        actor.mu.bias.copy_(rl.first_numbers(envs).clamp(-0.99, 0.99).atanh())
        actor.log_std.bias.fill_(math.log(args.noise))
    rl.learn(model, args, args.num_envs, actor.optimizer, model.policy.critic.optimizer)


if __name__ == "__main__":
    main(tyro.cli(Args))
