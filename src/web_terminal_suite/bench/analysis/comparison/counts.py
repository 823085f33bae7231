"""Rows of what is counted: failed operations, wrong answers, and levels that are plain counts.

A count whose good value is 0 has no ratio, and any rise of it is the news; so it is compared by difference, and no
spread between runs is assumed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import spread
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, Lacking, Scale
from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.stats.ratios import ChangeVerdict
from web_terminal_suite.bench.stats.two_proportions import difference_interval, fisher_exact, noticeable_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis.comparison.results import Terms
    from web_terminal_suite.bench.samples import Cell, Trial

OPERATIONS: Final = "operations"
"""The metric of the rows of failed operations and wrong answers, and its unit."""

READINGS: Final = "readings"
"""What the rows of exact counts rest on."""

FAILED: Final = "failed"
WRONG: Final = "wrong"

SHARE: Final = 0.01
"""Difference of two shares of failed operations that does not matter: one operation in a hundred."""

COUNT_SPREAD: Final = 0.5
"""As ``spread.ASSUMED``, of a count above 0: a guess, for the runs that were looked at had none."""

_MEASURES: Final = ("ns", "%")


def is_counted(row: ComparisonRow) -> bool:
    """Whether the row is of failed operations, wrong answers or an exact count: one reading of them can decide."""
    return row.metric == OPERATIONS or row.units == READINGS


def may_be_lost(row: ComparisonRow) -> bool:
    """Whether more was counted against the new side than against the base, and nothing shows that it is chance."""
    if row.is_told or not is_counted(row):
        return False
    if row.scale is Scale.DIFFERENCE:
        return (row.difference or 0.0) > 0
    return row.ratio is not None and (row.ratio > 1 if row.better_below else row.ratio < 1)


def failure_rows(
    cells: tuple[Cell, Cell], sides: tuple[Sequence[Trial], Sequence[Trial]], runs: tuple[int, int], level: float
) -> list[ComparisonRow]:
    """Failed operations and, apart, wrong answers: a row each where either side has any.

    A row without any on both sides could only be equal, so it would tell nothing and cost the other rows power.
    """
    outcomes = [[sample.outcome for trial in side for sample in estimates.measured(trial)] for side in sides]
    base_n, new_n = map(len, outcomes)
    if not base_n or not new_n:
        return []
    failed = [sum(each is not Outcome.OK for each in side) for side in outcomes]
    wrong = [side.count(Outcome.WRONG) for side in outcomes]
    return [
        _failure_row(cells, statistic, (base, base_n), (new, new_n), runs, level)
        for statistic, (base, new) in zip((FAILED, WRONG), (failed, wrong), strict=True)
        if base or new
    ]


def judged_failures(row: ComparisonRow, significance: float) -> ComparisonRow:
    """The verdict of a failure row whose corrected significance is known: by that, and by its interval."""
    rise = row.difference or 0.0
    if row.statistic == WRONG and not row.base_value and row.new_value:
        # A wrong byte is no matter of chance: where there was none, the first is the news.
        return msgspec.structs.replace(row, change=ChangeVerdict.SLOWER)
    if row.adjusted is not None and row.adjusted < significance and rise:
        return msgspec.structs.replace(row, change=ChangeVerdict.SLOWER if rise > 0 else ChangeVerdict.FASTER,
                                       no_loss=rise < 0)  # fmt: skip
    if row.lower >= -SHARE and row.upper <= SHARE:
        return msgspec.structs.replace(row, change=ChangeVerdict.EQUAL, no_loss=True)
    reason = (
        f"{row.base_value:g} of {row.base_n:,}, then {row.new_value:g} of {row.new_n:,}: the difference may be chance"
    )
    return msgspec.structs.replace(row, no_loss=row.upper <= SHARE, reason=reason, lacking=Lacking.BLOCKS)


def noticeable_rise(row: ComparisonRow, significance: float) -> float | None:
    """The smallest difference of shares that a failure row would have told with the usual power."""
    base = int(row.base_value or 0)
    share = noticeable_share(base, row.base_n, row.new_n, significance, spread.POWER)
    return None if share is None else share - base / row.base_n


def count_row(row: ComparisonRow, sides: Sequence[Sequence[Sequence[float]]], terms: Terms) -> ComparisonRow | None:
    """The row of an exact level, judged; ``None`` where it is a measure or needs a spread between runs.

    Args:
        sides: readings of each run of both sides.
    """
    base, new = ([sum(run) / len(run) for run in side] for side in sides)
    means = sum(base) / len(base), sum(new) / len(new)
    row = msgspec.structs.replace(
        row, base_value=means[0], new_value=means[1], base_runs=len(base), new_runs=len(new), units=READINGS
    )
    if row.better_below and (not any(base) or not any(new)):
        return _difference(row, base, new)
    if not is_count(row.unit, [value for side in sides for run in side for value in run]):
        return None
    if not row.better_below:
        return _reached(row, base, new, terms.noise)
    return _both_counted(row, sides, terms.level) if min(*base, *new) > 0 else _difference(row, base, new)


def is_count(unit: str, values: Sequence[float]) -> bool:
    """Whether these are counts, not a time, a share or a rate that was read once."""
    return unit not in _MEASURES and "/" not in unit and all(value == int(value) for value in values)


def _failure_row(
    cells: tuple[Cell, Cell],
    statistic: str,
    base: tuple[int, int],
    new: tuple[int, int],
    runs: tuple[int, int],
    level: float,
) -> ComparisonRow:
    interval = difference_interval(*base, *new, level)
    return ComparisonRow(
        base=cells[0],
        new=cells[1],
        role="subject",
        metric=OPERATIONS,
        unit=OPERATIONS,
        statistic=statistic,
        base_n=base[1],
        new_n=new[1],
        base_runs=runs[0],
        new_runs=runs[1],
        base_value=base[0],
        new_value=new[0],
        scale=Scale.DIFFERENCE,
        difference=new[0] / new[1] - base[0] / base[1],
        lower=interval.lower,
        upper=interval.upper,
        p=fisher_exact(*base, *new),
        units=OPERATIONS,
    )


def _difference(row: ComparisonRow, base: Sequence[float], new: Sequence[float]) -> ComparisonRow:
    """A count that is 0 on a side: any rise is a loss; where runs of a side disagree, nothing is decided."""
    change, reason = ChangeVerdict.UNDECIDED, ""
    if not any(base) and not any(new):
        change = ChangeVerdict.EQUAL
    elif min(new) > max(base):
        change = ChangeVerdict.SLOWER
    elif max(new) < min(base):
        change = ChangeVerdict.FASTER
    else:
        reason = "the runs of a side disagree: some counted 0, some did not"
    if row.reason and change is not ChangeVerdict.SLOWER:
        change = ChangeVerdict.UNDECIDED
    return msgspec.structs.replace(
        row,
        scale=Scale.DIFFERENCE,
        difference=sum(new) / len(new) - sum(base) / len(base),
        lower=min(new) - max(base),
        upper=max(new) - min(base),
        noticeable=1.0,
        change=change,
        no_loss=change in (ChangeVerdict.EQUAL, ChangeVerdict.FASTER),
        reason=row.reason or reason,
        lacking=Lacking.RUNS if reason else Lacking.NOTHING,
    )


def _both_counted(row: ComparisonRow, sides: Sequence[Sequence[Sequence[float]]], level: float) -> ComparisonRow:
    """Counts above 0 on both sides: Poisson's error of all that was counted, and a spread between runs."""
    figures = [
        [spread.RunFigure(math.log(sum(run) / len(run)), sum(run) ** -0.5, math.inf, 1) for run in side]
        for side in sides
    ]
    apart = spread.difference(figures[0], figures[1], COUNT_SPREAD)
    interval = apart.interval(level)
    return msgspec.structs.replace(
        row,
        ratio=math.exp(apart.log),
        lower=interval.lower,
        upper=interval.upper,
        error=apart.error,
        freedom=apart.freedom,
        p=apart.significance,
    )


