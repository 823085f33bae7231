"""Standard output and standard error that never end a command with a traceback.

Standard output encodes whatever it is given, ends the program where its reader is gone, and says where it cannot be
written. What happens to standard error changes nothing: the lines there only accompany what a command does.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Final, NoReturn, TextIO

INTERRUPTED: Final = 130
"""What a shell reports for a program that SIGINT ended."""

READER_GONE: Final = 141
"""What a shell reports for a program that SIGPIPE ended."""


class ReaderGone(SystemExit):
    """The reader of standard output is gone; the program ends as SIGPIPE ends one."""


class OutputFailed(Exception):
    """Standard output cannot be written to; the text says why."""


def prepare() -> None:
    """Replace the standard streams of this process."""
    # Closed by the shell that started this program (``>&-``).
    sys.stdout = _Output.around(sys.stdout) if sys.stdout else open(os.devnull, "w")  # noqa: SIM115  # until the end
    sys.stderr = _Accompaniment.around(sys.stderr) if sys.stderr else open(os.devnull, "w")  # noqa: SIM115


def print_json(document: str) -> None:
    """Print one JSON object; nothing in it reaches a terminal but what can be seen, and nothing is lost."""
    from web_terminal_suite.bench.printable import printable_json

    print(printable_json(document))


class _Stream(io.TextIOWrapper):
    """A text stream over the buffer of another, for which ``_failed`` decides what an error amounts to."""

    @classmethod
    def around(cls, stream: TextIO) -> TextIO:
        # A character that the encoding lacks is one question mark: as wide as what it stands for.
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.isatty() or cls is _Accompaniment,
        )

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        raise NotImplementedError


class _Output(_Stream):
    def _failed(self, error: OSError) -> NoReturn:
        # What is buffered would fail again when the interpreter ends.
        _lead_nowhere(self)
        if isinstance(error, BrokenPipeError):
            raise ReaderGone(READER_GONE) from error
        raise OutputFailed(f"cannot write standard output: {error.strerror}") from error


class _Accompaniment(_Stream):
    def _failed(self, error: OSError) -> None:
        _lead_nowhere(self)


def _lead_nowhere(stream: TextIO) -> None:
    """Let the descriptor of ``stream`` take everything and keep nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
