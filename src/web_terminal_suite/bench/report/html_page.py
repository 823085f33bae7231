"""What the page of a report is given: words as they are printed, and arrays as they are drawn.

These classes are the contract with ``frontend/report/src/data.ts``, field by field. The page computes nothing: it
places what is here. Knows neither records nor statistics.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# msgspec resolves it when a page is encoded, so it is not imported for types alone.
from web_terminal_suite.bench.report.html_page_beside import Beside

Scale = Literal["linear", "log"]


class Density(msgspec.Struct, frozen=True):
    """``y`` at ``x`` (unit of the metric); on a log scale ``y`` is a density over the logarithm of ``x``."""

    x: list[float]
    y: list[float]


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles at ``1 - 10 ** -nines``, with their bounds; ``None`` where an operation failed or no bound exists.

    The first ``supported`` of them can be bounded on both sides by a sample of this size.
    """

    nines: list[float]
    value: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    supported: int


class Failure(msgspec.Struct, frozen=True):
    """A failed operation: its number, the time until it had failed, and how."""

    x: int
    y: float
    outcome: str
    reason: str


class Block(msgspec.Struct, frozen=True):
    """Where a block begins: the number of its first operation, the block's own, seconds into the run."""

    x: int
    block: int
    seconds: float


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Operations in the order in which they were due. ``label`` is Tukey's (-2 .. 2), or ``WARM_UP``.

    ``drawn`` of ``total`` are here: where that is fewer, evenly chosen, outliers and the rest apart.
    """

    x: list[int]
    y: list[float]
    label: list[int]
    failures: list[Failure]
    blocks: list[Block]
    drawn: int
    total: int


WARM_UP = 9
"""Stands in ``Samples.label`` for an operation of the warm-up, beyond Tukey's labels."""


class Row(msgspec.Struct, frozen=True):
    """One statistic in words. ``refusal`` stands in for what the sample is too thin for."""

    name: str
    lower: str
    value: str
    upper: str
    refusal: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One sample as curves. ``reference`` is empty for what was measured here, else ``floor`` or ``baseline``."""

    label: str
    terminal: str
    role: str
    reference: Literal["", "floor", "baseline"] = ""
    n: int
    density: Density | None = None
    percentiles: Percentiles | None = None
    samples: Samples | None = None
    lines: dict[str, float] = {}
    """Statistics to draw as lines: ``mean``, ``p50``, ``p95``, ``p99``, each where the sample supports it."""


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of a slope or a level, and the line through them with the bounds of its mean."""

    terminal: str
    role: str
    x: list[float]
    y: list[float]
    line_x: list[float] = []
    line_y: list[float] = []
    line_lower: list[float] = []
    line_upper: list[float] = []
    words: str = ""


class Outlier(msgspec.Struct, frozen=True):
    """A class of Tukey's with the number of operations in it."""

    name: str
    count: str
    share: str


class HistoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A statistic of one earlier run. ``changed`` marks the first run after a change was found."""

    started: str
    value: float
    lower: float | None = None
    upper: float | None = None
    changed: bool = False
    note: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier runs of one row, oldest first."""

    benchmark: str
    parameter: str
    terminal: str
    metric: str
    statistic: str
    points: list[HistoryPoint]


class Link(msgspec.Struct, frozen=True):
    """A file beside the report."""

    text: str
    href: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What one terminal gave here, in words."""

    terminal: str
    role: str
    verdict: str
    target: str
    goal: str
    goal_verdict: str
    reason: str
    counts: str
    rows: list[Row]
    floor: str = ""
    over_floor: list[Row] = []
    changes: list[Row] = []
    change: str = ""
    outliers: list[Outlier] = []
    outlier_total: str = ""
    problems: list[str] = []
    warnings: list[str] = []
    pictures: list[Link] = []
    not_applicable: str = ""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One metric at one parameter, for every terminal that was measured there."""

    parameter: str
    metric: str
    label: str
    kind: str
    unit: str
    scale: Scale
    domain: tuple[float, float] | None
    limit: float | None
    limit_words: str
    series: list[Series]
    fits: list[Fit]
    facts: list[Facts]
    history: list[History] = []


