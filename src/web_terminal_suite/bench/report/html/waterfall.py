"""Where the time of operations went, step by step, and what was on the screen around a slow one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.report.html.curves import shortened
from web_terminal_suite.bench.report.html.schema.charts import (
    FilmstripFrame,
    ScreenStrip,
    WaterfallChart,
    WaterfallRow,
)
from web_terminal_suite.bench.samples import Outcome, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.report.common.run_data import MeasuredRun
    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Filmstrip, Sample

SLOWEST: Final = 0.1
"""The part of all operations that the second row of a cell is about."""

_NOTE: Final = (
    "Means of all operations, and of the slowest tenth, because only means add up to the whole. A step that a page "
    "does not have is part of the one after it."
)


def waterfalls(facts: BenchmarkFacts, cells: Sequence[Cell], of: MeasuredRun) -> list[WaterfallChart]:
    """A chart for each parameter, where the benchmark's metrics have steps."""
    marked = [each for each in facts.metrics if each.mark and each.step]
    last = next((each.step for each in facts.metrics if not each.mark and each.step), "")
    if not marked or not last:
        return []
    marks, steps = [each.mark for each in marked], [*(each.step for each in marked), last]
    charts: list[WaterfallChart] = []
    for parameter in dict.fromkeys(each.parameter for each in cells):
        of_parameter = [each for each in cells if each.parameter == parameter]
        rows = [row for cell in of_parameter for row in _rows(cell, marks, of)]
        if rows:
            title = " \N{MIDDLE DOT} ".join(filter(None, ("Where the time goes", parameter)))
            charts.append(WaterfallChart(title=title, unit="ns", steps=steps, rows=rows))
    # Said once, below the last of them.
    return [*charts[:-1], *(msgspec.structs.replace(each, note=_NOTE) for each in charts[-1:])]


def _rows(cell: Cell, marks: Sequence[str], of: MeasuredRun) -> list[WaterfallRow]:
    done = [
        sample
        for trial in of.trials(cell)
        for sample in trial.samples
        if sample.phase is Phase.MEASURE and sample.outcome is Outcome.OK
    ]
    # A page that lacks a step for a few keys has it all the same: those keys are left out, not the step.
    had = [mark for mark in marks if sum(mark in each.marks for each in done) > len(done) / 2]
    done = sorted((each for each in done if all(mark in each.marks for mark in had)), key=_latency_ns)
    if not done or not had:
        return []
    slowest = done[-math.ceil(SLOWEST * len(done)) :]
    return [
        WaterfallRow(f"{cell.terminal}, {words}", cell.terminal, _segments(samples, marks, had))
        for words, samples in (("all", done), ("slowest tenth", slowest))
    ]


def _latency_ns(sample: Sample) -> int:
    return sample.seen_ns - sample.due_ns


def _segments(samples: Sequence[Sample], marks: Sequence[str], had: Sequence[str]) -> list[float]:
    """Means of the time from each step to the next; 0 for a step that the page does not have."""
    totals = [0] * (len(marks) + 1)
    for sample in samples:
        before_ns = sample.due_ns
        for place, mark in enumerate(marks):
            if mark in had:
                totals[place] += sample.marks[mark] - before_ns
                before_ns = sample.marks[mark]
        totals[-1] += sample.seen_ns - before_ns
    return [shortened(total / len(samples)) for total in totals]


def filmstrips(cells: Sequence[Cell], of: MeasuredRun) -> list[ScreenStrip]:
    """For each cell the slowest operation that there are pictures of."""
    found = []
    for cell in cells:
        kept = [each for trial in of.trials(cell) for each in trial.filmstrips if each.frames]
        if kept:
            found.append(_strip(cell, max(kept, key=lambda each: each.latency_ns)))
    return found


def _strip(cell: Cell, film: Filmstrip) -> ScreenStrip:
    name = " \N{MIDDLE DOT} ".join(filter(None, (cell.terminal, cell.parameter)))
    return ScreenStrip(
        terminal=cell.terminal,
        words=f"{name}: a key that took {units.quantity(film.latency_ns, 'ns')}",
        width=film.width,
        height=film.height,
        frames=[FilmstripFrame(_moment(each.at_ns), each.jpeg) for each in film.frames],
    )


def _moment(at_ns: int) -> str:
    if at_ns < 0:
        return "before the key"
    return f"{units.quantity(at_ns, 'ns')} after it"
