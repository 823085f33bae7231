"""OpenMetrics text, for anything that scrapes or collects files.

Source: the OpenMetrics specification, 1.0. Times are seconds and sizes bytes, as it asks for; bounds are the label
``bound``, statistics the label ``statistic``. There are no timestamps: a collector of files sets its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import Verdict
from web_terminal_suite.bench.report.common.labels import finite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run

    Labels = Mapping[str, str]

PREFIX = "web_terminal_bench"
NS_PER_SECOND = 1e9
LATENCIES = ("mean", "p50", "p95", "p99", "p99.9")
BYTES = ("B", "byte", "bytes")
VERDICTS = tuple(str(verdict) for verdict in Verdict if verdict is not Verdict.NONE)


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """One text file."""
    return {"": document(run, analysis)}


def document(run: Run, analysis: Analysis) -> str:
    """All families, ended by ``# EOF``."""
    lines = [
        *_family("run", "info", "", "The run that these figures are of.", _run(run)),
        *_family("latency_seconds", "gauge", "seconds", "Time of an operation.", _latencies(analysis)),
        *_family("level_bytes", "gauge", "bytes", "Memory at rest.", _readings(analysis, "level", BYTES)),
        *_family("slope_bytes", "gauge", "bytes", "Memory for each session.", _readings(analysis, "slope", BYTES)),
        *_family("level", "gauge", "", "A count that was reached.", _readings(analysis, "level", ())),
        *_family("throughput", "gauge", "", "Elements a second.", _throughputs(analysis)),
        *_family("operations", "counter", "", "Measured operations by outcome.", _operations(analysis)),
        *_family("verdict", "stateset", "", "The verdict on a target.", _verdicts(analysis)),
        "# EOF",
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, unit: str, help: str, samples: Iterator[str]) -> list[str]:
    found = list(samples)
    if not found:
        return []
    full = f"{PREFIX}_{name}"
    head = [f"# TYPE {full} {kind}", *([f"# UNIT {full} {unit}"] if unit else []), f"# HELP {full} {help}"]
    return [*head, *(f"{full}{sample}" for sample in found)]


def _run(run: Run) -> Iterator[str]:
    yield _sample("_info", {"started": run.started, "schema": run.schema, "seed": str(run.seed)}, 1)


def _latencies(analysis: Analysis) -> Iterator[str]:
    for result in analysis.results:
        if result.metric.kind == "latency" and result.metric.unit == "ns":
            for name in LATENCIES:
                yield from _bounds(_place(result) | {"statistic": name}, result.estimates.get(name), NS_PER_SECOND)


def _readings(analysis: Analysis, kind: str, units: tuple[str, ...]) -> Iterator[str]:
    for result in analysis.results:
        is_bytes = result.metric.unit.partition("/")[0] in BYTES
        if result.metric.kind == kind and is_bytes == bool(units):
            yield from _bounds(_place(result), result.estimates.get(kind), 1)


def _throughputs(analysis: Analysis) -> Iterator[str]:
    for result in analysis.results:
        if result.throughput is not None:
            labels = _place(result) | {"element": result.throughput.unit}
            yield from _bounds(labels, result.throughput.rate, 1)


def _operations(analysis: Analysis) -> Iterator[str]:
    told = set()
    for result in analysis.results:
        # The metrics of a cell share its operations, but a mark that was not passed counts for its own metric only.
        if result.cell not in told and not result.metric.mark:
            told.add(result.cell)
            for outcome, count in result.outcomes.items():
                yield _sample("_total", _cell(result) | {"outcome": outcome}, count)


def _verdicts(analysis: Analysis) -> Iterator[str]:
    for result in analysis.results:
        for judgement, of in ((result.judgement, ""), (result.floor.judgement if result.floor else None, "floor")):
            if judgement is not None and judgement.verdict is not Verdict.NONE:
                statistic = judgement.target.statistic if judgement.target else ""
                labels = _place(result) | {"statistic": statistic, "over": of}
                for verdict in VERDICTS:
                    state = {f"{PREFIX}_verdict": verdict}
                    yield _sample("", labels | state, int(verdict == judgement.verdict))


def _cell(result: Result) -> dict[str, str]:
    cell = result.cell
    return {"benchmark": cell.benchmark, "parameter": cell.parameter, "terminal": cell.terminal}


def _place(result: Result) -> dict[str, str]:
    return _cell(result) | {"metric": result.metric.name}


def _bounds(labels: Labels, estimate: Estimate | None, scale: float) -> Iterator[str]:
    if estimate is None:
        return
    for bound, value in (("estimate", estimate.value), ("lower", estimate.lower), ("upper", estimate.upper)):
        number = finite(value)
        if number is not None:
            yield _sample("", {**labels, "bound": bound}, number / scale)


def _sample(suffix: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{suffix}{{{inside}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
