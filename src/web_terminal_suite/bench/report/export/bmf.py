"""Bencher Metric Format: ``{benchmark: {measure: {value, lower_value, upper_value}}}``.

Source: bencher.dev/docs/reference/bencher-metric-format. ``latency`` (ns) and ``throughput`` (operations/s) are
Bencher's own measures; ``latency`` is the median. Bencher creates the others when it first sees them. Refused and
failed statistics are left out: the format has no place for them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common.labels import finite, is_known, label

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run

MEASURES = {"p50": "latency", "p95": "latency-p95", "p99": "latency-p99", "p99.9": "latency-p99-9"}


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """One JSON file."""
    return {"": document(analysis)}


def document(analysis: Analysis) -> str:
    """One benchmark for each row that has a figure."""
    found = {label(result, analysis): _measures(result) for result in analysis.results}
    return json.dumps({name: measures for name, measures in found.items() if measures}, indent=2) + "\n"


def _measures(result: Result) -> dict[str, dict[str, float]]:
    named = {measure: result.estimates.get(name) for name, measure in MEASURES.items()}
    if result.throughput is not None:
        named["throughput"] = result.throughput.rate
    named |= {name: result.estimates.get(name) for name in ("slope", "level")}
    return {measure: _metric(each) for measure, each in named.items() if each is not None and is_known(each)}


def _metric(estimate: Estimate) -> dict[str, float]:
    parts = {"value": estimate.value, "lower_value": estimate.lower, "upper_value": estimate.upper}
    return {name: value for name, each in parts.items() if (value := finite(each)) is not None}
