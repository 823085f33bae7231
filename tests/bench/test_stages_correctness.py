"""Failures, wrong answers and exact counts in a run of ``bench --against``: whatever a stage saw counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from tests.bench.records import MS, OURS, PEER, facts, samples, trial
from tests.bench.test_against import BLOCKS, STAGES, blocks_of, staged
from web_terminal_suite.bench import pipeline
from web_terminal_suite.bench.analysis.comparison.judging import status
from web_terminal_suite.bench.analysis.comparison.results import ComparisonStatus, RunComparison, Terms
from web_terminal_suite.bench.analysis.comparison.stages import standing_out
from web_terminal_suite.bench.samples import Cell, Metric, Outcome, Point
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import Run, Trial

SCREEN = range(BLOCKS)
AGAIN = range(BLOCKS, BLOCKS + 20)
LEFT_OVER = Metric(name="left over", kind="level", unit="sessions", exact=True)
PER_BLOCK = 40


def operations(numbers: range, head: int = 0, base: int = 0, outcome: Outcome = Outcome.TIMEOUT) -> list[Trial]:
    """Blocks of which the first has this number of failed operations a side."""
    found = []
    for number in numbers:
        for terminal, failed in ((OURS, base), (PEER, head)):
            bad = failed if number == numbers[0] else 0
            fine = samples([MS + number * 10 + place for place in range(PER_BLOCK - bad)])
            found.append(
                trial(
                    [*samples([MS] * bad, outcome=outcome), *fine],
                    benchmark="suite/b",
                    terminal=terminal.name,
                    block=number,
                )
            )
    return found


def counts(first: int, base: Sequence[float], head: Sequence[float]) -> list[Trial]:
    """One reading a block and side, from the block ``first`` on."""
    return [
        trial(
            points=[Point("left over", 0, value)], benchmark="suite/left", terminal=terminal.name, block=first + number
        )
        for terminal, side in ((OURS, base), (PEER, head))
        for number, value in enumerate(side)
    ]


def quiet() -> list[Trial]:
    """A benchmark in which nothing changed, so that half of the rows are told whatever the others say."""
    return blocks_of("suite/a", SCREEN, 1.0, np.random.default_rng(1), 0.01)


def of(*trials: Trial) -> Run:
    found = staged(*trials)
    return msgspec.structs.replace(found, benchmarks=(*found.benchmarks, facts(LEFT_OVER, id="suite/left")))


def compared(*trials: Trial) -> tuple[RunComparison, ComparisonStatus]:
    (found,) = pipeline.compare(("a", of(*quiet(), *trials)))
    return found, status((found,))


@pytest.mark.parametrize("outcome", [Outcome.WRONG, Outcome.TIMEOUT])
@pytest.mark.parametrize("stage", ["screen", "screen, not again", "again"])
def test_failures_of_either_stage_are_a_loss(stage: str, outcome: Outcome):
    trials = operations(SCREEN, head=20 if "screen" in stage else 0, outcome=outcome)
    if stage != "screen, not again":
        trials += operations(AGAIN, head=20 if stage == "again" else 0, outcome=outcome)
    found, ended = compared(*trials)
    rows = {row.statistic: row for row in found.rows if row.metric == "operations"}
    assert ended is ComparisonStatus.SLOWER
    assert rows["failed"].change is ChangeVerdict.SLOWER
    assert rows["failed"].new_n == sum(len(each.samples) for each in trials) / 2
    assert ("wrong" in rows) == (outcome is Outcome.WRONG)


@pytest.mark.parametrize("stage", [SCREEN, AGAIN])
def test_one_wrong_answer_of_either_stage_is_a_loss(stage: range):
    trials = [*operations(SCREEN, head=stage is SCREEN, outcome=Outcome.WRONG),
              *operations(AGAIN, head=stage is AGAIN, outcome=Outcome.WRONG)]  # fmt: skip
    assert compared(*trials)[1] is ComparisonStatus.SLOWER


def test_a_failure_that_may_be_chance_is_measured_again_and_until_then_leaves_a_loss_open():
    screened = operations(SCREEN, head=1)
    found, ended = compared(*screened)
    assert ended is ComparisonStatus.UNDECIDED
    assert sum(row.is_told for row in found.rows) >= len(found.rows) / 2
    trials = [*quiet(), *screened]
    assert [cell.benchmark for cell in standing_out(trials, of(*trials), STAGES, Terms())] == ["suite/b"]
    assert compared(*screened, *operations(AGAIN))[1] is ComparisonStatus.NO_LOSS


def test_failures_of_the_base_alone_are_no_loss():
    assert compared(*operations(SCREEN, base=1))[1] is ComparisonStatus.NO_LOSS
    found, ended = compared(*operations(SCREEN, base=20))
    assert ended is ComparisonStatus.NO_LOSS
    assert ChangeVerdict.FASTER in {row.change for row in found.rows}


@pytest.mark.parametrize(
    ("screened", "again"),
    [
        ([1000.0] + [0.0] * 9, [0.0] * 20),
        ([1000.0] * 10, []),
        ([0.0] * 10, [0.0] * 19 + [1.0]),
        ([1.0], []),
    ],
)
def test_what_is_left_over_in_any_block_is_a_loss(screened: list[float], again: list[float]):
    trials = counts(0, [0.0] * len(screened), screened) + counts(BLOCKS, [0.0] * len(again), again)
    found, ended = compared(*trials)
    assert ended is ComparisonStatus.SLOWER
    (row,) = [row for row in found.rows if row.metric == "left over"]
    assert row.new_value == pytest.approx(sum(screened + again) / len(screened + again))


def test_counts_that_both_sides_have_are_a_loss_or_leave_one_open_where_the_head_has_more():
    once = [1.0] + [0.0] * 9
    assert compared(*counts(0, once, [1000.0] * 10))[1] is ComparisonStatus.SLOWER
    assert compared(*counts(0, once, [1.0, 1.0] + [0.0] * 8))[1] is ComparisonStatus.UNDECIDED
    assert compared(*counts(0, once, once))[1] is ComparisonStatus.NO_LOSS
    assert compared(*counts(0, [5.0] * 10, [4.0] * 10))[1] is ComparisonStatus.NO_LOSS


def test_nothing_left_over_is_equal():
    found, ended = compared(*counts(0, [0.0] * 10, [0.0] * 10))
    assert ended is ComparisonStatus.NO_LOSS
    assert {row.change for row in found.rows if row.metric == "left over"} == {ChangeVerdict.EQUAL}


def test_a_row_that_only_the_second_stage_has_is_listed():
    slower = blocks_of("suite/b", SCREEN, 1.5, np.random.default_rng(2), 0.01)
    found, _ = compared(*slower, *counts(BLOCKS, [3.0] * 5, [3.0] * 5))
    assert "left over" in {row.metric for row in found.rows}


def test_a_row_says_why_what_looked_changed_was_not_confirmed():
    slower = blocks_of("suite/b", SCREEN, 1.5, np.random.default_rng(2), 0.01)
    found, _ = compared(*slower)
    assert any("was not measured again" in row.reason for row in found.rows)
    found, _ = compared(*slower, *operations(AGAIN))
    assert not any("was not measured again" in row.reason for row in found.rows)


@pytest.mark.parametrize("planned", [(), ("ours", "peer")])
def test_what_only_the_base_measured_is_no_whole_run(planned: tuple[str, ...]):
    found = of(*quiet(), *(each for each in operations(SCREEN) if each.cell.terminal == OURS.name))
    found = msgspec.structs.replace(found, planned=tuple(Cell("suite/b", "", name) for name in planned))
    (told,) = pipeline.compare(("a", found))
    assert status((told,)) is ComparisonStatus.INCOMPLETE
    assert told.problems == (f"{Cell('suite/b', '', PEER.name)}: nothing was measured",)
