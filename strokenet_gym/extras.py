"""Optional dependencies: a clear error for one that is missing."""

import importlib

from gymnasium.error import DependencyNotInstalled

__all__ = ["require"]


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
