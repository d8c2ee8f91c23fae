"""Networks that imitate a painting program, for gradients of one that has none; and their files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from strokenet_gym.extras import require

require("torch", "safetensors")

import torch

from strokenet_gym.pretrained import SHIPPED, load_network, save_network
from strokenet_gym.programs import Program, find_name, load_program
from strokenet_gym.programs.base import MYPAINT
from strokenet_gym.programs.learned.base import Imitated, LearnedGenerator
from strokenet_gym.programs.learned.compact import CompactGenerator
from strokenet_gym.programs.learned.paper import PaperGenerator
from strokenet_gym.programs.stamped import BRUSHES, Brush

__all__ = [
    "ARCHITECTURES", "GENERATORS", "CompactGenerator", "LearnedGenerator", "PaperGenerator",
    "load_generator", "save_generator", "twin_of",
]  # fmt: skip

ARCHITECTURES: dict[str, type[LearnedGenerator]] = {
    cls.architecture: cls for cls in (CompactGenerator, PaperGenerator)
}
# The networks of our pencil by their architecture; of MyPaint's brushes by the brush.
GENERATORS = {name: SHIPPED / f"generator_{name}.safetensors" for name in ARCHITECTURES} | {
    f"{MYPAINT}{brush}": SHIPPED / f"generator_mypaint_{brush.replace('/', '_')}.safetensors"
    for brush in ("classic/charcoal", "classic/pencil", "deevad/airbrush")
}


def save_generator(
    generator: LearnedGenerator,
    path: str | os.PathLike,
    brush: str | Program,
    learned_at: Sequence[int] = (),
) -> None:
    """Write a generator's weights, its sizes and its brush; the file appears whole or not at all.

    Args:
        generator: the network.
        path: where to.
        brush: what it imitates.
        learned_at: sides of the canvases that it has learned at, for people who read the file.

    Raises:
        ValueError: if a weight is NaN or infinite.
        OSError: if it cannot be written.
    """
    program = load_program(brush)
    about = {"brush": find_name(program)}
    if not isinstance(program, Brush):
        about["program"] = {"name": program.name, "blend": program.blend, "radii": program.radii}
    if learned_at:
        about["learned_at"] = list(learned_at)
    texts = {key: json.dumps(value) for key, value in about.items()}
    save_network(generator, path, f"the {generator.architecture} generator", texts)


def twin_of(brush: Program) -> str | None:
    """Name of the shipped network that imitates a program, a surrogate with a gradient, or None."""
    if brush == BRUSHES["pencil"]:
        return "compact"
    return brush.name if brush.name in GENERATORS else None


def load_generator(name: str | os.PathLike, device: str | torch.device = "cpu") -> LearnedGenerator:
    """Load a generator, frozen and in eval mode; it ``imitates`` what it was trained on.

    Args:
        name: "compact" or "paper", of our pencil; "mypaint:classic/charcoal" and its kin, see
            :data:`GENERATORS`; or the path of a file that :func:`save_generator` wrote.
        device: where to put it.

    Raises:
        ValueError: if there is no generator of that name, or the file is not one.
    """
    texts = "brush", "program", "learned_at"
    generator = load_network("generator", name, GENERATORS, ARCHITECTURES, texts, _describe)
    generator.name = generator.loaded_from = os.fspath(name)
    return generator.to(device).requires_grad_(False)


def _describe(generator: LearnedGenerator, texts: Mapping[str, str]) -> None:
    brush, program = texts["brush"], texts.get("program")
    if program is not None:
        generator.imitates = Imitated(**json.loads(program))
    else:  # shipped files have the plain name
        found = json.loads(brush) if brush[0] in '{"' else brush
        generator.imitates = load_program(found, trusted=False)
