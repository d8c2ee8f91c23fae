"""Which engine paints: the program itself, its exact gradient, or a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from strokenet_gym.checks import flag
from strokenet_gym.envs.arrays import Arrays
from strokenet_gym.programs import Program, load_program

__all__ = ["ENGINES", "Brush", "find_engine"]

Brush = str | os.PathLike | Mapping[str, Any] | Program

# Engines, and the ids that are registered with them.
ENGINES = {
    "program": "Painting-v0",
    "gradient": "DifferentiablePainting-v0",
    "network": "NeuralPainting-v0",
}
# Arguments with their defaults, and the first engine that has them.
_ARGUMENTS = {"device": ("auto", 1), "as_tensor": (False, 1), "generator": (None, 2)}


def find_engine(
    engine: str, brush: Brush, generator: Any, device: Any = "auto", as_tensor: bool = False
) -> Arrays:
    """The engine of that name, see ``PaintingEnv``.

    Raises:
        TypeError: if it has no such argument, or the generator is none.
        ValueError: if there is no such engine, or no such program, generator or device for it.
    """
    if not isinstance(engine, str) or engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    as_tensor = flag(as_tensor, "as_tensor")
    given = {"generator": generator, "device": device, "as_tensor": as_tensor}
    for name, (default, first) in _ARGUMENTS.items():
        usual = type(given[name]) is type(default) and given[name] == default
        having = list(ENGINES)[first:]
        if engine not in having and not usual:
            ids = " and ".join(ENGINES[one] for one in having)
            raise TypeError(f"{ENGINES[engine]} has no argument {name}: it is for {ids}")
    if engine == "program":
        return Arrays(load_program(brush))
    from strokenet_gym.envs.tensors import Tensors  # and torch

    if engine == "gradient":
        program = real = _exact_program(brush)
    else:
        program = _learned_program(generator, brush, device)
        real = _real_program(program, brush)
    return Tensors(program, real, device, as_tensor)


def _exact_program(brush: Brush) -> Program:
    program = load_program(brush)
    if program.gradient != "exact":
        raise ValueError(
            f"the program {program.name!r} has no exact gradient: paint with it in Painting-v0, or "
            "train a network that imitates it (docs/extending.md says how) and pass that to "
            "NeuralPainting-v0 as generator="
        )
    return program


def _learned_program(generator: Any, brush: Brush, device: Any) -> Program:
    """The generator that is meant, on its device."""
    from strokenet_gym.extras import require

    require("torch", "safetensors")
    import torch

    from strokenet_gym.envs.tensors import find_device
    from strokenet_gym.programs.learned import load_generator

    if generator is None:
        generator = _twin_of(load_program(brush))
    if isinstance(generator, str) and generator == "exact":
        return _exact_program(brush)
    if isinstance(generator, (Program, Mapping)):
        program = load_program(generator)
    elif isinstance(generator, (str, os.PathLike)):
        program = load_generator(generator)
    else:
        raise TypeError(
            f"generator must be a name, a path or a Program, got {type(generator).__name__}"
        )
    if program.gradient is None:
        raise ValueError(
            f"the generator {program.name!r} has no gradient: paint with it in Painting-v0, as "
            "brush="
        )
    imitates, real = getattr(program, "imitates", None), _real_program(program, brush)
    if imitates is not None and imitates != real:
        # Of a program from outside, a file has the name and the ranges.
        one, other = ((p.name, p.blend, tuple(p.radii)) for p in (imitates, real))
        if one != other:
            raise ValueError(
                f"the generator {program.name!r} imitates the brush {imitates.name!r} only, got "
                f"{real.name}"
            )
    if isinstance(program, torch.nn.Module):
        if not all(weights.isfinite().all() for weights in program.parameters()):
            raise ValueError(f"the generator {program.name!r} has weights that are NaN or infinite")
        if any(weights.is_inference() for weights in program.state_dict().values()):
            with torch.inference_mode(False):  # such that gradients go through it
                copies = {key: weights.clone() for key, weights in program.state_dict().items()}
                program.load_state_dict(copies, assign=True)
        program.to(find_device(device, program))
    return program


def _twin_of(brush: Program) -> str:
    """The shipped network that imitates a brush."""
    from strokenet_gym.programs.learned import twin_of
    from strokenet_gym.programs.opacity import why_no_twin

    name = twin_of(brush)
    if name is not None:
        return name
    why = why_no_twin(brush)
    if why is not None:
        raise ValueError(
            f"no network can imitate the brush {brush.name!r}, since it {why}: paint with it in "
            "Painting-v0"
        )
    raise ValueError(
        f"no network is shipped that imitates the brush {brush.name!r}: train one "
        "(docs/extending.md says how) and pass it as generator="
    )


def _real_program(program: Program, brush: Brush) -> Program:
    """What strokes leave in reality: the brush that a network imitates; an exact program's own."""
    return program if program.gradient == "exact" else load_program(brush)
