"""The terminals of a run compared as aligned lines: a figure in each column, and its ratio to the first terminal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from web_terminal_suite.bench.report.common import side_by_side, units
from web_terminal_suite.bench.report.common.side_by_side import Standing

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow

STATISTICS = ("p50", "p95", "level", "slope")
"""Those that a terminal is wide enough for; files have the others."""
GAP = 2
STYLES = {Standing.AHEAD: "yellow", Standing.BEHIND: "green", Standing.NEITHER: "dim"}
"""Green where the first terminal is significantly ahead, yellow where the other is."""


def print_terminals(to: Console, found: TerminalComparison) -> None:
    """Print one table for each suite; a ratio is coloured where its interval excludes 1."""
    share = units.level(found.level)
    first, *others = found.terminals
    title = f"Compared with {first}  figure and ratio to {first}'s; coloured where its {share} interval excludes 1"
    to.print(Text(title, style="bold"), soft_wrap=True)
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
    return f"{line.benchmark.partition('/')[2]}{parameter} {side_by_side.statistic(line)}".rstrip()


def _cell(line: TerminalRow, figure: Figure | None, is_first: bool) -> Text:
    if figure is None:
        return Text(units.MISSING, style="dim")
    value = units.quantity(figure.value, line.unit)
    failed = f" {figure.failed} failed" if figure.failed else ""
    if is_first or figure.ratio is None:
        return Text.assemble(value, (failed, "red"))
    return Text.assemble(
        value, " ", (side_by_side.ratio(figure), STYLES[side_by_side.standing(line, figure)]), (failed, "red")
    )


def _print_line(to: Console, name: Text, cells: list[Text], widths: list[int]) -> None:
    line = Text("  ").append_text(name).append(" " * (widths[0] - name.cell_len))
    for cell, width in zip(cells, widths[1:], strict=True):
        line.append(" " * (GAP + width - cell.cell_len)).append_text(cell)
    line.rstrip()
    to.print(line, soft_wrap=True)
