"""When enough has been measured: pure, asked at checkpoints, told the time.

An interval that is looked at repeatedly, until it shows what is wanted, is wrong more often than it says. So there are
few looks (checkpoints, each a half more than the last), and the ``i``-th look works at error
``a / (i (i + 1))``: those add up to ``a`` however many looks there are, so *all* intervals looked at hold together with
confidence ``1 - a`` (the union bound; spending the error over looks: Lan & DeMets, "Discrete Sequential Boundaries for
Clinical Trials", Biometrika 70, 1983). A stop for the narrowness of an interval hardly moves it (Chow & Robbins,
Annals of Mathematical Statistics 36, 1965), and a stop for time does not look at the values at all.

``pace`` is the other rule, for looks between the blocks of a run that is judged at its end as if there had been none.
It is no interval, since those need more blocks than there are then: it only says how many operations the next block is
to have, never how many blocks there are. The looks are so strict (99.9 %) that they add next to nothing to the error of
the end (Haybittle, British Journal of Radiology 44, 1971; Peto et al., British Journal of Cancer 34, 1976), which
simulation confirms for the intervals over blocks of such unequal lengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.block_intervals import percentile_interval
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval, check_level
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FIRST = 100
"""Values at the first look: fewer do not bound p95 on both sides at the first look's level, 97.5 %."""

GROWTH = 1.5
"""Each look after half as many values again: eight looks up to 1,700."""


INTERIM_LEVEL = 0.999
"""Confidence of each look between blocks."""


class OperationRate(StrEnum):
    """How much the next block is to measure."""

    SHORT = "everything is clear already"
    USUAL = "too little is known to say"
    LONG = "a limit lies within the interval"


class StopDecision(StrEnum):
    """Whether and why to stop."""

    GO_ON = "go on"
    NARROW = "the interval is narrow enough"
    CLEAR = "the interval is clearly on one side of the target"
    TIME = "the time is up"


@dataclass(frozen=True)
class Aim:
    """What is wanted: the ``q`` quantile within ``relative_width`` of itself, or clear of ``limit``.

    ``limit`` in the unit of the values, ``None`` where there is no target. ``relative_width`` is the whole width of
    the interval over the estimate; 0 asks for a clear verdict only.
    """

    q: float
    limit: float | None = None
    relative_width: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.q < 1:
            raise ValueError(f"quantile {self.q} is not between 0 and 1; write 0.95 for p95")
        if not 0 <= self.relative_width < math.inf:
            raise ValueError(f"relative width {self.relative_width} is negative; write 0.1 for 10 %")


@dataclass(frozen=True)
class Decision:
    """What to do, and what it rests on; ``interval`` is ``None`` where the look came too early for one."""

    stop: StopDecision
    interval: Interval | None = None


def decide(
    so_far: Sequence[npt.ArrayLike], aim: Aim, look: int, *, elapsed_seconds: float, budget_seconds: float, level: float
) -> Decision:
    """Go on, or stop and why. Ask only at ``checkpoint(look)`` values, or when the time is up.

    Args:
        so_far: the blocks, the last of which may not be over; before there are enough for an interval, only time stops.
        look: 1 for the first; each is worked at ``look_level``.
        level: confidence over all looks together, such as 0.95.

    Raises:
        ValueError: ``look`` below 1, or ``level`` no probability.
    """
    answer = percentile_interval(so_far, aim.q, look_level(level, look))
    interval = None if isinstance(answer, InsufficientData) else answer
    if interval is not None:
        if aim.limit is not None and (interval.upper < aim.limit or interval.lower >= aim.limit):
            return Decision(StopDecision.CLEAR, interval)
        if is_narrow(interval, quantiles.quantile(Series(np.concatenate(so_far)), aim.q), aim.relative_width):
            return Decision(StopDecision.NARROW, interval)
    if elapsed_seconds >= budget_seconds:
        return Decision(StopDecision.TIME, interval)
    return Decision(StopDecision.GO_ON, interval)


def pace(so_far: Series, q: float, limits: Sequence[float]) -> OperationRate:
    """What one look says: whether the ``q`` quantile is bounded on both sides, and clear of every limit."""
    answer = quantiles.interval(so_far, q, INTERIM_LEVEL)
    if isinstance(answer, InsufficientData):
        return OperationRate.USUAL
    clear = all(answer.upper < limit or answer.lower >= limit for limit in limits)
    return OperationRate.SHORT if clear else OperationRate.LONG


def look_level(level: float, look: int) -> float:
    """The confidence of the ``look``-th look, such that all looks together keep ``level``.

    Raises:
        ValueError: ``look`` below 1, or ``level`` no probability.
    """
    check_level(level)
    if look < 1:
        raise ValueError(f"look {look} is below 1, the first")
    return 1 - (1 - level) / (look * (look + 1))


def checkpoint(look: int, first: int = FIRST, growth: float = GROWTH) -> int:
    """How many values the ``look``-th look waits for."""
    if look < 1:
        raise ValueError(f"look {look} is below 1, the first")
    return math.ceil(first * growth ** (look - 1))


def is_narrow(interval: Interval, value: float, relative_width: float) -> bool:
    """Whether the whole interval is at most so wide, relative to the estimate."""
    if not (math.isfinite(value) and math.isfinite(interval.lower) and math.isfinite(interval.upper)):
        return False
    return relative_width > 0 and interval.upper - interval.lower <= relative_width * abs(value)
