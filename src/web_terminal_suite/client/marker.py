"""Shell lines whose end is seen by output that only running them can give.

A literal marker is in the terminal's echo already, so each line computes its marker from two halves that are never
next to each other in what was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random

# The line discipline truncates a longer line in canonical mode (N_TTY_BUF_SIZE - 1, n_tty.c).
LINE_LIMIT_BYTES = 4095


class Marker(NamedTuple):
    """Two halves; ``seen`` is what the shell makes of them."""

    left: str
    right: str

    @property
    def seen(self) -> bytes:
        return (self.left + self.right).encode()

    @property
    def command(self) -> str:
        """The line that prints the marker, in any shell with a ``printf``."""
        return f"printf '%s%s' {self.left} {self.right}"


class Markers:
    """Fresh markers out of a seeded source of randomness; no two are alike and none contains another's halves."""

    def __init__(self, source: random.Random) -> None:
        self._prefix = f"{source.getrandbits(24):06x}"
        self._count = 0

    def fresh(self) -> Marker:
        self._count += 1
        return Marker(f"Q{self._prefix}", f"z{self._count:x}Z")


def wrapped(line: str, begin: Marker, end: Marker) -> str:
    """``line`` between two markers, its exit status behind the second one, up to a semicolon.

    ``command eval`` runs the text as it would have been typed, comments and syntax errors included, and keeps what
    follows running. For POSIX shells.

    Raises:
        ValueError: a newline, or more than the terminal takes in one line.
    """
    if "\n" in line or "\r" in line:
        raise ValueError("a line to run must not hold a newline; send several with input()")
    quoted = line.replace("'", "'\\''")
    whole = f" {begin.command}; command eval '{quoted}'; printf '%s%s%s;' {end.left} {end.right} \"$?\""
    if len(whole.encode()) > LINE_LIMIT_BYTES:
        raise ValueError(
            f"the line is {len(whole.encode())} bytes with its markers, and a terminal takes {LINE_LIMIT_BYTES}"
        )
    return whole
