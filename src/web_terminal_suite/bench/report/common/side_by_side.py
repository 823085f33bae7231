"""What every format says of terminals compared with each other: which rows come first, figures and ratios in words."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.bench.report.common import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow

FOOTPRINT = "session_creation/session_memory_footprint"

HIGHLIGHTS = {
    ("interactive/keystroke_echo", "tty", "latency", "p50"): "keystroke echo, p50",
    ("interactive/keystroke_echo", "tty", "latency", "p99"): "keystroke echo, p99",
    ("interactive/keystroke_echo", "tty", "server CPU per key", "level"): "server CPU per key",
    ("interactive/time_to_prompt", "warm", "latency", "p50"): "connect to prompt, p50",
    ("interactive/time_to_prompt", "warm", "latency", "p95"): "connect to prompt, p95",
    ("interactive/output_flood", "10MB", "latency", "p50"): "10 MB of output",
    ("interactive/output_flood", "100MB", "latency", "p50"): "100 MB of output",
    ("interactive/output_flood", "10MB", "server CPU per MB", "level"): "server CPU per MB of output (10 MB)",
    ("interactive/output_flood", "100MB", "server CPU per MB", "level"): "server CPU per MB of output (100 MB)",
    ("interactive/typing_under_flood", "16", "latency", "p95"): "keystroke during 16 floods, p95",
    ("interactive/interrupt_under_flood", "", "latency", "p95"): "Ctrl-C during a flood, p95",
    ("interactive/paste", "1MiB", "latency", "p50"): "paste of 1 MiB",
    (FOOTPRINT, "1000", "server PSS per session", "slope"): "memory per idle session",
    (FOOTPRINT, "1000", "base server PSS", "level"): "memory of the server alone",
}
"""The figures that most readers look for first, in this order, each with its name."""

UNRANKED = (
    "messages", "median message", "largest message", "missed sends", "bytes after Ctrl-C", "flood", "flood client CPU",
)  # fmt: skip
"""Metrics for which neither less nor more is better."""

WIDEST = 100
"""A bound of a ratio beyond this, either way, is not written out: it says only that nothing is known."""


class Standing(StrEnum):
    """Whether a terminal is significantly ahead of the first one or behind it."""

    AHEAD = "ahead"
    BEHIND = "behind"
    NEITHER = ""


class Advantage(NamedTuple):
    """A row on which a terminal is significantly better than the first, and by what factor."""

    line: TerminalRow
    times: float


def standing(line: TerminalRow, figure: Figure) -> Standing:
    """The terminal's standing, by whether the interval of the ratio excludes 1."""
    if figure.ratio is None or line.metric in UNRANKED or figure.lower <= 1 <= figure.upper:
        return Standing.NEITHER
    return Standing.AHEAD if (figure.upper < 1) == line.better_below else Standing.BEHIND


def highlights(found: TerminalComparison) -> Iterator[tuple[str, TerminalRow]]:
    """The rows of ``HIGHLIGHTS`` that the run has, each with its name."""
    lines = {(line.benchmark, line.parameter, line.metric, line.statistic): line for line in found.lines}
    for key, words in HIGHLIGHTS.items():
        if key in lines:
            yield words, lines[key]


def advantages(found: TerminalComparison, name: str) -> list[Advantage]:
    """Where terminal ``name`` is significantly ahead of the first, the largest difference first."""
    made = []
    for line in found.lines:
        figure = line.figures.get(name)
        if figure is not None and figure.ratio and standing(line, figure) is Standing.AHEAD:
            made.append(Advantage(line, 1 / figure.ratio if line.better_below else figure.ratio))
    return sorted(made, key=lambda each: -each.times)


def score(found: TerminalComparison, name: str) -> tuple[int, int, int]:
    """On how many rows terminal ``name`` is significantly ahead of the first, behind it, and neither."""
    sides = [
        standing(line, figure)
        for line in found.lines
        if line.metric not in UNRANKED and (figure := line.figures.get(name)) is not None and figure.ratio is not None
    ]
    return sides.count(Standing.AHEAD), sides.count(Standing.BEHIND), sides.count(Standing.NEITHER)


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
    """Metric and statistic, the obvious left out."""
    parts = (
        "" if line.metric == "latency" else line.metric,
        "" if line.statistic in ("level", "slope") else line.statistic,
    )
    return " ".join(part for part in parts if part)
