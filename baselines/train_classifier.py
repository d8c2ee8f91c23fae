"""Train the classifier that says whether a repainted digit still reads as itself.

On real MNIST training digits only, never on painted ones:

    python -m baselines.train_classifier --data-dir DIR
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from strokenet_gym.command import run_command
from strokenet_gym.pretrained import write_weights
from strokenet_gym.targets import MNIST

from .harness.classifier import DigitClassifier, crop_digits
from .harness.run import Run
from .harness.task import RunArgs


@dataclasses.dataclass(kw_only=True)
class Args(RunArgs):
    """Train the MNIST classifier that evaluate.py uses."""

    data_dir: Path
    """Folder with the MNIST files, or with a subfolder mnist."""
    out: Path | None = Path("runs/classifier")
    """Folder of the run; one that has a checkpoint is resumed."""
    minutes: float = 4.0
    """Time budget."""
    lr: float = 2e-3
    """Learning rate at the start; falls to zero on a cosine."""


def augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, scale, slant and shift digits a little."""
    count = len(images)
    angle, slant = rng.uniform(-0.25, 0.25, count), rng.uniform(-0.25, 0.25, count)
    scale = np.exp(rng.uniform(-0.15, 0.15, (2, count)))
    rows = [
        np.stack(
            [scale[0] * np.cos(angle), slant - np.sin(angle), rng.uniform(-0.15, 0.15, count)]
        ),
        np.stack([np.sin(angle), scale[1] * np.cos(angle), rng.uniform(-0.15, 0.15, count)]),
    ]
    theta = torch.from_numpy(np.stack(rows).transpose(2, 0, 1)).float()
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def main(args: Args) -> None:
    torch.manual_seed(args.seed)
    # On a canvas and back, as the repainted digits will be.
    sets = {split: MNIST(args.data_dir, split) for split in ("train", "test")}
    train = sets["train"]
    images = torch.cat(
        [crop_digits(torch.from_numpy(train[i])[None, None]) for i in range(len(train))]
    )
    labels = torch.from_numpy(train.labels.astype(np.int64))
    classifier = DigitClassifier()
    optimizer = torch.optim.AdamW(classifier.parameters(), args.lr, weight_decay=0.01)
    run = Run(args, classifier, optimizer)
    for progress in run:
        for group in optimizer.param_groups:
            group["lr"] = args.lr * (0.5 + 0.5 * np.cos(np.pi * progress)) + 1e-6
        index = torch.from_numpy(run.rng.integers(len(images), size=128))
        logits = classifier(augment(images[index], run.rng))
        loss = F.cross_entropy(logits, labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if run.step % 20 == 0:
            run.log(loss=loss.item())
    weights = classifier.state_dict()
    weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    write_weights(run.folder / "classifier.safetensors", weights)
    classifier.eval()
    test = sets["test"]
    canvases = np.stack([np.rint(test[i] * 255).astype(np.uint8) for i in range(len(test))])
    found = classifier.classify(canvases[:, None])
    print(f"accuracy on {len(test)} test digits: {(found == test.labels.astype(int)).mean():.4f}")
    print(f"Wrote {run.folder / 'classifier.safetensors'}")


if __name__ == "__main__":
    run_command(main)
