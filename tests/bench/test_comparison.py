"""Runs and terminals beside each other: verdicts, refusals, what is only on one side, and the self-check."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from tests.bench.comparisons import MACHINE, measured
from tests.bench.records import FLOOR, MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench.analysis.comparison import machine
from web_terminal_suite.bench.analysis.comparison.results import RunComparison, Terms
from web_terminal_suite.bench.analysis.comparison.runs import (
    OtherMachine,
    compare_runs,
    compare_terminals,
    exit_code,
)
from web_terminal_suite.bench.analysis.comparison.self_check import Claim, check, fewest_rows
from web_terminal_suite.bench.samples import Cell, Metric, Outcome, Point, Run, Target, Trial
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

TERMS = Terms(resamples=200)


def beside(base: Run, new: Run, terms: Terms = TERMS, force: bool = False) -> RunComparison:
    (compared,) = compare_runs(("base", base), [("new", new)], terms, force)
    return compared


def here(*trials: Trial, **more: object) -> Run:
    return msgspec.structs.replace(run(*trials, **more), machine=MACHINE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scale", "change", "code"),
    [(1.6, ChangeVerdict.SLOWER, 1), (0.6, ChangeVerdict.FASTER, 0), (1.0, ChangeVerdict.EQUAL, 0)],
)
def test_a_known_change_is_named(scale: float, change: ChangeVerdict, code: int) -> None:
    compared = beside(measured(n=400), measured(scale, seed=2, n=400), replace(TERMS, noise=0.1, statistics=("p50",)))
    assert [row.change for row in compared.rows] == [change, change]
    assert exit_code([compared]) == code
    for row in compared.rows:
        assert row.ratio == pytest.approx(scale, rel=0.05)
        assert row.lower < scale < row.upper
        assert row.reason == ""
        assert (row.base_n, row.new_n, row.unit, row.paired) == (1600, 1600, "ns", False)


def test_a_difference_that_noise_can_hide_is_undecided() -> None:
    compared = beside(measured(), measured(1.05, seed=2))
    assert {row.change for row in compared.rows} == {ChangeVerdict.UNDECIDED}
    assert "more blocks narrow it" in compared.rows[0].reason
    assert exit_code([compared]) == 3


def test_what_only_one_side_has_is_listed() -> None:
    base, new = measured(names=("suite/a", "suite/old")), measured(names=("suite/a", "suite/new"))
    compared = beside(base, new)
    assert {row.new.benchmark for row in compared.rows} == {"suite/a"}
    assert compared.gone == (Cell("suite/old", "", "ours"),)
    assert compared.added == (Cell("suite/new", "", "ours"),)


def test_nothing_in_common_decides_nothing() -> None:
    compared = beside(measured(names=("suite/a",)), measured(names=("suite/b",)))
    assert compared.rows == ()
    assert exit_code([compared]) == 3


def test_a_metric_that_changed_its_unit_is_not_compared() -> None:
    points = [Point("m", 0, value) for value in (1.0, 2.0)]
    one = here(trial(points=points), benchmarks=[facts(Metric(name="m", kind="level", unit="B"))])
    other = here(trial(points=points), benchmarks=[facts(Metric(name="m", kind="level", unit="sessions"))])
    assert beside(one, other).rows == ()


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("cpu_model", "Other CPU", "cpu_model was Known CPU, is Other CPU"),
        ("kernel", "6.2.0", "kernel was 6.1.0, is 6.2.0"),
        ("memory_total", 16_000_000_000, "memory_total was 8.0 GB, is 16.0 GB"),
        ("python", None, "python was CPython 3.12.1, is not recorded"),
    ],
)
def test_another_machine_is_refused_unless_forced(fact: str, value: object, words: str) -> None:
    base, new = measured(), measured(**{fact: value})
    with pytest.raises(OtherMachine, match="--force") as refused:
        beside(base, new)
    assert words in str(refused.value)
    assert beside(base, new, force=True).machine == (words,)


def test_the_same_machine_after_a_restart_is_the_same() -> None:
    assert machine.differences(MACHINE, measured(memory_total=8_050_000_000, taken="later").machine) == ()
    assert machine.fingerprint(MACHINE) == machine.fingerprint(measured(memory_total=8_050_000_000).machine)
    assert machine.fingerprint(MACHINE) != machine.fingerprint(measured(kernel="7").machine)


def test_an_unknown_machine_is_not_the_same() -> None:
    (words,) = machine.differences({}, {"warnings": []})
    assert words == "the baseline and the new run did not record the machine"
    assert machine.fingerprint({}) == "unknown"


def test_several_runs_are_one_family() -> None:
    base = measured()
    alone = beside(base, measured(1.1, seed=2))
    both = compare_runs(("a", base), [("b", measured(1.1, seed=2)), ("c", measured(seed=3))], TERMS)
    assert [each.new for each in both] == ["b", "c"]
    assert both[0].rows[0].p == alone.rows[0].p
    assert both[0].rows[0].adjusted >= alone.rows[0].adjusted  # type: ignore[operator]


def test_terminals_of_one_run_are_paired() -> None:
    (compared,) = compare_terminals(measured(terminals=(OURS, PEER), peer=2.0), "ours", ["peer"], TERMS)
    assert {row.change for row in compared.rows} == {ChangeVerdict.SLOWER}
    assert all(row.paired and row.base.terminal == "ours" and row.new.terminal == "peer" for row in compared.rows
               if row.statistic == "p50")  # fmt: skip
    with pytest.raises(ValueError, match="no terminal 'nobody'; it has: ours, peer"):
        compare_terminals(measured(terminals=(OURS, PEER)), "ours", ["nobody"], TERMS)


def test_floors_stand_apart() -> None:
    compared = beside(measured(terminals=(OURS, FLOOR)), measured(2.0, seed=2, terminals=(OURS, FLOOR)))
    assert {row.new.terminal for row in compared.rows} == {"ours"}
    assert {row.change for row in compared.floors} == {ChangeVerdict.SLOWER}


def test_failures_make_it_slower() -> None:
    failed = samples([MS] * 60, outcome=Outcome.TIMEOUT)
    base, new = here(trial(samples([MS] * 200))), here(trial([*samples([MS] * 140), *failed]))
    rows = {row.statistic: row for row in beside(base, new).rows}
    assert rows["p95"].change is ChangeVerdict.SLOWER
    assert rows["p95"].new_value == np.inf
    assert rows["p50"].change is ChangeVerdict.EQUAL
    back = {row.statistic: row for row in beside(new, base).rows}
    assert back["p95"].change is ChangeVerdict.FASTER


def test_a_partial_cell_cannot_win_but_can_lose() -> None:
    spoilt = measured(0.5, seed=2)
    spoilt = msgspec.structs.replace(
        spoilt, trials=tuple(msgspec.structs.replace(each, problem="closed") for each in spoilt.trials)
    )
    rows = beside(measured(), spoilt).rows
    assert {row.change for row in rows} == {ChangeVerdict.UNDECIDED}
    assert rows[0].reason == "the cell is partial in the new: closed"
    assert {row.change for row in beside(spoilt, measured()).rows} == {ChangeVerdict.SLOWER}


def test_a_busy_client_decides_nothing_in_favour() -> None:
    busy = here(trial(samples([MS] * 200), client=0.9))
    (row, _) = beside(busy, busy).rows
    assert row.change is ChangeVerdict.UNDECIDED
    assert "the client used 90% of a core" in row.reason


def test_a_thin_sample_says_so() -> None:
    compared = beside(measured(n=10, blocks=2), measured(n=10, blocks=2))
    assert [row.reason for row in compared.rows if row.statistic == "p95"] == ["n=20, needs 52 more"] * 2


def readings(y: list[float], metric: Metric, x: list[float] | None = None) -> Run:
    points = [Point("m", at, each) for at, each in zip(x or [0.0] * len(y), y, strict=True)]
    return here(trial(points=points), benchmarks=[facts(metric)])


def test_levels_and_slopes_are_compared_by_their_readings() -> None:
    level = Metric(name="m", kind="level", unit="B")
    (row,) = beside(readings([100.0, 101, 99], level), readings([200.0, 201, 199], level)).rows
    assert (row.statistic, row.change, row.base_value, row.new_value) == ("level", ChangeVerdict.SLOWER, 100.0, 200.0)
    assert row.ratio == pytest.approx(2.0)
    slope = Metric(name="m", kind="slope", unit="B/session")
    x = [0.0, 100, 200, 300]
    (row,) = beside(readings([5.0, 105, 206, 305], slope, x), readings([5.0, 55, 106, 155], slope, x)).rows
    assert (row.statistic, row.change) == ("slope", ChangeVerdict.FASTER)
    assert row.ratio == pytest.approx(0.5, rel=0.02)


def test_more_of_what_must_be_reached_is_better() -> None:
    reached = Metric(name="m", kind="level", unit="sessions", exact=True,
                     targets={"*": Target(statistic="level", limit=10.0, below=False)})  # fmt: skip
    (row,) = beside(readings([100.0], reached), readings([50.0], reached)).rows
    assert (row.change, row.ratio) == (ChangeVerdict.SLOWER, 0.5)
    (row,) = beside(readings([100.0], reached), readings([100.0], reached)).rows
    assert row.change is ChangeVerdict.EQUAL


@pytest.mark.parametrize(
    ("y", "kind", "reason"),
    [([1.0], "level", "n=1, needs 1 more"), ([0.0, 0.0], "level", "too near 0 for a ratio"), ([1.0], "slope", "every")],
)
def test_readings_that_say_nothing(y: list[float], kind: str, reason: str) -> None:
    metric = Metric(name="m", kind=kind, unit="B")  # type: ignore[arg-type]
    (row,) = beside(readings(y, metric), readings(y, metric)).rows
    assert row.change is ChangeVerdict.UNDECIDED
    assert reason in row.reason


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"noise": -1.0}, "is negative"),
        ({"level": 95.0}, "write 0.95"),
        ({"significance": 5.0}, "write 0.95"),
        ({"resamples": 5}, "at least 100"),
        ({"correction": "bonferroni"}, "there are: holm"),
        ({"statistics": ("p42",)}, "there are: p50"),
    ],
)
def test_terms_are_checked(wrong: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Terms(**wrong)  # type: ignore[arg-type]


def test_the_same_records_give_the_same_rows() -> None:
    assert beside(measured(), measured(1.2, seed=2)) == beside(measured(), measured(1.2, seed=2))


def test_self_check_of_the_same_terminal_keeps_the_claim() -> None:
    names = [f"suite/{number}" for number in range(40)]
    found = check(measured(names=names, terminals=(OURS, PEER), n=30), "ours", "peer", TERMS)
    assert found.rows == 80
    assert found.claim is not Claim.BROKEN
    assert found.rate == len(found.alarms) / 80 <= 0.05
    assert found.lower <= found.rate <= found.upper
    assert found.reported == ()


def test_self_check_of_two_that_differ_breaks_it() -> None:
    found = check(measured(names=("suite/a", "suite/b", "suite/c"), terminals=(OURS, PEER), peer=2.0), "ours", "peer",
                  TERMS)  # fmt: skip
    assert found.claim is Claim.BROKEN
    assert len(found.reported) == len(found.alarms) == 6


def test_self_check_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no row that could be compared"):
        check(measured(terminals=(OURS, PEER), n=1, blocks=1), "ours", "peer", TERMS)


def test_so_many_rows_prove_the_claim() -> None:
    assert fewest_rows(0.05, 0.95) == 72
