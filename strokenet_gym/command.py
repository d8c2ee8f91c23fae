"""How a command ends that was given something wrong: with one line, and no traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from gymnasium.error import Error

from strokenet_gym.extras import require

__all__ = ["one_line_errors", "require_all"]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error of the user's as one line on stderr, and end with exit status 1.

    The user's are what the package raises for bad arguments and files: ValueError, OSError and
    Gymnasium's own. Others, which are ours, keep their traceback.
    """
    try:
        yield
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except (ValueError, OSError, Error) as error:
        text = " ".join(str(error).split())
        print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr)
        raise SystemExit(1) from None


def require_all() -> None:
    """What a script begins with: end with one line if something of the extra "all" is missing."""
    with one_line_errors():
        require()
