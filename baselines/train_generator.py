"""Train the compact generator to imitate the painting program.

Strokes from three-body motion are drawn by the real program on the fly. The loss is L2 in units
of the ink (so that thin strokes do not drown in black); batches of 64, then of 32.

    python baselines/train_generator.py --minutes 20 --out runs/generator
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
import tyro
from training import Run

from strokenet_gym.generator import CompactGenerator, save_generator
from strokenet_gym.generator.three_body import three_body_strokes, uniform_strokes
from strokenet_gym.renderer import draw, get_brush
from strokenet_gym.stroke import Stroke

SIZES = (32, 48, 64, 96, 128, 192, 256)


@dataclasses.dataclass
class Args:
    """Train the compact generator to imitate the painting program."""

    out: Path = Path("runs/generator")
    """Folder of the run; one that has a checkpoint is resumed."""
    minutes: float = 20.0
    """Time budget."""
    brush: str = "pencil"
    """Brush to imitate."""
    lr: float = 0.01
    """Learning rate at the start; falls to zero on a cosine."""
    scribbles: float = 0.2
    """Share of strokes with uniformly random anchors."""
    broad: float = 0.15
    """Share of batches with radii up to four times the largest, as on a larger canvas."""
    seed: int = 0
    """Seed of weights and strokes."""
    device: str = "cpu"
    """cpu or cuda."""


def sample(rng: np.random.Generator, batch: int, args: Args) -> Stroke:
    """A batch of random strokes."""
    scribbles = rng.binomial(batch, args.scribbles)
    parts = three_body_strokes(rng, batch - scribbles), uniform_strokes(rng, scribbles)
    stroke = Stroke(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
    if rng.random() < args.broad:
        stroke = stroke._replace(radius=stroke.radius * np.float32(rng.uniform(1, 4)))
    return stroke


def main(args: Args) -> None:
    torch.manual_seed(args.seed)
    brush = get_brush(args.brush)
    generator = CompactGenerator().to(args.device)
    optimizer = torch.optim.Adam(generator.parameters(), args.lr, betas=(0.9, 0.98))
    run = Run(args, generator, optimizer)
    for progress in run:
        for group in optimizer.param_groups:
            group["lr"] = args.lr * (0.5 + 0.5 * np.cos(np.pi * progress)) + 1e-5
        batch, size = 64 if progress < 0.6 else 32, int(run.rng.choice(SIZES))
        stroke = sample(run.rng, batch, args)
        truth = torch.from_numpy(draw(stroke, size, brush)).to(args.device)
        prediction = generator(Stroke(*(torch.from_numpy(f).to(args.device) for f in stroke)), size)
        loss = (prediction - truth).square().sum() / (truth.square().sum() + 1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 0.5)
        optimizer.step()
        if run.step % 20 == 0:
            run.log(loss=loss.item(), lr=optimizer.param_groups[0]["lr"])
        if run.step % 1000 == 0:
            picture = torch.cat([truth[:8], prediction[:8].detach()]).cpu()[:, None]
            run.writer.add_images("truth above prediction", picture, run.step)
    save_generator(generator, args.out / "generator.safetensors", args.brush)
    print(f"Wrote {args.out / 'generator.safetensors'}")


if __name__ == "__main__":
    main(tyro.cli(Args))
