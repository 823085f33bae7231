"""pyperf's JSON, so that ``python -m pyperf compare_to`` and ``stats`` read a run.

Source: pyperf.readthedocs.io, "pyperf JSON format", version 1.0. A trial is a *run*, a measured operation a *value*
(seconds, or bytes), an operation of the warm-up a *warmup* of one loop. pyperf has no place for a failed operation:
failures are counted in the metadata, and every mean that pyperf shows is of the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench.analysis.estimates import points
from web_terminal_suite.bench.report.common.labels import label
from web_terminal_suite.bench.report.export import NothingToExport
from web_terminal_suite.bench.samples import Outcome, Phase

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run, Sample, Trial

VERSION = "1.0"
UNITS = {"ns": "second", "B": "byte", "byte": "byte", "bytes": "byte"}
NS_PER_SECOND = 1e9


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """One JSON file.

    Raises:
        NothingToExport: no operation of any benchmark succeeded.
    """
    return {"": document(run, analysis)}


def document(run: Run, analysis: Analysis) -> str:
    """One benchmark for each latency and level.

    Raises:
        NothingToExport: no operation of any benchmark succeeded; pyperf refuses a file without a benchmark.
    """
    trials: dict[str, list[Trial]] = {}
    for trial in run.trials:
        trials.setdefault(str(trial.cell), []).append(trial)
    found = [
        _benchmark(result, label(result, analysis), trials.get(str(result.cell), [])) for result in analysis.results
    ]
    benchmarks = [each for each in found if each["runs"]]
    if not benchmarks:
        raise NothingToExport("no operation of this run succeeded, and pyperf reads no file without a value")
    document = {"version": VERSION, "metadata": _metadata(run), "benchmarks": benchmarks}
    return json.dumps(document, separators=(",", ":")) + "\n"


def _benchmark(result: Result, name: str, trials: list[Trial]) -> dict[str, Any]:
    runs = [_latencies(trial, result.metric.mark) for trial in trials]
    if result.metric.kind != "latency":
        # A slope has no value of its own that could be compared operation by operation.
        runs = [_levels(trial, result) for trial in trials] if result.metric.kind == "level" else []
    for run, trial in zip(runs, trials, strict=False):
        if trial.usage is not None:
            # Where it is not told, pyperf takes the sum of the values for the time, bytes too.
            run["metadata"] = {"duration": trial.usage.elapsed_ns / NS_PER_SECOND}
    metadata: dict[str, Any] = {"name": name, "unit": UNITS.get(result.metric.unit, "integer"), "loops": 1}
    if result.failed:
        metadata["failed_operations"] = result.failed
    return {"metadata": metadata, "runs": [run for run in runs if run["values"]]}


def _latencies(trial: Trial, mark: str) -> dict[str, Any]:
    values = [(sample.phase, took) for sample in trial.samples if (took := _took(sample, mark)) is not None]
    run: dict[str, Any] = {"values": [took for phase, took in values if phase is Phase.MEASURE]}
    warmups = [[1, took] for phase, took in values if phase is Phase.WARMUP]
    return {**run, "warmups": warmups} if warmups else run


def _levels(trial: Trial, result: Result) -> dict[str, Any]:
    return {"values": [point.y for point in points([trial], result.metric) if point.y > 0]}


def _took(sample: Sample, mark: str) -> float | None:
    end = sample.marks.get(mark) if mark else sample.seen_ns
    # pyperf takes no value of zero.
    if sample.outcome is not Outcome.OK or end is None or end <= sample.due_ns:
        return None
    return (end - sample.due_ns) / NS_PER_SECOND


def _metadata(run: Run) -> dict[str, Any]:
    """What pyperf shows of the machine, under its names; empty ones are not allowed."""
    before = run.machine.get("before") or {}
    found = {
        "date": run.started.replace("T", " ").split("+")[0].rstrip("Z"),
        "hostname": before.get("hostname"),
        "platform": " ".join(str(before.get(key) or "") for key in ("system", "kernel")).strip(),
        "cpu_model_name": before.get("cpu_model"),
        "cpu_count": before.get("cpu_count"),
        "python_version": before.get("python"),
        "tool": "web-terminal bench",
    }
    return {key: value for key, value in found.items() if value}
