"""The rows of one metric of two sides: figures, ratio, significance; the verdict comes once all rows are known."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison.results import QUANTILES, ComparisonRow, Terms
from web_terminal_suite.bench.analysis.verdicts import CLIENT_LIMIT
from web_terminal_suite.bench.stats import permutations, ratios, regression
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.means import student_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Metric, Trial

    Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """One metric of one cell on both sides, with its trials."""

    cells: tuple[Cell, Cell]
    facts: BenchmarkFacts
    metric: Metric
    role: str
    trials: tuple[tuple[Trial, ...], tuple[Trial, ...]]


def count(pair: Pair, terms: Terms) -> int:
    return len(terms.statistics) if pair.metric.kind == "latency" else 1


def draft_rows(pair: Pair, terms: Terms, *, paired: bool, seeds: Sequence[int], family: int) -> list[ComparisonRow]:
    """The rows of one metric, not yet corrected; none where neither side has it."""
    if pair.metric.kind != "latency":
        row = _of_readings(pair, terms)
        return [] if row is None else [row]
    base, new = (estimates.latencies(trials, pair.metric.mark) for trials in pair.trials)
    if base is None or new is None:
        return []
    old, now = _by_block(pair.trials[0], base), _by_block(pair.trials[1], new)
    if paired:
        shared = [block for block in old if block in now]
        old, now = ({block: side[block] for block in shared} for side in (old, now))
    draft, rows = _draft(pair, base.n, new.n), []
    for name in terms.statistics:
        words = f"{pair.cells[0]}:{pair.cells[1]}:{pair.metric.name}:{name}".encode()
        rng = np.random.default_rng([*(abs(seed) for seed in seeds), zlib.crc32(words)])
        base_value, new_value = (_value(each, name, terms.level) for each in (base, new))
        row = msgspec.structs.replace(draft, statistic=name, base_value=base_value, new_value=new_value)
        blocks = (list(old.values()), list(now.values()))
        rows.append(_compared(row, blocks, QUANTILES[name], paired, terms, terms.significance / family, rng))
    return rows


def _compared(
    row: ComparisonRow,
    blocks: tuple[list[Values], list[Values]],
    q: float | None,
    paired: bool,
    terms: Terms,
    finest: float,
    rng: np.random.Generator,
) -> ComparisonRow:
    if not blocks[0]:
        return msgspec.structs.replace(row, reason="the two have no block in common")
    try:
        answer = ratios.ratio(*blocks, q, terms.level, paired=paired, resamples=terms.resamples, rng=rng)
    except ValueError as error:
        return msgspec.structs.replace(row, reason=str(error))
    if isinstance(answer, InsufficientData):
        return msgspec.structs.replace(row, reason=str(answer))
    found = permutations.significance(*blocks, q, paired=paired, finest=finest, resamples=terms.resamples, rng=rng)
    return _with(row, answer, found.p)


def _of_readings(pair: Pair, terms: Terms) -> ComparisonRow | None:
    readings = [estimates.points(trials, pair.metric) for trials in pair.trials]
    if not readings[0] or not readings[1]:
        return None
    kind = "slope" if pair.metric.kind == "slope" else "level"
    row = msgspec.structs.replace(_draft(pair, len(readings[0]), len(readings[1])), statistic=kind)
    figures = []
    for points in readings:
        x, y = [point.x for point in points], [point.y for point in points]
        figure = (
            _slope(x, y, terms.level, drifts=pair.metric.drifts) if kind == "slope" else _level(y, pair.metric.exact)
        )
        if isinstance(figure, str):
            return msgspec.structs.replace(row, reason=figure)
        figures.append(figure)
    row = msgspec.structs.replace(row, base_value=figures[0][0], new_value=figures[1][0])
    try:
        answer, p = ratios.ratio_of_figures(figures[0], figures[1], terms.level)
    except ValueError as error:
        return msgspec.structs.replace(row, reason=str(error))
    return _with(row, answer, p)


def _slope(x: list[float], y: list[float], level: float, *, drifts: bool) -> tuple[float, float, int] | str:
    if len(set(x)) < 2:
        return f"every reading is at x = {x[0]:g}; a slope needs two different x"
    line = (regression.drift if drifts else regression.fit)(x, y, level)
    if not isinstance(line.slope_interval, Interval):
        return str(line.slope_interval)
    half = line.slope_interval.upper - line.slope
    return line.slope, half / student_quantile((1 + level) / 2, line.n - 2), line.n - 2


def _level(y: list[float], exact: bool) -> tuple[float, float, int] | str:
    value = float(np.mean(y))
    if exact:
        return value, 0.0, 1
    if len(y) < 2:
        return str(InsufficientData(len(y), 2))
    return value, float(np.std(y, ddof=1)) / math.sqrt(len(y)), len(y) - 1


def _draft(pair: Pair, base_n: int, new_n: int) -> ComparisonRow:
    """The row as far as it is known without arithmetic; ``reason`` where no verdict in its favour can stand."""
    targets = (*pair.metric.targets.values(), *pair.metric.floor_targets.values())
    above = any(not target.below for target in targets if target.statistic in ("slope", "level", *QUANTILES))
    return ComparisonRow(
        base=pair.cells[0],
        new=pair.cells[1],
        role="subject" if pair.role == "subject" else pair.role,
        metric=pair.metric.name,
        unit=pair.metric.unit,
        statistic="",
        base_n=base_n,
        new_n=new_n,
        better_below=not above,
        reason=_taint(pair),
    )


def _taint(pair: Pair) -> str:
    """Why the figures are not wholly the terminal's; empty where they are."""
    for name, trials in zip(("base", "new"), pair.trials, strict=True):
        problem = next((trial.problem for trial in trials if trial.problem), "")
        if problem:
            return f"the cell is partial in the {name}: {problem}"
        usages = [trial.usage for trial in trials if trial.usage is not None and trial.usage.elapsed_ns > 0]
        share = max((usage.client_cpu_ns / usage.elapsed_ns for usage in usages), default=0.0)
        if share > CLIENT_LIMIT and not pair.facts.component and pair.role == "subject":
            return f"the client used {share:.0%} of a core in the {name}, more than {CLIENT_LIMIT:.0%}"
    return ""


def _with(row: ComparisonRow, answer: ratios.Ratio, p: float) -> ComparisonRow:
    return msgspec.structs.replace(
        row,
        ratio=None if math.isnan(answer.value) else answer.value,
        lower=answer.interval.lower,
        upper=answer.interval.upper,
        p=p,
        units=answer.units,
        paired=answer.paired,
    )


def _by_block(trials: Sequence[Trial], found: estimates.Latencies) -> dict[int, Values]:
    """Latencies by block, failures as ``inf``."""
    blocks: dict[int, list[Values]] = {}
    for trial, fine, every in zip(trials, found.succeeded, found.took, strict=True):
        values = np.concatenate([fine.astype(np.float64), np.full(every.size - fine.size, np.inf)])
        blocks.setdefault(trial.block, []).append(values)
    return {block: np.concatenate(parts) for block, parts in blocks.items()}


def _value(found: estimates.Latencies, name: str, level: float) -> float | None:
    """The statistic of all operations as a result states it; ``inf`` with a failure in a mean."""
    q = QUANTILES[name]
    if q is None:
        return float(found.series.values.mean())
    return estimates.percentile(found, q, level).value
