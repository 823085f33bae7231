"""From records of known content to estimates, verdicts and exit codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.bench import records
from tests.bench.records import FLOOR, KNOWN, MS, OURS, P95_100_MS, PEER, SUITE, blocks, facts, run, samples, trial
from web_terminal_suite.bench.analysis import (
    Estimate,
    ExitCode,
    JudgedBy,
    Result,
    Verdict,
    analyse,
    analyse_cell,
    exit_code,
)
from web_terminal_suite.bench.analysis.verdicts import judge, side
from web_terminal_suite.bench.report.common.client_overhead import overheads
from web_terminal_suite.bench.samples import Cell, Metric, Outcome, Phase, Point, Run, Target

if TYPE_CHECKING:
    from collections.abc import Sequence


def only(of: Run) -> Result:
    results = analyse(of).results
    assert len(results) == 1
    return results[0]


def uniform(n: int, low_ms: float = 1, high_ms: float = 2, seed: int = 0) -> list[int]:
    return [int(x * MS) for x in np.random.default_rng(seed).uniform(low_ms, high_ms, n)]


# Estimates


def test_percentiles_are_of_operations_and_thin_ones_are_refused() -> None:
    latencies = [i * MS for i in range(1, 101)]
    result = only(run(trial(samples(latencies[:50])), trial(samples(latencies[50:]), block=1)))
    assert result.n == 100
    assert result.trials == 2
    assert result.estimates["p50"].value == 50 * MS
    assert result.estimates["p95"].value == 95 * MS
    assert result.estimates["mean"].value == pytest.approx(50.5 * MS)
    assert result.estimates["p99"] == Estimate(value=None, lower=25 * MS, refusal="n=100, needs 268 more")
    # Two blocks have no interval; each of them is a reading.
    assert result.estimates["p95"].readings == (48 * MS, 98 * MS)
    assert result.estimates["p95"].refusal == "2 blocks, an interval needs 5"
    assert (result.estimates["p95"].lower, result.estimates["p95"].upper) == (-math.inf, math.inf)
    assert result.estimates["p99.9"].refusal == "n=100, needs 3,588 more"


def test_warmup_is_counted_and_left_out() -> None:
    slow = samples([10_000 * MS] * 7, phase=Phase.WARMUP)
    result = only(run(*blocks([*slow, *samples(uniform(100))])))
    assert (result.n, result.warmup) == (100, 7)
    mean = result.estimates["mean"]
    assert mean.value is not None
    assert mean.upper < 2 * MS


def test_latency_counts_from_the_due_time() -> None:
    late = [msgspec.structs.replace(sample, sent_ns=sample.sent_ns + MS) for sample in samples([5 * MS] * 80)]
    assert only(run(trial(late))).estimates["p50"].value == 5 * MS


def test_failures_are_infinitely_late() -> None:
    failed = samples([1] * 10, outcome=Outcome.TIMEOUT)
    result = only(run(*blocks([*samples(uniform(90)), *failed])))
    assert result.outcomes == {"ok": 90, "timeout": 10}
    assert result.reasons == {"no marker": 10}
    assert result.failed == 10
    assert result.estimates["p95"].value == math.inf
    assert result.estimates["p50"].upper < 2 * MS
    assert result.estimates["mean"].upper == math.inf
    assert "10 of 100 operations failed" in result.estimates["mean"].refusal
    assert result.judgement.verdict is Verdict.UNDECIDED


def test_only_failures_fail() -> None:
    result = only(run(trial(samples([1] * 100, outcome=Outcome.WRONG))))
    assert result.judgement.verdict is Verdict.FAIL
    assert result.judgement.reason == "too many operations failed for a p95"


@given(st.integers(1, 300), st.integers(0, 300), st.sampled_from(["p50", "p95", "p99", "mean"]))
def test_a_cell_with_too_many_failures_never_passes(good: int, bad: int, statistic: Any) -> None:
    share = {"p50": 0.5, "p95": 0.05, "p99": 0.01, "mean": 0.0}[statistic]
    target = Target(statistic=statistic, limit=1e12)
    of = run(
        trial([*samples([MS] * good), *samples([1] * bad, outcome=Outcome.CLOSED)]),
        benchmarks=[facts(Metric(name="latency", targets={"*": target}))],
    )
    verdict = only(of).judgement.verdict
    if bad / (good + bad) > share:
        assert verdict is not Verdict.PASS
    if bad == 0 and good >= 400:
        assert verdict is Verdict.PASS


def test_a_mark_is_a_metric_of_its_own() -> None:
    marked = [
        msgspec.structs.replace(sample, marks={"reply": sample.due_ns + MS} if place else {})
        for place, sample in enumerate(samples([3 * MS] * 80))
    ]
    of = run(trial(marked), benchmarks=[facts(Metric(name="whole"), Metric(name="reply", mark="reply"))])
    whole, reply = analyse(of).results
    assert whole.estimates["p50"].value == 3 * MS
    assert reply.estimates["p50"].value == MS
    # One operation succeeded without ever passing the mark.
    assert reply.n == 80
    assert "1 of 80" in reply.estimates["mean"].refusal


def test_a_mark_that_a_terminal_does_not_have_gives_no_row() -> None:
    of = run(trial(samples([MS] * 80)), benchmarks=[facts(Metric(name="whole"), Metric(name="reply", mark="reply"))])
    assert [result.metric.name for result in analyse(of).results] == ["whole"]
    assert exit_code(analyse(of)) is ExitCode.PASS


def test_throughput_is_elements_over_the_time_of_all_operations() -> None:
    target = Target(statistic="rate", limit=10_000, below=False)
    benchmark = facts(
        Metric(name="latency", targets={"*": target}), parameters=("1000",), elements={"1000": 1000}, element_unit="msg"
    )
    good = trial(samples([50 * MS] * 8), parameter="1000")
    result = only(run(good, benchmarks=[benchmark]))
    assert result.throughput is not None
    assert result.throughput.rate.value == pytest.approx(20_000)
    assert result.judgement.verdict is Verdict.PASS
    half = samples([50 * MS] * 4) + samples([50 * MS] * 4, outcome=Outcome.TIMEOUT)
    result = only(run(trial(half, parameter="1000"), benchmarks=[benchmark]))
    assert result.estimates["rate"].value == pytest.approx(10_000)


def test_slope_and_level() -> None:
    metrics = (
        Metric(name="memory", kind="slope", unit="B", targets={"*": Target(statistic="slope", limit=100e3, goal=10e3)}),
        Metric(name="base", kind="level", unit="B", targets={"*": Target(statistic="level", limit=100e6)}),
        Metric(
            name="count",
            kind="level",
            unit="sessions",
            exact=True,
            targets={"*": Target(statistic="level", limit=10_000, below=False)},
        ),
    )
    points = [
        Point("memory", x, 45e6 + 9e3 * x + noise) for x, noise in ((0, 90.0), (100, -80.0), (300, 50.0), (1000, 0.0))
    ]
    points += [Point("base", 0, 45e6), Point("base", 0, 46e6), Point("base", 500, 1e12), Point("count", 0, 10_000)]
    slope, base, count = analyse(run(trial(points=points), benchmarks=[facts(*metrics)])).results
    assert slope.estimates["slope"].value == pytest.approx(9e3, rel=1e-3)
    assert slope.r2 == pytest.approx(1, abs=1e-6)
    assert slope.intercept == pytest.approx(45e6, rel=1e-3)
    assert (slope.judgement.verdict, slope.judgement.goal_verdict) == (Verdict.PASS, Verdict.PASS)
    assert base.n == 2
    assert base.estimates["level"].value == 45.5e6
    assert base.judgement.verdict is Verdict.PASS
    # A count of exactly the limit reaches it, and one reading of it decides.
    assert count.judgement.verdict is Verdict.PASS


def test_one_reading_has_no_interval_and_is_judged_by_itself() -> None:
    metric = Metric(name="base", kind="level", unit="B", targets={"*": Target(statistic="level", limit=100e6)})
    result = only(run(trial(points=[Point("base", 0, 45e6)]), benchmarks=[facts(metric)]))
    assert result.estimates["level"] == Estimate(value=45e6, refusal="1 block, an interval needs 5", readings=(45e6,))
    assert (result.judgement.verdict, result.judgement.judged_by) == (Verdict.PASS, JudgedBy.READINGS)


def test_a_slope_over_one_x_is_refused() -> None:
    metric = Metric(name="m", kind="slope", unit="B", targets={"*": Target(statistic="slope", limit=1)})
    result = only(run(trial(points=[Point("m", 100, 1), Point("m", 100, 2)]), benchmarks=[facts(metric)]))
    assert "needs two different x" in result.judgement.reason
    assert result.judgement.verdict is Verdict.UNDECIDED


def test_outliers_are_labelled_and_kept() -> None:
    result = only(run(trial(samples([*uniform(99), 90 * MS]))))
    assert result.outliers is not None
    assert result.outliers.high_severe == 1
    assert result.n == 100


def test_the_same_record_gives_the_same_results() -> None:
    of = run(trial(samples(uniform(100))), trial(samples(uniform(60, seed=1)), terminal="floor"))
    assert analyse(of) == analyse(of)


def test_a_row_does_not_depend_on_what_else_was_measured() -> None:
    mine, other = trial(samples(uniform(100))), trial(samples(uniform(100, seed=1)), benchmark="suite/other")
    alone = run(mine, benchmarks=[facts(), facts(id="suite/other")])
    both = run(other, mine, benchmarks=[facts(), facts(id="suite/other")])
    cell = Cell(SUITE, "", "ours")
    assert analyse_cell(alone, cell) == analyse_cell(both, cell)
    assert analyse_cell(both, cell)[0] in analyse(both).results


# Floors


def with_floor(ours: Sequence[int], floor: Sequence[int], **metric: Any) -> Result:
    benchmark = facts(Metric(name="latency", **metric), floor="floor")
    of = run(*blocks(samples(ours)), *blocks(samples(floor), terminal="floor"), benchmarks=[benchmark])
    return next(result for result in analyse(of).results if result.cell.terminal == "ours")


def test_floor_ratio_and_added_latency() -> None:
    rng = np.random.default_rng(1)
    ours, floor = (rng.lognormal(0, 0.1, (2, 400)).T * [3 * MS, 1 * MS]).astype(int).T
    result = with_floor(ours.tolist(), floor.tolist())
    assert result.floor is not None
    assert result.floor.floor == Cell(SUITE, "", "floor")
    for name in ("p50", "p95"):
        ratio, added = result.floor.ratio[name], result.floor.added[name]
        mine, base = (
            np.array([np.quantile(x[block::5], float(name[1:]) / 100, method="inverted_cdf") for block in range(5)])
            for x in (ours, floor)
        )
        assert ratio.value == pytest.approx(np.exp(np.log(mine / base).mean()))
        assert added.value == pytest.approx((mine - base).mean())
        assert 2.7 < ratio.lower < 3 < ratio.upper < 3.3


def test_floor_intervals_are_students_over_the_blocks() -> None:
    rng = np.random.default_rng(2)
    ours, floor = ((rng.lognormal(at, 0.3, 200) * MS).astype(int) for at in (1, 0))
    result = with_floor(ours.tolist(), floor.tolist())
    mine, base = ([np.quantile(x[block::5], 0.5, method="inverted_cdf") for block in range(5)] for x in (ours, floor))
    assert result.floor is not None
    for found, each in (
        (result.floor.added["p50"], np.subtract(mine, base)),
        (result.floor.ratio["p50"], np.log(np.divide(mine, base))),
    ):
        lower, upper = stats.t.interval(0.95, 4, loc=each.mean(), scale=stats.sem(each))
        ends = (lower, upper) if found is result.floor.added["p50"] else (math.exp(lower), math.exp(upper))
        assert (found.lower, found.upper) == pytest.approx(ends)


def test_a_floor_of_few_blocks_gives_readings() -> None:
    benchmark = facts(
        Metric(name="latency", floor_targets={"*": Target(statistic="ratio_p50", limit=1.5)}), floor="floor"
    )
    of = run(
        *blocks(samples(uniform(100, 1.3, 1.31))), trial(samples(uniform(100, 1, 1.01)), terminal="floor"),
        benchmarks=[benchmark],
    )  # fmt: skip
    floor = analyse(of).results[0].floor
    assert floor is not None
    assert floor.ratio["p50"].refusal == "floor 1 block, an interval needs 5"
    assert len(floor.ratio["p50"].readings) == 1
    assert (floor.judgement.verdict, floor.judgement.judged_by) == (Verdict.PASS, JudgedBy.READINGS)


def test_a_target_on_the_ratio() -> None:
    target = Target(statistic="ratio_p95", limit=1.5, goal=1.3)
    near = with_floor(uniform(300, 1.38, 1.40), uniform(300, 0.99, 1.0), floor_targets={"*": target})
    assert near.floor is not None
    assert (near.floor.judgement.verdict, near.floor.judgement.goal_verdict) == (Verdict.PASS, Verdict.FAIL)
    far = with_floor(uniform(300, 2, 2.1), uniform(300, 0.99, 1.0), floor_targets={"*": target})
    assert far.floor is not None
    assert far.floor.judgement.verdict is Verdict.FAIL
    thin = with_floor(uniform(300), uniform(20), floor_targets={"*": target})
    assert thin.floor is not None
    assert thin.floor.judgement.verdict is Verdict.UNDECIDED
    assert thin.floor.judgement.reason == "floor n=20, needs 52 more"
    # The same statistic may stand where any other does.
    plain = with_floor(uniform(300, 2, 2.1), uniform(300, 0.99, 1.0), targets={"*": target})
    assert plain.judgement.verdict is Verdict.FAIL


def test_a_ratio_target_without_its_floor_is_undecided() -> None:
    target = Target(statistic="ratio_p95", limit=1.5)
    benchmark = facts(Metric(name="latency", floor_targets={"*": target}), floor="floor")
    analysis = analyse(run(trial(samples(uniform(100))), benchmarks=[benchmark]))
    assert analysis.results[0].floor is not None
    assert analysis.results[0].floor.judgement.verdict is Verdict.UNDECIDED
    assert exit_code(analysis) is ExitCode.UNDECIDED


def null_beside_loopback(ratio: float, client: float = 0.1, with_loopback: bool = True) -> Run:
    target = Target(statistic="ratio_p50", limit=1.5)
    null = facts(Metric(name="latency", floor_targets={"echo": target}), id="null", parameters=("echo",), floor="loop")
    ours, bare = samples(uniform(300, ratio - 0.01, ratio)), samples(uniform(300, 0.99, 1.0))
    trials = blocks(ours, benchmark="null", parameter="echo", terminal="floor", client=client)
    if with_loopback:
        trials += blocks(bare, benchmark="loop", terminal="floor")
    return run(*trials, benchmarks=[null, facts(Metric(name="latency"), id="loop")])


@pytest.mark.parametrize(("ratio", "verdict"), [(1.3, Verdict.PASS), (1.7, Verdict.FAIL)])
def test_a_floor_is_judged_by_a_floor_of_its_own_however_busy_the_client(ratio: float, verdict: Verdict) -> None:
    # It is the client that is judged, so what it used of a core refuses nothing.
    analysis = analyse(null_beside_loopback(ratio, client=0.95))
    null, loop = analysis.results
    assert null.floor is not None
    assert null.floor.judgement.verdict is verdict
    assert loop.floor is None
    (words,) = overheads(analysis)
    assert words.startswith("its round trip takes 1.")
    assert words.endswith(") that of a bare loopback socket")
    assert float(words.split()[4]) == pytest.approx(ratio, rel=0.01)


def test_what_the_machine_cannot_hold_is_undecided_and_no_problem() -> None:
    metrics = (
        Metric(name="latency", targets={"*": P95_100_MS}),
        Metric(name="sessions", kind="level", unit="sessions", targets={"*": Target(statistic="level", goal=1.0)}),
        Metric(name="more"),
    )
    why = "not feasible here: kernel.pty.max = 4096 allows 3,070 of 10,000 sessions; raise with: sysctl"
    none = msgspec.structs.replace(trial(parameter="10000"), infeasible=why)
    analysis = analyse(run(none, benchmarks=[facts(*metrics, parameters=("1", "10000"))]))
    latency, level = analysis.results
    assert (latency.judgement.verdict, latency.judgement.reason) == (Verdict.UNDECIDED, why)
    # There is only a goal, which decides nothing.
    assert (level.judgement.verdict, level.judgement.goal_verdict) == (Verdict.NONE, Verdict.UNDECIDED)
    assert latency.problems == ()
    assert latency.infeasible == why
    assert exit_code(analysis) is ExitCode.UNDECIDED


def test_a_cell_that_no_longer_fits_after_some_blocks_keeps_what_it_has() -> None:
    later = msgspec.structs.replace(trial(block=1), infeasible="not feasible here: memory")
    result = only(run(trial(samples(uniform(100))), later))
    assert result.judgement.verdict is Verdict.PASS
    assert (result.problems, result.warnings, result.infeasible) == ((), ("not feasible here: memory",), "")


def test_a_run_without_the_floor_of_a_floor_says_nothing_of_it() -> None:
    analysis = analyse(null_beside_loopback(1.3, with_loopback=False))
    assert analysis.results[0].floor is None
    assert exit_code(analysis) is ExitCode.PASS
    assert list(overheads(analysis)) == []


def test_a_floor_may_be_a_benchmark() -> None:
    benchmarks = [facts(floor="floors/spawn", parameters=("a",)), facts(Metric(name="latency"), id="floors/spawn")]
    of = run(
        trial(samples(uniform(100)), parameter="a"),
        trial(samples(uniform(100)), benchmark="floors/spawn", terminal="floor"),
        benchmarks=benchmarks,
    )
    mine, floor = analyse(of).results
    assert mine.floor is not None
    assert mine.floor.floor == Cell("floors/spawn", "", "floor")
    assert mine.floor.ratio["p50"].value == 1
    assert floor.floor is None
    assert floor.judgement.verdict is Verdict.NONE


def test_a_moment_on_the_way_is_not_compared_with_a_whole_floor() -> None:
    benchmarks = [
        facts(Metric(name="latency"), Metric(name="reply", mark="reply"), floor="floors/spawn"),
        facts(Metric(name="latency"), id="floors/spawn"),
    ]
    marked = [msgspec.structs.replace(s, marks={"reply": s.due_ns + 5}) for s in samples(uniform(100))]
    of = run(
        trial(marked), trial(samples(uniform(100)), benchmark="floors/spawn", terminal="floor"), benchmarks=benchmarks
    )
    whole, reply, _floor = analyse(of).results
    assert whole.floor is not None
    assert reply.floor is None


def test_a_floor_that_failed_bounds_nothing() -> None:
    benchmark = facts(floor="floor")
    broken = [*samples(uniform(90)), *samples([1] * 10, outcome=Outcome.TIMEOUT)]
    of = run(trial(samples(uniform(100))), trial(broken, terminal="floor"), benchmarks=[benchmark])
    result = analyse(of).results[0]
    assert result.floor is not None
    assert result.floor.ratio["p95"].value is None
    assert "floor itself failed" in result.floor.ratio["p95"].refusal
    assert result.floor.ratio["p50"].value == pytest.approx(1, rel=0.2)


# Verdicts


@pytest.mark.parametrize(
    ("lower", "upper", "below", "verdict"),
    [
        (1, 9.99, True, Verdict.PASS),
        (1, 10, True, Verdict.UNDECIDED),
        (9.99, 11, True, Verdict.UNDECIDED),
        (10, 11, True, Verdict.FAIL),
        (10, 11, False, Verdict.PASS),
        (9.99, 11, False, Verdict.UNDECIDED),
        (1, 9.99, False, Verdict.FAIL),
        (-math.inf, math.inf, True, Verdict.UNDECIDED),
        (math.inf, math.inf, True, Verdict.FAIL),
    ],
)
def test_the_bound_decides(lower: float, upper: float, below: bool, verdict: Verdict) -> None:
    assert side(Estimate(lower=lower, upper=upper), 10, below) is verdict


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.booleans())
def test_above_is_below_turned_round(one: float, two: float, limit: float, below: bool) -> None:
    estimate = Estimate(lower=min(one, two), upper=max(one, two))
    turned = {Verdict.PASS: Verdict.FAIL, Verdict.FAIL: Verdict.PASS, Verdict.UNDECIDED: Verdict.UNDECIDED}
    assert side(estimate, limit, not below) is turned[side(estimate, limit, below)]


def test_pass_and_fail_by_real_samples() -> None:
    assert only(run(trial(samples(uniform(100, 1, 2))))).judgement.verdict is Verdict.PASS
    assert only(run(trial(samples(uniform(100, 110, 120))))).judgement.verdict is Verdict.FAIL
    near = only(run(*blocks(samples(uniform(100, 90, 100.5)))))
    assert near.judgement.verdict is Verdict.UNDECIDED
    assert "holds the limit" in near.judgement.reason
    thin = only(run(trial(samples(uniform(10)))))
    assert (thin.judgement.verdict, thin.judgement.reason) == (Verdict.UNDECIDED, "n=10, needs 62 more")
    # Ten operations cannot pass, but they can fail.
    assert only(run(trial(samples([200 * MS] * 10)))).judgement.verdict is Verdict.FAIL


def test_a_busy_client_refuses_the_verdict() -> None:
    of = run(trial(samples(uniform(60))), trial(samples(uniform(60)), block=1, client=0.81))
    result = only(of)
    assert (result.judgement.verdict, result.judgement.goal_verdict) == (Verdict.REFUSED, Verdict.REFUSED)
    assert "81%" in result.judgement.reason
    assert exit_code(analyse(of)) is ExitCode.UNDECIDED
    assert only(run(trial(samples(uniform(100)), client=0.8))).judgement.verdict is Verdict.PASS


def test_a_component_benchmark_is_its_own_client() -> None:
    of = run(trial(samples(uniform(100)), client=1.0), benchmarks=[facts(component=True)])
    assert only(of).judgement.verdict is Verdict.PASS


def test_floors_are_not_judged() -> None:
    of = run(trial(samples([500 * MS] * 100), terminal="floor"))
    assert only(of).judgement.verdict is Verdict.NONE
    assert exit_code(analyse(of)) is ExitCode.PASS


def test_a_target_of_one_parameter_is_not_that_of_another() -> None:
    metric = Metric(name="latency", targets={"100": P95_100_MS})
    benchmark = facts(metric, parameters=("10", "100"))
    of = run(
        trial(samples(uniform(100)), parameter="10"),
        trial(samples(uniform(100)), parameter="100"),
        benchmarks=[benchmark],
    )
    ten, hundred = analyse(of).results
    assert (ten.judgement.verdict, hundred.judgement.verdict) == (Verdict.NONE, Verdict.PASS)


def test_a_missed_goal_changes_no_exit_code() -> None:
    analysis = analyse(run(trial(samples(uniform(100, 10, 20)))))
    assert analysis.results[0].judgement.goal_verdict is Verdict.FAIL
    assert exit_code(analysis) is ExitCode.PASS


def test_a_goal_alone_is_judged() -> None:
    judgement = judge(Target(statistic="p95", goal=5.0), Estimate(value=1, lower=1, upper=2), 0.1, False)
    assert (judgement.verdict, judgement.goal_verdict) == (Verdict.NONE, Verdict.PASS)


# What a run amounts to


def test_a_problem_makes_the_cell_partial_and_the_run_failed() -> None:
    of = run(trial(samples(uniform(100))), trial(samples(uniform(20)), block=1, problem="2 processes were left"))
    analysis = analyse(of)
    assert analysis.results[0].problems == ("block 1: 2 processes were left",)
    assert analysis.results[0].judgement.verdict is Verdict.UNDECIDED
    assert exit_code(analysis) is ExitCode.RUN_FAILED


def test_a_partial_cell_can_still_fail() -> None:
    of = run(trial(samples([500 * MS] * 100), problem="closed early"))
    analysis = analyse(of)
    assert analysis.results[0].judgement.verdict is Verdict.FAIL
    # 4 wins over 1.
    assert exit_code(analysis) is ExitCode.RUN_FAILED


def test_a_failed_target_wins_over_an_undecided_one() -> None:
    of = run(
        trial(samples([500 * MS] * 100)),
        trial(samples(uniform(10)), terminal="peer"),
        terminals=[OURS, PEER, FLOOR],
    )
    assert exit_code(analyse(of)) is ExitCode.FAIL


@pytest.mark.parametrize("of", [(), samples([MS] * 5, phase=Phase.WARMUP)])
def test_a_cell_without_a_measured_sample_fails_the_run(of: list[Any]) -> None:
    analysis = analyse(run(trial(of)))
    assert analysis.results[0].problems == ("no measured sample",)
    assert exit_code(analysis) is ExitCode.RUN_FAILED


def test_what_was_planned_and_not_measured_fails_the_run() -> None:
    planned = [Cell(SUITE, "", "ours"), Cell(SUITE, "", "peer")]
    analysis = analyse(run(trial(samples(uniform(100))), terminals=[OURS, PEER], planned=planned))
    assert [result.problems for result in analysis.results] == [(), ("planned, but never measured",)]
    assert exit_code(analysis) is ExitCode.RUN_FAILED


def test_an_interrupted_an_empty_and_an_undescribed_run_failed() -> None:
    good = trial(samples(uniform(100)))
    assert exit_code(analyse(run(good, interrupted=True))) is ExitCode.RUN_FAILED
    assert exit_code(analyse(run())) is ExitCode.RUN_FAILED
    unknown = analyse(run(good, trial(samples(uniform(100)), benchmark="suite/unknown")))
    assert unknown.problems == ("the record has trials of suite/unknown but does not describe it",)


def test_what_a_terminal_cannot_do_is_not_applicable() -> None:
    benchmark = facts(needs=("create API",), parameters=("1", "2"))
    of = run(trial(samples(uniform(100)), parameter="2"), benchmarks=[benchmark], terminals=[OURS, PEER, FLOOR, KNOWN])
    ours, peer = analyse(of).results
    # Only the parameter that was asked for, and neither floor nor known terminal.
    assert (peer.cell, peer.judgement.verdict) == (Cell(SUITE, "2", "peer"), Verdict.NOT_APPLICABLE)
    assert peer.not_applicable == "needs create API"
    assert ours.judgement.verdict is Verdict.PASS
    assert exit_code(analyse(of)) is ExitCode.PASS


def test_rows_follow_the_order_of_the_declarations() -> None:
    benchmark = facts(parameters=("10", "9", "100"))
    trials = [
        trial(samples(uniform(6)), parameter=parameter, terminal=name)
        for parameter in ("100", "9", "10")
        for name in ("peer", "ours")
    ]
    results = analyse(run(*trials, benchmarks=[benchmark], terminals=[OURS, PEER])).results
    assert [(r.cell.parameter, r.cell.terminal) for r in results] == [
        (parameter, name) for parameter in ("10", "9", "100") for name in ("ours", "peer")
    ]


def test_records_module_is_honest() -> None:
    # The builders stand in for the runner: what they say of time must be what the record means by it.
    sample = records.samples([5])[0]
    assert (sample.seen_ns - sample.due_ns, sample.sent_ns) == (5, sample.due_ns)


@pytest.mark.parametrize(("outcome", "verdict"), [(Outcome.WRONG, Verdict.FAIL), (Outcome.TIMEOUT, Verdict.PASS)])
def test_a_wrong_answer_fails_every_target_of_its_cell(outcome: Outcome, verdict: Verdict) -> None:
    count = Metric(name="bytes lost", kind="level", exact=True, targets={"*": Target(statistic="level", limit=1.0)})
    of = run(
        *(
            trial(
                [*samples(uniform(79, seed=block)), *samples([MS], outcome=outcome)],
                block=block,
                points=[Point("bytes lost", 0, 0)],
            )
            for block in range(5)
        ),
        benchmarks=[facts(Metric(name="latency", targets={"*": P95_100_MS}), count)],
    )
    analysis = analyse(of)
    assert [result.judgement.verdict for result in analysis.results] == [verdict, verdict]
    assert exit_code(analysis) is (ExitCode.FAIL if verdict is Verdict.FAIL else ExitCode.PASS)
    reasons = {result.judgement.reason for result in analysis.results}
    assert reasons == ({"5 answers were wrong"} if verdict is Verdict.FAIL else {""})
