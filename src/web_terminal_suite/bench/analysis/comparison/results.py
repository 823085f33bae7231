"""What a comparison goes by and what it says: plain frozen values that a report formats and nothing changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

# msgspec resolves these when a comparison is encoded, so they are not imported for types alone.
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats.interval import check_level
from web_terminal_suite.bench.stats.quantiles import PERCENTILES
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

NOISE = 0.05
"""Relative difference that does not matter. Criterion's 1 % is below what a restart of the same server shows here."""

RESAMPLES = 1_000
"""Replicates for a standard error, whose own relative error is then 2 %."""

CORRECTIONS = ("holm", "benjamini-hochberg", "none")

QUANTILES: dict[str, float | None] = {**PERCENTILES, "mean": None}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a comparison goes by: of intervals, of verdicts, and which statistics of a latency are compared."""

    level: float = 0.95
    significance: float = 0.05
    noise: float = NOISE
    resamples: int = RESAMPLES
    correction: str = "holm"
    statistics: tuple[str, ...] = ("p50", "p95")

    def __post_init__(self) -> None:
        check_level(self.level)
        check_level(self.significance)
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise threshold {self.noise} is negative; write 0.05 for 5 %")
        if self.resamples < 100:
            raise ValueError(f"{self.resamples} resamples are too few; at least 100 are needed")
        if self.correction not in CORRECTIONS:
            raise ValueError(f"no correction is called {self.correction!r}; there are: {', '.join(CORRECTIONS)}")
        unknown = [name for name in self.statistics if name not in QUANTILES]
        if unknown:
            raise ValueError(f"no statistic is called {unknown[0]!r}; there are: {', '.join(QUANTILES)}")


class ComparisonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of one metric on both sides.

    ``base_value`` and ``new_value`` are in ``unit``, ``None`` where the sample is too thin, ``inf`` where the operation
    at this percentile failed. ``ratio`` is new over base; its interval is infinite where there is none. ``p`` is the
    significance as found, ``adjusted`` corrected for the number of rows; ``units`` says what was resampled. ``reason``
    says why a row is undecided. ``better_below``: less of it is faster. ``error`` is the standard error of the ratio's
    logarithm, known with ``freedom`` degrees of freedom; ``None`` where the interval has no such form. ``noticeable``
    is the smallest change, as a factor either way, that would have been found with 80 % probability.
    """

    base: Cell
    new: Cell
    role: str
    metric: str
    unit: str
    statistic: str
    base_n: int
    new_n: int
    base_value: float | None = None
    new_value: float | None = None
    ratio: float | None = None
    lower: float = 0.0
    upper: float = math.inf
    p: float | None = None
    adjusted: float | None = None
    units: str = ""
    paired: bool = False
    better_below: bool = True
    change: ChangeVerdict = ChangeVerdict.UNDECIDED
    reason: str = ""
    error: float | None = None
    freedom: float | None = None
    noticeable: float | None = None


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One side compared with another. ``gone`` has only the base, ``added`` only the new.

    ``machine`` lists how the machines differ, where the comparison was forced. ``rows`` are of what is judged,
    ``floors`` of what should be the same: where a floor changed, so did the machine.
    """

    base: str
    new: str
    rows: tuple[ComparisonRow, ...]
    floors: tuple[ComparisonRow, ...] = ()
    gone: tuple[Cell, ...] = ()
    added: tuple[Cell, ...] = ()
    machine: tuple[str, ...] = ()
    level: float
    significance: float
    noise: float
    correction: str
