"""Results and samples as comma-separated values (RFC 4180, UTF-8), for spreadsheets and data frames.

Columns are those of the results in ``--json``, flattened; they are the same for every run, so files can be joined.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench.report.export import json
from web_terminal_suite.bench.samples import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.report.export import ExportOptions
    from web_terminal_suite.bench.samples import Run

STATISTICS = ("mean", "p50", "p95", "p99", "p99.9", "slope", "level")
FLOOR_STATISTICS = ("added_p50", "added_p95", "ratio_p50", "ratio_p95")
PLAIN = ("id", "parameter", "terminal", "metric", "role", "component", "kind", "unit", "n", "trials", "warmup")
JUDGED = ("statistic", "target", "goal", "below", "verdict", "goal_verdict", "reason", "judged_by")
SHARES = ("client_share", "server_share")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets evaluate (OWASP, CSV injection)."""
OUTLIERS = ("low_severe", "low_mild", "high_mild", "high_severe")


def export(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
    """One file, of results or of samples."""
    return {"": samples(run) if options.samples else results(analysis)}


def results(analysis: Analysis) -> str:
    """One row per result: benchmark, parameter, terminal and metric."""
    return _text((_flat(row) for row in json.results(analysis)), _RESULT_COLUMNS)


def samples(run: Run) -> str:
    """One row per operation, warm-up and failures included.

    ``due_ns`` counts from the first operation of the run; the other times from the operation's own due time. A mark
    that an operation did not pass is empty.
    """
    every = [sample for trial in run.trials for sample in trial.samples]
    origin = min((sample.due_ns for sample in every), default=0)
    marks = sorted({name for sample in every for name in sample.marks})
    fixed = (
        "id",
        "parameter",
        "terminal",
        "block",
        "number",
        "phase",
        "outcome",
        "reason",
        "due_ns",
        "sent_ns",
        "seen_ns",
    )

    def rows() -> Iterator[dict[str, Any]]:
        for trial in run.trials:
            for number, sample in enumerate(trial.samples):
                yield {
                    "id": trial.cell.benchmark,
                    "parameter": trial.cell.parameter,
                    "terminal": trial.cell.terminal,
                    "block": trial.block,
                    "number": number,
                    "phase": str(sample.phase),
                    "outcome": str(sample.outcome),
                    "reason": sample.reason,
                    "due_ns": sample.due_ns - origin,
                    "sent_ns": sample.sent_ns - sample.due_ns,
                    "seen_ns": sample.seen_ns - sample.due_ns,
                    **{f"{name}_ns": at - sample.due_ns for name, at in sample.marks.items()},
                }

    return _text(rows(), (*fixed, *(f"{name}_ns" for name in marks)))


def _bounded(name: str) -> tuple[str, ...]:
    return name, f"{name}_lower", f"{name}_upper"


_RESULT_COLUMNS = (
    *PLAIN,
    *(str(outcome) for outcome in Outcome),
    *(column for name in STATISTICS for column in _bounded(name)),
    "confidence_level",
    "intercept",
    "r2",
    *_bounded("rate"),
    "rate_unit",
    *(f"outliers_{name}" for name in OUTLIERS),
    *SHARES,
    *JUDGED,
    "floor_id",
    "floor_parameter",
    "floor_terminal",
    *(column for name in FLOOR_STATISTICS for column in _bounded(name)),
    "problems",
    "warnings",
    "not_applicable",
)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in (*PLAIN, *SHARES, *JUDGED)}
    found |= {name: row[name] for name in ("confidence_level", "intercept", "r2", "not_applicable")}
    found |= {str(outcome): row["outcomes"].get(str(outcome), 0) for outcome in Outcome}
    for name in STATISTICS:
        found |= _flat_bounds(row, name)
    throughput = row["throughput"] or {}
    found |= _flat_bounds(throughput, "rate") | {"rate_unit": throughput.get("unit")}
    found |= {f"outliers_{name}": count for name, count in (row["outliers"] or {}).items()}
    floor = row["floor"] or {}
    found |= {f"floor_{name}": floor.get(name) for name in ("id", "parameter", "terminal")}
    for name in FLOOR_STATISTICS:
        found |= _flat_bounds(floor, name)
    return found | {name: "; ".join(row[name]) for name in ("problems", "warnings")}


def _flat_bounds(row: dict[str, Any], name: str) -> dict[str, Any]:
    lower, upper = row.get(f"{name}_interval") or (None, None)
    return dict(zip(_bounded(name), (row.get(name), lower, upper), strict=True))


def _text(rows: Iterator[dict[str, Any]], columns: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _inert(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula with an apostrophe before it; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
