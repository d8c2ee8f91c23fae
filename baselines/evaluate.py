"""Measure an agent or a generator on what it was not trained on.

    python -m baselines.evaluate agent --agent mnist --data-dir DIR --out mnist.json
    python -m baselines.evaluate agent --agent runs/strokenet-glyphs-0/agent.safetensors
    python -m baselines.evaluate agent --agent planner --targets glyphs --max-strokes 4 --limit 100
    python -m baselines.evaluate generator --out generator.json
    python -m baselines.evaluate all --data-dir DIR

Agents are scored on the real program ("exact") and in the network ("neural"), beside the blank
canvas and a random agent. harness/scoring.py explains the keys.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from strokenet_gym import PlannerAgent
from strokenet_gym.agents import AGENTS, Agent, arguments_of, load_agent
from strokenet_gym.command import run_command
from strokenet_gym.files import check_distinct, try_file, write_text

from .harness.generator_scores import GeneratorArgs, evaluate_generator
from .harness.scoring import score
from .harness.task import Task


@dataclasses.dataclass(kw_only=True)
class AgentArgs:
    """Score an agent on test targets: real program, network, blank canvas, random agent.

    The task is the one that the agent was trained for, but for what is given here.
    """

    agent: str = "glyphs"
    """Name of a shipped agent, path of its weights, or planner."""
    targets: str | None = None
    """What to paint, as in training."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    canvas_size: int | None = None
    """Width and height of the canvas in pixels."""
    max_strokes: int | None = None
    """Strokes per picture."""
    brush: str | None = None
    """What paints."""
    background: tuple[float, ...] | None = None
    """Intensity of the empty canvas in 0 … 1, or one for each channel."""
    split: Literal["train", "test"] = "test"
    """Split of the data set. Glyphs are endless; test glyphs have seeds of their own."""
    limit: int | None = None
    """Only so many, at random; sources without an end give 1000 by default."""
    modules: tuple[str, ...] = ()
    """Modules of your own to import first: of the agent, of a data set."""
    generator: str | None = None
    """Generator of the neural environment; by default the shipped one of the brush, if any."""
    out: Path | None = None
    """Write the result as JSON."""
    figure: Path | None = None
    """Write a grid of the first 48: target above neural above real."""
    samples: Path | None = None
    """Write the first 12 targets and real canvases as arrays (.npz)."""


def task_of(agent: Agent | PlannerAgent, args: Any) -> Task:
    """What the agent was trained for, but for what the arguments say."""
    names = {field.name for field in dataclasses.fields(Task)}
    given = {name: value for name, value in vars(args).items() if name in names}
    return Task.of(arguments_of(agent, **given))


def evaluate_agent(args: AgentArgs) -> dict[str, Any]:
    Task(modules=args.modules).prepare()
    agent = load_agent(args.agent)
    task = task_of(agent, args)
    if isinstance(agent, PlannerAgent):
        agent = PlannerAgent(task.brush, task.max_strokes)
    return score(
        agent.act, task, split=args.split, limit=args.limit, generator=args.generator,
        figure=args.figure, samples=args.samples,
    )  # fmt: skip


@dataclasses.dataclass(kw_only=True)
class AllArgs:
    """Score shipped agents on the test targets they were made for: the README's table."""

    agents: tuple[str, ...] = tuple(AGENTS)
    """Which."""
    data_dir: Path | None = None
    """Folder with the data sets; by default the environment variable STROKENET_DATA."""
    limit: int | None = None
    """Only so many targets of each, at random."""
    canvas_size: int | None = None
    """Width and height of the canvas in pixels; by default the agent's own."""
    out: Path | None = None
    """Write the results as JSON."""


def evaluate_all(args: AllArgs) -> dict[str, Any]:
    results = {}
    for name in args.agents:
        agent = load_agent(name)
        results[name] = score(agent.act, task_of(agent, args), limit=args.limit)
    lines = [
        "| agent | strokes | that matter | residual, real program | network | random agent "
        "| PSNR | SSIM | accuracy | originals |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, scores in results.items():
        cells = [name, str(scores["max_strokes"]), f"{scores['strokes_that_matter']:.1f}"]
        for kind in ("exact", "neural", "random"):
            residual = scores.get(f"residual_{kind}")
            cells.append("" if residual is None else f"{residual:.3f}")
        cells += [f"{scores['psnr_exact']:.1f} dB", f"{scores['ssim_exact']:.3f}"]
        for kind in ("exact", "originals"):
            accuracy = scores.get(f"accuracy_{kind}")
            cells.append("" if accuracy is None else f"{100 * accuracy:.1f} %")
        lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    return results


def main(
    args: Annotated[AgentArgs, tyro.conf.subcommand("agent")]
    | Annotated[GeneratorArgs, tyro.conf.subcommand("generator")]
    | Annotated[AllArgs, tyro.conf.subcommand("all")],
) -> None:
    outputs = {f"--{name}": getattr(args, name, None) for name in ("out", "figure", "samples")}
    read = {f"--{name}": getattr(args, name, None) for name in ("agent", "brush", "generator")}
    check_distinct(outputs, read)
    for file in filter(None, outputs.values()):  # before the work
        try_file(file, Path.touch)
    work: dict[type, Callable[[Any], dict[str, Any]]] = {
        AgentArgs: evaluate_agent, GeneratorArgs: evaluate_generator, AllArgs: evaluate_all,
    }  # fmt: skip
    text = json.dumps(work[type(args)](args), indent=2)
    if not isinstance(args, AllArgs):
        print(text)
    if args.out is not None:
        write_text(args.out, text + "\n")


if __name__ == "__main__":
    run_command(main)
