"""The comparison of a run's terminals as the page of a report shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects as compare
from web_terminal_suite.bench.analysis.comparison.terminals import subjects
from web_terminal_suite.bench.analysis.verdicts import CLIENT_LIMIT
from web_terminal_suite.bench.report.common import side_by_side, units
from web_terminal_suite.bench.report.common.side_by_side import Standing
from web_terminal_suite.bench.report.html import curves, sections
from web_terminal_suite.bench.report.html.schema.terminal_comparison import (
    ComparedFigure,
    ComparedRow,
    ComparedTerminal,
    ComparisonHighlight,
    ComparisonScore,
    ComparisonSection,
    RatioInterval,
)

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis.comparison import terminals as compared
    from web_terminal_suite.bench.report.common.run_data import MeasuredRun

SIDES: dict[Standing, Literal["", "ahead", "behind"]] = {
    Standing.AHEAD: "ahead",
    Standing.BEHIND: "behind",
    Standing.NEITHER: "",
}


def comparison_section(of: MeasuredRun) -> ComparisonSection | None:
    """All figures that at least two terminals have; ``None`` where the run measured only one."""
    if len(subjects(of.run)) < 2:
        return None
    found = compare(of.run, of.analysis)
    panels = _panels(of)
    components = {each.id for each in of.run.benchmarks if each.component}
    places = {id(line): place for place, line in enumerate(found.lines)}
    return ComparisonSection(
        terminals=_terminals(of, found),
        absent=list(of.analysis.absent),
        lines=[
            _line(line, found.terminals, panels[line.benchmark, line.parameter, line.metric], components)
            for line in found.lines
        ],
        highlights=[
            ComparisonHighlight(
                words=words,
                line=places[id(line)],
                ratios=[_ratio_interval(line, line.figures.get(name)) for name in found.terminals[1:]],
                inverted=not line.better_below,
            )
            for words, line in side_by_side.highlights(found)
        ],
    )


def _panels(of: MeasuredRun) -> dict[tuple[str, str, str], int]:
    """Which panel of its benchmark shows a metric at a parameter."""
    keys: dict[str, list[tuple[str, str, str]]] = {}
    found = {}
    for result in of.analysis.results:
        known = keys.setdefault(result.cell.benchmark, [])
        key = sections.panel_key(result)
        if key not in known:
            known.append(key)
        found[result.cell.benchmark, result.cell.parameter, result.metric.name] = known.index(key)
    return found


def _terminals(of: MeasuredRun, found: compared.TerminalComparison) -> list[ComparedTerminal]:
    facts = {each.name: each for each in of.run.terminals}
    return [
        ComparedTerminal(
            name=name,
            version=facts[name].version,
            remarks=list(facts[name].remarks),
            score=ComparisonScore(*side_by_side.score(found, name)) if place else None,
        )
        for place, name in enumerate(found.terminals)
    ]


def _line(line: compared.TerminalRow, names: tuple[str, ...], panel: int, components: set[str]) -> ComparedRow:
    suite, _, name = line.benchmark.rpartition("/")
    # A component has no client besides what is measured.
    apart = line.benchmark not in components
    return ComparedRow(
        anchor=line.benchmark,
        panel=panel,
        suite=suite,
        name=name,
        parameter=line.parameter,
        statistic=side_by_side.statistic(line),
        figures=[_figure(line, line.figures.get(name), apart) for name in names],
    )


def _figure(line: compared.TerminalRow, figure: compared.Figure | None, apart: bool) -> ComparedFigure | None:
    if figure is None:
        return None
    share = figure.client_share if apart else None
    return ComparedFigure(
        value="" if figure.value is None else units.quantity(figure.value, line.unit),
        rate=side_by_side.rate_of(line, figure),
        ratio=side_by_side.ratio(figure),
        interval=side_by_side.bounds(figure),
        side=SIDES[side_by_side.standing(line, figure)],
        failed=_failed(figure),
        client=units.share(share) if share is not None and share > CLIENT_LIMIT else "",
        reason=figure.reason,
    )


def _failed(figure: compared.Figure) -> str:
    if not figure.failed:
        return ""
    words = f"{units.count(figure.failed)} of {units.count(figure.n)} failed"
    return f"{words}: {figure.failure}" if figure.failure else words


def _ratio_interval(line: compared.TerminalRow, figure: compared.Figure | None) -> RatioInterval | None:
    if figure is None or figure.ratio is None or not 0 < figure.ratio < math.inf:
        return None
    bounds = [curves.shortened(end) if 0 < end < math.inf else None for end in (figure.lower, figure.upper)]
    if line.better_below:
        return RatioInterval(curves.shortened(figure.ratio), bounds[0], bounds[1])
    lower, upper = (None if end is None else curves.shortened(1 / end) for end in reversed(bounds))
    return RatioInterval(curves.shortened(1 / figure.ratio), lower, upper)
