"""Strokes fitted to targets by gradient descent through a program, and painted by another."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from harness.rl import first_stroke
from harness.task import Task
from strokenet_gym.agents import neighbour_penalty
from strokenet_gym.stroke import action_size

__all__ = ["fit", "paint", "refine"]

_STEP = 0.01  # of an action's numbers, at first,
_CHANGED = 0.25  # of which so many change each time


def fit(
    task: Task, targets: list[np.ndarray], env_id: str, steps: int = 400, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the strokes of each target, all of a picture at once.

    Adam, from the stroke that an untrained agent starts with.

    Args:
        task: what is painted, and on what.
        targets: N pictures.
        env_id: name of an environment with gradients.
        steps: of Adam.
        options: more arguments of it.

    Returns:
        The actions, float32 ``[N, strokes, A]``, and the residuals there, ``[N]``.
    """
    envs = _environments(task, targets, env_id, **options)
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
            _, reward, *_, info = envs.step(actions[:, k])
            far = neighbour_penalty(actions[:, k]).sum()
            loss = loss - reward.sum() + 0.3 * 0.01 ** (step / steps) * far
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            actions.clamp_(-1, 1)
    return actions.detach().numpy(), np.asarray(info["residual"])


def paint(
    task: Task,
    targets: list[np.ndarray],
    actions: np.ndarray,
    env_id: str = "Painting-v0",
    **options: Any,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Paint given strokes, on the real program unless another is named.

    Args:
        task: its brush paints.
        targets: N pictures.
        actions: ``[N, strokes, A]``.
        env_id: name of an environment.
        options: more arguments of it.

    Returns:
        The residuals, ``[N]``, and the last observation of the batch.
    """
    return _play(_environments(task, targets, env_id, **options), targets, actions)


def refine(
    task: Task, targets: list[np.ndarray], actions: np.ndarray, tries: int, seed: int = 0
) -> np.ndarray:
    """Change strokes a little, at random, and keep what is better on the real program.

    That needs no gradient: an evolution strategy of one parent and one child (Rechenberg 1973),
    whose steps shrink to a tenth.

    Args:
        task: its brush paints.
        targets: N pictures.
        actions: ``[N, strokes, A]``.
        tries: changes of each picture's strokes.
        seed: of the changes.

    Returns:
        The actions, float32 ``[N, strokes, A]``.
    """
    envs = _environments(task, targets, "Painting-v0")
    rng, best = np.random.default_rng(seed), actions
    least, _ = _play(envs, targets, best)
    for k in range(tries):
        step = _STEP * (1 - 0.9 * k / tries) * rng.standard_normal(best.shape)
        some = rng.random(best.shape) < _CHANGED
        tried = (best + some * step).clip(-1, 1).astype(np.float32)
        residual, _ = _play(envs, targets, tried)
        better = residual < least
        best = np.where(better[:, None, None], tried, best)
        least = np.minimum(residual, least)
    return best


def _environments(
    task: Task, targets: list[np.ndarray], env_id: str, **options: Any
) -> gym.vector.VectorEnv:
    """One for each target; the reward is the residual's, since that is what is compared."""
    return task.make_vec(
        env_id, len(targets), autoreset_mode=AutoresetMode.DISABLED, reward="l2", **options
    )


def _play(
    envs: gym.vector.VectorEnv, targets: list[np.ndarray], actions: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    envs.reset(options={"target": targets})
    for k in range(actions.shape[1]):
        seen, *_, info = envs.step(actions[:, k])
    return np.asarray(info["residual"]), seen
