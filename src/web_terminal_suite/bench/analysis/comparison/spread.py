"""What differs between two runs of the same code, and what a difference of theirs is worth next to it.

A run is one draw: its server, its addresses, its minute. What differs from run to run cannot be seen in one run a side,
so it is assumed, and what several runs of a side show is pooled with the assumption (empirical Bayes: Smyth, "Linear
Models and Empirical Bayes Methods for Assessing Differential Expression in Microarray Experiments", Statistical
Applications in Genetics and Molecular Biology 3, 2004). Everything is on logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.means import student_quantile, two_sided
from web_terminal_suite.bench.stats.ratios import welch

if TYPE_CHECKING:
    from collections.abc import Sequence

ASSUMED: Final = {
    "p50": 0.2,
    "mean": 0.3,
    "p95": 0.5,
    "p99": 0.8,
    "p99.9": 1.0,
    "slope": 0.2,
    "level": 0.2,
}
"""Standard deviation of a figure's logarithm between runs of the same code.

Six runs of one revision on a calm machine (two virtual processors) showed 0.08 to 0.20 for p50, 0.09 to 0.42 for means,
0.04 to 0.57 for p95 and 0.11 to 0.77 for p99, each over a dozen cells; these are the upper ends. p99.9, slopes and
levels were not among them and are guessed by analogy.
"""

ASSUMED_FREEDOM: Final = 4.0
"""Degrees of freedom that the assumption counts for: it is known about as well as from five runs."""

FEWEST_FREEDOM: Final = 4
"""Degrees of freedom of runs from which on they are the units: three runs a side, or five and one. Then a cell with
few blocks can be told, too."""

POWER: Final = 0.8


@dataclass(frozen=True)
class RunFigure:
    """The logarithm of one run's figure, its standard error from within the run, and that one's degrees of freedom.

    ``units`` were independent readings or blocks; with too few the error is not believed.
    """

    log: float
    error: float
    freedom: float
    units: int


@dataclass(frozen=True)
class LogDifference:
    """New minus base on logarithms, with its standard error and degrees of freedom (t)."""

    log: float
    error: float
    freedom: float

    def interval(self, level: float) -> Interval:
        """Of the ratio, so not on logarithms."""
        half = student_quantile((1 + level) / 2, self.freedom) * self.error
        return Interval(_exp(self.log - half), _exp(self.log + half), level)

    @property
    def significance(self) -> float:
        """Two-sided probability of such a difference where there is none."""
        return significance(self.log, self.error, self.freedom)


def difference(base: Sequence[RunFigure], new: Sequence[RunFigure], assumed: float) -> LogDifference:
    """What two sides of at least one run each differ by.

    Args:
        assumed: standard deviation between runs, as ``ASSUMED``.
    """
    apart = _mean(new) - _mean(base)
    seen = len(base) + len(new) - 2
    within = [each.error**2 for each in (*base, *new)]
    shown = 0.0
    if seen:
        total = sum((each.log - _mean(side)) ** 2 for side in (base, new) for each in side) / seen
        # What blocks predict is in the spread of the runs, and is added below.
        shown = max(0.0, total - float(np.mean(within)))
    freedom = ASSUMED_FREEDOM + seen
    between = (ASSUMED_FREEDOM * assumed**2 + seen * shown) / freedom
    parts = [(between * (1 / len(base) + 1 / len(new)), freedom)]
    parts += [(each.error**2 / len(side) ** 2, each.freedom) for side in (base, new) for each in side if each.error]
    variances, freedoms = zip(*parts, strict=True)
    return LogDifference(apart, math.sqrt(sum(variances)), welch(variances, freedoms))


def noticeable(error: float, freedom: float, *, significance: float, level: float, noise: float) -> float:
    """The smallest factor that is told as a change in ``POWER`` of all comparisons with such an error.

    Args:
        significance: that the row must reach, corrected for the number of rows.
        level: of the interval, which must lie beyond ``noise``.
    """
    told = max(
        student_quantile(1 - significance / 2, freedom) * error,
        math.log1p(noise) + student_quantile((1 + level) / 2, freedom) * error,
    )
    return _exp(told + student_quantile(POWER, freedom) * error)


def significance(log: float, error: float, freedom: float) -> float:
    """Two-sided probability of a difference of logarithms as large as this where there is none."""
    if error == 0:
        return 1.0 if log == 0 else 0.0
    return two_sided(log / error, freedom)


def _mean(side: Sequence[RunFigure]) -> float:
    return sum(each.log for each in side) / len(side)


def _exp(log: float) -> float:
    # Beyond this a double has no exponential; the end does not exist for any purpose.
    return math.exp(log) if log < 700 else math.inf
