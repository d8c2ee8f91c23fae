"""Differentiable painting: networks that imitate the painting program, and the program itself."""

from __future__ import annotations

import os
from pathlib import Path

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

import torch
from safetensors.torch import save_file

from strokenet_gym.generator.base import Generator
from strokenet_gym.generator.compact import CompactGenerator
from strokenet_gym.generator.exact import ExactGenerator
from strokenet_gym.pretrained import SHIPPED, read_weights

__all__ = [
    "GENERATORS",
    "CompactGenerator",
    "ExactGenerator",
    "Generator",
    "load_generator",
    "save_generator",
]

GENERATORS = {"compact": SHIPPED / "generator_compact.safetensors"}


def save_generator(generator: CompactGenerator, path: str | Path, brush: str) -> None:
    """Write a generator's weights, its sizes and the name of the brush that it imitates."""
    metadata = {
        "architecture": "compact",
        "blobs": str(generator.blobs),
        "width": str(generator.width),
        "brush": brush,
    }
    save_file({k: v.contiguous() for k, v in generator.state_dict().items()}, path, metadata)


def load_generator(name: str | os.PathLike, device: str | torch.device = "cpu") -> CompactGenerator:
    """Load a generator, frozen and in eval mode.

    Args:
        name: "compact", or the path of a file that :func:`save_generator` wrote.
        device: where to put it.

    Returns:
        The generator; ``generator.imitates`` is the name of the brush that it was trained on.

    Raises:
        ValueError: if there is no generator of that name, or the file is not one.
    """
    path, metadata, weights = read_weights("generator", name, GENERATORS, "compact")
    try:
        generator = CompactGenerator(int(metadata["blobs"]), int(metadata["width"]))
        generator.load_state_dict(weights)
        generator.imitates = metadata["brush"]
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is of another version: {error}") from error
    return generator.to(device).eval().requires_grad_(False)
