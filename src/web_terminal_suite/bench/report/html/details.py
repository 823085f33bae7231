"""The text next to the charts of a report: statistics, floor, change, outliers, counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis.comparison.results import Scale
from web_terminal_suite.bench.report.common import rows, units
from web_terminal_suite.bench.report.common.changes import change, change_word, difference, noticeable, percent_change
from web_terminal_suite.bench.report.html.schema.page import OutlierClass, PageLink, ResultDetails, StatisticRow

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Estimate, Result
    from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow
    from web_terminal_suite.bench.report.common.run_data import BaselineRun

STATISTICS = ("mean", "p50", "p95", "p99", "p99.9", "slope", "level")


def details(result: Result, baseline: BaselineRun | None) -> ResultDetails:
    """Everything that is said about one row."""
    judgement = result.judgement
    target = judgement.target
    percent, verdict = change(result, baseline)
    return ResultDetails(
        terminal=result.cell.terminal,
        role=result.role,
        verdict=str(judgement.verdict),
        target=f"{target.statistic} {rows.limit(target, target.limit, result)}"
        if target is not None and target.limit is not None
        else "",
        goal=f"{rows.limit(target, target.goal, result)}" if target is not None and target.goal is not None else "",
        goal_verdict=str(judgement.goal_verdict),
        reason=judgement.reason,
        counts=counts(result),
        rows=_rows(result),
        floor=_floor_name(result),
        over_floor=_over_floor(result),
        changes=_changes(result, baseline),
        change=", ".join(part for part in (percent, verdict) if part),
        outliers=_outliers(result),
        outlier_total=_outlier_total(result),
        problems=list(result.problems),
        warnings=[each for each in result.warnings if each != judgement.reason],
        flame_graphs=[PageLink(f"flame graph of {each.process}", each.path) for each in result.pictures],
        not_applicable=result.not_applicable,
    )


def over_floor(result: Result) -> str:
    """The ratio to the floor at p95, or at p50 where the sample is too thin for p95."""
    if result.floor is None:
        return ""
    for name in ("p95", "p50"):
        estimate = result.floor.ratio.get(name)
        if estimate is not None and estimate.value is not None:
            return units.quantity(estimate.value, units.RATIO)
    return ""


def fit_words(result: Result) -> str:
    """Such as ``17.1 kB/session (16.2 … 18.1 kB/session), R² 0.998``."""
    name = result.metric.kind
    value, interval = rows.value_and_interval(result.estimates.get(name), result.metric.unit)
    words = f"{name} {value} ({interval})"
    return words if result.r2 is None else f"{words}, R² {result.r2:.4f}"


def counts(result: Result) -> str:
    """How many operations, trials, failures, and what processor time they took."""
    if not result.n:
        return "nothing was measured"
    noun = "operation" if result.metric.kind == "latency" else "reading"
    parts = [f"{units.count(result.n)} {noun}{'s' if result.n != 1 else ''}"]
    parts.append(f"{result.trials} block{'s' if result.trials != 1 else ''}")
    if result.warmup:
        parts.append(f"{units.count(result.warmup)} more to warm up")
    if result.failed:
        by_outcome = ", ".join(f"{n:,} {name}" for name, n in result.outcomes.items() if name != "ok")
        parts.append(f"{units.count(result.failed)} failed ({by_outcome})")
    if result.client_share is not None:
        parts.append(f"client {units.share(result.client_share)} of a core")
    if result.server_share is not None:
        parts.append(f"server {units.share(result.server_share)}")
    return " · ".join(parts)


def _rows(result: Result) -> list[StatisticRow]:
    found = [_row(name, result.estimates[name], result.metric.unit) for name in STATISTICS if name in result.estimates]
    if result.throughput is not None:
        found.append(_rate(result.throughput.rate, f"{result.throughput.unit}/s"))
    if result.r2 is not None:
        found.append(StatisticRow("R²", "", f"{result.r2:.4f}", ""))
    if result.intercept is not None:
        found.append(
            StatisticRow("at 0", "", units.quantity(result.intercept, result.metric.unit.partition("/")[0]), "")
        )
    return found


def _row(name: str, estimate: Estimate, unit: str) -> StatisticRow:
    if estimate.value is None:
        return StatisticRow(name, "", "", "", estimate.refusal)
    lower, upper = (_end(end, unit) for end in (estimate.lower, estimate.upper))
    return StatisticRow(name, lower, units.quantity(estimate.value, unit), upper, estimate.refusal)


def _rate(estimate: Estimate, unit: str) -> StatisticRow:
    """A throughput, under its unit: elements have long names, and three of them need more room than a telephone has."""
    row = _row(unit, estimate, unit)
    lower, value, upper = (text.removesuffix(f" {unit}") for text in (row.lower, row.value, row.upper))
    return StatisticRow(unit, lower, value, upper, row.refusal)


def _end(value: float, unit: str) -> str:
    return "∞" if math.isinf(value) and value > 0 else "" if math.isinf(value) else units.quantity(value, unit)


def _floor_name(result: Result) -> str:
    if result.floor is None or not result.floor.ratio:
        return ""
    at = result.floor.floor
    name = at.benchmark.rpartition("/")[2] if at.benchmark != result.cell.benchmark else ""
    return ", ".join(part for part in (at.terminal, " ".join(filter(None, (name, at.parameter)))) if part)


def _over_floor(result: Result) -> list[StatisticRow]:
    if result.floor is None:
        return []
    found = []
    for name, estimate in result.floor.added.items():
        found.append(_row(f"added at {name}", estimate, result.metric.unit))
    for name, estimate in result.floor.ratio.items():
        found.append(_row(f"ratio at {name}", estimate, units.RATIO))
    return found


def _changes(result: Result, baseline: BaselineRun | None) -> list[StatisticRow]:
    found = []
    for row in baseline.changes(result) if baseline is not None else []:
        word = change_word(row, baseline.compared.noise) if baseline is not None else ""
        if row.scale is Scale.DIFFERENCE and row.difference is not None:
            ends = (difference(row, row.lower), difference(row, row.difference), difference(row, row.upper))
            found.append(StatisticRow(f"{row.statistic}: {word}", *ends, _would_notice(row)))
            continue
        if row.ratio is None or not math.isfinite(row.ratio):
            found.append(StatisticRow(row.statistic, "", "", "", row.reason or "cannot be compared"))
            continue
        lower, upper = (percent_change(end) if math.isfinite(end) else "∞" for end in (row.lower, row.upper))
        if row.lower == 0 and math.isinf(row.upper):
            lower = upper = ""
        name = f"{row.statistic}: {word}"
        found.append(StatisticRow(name, lower, percent_change(row.ratio), upper, _would_notice(row)))
    return found


def _would_notice(row: ComparisonRow) -> str:
    """Why the row is undecided, and the smallest change that it would have told."""
    smallest = noticeable(row)
    told = f"a change of {smallest} would have been noticed" if smallest else ""
    return "; ".join(part for part in (row.reason, told) if part)


def _outliers(result: Result) -> list[OutlierClass]:
    found, fine = result.outliers, result.outcomes.get("ok", 0)
    if found is None or not fine:
        return []
    classes = (
        ("low severe", found.low_severe),
        ("low mild", found.low_mild),
        ("high mild", found.high_mild),
        ("high severe", found.high_severe),
    )
    return [OutlierClass(name, units.count(count), f"{count / fine * 100:.1f} %") for name, count in classes]


def _outlier_total(result: Result) -> str:
    found, fine = result.outliers, result.outcomes.get("ok", 0)
    if found is None or not fine:
        return ""
    return f"{units.count(found.total)} of {units.count(fine)} ({found.total / fine * 100:.1f} %)"
