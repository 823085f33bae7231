"""The section of a benchmark: its panels, its summary, its charts over parameters and terminals."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import msgspec

from web_terminal_suite.bench.analysis import Verdict
from web_terminal_suite.bench.report.common import changes, rows, units
from web_terminal_suite.bench.report.html import curves, details, time_series, waterfall
from web_terminal_suite.bench.report.html.schema.charts import (
    HistoryChart,
    LineFit,
    ParameterChart,
    ParameterLine,
    ParameterPoint,
    SampleCurves,
    ScaleKind,
    Statistic,
    Violin,
    ViolinChart,
)
from web_terminal_suite.bench.report.html.schema.page import BenchmarkSection, MetricPanel, SummaryRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.analysis import Estimate, Result
    from web_terminal_suite.bench.analysis.estimates import Latencies
    from web_terminal_suite.bench.report.common.run_data import BaselineRun, MeasuredRun
    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Metric

WORST_FIRST = (Verdict.FAIL, Verdict.REFUSED, Verdict.UNDECIDED, Verdict.PASS, Verdict.NOT_APPLICABLE)
PERCENTILES = ("p50", "p95", "p99")
OVER_PARAMETERS = ("p50", "p95")
DRAWN_LINES: tuple[Statistic, ...] = ("mean", "p50", "p95", "p99")
MULTIPLES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


def full_sections(
    of: MeasuredRun, baseline: BaselineRun | None, history: Sequence[HistoryChart]
) -> list[BenchmarkSection]:
    """Every benchmark that was measured, with its panels."""
    return [benchmark_section(facts, of, baseline, history) for facts in _measured(of)]


def brief_sections(of: MeasuredRun) -> list[BenchmarkSection]:
    """Every benchmark that was measured, with its description alone."""
    return [_described(facts) for facts in _measured(of)]


def _measured(of: MeasuredRun) -> list[BenchmarkFacts]:
    found = {result.cell.benchmark for result in of.analysis.results}
    return [facts for facts in of.run.benchmarks if facts.id in found]


def _described(facts: BenchmarkFacts) -> BenchmarkSection:
    suite, _, name = facts.id.rpartition("/")
    return BenchmarkSection(
        id=facts.id,
        suite=suite,
        name=name,
        anchor=facts.id,
        description=facts.description,
        limitations=facts.limitations,
        component=facts.component,
    )


def benchmark_section(
    facts: BenchmarkFacts, of: MeasuredRun, baseline: BaselineRun | None, history: Sequence[HistoryChart]
) -> BenchmarkSection:
    """The section of one benchmark."""
    results = [result for result in of.analysis.results if result.cell.benchmark == facts.id]
    metrics = list({metric_key(result): result.metric for result in results}.values())
    scales = {metric.name: _scale(metric, results, of, baseline) for metric in metrics}
    keys = list(dict.fromkeys(panel_key(result) for result in results))
    panels = [
        _panel([each for each in results if panel_key(each) == key], scales, len(metrics) > 1, of, baseline, history)
        for key in keys
    ]
    shown = [metric for metric in metrics if metric.targets] or metrics[:1]
    cells = list(dict.fromkeys(result.cell for result in results))
    found = {judgement.verdict for result in results for judgement in result.judgements}
    columns = _columns(results)
    return msgspec.structs.replace(
        _described(facts),
        verdicts=[str(verdict) for verdict in WORST_FIRST if verdict in found],
        columns=columns,
        summary=[_summary(result, keys.index(panel_key(result)), columns, baseline) for result in results],
        lines=[chart for metric in shown for chart in _lines(metric, [r for r in results if r.metric == metric])],
        violins=[
            chart
            for metric in shown
            if (chart := _violins(metric, scales[metric.name], panels, len(metrics) > 1)) is not None
        ],
        panels=panels,
        time_series=time_series.time_series_charts(
            [trial for trial in of.run.trials if trial.cell.benchmark == facts.id]
        ),
        waterfalls=waterfall.waterfalls(facts, cells, of),
        filmstrips=waterfall.filmstrips(cells, of),
    )


def metric_key(result: Result) -> tuple[str, str]:
    """What tells the metrics of a benchmark apart."""
    return result.metric.name, result.metric.kind


def panel_key(result: Result) -> tuple[str, str, str]:
    """What the rows of one panel share."""
    return result.cell.parameter, result.metric.name, result.metric.kind


def _scale(metric: Metric, results: Sequence[Result], of: MeasuredRun, baseline: BaselineRun | None) -> ScaleKind:
    """One scale for all parameters of a metric, so that its charts can be compared."""
    own = [result for result in results if result.metric == metric]
    return curves.scale_of(found.series.values for result in own for found in _samples(result, of, baseline))


def _samples(result: Result, of: MeasuredRun, baseline: BaselineRun | None) -> list[Latencies]:
    floor = of.floor(result)
    found = [of.latencies(result.cell, result.metric)]
    found.append(of.latencies(floor.cell, floor.metric) if floor else None)
    found.append(baseline.latencies(result.cell, result.metric) if baseline else None)
    return [each for each in found if each is not None]


def _panel(
    results: Sequence[Result],
    scales: dict[str, ScaleKind],
    named: bool,
    of: MeasuredRun,
    baseline: BaselineRun | None,
    history: Sequence[HistoryChart],
) -> MetricPanel:
    first = results[0]
    scale = scales[first.metric.name]
    series = [each for result in results for each in _series(result, scale, of, baseline)]
    # Several terminals may have one floor.
    series = list({(each.reference, each.label): each for each in series}.values())
    values = [found.series.values for result in results for found in _samples(result, of, baseline)]
    target = next((each.judgement.target for each in results if each.judgement.target is not None), None)
    is_line = target is not None and target.statistic in (*PERCENTILES, "mean", "p99.9", "level")
    return MetricPanel(
        parameter=first.cell.parameter,
        metric=first.metric.name,
        label=" · ".join(part for part in (first.cell.parameter, first.metric.name if named else "") if part),
        kind=first.metric.kind,
        unit=first.metric.unit,
        scale=scale,
        domain=curves.domain_of(values),
        limit=target.limit if target is not None and is_line else None,
        limit_words=f"{target.statistic} {rows.limit(target, target.limit, first)}" if target is not None else "",
        series=series,
        fits=[_fit(result, of) for result in results if result.metric.kind != "latency" and result.n],
        facts=[details.details(result, baseline) for result in results],
        history=[each for result in results for each in history if _is_of(each, result)],
    )


def _series(result: Result, scale: ScaleKind, of: MeasuredRun, baseline: BaselineRun | None) -> list[SampleCurves]:
    """The row's own sample, its floor and its baseline."""
    own = _curves(result, scale, of, "", result.cell.terminal)
    if own is None:
        return []
    found: list[SampleCurves | None] = [own]
    floor = of.floor(result)
    elsewhere = floor is not None and (floor.cell.benchmark, floor.cell.parameter) != _place(result.cell)
    if floor is not None and elsewhere:
        parts = (floor.cell.benchmark.rpartition("/")[2], floor.cell.parameter)
        label = f"floor: {floor.cell.terminal}, {' '.join(part for part in parts if part)}"
        found.append(_curves(floor, scale, of, "floor", label))
    before = baseline.same(result) if baseline is not None and result.role == "subject" else None
    if baseline is not None and before is not None:
        found.append(_curves(before, scale, baseline, "baseline", f"{result.cell.terminal}, baseline"))
    return [each for each in found if each is not None]


