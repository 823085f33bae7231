"""Runs and terminals beside each other: verdicts, refusals, what is only on one side, and the self-check."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from scipy.stats import fisher_exact

from tests.bench.comparisons import MACHINE, measured
from tests.bench.records import FLOOR, MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench.analysis.comparison import machine
from web_terminal_suite.bench.analysis.comparison.results import Lacking, RunComparison, Scale, Terms
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


def several(scale: float = 1.0, *, runs: int = 5, seed: int = 1, spread: float = 0.0, **more: object) -> list[Run]:
    """Runs of the same code that differ by ``spread`` (standard deviation of the logarithm)."""
    rng = np.random.default_rng(seed)
    return [
        measured(scale * float(np.exp(rng.normal(0, spread))), seed=100 * seed + run, **more)  # type: ignore[arg-type]
        for run in range(runs)
    ]


def sets(base: list[Run], new: list[Run], terms: Terms = TERMS) -> RunComparison:
    (compared,) = compare_runs(("base", base), [("new", new)], terms)
    return compared


@pytest.mark.parametrize(
    ("scale", "change", "code"),
    [(1.6, ChangeVerdict.SLOWER, 1), (0.6, ChangeVerdict.FASTER, 0), (1.0, ChangeVerdict.EQUAL, 0)],
)
def test_a_known_change_is_named(scale: float, change: ChangeVerdict, code: int) -> None:
    terms = replace(TERMS, noise=0.2, statistics=("p50",))
    compared = sets(several(), several(scale, seed=2), terms)
    assert [row.change for row in compared.rows] == [change, change]
    assert exit_code([compared]) == code
    for row in compared.rows:
        assert row.ratio == pytest.approx(scale, rel=0.05)
        assert row.lower < scale < row.upper
        assert row.reason == ""
        assert (row.base_n, row.new_n, row.unit, row.paired) == (1250, 1250, "ns", False)
        assert (row.base_runs, row.new_runs) == (5, 5)


def test_one_run_a_side_cannot_tell_what_runs_differ_by() -> None:
    compared = beside(measured(n=400), measured(1.6, seed=2, n=400))
    assert {row.change for row in compared.rows} == {ChangeVerdict.UNDECIDED}
    assert {row.lacking for row in compared.rows} == {Lacking.RUNS}
    assert "more runs a side narrow it" in compared.rows[0].reason
    assert all(row.noticeable is not None and row.noticeable > 1.6 for row in compared.rows)
    assert exit_code([compared]) == 3


@pytest.mark.parametrize("seed", range(3))
def test_a_doubling_is_found_between_five_runs_a_side(seed: int) -> None:
    names = [f"suite/{number}" for number in range(12)]
    base, new = (several(seed=10 * seed + side, spread=0.1, names=names, n=30) for side in (1, 2))
    doubled = [
        msgspec.structs.replace(
            each, trials=tuple(twice(one) if one.cell.benchmark == "suite/3" else one for one in each.trials)
        )
        for each in new
    ]
    compared = sets(base, doubled)
    slower = [row for row in compared.rows if row.change is ChangeVerdict.SLOWER]
    assert {row.new.benchmark for row in slower} == {"suite/3"}
    assert "p50" in {row.statistic for row in slower}
    assert exit_code([compared]) == 1


def twice(of: Trial) -> Trial:
    return msgspec.structs.replace(
        of,
        samples=tuple(msgspec.structs.replace(each, seen_ns=2 * each.seen_ns - each.due_ns) for each in of.samples),
    )


@pytest.mark.parametrize("runs", [1, 5])
def test_few_blocks_give_no_interval_unless_runs_are_the_units(runs: int) -> None:
    base, new = several(runs=runs, blocks=2, n=80), several(8.0, seed=2, runs=runs, blocks=2, n=80)
    compared = sets(base, new)
    if runs == 5:
        assert {row.change for row in compared.rows} == {ChangeVerdict.SLOWER}
        return
    for row in compared.rows:
        assert (row.change, row.lower, row.upper) == (ChangeVerdict.UNDECIDED, 0.0, np.inf)
        assert row.reason == "2 blocks a side; a verdict of change needs 5"
        assert row.lacking is Lacking.BLOCKS
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


@pytest.mark.parametrize("patched", ["6.1.99", "6.1.0-17-amd64"])
def test_a_patch_of_the_kernel_makes_no_other_machine(patched: str) -> None:
    assert machine.differences(MACHINE, measured(kernel=patched).machine) == ()
    assert machine.fingerprint(MACHINE) == machine.fingerprint(measured(kernel=patched).machine)
    assert machine.differences(MACHINE, measured(kernel="6.10.0").machine) == ("kernel was 6.1.0, is 6.10.0",)


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


def test_floors_stand_apart_and_take_away_what_they_moved_as_well() -> None:
    both = (OURS, FLOOR)
    compared = sets(several(terminals=both), several(4.0, seed=2, terminals=both))
    assert {row.new.terminal for row in compared.rows} == {"ours"}
    assert {row.change for row in compared.floors} == {ChangeVerdict.SLOWER}
    undecided = [row for row in compared.rows if row.change is ChangeVerdict.UNDECIDED]
    assert undecided
    assert all("the floor suite/" in row.reason and "moved as much" in row.reason for row in undecided)
    assert not any(row.no_loss for row in undecided)


def test_a_floor_that_stayed_takes_nothing_away() -> None:
    base, new = several(terminals=(OURS, FLOOR)), several(4.0, seed=2, terminals=(OURS, FLOOR))
    stayed = [
        msgspec.structs.replace(
            slow,
            trials=tuple(one if one.cell.terminal == "ours" else calm
                         for one, calm in zip(slow.trials, quiet.trials, strict=True)),
        )
        for slow, quiet in zip(new, base, strict=True)
    ]  # fmt: skip
    assert {row.change for row in sets(base, stayed).rows} == {ChangeVerdict.SLOWER}


def failing(failed: int, n: int = 400, outcome: Outcome = Outcome.TIMEOUT) -> Run:
    of = [*samples([MS] * (n - failed)), *samples([MS] * failed, outcome=outcome)]
    return here(*(trial(of[block::5], block=block) for block in range(5)))


@pytest.mark.parametrize(
    ("base", "new", "change", "code"),
    [
        (0, 24, ChangeVerdict.SLOWER, 1),
        (0, 16, ChangeVerdict.SLOWER, 1),
        (24, 0, ChangeVerdict.FASTER, 3),
        (0, 2, ChangeVerdict.UNDECIDED, 3),
    ],
)
def test_failed_operations_are_a_row_of_their_own(base: int, new: int, change: ChangeVerdict, code: int) -> None:
    compared = beside(failing(base), failing(new))
    (row,) = [row for row in compared.rows if row.statistic == "failed"]
    assert (row.change, row.base_value, row.new_value, row.base_n) == (change, base, new, 400)
    assert row.difference == pytest.approx((new - base) / 400)
    assert row.p == pytest.approx(fisher_exact([[base, 400 - base], [new, 400 - new]]).pvalue)
    assert row.lower < (new - base) / 400 < row.upper
    assert exit_code([compared]) == code


def test_without_a_failure_there_is_no_such_row() -> None:
    assert {row.statistic for row in beside(failing(0), failing(0)).rows} == {"p50", "p95"}


def test_the_same_share_of_failures_in_many_operations_is_equal() -> None:
    (row,) = [row for row in beside(failing(20, 20_000), failing(22, 20_000)).rows if row.statistic == "failed"]
    assert (row.change, row.no_loss) == (ChangeVerdict.EQUAL, True)


def test_a_first_wrong_answer_is_a_loss_however_few_there_are() -> None:
    compared = beside(failing(0), failing(1, outcome=Outcome.WRONG))
    rows = {row.statistic: row for row in compared.rows}
    assert rows["failed"].change is ChangeVerdict.UNDECIDED
    assert rows["wrong"].change is ChangeVerdict.SLOWER
    assert exit_code([compared]) == 1
    back = {row.statistic: row for row in beside(failing(1, outcome=Outcome.WRONG), failing(0)).rows}
    assert back["wrong"].change is ChangeVerdict.UNDECIDED


def test_a_percentile_at_which_operations_failed_has_no_ratio() -> None:
    rows = {row.statistic: row for row in beside(failing(0), failing(120)).rows}
    assert rows["p95"].new_value == np.inf
    assert rows["p95"].change is ChangeVerdict.UNDECIDED
    assert "failed operations are a row of their own" in rows["p95"].reason
    assert rows["p50"].ratio == pytest.approx(1.0)


def test_a_partial_cell_cannot_win_but_can_lose() -> None:
    spoilt = [
        msgspec.structs.replace(of, trials=tuple(msgspec.structs.replace(each, problem="closed") for each in of.trials))
        for of in several(0.1, seed=2)
    ]
    compared = sets(several(), spoilt)
    assert {row.change for row in compared.rows} == {ChangeVerdict.UNDECIDED}
    assert compared.rows[0].reason == "the cell is partial in the new: closed"
    assert compared.problems[0] == "run 1 of new is no whole run: suite/a [ours] is partial (closed) and 1 more"
    assert exit_code([compared]) == 4
    assert {row.change for row in sets(spoilt, several()).rows} == {ChangeVerdict.SLOWER}


def test_a_busy_client_decides_nothing_in_favour() -> None:
    busy = here(*(trial(samples([MS] * 200), client=0.9, block=block) for block in range(5)))
    (row, _) = beside(busy, busy).rows
    assert row.change is ChangeVerdict.UNDECIDED
    assert "the client used 90% of a core" in row.reason


def test_a_thin_sample_says_so() -> None:
    compared = beside(measured(n=10, blocks=2), measured(n=10, blocks=2))
    assert [row.reason for row in compared.rows if row.statistic == "p95"] == ["n=20, needs 52 more"] * 2


def readings(y: list[float], metric: Metric) -> Run:
    """Each reading in a block of its own."""
    trials = [trial(points=[Point("m", 0.0, each)], block=block) for block, each in enumerate(y)]
    return here(*trials, benchmarks=[facts(metric)])


def lines(slopes: list[float], metric: Metric) -> Run:
    """Each slope in a block of its own, over four x."""
    trials = [
        trial(points=[Point("m", x, 5.0 + slope * x) for x in (0.0, 100, 200, 300)], block=block)
        for block, slope in enumerate(slopes)
    ]
    return here(*trials, benchmarks=[facts(metric)])


def test_levels_and_slopes_are_compared_by_their_readings() -> None:
    level = Metric(name="m", kind="level", unit="B")
    (row,) = beside(readings([100.0, 101, 99, 100, 100], level), readings([400.0, 401, 399, 400, 400], level)).rows
    assert (row.statistic, row.change, row.base_value, row.new_value) == ("level", ChangeVerdict.SLOWER, 100.0, 400.0)
    assert row.ratio == pytest.approx(4.0)
    slope = Metric(name="m", kind="slope", unit="B/session")
    (row,) = beside(lines([1.0, 1.01, 0.99, 1.0, 1.0], slope), lines([0.25, 0.26, 0.24, 0.25, 0.25], slope)).rows
    assert (row.statistic, row.change) == ("slope", ChangeVerdict.FASTER)
    assert row.ratio == pytest.approx(0.25, rel=0.02)
    # Of fewer blocks the line is the same, and gives no verdict.
    (row,) = beside(lines([1.0] * 4, slope), lines([0.25] * 4, slope)).rows
    assert (row.change, row.base_value) == (ChangeVerdict.UNDECIDED, pytest.approx(1.0))
    assert row.reason == "4 blocks a side; a verdict of change needs 5"


def test_more_of_what_must_be_reached_is_better() -> None:
    reached = Metric(name="m", kind="level", unit="sessions", exact=True,
                     targets={"*": Target(statistic="level", limit=10.0, below=False)})  # fmt: skip
    (row,) = beside(readings([100.0], reached), readings([50.0], reached)).rows
    assert (row.change, row.ratio) == (ChangeVerdict.SLOWER, 0.5)
    (row,) = beside(readings([100.0], reached), readings([100.0], reached)).rows
    assert row.change is ChangeVerdict.EQUAL
    (row,) = beside(readings([100.0], reached), readings([0.0], reached)).rows
    assert row.change is ChangeVerdict.SLOWER


LEFT_OVER = Metric(name="m", kind="level", unit="", exact=True)


@pytest.mark.parametrize(
    ("base", "new", "change", "difference"),
    [
        ([0.0], [1000.0], ChangeVerdict.SLOWER, 1000),
        ([0.0], [1.0], ChangeVerdict.SLOWER, 1),
        ([1000.0], [0.0], ChangeVerdict.FASTER, -1000),
        ([0.0], [0.0], ChangeVerdict.EQUAL, 0),
        ([0.0, 0.0], [0.0, 4.0], ChangeVerdict.UNDECIDED, 2),
    ],
)
def test_a_count_whose_good_value_is_zero_is_compared_by_difference(
    base: list[float], new: list[float], change: ChangeVerdict, difference: float
) -> None:
    sides = [[readings([each], LEFT_OVER) for each in values] for values in (base, new)]
    (row,) = sets(*sides).rows
    assert (row.scale, row.change, row.difference) == (Scale.DIFFERENCE, change, difference)
    assert row.ratio is None


def test_counts_above_zero_are_told_where_they_explode() -> None:
    (row,) = beside(readings([2.0], LEFT_OVER), readings([5.0], LEFT_OVER)).rows
    assert row.change is ChangeVerdict.UNDECIDED
    (row,) = beside(readings([3.0], LEFT_OVER), readings([1000.0], LEFT_OVER)).rows
    assert row.change is ChangeVerdict.SLOWER


def test_a_run_that_lost_what_it_planned_is_no_clean_comparison() -> None:
    planned = (Cell("suite/a", "", "ours"), Cell("suite/b", "", "ours"))
    lost = msgspec.structs.replace(measured(names=("suite/a",)), planned=planned)
    compared = beside(measured(), lost)
    assert compared.problems == ("new is no whole run: suite/b [ours] planned but not measured",)
    assert exit_code([compared]) == 4
    cut = msgspec.structs.replace(measured(), interrupted=True)
    assert exit_code([beside(cut, measured())]) == 4


def test_what_is_gone_leaves_it_undecided() -> None:
    terms = replace(TERMS, noise=0.2, statistics=("p50",))
    whole, part = several(), several(seed=2, names=("suite/a",))
    assert exit_code([sets(part, part, terms)]) == 0
    compared = sets(whole, part, terms)
    assert (compared.lost, exit_code([compared])) == (1, 3)


def test_what_was_not_alike_is_said() -> None:
    other = measured()
    other = msgspec.structs.replace(
        other,
        options={"quick": False, "design": 2},
        terminals=(msgspec.structs.replace(OURS, version="2", url="ws://there/"),),
        benchmarks=(msgspec.structs.replace(other.benchmarks[0], description="another"), *other.benchmarks[1:]),
    )
    old, unlike = beside(measured(), other).remarks
    assert old == (
        "base is of the suite's old design, in which many cells have a single block; such cells give no verdict"
    )
    assert unlike == (
        "not measured alike: quick was on, is off; ours's version was 1, is 2; ours's URL was none, is ws://there/; "
        "the description of suite/a changed"
    )
    assert beside(other, other).remarks == ()


@pytest.mark.parametrize(
    ("y", "kind", "reason"),
    [
        ([1.0], "level", "1 block a side; a verdict of change needs 5"),
        ([0.0, 0.0], "level", "too near 0 for a ratio"),
        ([1.0], "slope", "every"),
    ],
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


def test_the_terminals_of_a_run_that_is_no_whole_one_are_no_clean_comparison() -> None:
    two = measured(terminals=(OURS, PEER), peer=0.5)
    planned = tuple({one.cell: None for one in two.trials})
    two = msgspec.structs.replace(two, planned=planned)
    assert exit_code(compare_terminals(two, "ours", ["peer"], TERMS)) == 0
    lost = msgspec.structs.replace(two, planned=(*planned, Cell("suite/c", "", "peer")))
    spoilt = msgspec.structs.replace(
        two, trials=(*two.trials[:-1], msgspec.structs.replace(two.trials[-1], problem="the server ended with 9"))
    )
    for faulty, why in (
        (msgspec.structs.replace(two, interrupted=True), "it ended before its plan did"),
        (lost, "suite/c [peer] planned but not measured"),
        (spoilt, "suite/b [peer] is partial (the server ended with 9)"),
    ):
        (compared,) = compare_terminals(faulty, "ours", ["peer"], TERMS)
        assert compared.problems == (f"the run is no whole one: {why}",)
        assert exit_code([compared]) == 4


def test_what_one_terminal_could_not_hold_is_lost_and_what_it_cannot_do_is_not() -> None:
    two = measured(terminals=(OURS, PEER), peer=0.5)
    trials = [one for one in two.trials if (one.cell.benchmark, one.cell.terminal) != ("suite/b", "peer")]
    cells = tuple({one.cell: None for one in trials})
    cannot = msgspec.structs.replace(two, trials=tuple(trials), planned=cells)
    (compared,) = compare_terminals(cannot, "ours", ["peer"], TERMS)
    assert (compared.gone, compared.lost, exit_code([compared])) == ((Cell("suite/b", "", "ours"),), 0, 0)
    full = Trial(cell=Cell("suite/b", "", "peer"), block=0, infeasible="the machine holds 10 sessions")
    unheld = msgspec.structs.replace(cannot, trials=(*trials, full), planned=(*cells, full.cell))
    (compared,) = compare_terminals(unheld, "ours", ["peer"], TERMS)
    assert (compared.lost, exit_code([compared])) == (1, 3)
    (compared,) = compare_terminals(msgspec.structs.replace(cannot, planned=()), "ours", ["peer"], TERMS)
    assert (compared.lost, exit_code([compared])) == (1, 3)


def test_a_terminal_without_any_row_is_not_cleared_by_the_others() -> None:
    third = msgspec.structs.replace(PEER, name="third")
    two = measured(terminals=(OURS, PEER), peer=0.5)
    cells = tuple({one.cell: None for one in two.trials})
    absent = msgspec.structs.replace(two, planned=cells, terminals=(*two.terminals, third))
    assert exit_code(compare_terminals(absent, "ours", ["peer", "third"], TERMS)) == 3


@pytest.mark.parametrize("side", [0, 1])
def test_what_the_newest_run_of_a_side_lacks_is_compared_by_the_others(side: int) -> None:
    sides = [several(), several(8.0, seed=2)]
    sides[side].append(measured(seed=900, names=("suite/a",)))
    compared = sets(*sides)
    assert {row.new.benchmark for row in compared.rows} == {"suite/a", "suite/b"}
    slower = {row.new.benchmark for row in compared.rows if row.change is ChangeVerdict.SLOWER}
    assert "suite/b" in slower
    (remark,) = compared.remarks[1:]
    assert remark == f"measured in only 5 of the 6 runs of {('base', 'new')[side]}: suite/b [ours]"
    assert exit_code([compared]) == 1


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_with_a_run_of_another_machine_is_refused(side: int) -> None:
    sides = [several(), several(seed=2)]
    sides[side][1] = measured(seed=900, cpu_model="Z80")
    name = ("base", "new")[side]
    words = f"run 2 of {name} compared with its last run: cpu_model was Z80, is Known CPU"
    with pytest.raises(OtherMachine, match=words):
        sets(*sides)
    (compared,) = compare_runs(("base", sides[0]), [("new", sides[1])], TERMS, force=True)
    assert compared.machine == (words,)


def test_a_side_whose_runs_were_made_differently_says_so() -> None:
    def odd(**changes: object) -> tuple[str, ...]:
        runs = [msgspec.structs.replace(each, options={"design": 2}, revision="abc") for each in several()]
        new = [msgspec.structs.replace(each, options={"design": 2}, revision="abc") for each in several(seed=2)]
        new[0] = msgspec.structs.replace(new[0], **changes)
        return sets(runs, new).remarks

    assert odd() == ()
    assert odd(revision="deadbeef") == ("the runs of new are not of the same code: deadbeef, abc",)
    assert odd(revision="") == ("the runs of new are not of the same code: no revision, abc",)
    assert odd(options={}) == (
        "new is of the suite's old design, in which many cells have a single block; such cells give no verdict",
    )
    version = (msgspec.structs.replace(OURS, version="0"),)
    assert odd(terminals=version) == ("run 1 of new was not measured like its last run: ours's version was 0, is 1",)


READY = Metric(name="ready", kind="latency", mark="ready")


def marked(of: Run, factor: float | None) -> Run:
    """The run with a second latency, of ``factor`` of the whole; with ``None`` no operation passes its mark."""
    trials = of.trials
    if factor is not None:
        trials = tuple(
            msgspec.structs.replace(
                one,
                samples=tuple(
                    msgspec.structs.replace(
                        each, marks={"ready": each.due_ns + int(factor * (each.seen_ns - each.due_ns))}
                    )
                    for each in one.samples
                ),
            )
            for one in trials
        )
    benchmarks = tuple(msgspec.structs.replace(each, metrics=(*each.metrics, READY)) for each in of.benchmarks)
    return msgspec.structs.replace(of, trials=trials, benchmarks=benchmarks)


@pytest.mark.parametrize("is_declared", [False, True])
def test_a_metric_that_only_one_side_has_is_listed_and_its_loss_is_undecided(is_declared: bool) -> None:
    terms = replace(TERMS, noise=0.5, statistics=("p50",))
    with_it = [marked(each, 0.5) for each in several()]
    without = [marked(each, None) if is_declared else each for each in several(seed=2)]
    assert exit_code([sets(with_it, [marked(each, 0.5) for each in several(seed=2)], terms)]) == 0
    lost = sets(with_it, without, terms)
    assert lost.remarks[-1] == "metrics only in base: suite/a [ours] ready, suite/b [ours] ready"
    assert (lost.lost, lost.lost_metrics, exit_code([lost])) == (0, 2, 3)
    added = sets(without, with_it, terms)
    assert added.remarks[-1] == "metrics only in new: suite/a [ours] ready, suite/b [ours] ready"
    assert (added.lost_metrics, exit_code([added])) == (0, 0)


def test_a_metric_that_changed_its_unit_is_lost() -> None:
    points = [Point("m", 0, value) for value in (1.0, 2.0)]
    one = here(trial(points=points), benchmarks=[facts(Metric(name="m", kind="level", unit="B"))])
    other = here(trial(points=points), benchmarks=[facts(Metric(name="m", kind="level", unit="sessions"))])
    compared = beside(one, other)
    assert compared.lost_metrics == 1
    assert "the kind or unit of suite/benchmark m changed, so it is not compared" in compared.remarks[-1]
    assert exit_code([compared]) == 3


def test_runs_of_a_side_with_another_unit_are_left_out() -> None:
    sides = [[readings([value], LEFT_OVER) for value in values] for values in ((0.0, 0.0), (900.0, 0.0))]
    old = msgspec.structs.replace(LEFT_OVER, unit="MB")
    sides[1][0] = readings([900.0], old)
    compared = sets(*sides)
    (row,) = compared.rows
    assert (row.new_runs, row.new_value, row.change) == (1, 0.0, ChangeVerdict.EQUAL)
    assert "the kind or unit of suite/benchmark m changed" in compared.remarks[-1]
