"""The table of widths: what it was made from, a corpus of text, and where the C library of this machine differs."""

from __future__ import annotations

import ctypes
import itertools
import json
import locale
import pathlib

import pytest
import unicodedata2

from tests.server.screen import width_table
from web_terminal_suite.server.screen.character_widths import UNICODE_VERSION, character_width, text_width

CORPUS = json.loads((pathlib.Path(__file__).parents[2] / "vectors/character_widths.json").read_text())

# What newer Unicode versions changed of characters that the C library already knows, and one choice of glibc's own.
EXPLAINED = {
    "a mark or format character of another width": {0x1171E},
    "wide since Unicode 16": {*range(0x2630, 0x2638), *range(0x268A, 0x2690), *range(0x4DC0, 0x4E00),
                              *range(0x1D300, 0x1D357), *range(0x1D360, 0x1D377)},
    "ambiguous in Unicode, wide in glibc": set(range(0x3248, 0x3250)),
}  # fmt: skip


def test_the_table_is_what_the_unicode_database_gives():
    assert width_table.TABLE.read_text() == width_table.text(), "write it with: make widths"
    assert unicodedata2.unidata_version == UNICODE_VERSION


def test_every_code_point_has_the_width_of_the_database():
    assert all(character_width(codepoint) == width_table.width(codepoint) for codepoint in range(0x110000))


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["what"])
def test_text_takes_the_cells_of_the_corpus(row):
    assert text_width(row["text"]) == row["cells"]


def test_the_c_library_differs_only_where_unicode_versions_do(record_property):
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        pytest.skip("this C library has no locale C.UTF-8")
    try:
        wcwidth = ctypes.CDLL(None).wcwidth
        library = [wcwidth(codepoint) for codepoint in range(0x110000)]
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    differences = [
        codepoint
        for codepoint in range(0x110000)
        # Controls, surrogates and unassigned code points have no width in C. A character that the library does not
        # know (-1) is newer than the library.
        if unicodedata2.category(chr(codepoint)) not in ("Cc", "Cs", "Cn")
        and library[codepoint] not in (-1, character_width(codepoint))
    ]
    listing = [f"{text}: table {ours}, C library {theirs}" for text, ours, theirs in _runs(differences, library)]
    record_property("differences", "; ".join(listing))
    print("\n".join(listing))
    unexplained = set(differences).difference(*EXPLAINED.values())
    assert {hex(codepoint) for codepoint in unexplained} == set()


def _runs(codepoints: list[int], library: list[int]) -> list[tuple[str, int, int]]:
    """Neighbours of the same two widths as one range."""

    def key(numbered: tuple[int, int]) -> tuple[int, int, int]:
        at, codepoint = numbered
        return codepoint - at, character_width(codepoint), library[codepoint]

    runs = []
    for (_, ours, theirs), run in itertools.groupby(enumerate(codepoints), key):
        members = [codepoint for _, codepoint in run]
        runs.append((f"U+{members[0]:04X}..U+{members[-1]:04X}", ours, theirs))
    return runs
