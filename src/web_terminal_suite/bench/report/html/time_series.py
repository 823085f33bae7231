"""The time series of a run as charts: each quantity is a line, joined over the trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.html.curves import scale_of, shortened
from web_terminal_suite.bench.report.html.schema.charts import StageStart, TimeSeriesChart, TimeSeriesLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import Trial

DRAWN_MOMENTS = 1_000
"""Places of a chart over time; more would overlap at any width of a screen."""

TIMES = "ns"


def time_series_charts(trials: Sequence[Trial]) -> list[TimeSeriesChart]:
    """The charts of one benchmark, in the order in which its trials name them."""
    charts = dict.fromkeys((series.chart, series.unit) for trial in trials for series in trial.courses)
    several = len({trial.cell.terminal for trial in trials}) > 1
    stages = _stages(trials)
    return [found for title, unit in charts if (found := _chart(title, unit, trials, several, stages)) is not None]


def _chart(
    title: str, unit: str, trials: Sequence[Trial], several: bool, stages: list[StageStart]
) -> TimeSeriesChart | None:
    lines: dict[tuple[str, str], dict[float, float | None]] = {}
    for trial in trials:
        for series in trial.courses:
            if (series.chart, series.unit) == (title, unit):
                line = lines.setdefault((trial.cell.terminal, series.name), {})
                line.update(zip(series.x, series.y, strict=False))
    moments = sorted({x for line in lines.values() for x in line})
    step = math.ceil(len(moments) / DRAWN_MOMENTS)
    groups = [moments[first : first + step] for first in range(0, len(moments), max(1, step))]
    drawn = [
        TimeSeriesLine(
            f"{terminal}, {name}" if several else name,
            terminal,
            [_largest([line.get(x) for x in group]) for group in groups],
        )
        for (terminal, name), line in lines.items()
    ]
    values = [value for line in drawn for value in line.y if value is not None]
    if not values:
        return None
    # Small times matter as much as large ones; everything else is read by its distance from zero.
    scale = scale_of([values]) if unit == TIMES else "linear"
    low, high = (min(values), max(values)) if unit == TIMES else (min(0.0, *values), max(1.0, *values))
    note = f"Each point is the largest of {step} seconds, so that no peak is missed." if step > 1 else ""
    return TimeSeriesChart(
        title=title,
        unit=unit,
        scale=scale,
        domain=(low, high),
        x=[group[0] for group in groups],
        lines=drawn,
        stages=stages,
        note=note,
    )


def _stages(trials: Sequence[Trial]) -> list[StageStart]:
    """Where each parameter begins, if there is more than one."""
    begins: dict[str, float] = {}
    for trial in trials:
        x = min((series.x[0] for series in trial.courses if series.x), default=None)
        if x is not None:
            begins[trial.cell.parameter] = min(x, begins.get(trial.cell.parameter, x))
    return [StageStart(x, words) for words, x in begins.items()] if len(begins) > 1 else []


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return shortened(max(known)) if known else None