def _reached(row: ComparisonRow, base: Sequence[float], new: Sequence[float], noise: float) -> ComparisonRow:
    """A count that should be reached, such as sessions: it has no error of measurement, so its readings decide."""
    lower, upper = _quotient(min(new), max(base)), _quotient(max(new), min(base))
    change, reason = ChangeVerdict.UNDECIDED, ""
    if upper < 1 / (1 + noise):
        change = ChangeVerdict.SLOWER
    elif lower > 1 + noise:
        change = ChangeVerdict.FASTER
    elif lower >= 1 / (1 + noise) and upper <= 1 + noise:
        change = ChangeVerdict.EQUAL
    else:
        reason = "the runs of a side disagree"
    if row.reason and change is not ChangeVerdict.SLOWER:
        change = ChangeVerdict.UNDECIDED
    return msgspec.structs.replace(
        row,
        ratio=_quotient(sum(new) / len(new), sum(base) / len(base)),
        lower=lower,
        upper=upper,
        noticeable=1 + noise,
        change=change,
        no_loss=change in (ChangeVerdict.EQUAL, ChangeVerdict.FASTER),
        reason=row.reason or reason,
        lacking=Lacking.RUNS if reason else Lacking.NOTHING,
    )


def _quotient(new: float, base: float) -> float:
    return new / base if base else math.inf if new else 1.0
