"""Train stable-baselines3's PPO on the painting environment.

python baselines/train_ppo.py --targets mnist --data-dir DIR --minutes 15
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import rl
import torch
import tyro
from stable_baselines3 import PPO


@dataclasses.dataclass
class Args(rl.Args):
    """Train PPO on the painting environment."""

    rollout: int = 16
    """Strokes of each environment between two updates."""
    batch: int = 256
    """Strokes in a gradient step."""
    epochs: int = 6
    """Passes over a rollout."""
    noise: float = 0.2
    """Standard deviation of the actions at the start."""
    clip: float = 0.2
    """How far the policy may move in an update."""


def main(args: Args) -> None:
    if args.out is None:
        args.out = Path("runs") / f"ppo-{Path(args.targets).name}-{args.seed}"
    envs = rl.make_envs(args)
    model = PPO(
        "MultiInputPolicy",
        envs,
        learning_rate=args.lr,
        n_steps=args.rollout,
        batch_size=args.batch,
        n_epochs=args.epochs,
        clip_range=args.clip,
        gamma=1.0,  # the return is what counts, and episodes are short
        gae_lambda=0.95,
        seed=args.seed,
        device=args.device,
        policy_kwargs={
            "features_extractor_class": rl.Encoder,
            "features_extractor_kwargs": {"input_size": args.input_size, "width": args.width},
            "net_arch": [128],
            "log_std_init": math.log(args.noise),
            "ortho_init": False,  # does not know the encoder's memory format
        },
    )
    with torch.no_grad():
        model.policy.action_net.weight.mul_(0.01)
        model.policy.action_net.bias.copy_(rl.first_stroke(rl.channels_of(envs)))
    rl.learn(model, args, args.rollout * args.num_envs, model.policy, model.policy.optimizer)


if __name__ == "__main__":
    main(tyro.cli(Args))
