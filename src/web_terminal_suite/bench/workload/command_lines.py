"""Command lines of an exact length, each with an output that a shell must compute."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTHS: Final = ("10", "50", "100", "500", "1000")
"""Characters; the shortest is the shortest there can be."""

DEFINITION: Final = b'm() { printf \'%s%s\' "$1" "$2"; }'
"""Typed once in a session. ``m LEFT RIGHT`` fits into ten characters; the function ignores what follows."""


class CommandLine(NamedTuple):
    """``line`` without its end; ``output`` is in no echo of it."""

    line: bytes
    output: bytes


def command_lines(length: int) -> Iterator[CommandLine]:
    """Endless lines of ``length`` characters, the same for the same length."""
    words = _words(random.Random(str(length)))
    while True:
        left, right = next(words), next(words)
        line = f"m {left} {right}x".encode()
        if length > len(line):
            line += b" " + b"x" * (length - len(line) - 1)
        yield CommandLine(line, f"{left}{right}x".encode())


def _words(source: random.Random) -> Iterator[str]:
    """Endless words of three letters, no pair of which comes twice in a row."""
    while True:
        yield "".join(source.choices(string.ascii_uppercase + string.digits, k=3))
