"""Things that may be missing: optional dependencies, and objects in somebody's module."""

from __future__ import annotations

import importlib.util
from typing import Any

from gymnasium.error import DependencyNotInstalled

from strokenet_gym.interrupts import shielded

__all__ = ["import_object", "require"]

# What scripts import.
_ALL = (
    "torch", "safetensors", "pygame", "imageio_ffmpeg", "pooch", "svgpathtools", "defusedxml",
    "skimage", "stable_baselines3", "tensorboard", "matplotlib",
)  # fmt: skip
_PIP = {"skimage": "scikit-image"}  # where pip's name differs by more than hyphens


def require(*modules: str) -> None:
    """Check that modules can be imported.

    Args:
        modules: their names; without any, all that scripts use are looked for, not imported.

    Raises:
        DependencyNotInstalled: if some cannot; the message has the line for pip, with these alone.
    """
    missing = [] if modules else [name for name in _ALL if importlib.util.find_spec(name) is None]
    why = None
    for module in modules:
        try:
            with shielded():
                importlib.import_module(module)
        except ImportError as error:
            why = error
            missing.append(module)
    if missing:
        names = [_PIP.get(name, name.replace("_", "-")) for name in missing]
        raise DependencyNotInstalled(
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not installed, "
            f"run `pip install {' '.join(names)}`"
        ) from why


def import_object(name: str, argument: str) -> Any:
    """Import what "module:name" means, as in Gymnasium's entry points.

    Args:
        name: the module and the object in it.
        argument: what it was given for, for the message.

    Raises:
        ValueError: if there is no such module, or nothing of that name in it.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"{argument} {name!r} cannot be imported: {error}") from error
