"""A small classifier of MNIST digits: says whether a repainted digit still reads as itself.

Trained on real MNIST training digits only, never on painted ones. Run as a script, it trains:

    python baselines/classifier.py --data-dir DIR
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
import tyro
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from training import Run

from strokenet_gym.targets import MNIST

__all__ = ["DigitClassifier", "crop_digits"]

WEIGHTS = Path(__file__).parent / "weights" / "classifier_mnist.safetensors"


class DigitClassifier(nn.Sequential):
    """Digits ``[B, 1, 28, 28]`` in [0, 1] to logits ``[B, 10]``."""

    def __init__(self) -> None:
        def block(before: int, after: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]

        super().__init__(
            *block(1, 32), *block(32, 32), nn.MaxPool2d(2),
            *block(32, 64), *block(64, 64), nn.MaxPool2d(2),
            *block(64, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(128, 10),
        )  # fmt: skip

    @classmethod
    def from_pretrained(cls) -> DigitClassifier:
        classifier = cls()
        classifier.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS).items()})
        return classifier.eval()

    @torch.no_grad()
    def classify(self, canvases: np.ndarray) -> np.ndarray:
        """Digits in canvases uint8 ``[B, 1, H, W]``, as the MNIST targets place them: ``[B]``."""
        parts = torch.from_numpy(canvases).split(500)
        return torch.cat([self(crop_digits(p.float() / 255)).argmax(1) for p in parts]).numpy()


def crop_digits(canvases: Tensor) -> Tensor:
    """Cut the 120/256 of the canvas that hold the digit and reduce them to 28 px again."""
    size = canvases.shape[-1]
    extent = max(1, round(size * 120 / 256))
    start = (size - extent) // 2
    stop = start + extent
    return F.interpolate(canvases[..., start:stop, start:stop], (28, 28), mode="area")


@dataclasses.dataclass
class Args:
    """Train the MNIST classifier that evaluate.py uses."""

    data_dir: Path
    """Folder with the MNIST files, or with a subfolder mnist."""
    out: Path = Path("runs/classifier")
    """Folder of the run; one that has a checkpoint is resumed."""
    minutes: float = 4.0
    """Time budget."""
    lr: float = 2e-3
    """Learning rate at the start; falls to zero on a cosine."""
    seed: int = 0
    """Seed of weights and data order."""


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
    classifier.eval()
    test = sets["test"]
    canvases = np.stack([np.rint(test[i] * 255).astype(np.uint8) for i in range(len(test))])
    found = classifier.classify(canvases[:, None])
    print(f"accuracy on {len(test)} test digits: {(found == test.labels.astype(int)).mean():.4f}")
    weights = {
        k: v.half() if v.is_floating_point() else v for k, v in classifier.state_dict().items()
    }
    save_file(weights, args.out / "classifier.safetensors")
    print(f"Wrote {args.out / 'classifier.safetensors'}")


if __name__ == "__main__":
    main(tyro.cli(Args))