def _curves(
    result: Result, scale: ScaleKind, of: MeasuredRun, reference: Literal["", "floor", "baseline"], label: str
) -> SampleCurves | None:
    found = of.latencies(result.cell, result.metric)
    if found is None:
        return None
    values = {name: result.estimates[name].value for name in DRAWN_LINES if name in result.estimates}
    samples = None
    if not reference:
        samples = curves.samples(of.trials(result.cell), result.metric.mark, of.began_ns)
    return SampleCurves(
        label=label,
        terminal=result.cell.terminal,
        role=result.role,
        reference=reference,
        n=found.n,
        density=curves.density(found.series.values, scale),
        percentiles=curves.percentiles(found, of.analysis.level),
        samples=samples,
        lines={name: value for name, value in values.items() if value is not None and math.isfinite(value)},
    )


def _fit(result: Result, of: MeasuredRun) -> LineFit:
    metric = result.metric
    words = details.fit_words(result)
    sloped = metric.kind == "slope"
    blocks = of.readings(result)
    return curves.fit(result.cell.terminal, result.role, blocks, of.analysis.level, sloped, words)


def _columns(results: Iterable[Result]) -> list[str]:
    found = list(results)
    columns: list[str] = []
    if any(result.metric.kind == "latency" for result in found):
        columns += PERCENTILES
    if any(result.throughput is not None for result in found):
        columns.append("rate")
    if any(result.metric.kind != "latency" for result in found):
        columns.append("value")
    return columns


def _summary(result: Result, panel: int, columns: Sequence[str], baseline: BaselineRun | None) -> SummaryRow:
    return SummaryRow(
        panel=panel,
        parameter=result.cell.parameter,
        metric=result.metric.name,
        terminal=result.cell.terminal,
        n=units.count(result.n),
        figures=[_figure(result, name) for name in columns],
        floor=details.over_floor(result),
        change=changes.change(result, baseline)[0],
        verdict=str(result.judgement.verdict),
    )


