"""Markdown as GitHub reads it: cells, tables and sentences out of any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], listed: Iterable[Sequence[str]]) -> str:
    """A table without the columns that are empty throughout."""
    lines = [[text(cell) for cell in row] for row in listed]
    kept = [
        place
        for place in range(len(heads))
        if place == 0 or any(row[place] not in ("", units.MISSING) for row in lines)
    ]
    out = [[heads[place] for place in kept], ["---" for _ in kept], *([row[place] for place in kept] for row in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in out)


def text(text: str) -> str:
    """One line that cannot end a cell and starts no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
