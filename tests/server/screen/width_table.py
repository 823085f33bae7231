"""The table of character widths; ``python -m tests.server.screen.width_table`` writes it from the Unicode database.

The rules are those by which glibc makes its table from the same data (wcwidth in a UTF-8 locale). ``unicodedata2``
carries the database of the Unicode version in its own version number; that of Python changes with Python.
"""

from __future__ import annotations

import itertools
import json
import pathlib
from typing import Any

import unicodedata2

TABLE = pathlib.Path(__file__).parents[3] / "src/web_terminal_suite/server/screen/character_widths.json"

_SOFT_HYPHEN = 0x00AD
# Prepended_Concatenation_Mark of PropList.txt: format characters that are drawn.
_PREPENDED = {*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD}
# Hangul vowels and final consonants, which join the consonant before them (Hangul_Syllable_Type V and T).
_JAMO = {*range(0x1160, 0x1200), *range(0xD7B0, 0xD7C7), *range(0xD7CB, 0xD7FC)}
# Controls, marks without a cell, format characters, line and paragraph separators.
_ZERO = {"Cc", "Mn", "Me", "Cf", "Zl", "Zp"}


def width(codepoint: int) -> int:
    """Cells of one code point by the rules above."""
    character = chr(codepoint)
    if codepoint in _PREPENDED or codepoint == _SOFT_HYPHEN:
        return 1
    if codepoint in _JAMO or unicodedata2.category(character) in _ZERO:
        return 0
    # Emoji that are drawn in colour by default are wide in EastAsianWidth.txt since Unicode 9.
    return 2 if unicodedata2.east_asian_width(character) in ("W", "F") else 1


def table() -> dict[str, Any]:
    """The table as it must be in the file."""
    ranges: dict[int, list[list[int]]] = {0: [], 1: [], 2: []}
    for cells, run in itertools.groupby(range(0x110000), width):
        codepoints = list(run)
        ranges[cells].append([codepoints[0], codepoints[-1]])
    return {"unicode": unicodedata2.unidata_version, "zero": ranges[0], "wide": ranges[2]}


def text() -> str:
    """The file: one range a line, so that a new Unicode version is a readable difference."""
    parts = [f'"unicode": {json.dumps(table()["unicode"])}']
    for name in ("zero", "wide"):
        lines = ",\n".join(f"    {json.dumps(each)}" for each in table()[name])
        parts.append(f'"{name}": [\n{lines}\n  ]')
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


if __name__ == "__main__":
    TABLE.write_text(text(), encoding="ascii")
