"""Two terminals of one run, compared in two stages: every row is screened, and what stands out is measured again.

The screen is liberal and decides nothing but what is measured again. A change counts only where the second
measurement, which knows nothing of the first, finds it beyond the noise threshold, with its significance corrected
for the number of rows that were measured again. So the number of rows screened costs no power.

Failed operations, wrong answers and exact counts are no matter of noise, so they are judged over the trials of both
stages together: what one stage saw, the other cannot take back. Pure: everything is read from the record, and the same
record gives the same verdicts.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import spread
from web_terminal_suite.bench.analysis.comparison.counts import (
    is_counted,
    judged_failures,
    may_be_lost,
    noticeable_rise,
)
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, Lacking, RunComparison, Scale, Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_terminals
from web_terminal_suite.bench.samples import Cell
from web_terminal_suite.bench.stats.blocks import FEWEST_BLOCKS
from web_terminal_suite.bench.stats.means import student_quantile
from web_terminal_suite.bench.stats.multiple_comparisons import holm
from web_terminal_suite.bench.stats.ratios import ChangeVerdict
from web_terminal_suite.bench.stats.staged_power import Stage, noticeable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.samples import Run, Trial

SCREEN_LEVEL: Final = 0.8
"""Confidence level of the interval that decides what is measured again. One row in ten of the same code stands out on
either side, were it not for the noise threshold; a change that is missed here is never looked at again."""

LARGE: Final = 1.5
"""A change by this factor would have been noticed where a row that did not stand out counts as told."""

TOLD_SHARE: Final = 0.5
"""Of the rows of a comparison without a loss; the others are listed with what they would have noticed. Where a row of
failures or counts leaves a loss open, all of them."""

CONFIRMATION_BLOCKS: Final = 20
"""Blocks of the second stage, which has few cells and must be surer of each."""

_CHANGED: Final = (ChangeVerdict.SLOWER, ChangeVerdict.FASTER)

_Key = tuple[Cell, str, str]
"""The head's cell, metric and statistic of a row."""


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says of its two stages: ``Run.options["against"]``."""

    base: str
    """Name of the terminal that is compared with."""
    head: str
    confirmed_from: int
    """The first block of the second stage."""
    revision: str = ""
    """What was asked for, such as ``main``."""
    notes: tuple[str, ...] = ()
    """What differs between the sides besides the code, and what was left out."""
    terms: Terms | None = None
    """What the comparison went by; ``None`` in records that do not say it."""


def stages_of(run: Run) -> Stages | None:
    """The stages of a run of ``bench --against``; ``None`` of any other run."""
    told: Any = run.options.get("against")
    if not isinstance(told, dict):
        return None
    try:
        return msgspec.convert(told, Stages)
    except msgspec.ValidationError:
        return None


def standing_out(trials: Sequence[Trial], run: Run, stages: Stages, terms: Terms) -> list[Cell]:
    """Cells of the head with a row that looks changed in the first stage: slower ones first, by how clear it is."""
    found: dict[Cell, tuple[bool, float]] = {}
    for row in _compared(run, trials, stages, terms):
        beyond = _beyond(row, terms)
        if beyond > 0:
            faster = ((row.ratio or 1.0) < 1) == row.better_below
            key = (faster, -beyond)
            found[row.new] = min(found.get(row.new, key), key)
    return sorted(found, key=lambda cell: found[cell])


def compare_stages(run: Run, stages: Stages, terms: Terms) -> RunComparison:
    """The head compared with the base: the second measurement's verdict where there is one.

    Rows that were not measured again are ``equal`` where their interval lies within the noise threshold, and else
    ``undecided``; none of them is ever slower or faster. Failures and counts are judged over both stages.
    """
    screened, confirmed = _parted(run.trials, stages)
    first = {_key(row): row for row in _compared(run, screened, stages, terms)}
    again = {_key(row): row for row in _compared(run, confirmed, stages, terms)}
    both = {_key(row): row for row in _compared(run, run.trials, stages, terms)}
    counted = _judged_counts([row for row in both.values() if is_counted(row)], terms)
    tested = [key for key, row in first.items() if key not in counted and key in again and _beyond(row, terms) > 0]
    adjusted = _holm([again[key] for key in tested])
    family = max(1, len(tested))
    cells_again = {row.new for row in again.values()}
    rows = []
    for key in both:
        if key in counted:
            rows.append(counted[key])
        elif key in adjusted:
            rows.append(_confirmed(first[key], again[key], adjusted[key], family, terms))
        else:
            rows.append(_screened(first.get(key, both[key]), family, terms, was_again=key[0] in cells_again))
    (whole,) = compare_terminals(_only(run, screened), stages.base, [stages.head], terms, revisions=True)
    return msgspec.structs.replace(
        whole,
        base=stages.revision or stages.base,
        rows=tuple(rows),
        floors=(),
        lost=0,
        problems=problems(run),
        remarks=(*stages.notes, *whole.remarks),
        told_share=1.0 if any(map(may_be_lost, rows)) else TOLD_SHARE,
    )


def problems(run: Run) -> tuple[str, ...]:
    """Why the head's figures are no whole run; what only the base cannot do is no fault of the head."""
    stages = stages_of(run)
    base, head = ("", "") if stages is None else (stages.base, stages.head)
    found = ["the run was interrupted"] if run.interrupted else []
    measured = {trial.cell for trial in run.trials if estimates.measured(trial) or trial.points}
    cannot = {trial.cell for trial in run.trials if trial.infeasible}
    # A block measures both sides, so what the base has, the head was to have.
    due = {cell for cell in run.planned if cell.terminal == head}
    due |= {Cell(cell.benchmark, cell.parameter, head) for cell in measured if cell.terminal == base}
    found += [f"{cell}: nothing was measured" for cell in sorted(due - measured - cannot, key=str)]
    found += [f"{trial.cell}: {trial.problem}" for trial in run.trials if trial.problem and trial.cell.terminal == head]
    return tuple(dict.fromkeys(found))


