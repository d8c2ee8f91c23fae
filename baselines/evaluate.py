"""Measure an agent or a generator on what it was not trained on.

    python baselines/evaluate.py agent --agent mnist --targets mnist --data-dir DIR --out mnist.json
    python baselines/evaluate.py generator --out generator.json
    python baselines/evaluate.py all --data-dir DIR

Agents are scored on the real program ("exact") and in the network ("neural"), beside the blank
canvas and a random agent. The keys are explained in the README.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium as gym
import numpy as np
import tyro
from classifier import DigitClassifier
from generator_scores import GeneratorArgs, evaluate_generator
from gymnasium.vector import AutoresetMode
from scores import picture_grid, psnr, ssim
from tqdm import tqdm

from strokenet_gym.agents import AGENTS, load_agent
from strokenet_gym.stroke import action_size
from strokenet_gym.targets import ImageFolder, ImageSet, make_targets, read_image

Policy = Callable[[dict[str, np.ndarray]], np.ndarray]
MATTERS = 0.005  # reward of a stroke that is worth painting: half a percent of the picture
ENVIRONMENTS = {"exact": "Painting-v0", "neural": "NeuralPainting-v0"}


def rollout(env_id: str, policy: Policy, targets: Sequence[np.ndarray], **kwargs: Any) -> dict:
    """Paint each target once.

    Returns:
        ``l2_blank`` ``[N]`` before the first stroke; ``canvas`` and ``target`` uint8
        ``[N, C, H, W]``, ``l2`` and ``residual`` ``[N]`` at the end; and ``actions``
        ``[N, strokes, A]`` with their ``rewards`` ``[N, strokes]``.
    """
    batch = min(100, len(targets))
    envs = gym.make_vec(
        env_id,
        num_envs=batch,
        targets=targets[0],  # each is given to reset
        autoreset_mode=AutoresetMode.DISABLED,
        **kwargs,
    )
    parts: dict[str, list[np.ndarray]] = {
        name: []
        for name in ("l2_blank", "canvas", "target", "l2", "residual", "actions", "rewards")
    }
    few = len(targets) <= 1000  # done at once
    for start in tqdm(range(0, len(targets), batch), desc=env_id, leave=False, disable=few):
        group = list(targets[start : start + batch])
        count = len(group)
        group += [group[-1]] * (batch - count)  # fills up the last batch
        observation, info = envs.reset(options={"target": group})
        actions, rewards, l2_blank = [], [], info["l2"]
        done = np.zeros(batch, bool)
        while not done.all():
            actions.append(policy(observation))
            observation, reward, done, _, info = envs.step(actions[-1])
            rewards.append(reward)
        values = {**observation, **info, "l2_blank": l2_blank}
        values |= {"actions": np.stack(actions, 1), "rewards": np.stack(rewards, 1)}
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


@dataclasses.dataclass
class AgentArgs:
    """Score an agent on test targets: real program, network, blank canvas, random agent."""

    agent: str = "glyphs"
    """Name of a shipped agent, or path of its weights."""
    targets: str = "glyphs"
    """glyphs, mnist, omniglot, quickdraw, kanjivg, or the path of an image or folder."""
    data_dir: Path | None = None
    """Folder with the data sets."""
    split: Literal["train", "test"] = "test"
    """Split of the data set. Glyphs are endless; test glyphs have seeds of their own."""
    limit: int | None = None
    """Only so many, at random; sources without an end give 1000 by default."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels."""
    max_strokes: int | None = None
    """Strokes per picture; by default as many as the agent was trained for."""
    generator: str = "compact"
    """Generator of the neural environment."""
    out: Path | None = None
    """Write the result as JSON."""
    figure: Path | None = None
    """Write a grid of the first 48: target above neural above real."""
    samples: Path | None = None
    """Write the first 12 targets and real canvases as arrays (.npz)."""


