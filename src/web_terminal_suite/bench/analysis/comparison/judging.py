"""From drafted rows to verdicts: correction for many rows, what a floor takes away, and what a command ends with.

A verdict is by the bounds of the interval, as for a target, and needs in addition a significance corrected for the
number of rows; both come from the same error and degrees of freedom.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.analysis.comparison import spread
from web_terminal_suite.bench.analysis.comparison.counts import judged_failures, noticeable_rise
from web_terminal_suite.bench.analysis.comparison.results import (
    ComparisonRow,
    ComparisonStatus,
    Lacking,
    RunComparison,
    Scale,
    Terms,
)
from web_terminal_suite.bench.stats import multiple_comparisons, ratios
from web_terminal_suite.bench.stats.interval import Interval
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_CHANGED: Final = (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)
_OTHER_WAY: Final = {ChangeVerdict.FASTER: ChangeVerdict.SLOWER, ChangeVerdict.SLOWER: ChangeVerdict.FASTER}


def judged(drafts: Sequence[Sequence[ComparisonRow]], terms: Terms) -> list[list[ComparisonRow]]:
    """The rows with their verdicts; subjects of all ``drafts`` are one family, everything else another."""
    subjects = iter(_corrected([row for rows in drafts for row in rows if row.role == "subject"], terms))
    floors = iter(_corrected([row for rows in drafts for row in rows if row.role != "subject"], terms))
    told = []
    for rows in drafts:
        found = [next(subjects) if row.role == "subject" else next(floors) for row in rows]
        moved = [row for row in found if row.role == "floor"]
        told.append([_unless_floor(row, moved) if row.role == "subject" else row for row in found])
    return told


def status(compared: Iterable[RunComparison]) -> ComparisonStatus:
    """What comparisons amount to; the first that holds of the order in ``ComparisonStatus``."""
    found = list(compared)
    rows = [row for each in found for row in each.rows]
    if any(each.problems for each in found):
        return ComparisonStatus.INCOMPLETE
    if any(row.change is ChangeVerdict.SLOWER for row in rows):
        return ComparisonStatus.SLOWER
    # A side that has nothing to compare with says nothing, whatever the others say.
    told = all(sum(row.is_told for row in each.rows) >= each.told_share * len(each.rows) for each in found)
    if rows and told and all(each.rows for each in found) and not any(each.lost or each.lost_metrics for each in found):
        return ComparisonStatus.NO_LOSS
    return ComparisonStatus.UNDECIDED


def _corrected(rows: Sequence[ComparisonRow], terms: Terms) -> list[ComparisonRow]:
    """The rows with significances corrected as one family, and their verdicts."""
    tested = [row.p for row in rows if row.p is not None]
    corrections: dict[str, Callable[[list[float]], Iterable[float]]] = {
        "holm": multiple_comparisons.holm,
        "benjamini-hochberg": multiple_comparisons.benjamini_hochberg,
        "none": list,
    }
    adjusted = iter(corrections[terms.correction](tested))
    # What the smallest significance of the family must reach, whatever the correction makes of the others.
    strictest = terms.significance / (1 if terms.correction == "none" else max(1, len(tested)))
    return [row if row.p is None else _verdict(row, float(next(adjusted)), strictest, terms) for row in rows]


def _verdict(row: ComparisonRow, adjusted: float, strictest: float, terms: Terms) -> ComparisonRow:
    row = msgspec.structs.replace(row, adjusted=adjusted)
    if row.scale is Scale.DIFFERENCE:
        return judged_failures(
            msgspec.structs.replace(row, noticeable=noticeable_rise(row, strictest)), terms.significance
        )
    value = math.nan if row.ratio is None else row.ratio
    answer = ratios.Ratio(value, Interval(row.lower, row.upper, terms.level), row.paired, row.units)
    change = ratios.change(answer, adjusted, terms.significance, terms.noise)
    no_loss = row.upper <= 1 + terms.noise
    if not row.better_below:
        change = _OTHER_WAY.get(change, change)
        no_loss = row.lower >= 1 / (1 + terms.noise)
    if row.reason:
        # A taint can hide a loss, so it takes away what speaks for the new; a loss that shows all the same stands.
        no_loss = False
        if change in (ChangeVerdict.FASTER, ChangeVerdict.EQUAL):
            change = ChangeVerdict.UNDECIDED
    reason, lacking = row.reason, row.lacking
    if change is ChangeVerdict.UNDECIDED and not reason:
        reason = _why_undecided(row, adjusted, terms)
        lacking = Lacking.BLOCKS if row.paired else Lacking.RUNS
    return msgspec.structs.replace(
        row,
        change=change,
        no_loss=no_loss,
        noticeable=_noticeable(row, strictest, terms),
        reason=reason,
        lacking=lacking,
    )


def _noticeable(row: ComparisonRow, strictest: float, terms: Terms) -> float | None:
    if row.error is None or row.freedom is None:
        return None
    return spread.noticeable(row.error, row.freedom, significance=strictest, level=terms.level, noise=terms.noise)


def _why_undecided(row: ComparisonRow, adjusted: float, terms: Terms) -> str:
    beyond = row.lower > 1 + terms.noise or row.upper < 1 / (1 + terms.noise)
    if beyond:
        return f"p = {adjusted:.2g} after correction is not below {terms.significance:g}"
    more = "more blocks narrow it" if row.paired else "more runs a side narrow it"
    return f"the interval holds both a difference beyond {terms.noise:.0%} and one within; {more}"


def _unless_floor(row: ComparisonRow, floors: Sequence[ComparisonRow]) -> ComparisonRow:
    """The row, undecided where a floor moved as much the same way: then the machine may have changed, not the code.

    A floor never divides: it is measured more briefly than the row, so a quotient would vary more than the row does.
    """
    if row.change not in _CHANGED or row.scale is not Scale.RATIO or not row.ratio or row.unit != "ns":
        return row
    own = math.log(row.ratio)
    for floor in floors:
        if floor.statistic != row.statistic or floor.unit != row.unit or not floor.ratio:
            continue
        moved = math.log(floor.ratio)
        if moved * own > 0 and abs(moved) >= abs(own):
            parameter = f"/{floor.new.parameter}" if floor.new.parameter else ""
            return msgspec.structs.replace(
                row,
                change=ChangeVerdict.UNDECIDED,
                no_loss=False,
                reason=f"the floor {floor.new.benchmark}{parameter} moved as much ({floor.ratio:.2f}x), "
                "so the machine may have changed and not the terminal",
            )
    return row
