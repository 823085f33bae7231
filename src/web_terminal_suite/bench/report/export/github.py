"""Custom JSON of github-action-benchmark: a list of ``{name, unit, value, range, extra}``.

Source: github.com/benchmark-action/github-action-benchmark, "Tool specific setup": the tools
``customSmallerIsBetter`` and ``customBiggerIsBetter`` read one list each, so times and sizes go into one file, rates
into another. Units are fixed, not scaled by size: the action compares numbers.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common.labels import finite, is_known, label

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run

STATISTICS = ("p50", "p95", "p99", "slope", "level")
NS_PER_MS = 1e6


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """Two JSON files, one for each tool."""
    return {"smaller": smaller_is_better(analysis), "bigger": bigger_is_better(analysis)}


def smaller_is_better(analysis: Analysis) -> str:
    """Latencies in ms, memory and the like in their own units."""
    entries = []
    for result in analysis.results:
        for name in STATISTICS:
            estimate = result.estimates.get(name)
            if estimate is not None and is_known(estimate) and not _counts_up(result):
                entries.append(_entry(f"{label(result, analysis)} {name}", result, estimate, result.metric.unit))
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def bigger_is_better(analysis: Analysis) -> str:
    """Throughputs, and levels whose target is a minimum."""
    entries = []
    for result in analysis.results:
        name = label(result, analysis)
        if result.throughput is not None and is_known(result.throughput.rate):
            entries.append(_entry(f"{name} rate", result, result.throughput.rate, f"{result.throughput.unit}/s"))
        level = result.estimates.get("level")
        if level is not None and is_known(level) and _counts_up(result):
            entries.append(_entry(f"{name} level", result, level, result.metric.unit))
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def _counts_up(result: Result) -> bool:
    target = result.judgement.target
    return target is not None and target.statistic == "level" and not target.below


def _entry(name: str, result: Result, estimate: Estimate, unit: str) -> dict[str, str | float | None]:
    scale = NS_PER_MS if unit == "ns" else 1.0
    value, lower, upper = (finite(each) for each in (estimate.value, estimate.lower, estimate.upper))
    entry: dict[str, str | float | None] = {
        "name": name,
        "unit": "ms" if unit == "ns" else unit,
        "value": None if value is None else value / scale,
    }
    if lower is not None and upper is not None:
        entry["range"] = f"{lower / scale:.6g} … {upper / scale:.6g}"
    entry["extra"] = f"n={result.n}, {result.trials} trials, {result.judgement.verdict}"
    return entry
