"""Messages to people: one may be lost, but none costs the work that it tells of."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import Any

__all__ = ["Messages", "stderr"]

_PIECE = 1000  # characters: a pipe that takes any takes so many
_TIMEOUT = 1.0  # seconds for a reader to make room, once


class Messages:
    """A text stream that keeps its first error in ``error`` instead of raising it.

    Args:
        stream: what it writes to; None (as ``sys.stderr`` may be) for nothing.
        wait: whether to wait for ever for a reader; else what is not read is lost.
    """

    def __init__(self, stream: Any, wait: bool) -> None:
        self._stream, self._wait = io.StringIO() if stream is None else stream, wait
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """Write what can be written; what has no character is escaped."""
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            if not (self._wait or self._has_room()):
                self.error = self.error or TimeoutError("nobody reads what is written")
                break
            with self._errors_kept():
                try:
                    self._stream.write(piece)
                except UnicodeEncodeError as error:
                    code = error.encoding
                    self._stream.write(piece.encode(code, "backslashreplace").decode(code))
        return len(text)

    def flush(self) -> None:
        """Hand on what has been written."""
        with self._errors_kept():
            self._stream.flush()

    def abandon(self) -> None:
        """Discard what could not be written, which Python would try again when it ends."""
        with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), self._stream.fileno())

    @contextlib.contextmanager
    def _errors_kept(self) -> Any:
        try:
            yield
        except (OSError, ValueError) as error:  # full, closed or without a reader
            self.error = self.error or error

    def _has_room(self) -> bool:
        try:
            return bool(select.select([], [self._stream], [], 0 if self.error else _TIMEOUT)[1])
        except (OSError, ValueError):  # no file, or one that cannot be asked
            return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def stderr() -> Any:
    """``sys.stderr`` for messages; a command's is so already."""
    return sys.stderr if isinstance(sys.stderr, Messages) else Messages(sys.stderr, wait=False)
