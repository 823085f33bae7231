"""What a run tells of itself over time, as charts: each quantity a line, joined over the run's trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.html_curves import scale_of, shortened
from web_terminal_suite.bench.report.html_page import Border, Course, Courses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import Trial

DRAWN_MOMENTS = 1_000
"""Places of a chart over time; more would lie on each other at any width of a screen."""

TIMES = "ns"


def courses(trials: Sequence[Trial]) -> list[Courses]:
    """The charts of one benchmark, in the order in which its trials name them."""
    charts = dict.fromkeys((course.chart, course.unit) for trial in trials for course in trial.courses)
    several = len({trial.cell.terminal for trial in trials}) > 1
    borders = _borders(trials)
    return [found for title, unit in charts if (found := _chart(title, unit, trials, several, borders)) is not None]


def _chart(title: str, unit: str, trials: Sequence[Trial], several: bool, borders: list[Border]) -> Courses | None:
    lines: dict[tuple[str, str], dict[float, float | None]] = {}
    for trial in trials:
        for course in trial.courses:
            if (course.chart, course.unit) == (title, unit):
                line = lines.setdefault((trial.cell.terminal, course.name), {})
                line.update(zip(course.x, course.y, strict=False))
    moments = sorted({x for line in lines.values() for x in line})
    step = math.ceil(len(moments) / DRAWN_MOMENTS)
    groups = [moments[first : first + step] for first in range(0, len(moments), max(1, step))]
    drawn = [
        Course(
            f"{terminal}, {name}" if several else name,
            terminal,
            [_largest([line.get(x) for x in group]) for group in groups],
        )
        for (terminal, name), line in lines.items()
    ]
    values = [value for course in drawn for value in course.y if value is not None]
    if not values:
        return None
    # Of times the small ones matter as much as the large ones; of everything else it matters how far it is from none.
    scale = scale_of([values]) if unit == TIMES else "linear"
    low, high = (min(values), max(values)) if unit == TIMES else (min(0.0, *values), max(1.0, *values))
    note = f"Each place is the largest of {step} seconds, so that no peak is missed." if step > 1 else ""
    return Courses(
        title=title,
        unit=unit,
        scale=scale,
        domain=(low, high),
        x=[group[0] for group in groups],
        courses=drawn,
        borders=borders,
        note=note,
    )


def _borders(trials: Sequence[Trial]) -> list[Border]:
    """Where each parameter begins, where there is more than one."""
    begins: dict[str, float] = {}
    for trial in trials:
        x = min((course.x[0] for course in trial.courses if course.x), default=None)
        if x is not None:
            begins[trial.cell.parameter] = min(x, begins.get(trial.cell.parameter, x))
    return [Border(x, words) for words, x in begins.items()] if len(begins) > 1 else []


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return shortened(max(known)) if known else None
