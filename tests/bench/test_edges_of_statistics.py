"""What has no figure: too few or impossible values, failures next to a floor, blocks that do not meet."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from tests.bench.records import FLOOR, MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_runs, compare_terminals
from web_terminal_suite.bench.analysis.comparison.stages import stages_of
from web_terminal_suite.bench.samples import Metric, Outcome, Point, Run, Target, Trial
from web_terminal_suite.bench.stats import ratios
from web_terminal_suite.bench.stats.block_intervals import percentile_intervals
from web_terminal_suite.bench.stats.interval import InsufficientData, Interval
from web_terminal_suite.bench.stats.multiple_comparisons import holm
from web_terminal_suite.bench.stats.proportion_intervals import clopper_pearson
from web_terminal_suite.bench.stats.ratios import ChangeVerdict
from web_terminal_suite.bench.stats.staged_power import Stage, noticeable

TERMS = Terms(resamples=200)
SPAWN = "floors/spawn"


def latencies(scale: float, n: int = 40, seed: int = 1) -> list[int]:
    rng = np.random.default_rng(seed)
    return (rng.lognormal(0, 0.1, n) * scale * MS).astype(int).tolist()


def with_floor(ours: list[Trial], floor: list[Trial]) -> Run:
    benchmarks = [facts(floor=SPAWN), facts(Metric(name="latency"), id=SPAWN)]
    return run(*ours, *floor, benchmarks=benchmarks, terminals=(OURS, FLOOR))


def floor_trials(numbers: range, n: int = 40) -> list[Trial]:
    return [
        trial(samples(latencies(1.0, n, seed=50 + block)), benchmark=SPAWN, terminal="floor", block=block)
        for block in numbers
    ]


# Statistics.


def test_values_that_are_no_probability_proportion_or_interval_are_refused() -> None:
    with pytest.raises(ValueError, match=r"interval \[2.0, 1.0\] is not ordered"):
        Interval(2.0, 1.0, 0.95)
    with pytest.raises(ValueError, match="5 of 4 is no proportion"):
        clopper_pearson(5, 4, 0.95)
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])
    with pytest.raises(ValueError, match="one dimension, not 2"):
        ratios.ratio(
            [np.ones((2, 2))], [np.ones(4)], 0.5, 0.95, paired=False, resamples=10, rng=np.random.default_rng(1)
        )


def test_percentiles_of_nothing_say_how_many_values_they_need() -> None:
    assert percentile_intervals([[], []], (0.5, 0.95), 0.95) == [InsufficientData(0, 6), InsufficientData(0, 72)]


def test_percentiles_of_several_quantiles_are_those_of_each() -> None:
    blocks = [latencies(1.0, seed=number) for number in range(6)]
    together = percentile_intervals(blocks, (0.5, 0.9, 0.95), 0.95)
    assert together == [percentile_intervals(blocks, (q,), 0.95)[0] for q in (0.5, 0.9, 0.95)]


def test_a_known_error_notices_less_than_an_estimated_one_and_a_huge_error_nothing() -> None:
    known, estimated = (noticeable((Stage(0.1, freedom, 1.96),), 0.05) for freedom in (math.inf, 4.0))
    assert known is not None
    assert estimated is not None
    assert 1.05 < known < estimated
    assert noticeable((Stage(50.0, 4.0, 2.78),), 0.05) is None


# A cell and its floor.


def test_failed_operations_bound_what_a_cell_adds_to_its_floor() -> None:
    """Three in forty fail in each block, so every p95 is infinite and every p50 a number."""
    ours = []
    for block in range(5):
        good = samples(latencies(3.0, 37, seed=block))
        bad = samples([MS] * 3, outcome=Outcome.TIMEOUT)
        moved = [
            msgspec.structs.replace(
                each, due_ns=each.due_ns + 10**10, sent_ns=each.sent_ns + 10**10, seen_ns=each.seen_ns + 10**10
            )
            for each in bad
        ]
        ours.append(trial([*good, *moved], block=block))
    (mine,) = [
        each for each in analyse(with_floor(ours, floor_trials(range(5)))).results if each.cell.terminal == "ours"
    ]
    assert mine.floor is not None
    added = mine.floor.added["p50"]
    assert added.lower is not None
    assert added.upper is not None
    assert added.lower < added.value < added.upper  # type: ignore[operator]
    assert mine.floor.added["p95"].upper == math.inf


def test_blocks_that_do_not_meet_those_of_the_floor_are_compared_as_two_samples() -> None:
    ours = [trial(samples(latencies(3.0, seed=block)), block=block) for block in range(10, 16)]
    (mine,) = [
        each for each in analyse(with_floor(ours, floor_trials(range(6)))).results if each.cell.terminal == "ours"
    ]
    assert mine.floor is not None
    added, ratio = mine.floor.added["p50"], mine.floor.ratio["p50"]
    assert added.lower is not None
    assert added.upper is not None
    assert added.lower < 2.0 * MS < added.upper
    assert ratio.lower is not None
    assert ratio.upper is not None
    assert ratio.lower < 3.0 < ratio.upper


# Comparisons.


def rows_of(base: Run, new: Run, terms: Terms = TERMS) -> list[ComparisonRow]:
    (compared,) = compare_runs(("base", base), [("new", new)], terms, force=True)
    return list(compared.rows)


def measured(scale: float, seed: int = 1, metric: Metric | None = None, points: list[list[Point]] | None = None) -> Run:
    trials = [
        trial(
            samples(latencies(scale, seed=100 * seed + block)) if points is None else (),
            block=block,
            points=points[block] if points else (),
        )
        for block in range(5)
    ]
    benchmarks = (facts(metric),) if metric is not None else (facts(),)
    return run(*trials, benchmarks=benchmarks, terminals=(OURS,))


def test_means_are_compared_where_they_are_asked_for() -> None:
    (row,) = [
        each
        for each in rows_of(measured(1.0), measured(2.0, 2), replace(TERMS, statistics=("mean",)))
        if each.unit == "ns"
    ]
    assert row.statistic == "mean"
    assert row.base_value == pytest.approx(1.005 * MS, rel=0.1)
    assert row.ratio == pytest.approx(2.0, rel=0.1)


def test_a_drift_is_compared_with_the_error_of_its_steps() -> None:
    drift = Metric(name="p95 over time", kind="slope", unit="ns", drifts=True)

    def rising(step: float, seed: int) -> Run:
        rng = np.random.default_rng(seed)
        value, points = 1000.0, []
        for second in range(60):
            value += step + rng.normal(0, 0.5)
            points.append(Point("p95 over time", second, value))
        return measured(1.0, metric=drift, points=[points[12 * block : 12 * block + 12] for block in range(5)])

    (row,) = rows_of(rising(10.0, 1), rising(20.0, 2))
    assert row.statistic == "slope"
    assert row.ratio == pytest.approx(2.0, rel=0.1)
    flat = Metric(name="p95 over time", kind="slope", unit="ns")
    same = [[Point("p95 over time", 3, 5.0), Point("p95 over time", 3, 6.0)] for _ in range(5)]
    (row,) = rows_of(measured(1.0, metric=flat, points=same), measured(1.0, metric=flat, points=same))
    assert row.reason == "every reading is at x = 3; a slope needs two different x"


def test_a_level_that_may_be_zero_has_no_ratio() -> None:
    level = Metric(name="idle CPU", kind="level", unit="")
    noisy = [[Point("idle CPU", 0, value)] for value in (-3.0, 4.0, -2.0, 5.0, -1.0)]
    (row,) = rows_of(measured(1.0, metric=level, points=noisy), measured(1.0, metric=level, points=noisy))
    assert "is too near 0 for a ratio" in row.reason
    assert not row.is_told


def test_too_few_operations_and_operations_of_no_time_are_reasons() -> None:
    few = run(*[trial(samples(latencies(1.0, 4)), block=block) for block in range(5)], terminals=(OURS,))
    p95 = next(each for each in rows_of(few, few) if each.statistic == "p95")
    assert p95.reason == "n=20, needs 52 more"
    instant = run(*[trial(samples([0] * 40), block=block) for block in range(5)], terminals=(OURS,))
    p50 = next(each for each in rows_of(instant, instant) if each.statistic == "p50")
    assert "a statistic of 0 has no ratio" in p50.reason


def test_terminals_of_one_run_that_share_no_block_are_not_compared() -> None:
    ours = [trial(samples(latencies(1.0, seed=block)), block=block) for block in range(5)]
    peer = [trial(samples(latencies(2.0, seed=block)), block=block, terminal="peer") for block in range(10, 15)]
    (compared,) = compare_terminals(run(*ours, *peer, terminals=(OURS, PEER)), "ours", ["peer"], TERMS)
    assert {row.reason for row in compared.rows if row.unit == "ns"} == {"the two have no block in common"}


def test_a_record_whose_stages_cannot_be_read_is_no_run_of_two_revisions() -> None:
    assert stages_of(msgspec.structs.replace(run(), options={"against": {"base": 3}})) is None


@pytest.mark.parametrize(
    ("base", "new", "change"),
    [
        ([1000.0], [500.0], ChangeVerdict.SLOWER),
        ([1000.0], [2000.0], ChangeVerdict.FASTER),
        ([1000.0], [1000.0], ChangeVerdict.EQUAL),
        ([500.0, 2000.0], [1000.0], ChangeVerdict.UNDECIDED),
    ],
)
def test_a_count_that_should_be_reached_is_told_by_its_runs(
    base: list[float], new: list[float], change: ChangeVerdict
) -> None:
    reached = Metric(
        name="sessions",
        kind="level",
        unit="sessions",
        exact=True,
        targets={"*": Target(statistic="level", limit=1000, below=False)},
    )

    def counted(values: list[float]) -> list[Run]:
        return [
            measured(1.0, seed, metric=reached, points=[[Point("sessions", 0, value)] for _ in range(5)])
            for seed, value in enumerate(values)
        ]

    (compared,) = compare_runs(("base", counted(base)), [("new", counted(new))], TERMS, force=True)
    (row,) = [each for each in compared.rows if each.metric == "sessions"]
    assert row.change is change
    assert row.reason == ("the runs of a side disagree" if change is ChangeVerdict.UNDECIDED else "")


def test_a_count_of_faults_that_some_runs_do_not_have_is_told_only_if_all_of_the_other_side_have_more() -> None:
    left = Metric(name="left over", kind="level", unit="processes", exact=True)

    def counted(values: list[float]) -> list[Run]:
        return [
            measured(1.0, seed, metric=left, points=[[Point("left over", 0, value)] for _ in range(5)])
            for seed, value in enumerate(values)
        ]

    (mixed,) = compare_runs(("base", counted([0.0, 3.0])), [("new", counted([1.0, 2.0]))], TERMS, force=True)
    (row,) = [each for each in mixed.rows if each.metric == "left over"]
    assert row.change is ChangeVerdict.UNDECIDED
