"""What all commands share: one line instead of a traceback, paths, signals, messages."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from gymnasium.error import Error
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from strokenet_gym.extras import require
from strokenet_gym.files import user_path
from strokenet_gym.messages import Messages

__all__ = ["Interrupts", "one_line_errors", "require_all"]

_COLUMNS = 40, 500  # of a terminal, for the help: narrower or wider ones take for ever
# A terminal that is closed sends SIGHUP, which Windows does not have.
_ENDS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
_ARGUMENTS = ConstructorRegistry()
_came: list[int] = []  # signals that end the command, for one that runs in another too


@_ARGUMENTS.primitive_rule
def _path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
    """Arguments that are paths may have ``~``, wherever the shell leaves it."""
    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda texts: user_path(texts[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Run a command: print an error of the user's as one line on stderr, and end with status 1.

    The user's are what the package raises for bad arguments and files: ValueError, OSError and
    Gymnasium's own. Others, which are ours, keep their traceback. Ctrl-C, SIGTERM and SIGHUP end
    with one line, too, and status 130, 143 and 129. What cannot be printed costs the status alone.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Messages(sys.stdout, wait=True), Messages(sys.stderr, wait=False)
    least, most = _COLUMNS
    if not least <= (columns := shutil.get_terminal_size().columns) <= most:
        os.environ["COLUMNS"] = str(min(max(columns, least), most))

    def end(number: int, frame: FrameType | None) -> None:
        _came.append(number)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    ours = [number for number in _ENDS if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        with _ARGUMENTS:
            yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        if main:
            for number in (signal.SIGINT, *_ENDS):  # it is ending
                signal.signal(number, signal.SIG_IGN)
        _tell("stopped")
        raise SystemExit(128 + (_came or [signal.SIGINT])[0]) from None
    except (ValueError, OSError, Error) as error:
        _tell(" ".join(str(error).split()))
        raise SystemExit(1) from None
    finally:
        out, err = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
        for number in ours:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)
        if ours:
            _came.clear()
        for stream in (out, err):
            if isinstance(stream, Messages) and stream.error is not None:
                stream.abandon()
    if isinstance(out, Messages) and out.error is not None:
        if not isinstance(out.error, BrokenPipeError):  # `| head` has seen enough
            print(f"{Path(sys.argv[0]).name}: cannot print: {out.error}", file=sys.stderr)
        raise SystemExit(1)


def _tell(text: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


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
    """What a script begins with: end with one line if one of these modules is missing, or of all.

    All are those of the extra "all" that scripts use.
    """
    with one_line_errors():
        require(*modules)
