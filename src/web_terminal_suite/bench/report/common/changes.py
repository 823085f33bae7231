"""The change since a baseline in words: how much, and whether it is faster, slower or undecided."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis.comparison.counts import OPERATIONS
from web_terminal_suite.bench.analysis.comparison.results import Lacking, Scale
from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Result
    from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow
    from web_terminal_suite.bench.report.common.run_data import BaselineRun

MINUS = "\N{MINUS SIGN}"

LARGEST_FACTOR = 100
"""A factor beyond which a noticeable change is not written out."""


def change(result: Result, baseline: BaselineRun | None) -> tuple[str, str]:
    """Such as ``+12 %`` and ``slower``, of the judged statistic; both empty where there is nothing to compare with."""
    if baseline is None or result.role != "subject":
        # A floor's change is the machine's; it is shown with the floor's own figures.
        return "", ""
    rows = baseline.changes(result)
    worse = next((row for row in rows if row.scale is Scale.DIFFERENCE and row.change is ChangeVerdict.SLOWER), None)
    if worse is not None and worse.difference is not None:
        # More failures matter more than the time of what succeeded.
        return f"{worse.statistic} {difference(worse, worse.difference)}", change_word(worse, baseline.compared.noise)
    by_name = {row.statistic: row for row in rows if row.ratio is not None}
    statistic = result.judgement.target.statistic if result.judgement.target else "p95"
    for name in dict.fromkeys((statistic, "p95", "p50", *by_name)):
        row = by_name.get(name)
        if row is not None and row.ratio is not None and math.isfinite(row.ratio):
            return percent_change(row.ratio), change_word(row, baseline.compared.noise)
    return "", "not comparable" if rows else "new"


NONE_SEEN = "no change seen"
"""Of a row that a screen looked at, that did not stand out, and in which a large change would have."""


OTHER_WORDS = {ChangeVerdict.FASTER: "better", ChangeVerdict.SLOWER: "worse"}
"""Of what is no time."""


def change_word(row: ComparisonRow, noise: float) -> str:
    """The verdict in words: faster or slower for a time, better or worse for anything else."""
    if row.change is ChangeVerdict.EQUAL and row.scale is Scale.DIFFERENCE:
        return str(row.change)
    if row.change is ChangeVerdict.UNDECIDED and row.none_seen:
        return NONE_SEEN
    if row.change is ChangeVerdict.EQUAL:
        return f"equal within {units.share(noise)}"
    if row.unit == "ns":
        return str(row.change)
    return OTHER_WORDS.get(row.change, str(row.change))


def percent_change(ratio: float) -> str:
    """``ratio`` as a signed change: 1.12 is ``+12 %``."""
    change = (ratio - 1) * 100
    digits = 0 if abs(change) >= 9.95 else 1
    text = f"{abs(change):,.{digits}f} %"
    return f"{'+' if change > 0 else MINUS if change < 0 else '±'}{text}"


def figure(row: ComparisonRow, value: float | None, n: int) -> str:
    """A side's figure; of failed operations how many of how many."""
    if row.metric == OPERATIONS and value is not None:
        return f"{value:,.0f} of {n:,}"
    return units.quantity(value, row.unit)


def difference(row: ComparisonRow, value: float) -> str:
    """A difference with its sign: in per cent of all operations, or in the unit of a count."""
    if row.metric == OPERATIONS:
        return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{abs(value) * 100:.1f} %"
    return f"{'+' if value > 0 else MINUS if value < 0 else '±'}{units.quantity(abs(value), row.unit)}"


def noticeable(row: ComparisonRow) -> str:
    """The smallest change that would have been told: a factor either way, or a difference; empty where unknown."""
    if row.noticeable is None:
        return ""
    if row.scale is Scale.DIFFERENCE:
        return difference(row, row.noticeable)
    return f"> {LARGEST_FACTOR}x" if row.noticeable > LARGEST_FACTOR else f"{row.noticeable:.2f}x"


def needs(rows: Sequence[ComparisonRow]) -> str:
    """Such as ``158 need more blocks, 12 more runs``; empty where no row needs more."""
    lacking = [row.lacking for row in rows if not row.is_told]
    counted = [(each, lacking.count(each)) for each in (Lacking.BLOCKS, Lacking.RUNS) if each in lacking]
    return ", ".join(
        f"{n} {'need' if n > 1 else 'needs'} more {each}" if not place else f"{n} more {each}"
        for place, (each, n) in enumerate(counted)
    )


def what_decides(rows: Sequence[ComparisonRow]) -> str:
    """What would decide the rows that more runs would decide; empty where there are none."""
    if not any(row.lacking is Lacking.RUNS and not row.is_told for row in rows):
        return ""
    return (
        "runs at different times differ by more than these rows can tell: measure both sides in one run with "
        "bench --against REF, or several runs of each with bench --runs 5"
    )
