"""Text of others, fit for a terminal: what a terminal would obey is shown as a replacement character instead."""

from __future__ import annotations

import re
from typing import Final

_OBEYED: Final = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""C0 but tab and the ends of lines, DEL, C1 (ECMA-48), line separators, ``Bidi_Control`` (UAX 9), surrogates."""

SHOWN: Final = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """``text`` without escape codes, other control characters and bidirectional controls; tabs and lines stay."""
    return _OBEYED.sub(SHOWN, text)


def printable_json(document: str) -> str:
    """The same JSON, in which all that ``printable`` replaces is an escape sequence of JSON and so loses nothing."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
