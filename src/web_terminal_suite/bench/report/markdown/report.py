"""``PERFORMANCE_REPORT.md``: measurements, targets, bottlenecks and recommendations, as GitHub reads Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import exit_code
from web_terminal_suite.bench.report.common import changes, environment, rows, run_facts, units
from web_terminal_suite.bench.report.common.run_data import BaselineRun
from web_terminal_suite.bench.report.common.summary import summary
from web_terminal_suite.bench.report.markdown.findings import Topic, findings
from web_terminal_suite.bench.report.markdown.syntax import code, sentence, table, text
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis, Result
    from web_terminal_suite.bench.report.common.options import ReportOptions
    from web_terminal_suite.bench.report.markdown.findings import Finding
    from web_terminal_suite.bench.samples import Run

MARKS = {
    "pass": "✅ pass",
    "fail": "❌ fail",
    "undecided": "❔ undecided",
    "refused": "🚫 refused",
    "not applicable": "not applicable",
    "none": "goal only",
}
NAMED = 6
"""Rows that are named in a recommendation; the others are listed with the finding."""

MEASURED = ("mean", "p50", "p95", "p99")


def report(run: Run, analysis: Analysis, options: ReportOptions) -> str:
    """The whole document."""
    return render(run, analysis, options.version, options.baseline, options.earlier)


def render(
    run: Run,
    analysis: Analysis,
    version: str,
    baseline: tuple[Run, Analysis] | None = None,
    earlier: Sequence[Run] = (),
) -> str:
    """The whole document."""
    before = None if baseline is None else BaselineRun(*baseline, newer=run, earlier=earlier)
    machine = environment.environment(run.machine)
    found = findings(run, analysis)
    parts = [
        f"# Performance report: {text(run_facts.title(run))}",
        f"Measured {text(run_facts.moment(run.started))}. {sentence(summary(analysis))}",
        *(f"> **Partial.** {sentence(text(each))}" for each in run_facts.partial(analysis)),
        table(("", ""), run_facts.facts(run, analysis)),
        "## Targets",
        f"Intervals are {units.level(analysis.level)} confidence intervals. A target is met only where the whole "
        "interval is on its good side.",
        _targets(analysis),
        *_changes(analysis, before),
        "## Measurements",
        *_measurements(run, analysis),
        "## Bottlenecks",
        *_bottlenecks(found),
        "## Recommendations",
        *_recommendations(found),
        "## What these figures do not show",
        table(
            ("benchmark", "measures", "limits"),
            [(f"`{each.id}`", each.description, each.limitations) for each in run.benchmarks],
        ),
        "## Environment",
        table(("", "before", "after, where it differs"), machine) if machine else "Not recorded.",
        table(
            ("terminal", "version", "role", "command"),
            [(each.name, each.version, each.role, each.command) for each in environment.terminals(run)],
        ),
        f"Made by web-terminal {version} from a record with seed {run.seed}; exit code {int(exit_code(analysis))}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _targets(analysis: Analysis) -> str:
    listed = [
        (
            MARKS[str(row.verdict)],
            f"`{row.suite}/{row.benchmark}`",
            row.parameter,
            row.terminal,
            row.statistic,
            f"**{row.value}**",
            row.interval,
            row.target,
            row.goal,
            row.floor,
        )
        for row in rows.judged(analysis)
    ]
    heads = (
        "verdict",
        "benchmark",
        "parameter",
        "terminal",
        "judged by",
        "value",
        "interval",
        "target",
        "goal",
        "x floor",
    )
    return table(heads, listed) if listed else "No benchmark of this run has a target."


def _changes(analysis: Analysis, baseline: BaselineRun | None) -> list[str]:
    if baseline is None:
        return []
    found = [(result, *changes.change(result, baseline)) for result in analysis.results]
    told = [each for each in found if each[2]]
    decided = [
        (f"`{of.cell}`", of.metric.name, percent, word, _noticed(of, baseline))
        for of, percent, word in told
        if word != ChangeVerdict.UNDECIDED
    ]
    compared = baseline.compared
    words = [f"{sentence(text(each))}" for each in (*compared.problems, *compared.remarks)]
    if compared.machine:
        words.append(f"It was measured on another machine: {'; '.join(compared.machine)}.")
    needs = changes.needs(compared.rows)
    count = f"{sum(row.is_told for row in compared.rows)} of {len(compared.rows)} comparisons could be told"
    words.append(sentence(f"{count}; {needs}" if needs else count))
    listed = table(("row", "metric", "change", "", "smallest noticeable"), decided) if decided else ""
    return ["## Since the baseline", *words, listed]


def _noticed(result: Result, baseline: BaselineRun) -> str:
    """The smallest changes that the result's rows would have told."""
    found = [(row.statistic, changes.noticeable(row)) for row in baseline.changes(result)]
    return ", ".join(f"{statistic} {smallest}" for statistic, smallest in found if smallest)


def _measurements(run: Run, analysis: Analysis) -> list[str]:
    parts = []
    for suite in dict.fromkeys(each.id.rpartition("/")[0] for each in run.benchmarks):
        results = [each for each in analysis.results if each.cell.benchmark.rpartition("/")[0] == suite]
        listed = [_measurement(result) for result in results]
        if listed:
            heads = ("benchmark", "parameter", "terminal", "metric", "n", *MEASURED, "rate or value", "failed")
            parts += [f"### {text(suite) or 'Benchmarks'}", table(heads, listed)]
    return parts


def _measurement(result: Result) -> tuple[str, ...]:
    figures = [_figure(result, name) for name in MEASURED]
    other = _figure(result, "rate" if result.metric.kind == "latency" else result.metric.kind)
    failed = units.count(result.failed) if result.failed else ""
    cell = result.cell
    return (
        f"`{cell.benchmark.rpartition('/')[2]}`",
        cell.parameter,
        cell.terminal,
        result.metric.name,
        units.count(result.n),
        *figures,
        f"not applicable: {result.not_applicable}"
        if result.not_applicable
        else rows.unmeasured(result)
        if result.infeasible
        else other,
        failed,
    )


def _figure(result: Result, name: str) -> str:
    estimate = result.estimates.get(name)
    if estimate is None:
        return ""
    return units.quantity(estimate.value, rows.unit_of(name, result)) if estimate.value is not None else "too few"


def _bottlenecks(found: Sequence[Finding]) -> list[str]:
    parts = []
    for topic in Topic:
        own = [finding for finding in found if finding.topic is topic]
        if own:
            lines = [f"* `{code(finding.where)}`: {text(finding.seen)}." for finding in own]
            parts += [f"### {topic}", "\n".join(lines)]
    return parts or ["The figures of this run show none."]


def _recommendations(found: Sequence[Finding]) -> list[str]:
    """What follows, by topic; findings with the same consequence are one item."""
    grouped: dict[tuple[Topic, str], list[Finding]] = {}
    for finding in found:
        if finding.follows:
            grouped.setdefault((finding.topic, finding.follows), []).append(finding)
    if not grouped:
        return ["The figures of this run suggest none."]
    lines = []
    for place, ((topic, follows), of) in enumerate(grouped.items(), start=1):
        names = ", ".join(f"`{code(each.where)}`{f' ({each.figure})' if each.figure else ''}" for each in of[:NAMED])
        more = f" and {len(of) - NAMED} more under *{topic}*" if len(of) > NAMED else ""
        lines.append(f"{place}. {sentence(text(follows))} {names}{more}.")
    return ["\n".join(lines)]
