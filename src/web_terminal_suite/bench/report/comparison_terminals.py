"""Terminals beside each other as aligned lines: a figure in each column, and its ratio to the first terminal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from web_terminal_suite.bench.report import beside, units
from web_terminal_suite.bench.report.beside import Side

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow

STATISTICS = ("p50", "p95", "level", "slope")
"""What a terminal is wide enough for; files have the rest."""
GAP = 2
STYLES = {Side.AHEAD: "yellow", Side.BEHIND: "green", Side.NEITHER: "dim"}
"""Green where the first terminal is ahead for certain, yellow where the other is."""


def print_beside(to: Console, found: TerminalComparison) -> None:
    """One table for each suite; a ratio is coloured where its interval leaves 1 out."""
    share = units.share(found.level)
    first, *others = found.terminals
    to.print(Text(f"Beside {first}  figure, and ratio to {first}'s; coloured where its {share} interval is clear of 1",
                  style="bold"), soft_wrap=True)  # fmt: skip
    lines = [line for line in found.lines if line.statistic in STATISTICS]
    names = [_name(line) for line in lines]
    cells = [[_cell(line, line.figures.get(name), name == first) for name in found.terminals] for line in lines]
    head = [Text(name, style="dim") for name in (first, *others)]
    widths = [max(len(name) for name in ["", *names])]
    widths += [max(each.cell_len for each in column) for column in zip(head, *cells, strict=True)]
    _print_line(to, Text(""), head, widths)
    above = ""
    for line, name, row in zip(lines, names, cells, strict=True):
        suite = line.benchmark.partition("/")[0]
        if suite != above:
            to.print(Text(suite, style="bold cyan"))
            above = suite
        _print_line(to, Text(name), row, widths)
    to.print()


def _name(line: TerminalRow) -> str:
    parameter = f"/{line.parameter}" if line.parameter else ""
    return f"{line.benchmark.partition('/')[2]}{parameter} {beside.statistic(line)}".rstrip()


def _cell(line: TerminalRow, figure: Figure | None, is_first: bool) -> Text:
    if figure is None:
        return Text(units.MISSING, style="dim")
    value = units.quantity(figure.value, line.unit)
    failed = f" {figure.failed} failed" if figure.failed else ""
    if is_first or figure.ratio is None:
        return Text.assemble(value, (failed, "red"))
    return Text.assemble(value, " ", (beside.ratio(figure), STYLES[beside.side(line, figure)]), (failed, "red"))


def _print_line(to: Console, name: Text, cells: list[Text], widths: list[int]) -> None:
    line = Text("  ").append_text(name).append(" " * (widths[0] - name.cell_len))
    for cell, width in zip(cells, widths[1:], strict=True):
        line.append(" " * (GAP + width - cell.cell_len)).append_text(cell)
    line.rstrip()
    to.print(line, soft_wrap=True)
