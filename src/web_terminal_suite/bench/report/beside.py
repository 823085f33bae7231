"""What every format says of terminals beside each other: which lines come first, how a figure and a ratio are put."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.bench.report import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow

FOOTPRINT = "session_creation/session_memory_footprint"

IN_SHORT = {
    ("interactive/keystroke_echo", "tty", "latency", "p50"): "keystroke echo, p50",
    ("interactive/keystroke_echo", "tty", "latency", "p99"): "keystroke echo, p99",
    ("interactive/keystroke_echo", "tty", "server CPU per key", "level"): "server CPU for a key",
    ("interactive/time_to_prompt", "warm", "latency", "p50"): "dial to prompt, p50",
    ("interactive/time_to_prompt", "warm", "latency", "p95"): "dial to prompt, p95",
    ("interactive/output_flood", "10MB", "latency", "p50"): "10 MB of output",
    ("interactive/output_flood", "100MB", "latency", "p50"): "100 MB of output",
    ("interactive/output_flood", "10MB", "server CPU per MB", "level"): "server CPU for a MB of output (of 10)",
    ("interactive/output_flood", "100MB", "server CPU per MB", "level"): "server CPU for a MB of output (of 100)",
    ("interactive/typing_under_flood", "16", "latency", "p95"): "keystroke beside 16 floods, p95",
    ("interactive/interrupt_under_flood", "", "latency", "p95"): "Ctrl-C in a flood, p95",
    ("interactive/paste", "1MiB", "latency", "p50"): "paste of 1 MiB",
    (FOOTPRINT, "1000", "server PSS per session", "slope"): "memory for an idle session",
    (FOOTPRINT, "1000", "base server PSS", "level"): "memory of the server alone",
}
"""What most people ask first, in this order: benchmark, parameter, metric and statistic, and what to call them."""

NO_RIVALRY = (
    "messages", "median message", "largest message", "missed sends", "bytes after Ctrl-C", "flood", "flood client CPU",
)  # fmt: skip
"""Metrics of which neither less nor more is better."""

WIDEST = 100
"""A bound of a ratio beyond this, either way, is not written out: it says that nothing is known."""


class Side(StrEnum):
    """Where another terminal stands, for certain, seen from it."""

    AHEAD = "ahead"
    BEHIND = "behind"
    NEITHER = ""


class Lead(NamedTuple):
    """A line on which one terminal leads the first, and by how much: 2 is twice as good."""

    line: TerminalRow
    times: float


def side(line: TerminalRow, figure: Figure) -> Side:
    """Where the interval is clear of 1, who is ahead."""
    if figure.ratio is None or line.metric in NO_RIVALRY or figure.lower <= 1 <= figure.upper:
        return Side.NEITHER
    return Side.AHEAD if (figure.upper < 1) == line.better_below else Side.BEHIND


def in_short(found: TerminalComparison) -> Iterator[tuple[str, TerminalRow]]:
    """The lines of ``IN_SHORT`` that the run has, each with its words."""
    lines = {(line.benchmark, line.parameter, line.metric, line.statistic): line for line in found.lines}
    for key, words in IN_SHORT.items():
        if key in lines:
            yield words, lines[key]


def leads(found: TerminalComparison, name: str) -> list[Lead]:
    """Where terminal ``name`` is ahead of the first, the largest difference first."""
    made = []
    for line in found.lines:
        figure = line.figures.get(name)
        if figure is not None and figure.ratio and side(line, figure) is Side.AHEAD:
            made.append(Lead(line, 1 / figure.ratio if line.better_below else figure.ratio))
    return sorted(made, key=lambda each: -each.times)


def score(found: TerminalComparison, name: str) -> tuple[int, int, int]:
    """On how many lines terminal ``name`` is ahead of the first, behind it, and neither for certain."""
    sides = [
        side(line, figure)
        for line in found.lines
        if line.metric not in NO_RIVALRY and (figure := line.figures.get(name)) is not None and figure.ratio is not None
    ]
    return sides.count(Side.AHEAD), sides.count(Side.BEHIND), sides.count(Side.NEITHER)


def value(line: TerminalRow, figure: Figure) -> str:
    """The figure in its unit, and as a rate where an operation has elements."""
    words = units.quantity(figure.value, line.unit)
    rate = rate_of(line, figure)
    return f"{words}, {rate}" if rate else words


def rate_of(line: TerminalRow, figure: Figure) -> str:
    """Elements a second, where an operation has elements; else nothing."""
    if line.elements is None or not figure.value:
        return ""
    return units.quantity(line.elements / figure.value * 1e9, f"{line.element_unit}/s")


def ratio(figure: Figure) -> str:
    """The ratio to the first terminal's figure, as ``1.23x``; empty where there is none."""
    return "" if figure.ratio is None else f"{_bound(figure.ratio)}x"


def bounds(figure: Figure) -> str:
    """The ratio's interval; empty where there is none."""
    return "" if figure.ratio is None else f"{_bound(figure.lower)} … {_bound(figure.upper)}"


def _bound(number: float) -> str:
    if number > WIDEST:
        return f"> {WIDEST}"
    return f"< {1 / WIDEST:g}" if number < 1 / WIDEST else f"{number:.2f}"


def statistic(line: TerminalRow) -> str:
    """Metric and statistic, what goes without saying left out."""
    parts = (
        "" if line.metric == "latency" else line.metric,
        "" if line.statistic in ("level", "slope") else line.statistic,
    )
    return " ".join(part for part in parts if part)
