"""Things that may be missing: optional dependencies, and objects in somebody's module."""

from __future__ import annotations

import importlib
from typing import Any

from gymnasium.error import DependencyNotInstalled

__all__ = ["import_object", "require"]


def require(extra: str, *modules: str) -> None:
    """Check that the modules of one of the package's extras can be imported.

    Raises:
        DependencyNotInstalled: if not; the message has the pip line.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise DependencyNotInstalled(
                f'{module} is not installed, run `pip install "strokenet-gym[{extra}]"`'
            ) from error


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
