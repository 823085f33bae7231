"""The page of a report: the overview, the section of each benchmark, and what one terminal measured there."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

# msgspec resolves these names when a page is encoded, so they are imported at run time.
from web_terminal_suite.bench.report.html.schema.charts import (
    BulletBar,
    HistoryChart,
    LineFit,
    ParameterChart,
    SampleCurves,
    ScaleKind,
    ScreenStrip,
    TimeSeriesChart,
    ViolinChart,
    WaterfallChart,
)
from web_terminal_suite.bench.report.html.schema.terminal_comparison import ComparisonSection


class StatisticRow(msgspec.Struct, frozen=True):
    """One statistic in words."""

    name: str
    lower: str
    value: str
    upper: str
    refusal: str = ""
    """Why there is no value, where the sample is too small for one."""


class OutlierClass(msgspec.Struct, frozen=True):
    """One of Tukey's classes with the number of operations in it."""

    name: str
    count: str
    share: str


class PageLink(msgspec.Struct, frozen=True):
    """A file that belongs to the report."""

    text: str
    href: str


class ResultDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What one terminal achieved at one parameter, in words."""

    terminal: str
    role: str
    verdict: str
    target: str
    goal: str
    goal_verdict: str
    reason: str
    counts: str
    rows: list[StatisticRow]
    floor: str = ""
    over_floor: list[StatisticRow] = []
    changes: list[StatisticRow] = []
    change: str = ""
    outliers: list[OutlierClass] = []
    outlier_total: str = ""
    problems: list[str] = []
    warnings: list[str] = []
    flame_graphs: list[PageLink] = []
    not_applicable: str = ""


class MetricPanel(msgspec.Struct, frozen=True, kw_only=True):
    """One metric at one parameter, for every terminal that was measured there."""

    parameter: str
    metric: str
    label: str
    kind: str
    unit: str
    scale: ScaleKind
    domain: tuple[float, float] | None
    limit: float | None
    limit_words: str
    series: list[SampleCurves]
    fits: list[LineFit]
    facts: list[ResultDetails]
    history: list[HistoryChart] = []


class SummaryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One cell and metric in the summary of a benchmark."""

    panel: int
    parameter: str
    metric: str
    terminal: str
    n: str
    figures: list[str]
    """In the order of the benchmark's ``columns``."""
    floor: str
    change: str
    verdict: str


class BenchmarkSection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one benchmark."""

    id: str
    suite: str
    name: str
    anchor: str
    description: str
    limitations: str
    """What its figures do not show."""
    component: bool
    verdicts: list[str] = []
    columns: list[str] = []
    summary: list[SummaryRow] = []
    lines: list[ParameterChart] = []
    violins: list[ViolinChart] = []
    panels: list[MetricPanel] = []
    time_series: list[TimeSeriesChart] = []
    waterfalls: list[WaterfallChart] = []
    filmstrips: list[ScreenStrip] = []


class OverviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the overview."""

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
    bullet: BulletBar | None
    keys: dict[str, float | None]
    """What it is sorted by, by column, where the words do not sort."""


class TerminalEntry(msgspec.Struct, frozen=True):
    """One terminal in the section on the environment."""

    name: str
    version: str
    role: str
    command: str
    capabilities: str


class EnvironmentWarning(msgspec.Struct, frozen=True):
    """A warning about the machine."""

    seen: str
    matters: str
    remedy: str


class GoalCount(NamedTuple):
    """Goals met, and all of them."""

    met: int
    all: int


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report."""

    title: str
    brief: bool
    """Whether it has no panels and only describes its benchmarks."""
    started: str
    level: str
    exit_code: int
    exit_words: str
    """Empty where it is not shown."""
    partial: list[str]
    """Why the report covers only a part of the plan; empty where the run is complete."""
    facts: list[tuple[str, str]]
    verdicts: dict[str, int]
    goals: GoalCount
    judged: str
    """Whose targets are counted and listed; empty where those of every terminal are."""
    overview: list[OverviewRow]
    comparison: ComparisonSection | None
    """``None`` where one terminal was measured."""
    baseline: list[str]
    """What the baseline is and how its machine differs; empty without a baseline."""
    benchmarks: list[BenchmarkSection]
    terminals: list[TerminalEntry]
    environment: list[tuple[str, str, str]]
    """Name, value before the run, value after the run where that differs."""
    options: list[tuple[str, str]]
    warnings: list[EnvironmentWarning]
    version: str
