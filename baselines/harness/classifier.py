"""A small classifier of MNIST digits: says whether a repainted digit still reads as itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["DigitClassifier", "crop_digits"]

WEIGHTS = Path(__file__).parents[1] / "weights" / "classifier_mnist.safetensors"


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
