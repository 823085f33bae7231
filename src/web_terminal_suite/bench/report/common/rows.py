"""The cells of the tables, as words: what a row of a report says, before any output has a width or a colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import Estimate, Verdict
from web_terminal_suite.bench.report.common import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis import Analysis, Judgement, Result
    from web_terminal_suite.bench.samples import Target

GOAL_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.UNDECIDED: "?", Verdict.REFUSED: "?"}

INFEASIBLE = "not feasible here"
NOT_MEASURED = "not measured"
"""Stands where an interval would, of what this machine cannot hold; the note says which limit."""


@dataclass(frozen=True)
class ResultRow:
    """One judged (or unjudged) statistic of one cell, each field as it is printed."""

    suite: str
    benchmark: str
    parameter: str
    terminal: str
    p50: str
    statistic: str
    value: str
    interval: str
    target: str
    goal: str
    floor: str
    verdict: Verdict


def judged(analysis: Analysis) -> list[ResultRow]:
    """A row for every target, and for every floor's target."""
    rows = []
    for result in analysis.results:
        for judgement, over in _judgements(result):
            if judgement.target is not None or judgement.verdict is not Verdict.NONE:
                rows.append(_judged_row(result, judgement, over, _named(analysis, result)))
    return rows


def figures(analysis: Analysis) -> list[ResultRow]:
    """A row for everything that was measured without a target."""
    return [
        _figure_row(result, _named(analysis, result))
        for result in analysis.results
        if result.judgement.target is None and result.judgement.verdict is Verdict.NONE
    ]


def limit(target: Target, value: float | None, result: Result) -> str:
    """Such as ``< 100 ms`` or ``≥ 10,000 msg/s``."""
    if value is None:
        return units.MISSING
    return f"{'<' if target.below else '≥'} {units.limit(value, unit_of(target.statistic, result))}"


def unit_of(statistic: str, result: Result) -> str:
    """The unit that a statistic of this result is in."""
    if statistic.startswith("ratio_"):
        return "x"
    if statistic == "rate":
        return f"{result.throughput.unit if result.throughput else ''}/s"
    return result.metric.unit


def estimate_of(statistic: str, result: Result) -> Estimate | None:
    """The statistic a target speaks of, wherever the result keeps it."""
    if statistic.startswith("ratio_"):
        return None if result.floor is None else result.floor.ratio.get(statistic.removeprefix("ratio_"))
    return result.estimates.get(statistic)


def value_and_interval(estimate: Estimate | None, unit: str) -> tuple[str, str]:
    """Both as printed; a refused statistic has its refusal in place of the interval."""
    if estimate is None:
        return units.MISSING, units.MISSING
    interval = units.interval(estimate.lower, estimate.upper, unit)
    if estimate.value is None:
        return units.MISSING, estimate.refusal
    return units.quantity(estimate.value, unit), estimate.refusal if interval == units.MISSING else interval


def _judgements(result: Result) -> Iterator[tuple[Judgement, bool]]:
    yield result.judgement, False
    if result.floor is not None:
        yield result.floor.judgement, True


def _judged_row(result: Result, judgement: Judgement, over_floor: bool, named: bool) -> ResultRow:
    target = judgement.target
    statistic = target.statistic if target else ""
    value, interval = value_and_interval(estimate_of(statistic, result), unit_of(statistic, result))
    interval = unmeasured(result) if result.infeasible else interval
    goal = units.MISSING
    if target is not None and target.goal is not None:
        goal = f"{limit(target, target.goal, result)} {GOAL_MARKS.get(judgement.goal_verdict, '')}".rstrip()
    return ResultRow(
        *_place(result),
        p50="" if over_floor else _p50(result),
        statistic=_statistic(statistic, result, named),
        value=value,
        interval=interval,
        target=units.MISSING if target is None else limit(target, target.limit, result),
        goal=goal,
        floor="" if over_floor else _over_floor(result),
        verdict=judgement.verdict,
    )


def _figure_row(result: Result, named: bool) -> ResultRow:
    statistic = {"latency": "p95", "slope": "slope", "level": "level"}[result.metric.kind]
    value, interval = value_and_interval(result.estimates.get(statistic), result.metric.unit)
    interval = unmeasured(result) if result.infeasible else interval
    return ResultRow(
        *_place(result),
        p50=_p50(result),
        statistic=_statistic(statistic, result, named),
        value=value,
        interval=interval,
        target=units.MISSING,
        goal=units.MISSING,
        floor=_over_floor(result),
        verdict=Verdict.NONE,
    )


def _place(result: Result) -> tuple[str, str, str, str]:
    suite, _, name = result.cell.benchmark.rpartition("/")
    return suite, name, result.cell.parameter, result.cell.terminal


def _p50(result: Result) -> str:
    estimate = result.estimates.get("p50")
    return units.quantity(estimate.value, result.metric.unit) if estimate else units.MISSING


def _over_floor(result: Result) -> str:
    if result.floor is None or "p95" not in result.floor.ratio:
        return units.MISSING
    return units.quantity(result.floor.ratio["p95"].value, "x")


def _statistic(statistic: str, result: Result, named: bool) -> str:
    text = statistic.replace("ratio_p95", "p95 / floor").replace("ratio_p50", "p50 / floor")
    return f"{result.metric.name}, {text}" if named and text else text


def _named(analysis: Analysis, result: Result) -> bool:
    """Whether a metric must be named because its cell has several."""
    return sum(other.cell == result.cell for other in analysis.results) > 1


def unmeasured(result: Result) -> str:
    """Why a cell has no figures, in two or three words: no room on this machine, or nothing happened."""
    return INFEASIBLE if INFEASIBLE in result.infeasible else NOT_MEASURED
