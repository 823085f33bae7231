"""The results as the ``--json`` file states them. Each field is described in ``docs/benchmarks.md``.

JSON has no infinity: an end of an interval that does not exist, and a percentile at which operations failed, are
``null``; ``refusals`` tells which of them were too few to state.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.analysis import Analysis, Comparison, Estimate, Judgement, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run

ALWAYS = ("mean", "p50", "p95", "p99", "p99.9")


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """The file that ``--json`` writes."""
    return {"": record.document(run, results(analysis)).decode()}


def write(path: Path, run: Run, analysis: Analysis) -> None:
    """Write record and results as one file.

    Raises:
        RecordError: it cannot be written.
    """
    record.save(path, run, results(analysis))


def results(analysis: Analysis) -> list[dict[str, Any]]:
    """One object per row: benchmark, parameter, terminal and metric."""
    return [_result(result, analysis.level) for result in analysis.results]


def _result(result: Result, level: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": result.cell.benchmark,
        "parameter": result.cell.parameter,
        "terminal": result.cell.terminal,
        "role": result.role,
        "component": result.component,
        "metric": result.metric.name,
        "kind": result.metric.kind,
        "unit": result.metric.unit,
        "n": result.n,
        "trials": result.trials,
        "warmup": result.warmup,
        "outcomes": result.outcomes,
        "reasons": result.reasons,
        "confidence_level": level,
    }
    # A statistic that the metric does not have is null, so that every row can be read alike.
    for name in dict.fromkeys((*ALWAYS, *(name for name in result.estimates if name != "rate"))):
        row |= _estimate(name, result.estimates.get(name))
    row["refusals"] = {name: each.refusal for name, each in result.estimates.items() if each.refusal}
    row["intercept"], row["r2"] = result.intercept, result.r2
    row["throughput"] = (
        None
        if result.throughput is None
        else {"unit": f"{result.throughput.unit}/s", **_estimate("rate", result.throughput.rate)}
    )
    row["outliers"] = None if result.outliers is None else msgspec.structs.asdict(result.outliers)
    row["client_share"], row["server_share"] = result.client_share, result.server_share
    row |= _judgement(result.judgement)
    row["floor"] = None if result.floor is None else _floor(result.floor)
    row["problems"], row["warnings"] = list(result.problems), list(result.warnings)
    row["not_applicable"], row["infeasible"] = result.not_applicable, result.infeasible
    return row


def _floor(floor: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": floor.floor.benchmark,
        "parameter": floor.floor.parameter,
        "terminal": floor.floor.terminal,
    }
    for kind, estimates in (("added", floor.added), ("ratio", floor.ratio)):
        for name, estimate in estimates.items():
            row |= _estimate(f"{kind}_{name}", estimate)
    row["refusals"] = {f"ratio_{name}": each.refusal for name, each in floor.ratio.items() if each.refusal}
    return row | _judgement(floor.judgement)


def _judgement(judgement: Judgement) -> dict[str, Any]:
    target = judgement.target
    return {
        "statistic": target and target.statistic,
        "target": target and target.limit,
        "goal": target and target.goal,
        "below": target and target.below,
        "target_text": target.text if target else "",
        "verdict": str(judgement.verdict),
        "goal_verdict": str(judgement.goal_verdict),
        "reason": judgement.reason,
        "judged_by": None if judgement.verdict is Verdict.NONE else str(judgement.judged_by),
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None or estimate.value is None:
        return {name: None, f"{name}_interval": None}
    bounded = not (math.isinf(estimate.lower) and math.isinf(estimate.upper))
    interval = [_finite(estimate.lower), _finite(estimate.upper)] if bounded else None
    return {name: _finite(estimate.value), f"{name}_interval": interval}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
