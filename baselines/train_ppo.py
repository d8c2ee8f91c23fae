"""Train stable-baselines3's PPO on the painting environment.

python -m baselines.train_ppo --targets mnist --data-dir DIR --minutes 15
"""

from __future__ import annotations

import dataclasses
import math

from stable_baselines3 import PPO

from strokenet_gym.command import run_command

from .harness import rl


@dataclasses.dataclass(kw_only=True)
class Args(rl.Args):
    """Train PPO on the painting environment."""

    rollout: int = 8
    """Strokes of each environment between two updates."""
    batch: int = 512
    """Strokes in a gradient step."""
    epochs: int = 8
    """Passes over a rollout."""
    clip: float = 0.2
    """How far the policy may move in an update."""
    gamma: float = 0.5
    """Discount of what later strokes earn."""
    lam: float = 0.95
    """Lambda of the advantages: 0 trusts the critic after one stroke, 1 the rewards."""


def main(args: Args) -> None:
    args.begin("ppo", "rollout", "batch", "epochs", "clip")
    args.check_shares("gamma", "lam")
    if min(args.num_envs * args.rollout, args.batch) < 2:
        raise ValueError(
            "an update needs two strokes or more: --num-envs times --rollout must be at least 2, "
            f"and --batch too, got {args.num_envs} * {args.rollout} and {args.batch}"
        )
    envs = rl.make_envs(args)
    model = PPO(
        "MultiInputPolicy",
        envs,
        learning_rate=args.lr,
        n_steps=args.rollout,
        batch_size=args.batch,
        n_epochs=args.epochs,
        clip_range=args.clip,
        gamma=args.gamma,
        gae_lambda=args.lam,
        max_grad_norm=2.0,
        seed=args.seed,
        device=args.device,
        policy_kwargs={
            "net_arch": {"pi": [256, 256], "vf": [256, 256]},
            "log_std_init": math.log(args.noise),
        },
    )
    rl.learn(model, args, args.rollout * args.num_envs, model.policy.optimizer)


if __name__ == "__main__":
    run_command(main)
