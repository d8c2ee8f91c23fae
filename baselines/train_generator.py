"""Train a generator to imitate a painting program.

Strokes from three-body motion are drawn by the real program on the fly. The loss is L2 in units
of the ink (so that thin strokes do not drown in black); batches of 64, then of 32.

    python -m baselines.train_generator --minutes 20 --out runs/generator
    python -m baselines.train_generator --brush mypaint:classic/charcoal --minutes 4 --workers 1
    python -m baselines.train_generator --architecture paper --width 32 --minutes 60
    torchrun --nproc-per-node 2 -m baselines.train_generator          # several GPUs (or CPUs)

The original trained on a data set of 600,000 strokes on disk. That can be had as well:

    python -m baselines.train_generator --write DIR --count 600000
    python -m baselines.train_generator --architecture paper --read DIR
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from strokenet_gym import load_program
from strokenet_gym.command import run_command
from strokenet_gym.envs.tensors import find_device
from strokenet_gym.programs.learned import (
    ARCHITECTURES,
    CompactGenerator,
    PaperGenerator,
    load_generator,
    save_generator,
)
from strokenet_gym.programs.learned.paper import DRAWN_SIZE, gaussian_dots
from strokenet_gym.programs.opacity import why_no_twin
from strokenet_gym.programs.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.stroke import Stroke

from .harness.run import Run
from .harness.stroke_files import StrokeFiles, write_strokes
from .harness.stroke_samples import join
from .harness.task import RunArgs, check_positive, check_seed

DOTS_SHARE = 1 / 6  # of the time, for the position encoder of the paper's generator


@dataclasses.dataclass(kw_only=True)
class Args(RunArgs):
    """Train a generator to imitate the painting program."""

    architecture: Literal[tuple(ARCHITECTURES)] = "compact"  # type: ignore[valid-type]
    """Kind of network: ours, or that of the paper."""
    width: int | None = None
    """Channels of the network; 8 for compact, and the original's 256 for paper, by default."""
    hidden: int | None = None
    """Units of the encoders in the paper's network; the original's 1024 by default."""
    out: Path | None = Path("runs/generator")
    """Folder of the run; one that has a checkpoint is resumed."""
    minutes: float = 20.0
    """Time budget."""
    brush: str = "pencil"
    """Brush to imitate: a name, the path of a JSON file with a brush's numbers, mypaint:NAME, or
    module:name of a program."""
    workers: int = 0
    """Processes that paint ahead while the network learns; 0: it waits for each batch."""
    start: str | None = None
    """Generator to start from: the name of a shipped one, or a path; of the same sizes."""
    batch: int = 64
    """Strokes in a batch; half as many after 60 % of the time."""
    lr: float | None = None
    """Learning rate at the start, falling to zero on a cosine; 0.01 for compact, 0.001 for paper
    by default."""
    scribbles: float = 0.2
    """Share of strokes with uniformly random anchors."""
    broad: float = 0.15
    """Share of batches with radii up to four times the largest, as on a larger canvas (compact)."""
    device: str = "cpu"
    """cpu or cuda."""
    write: Path | None = None
    """Train nothing, but write a data set of three-body strokes to this folder."""
    count: int = 600_000
    """Strokes to write."""
    read: Path | None = None
    """Train on such a data set, and not on strokes drawn on the fly."""
    sizes: tuple[int, ...] = (32, 48, 64, 96, 128, 192, 256)
    """Canvas sizes to learn at (compact)."""


def sample(rng: np.random.Generator, batch: int, args: Args) -> Stroke:
    """A batch of random strokes."""
    scribbles, radii = rng.binomial(batch, args.scribbles), load_program(args.brush).radii
    smooth = three_body_strokes(rng, batch - scribbles, radii=radii)
    stroke = join([smooth, uniform_strokes(rng, scribbles, radii=radii)])
    if args.architecture == "compact" and rng.random() < args.broad:
        stroke = stroke._replace(radius=stroke.radius * np.float32(rng.uniform(1, 4)))
    return stroke


class Drawn(Dataset):
    """Of strokes and a size: these, and their opacity ``[B, size, size]`` in 0 … 1."""

    def __init__(self, brush: str) -> None:
        self.brush = brush

    def __getitem__(self, job: tuple[Stroke, int]) -> tuple[Stroke, np.ndarray]:
        return job[0], _load(self.brush).draw(*job)


_load = functools.cache(load_program)


def relative_error(prediction: Tensor, truth: Tensor) -> Tensor:
    """Squared error in units of the ink."""
    return (prediction - truth).square().sum() / (truth.square().sum() + 1)