class Dot(msgspec.Struct, frozen=True):
    """A value with its bounds at one parameter; ``words`` is what a reader is told about it."""

    parameter: str
    x: float | None
    value: float
    lower: float | None
    upper: float | None
    words: str


class Strand(msgspec.Struct, frozen=True):
    """One terminal's dots along the parameters."""

    label: str
    terminal: str
    role: str
    dots: list[Dot]


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """A chart over the parameter. ``x_scale`` is empty where parameters are no numbers."""

    title: str
    unit: str
    x_scale: Literal["", "linear", "log"]
    y_scale: Scale
    strands: list[Strand]


class Course(msgspec.Struct, frozen=True):
    """One quantity over time; ``y`` is ``None`` where there is nothing to draw, and the line has a gap."""

    label: str
    terminal: str
    y: list[float | None]


class Border(msgspec.Struct, frozen=True):
    """Where something else begins."""

    x: float
    words: str


class Courses(msgspec.Struct, frozen=True, kw_only=True):
    """A chart over time: ``x`` in seconds into the run, shared by all of its lines.

    ``note`` says what was left out in drawing, if anything was.
    """

    title: str
    unit: str
    scale: Scale
    domain: tuple[float, float]
    x: list[float]
    courses: list[Course]
    borders: list[Border] = []
    note: str = ""


class Violin(msgspec.Struct, frozen=True):
    """A row of the violins: whose density is where. ``lines`` are those of the series."""

    label: str
    panel: int
    series: int


class Violins(msgspec.Struct, frozen=True, kw_only=True):
    """Densities of one metric side by side, on one axis."""

    title: str
    unit: str
    scale: Scale
    domain: tuple[float, float]
    violins: list[Violin]


class SummaryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cell and metric in the summary of a benchmark."""

    panel: int
    parameter: str
    metric: str
    terminal: str
    n: str
    figures: list[str]
    floor: str
    change: str
    verdict: str


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one benchmark. ``columns`` heads the ``figures`` of the summary."""

    id: str
    suite: str
    name: str
    anchor: str
    description: str
    not_shown: str
    component: bool
    verdicts: list[str] = []
    columns: list[str] = []
    summary: list[SummaryRow] = []
    lines: list[Lines] = []
    violins: list[Violins] = []
    panels: list[Panel] = []
    courses: list[Courses] = []


class Bullet(msgspec.Struct, frozen=True):
    """A judged statistic as part of its limit: below 1 it keeps it, whichever side is the good one."""

    value: float | None
    lower: float | None
    upper: float | None
    goal: float | None


class OverviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the overview. ``keys`` are what it is sorted by, where words would not do."""

    anchor: str
    panel: int
    benchmark: str
    suite: str
    parameter: str
    terminal: str
    role: str
    statistic: str
    value: str
    interval: str
    target: str
    goal: str
    goal_verdict: str
    floor: str
    change: str
    change_words: str
    verdict: str
    reason: str
    bullet: Bullet | None
    keys: dict[str, float | None]


class TerminalWords(msgspec.Struct, frozen=True):
    """One terminal of the run."""

    name: str
    version: str
    role: str
    command: str
    capabilities: str


class Warned(msgspec.Struct, frozen=True):
    """A warning of the machine."""

    seen: str
    matters: str
    remedy: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. One that is ``brief`` has no panels: of its benchmarks it says what they are."""

    title: str
    brief: bool
    started: str
    level: str
    exit_code: int
    exit_words: str
    """Empty where it is not said."""
    partial: list[str]
    """Why the report is of a part only; empty where the run is whole."""
    facts: list[tuple[str, str]]
    verdicts: dict[str, int]
    goals: tuple[int, int]
    """Met, and how many there are."""
    judged: str
    """Whose targets are counted and listed; empty where those of every terminal are."""
    overview: list[OverviewRow]
    beside: Beside | None
    """``None`` where one terminal was measured."""
    baseline: list[str]
    """What the baseline is and how its machine differs; empty where none was given."""
    benchmarks: list[Benchmark]
    terminals: list[TerminalWords]
    environment: list[tuple[str, str, str]]
    """What, before the run, after it where that differs."""
    options: list[tuple[str, str]]
    warnings: list[Warned]
    version: str
