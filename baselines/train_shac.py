r"""Train a policy by the gradient of the return: analytic policy gradients (APG), or SHAC.

APG descends the gradient through whole episodes. SHAC (Xu et al., *Accelerated Policy Learning with
Parallel Differentiable Simulation*, ICLR 2022) cuts episodes into windows of h strokes, and a
critic says what is to be had after a window. Here an episode always begins and ends with a window,
and gamma is 1: the return is what counts, and episodes are short.

    python -m baselines.train_shac --max-strokes 4                 # APG
    python -m baselines.train_shac --max-strokes 16 --targets characters --horizon 4
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from strokenet_gym.agents import ARCHITECTURES, load_agent
from strokenet_gym.command import run_command
from strokenet_gym.programs.learned import twin_of

from .harness.run import Run
from .harness.scoring import evaluate, write_scores
from .harness.task import AgentRunArgs

Observation = dict[str, Tensor]


@dataclasses.dataclass(kw_only=True)
class Args(AgentRunArgs):
    """Train a policy by the gradient of the return: APG, or SHAC if there is a horizon."""

    horizon: int | None = None
    """Strokes h of a window, which an update follows (equation 5), or the next smaller number that
    divides an episode; by default, or if that is more, all of a picture's, without a critic:
    APG."""
    lam: float = 0.95
    """Lambda of the values that the critic learns: 0 trusts the critic after one stroke, 1 the
    rewards of the window (equation 8)."""
    critic_steps: int = 2
    """Gradient steps of the critic after each window (equation 7)."""
    critic_lr: float = 2e-3
    """Its learning rate at the start."""
    target_rate: float = 0.2
    """Share of the critic that goes into the slow copy of it after each window: 1 - alpha of the
    paper. Policy and values (equations 5 and 8) ask the copy."""
    generator: str | None = None
    """Network to train through, a name or a path, or exact; by default exact if the program has a
    gradient, else the shipped network that imitates the brush."""
    agent: str = "tracing"
    """Architecture of the policy: tracing, strokenet, or one of your own."""
    input_size: int = 64
    """Width and height in pixels at which the policy sees canvas and target."""
    glimpse: int = 16
    """Pixels of a glimpse of the tracing agent."""
    batch: int = 32
    """Pictures that are painted at once."""
    lr: float = 1e-3
    """Learning rate at the start; falls to zero on a cosine."""


class Critic(nn.Module):
    """What is to be had from a state on: of small pictures, by two dense layers.

    The return after a state is what the canvas is off the target now less what it will be off, so
    the network sees how far it is off, too.
    """

    SIZE = 16

    def __init__(self, channels: int) -> None:
        super().__init__()
        pixels = 3 * channels * self.SIZE**2
        self.net = nn.Sequential(
            nn.Linear(pixels + 1, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 1)
        )
        # At first it says nothing, and has no gradient that leads the policy astray.
        for weights in self.net[-1].parameters():
            nn.init.zeros_(weights)

    def forward(self, observation: Observation) -> Tensor:
        """Values ``[B]``."""
        target, canvas = observation["target"], observation["canvas"]
        seen = F.adaptive_avg_pool2d(
            torch.cat([target, canvas, (target - canvas).square()], 1), self.SIZE
        )
        left = observation["strokes_left"]
        return self.net(torch.cat([4 * seen.flatten(1), left], 1))[:, 0] * left[:, 0]


def td_lambda_values(rewards: list[Tensor], after: list[Tensor], lam: float) -> list[Tensor]:
    """TD(lambda) values of a window's states (equation 8), computed from its end.

    Args:
        rewards: of each stroke, ``[B]``.
        after: the slow critic's value after each stroke; 0 where the episode ended.
        lam: lambda.
    """
    values: list[Tensor] = []
    value = after[-1]
    for reward, then in zip(reversed(rewards), reversed(after), strict=True):
        value = reward + (1 - lam) * then + lam * value
        values.insert(0, value)
    return values


def detached(observation: Observation) -> Observation:
    return {key: value.detach() for key, value in observation.items()}


def main(args: Args) -> None:
    args.begin(
        "apg" if args.horizon is None else "shac",
        "horizon",
        "batch",
        "lr",
        "critic_lr",
        "critic_steps",
    )
    args.check_shares("lam", "target_rate")
    longest = min(args.max_strokes, args.horizon or args.max_strokes)
    window = next(h for h in range(longest, 0, -1) if args.max_strokes % h == 0)
    if args.agent not in ARCHITECTURES:
        raise ValueError(f"--agent must be of {', '.join(ARCHITECTURES)}, got {args.agent}")
    torch.manual_seed(args.seed)
    exact = args.program.gradient == "exact"
    generator = args.generator or ("exact" if exact else twin_of(args.program))
    envs = args.make_vec("NeuralPainting-v0", args.batch, generator=generator, device=args.device)
    sizes: dict[str, Any] = {"channels": args.num_channels, "max_strokes": args.max_strokes}
    sizes["input_size"] = args.input_size
    if args.agent == "tracing":
        sizes["glimpse"] = args.glimpse
    policy = ARCHITECTURES[args.agent](**sizes).to(envs.device)
    policy.task, policy.fast = args.settings(), True
    critic = Critic(args.num_channels).to(envs.device)
    slow = copy.deepcopy(critic).requires_grad_(False)
    optimizer = torch.optim.Adam(policy.parameters(), args.lr)
    critic_optimizer = torch.optim.Adam(critic.parameters(), args.critic_lr)
    networks = nn.ModuleDict({"policy": policy, "critic": critic, "slow": slow})
    run = Run(args, networks, optimizer, critic_optimizer)
    envs.reset(seed=int(run.rng.integers(2**31)))  # a resumed run must not see the first targets
    left = 0  # strokes of the episode
    observation: Observation = {}
    for progress in run:
        if run.every(args.evaluate_every):
            evaluate(run, args, policy.eval().act, run.step * args.batch * window)
            policy.train()
        fade = min(1, (run.step + 1) / 30) * (0.5 + 0.5 * np.cos(np.pi * progress))
        for own, rate in ((optimizer, args.lr), (critic_optimizer, args.critic_lr)):
            own.param_groups[0]["lr"] = rate * fade
        if left == 0:
            observation, _ = envs.reset(options={"as_tensor": True})
            left = args.max_strokes
        seen, rewards = [], []
        for _ in range(window):
            seen.append(observation)
            observation, reward, _, _, info = envs.step(policy(observation))
            rewards.append(reward)
        left -= window
        # Equation 5: the window's rewards, and what is to be had after it.
        total = sum(rewards[1:], rewards[0])
        loss = -(total + slow(observation) if left else total).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        envs.detach()
        observation = detached(observation)
        if window < args.max_strokes:
            update_critic(args, critic, slow, critic_optimizer, seen, observation, rewards)
        if left == 0 and run.step % 20 < args.max_strokes // window:
            run.log(residual=float(info["residual"].mean()))
    file = run.folder / "agent.safetensors"
    policy.save(file)  # first: evaluations take their time
    if args.evaluate_every > 0:
        evaluate(run, args, policy.eval().act, run.step * args.batch * window)
    through = None if generator == "exact" else generator
    write_scores(run, args, load_agent(file, envs.device).act, through)
    print(f"Wrote agent.safetensors and scores.json to {run.folder}")


def update_critic(
    args: Args,
    critic: Critic,
    slow: Critic,
    optimizer: torch.optim.Optimizer,
    seen: list[Observation],
    last: Observation,
    rewards: list[Tensor],
) -> None:
    """Have the critic learn a window's values (equation 7), and its copy follow."""
    states = [detached(observation) for observation in seen]
    with torch.no_grad():
        after = [slow(state) for state in [*states[1:], last]]  # 0 where no stroke is left
        values = torch.cat(td_lambda_values([r.detach() for r in rewards], after, args.lam))
    together = {key: torch.cat([state[key] for state in states]) for key in last}
    for _ in range(args.critic_steps):
        loss = F.mse_loss(critic(together), values)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        for own, learned in zip(slow.parameters(), critic.parameters(), strict=True):
            own.lerp_(learned, args.target_rate)


if __name__ == "__main__":
    run_command(main)
