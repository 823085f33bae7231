"""A/A: a terminal compared with itself, where every difference found is a false positive."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_terminals
from web_terminal_suite.bench.stats.proportion_intervals import clopper_pearson
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from web_terminal_suite.bench.samples import Run


class Claim(StrEnum):
    """Whether the false-alarm rate stays under the level claimed, by the bound of its interval."""

    KEPT = "kept"
    BROKEN = "broken"
    UNDECIDED = "undecided"


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """``alarms`` of ``rows`` said that a terminal differs from itself, taken one by one and with no noise threshold.

    That is the hardest test of the intervals; ``reported`` are those that a comparison would have shown, with its
    correction and its noise threshold. ``rate`` is bounded by ``lower`` and ``upper`` at ``level``. Rows of one cell
    are not independent, so the interval is somewhat too narrow.
    """

    first: str
    second: str
    rows: int
    alarms: tuple[ComparisonRow, ...]
    reported: tuple[ComparisonRow, ...]
    rate: float
    lower: float
    upper: float
    level: float
    claimed: float
    claim: Claim


def check(run: Run, first: str, second: str, terms: Terms) -> SelfCheck:
    """What came of a run in which ``first`` and ``second`` are the same terminal twice.

    Raises:
        ValueError: the run does not have them, or no row of both could be compared.
    """
    (bare,) = compare_terminals(run, first, [second], replace(terms, noise=0.0, correction="none"))
    tested = [row for row in bare.rows if row.p is not None]
    if not tested:
        raise ValueError(f"{first} and {second} have no row that could be compared; measure more operations or blocks")
    alarms = tuple(row for row in tested if row.change in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER))
    (reported,) = compare_terminals(run, first, [second], terms)
    interval = clopper_pearson(len(alarms), len(tested), terms.level)
    return SelfCheck(
        first=first,
        second=second,
        rows=len(tested),
        alarms=alarms,
        reported=tuple(row for row in reported.rows if row.change in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)),
        rate=len(alarms) / len(tested),
        lower=interval.lower,
        upper=interval.upper,
        level=terms.level,
        claimed=terms.significance,
        claim=_claim(interval.lower, interval.upper, terms.significance),
    )


def _claim(lower: float, upper: float, claimed: float) -> Claim:
    if upper <= claimed:
        return Claim.KEPT
    return Claim.BROKEN if lower > claimed else Claim.UNDECIDED


def fewest_rows(claimed: float, level: float) -> int:
    """Rows without an alarm from which on the claim counts as kept: 72 for 5 % at 95 %."""
    rows = 1
    while clopper_pearson(0, rows, level).upper > claimed:
        rows += 1
    return rows
