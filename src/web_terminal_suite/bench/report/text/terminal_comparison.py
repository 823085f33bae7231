"""The terminals of a run compared as aligned lines: a figure in each column, and its ratio to the first terminal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from web_terminal_suite.bench.report.common import side_by_side, units
from web_terminal_suite.bench.report.common.side_by_side import Standing
from web_terminal_suite.bench.report.text import layout

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow

STATISTICS = ("p50", "p95", "level", "slope")
"""Those that a terminal is wide enough for; files have the others."""
NAME = "\0"
"""The column of the row's name, which no terminal has."""
STYLES = {Standing.AHEAD: "yellow", Standing.BEHIND: "green", Standing.NEITHER: "dim"}
"""Green where the first terminal is significantly ahead, yellow where the other is."""


def print_terminals(to: Console, found: TerminalComparison) -> None:
    """Print one table for each suite; a ratio is coloured where its interval excludes 1.

    Where the terminals do not fit next to each other, they stand below each other.
    """
    share = units.level(found.level)
    first = found.terminals[0]
    title = f"Compared with {first}  figure and ratio to {first}'s; coloured where its {share} interval excludes 1"
    layout.print_sentence(to, Text(title, style="bold"))
    lines = [line for line in found.lines if line.statistic in STATISTICS]
    rows = [{name: _cell(line, line.figures.get(name), name == first) for name in found.terminals} for line in lines]
    widths = {NAME: max((len(_name(line)) for line in lines), default=0)}
    widths |= {name: max(len(name), *(row[name].cell_len for row in rows)) if rows else 0 for name in found.terminals}
    is_narrow = layout.total(widths) > to.width
    if not is_narrow:
        head = {name: Text(name, style="dim") for name in found.terminals}
        layout.print_cells(to, head, widths, found.terminals)
    above = ""
    for line, row in zip(lines, rows, strict=True):
        suite = line.benchmark.partition("/")[0]
        if suite != above:
            to.print(Text(suite, style="bold cyan"))
            above = suite
        if is_narrow:
            _print_below(to, _name(line), row)
        else:
            layout.print_cells(to, {NAME: Text(_name(line)), **row}, widths, found.terminals)
    to.print()


def _print_below(to: Console, name: str, row: dict[str, Text]) -> None:
    """A row of the table as lines: its name, then one for each terminal."""
    layout.print_sentence(to, Text(name), layout.INDENT)
    widths = {NAME: max(map(len, row)) + layout.INDENT, "": max(cell.cell_len for cell in row.values())}
    for terminal, cell in row.items():
        cells = {NAME: Text.assemble(" " * layout.INDENT, (terminal, "dim")), "": cell}
        layout.print_cells(to, cells, widths, ())


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
