"""RepeatedLine that pages are flooded with, as a line that a POSIX shell runs. Pure.

Each kind is one line of its own over and over. Behind the last the screen turns blue, which pictures tell from text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLEARED: Final = r"\033[m\033[H\033[2J"
"""The screen empty, as ``printf`` writes it."""

BLUE: Final = r"\033[44m\033[H\033[2J"
"""The screen blue: what is erased takes the background that is set (ECMA-48 leaves it open; xterm and xterm.js do)."""

FUNCTION: Final = "o"
"""What the shell calls the output by, once it is defined. Its two arguments are printed behind it, as one word."""

_WORDS: Final = "The quick brown fox jumps over the lazy dog 0123456789"


@dataclass(frozen=True)
class RepeatedLine:
    """One kind: ``line`` as ``printf`` writes it, and the bytes it is of."""

    line: str

    def lines(self, size_bytes: int) -> int:
        """Of ``size_bytes``, those that a terminal adds at line ends included."""
        return size_bytes // (len(written(self.line)) + len(b"\r\n"))

    def definition(self, size_bytes: int) -> str:
        """The shell function that writes so much of it, turns the screen blue, and prints its arguments there."""
        return (
            f"{FUNCTION}() {{ printf '{CLEARED}'; yes \"$(printf '{self.line}')\" 2>/dev/null | "
            f"head -n {self.lines(size_bytes)}; printf '{BLUE}'; printf '%s%s' \"$1\" \"$2\"; }}"
        )


def written(text: str) -> bytes:
    """What ``printf`` writes for ``text``, which has no directive but octal escapes."""
    first, *rest = text.split("\\")
    return first.encode() + b"".join(bytes((int(each[:3], 8),)) + each[3:].encode() for each in rest)


def _octal(text: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in text.encode())


def _coloured(words: str) -> str:
    """Each word in the next of six colours, as a build prints them."""
    return " ".join(rf"\033[3{1 + place % 6}m{word}\033[m" for place, word in enumerate(words.split()))


OUTPUTS: Final = {
    "text": RepeatedLine(f"{_WORDS} {_WORDS[:23]}"),
    "colour": RepeatedLine(_coloured(_WORDS)),
    "wide": RepeatedLine(_octal("終端の画面に漢字を書く" * 3)),
}

BARS: Final = "".join(rf"\033[7m{' ' * (6 * (7 * place % 11) + 3)}\033[m\012" for place in range(11))[:-4]
"""Eleven lines, each a bar of another length, so that a picture tells how far they were scrolled."""
