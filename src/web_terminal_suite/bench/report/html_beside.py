"""Terminals beside each other as the page of a report shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from web_terminal_suite.bench.analysis.comparison.terminals import beside as found_beside
from web_terminal_suite.bench.analysis.comparison.terminals import subjects
from web_terminal_suite.bench.analysis.verdicts import CLIENT_LIMIT
from web_terminal_suite.bench.report import beside, html_curves, html_sections, units
from web_terminal_suite.bench.report.beside import Side
from web_terminal_suite.bench.report.html_page_beside import (
    Beside,
    BesideFigure,
    BesideLine,
    BesideShort,
    BesideTerminal,
    Place,
)

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis.comparison import terminals as compared
    from web_terminal_suite.bench.report.html_samples import Measured

SIDES: dict[Side, Literal["", "ahead", "behind"]] = {
    Side.AHEAD: "ahead",
    Side.BEHIND: "behind",
    Side.NEITHER: "",
}


def page(of: Measured) -> Beside | None:
    """All figures that at least two terminals have; ``None`` where the run measured but one."""
    if len(subjects(of.run)) < 2:
        return None
    found = found_beside(of.run, of.analysis)
    panels = _panels(of)
    components = {each.id for each in of.run.benchmarks if each.component}
    places = {id(line): place for place, line in enumerate(found.lines)}
    return Beside(
        terminals=_terminals(of, found),
        absent=list(of.analysis.absent),
        lines=[
            _line(line, found.terminals, panels[line.benchmark, line.parameter, line.metric], components)
            for line in found.lines
        ],
        short=[
            BesideShort(
                words=words,
                line=places[id(line)],
                places=[_place(line, line.figures.get(name)) for name in found.terminals[1:]],
                turned=not line.better_below,
            )
            for words, line in beside.in_short(found)
        ],
    )


def _panels(of: Measured) -> dict[tuple[str, str, str], int]:
    """Which panel of its benchmark shows a metric at a parameter."""
    keys: dict[str, list[tuple[str, str, str]]] = {}
    found = {}
    for result in of.analysis.results:
        known = keys.setdefault(result.cell.benchmark, [])
        key = html_sections.panel_key(result)
        if key not in known:
            known.append(key)
        found[result.cell.benchmark, result.cell.parameter, result.metric.name] = known.index(key)
    return found


def _terminals(of: Measured, found: compared.TerminalComparison) -> list[BesideTerminal]:
    facts = {each.name: each for each in of.run.terminals}
    return [
        BesideTerminal(
            name=name,
            version=facts[name].version,
            remarks=list(facts[name].remarks),
            score=beside.score(found, name) if place else None,
        )
        for place, name in enumerate(found.terminals)
    ]


def _line(line: compared.TerminalRow, names: tuple[str, ...], panel: int, components: set[str]) -> BesideLine:
    suite, _, name = line.benchmark.rpartition("/")
    # A component has no client apart from what is measured.
    apart = line.benchmark not in components
    return BesideLine(
        anchor=line.benchmark,
        panel=panel,
        suite=suite,
        name=name,
        parameter=line.parameter,
        statistic=beside.statistic(line),
        figures=[_figure(line, line.figures.get(name), apart) for name in names],
    )


def _figure(line: compared.TerminalRow, figure: compared.Figure | None, apart: bool) -> BesideFigure | None:
    if figure is None:
        return None
    share = figure.client_share if apart else None
    return BesideFigure(
        value="" if figure.value is None else units.quantity(figure.value, line.unit),
        rate=beside.rate_of(line, figure),
        ratio=beside.ratio(figure),
        interval=beside.bounds(figure),
        side=SIDES[beside.side(line, figure)],
        failed=_failed(figure),
        client=units.share(share) if share is not None and share > CLIENT_LIMIT else "",
        reason=figure.reason,
    )


def _failed(figure: compared.Figure) -> str:
    if not figure.failed:
        return ""
    words = f"{units.count(figure.failed)} of {units.count(figure.n)} failed"
    return f"{words}: {figure.failure}" if figure.failure else words


def _place(line: compared.TerminalRow, figure: compared.Figure | None) -> Place | None:
    if figure is None or figure.ratio is None or not 0 < figure.ratio < math.inf:
        return None
    bounds = [html_curves.shortened(end) if 0 < end < math.inf else None for end in (figure.lower, figure.upper)]
    if line.better_below:
        return html_curves.shortened(figure.ratio), bounds[0], bounds[1]
    lower, upper = (None if end is None else html_curves.shortened(1 / end) for end in reversed(bounds))
    return html_curves.shortened(1 / figure.ratio), lower, upper
