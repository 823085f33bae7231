"""What the analysis says: plain frozen values that a report formats and nothing changes."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

# msgspec resolves these when a result is encoded, so they are not imported for types alone.
from web_terminal_suite.bench.samples import Cell, FlameGraphFile, Metric, Target


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNDECIDED = "undecided"
    REFUSED = "refused"
    NOT_APPLICABLE = "not applicable"
    NONE = "none"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic with its interval, or a refusal that says what is missing.

    ``value`` is ``None`` where ``refusal`` is set, or where only bounds make sense. ``lower`` and ``upper`` bound it
    at the analysis' confidence level and are infinite on a side that cannot be bounded; a refused statistic may
    still have one sound bound. ``inf`` as a value means that the operation at this percentile failed. ``readings``
    holds the statistic of each block (or each single reading) where there are too few for an interval: a target is then
    judged by them.
    """

    value: float | None = None
    lower: float = -math.inf
    upper: float = math.inf
    refusal: str = ""
    readings: tuple[float, ...] = ()


class JudgedBy(StrEnum):
    """What a verdict rests on: the bounds of an interval, or the single readings where there is no interval."""

    INTERVAL = "interval"
    READINGS = "readings"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A target with what was found. ``reason`` is empty where the verdict needs no words."""

    target: Target | None = None
    verdict: Verdict = Verdict.NONE
    goal_verdict: Verdict = Verdict.NONE
    reason: str = ""
    judged_by: JudgedBy = JudgedBy.INTERVAL


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A cell compared with its floor, by percentile: ``added`` in the unit of the metric, ``ratio`` without one."""

    floor: Cell
    added: dict[str, Estimate]
    ratio: dict[str, Estimate]
    judgement: Judgement = Judgement()


class Outliers(msgspec.Struct, frozen=True, kw_only=True):
    """Successful operations by Tukey's fences: labelled, never left out."""

    low_severe: int = 0
    low_mild: int = 0
    high_mild: int = 0
    high_severe: int = 0

    @property
    def total(self) -> int:
        return self.low_severe + self.low_mild + self.high_mild + self.high_severe


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Elements a second while an operation was under way."""

    unit: str
    rate: Estimate


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one cell.

    ``n`` counts measured operations, failed ones included (readings, for a slope or level); ``warmup`` those left out.
    ``outcomes`` counts the measured by outcome, ``reasons`` the failed by reason. ``estimates`` is by statistic:
    ``mean`` ``p50`` ``p95`` ``p99`` ``p99.9``, or ``slope``, or ``level``; and ``rate`` where there is a throughput.
    ``client_share`` and ``server_share`` are processor time over elapsed time, in cores.
    ``problems`` void or halve the cell; ``not_applicable`` names the capabilities the terminal lacks; ``infeasible``
    says which limit of the machine the cell does not fit in (it is among the ``warnings``, too).
    """

    cell: Cell
    metric: Metric
    role: str
    component: bool = False
    n: int = 0
    trials: int = 0
    warmup: int = 0
    outcomes: dict[str, int] = {}
    reasons: dict[str, int] = {}
    estimates: dict[str, Estimate] = {}
    intercept: float | None = None
    r2: float | None = None
    throughput: Throughput | None = None
    outliers: Outliers | None = None
    floor: Comparison | None = None
    client_share: float | None = None
    server_share: float | None = None
    judgement: Judgement = Judgement()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    pictures: tuple[FlameGraphFile, ...] = ()
    not_applicable: str = ""
    infeasible: str = ""

    @property
    def failed(self) -> int:
        """Measured operations that did not succeed."""
        return self.n - self.outcomes.get("ok", 0) if self.outcomes else 0

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """The target's judgement and the floor's."""
        return (self.judgement,) if self.floor is None else (self.judgement, self.floor.judgement)


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found in one run. ``problems`` are those of the run as a whole.

    ``absent`` names the terminals that could not be measured on this machine, and why.
    """

    results: tuple[Result, ...]
    level: float
    seed: int
    problems: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