def _parted(trials: Iterable[Trial], stages: Stages) -> tuple[list[Trial], list[Trial]]:
    found: tuple[list[Trial], list[Trial]] = ([], [])
    for trial in trials:
        found[trial.block >= stages.confirmed_from].append(trial)
    return found


def _compared(run: Run, trials: Sequence[Trial], stages: Stages, terms: Terms) -> list[ComparisonRow]:
    """Rows of some trials, uncorrected; those of too few blocks without a ratio."""
    if not {stages.base, stages.head} <= {trial.cell.terminal for trial in trials}:
        return []
    (compared,) = compare_terminals(_only(run, trials), stages.base, [stages.head], replace(terms, correction="none"))
    blocks: dict[Cell, set[int]] = {}
    for trial in trials:
        blocks.setdefault(trial.cell, set()).add(trial.block)
    return [
        row if is_counted(row) else _without_ratio(row, min(len(blocks[row.base]), len(blocks[row.new])))
        for row in compared.rows
    ]


def _judged_counts(rows: Sequence[ComparisonRow], terms: Terms) -> dict[_Key, ComparisonRow]:
    """Rows of failures and counts, uncorrected, with their verdicts among themselves.

    Where a count or the first wrong answer decides without a test, its verdict stands.
    """
    adjusted = _holm([row for row in rows if row.p is not None])
    strictest = terms.significance / max(1, len(adjusted))
    found = {}
    for row in rows:
        key = _key(row)
        if key in adjusted and row.scale is Scale.DIFFERENCE:
            drafted = msgspec.structs.replace(
                row,
                adjusted=adjusted[key],
                change=ChangeVerdict.UNDECIDED,
                noticeable=noticeable_rise(row, strictest),
                reason="",
                lacking=Lacking.NOTHING,
            )
            found[key] = judged_failures(drafted, terms.significance)
        elif key in adjusted:
            found[key] = _judged_ratio(row, adjusted[key], strictest, terms)
        else:
            found[key] = row
    return found


def _judged_ratio(row: ComparisonRow, p: float, strictest: float, terms: Terms) -> ComparisonRow:
    """Of counts above 0 on both sides."""
    change, reason, smallest = row.change, row.reason, row.noticeable
    if change in _CHANGED and p >= terms.significance:
        change, reason = ChangeVerdict.UNDECIDED, f"p = {p:.2g} after correction is not below {terms.significance:g}"
    if row.error is not None and row.freedom is not None:
        smallest = spread.noticeable(
            row.error, row.freedom, significance=strictest, level=terms.level, noise=terms.noise
        )
    return msgspec.structs.replace(
        row, adjusted=p, change=change, reason=reason, lacking=_lacking(row, change), noticeable=smallest
    )


def _holm(rows: Sequence[ComparisonRow]) -> dict[_Key, float]:
    """Corrected significances of the rows as one family; without one, a row has 1."""
    if not rows:
        return {}
    found = holm([1.0 if row.p is None else row.p for row in rows])
    return {_key(row): float(p) for row, p in zip(rows, found, strict=True)}


def _only(run: Run, trials: Sequence[Trial]) -> Run:
    return msgspec.structs.replace(run, trials=tuple(trials))


