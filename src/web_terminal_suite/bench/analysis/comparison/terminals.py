"""The terminals of one run compared with its first: one line a figure, one column a terminal.

The ratios are those of ``comparison``, another terminal's figure over the first one's, block by block where they were
interleaved. Each interval stands for itself: this is a table to read, not a family of tests, and nothing is corrected.
"""

from __future__ import annotations

import math

import msgspec

from web_terminal_suite.bench.analysis.comparison.counts import OPERATIONS
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_terminals
from web_terminal_suite.bench.analysis.results import Analysis, Result
from web_terminal_suite.bench.samples import BenchmarkFacts, Run

# p99 is where people feel it; a run too short for it says so.
STATISTICS = ("p50", "p95", "p99")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One terminal's figure. ``ratio`` is over the first terminal's, with its interval; ``None`` where there is none.

    ``failed`` of ``n`` operations failed, most of them by ``failure``. ``floor`` is the ratio to the floor, where the
    benchmark has one. ``reason`` says why the figure or its ratio is missing, or else what taints it.
    """

    value: float | None = None
    ratio: float | None = None
    lower: float = 0.0
    upper: float = math.inf
    floor: float | None = None
    n: int = 0
    failed: int = 0
    client_share: float | None = None
    failure: str = ""
    reason: str = ""


class TerminalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of one metric. ``elements`` of ``element_unit`` are in one operation, where it has a throughput."""

    benchmark: str
    parameter: str
    metric: str
    statistic: str
    unit: str
    better_below: bool
    figures: dict[str, Figure]
    elements: int | None = None
    element_unit: str = ""


class TerminalComparison(msgspec.Struct, frozen=True, kw_only=True):
    """``terminals`` in the order they were named, the one all others are compared with first."""

    terminals: tuple[str, ...]
    lines: tuple[TerminalRow, ...]
    level: float


def subjects(run: Run) -> tuple[str, ...]:
    """The judged terminals that could be measured, in the order they were named."""
    return tuple(each.name for each in run.terminals if each.role == "subject" and not each.missing)


def compare_subjects(run: Run, analysis: Analysis, terms: Terms | None = None) -> TerminalComparison:
    """Every figure that at least two of the run's terminals have.

    Raises:
        ValueError: the run measured fewer than two.
    """
    names = subjects(run)
    if len(names) < 2:
        raise ValueError("the run measured one terminal, so there is nothing to compare; name two with --terminal")
    terms = terms or Terms(statistics=STATISTICS, level=analysis.level)
    results = {(each.cell, each.metric.name): each for each in analysis.results}
    facts = {each.id: each for each in run.benchmarks}
    made: dict[tuple[str, str, str, str], dict[str, Figure]] = {}
    rows: dict[tuple[str, str, str, str], ComparisonRow] = {}
    for compared in compare_terminals(run, names[0], names[1:], terms):
        for row in compared.rows:
            if row.metric == OPERATIONS:
                continue  # a figure counts its own failures
            key = (row.base.benchmark, row.base.parameter, row.metric, row.statistic)
            rows.setdefault(key, row)
            figures = made.setdefault(key, {})
            # A row has no values where one of its two sides is too thin, so the first one's may be in a later row.
            if names[0] not in figures or figures[names[0]].value is None:
                figures[names[0]] = _first(row, results.get((row.base, row.metric)))
            figures[row.new.terminal] = _other(row, results.get((row.new, row.metric)))
    order = {(each.id, parameter): place for place, (each, parameter) in enumerate(_cells(run))}
    keys = sorted(made, key=lambda key: order.get(key[:2], len(order)))
    lines = (_line(rows[key], facts[key[0]], made[key], names) for key in keys if _says_something(made[key]))
    return TerminalComparison(terminals=names, lines=tuple(lines), level=terms.level)


def _says_something(figures: dict[str, Figure]) -> bool:
    """Whether there is something to set side by side: two values, not all of them zero, or a failure."""
    values = [each.value for each in figures.values() if each.value is not None]
    return (len(values) > 1 and any(values)) or any(each.failed for each in figures.values())


def _cells(run: Run) -> list[tuple[BenchmarkFacts, str]]:
    return [(facts, parameter) for facts in run.benchmarks for parameter in facts.parameters]


def _line(row: ComparisonRow, facts: BenchmarkFacts, figures: dict[str, Figure], names: tuple[str, ...]) -> TerminalRow:
    whole = row.unit == "ns" and row.metric == facts.metrics[0].name and row.statistic == "p50"
    return TerminalRow(
        benchmark=row.base.benchmark,
        parameter=row.base.parameter,
        metric=row.metric,
        statistic=row.statistic,
        unit=row.unit,
        better_below=row.better_below,
        figures={name: figures[name] for name in names if name in figures},
        elements=facts.elements.get(row.base.parameter) if whole else None,
        element_unit=facts.element_unit,
    )


def _first(row: ComparisonRow, result: Result | None) -> Figure:
    return _with(Figure(value=row.base_value), "", row.statistic, result)


def _other(row: ComparisonRow, result: Result | None) -> Figure:
    figure = Figure(value=row.new_value, ratio=row.ratio, lower=row.lower, upper=row.upper)
    # A row's reason is that of a verdict, and a ratio has none here.
    return _with(figure, row.reason if row.ratio is None else "", row.statistic, result)


def _with(figure: Figure, reason: str, statistic: str, result: Result | None) -> Figure:
    if result is None:
        return msgspec.structs.replace(figure, reason=reason)
    floor = result.floor.ratio.get(statistic) if result.floor is not None else None
    # The row's reason may be that of the other side, so a figure's own comes first.
    own = result.estimates[statistic].refusal if figure.value is None and statistic in result.estimates else ""
    return msgspec.structs.replace(
        figure,
        n=result.n,
        failed=result.failed,
        floor=None if floor is None else floor.value,
        client_share=result.client_share,
        failure=max(result.reasons, key=lambda each: result.reasons[each], default=""),
        reason=own or reason or next(iter(result.problems), ""),
    )
