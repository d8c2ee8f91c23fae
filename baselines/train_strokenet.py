r"""Train an agent by back-propagation through the environment.

reset → agent → step → backward through the reward: no value function, no sampling. The loss is
the negative return plus a penalty on the distance of neighbouring anchors, which falls to a
tenth over the run. With many strokes a picture, gradients may end after a few of them.

    python -m baselines.train_strokenet                        # glyphs, offline
    python -m baselines.train_strokenet --generator exact      # the real program's own gradient
    python -m baselines.train_strokenet --targets mnist --data-dir DIR
    python -m baselines.train_strokenet --brush marker --background 1 --targets FOLDER --channels 3
    python -m baselines.train_strokenet --targets kanjivg --data-dir DIR --generator exact \
        --agent tracing --max-strokes 16 --penalty 0.3 --lr 1e-3
"""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import torch

from strokenet_gym.agents import ARCHITECTURES, load_agent, neighbour_penalty
from strokenet_gym.command import run_command
from strokenet_gym.programs.learned import twin_of
from strokenet_gym.targets import Targets

from .harness.run import Run
from .harness.scoring import evaluate, write_scores
from .harness.task import AgentRunArgs


@dataclasses.dataclass(kw_only=True)
class Args(AgentRunArgs):
    """Train an agent by back-propagation through the environment."""

    minutes: float = 25.0
    """Time budget."""
    horizon: int | None = None
    """Strokes that a gradient goes back through, which an update follows (truncated
    back-propagation); by default all of a picture's."""
    agent: str = "strokenet"
    """strokenet, the paper's agent; tracing, the one that traces lines, for drawings of several
    thin strokes; or the architecture of one of your own."""
    start: str | None = None
    """Agent to start from: the name of a shipped one, or a path; perhaps one of fewer strokes."""
    generator: str | None = None
    """Generator to train through: a name, a path of weights, or exact (the real program); by
    default the shipped network that imitates the brush, or exact if there is none."""
    batch: int | None = None
    """Pictures per update; by default 32 of one stroke, 16 of more."""
    lr: float = 2e-3
    """Learning rate at the start; falls to zero on a cosine."""
    penalty: float = 1.0
    """Weight of the squared distance of neighbouring anchors at the start."""
    jitter: float = 0.0
    """How much targets are turned, slanted, stretched and shifted at random, so that an agent does
    not learn a small data set by heart; 1: by up to 0.1 each (radians, shares of the size)."""
    width: int | None = None
    """Channels of the agent's first convolution; by default the agent's own."""


class Jittered:
    """Images ``[H, W]`` or ``[H, W, 3]``, turned, slanted, stretched and shifted at random."""

    def __init__(self, targets: Targets, amount: float) -> None:
        self.targets, self.amount = targets, amount

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        image = self.targets.sample(rng)
        size = image.shape[1::-1]
        angle, slant, *rest = self.amount * rng.uniform(-0.1, 0.1, 6)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn @ np.array([[1, slant], [0, 1]]) @ np.diag(np.exp(rest[:2]))
        centre = (np.array(size) - 1) / 2
        offset = centre + np.array(rest[2:]) * size / 2 - matrix @ centre
        edge = cv2.BORDER_REPLICATE  # paper is white in some sets and black in others
        matrix = np.column_stack([matrix, offset])
        return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=edge))


def main(args: Args) -> None:
    args.begin("strokenet", "horizon", "batch", "lr", "width")
    horizon = args.max_strokes if args.horizon is None else args.horizon
    if args.max_strokes % horizon:
        raise ValueError(
            f"--horizon must divide --max-strokes, {args.max_strokes}, got {args.horizon}"
        )
    if not 0 <= args.jitter <= 5:
        raise ValueError(f"--jitter must be in 0 … 5, got {args.jitter}")
    batch = args.batch or (32 if args.max_strokes == 1 else 16)
    if args.agent not in ARCHITECTURES:
        raise ValueError(f"--agent must be of {', '.join(ARCHITECTURES)}, got {args.agent}")
    if args.generator is None:
        args.generator = twin_of(args.program) or "exact"
    torch.manual_seed(args.seed)
    envs = args.make_vec(
        "NeuralPainting-v0",
        batch,
        targets=Jittered(args.source, args.jitter) if args.jitter else args.source,
        generator=args.generator,
        device=args.device,
    )
    sizes: dict[str, Any] = {"channels": args.num_channels, "max_strokes": args.max_strokes}
    if args.width is not None:
        sizes["width"] = args.width
    agent = ARCHITECTURES[args.agent](**sizes)
    agent.task = args.settings()
    if args.start is not None:
        before: Any = load_agent(args.start)
        if before.architecture != agent.architecture or before.sizes | sizes != agent.sizes:
            raise ValueError(
                f"--start {args.start} is a {before.architecture} of the sizes {before.sizes}, "
                f"to be trained is a {agent.architecture} of {agent.sizes}"
            )
        agent.load_state_dict(before.state_dict())
    agent.to(envs.device)
    agent.fast = True
    optimizer = torch.optim.Adam(agent.parameters(), args.lr)
    run = Run(args, agent, optimizer)
    # A resumed run must not see the first targets again.
    envs.reset(seed=int(run.rng.integers(2**31)))
    painted = args.max_strokes  # of the pictures at hand
    for progress in run:
        if run.every(args.evaluate_every):
            evaluate(run, args, agent.eval().act, run.step * batch * horizon)
            agent.train()
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min(1, run.step / 100) * (0.5 + 0.5 * np.cos(np.pi * progress))
        if painted == args.max_strokes:
            observation, _ = envs.reset(options={"as_tensor": True})
            painted = 0
        total = far = torch.zeros(batch, device=envs.device)
        for _ in range(horizon):
            action = agent(observation)
            observation, reward, _, _, info = envs.step(action)
            total, far = total + reward, far + neighbour_penalty(action)
        painted += horizon
        loss = (args.penalty * 0.1**progress * far - total).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
        optimizer.step()
        envs.detach()
        observation = {key: value.detach() for key, value in observation.items()}
        if painted == args.max_strokes and run.step % 20 < args.max_strokes // horizon:
            run.log(residual=float(info["residual"].mean()), distance=far.mean().item())
        if painted == args.max_strokes and run.step % 500 < args.max_strokes // horizon:
            rows = torch.cat([observation["target"][:8], observation["canvas"][:8]])
            run.log_images("target above canvas", rows)
    file = run.folder / "agent.safetensors"
    agent.save(file)  # first: evaluations take their time
    if args.evaluate_every > 0:
        evaluate(run, args, agent.eval().act, run.step * batch * horizon)
    # As it is on disk: in half precision.
    generator = None if args.generator == "exact" else args.generator
    write_scores(run, args, load_agent(file, envs.device).act, generator)
    print(f"Wrote agent.safetensors and scores.json to {run.folder}")


if __name__ == "__main__":
    run_command(main)
