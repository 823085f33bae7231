"""The arrays that the charts of a report are drawn from: densities, quantile curves, samples, lines.

Statistics are taken from every operation; only what is drawn is thinned, and says so. Knows neither text nor page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.report.html.schema.charts import (
    WARM_UP,
    BlockStart,
    DensityCurve,
    FailedOperation,
    LineFit,
    PercentileCurve,
    SamplePlot,
    ScaleKind,
)
from web_terminal_suite.bench.samples import Outcome, Phase
from web_terminal_suite.bench.stats import density as densities
from web_terminal_suite.bench.stats import outliers, quantiles, regression
from web_terminal_suite.bench.stats.block_intervals import percentile_intervals
from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.means import student_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.analysis.estimates import Latencies
    from web_terminal_suite.bench.samples import Point, Sample, Trial

DRAWN_SAMPLES = 2_000
"""Points of one sample that are drawn; more would overlap at any width of a screen."""

DRAWN_OUTLIERS = 600
"""How many of them may be outliers: readers look for outliers, but most operations are none."""

DRAWN_FAILURES = 200
DRAWN_READINGS = 500

DENSITY_POINTS = 160
DIGITS = 5
"""Significant digits of what is drawn: a hundredth of a pixel."""

LOG_FROM = 8.0
"""Ratio of largest to smallest above which an axis is logarithmic: a tail would press the rest against the edge."""

FEWEST_FOR_DENSITY = 10
"""Criterion takes no smaller sample; a curve through fewer would suggest a shape that nothing supports."""

MOST_NINES = 3.0
NINES_STEPS = 60


def scale_of(samples: Iterable[npt.ArrayLike]) -> ScaleKind:
    """The scale of an axis that all of ``samples`` share."""
    ends = [(float(array.min()), float(array.max())) for array in map(_finite, samples) if array.size]
    if not ends:
        return "linear"
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return "log" if low > 0 and high / low >= LOG_FROM else "linear"


def domain_of(samples: Iterable[npt.ArrayLike]) -> tuple[float, float] | None:
    """The smallest and the largest finite value, ``None`` where there is none."""
    arrays = [array for array in map(_finite, samples) if array.size]
    if not arrays:
        return None
    return shortened(min(float(a.min()) for a in arrays)), shortened(max(float(a.max()) for a in arrays))


def density(values: npt.ArrayLike, scale: ScaleKind) -> DensityCurve | None:
    """The density of the finite ``values`` on that scale; ``None`` where they are too few or all the same."""
    array = _finite(values)
    if array.size < FEWEST_FOR_DENSITY:
        return None
    curve = densities.density(array, DENSITY_POINTS, logarithmic=scale == "log")
    return None if curve is None else DensityCurve(_short(curve.x), _short(curve.y))


def percentiles(found: Latencies, level: float) -> PercentileCurve:
    """The sample on a percentile axis, from the smallest to p99.9 or as far as it has operations for.

    The band is the interval of each percentile; there is none where blocks or operations are too few for one.
    """
    series, blocks = found.series, list(found.blocks().values())
    n = len(series)
    # A little further than the last value's own place, so that the curve ends at the largest.
    last = min(MOST_NINES, math.log10(n) + 0.05)
    nines = np.linspace(0, last, 2 + int(NINES_STEPS * last / MOST_NINES))
    qs = [min(1 - 10**-k, 1 - 1e-9) if k > 0 else 0.5 / n for k in nines.tolist()]
    answers = percentile_intervals(blocks, qs, level)
    bounds = [(each.lower, each.upper) if isinstance(each, Interval) else (-math.inf, math.inf) for each in answers]
    needs = [max(quantiles.needed(q, level), 0) if q >= 0.5 else 0 for q in qs]
    return PercentileCurve(
        nines=_short(nines),
        value=[_or_none(quantiles.quantile(series, q)) for q in qs],
        lower=[_or_none(lower) for lower, _ in bounds],
        upper=[_or_none(upper) for _, upper in bounds],
        supported=sum(need <= n for need in needs),
    )


def samples(trials: Sequence[Trial], mark: str, origin_ns: int) -> SamplePlot | None:
    """Every operation of ``trials`` up to ``mark``, thinned to what can be seen; ``None`` where there are none.

    Args:
        origin_ns: when the run began.
    """
    ordered = sorted((trial for trial in trials if trial.samples), key=lambda trial: trial.samples[0].due_ns)
    every: list[Sample] = [sample for trial in ordered for sample in trial.samples]
    if not every:
        return None
    blocks, place = [], 0
    for trial in ordered:
        blocks.append(BlockStart(place + 1, trial.block + 1, round((trial.samples[0].due_ns - origin_ns) / 1e9, 1)))
        place += len(trial.samples)
    took = np.array([_took(sample, mark) for sample in every], dtype=np.float64)
    fine = np.isfinite(took)
    labels = np.zeros(len(every), dtype=np.int8)
    judged = fine & np.array([sample.phase is Phase.MEASURE for sample in every])
    if judged.any():
        labels[fine] = outliers.label(took[fine], outliers.fences(took[judged]))
    labels[fine & ~judged] = WARM_UP
    kept = _thinned(np.flatnonzero(fine), labels, took)
    failed = _spread(np.flatnonzero(~fine), DRAWN_FAILURES)
    return SamplePlot(
        x=(kept + 1).tolist(),
        y=_short(took[kept]),
        label=labels[kept].tolist(),
        failures=[_failure(int(at), every[int(at)], mark) for at in failed],
        blocks=blocks,
        drawn=len(kept) + len(failed),
        total=len(every),
    )


def fit(terminal: str, role: str, blocks: Sequence[Sequence[Point]], level: float, sloped: bool, words: str) -> LineFit:
    """Readings by block, and for a slope the line through them with the bounds of the line at each ``x``.

    The bounds are Student's t over the lines of the blocks; of fewer blocks than an interval needs there are none.
    """
    readings = [point for block in blocks for point in block]
    x, y = np.array([p.x for p in readings]), np.array([p.y for p in readings])
    shown = _spread(np.arange(x.size), DRAWN_READINGS)
    found = LineFit(terminal=terminal, role=role, x=_short(x[shown]), y=_short(y[shown]), words=words)
    if not sloped or np.unique(x).size < 2:
        return found
    pairs = [([p.x for p in block], [p.y for p in block]) for block in blocks]
    line = regression.fit_blocks(pairs, level)
    at = np.linspace(float(x.min()), float(x.max()), 25)
    on = line.intercept + line.slope * at
    half = np.zeros_like(at)
    if isinstance(line.slope_interval, Interval):
        own = [regression.fit(x, y, level) for x, y in pairs if len(set(x)) > 1]
        apart = np.array([each.intercept + each.slope * at for each in own]).std(axis=0, ddof=1)
        half = student_quantile((1 + level) / 2, len(own) - 1) * apart / math.sqrt(len(own))
    return LineFit(
        terminal=terminal,
        role=role,
        x=found.x,
        y=found.y,
        line_x=_short(at),
        line_y=_short(on),
        line_lower=_short(on - half),
        line_upper=_short(on + half),
        words=words,
    )


def shortened(value: float) -> float:
    """``value`` with the digits that can be seen."""
    return float(f"{value:.{DIGITS}g}")


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _took(sample: Sample, mark: str) -> float:
    if sample.outcome is not Outcome.OK:
        return math.inf
    end = sample.marks.get(mark) if mark else sample.seen_ns
    return math.inf if end is None else float(end - sample.due_ns)


def _failure(at: int, sample: Sample, mark: str) -> FailedOperation:
    outcome = f"no {mark}" if sample.outcome is Outcome.OK else str(sample.outcome)
    return FailedOperation(at + 1, shortened(float(sample.seen_ns - sample.due_ns)), outcome, sample.reason)


def _thinned(
    places: npt.NDArray[np.intp], labels: npt.NDArray[np.int8], took: npt.NDArray[np.float64]
) -> npt.NDArray[np.intp]:
    """At most about ``DRAWN_SAMPLES`` of ``places`` in order: outliers and others evenly chosen, and both ends."""
    if places.size <= DRAWN_SAMPLES:
        return places
    far = (labels[places] != 0) & (labels[places] != WARM_UP)
    outlying = _spread(places[far], DRAWN_OUTLIERS)
    rest = _spread(places[~far], DRAWN_SAMPLES - outlying.size - 2)
    ends = places[[took[places].argmin(), took[places].argmax()]]
    return np.unique(np.concatenate([outlying, rest, ends]))


def _spread(places: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """At most ``most`` of ``places``, evenly chosen."""
    if places.size <= most:
        return places
    return places[np.linspace(0, places.size - 1, most).astype(np.intp)]


def _short(values: npt.NDArray[np.float64]) -> list[float]:
    return [shortened(value) for value in values.tolist()]


def _or_none(value: float) -> float | None:
    return shortened(value) if math.isfinite(value) else None
