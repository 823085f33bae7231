"""The change since a baseline in words: how much, and whether it is faster, slower or undecided."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Result
    from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow
    from web_terminal_suite.bench.report.common.run_data import BaselineRun

MINUS = "\N{MINUS SIGN}"


def change(result: Result, baseline: BaselineRun | None) -> tuple[str, str]:
    """Such as ``+12 %`` and ``slower``, of the judged statistic; both empty where there is nothing to compare with."""
    if baseline is None or result.role != "subject":
        # A floor's change is the machine's; it is shown with the floor's own figures.
        return "", ""
    by_name = {row.statistic: row for row in baseline.changes(result) if row.ratio is not None}
    statistic = result.judgement.target.statistic if result.judgement.target else "p95"
    for name in dict.fromkeys((statistic, "p95", "p50", *by_name)):
        row = by_name.get(name)
        if row is not None and row.ratio is not None and math.isfinite(row.ratio):
            return percent_change(row.ratio), change_word(row, baseline.compared.noise)
    return "", "not comparable" if baseline.changes(result) else "new"


def change_word(row: ComparisonRow, noise: float) -> str:
    """The verdict in words: faster or slower for a time, better or worse for anything else."""
    if row.change is ChangeVerdict.EQUAL:
        return f"equal within {units.share(noise)}"
    if row.unit == "ns":
        return str(row.change)
    return {ChangeVerdict.FASTER: "better", ChangeVerdict.SLOWER: "worse"}.get(row.change, str(row.change))


def percent_change(ratio: float) -> str:
    """``ratio`` as a signed change: 1.12 is ``+12 %``."""
    change = (ratio - 1) * 100
    digits = 0 if abs(change) >= 9.95 else 1
    text = f"{abs(change):,.{digits}f} %"
    return f"{'+' if change > 0 else MINUS if change < 0 else '±'}{text}"
