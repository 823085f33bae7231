"""One cell printed as Criterion prints a benchmark, for use while a run proceeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from web_terminal_suite.bench.analysis import JudgedBy, Verdict
from web_terminal_suite.bench.report.common import rows, units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Estimate, Outliers, Result

INDENT = 24
"""Column of the labels, as Criterion has it."""

STATISTICS = ("mean", "p50", "p95", "p99", "p99.9")
STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNDECIDED: "yellow", Verdict.REFUSED: "magenta"}


def cell_text(results: Sequence[Result]) -> Text:
    """The lines of one cell; ``[lower estimate upper]`` with the estimate in bold, as Criterion prints it."""
    if not results:
        return Text()
    parts: list[Text] = []
    name = str(results[0].cell)
    for place, result in enumerate(results):
        title = Text(name if place == 0 else "", style="green")
        lines = _lines(result, named=len(results) > 1)
        # Criterion's rule: a name that fits stands before the first line, a longer one on a line of its own.
        if place == 0 and len(name) < INDENT:
            parts.append(Text.assemble(title, " " * (INDENT - len(name)), lines[0]))
            lines = lines[1:]
        elif place == 0:
            parts.append(title)
        parts += [Text.assemble(" " * INDENT, line) for line in lines]
    return Text("\n").join(parts)


def _lines(result: Result, named: bool) -> list[Text]:
    lines: list[Text] = []
    if result.not_applicable:
        return [Text(f"not applicable: {result.not_applicable}", style="dim")]
    label = f"{result.metric.name}:" if named else "time:"
    for name in (*STATISTICS, "slope", "level"):
        if name in result.estimates:
            lines.append(_estimate(name, label if not lines else "", result.estimates[name], result.metric.unit))
    if result.throughput is not None:
        lines.append(_estimate("", "thrpt:", result.throughput.rate, f"{result.throughput.unit}/s"))
    if result.floor is not None and "p95" in result.floor.ratio:
        lines.append(_estimate("p95", "floor:", result.floor.ratio["p95"], "x"))
    lines.append(_counts(result))
    if result.outliers is not None and result.outliers.total:
        lines += _outliers(result.outliers, result.outcomes.get("ok", 0))
    for judgement in result.judgements:
        if judgement.target is not None:
            text = f"{judgement.target.statistic} {rows.limit(judgement.target, judgement.target.limit, result)}: "
            by = "by readings" if judgement.judged_by is JudgedBy.READINGS else ""
            words = ", ".join(filter(None, (by, judgement.reason)))
            reason = f" ({words})" if words else ""
            style = STYLES.get(judgement.verdict, "dim")
            lines.append(Text.assemble("target: ", text, (str(judgement.verdict), style), (reason, "dim")))
    lines += [Text(problem, style="bold red") for problem in result.problems]
    return lines


def _estimate(name: str, label: str, estimate: Estimate, unit: str) -> Text:
    head = f"{label:<7} {name:<6}"
    if estimate.value is None:
        return Text.assemble(head, (estimate.refusal, "dim"))
    value = units.quantity(estimate.value, unit)
    if estimate.refusal:
        return Text.assemble(head, (value, "bold"), (f"  {estimate.refusal}", "dim"))
    ends = [units.quantity(end, unit) for end in (estimate.lower, estimate.upper)]
    return Text.assemble(head, (f"[{ends[0]} ", "dim"), (value, "bold"), (f" {ends[1]}]", "dim"))


def _counts(result: Result) -> Text:
    words = "operations" if result.metric.kind == "latency" else "readings"
    trials = "trial" if result.trials == 1 else "trials"
    parts = [f"{units.count(result.n)} {words} in {units.count(result.trials)} {trials}"]
    if result.warmup:
        parts.append(f"{units.count(result.warmup)} more to warm up")
    if result.failed:
        parts.append(f"{units.count(result.failed)} failed")
    if result.client_share is not None:
        parts.append(f"client {units.share(result.client_share)} of a core")
    if result.server_share is not None:
        parts.append(f"server {units.share(result.server_share)}")
    return Text(", ".join(parts), style="red" if result.failed else "dim")


def _outliers(found: Outliers, n: int) -> list[Text]:
    classes = (
        ("low severe", found.low_severe),
        ("low mild", found.low_mild),
        ("high mild", found.high_mild),
        ("high severe", found.high_severe),
    )
    words = "outlier" if found.total == 1 else "outliers"
    lines = [Text(f"{found.total} {words} among {units.count(n)} operations ({found.total / n:.2%})", style="yellow")]
    return lines + [Text(f"  {count} ({count / n:.2%}) {name}", style="dim") for name, count in classes if count]