def _without_ratio(row: ComparisonRow, blocks: int) -> ComparisonRow:
    if blocks >= FEWEST_BLOCKS:
        return row
    many = f"{blocks} block{'s' if blocks > 1 else ''}"
    return msgspec.structs.replace(
        row,
        ratio=None,
        lower=0.0,
        upper=math.inf,
        p=None,
        change=ChangeVerdict.UNDECIDED,
        reason=f"{many}, a comparison needs {FEWEST_BLOCKS}; name it in a filter to measure it longer",
    )


def _key(row: ComparisonRow) -> _Key:
    return row.new, row.metric, row.statistic


def _beyond(row: ComparisonRow, terms: Terms) -> float:
    """By how many errors the nearer end of the screening interval lies beyond the noise threshold; 0 where within."""
    if may_be_lost(row):
        return math.inf
    if row.scale is Scale.RATIO and row.ratio is None:
        return 0.0
    if (
        row.scale is not Scale.RATIO
        or row.error is None
        or row.freedom is None
        or not 0 < (row.ratio or 0.0) < math.inf
    ):
        # Failures, or counts without an error: there is only one interval.
        return math.inf if row.change in _CHANGED else 0.0
    apart = abs(math.log(row.ratio or 1.0)) - math.log1p(terms.noise)
    if row.error == 0:
        return math.inf if apart > 0 else 0.0
    return max(0.0, apart / row.error - student_quantile((1 + SCREEN_LEVEL) / 2, row.freedom))


def _confirmed(first: ComparisonRow, second: ComparisonRow, p: float, family: int, terms: Terms) -> ComparisonRow:
    """The second measurement's row with its verdict, and what the first one had said."""
    change, reason = second.change, second.reason
    if change in _CHANGED and p >= terms.significance:
        change = ChangeVerdict.UNDECIDED
        reason = f"p = {p:.2g} after correction for {family} rows is not below {terms.significance:g}"
    looked = f"looked {'faster' if ((first.ratio or 1.0) < 1) == first.better_below else 'slower'}"
    at_first = "" if first.ratio is None else f" ({first.ratio:.3g}) at first"
    if change in _CHANGED:
        reason = f"{looked}{at_first}, and again in new blocks"
    elif change is ChangeVerdict.UNDECIDED:
        reason = f"{looked}{at_first}, not confirmed: {reason}"
    return msgspec.structs.replace(
        second,
        adjusted=p,
        change=change,
        no_loss=second.no_loss and change is not ChangeVerdict.SLOWER,
        reason=reason,
        lacking=_lacking(second, change),
        noticeable=_noticeable(first, family, terms, second) if second.scale is Scale.RATIO else second.noticeable,
    )


def _screened(row: ComparisonRow, family: int, terms: Terms, *, was_again: bool) -> ComparisonRow:
    """A row of the first stage alone; ``was_again``: its cell was measured again, but did not give this row."""
    change, reason = row.change, row.reason
    stands_out = _beyond(row, terms) > 0
    if stands_out:
        change = ChangeVerdict.UNDECIDED
        reason = "looks changed, but was not measured again; name it in a filter"
        if was_again:
            reason = "looks changed, but has no figure in both stages"
    smallest = _noticeable(row, family, terms) if row.scale is Scale.RATIO else row.noticeable
    is_seen = smallest is not None and smallest <= LARGE and row.scale is Scale.RATIO
    return msgspec.structs.replace(
        row,
        adjusted=None,
        change=change,
        no_loss=row.no_loss and not stands_out,
        none_seen=is_seen and not stands_out,
        reason=reason,
        lacking=_lacking(row, change),
        noticeable=smallest,
    )


def _lacking(row: ComparisonRow, change: ChangeVerdict) -> Lacking:
    """Of one run only more blocks can decide anything."""
    return Lacking.BLOCKS if change is ChangeVerdict.UNDECIDED and row.p is not None else Lacking.NOTHING


def _noticeable(first: ComparisonRow, family: int, terms: Terms, second: ComparisonRow | None = None) -> float | None:
    """The smallest change both stages together would have found; the second as planned where there was none."""
    if first.error is None or first.freedom is None or not math.isfinite(first.error):
        return None
    if second is not None and second.error is not None and second.freedom is not None:
        error, freedom = second.error, second.freedom
    else:
        error = first.error * math.sqrt((first.freedom + 1) / CONFIRMATION_BLOCKS)
        freedom = CONFIRMATION_BLOCKS - 1.0
    deciding = max((1 + terms.level) / 2, 1 - terms.significance / 2 / family)
    return noticeable(
        (
            Stage(first.error, first.freedom, student_quantile((1 + SCREEN_LEVEL) / 2, first.freedom)),
            Stage(error, freedom, student_quantile(deciding, freedom)),
        ),
        terms.noise,
    )