def main(args: Args) -> None:
    check_seed(args)
    if args.write is not None:
        write_strokes(args.write, args.count, DRAWN_SIZE, args.brush, args.seed)
        return
    check_positive(args, "width", "hidden", "lr", "count", "batch")
    if args.workers < 0 or not args.sizes or min(args.sizes) < 16:
        raise ValueError(
            f"--workers must be 0 or more and --sizes at least 16, got {args.workers}, {args.sizes}"
        )
    device = find_device(args.device, CompactGenerator())
    several = "RANK" in os.environ  # started by torchrun
    if several:
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    parallel = DistributedDataParallel if several else lambda module: module
    torch.manual_seed(args.seed)
    brush = load_program(args.brush)
    if getattr(brush, "grain", 0) > 0:
        raise ValueError(f"--brush {args.brush} has a grain, whose place a network cannot see")
    if (why := why_no_twin(brush)) is not None:
        raise ValueError(f"no network can imitate --brush {args.brush}: it {why}")
    files = None if args.read is None else StrokeFiles(args.read, args.brush)
    paper = args.architecture == "paper"
    given = {"width": args.width, "hidden": args.hidden}
    sizes = {name: value for name, value in given.items() if value is not None}
    generator = ARCHITECTURES[args.architecture](**sizes).to(device)
    if args.start is not None:
        before = load_generator(args.start)
        if (before.architecture, before.sizes) != (args.architecture, generator.sizes):
            raise ValueError(
                f"--start {args.start} is {before.architecture} of the sizes {before.sizes}, to be "
                f"trained is {args.architecture} of {generator.sizes}"
            )
        generator.load_state_dict(before.state_dict())
    highest = args.lr or (0.001 if paper else 0.01)
    optimizer = torch.optim.Adam(generator.parameters(), highest, betas=(0.9, 0.98), fused=True)
    run = Run(args, generator, optimizer)

    def learn(loss: Tensor, name: str, progress: float) -> None:
        lr = highest * (0.5 + 0.5 * np.cos(np.pi * progress) + 0.001)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 0.5)
        optimizer.step()
        if run.step % 20 == 0:
            run.log(**{name: loss.item(), "lr": lr})

    begin = 0.0
    if isinstance(generator, PaperGenerator):
        begin = DOTS_SHARE
        encoder = parallel(generator.dots)
        for progress in run.part(0.0, begin):
            position = torch.from_numpy(run.rng.uniform(-1, 1, (64, 2)).astype(np.float32))
            truth = gaussian_dots(position.to(device))
            prediction = encoder(position.to(device))
            learn(relative_error(prediction, truth), "dots_loss", progress)
            if run.step % 1000 == 0:
                picture = torch.cat([truth[:8], prediction[:8]])
                run.log_images("dots above prediction", picture[:, None])
        generator.dots.requires_grad_(False)
    learner = parallel(generator)
    batch = args.batch

    def jobs() -> Iterator[tuple[Stroke, int]]:
        while True:
            size = DRAWN_SIZE if paper else int(run.rng.choice(args.sizes))
            yield sample(run.rng, batch, args), size

    workers = args.workers if files is None else 0
    drawn = iter(
        DataLoader(
            Drawn(args.brush), batch_size=None, sampler=jobs(), num_workers=workers,
            collate_fn=tuple,  # arrays go through pipes: shared memory is small in containers
            multiprocessing_context="spawn" if workers else None,  # torch has threads
        )
    )  # fmt: skip
    for progress in run.part(begin, 1.0):
        batch = args.batch if progress < 0.6 else -(-args.batch // 2)
        if files is None:
            stroke, opacity = next(drawn)
        else:
            stroke, opacity = files.sample(run.rng, batch)
        truth = torch.from_numpy(opacity).to(device)
        stroke = Stroke(*(torch.from_numpy(field).to(device) for field in stroke))
        with torch.autocast(device.type, torch.bfloat16, enabled=paper and device.type == "cuda"):
            prediction = learner(stroke, truth.shape[-1])
        learn(relative_error(prediction.float(), truth), "loss", progress)
        if run.step % 1000 == 0:
            picture = torch.cat([truth[:8], prediction[:8]])
            run.log_images("truth above prediction", picture[:, None])
    del drawn  # ends the processes
    if run.first:
        file = run.folder / "generator.safetensors"
        save_generator(generator, file, args.brush, (DRAWN_SIZE,) if paper else args.sizes)
        print(f"Wrote {file}")
    if several:
        distributed.destroy_process_group()


if __name__ == "__main__":
    run_command(main)
