"""Differentiable painting: networks that imitate the painting program, and the program itself."""

from __future__ import annotations

import os
from pathlib import Path

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

import torch
from safetensors.torch import save_file

from strokenet_gym.generator.base import Generator, LearnedGenerator
from strokenet_gym.generator.compact import CompactGenerator
from strokenet_gym.generator.exact import ExactGenerator
from strokenet_gym.generator.paper import PaperGenerator
from strokenet_gym.pretrained import SHIPPED, read_weights
from strokenet_gym.renderer import get_brush

__all__ = [
    "ARCHITECTURES",
    "GENERATORS",
    "CompactGenerator",
    "ExactGenerator",
    "Generator",
    "LearnedGenerator",
    "PaperGenerator",
    "load_generator",
    "save_generator",
]

ARCHITECTURES: dict[str, type[LearnedGenerator]] = {
    "compact": CompactGenerator,
    "paper": PaperGenerator,
}
GENERATORS = {name: SHIPPED / f"generator_{name}.safetensors" for name in ARCHITECTURES}


def save_generator(generator: LearnedGenerator, path: str | Path, brush: str) -> None:
    """Write a generator's weights, its sizes and the name of the brush that it imitates."""
    metadata = {"architecture": generator.architecture, "brush": brush}
    metadata |= {name: str(value) for name, value in generator.sizes.items()}
    weights = {k: v.to(generator.on_disk).contiguous() for k, v in generator.state_dict().items()}
    save_file(weights, path, metadata)


def load_generator(name: str | os.PathLike, device: str | torch.device = "cpu") -> LearnedGenerator:
    """Load a generator, frozen and in eval mode.

    Args:
        name: "compact" or "paper", or the path of a file that :func:`save_generator` wrote.
        device: where to put it.

    Returns:
        The generator; ``generator.imitates`` is the name of the brush that it was trained on.

    Raises:
        ValueError: if there is no generator of that name, or the file is not one.
    """
    path, metadata, weights = read_weights("generator", name, GENERATORS, ARCHITECTURES)
    try:
        build, brush = ARCHITECTURES[metadata.pop("architecture")], metadata.pop("brush")
        generator = build(**{key: int(value) for key, value in metadata.items()})
        generator.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is of another version: {error}") from error
    generator.imitates, generator.multiplies = brush, get_brush(brush).blend == "multiply"
    return generator.to(device).eval().requires_grad_(False)
