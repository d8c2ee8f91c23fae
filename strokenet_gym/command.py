"""What all commands share: one line instead of a traceback, paths, signals, messages."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, get_type_hints

import tyro
from gymnasium.error import Error

from strokenet_gym.extras import require
from strokenet_gym.messages import Messages

__all__ = ["Interrupts", "one_line_errors", "require_all", "run_command"]

_COLUMNS = 40, 500  # of a terminal, for the help: narrower or wider ones take for ever
# A terminal that is closed sends SIGHUP, which Windows does not have.
_ENDS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Run a command: print an error of the user's as one line on stderr, and end with status 1.

    The user's are what the package raises for bad arguments and files: ValueError, OSError and
    Gymnasium's own. Others, which are ours, keep their traceback. Ctrl-C, SIGTERM and SIGHUP end
    with one line, too, and status 130, 143 and 129. What cannot be printed costs the status alone.
    Arguments that are paths may begin with ``~``, also where the shell leaves it.
    """
    before = sys.stdout, sys.stderr
    out, err = Messages(sys.stdout, wait=True), Messages(sys.stderr, wait=False)
    sys.stdout, sys.stderr = out, err
    least, most = _COLUMNS
    if not least <= (columns := shutil.get_terminal_size().columns) <= most:
        os.environ["COLUMNS"] = str(min(max(columns, least), most))
    sys.argv[1:] = map(_at_home, sys.argv[1:])

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in _ENDS if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
        out.flush()
    except KeyboardInterrupt as interrupt:
        if main:
            for number in (signal.SIGINT, *_ENDS):  # it is ending
                signal.signal(number, signal.SIG_IGN)
        _tell("stopped")
        came = next((n for n in interrupt.args if isinstance(n, int)), signal.SIGINT)
        raise SystemExit(128 + came) from None
    except (ValueError, OSError, Error) as error:
        _tell(" ".join(str(error).split()))
        raise SystemExit(1) from None
    finally:
        sys.stdout, sys.stderr = before
        for number in ours:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)
        for stream in (out, err):
            if stream.error is not None:
                stream.abandon()
    if out.error is not None:
        if not isinstance(out.error, BrokenPipeError):  # `| head` has seen enough
            _tell(f"cannot print: {out.error}")
        raise SystemExit(1)


def _at_home(argument: str) -> str:
    """An argument, or the value in ``--name=value``, with ``~`` as the user's home."""
    name, equals, value = argument.partition("=") if argument[:1] == "-" else ("", "", argument)
    return name + equals + os.path.expanduser(value)


def _tell(text: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


def run_command(main: Callable[..., object]) -> None:
    """Run a command with the arguments on the command line, and :func:`one_line_errors`.

    Args:
        main: what it does; its options are its arguments, or what a single one, ``args``, is made
            of: a dataclass, or a union of these, which are subcommands.
    """
    with one_line_errors():
        kind, name = get_type_hints(main, include_extras=True).get("args"), Path(sys.argv[0]).name
        tyro.cli(main, prog=name) if kind is None else main(tyro.cli(kind, prog=name))


class Interrupts:
    """Inside this context the first Ctrl-C, SIGTERM or SIGHUP asks to stop, the next one does.

    Those that are ignored, as under nohup, still are.

    Attributes:
        asked: how many there have been. The second raises KeyboardInterrupt, and no other: what is
            done then to keep something is not broken off.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._held = self._ended = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_ENDS):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        self._end_if_asked()

    def _end_if_asked(self) -> None:
        if self.asked > 1 and not self._held and not self._ended:
            self._ended = True
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """What is done in here is done whole; who has asked twice is heard afterwards."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._end_if_asked()


def require_all(*modules: str) -> None:
    """End with one line if one of these modules is missing; without any, one of the extra "all"."""
    with one_line_errors():
        require(*modules)
