"""How policies are scored: on test targets, on the real program, beside the trivial answers.

:func:`score` is the one way, whatever the policy is; the keys of its result are explained there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from tqdm import tqdm

from strokenet_gym.files import replace_file, write_text
from strokenet_gym.programs.learned import twin_of
from strokenet_gym.stroke import action_size

from .classifier import DigitClassifier
from .measures import picture_grid, psnr, ssim
from .run import Run
from .task import AgentRunArgs, Task

__all__ = ["Policy", "evaluate", "random_policy", "rollout", "score", "write_scores"]

Policy = Callable[[dict[str, np.ndarray]], np.ndarray]
MATTERS = 0.005  # gain of a stroke that is worth painting: half a percent of the picture
SCORES, SAMPLES = "scores.json", "samples.npz"


def rollout(
    task: Task,
    policy: Policy | np.ndarray,
    targets: Sequence[np.ndarray],
    env_id: str = "Painting-v0",
    **options: Any,
) -> dict[str, np.ndarray]:
    """Paint each target once.

    Args:
        task: what is painted with, and on what.
        policy: from batched observations to actions; or these, ``[N, strokes, A]``.
        targets: the pictures.
        env_id: name of the environment.
        options: more arguments of it.

    Returns:
        ``l2_blank`` ``[N]`` before the first stroke; ``canvas`` and ``target`` uint8
        ``[N, C, H, W]``, ``l2`` and ``residual`` ``[N]`` at the end; ``actions``
        ``[N, strokes, A]``; and ``residuals`` ``[N, strokes + 1]`` before and after each stroke.
    """
    batch = min(100, len(targets))
    envs = task.make_vec(env_id, batch, autoreset_mode=AutoresetMode.DISABLED, **options)
    parts: dict[str, list[np.ndarray]] = {
        name: []
        for name in ("l2_blank", "canvas", "target", "l2", "residual", "actions", "residuals")
    }
    few = len(targets) <= 1000  # done at once
    for start in tqdm(range(0, len(targets), batch), desc=env_id, leave=False, disable=few):
        count = min(batch, len(targets) - start)
        chosen = start + np.minimum(np.arange(batch), count - 1)  # fills up the last batch
        observation, info = envs.reset(options={"target": [targets[k] for k in chosen]})
        actions: list[np.ndarray] = []
        residuals, l2_blank = [info["residual"]], info["l2"]
        done = np.zeros(batch, bool)
        while not done.all():
            actions.append(
                policy(observation) if callable(policy) else policy[chosen][:, len(actions)]
            )
            observation, _, done, _, info = envs.step(actions[-1])
            residuals.append(info["residual"])
        values = {**observation, **info, "l2_blank": l2_blank}
        values |= {"actions": np.stack(actions, 1), "residuals": np.stack(residuals, 1)}
        for name, part in parts.items():
            part.append(values[name][:count])
    envs.close()
    return {name: np.concatenate(part) for name, part in parts.items()}


def random_policy(seed: int = 0) -> Policy:
    """Uniformly random actions."""
    rng = np.random.default_rng(seed)

    def policy(observation: dict[str, np.ndarray]) -> np.ndarray:
        channels = observation["canvas"].shape[1]
        shape = (len(observation["canvas"]), action_size(channels))
        return rng.uniform(-1, 1, shape).astype(np.float32)

    return policy


def score(
    policy: Policy,
    task: Task,
    *,
    split: str = "test",
    limit: int | None = None,
    generator: str | None = None,
    alone: bool = False,
    figure: Path | None = None,
    samples: Path | None = None,
) -> dict[str, Any]:
    """Score a policy.

    Args:
        policy: from batched observations to actions.
        task: what it is for.
        split: see :meth:`Task.test_targets`.
        limit: the same.
        generator: network to paint with as well; by default the brush's, if it has one.
        alone: without a random agent, and without a network by default.
        figure: where to write a grid of the first 48: target above (neural above) real.
        samples: where to write the first 12 targets and real canvases as arrays (.npz).

    Returns:
        ``count`` of targets, ``max_strokes``, ``l2_blank``; for the real program (``exact``), the
        network (``neural``) and a random agent (``random``) the final mean squared error ``l2_…``
        and that over the blank canvas', ``residual_…``, both averaged over the targets;
        ``psnr_exact`` in dB, ``ssim_exact``; ``residual_by_stroke``; ``strokes_that_matter``: how
        many gain more than half a percent; and of MNIST ``accuracy_…``: of a classifier of real
        digits, on ``originals`` too.
    """
    targets, labels = task.test_targets(split, limit)
    if generator is None and not alone:
        generator = twin_of(task.program)
    runs = {"exact": rollout(task, policy, targets)}
    if generator is not None:
        runs["neural"] = rollout(task, policy, targets, "NeuralPainting-v0", generator=generator)
    if not alone:
        runs["random"] = rollout(task, random_policy(), targets)
    result: dict[str, Any] = {"count": len(targets), "max_strokes": task.max_strokes}
    result["l2_blank"] = float(runs["exact"]["l2_blank"].mean())
    for name, run in runs.items():
        result[f"l2_{name}"] = float(run["l2"].mean())
        result[f"residual_{name}"] = float(run["residual"].mean())
    exact = runs["exact"]
    result["psnr_exact"] = psnr(exact["l2"])
    result["ssim_exact"] = ssim(exact["canvas"], exact["target"])
    result["residual_by_stroke"] = exact["residuals"][:, 1:].mean(0).tolist()
    gains = -np.diff(exact["residuals"], axis=1)
    result["strokes_that_matter"] = float((gains > MATTERS).sum(1).mean())
    painted = {name: runs[name]["canvas"] for name in ("neural", "exact") if name in runs}
    if labels is not None and task.targets.startswith("mnist") and task.num_channels == 1:
        classifier = DigitClassifier.from_pretrained()
        for name, images in ({"originals": exact["target"]} | painted).items():
            right = classifier.classify(images) == labels.astype(int)
            result[f"accuracy_{name}"] = float(right.mean())
    if figure is not None:
        rows = exact["target"], *painted.values()
        picture_grid([row[:48] for row in rows], figure, 16)
    if samples is not None:
        with replace_file(samples) as new, new.open("wb") as file:
            np.savez_compressed(file, target=exact["target"][:12], canvas=exact["canvas"][:12])
    return result


def evaluate(run: Run, args: AgentRunArgs, policy: Policy, strokes: int) -> float:
    """Add a point to a run's learning curve, after so many strokes; return the residual."""
    with run.uncounted():
        residual = float(rollout(args, policy, args.held_out)["residual"].mean())
        run.record(residual_exact=residual, strokes=strokes)
    return residual


def write_scores(
    run: Run, args: AgentRunArgs, policy: Policy, generator: str | None = None, **extra: float
) -> None:
    """Write scores.json and samples.npz of a finished run, trained through this network if any."""
    limit, samples = args.score_limit, run.folder / SAMPLES
    options: dict[str, Any] = {"limit": limit, "samples": samples, "generator": generator}
    result = score(policy, args, alone=True, **options) | extra
    write_text(run.folder / SCORES, json.dumps(result, indent=2) + "\n")
