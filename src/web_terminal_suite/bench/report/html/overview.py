"""The page of a report: the run in a few facts, every target with its verdict, the machine, and all sections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import Verdict, exit_code
from web_terminal_suite.bench.analysis.comparison.terminals import subjects
from web_terminal_suite.bench.report.common import changes, environment, labels, rows, run_facts, units
from web_terminal_suite.bench.report.html import curves, details, sections, terminal_comparison
from web_terminal_suite.bench.report.html.schema.charts import BulletBar
from web_terminal_suite.bench.report.html.schema.page import (
    EnvironmentWarning,
    GoalCount,
    OverviewRow,
    ReportPage,
    TerminalEntry,
)
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Estimate, Judgement, Result
    from web_terminal_suite.bench.report.common.run_data import BaselineRun, MeasuredRun
    from web_terminal_suite.bench.report.html.schema.charts import HistoryChart
    from web_terminal_suite.bench.samples import Target

EXIT_WORDS = {
    0: "every target is met",
    1: "a target is missed",
    3: "not every target is decided",
    4: "the run itself failed",
}

VERDICT_ORDER = {str(verdict): place for place, verdict in enumerate(sections.WORST_FIRST)}
WITHOUT_TARGET = {"latency": "p95", "slope": "slope", "level": "level"}


def report_page(
    of: MeasuredRun, baseline: BaselineRun | None, history: Sequence[HistoryChart], version: str, *, brief: bool = False
) -> ReportPage:
    """Everything that the page of a run is given.

    Args:
        brief: without panels. Targets are those of the first terminal, so with several terminals only its own are
            counted and listed.
    """
    run, analysis = of.run, of.analysis
    code = int(exit_code(analysis))
    names = subjects(run)
    judged = names[0] if brief and len(names) > 1 else ""
    results = [
        each for each in analysis.results if not judged or each.role != "subject" or each.cell.terminal == judged
    ]
    judgements = [judgement for result in results for judgement in result.judgements]
    goals = [each.goal_verdict for each in judgements if each.goal_verdict is not Verdict.NONE]
    return ReportPage(
        title=run_facts.title(run),
        brief=brief,
        started=run_facts.moment(run.started),
        level=units.level(analysis.level),
        exit_code=code,
        exit_words="" if brief else EXIT_WORDS[code],
        partial=run_facts.partial(analysis),
        facts=run_facts.facts(run, analysis),
        verdicts={
            str(verdict): sum(each.verdict is verdict for each in judgements) for verdict in sections.WORST_FIRST
        },
        goals=GoalCount(goals.count(Verdict.PASS), len(goals)),
        judged=judged,
        overview=[row for result in results for row in _rows(result, of, baseline)],
        comparison=terminal_comparison.comparison_section(of),
        baseline=[] if baseline is None else _baseline(baseline),
        benchmarks=sections.brief_sections(of) if brief else sections.full_sections(of, baseline, history),
        terminals=[TerminalEntry(*each) for each in environment.terminals(run, brief=brief)],
        environment=environment.environment(run.machine),
        options=[(name.replace("_", " "), environment.plain(value)) for name, value in run.options.items()],
        warnings=[
            EnvironmentWarning(*(str(each.get(key, "")) for key in ("seen", "matters", "remedy")))
            for each in run.machine.get("warnings", [])
        ],
        version=version,
    )


def _baseline(baseline: BaselineRun) -> list[str]:
    """What the baseline is, how its machine differs, and what only one of the two measured."""
    compared = baseline.compared
    found = [f"the run of {run_facts.moment(baseline.run.started)}"]
    if compared.machine:
        found.append(
            f"It was measured on another machine, so a change may be the machine's: {'; '.join(compared.machine)}"
        )
    found += [*compared.problems, *compared.remarks]
    told = sum(row.is_told for row in compared.rows)
    needs = changes.needs(compared.rows)
    found.append(f"{told} of {len(compared.rows)} comparisons could be told{f'; {needs}' if needs else ''}")
    moved = [row for row in compared.floors if row.change in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)]
    if moved:
        names = ", ".join(dict.fromkeys(row.new.benchmark for row in moved))
        found.append(f"Floors changed too ({names}), so the machine changed as well")
    for cells, words in ((compared.gone, "only in the baseline:"), (compared.added, "only in this run:")):
        if cells:
            found.append(f"{words} {labels.few(cells)}")
    return found


def _rows(result: Result, of: MeasuredRun, baseline: BaselineRun | None) -> list[OverviewRow]:
    fellows = [each for each in of.analysis.results if each.cell.benchmark == result.cell.benchmark]
    panel = list(dict.fromkeys(map(sections.panel_key, fellows))).index(sections.panel_key(result))
    found = [_row(result, result.judgement, panel, of, baseline)]
    if result.floor is not None and result.floor.judgement.target is not None:
        found.append(_row(result, result.floor.judgement, panel, of, baseline))
    return found


def _row(
    result: Result, judgement: Judgement, panel: int, of: MeasuredRun, baseline: BaselineRun | None
) -> OverviewRow:
    target = judgement.target
    statistic = target.statistic if target else WITHOUT_TARGET[result.metric.kind]
    estimate = rows.estimate_of(statistic, result)
    unit = rows.unit_of(statistic, result)
    value, interval = rows.value_and_interval(estimate, unit)
    fellows = [each for each in of.analysis.results if each.cell.benchmark == result.cell.benchmark]
    several = len(set(map(sections.metric_key, fellows))) > 1
    words = statistic.removeprefix("ratio_")
    if statistic.startswith("ratio_"):
        words = f"{words} over floor"
    elif several:
        words = f"{result.metric.name}, {words}"
    change, change_words = changes.change(result, baseline)
    suite, _, name = result.cell.benchmark.rpartition("/")
    number = estimate.value if estimate is not None else None
    floor = details.over_floor(result)
    return OverviewRow(
        anchor=result.cell.benchmark,
        panel=panel,
        benchmark=name,
        suite=suite,
        parameter=result.cell.parameter,
        terminal=result.cell.terminal,
        role=result.role,
        statistic=words,
        value="" if value == units.MISSING else value,
        interval="" if interval == units.MISSING else interval,
        target=rows.limit(target, target.limit, result) if target and target.limit is not None else "",
        goal=rows.limit(target, target.goal, result) if target and target.goal is not None else "",
        goal_verdict=str(judgement.goal_verdict),
        floor=floor,
        change=change,
        change_words=change_words,
        verdict=str(judgement.verdict),
        reason=judgement.reason or result.not_applicable,
        bullet=_bullet(target, estimate),
        keys={
            "value": _finite(number),
            "target": _finite(target.limit) if target and target.limit is not None else None,
            "floor": _finite(float(floor.rstrip("x").replace(",", ""))) if floor and floor != units.FAILED else None,
            "verdict": VERDICT_ORDER.get(str(judgement.verdict), len(VERDICT_ORDER)),
        },
    )


def _bullet(target: Target | None, estimate: Estimate | None) -> BulletBar | None:
    """The judged figure as part of its limit, or of its goal where it has no limit."""
    against = None if target is None else target.limit if target.limit is not None else target.goal
    if target is None or against is None or against <= 0 or estimate is None:
        return None

    def part(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or value <= 0:
            return None
        return curves.shortened(value / against if target.below else against / value)

    lower, upper = part(estimate.lower), part(estimate.upper)
    ends = (lower, upper) if target.below else (upper, lower)
    return BulletBar(part(estimate.value), *ends, goal=part(target.goal) if target.limit is not None else None)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else curves.shortened(value)
