"""What the charts of a report are drawn from: curves, samples, lines over a parameter, time series, earlier runs."""

from __future__ import annotations

from typing import Literal

import msgspec

ScaleKind = Literal["linear", "log"]

Statistic = Literal["mean", "p50", "p95", "p99"]
"""What charts draw as a line."""

WARM_UP = 9
"""In ``SamplePlot.label``: an operation of the warm-up, beyond Tukey's labels."""


class DensityCurve(msgspec.Struct, frozen=True):
    """A probability density: ``y`` at ``x``, which is in the unit of the metric.

    On a log scale ``y`` is a density over the logarithm of ``x``.
    """

    x: list[float]
    y: list[float]


class PercentileCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles at ``1 - 10 ** -nines`` with their bounds; ``None`` where an operation failed or no bound exists."""

    nines: list[float]
    value: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    supported: int
    """How many of them, from the first, a sample of this size can bound on both sides."""


class FailedOperation(msgspec.Struct, frozen=True):
    """A failed operation."""

    x: int
    """Its number."""
    y: float
    """Time until it had failed."""
    outcome: str
    reason: str


class BlockStart(msgspec.Struct, frozen=True):
    """Where a block begins."""

    x: int
    """Number of its first operation."""
    block: int
    """Number of the block."""
    seconds: float
    """Seconds into the run."""


class SamplePlot(msgspec.Struct, frozen=True, kw_only=True):
    """Operations in the order in which they were due; where not all are drawn, evenly chosen, outliers separately."""

    x: list[int]
    y: list[float]
    label: list[int]
    """Tukey's label of each, -2 to 2, or ``WARM_UP``."""
    failures: list[FailedOperation]
    blocks: list[BlockStart]
    drawn: int
    total: int


class SampleCurves(msgspec.Struct, frozen=True, kw_only=True):
    """One sample as curves."""

    label: str
    terminal: str
    role: str
    reference: Literal["", "floor", "baseline"] = ""
    """What the sample is compared with, empty for the panel's own."""
    n: int
    density: DensityCurve | None = None
    percentiles: PercentileCurve | None = None
    samples: SamplePlot | None = None
    lines: dict[Statistic, float] = {}
    """Statistics to draw as lines, each where the sample supports it."""


class LineFit(msgspec.Struct, frozen=True, kw_only=True):
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


class HistoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A statistic of one earlier run."""

    started: str
    value: float
    lower: float | None = None
    upper: float | None = None
    changed: bool = False
    """Whether it is the first run after a change point."""
    note: str = ""


class HistoryChart(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier runs of one row, oldest first."""

    benchmark: str
    parameter: str
    terminal: str
    metric: str
    statistic: str
    points: list[HistoryPoint]


class ParameterPoint(msgspec.Struct, frozen=True):
    """A value with its bounds at one parameter."""

    parameter: str
    x: float | None
    """The parameter as a number, where it is one."""
    value: float
    lower: float | None
    upper: float | None
    words: str
    """What a reader is told about it."""


class ParameterLine(msgspec.Struct, frozen=True):
    """One statistic of one terminal over the parameters."""

    label: str
    terminal: str
    role: str
    points: list[ParameterPoint]


class ParameterChart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart over the parameter."""

    title: str
    unit: str
    x_scale: Literal["", "linear", "log"]
    """Empty where the parameters are not numbers."""
    y_scale: ScaleKind
    lines: list[ParameterLine]


class TimeSeriesLine(msgspec.Struct, frozen=True):
    """One quantity over time."""

    label: str
    terminal: str
    y: list[float | None]
    """``None`` where there is nothing to draw: the line has a gap."""


class StageStart(msgspec.Struct, frozen=True):
    """Where a stage of the run begins."""

    x: float
    words: str


class TimeSeriesChart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart over time."""

    title: str
    unit: str
    scale: ScaleKind
    domain: tuple[float, float]
    x: list[float]
    """Seconds into the run, shared by all lines."""
    lines: list[TimeSeriesLine]
    stages: list[StageStart] = []
    note: str = ""
    """What was left out in drawing, if anything was."""


class Violin(msgspec.Struct, frozen=True):
    """A row of a violin chart: the density of a series of a panel."""

    label: str
    panel: int
    series: int


class ViolinChart(msgspec.Struct, frozen=True, kw_only=True):
    """Densities of one metric one below the other, on one axis."""

    title: str
    unit: str
    scale: ScaleKind
    domain: tuple[float, float]
    violins: list[Violin]


class WaterfallRow(msgspec.Struct, frozen=True):
    """Where the time of some operations went, on average; the segments add up to the whole."""

    label: str
    terminal: str
    segments: list[float]
    """In the order of the chart's ``steps``."""


class WaterfallChart(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of an operation one after the other, for each terminal."""

    title: str
    unit: str
    steps: list[str]
    rows: list[WaterfallRow]
    note: str = ""


class FilmstripFrame(msgspec.Struct, frozen=True):
    """A picture of the screen, and when that was shown."""

    words: str
    jpeg: str
    """In base64."""


class ScreenStrip(msgspec.Struct, frozen=True, kw_only=True):
    """What was on the screen around one slow operation."""

    terminal: str
    words: str
    width: int
    height: int
    frames: list[FilmstripFrame]


class BulletBar(msgspec.Struct, frozen=True):
    """A judged statistic as a part of its limit: below 1 it keeps the limit, whichever side is the good one."""

    value: float | None
    lower: float | None
    upper: float | None
    goal: float | None
