"""How text fits a terminal: cells in columns, names that break where their parts meet, sentences with an indent.

Nothing is wider than the console. What does not fit goes on in the next line, further to the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from rich.console import Console

INDENT = GAP = 2
NARROWEST = 20
"""Columns that a sentence gets at least."""


def total(widths: Mapping[str, int]) -> int:
    """Columns that a line of these cells takes."""
    return INDENT + sum(widths.values()) + GAP * (len(widths) - 1)


def print_cells(to: Console, cells: Mapping[str, Text], widths: Mapping[str, int], right: Container[str]) -> None:
    """One line of aligned cells, without blanks at its end; where that is too wide, it goes on between two cells.

    Args:
        right: the columns that are aligned to the right.
    """
    line = Text(" " * INDENT)
    for name, width in widths.items():
        cell = cells.get(name, Text())
        blank = " " * (width - cell.cell_len)
        padded = Text.assemble(blank, cell) if name in right else Text.assemble(cell, blank)
        if cell and line.cell_len + padded.cell_len > to.width and line.plain.strip():
            line.rstrip()
            to.print(line, soft_wrap=True)
            line, padded = Text(" " * 2 * INDENT), cell.copy()
        line.append_text(padded).append(" " * GAP)
    line.rstrip()
    to.print(line, soft_wrap=True)


def print_name(to: Console, name: str, style: str = "bold cyan") -> None:
    """The name of a benchmark, or of a cell, on a line of its own; a long one breaks before its parts."""
    for line in broken(name, to.width):
        to.print(Text(line, style=style), soft_wrap=True)


def broken(name: str, width: int) -> list[str]:
    """The lines of a name: as few as ``width`` columns allow, broken after ``/`` and blanks."""
    lines = [""]
    for part in name.replace("/", "/\0").replace(" ", " \0").split("\0"):
        if len((lines[-1] + part).rstrip()) <= width or not lines[-1].strip():
            lines[-1] += part
        else:
            lines.append(" " * INDENT + part)
    return [line.rstrip() for line in lines]


def print_sentence(to: Console, text: Text, indent: int = 0) -> None:
    """``text`` between words where it is too long; its further lines are indented by ``INDENT`` more."""
    room = max(NARROWEST, to.width - indent)
    first, *_ = text.wrap(to, room)
    rest = text[len(first.plain) :].copy() if len(first.plain) < len(text.plain) else Text()
    first.rstrip()
    to.print(Text.assemble(" " * indent, first), soft_wrap=True)
    if not rest.plain.strip():
        return
    blanks = len(rest.plain) - len(rest.plain.lstrip())
    for line in rest[blanks:].wrap(to, max(NARROWEST, room - INDENT)):
        line.rstrip()
        to.print(Text.assemble(" " * (indent + INDENT), line), soft_wrap=True)
