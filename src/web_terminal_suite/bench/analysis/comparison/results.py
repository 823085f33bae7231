"""What a comparison goes by and what it says: plain frozen values that a report formats and nothing changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

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


class Scale(StrEnum):
    """How two figures are set against each other."""

    RATIO = "ratio"
    DIFFERENCE = "difference"
    """Of counts whose good value is 0, and of shares of failed operations: 0 has no ratio."""


class Lacking(StrEnum):
    """What an undecided row needs more of."""

    NOTHING = ""
    BLOCKS = "blocks"
    RUNS = "runs"


class ComparisonStatus(StrEnum):
    """What a whole comparison amounts to; the first that holds."""

    INCOMPLETE = "incomplete"
    """A side is no whole run: it was cut short, it failed, or it lost what was planned."""
    SLOWER = "slower"
    NO_LOSS = "no loss"
    """Every row says at least that nothing was lost (of a screen, the share it asks for), and nothing is gone."""
    UNDECIDED = "undecided"

    @property
    def exit_code(self) -> int:
        return {"incomplete": 4, "slower": 1, "no loss": 0, "undecided": 3}[self.value]


class ComparisonRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of one metric on both sides, each of one or several runs of the same code.

    ``base_value`` and ``new_value`` are in ``unit``, of several runs their geometric mean; ``None`` where the sample is
    too thin, ``inf`` where the operation at this percentile failed. ``ratio`` is new over base, ``difference`` new
    minus base (of failed operations: of their shares); ``lower`` and ``upper`` bound the one that ``scale`` names, and
    are infinite where there is no interval. ``error`` is the standard error of the ratio's logarithm, known with
    ``freedom`` degrees of freedom. ``p`` is the significance as found, ``adjusted`` corrected for the number of rows;
    ``units`` says what the error rests on. ``noticeable`` is the smallest change, as a factor either way (on the scale
    of differences: the smallest difference), that would have been told in 80 % of such comparisons. ``reason`` says
    why a row is undecided, ``lacking`` what more of would decide it. ``no_loss``: a loss that matters is excluded.
    ``none_seen``: a screen would have noticed a large change, and the row did not stand out.
    ``better_below``: less of it is faster.
    """

    base: Cell
    new: Cell
    role: str
    metric: str
    unit: str
    statistic: str
    base_n: int
    new_n: int
    base_runs: int = 1
    new_runs: int = 1
    base_value: float | None = None
    new_value: float | None = None
    scale: Scale = Scale.RATIO
    ratio: float | None = None
    difference: float | None = None
    lower: float = 0.0
    upper: float = math.inf
    error: float | None = None
    freedom: float | None = None
    p: float | None = None
    adjusted: float | None = None
    noticeable: float | None = None
    units: str = ""
    paired: bool = False
    better_below: bool = True
    change: ChangeVerdict = ChangeVerdict.UNDECIDED
    no_loss: bool = False
    none_seen: bool = False
    reason: str = ""
    lacking: Lacking = Lacking.NOTHING

    @property
    def is_told(self) -> bool:
        """Whether the row says something: a change, none, or at least that nothing large was lost."""
        return self.change is not ChangeVerdict.UNDECIDED or self.no_loss or self.none_seen


class RunComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One side compared with another. ``gone`` has only the base, ``added`` only the new.

    ``machine`` lists how the machines differ, where the comparison was forced. ``problems`` say why a side is no whole
    run, ``remarks`` what else was not alike. ``rows`` are of what is judged, ``floors`` of what should be the same:
    where a floor changed, so did the machine. ``lost`` counts the cells of judged terminals among ``gone``,
    ``lost_metrics`` the metrics that cells of both had in the base alone. A clean comparison has ``told_share`` of its
    rows told.
    """

    base: str
    new: str
    base_runs: int = 1
    new_runs: int = 1
    rows: tuple[ComparisonRow, ...]
    floors: tuple[ComparisonRow, ...] = ()
    gone: tuple[Cell, ...] = ()
    added: tuple[Cell, ...] = ()
    lost: int = 0
    lost_metrics: int = 0
    machine: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    told_share: float = 1.0
    level: float
    significance: float
    noise: float
    correction: str
