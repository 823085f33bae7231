"""Terminals of one run beside its first: the ratios are those of the comparison, and the table shows them."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from tests.bench.comparisons import measured
from tests.bench.records import MS, OURS, PEER, samples, trial
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.runs import compare_terminals
from web_terminal_suite.bench.analysis.comparison.terminals import (
    STATISTICS,
    TerminalComparison,
    compare_subjects,
    subjects,
)
from web_terminal_suite.bench.report.text.terminal_comparison import print_terminals
from web_terminal_suite.bench.samples import Outcome, Run

THIRD = msgspec.structs.replace(PEER, name="third")
TERMS = Terms(statistics=STATISTICS, resamples=200)


def found(run: Run) -> TerminalComparison:
    return compare_subjects(run, analyse(run), TERMS)


def shown(made: TerminalComparison) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_terminals(console, made)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_ratios_are_those_of_the_comparison() -> None:
    run = measured(terminals=(OURS, PEER), peer=2.0, n=200)
    made = found(run)
    assert made.terminals == ("ours", "peer")
    (compared,) = compare_terminals(run, "ours", ["peer"], TERMS)
    rows = {(row.base.benchmark, row.statistic): row for row in compared.rows}
    assert {(line.benchmark, line.statistic) for line in made.lines} == set(rows)
    for line in made.lines:
        row, peer = rows[line.benchmark, line.statistic], line.figures["peer"]
        assert (peer.ratio, peer.lower, peer.upper) == (row.ratio, row.lower, row.upper)
        assert line.figures["ours"].value == row.base_value
        assert line.figures["ours"].ratio is None
    median = next(line for line in made.lines if line.statistic == "p50").figures["peer"]
    assert median.ratio == pytest.approx(2.0, rel=0.05)
    assert median.lower > 1


def test_the_table_has_a_column_for_each_terminal_and_a_line_for_each_figure() -> None:
    text = shown(found(measured(terminals=(OURS, PEER), peer=2.0, n=200)))
    head, line = text.splitlines()[1], next(line for line in text.splitlines() if "a p50" in line)
    assert head.split() == ["ours", "peer"]
    assert line.split()[-1].endswith("x")
    assert float(line.split()[-1][:-1]) == pytest.approx(2.0, rel=0.05)


def test_failures_are_counted_where_they_stand() -> None:
    run = measured(terminals=(OURS, PEER), names=("suite/a",), blocks=1, n=200)
    failed = trial(samples([MS] * 3, outcome=Outcome.TIMEOUT), benchmark="suite/a", terminal="peer", block=1)
    also = trial(samples([MS] * 3), benchmark="suite/a", terminal="ours", block=1)
    made = found(msgspec.structs.replace(run, trials=(*run.trials, failed, also)))
    assert {line.figures["peer"].failed for line in made.lines} == {3}
    assert {line.figures["ours"].failed for line in made.lines} == {0}
    assert "3 failed" in shown(made)


def test_what_only_one_terminal_has_is_no_line() -> None:
    run = measured(terminals=(OURS, PEER), n=100)
    alone = tuple(each for each in run.trials if (each.cell.benchmark, each.cell.terminal) != ("suite/b", "peer"))
    made = found(msgspec.structs.replace(run, trials=alone))
    assert {line.benchmark for line in made.lines} == {"suite/a"}


def test_the_first_has_its_figure_though_the_second_is_too_thin_for_one() -> None:
    run = measured(terminals=(OURS, PEER, THIRD), names=("suite/a",), n=200)
    thin = trial(samples([MS] * 2), benchmark="suite/a", terminal="peer")
    rest = tuple(each for each in run.trials if each.cell.terminal != "peer")
    made = found(msgspec.structs.replace(run, trials=(*rest, thin)))
    median = next(line for line in made.lines if line.statistic == "p50").figures
    assert median["ours"].value == pytest.approx(MS, rel=0.05)
    assert median["ours"].reason == ""
    assert median["peer"].value is None
    assert median["peer"].reason.startswith("n=2, needs ")
    assert median["third"].ratio is not None


def test_a_failure_is_named_by_what_most_failed_of() -> None:
    run = measured(terminals=(OURS, PEER), names=("suite/a",), blocks=1, n=200)
    failed = trial(samples([MS] * 3, outcome=Outcome.TIMEOUT), benchmark="suite/a", terminal="peer", block=1)
    made = found(msgspec.structs.replace(run, trials=(*run.trials, failed)))
    assert {line.figures["peer"].failure for line in made.lines} == {"no marker"}
    assert {line.figures["ours"].failure for line in made.lines} == {""}


def test_one_terminal_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="name two with --terminal"):
        found(measured())
    missing = msgspec.structs.replace(PEER, missing="peer is not installed")
    run = measured(terminals=(OURS, PEER))
    absent = msgspec.structs.replace(run, terminals=(OURS, missing))
    assert subjects(absent) == ("ours",)
    assert analyse(absent).absent == ("peer: peer is not installed",)
