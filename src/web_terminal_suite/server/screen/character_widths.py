"""How many cells a character takes, from the table that the page uses too.

The table ``character_widths.json`` holds the code points of width 0 and 2 as ranges; all others take one cell. ``make
widths`` writes it from the Unicode Character Database. A character of width 0 joins the cell before the cursor.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from importlib.resources import files
from typing import Final

_TABLE: Final = json.loads(files(__package__).joinpath("character_widths.json").read_text(encoding="ascii"))

UNICODE_VERSION: Final[str] = _TABLE["unicode"]

# First and last code point, and the cells that each takes.
RANGES: Final[list[tuple[int, int, int]]] = sorted(
    (first, last, width) for name, width in (("zero", 0), ("wide", 2)) for first, last in _TABLE[name]
)
_STARTS: Final = [first for first, _, _ in RANGES]


def character_width(codepoint: int) -> int:
    """0, 1 or 2 cells."""
    at = bisect_right(_STARTS, codepoint) - 1
    if at >= 0 and codepoint <= RANGES[at][1]:
        return RANGES[at][2]
    return 1


def text_width(text: str) -> int:
    """The cells of ``text``, as a shell counts them: the sum over its characters."""
    return sum(character_width(ord(character)) for character in text)