def test_targets(
    targets: str, canvas_size: int, data_dir: Path | None, split: str, limit: int | None
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """The images to paint, and their labels if there are any."""
    try:
        source = make_targets(targets, canvas_size, data_dir, split)
    except ValueError:
        name, selection, _ = targets.partition(":")
        if not selection:
            raise
        # Some sets are split by label: then all test items stand for the selected ones.
        source = make_targets(name, canvas_size, data_dir, split)
    if isinstance(source, ImageSet):
        # In random order, since the sets are sorted.
        chosen = np.random.default_rng(0).permutation(len(source))[:limit]
        return [source[int(i)] for i in chosen], source.labels[chosen]
    if isinstance(source, ImageFolder):
        return [read_image(file) for file in source.files[:limit]], None
    rng = np.random.default_rng({"train": 0, "test": 10**6}[split])
    return [source.sample(rng) for _ in range(limit or 1000)], None


def evaluate_agent(args: AgentArgs) -> dict[str, Any]:
    agent = load_agent(args.agent)
    return evaluate_policy(agent.act, args, args.max_strokes or agent.max_strokes)


def evaluate_policy(policy: Policy, args: AgentArgs, max_strokes: int) -> dict[str, Any]:
    """Score any policy as the arguments say; their agent is not looked at."""
    if args.limit is not None and args.limit < 1:
        raise ValueError(f"--limit must be at least 1, got {args.limit}")
    targets, labels = test_targets(
        args.targets, args.canvas_size, args.data_dir, args.split, args.limit
    )
    setup = {"canvas_size": args.canvas_size, "max_strokes": max_strokes}
    runs = {
        "exact": rollout("Painting-v0", policy, targets, **setup),
        "neural": rollout("NeuralPainting-v0", policy, targets, generator=args.generator, **setup),
        "random": rollout("Painting-v0", random_policy(), targets, **setup),
    }
    result: dict[str, Any] = {"count": len(targets), "max_strokes": max_strokes}
    result["l2_blank"] = float(runs["exact"]["l2_blank"].mean())
    for name, run in runs.items():
        result[f"l2_{name}"] = float(run["l2"].mean())
        result[f"residual_{name}"] = float(run["residual"].mean())
    exact = runs["exact"]
    result["psnr_exact"] = psnr(exact["l2"])
    result["ssim_exact"] = ssim(exact["canvas"], exact["target"])
    result["residual_by_stroke"] = (1 - exact["rewards"].cumsum(1)).mean(0).tolist()
    result["strokes_that_matter"] = float((exact["rewards"] > MATTERS).sum(1).mean())
    if labels is not None and args.targets.startswith("mnist"):
        classifier = DigitClassifier.from_pretrained()
        pictures = {
            "originals": exact["target"],
            "exact": exact["canvas"],
            "neural": runs["neural"]["canvas"],
        }
        for name, images in pictures.items():
            right = classifier.classify(images) == labels.astype(int)
            result[f"accuracy_{name}"] = float(right.mean())
    if args.figure is not None:
        rows = exact["target"], runs["neural"]["canvas"], exact["canvas"]
        picture_grid([row[:48] for row in rows], args.figure, 16)
    if args.samples is not None:
        np.savez_compressed(args.samples, target=exact["target"][:12], canvas=exact["canvas"][:12])
    return result


@dataclasses.dataclass
class AllArgs:
    """Score shipped agents on the test targets they were made for: the README's table."""

    agents: tuple[str, ...] = tuple(AGENTS)
    """Which."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    limit: int | None = None
    """Only so many targets of each, at random."""
    canvas_size: int = 128
    """Width and height of the canvas in pixels."""
    out: Path | None = None
    """Write the results as JSON."""


def evaluate_all(args: AllArgs) -> dict[str, Any]:
    results = {}
    for name in args.agents:
        task = {"targets": name.partition("-")[0], "data_dir": args.data_dir, "limit": args.limit}
        results[name] = evaluate_agent(AgentArgs(name, canvas_size=args.canvas_size, **task))
    lines = [
        "| agent | strokes | that matter | residual, real program | network | random agent "
        "| PSNR | SSIM | accuracy | originals |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scores in results.items():
        cells = [
            name,
            str(scores["max_strokes"]),
            f"{scores['strokes_that_matter']:.1f}",
            *(f"{scores[f'residual_{kind}']:.3f}" for kind in ("exact", "neural", "random")),
            f"{scores['psnr_exact']:.1f} dB",
            f"{scores['ssim_exact']:.3f}",
        ]
        for kind in ("exact", "originals"):
            accuracy = scores.get(f"accuracy_{kind}")
            cells.append("" if accuracy is None else f"{100 * accuracy:.1f} %")
        lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    return results


def main(args: AgentArgs | GeneratorArgs | AllArgs) -> None:
    if isinstance(args, AllArgs):
        result = evaluate_all(args)
    elif isinstance(args, AgentArgs):
        result = evaluate_agent(args)
    else:
        result = evaluate_generator(args)
    text = json.dumps(result, indent=2)
    if not isinstance(args, AllArgs):
        print(text)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main(
        tyro.cli(
            Annotated[AgentArgs, tyro.conf.subcommand("agent")]
            | Annotated[GeneratorArgs, tyro.conf.subcommand("generator")]
            | Annotated[AllArgs, tyro.conf.subcommand("all")]
        )
    )
