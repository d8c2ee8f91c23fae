"""Things that may be missing: optional dependencies, and objects in somebody's module."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from gymnasium.error import DependencyNotInstalled

from strokenet_gym.interrupts import shielded

__all__ = ["import_object", "require"]

_ALL = (
    "torch", "safetensors", "pygame", "imageio_ffmpeg", "pooch", "svgpathtools", "defusedxml",
    "skimage", "stable_baselines3", "tensorboard", "matplotlib",
)  # fmt: skip


def require(*modules: str, by: str = '"strokenet-gym[all]"') -> None:
    """Check that modules can be imported, by default those that the extra "all" brings.

    Args:
        modules: their names; without any, all that scripts and examples use are looked for.
        by: what pip is to install, if it is not that.

    Raises:
        DependencyNotInstalled: if one cannot; the message has the pip line.
    """
    for module in modules:
        try:
            with shielded():
                importlib.import_module(module)
        except ImportError as error:
            raise DependencyNotInstalled(
                f"{module} is not installed, run `pip install {by}`"
            ) from error
    missing = [] if modules else [name for name in _ALL if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyNotInstalled(f"{', '.join(missing)}: not installed, run `pip install {by}`")


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
