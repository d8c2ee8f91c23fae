"""Strokes fitted to targets by gradient descent through a program."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from strokenet_gym.agents import StrokeNetAgent, neighbour_penalty
from strokenet_gym.stroke import action_size

from .task import Task

__all__ = ["fit"]


def fit(
    task: Task, targets: list[np.ndarray], env_id: str, steps: int = 400, **options: Any
) -> np.ndarray:
    """Fit the strokes of each target, all of a picture at once.

    Adam, from the stroke that an untrained agent starts with.

    Args:
        task: what is painted, and on what.
        targets: N pictures.
        env_id: name of an environment with gradients.
        steps: of Adam.
        options: more arguments of it.

    Returns:
        The actions, float32 ``[N, strokes, A]``.
    """
    # Whatever the task's reward: the residual is what is compared.
    options |= {"autoreset_mode": AutoresetMode.DISABLED, "reward": "l2"}
    envs = task.make_vec(env_id, len(targets), **options)
    (size,) = envs.single_action_space.shape
    generator = torch.Generator().manual_seed(0)
    start = first_stroke(size - action_size(0)).expand(len(targets), task.max_strokes, -1)
    noise = 0.1 * torch.randn(start.shape, generator=generator)
    actions = (start + noise).clamp(-0.95, 0.95).requires_grad_()
    optimizer = torch.optim.Adam([actions], lr=0.03)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.03 * (1 - step / steps)
        envs.reset(options={"target": targets, "as_tensor": True})
        loss = torch.zeros(())
        for k in range(task.max_strokes):
            _, reward, *_ = envs.step(actions[:, k])
            far = neighbour_penalty(actions[:, k]).sum()
            loss = loss - reward.sum() + 0.3 * 0.01 ** (step / steps) * far
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            actions.clamp_(-1, 1)
    return actions.detach().numpy()


def first_stroke(channels: int) -> torch.Tensor:
    """The action that an untrained StrokeNet agent starts with, ``[A]``: one visible curve."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        agent = StrokeNetAgent(channels)
    blank = torch.zeros(1, channels, 64, 64)
    seen = {"target": blank, "canvas": blank, "strokes_left": torch.ones(1, 1)}
    with torch.no_grad():
        return agent(seen)[0]
