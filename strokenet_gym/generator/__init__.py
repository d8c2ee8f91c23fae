"""Learned painting: networks that imitate the painting program, and their trained weights."""

from __future__ import annotations

import os
from pathlib import Path

from strokenet_gym.extras import require

require("neural", "torch", "safetensors")

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from strokenet_gym.generator.compact import CompactGenerator

__all__ = ["GENERATORS", "CompactGenerator", "load_generator", "save_generator"]

_WEIGHTS = Path(__file__).parent.parent / "weights"
GENERATORS = {"compact": _WEIGHTS / "generator_compact.safetensors"}


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
    path = GENERATORS.get(str(name), Path(name))
    if not path.is_file():
        raise ValueError(
            f"unknown generator {os.fspath(name)!r}: neither one of {', '.join(GENERATORS)} "
            "nor a file"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("architecture") != "compact":
                raise ValueError(f"{path} does not hold a generator's weights")
            generator = CompactGenerator(int(metadata["blobs"]), int(metadata["width"]))
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            generator.load_state_dict(weights)
            generator.imitates = metadata["brush"]
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is damaged or of another version: {error}") from error
    return generator.to(device).eval().requires_grad_(False)