def _figure(result: Result, column: str) -> str:
    name = result.metric.kind if column == "value" else column
    estimate = result.estimates.get(name)
    if estimate is None or estimate.value is None:
        return units.MISSING
    return units.quantity(estimate.value, rows.unit_of(name, result))


def _lines(metric: Metric, results: Sequence[Result]) -> list[ParameterChart]:
    """Latency, and throughput where there is one, over the parameter; nothing where there is only one."""
    parameters = list(dict.fromkeys(result.cell.parameter for result in results))
    if len(parameters) < 2:
        return []
    xs = [_number(parameter) for parameter in parameters]
    numbers = [x for x in xs if x is not None]
    x_scale: Literal["", "linear", "log"] = ""
    if len(numbers) == len(xs):
        x_scale = curves.scale_of([numbers])
    statistics = OVER_PARAMETERS if metric.kind == "latency" else (metric.kind,)
    charts = [_over_parameters(metric.name, metric.unit, statistics, results, x_scale)]
    if any(result.throughput is not None for result in results):
        unit = next(f"{result.throughput.unit}/s" for result in results if result.throughput is not None)
        charts.append(_over_parameters("throughput", unit, ("rate",), results, x_scale))
    return [chart for chart in charts if any(len(line.points) > 1 for line in chart.lines)]


def _over_parameters(
    title: str,
    unit: str,
    statistics: Sequence[str],
    results: Sequence[Result],
    x_scale: Literal["", "linear", "log"],
) -> ParameterChart:
    terminals = dict.fromkeys((result.cell.terminal, result.role) for result in results)
    lines = []
    for terminal, role in terminals:
        for statistic in statistics:
            own = [result for result in results if result.cell.terminal == terminal]
            points = [point for result in own if (point := _point(result, statistic, unit)) is not None]
            if points:
                lines.append(ParameterLine(statistic, terminal, role, points))
    ends = [end for line in lines for point in line.points for end in (point.value, point.lower, point.upper)]
    y_scale = curves.scale_of([[end for end in ends if end is not None]])
    return ParameterChart(title=title, unit=unit, x_scale=x_scale, y_scale=y_scale, lines=lines)


def _point(result: Result, statistic: str, unit: str) -> ParameterPoint | None:
    estimate = result.estimates.get(statistic)
    if estimate is None or estimate.value is None or not math.isfinite(estimate.value):
        return None
    value, interval = rows.value_and_interval(estimate, unit)
    return ParameterPoint(
        result.cell.parameter,
        _number(result.cell.parameter),
        curves.shortened(estimate.value),
        *_bounds(estimate),
        words=f"{result.cell.terminal} {statistic} at {result.cell.parameter}: {value} ({interval})",
    )


def _bounds(estimate: Estimate) -> tuple[float | None, float | None]:
    lower, upper = (curves.shortened(end) if math.isfinite(end) else None for end in (estimate.lower, estimate.upper))
    return lower, upper


def _violins(metric: Metric, scale: ScaleKind, panels: Sequence[MetricPanel], named: bool) -> ViolinChart | None:
    """Every sample of the metric, one below the other; ``None`` where there is only one."""
    found = []
    for at, panel in enumerate(panels):
        if panel.metric != metric.name or panel.kind != metric.kind:
            continue
        for place, series in enumerate(panel.series):
            if series.density is not None and not series.reference:
                found.append((panel, series, Violin(panel.parameter, at, place)))
    if len(found) < 2:
        return None
    several = len({series.terminal for _, series, _ in found}) > 1
    violins = [
        msgspec.structs.replace(
            violin,
            label=" · ".join(part for part in (panel.parameter, series.terminal if several else "") if part),
        )
        for panel, series, violin in found
    ]
    domains = [panel.domain for panel, _, _ in found if panel.domain is not None]
    return ViolinChart(
        title=metric.name if named else "",
        unit=metric.unit,
        scale=scale,
        domain=(min(low for low, _ in domains), max(high for _, high in domains)),
        violins=violins,
    )


def _number(parameter: str) -> float | None:
    """The number that a parameter such as ``100`` or ``32MB`` stands for."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKMG]?)i?B?", parameter)
    return float(found[1]) * MULTIPLES[found[2]] if found else None


def _place(cell: Cell) -> tuple[str, str]:
    return cell.benchmark, cell.parameter


def _is_of(history: HistoryChart, result: Result) -> bool:
    cell = result.cell
    return (history.benchmark, history.parameter, history.terminal, history.metric) == (
        cell.benchmark,
        cell.parameter,
        cell.terminal,
        result.metric.name,
    )
