"""The comparison of terminals as a document: who leads where, failures, remarks on each, and the command."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from tests.bench.comparisons import measured
from tests.bench.records import MS, OURS, PEER, samples, trial
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.terminals import STATISTICS, Figure, TerminalRow
from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects as found_beside
from web_terminal_suite.bench.report.common import side_by_side
from web_terminal_suite.bench.report.common.side_by_side import Standing
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.bench.report.markdown import terminal_comparison
from web_terminal_suite.bench.samples import Outcome, Run, TerminalFacts
from web_terminal_suite.cli.application import application

TERMS = Terms(statistics=STATISTICS, resamples=200)


def rendered(run: Run) -> str:
    analysis = analyse(run)
    return terminal_comparison.render(run, analysis, found_beside(run, analysis, TERMS), "0")


def part(document: str, heading: str) -> str:
    return document.partition(f"\n{heading}\n")[2].partition("\n#")[0]


def line(figure: Figure, *, below: bool = True, metric: str = "latency") -> TerminalRow:
    return TerminalRow(
        benchmark="suite/a",
        parameter="",
        metric=metric,
        statistic="p50",
        unit="ns",
        better_below=below,
        figures={"ours": Figure(value=1.0), "peer": figure},
    )


@pytest.mark.parametrize(
    ("lower", "upper", "below", "who"),
    [
        (0.5, 0.9, True, Standing.AHEAD),
        (1.1, 2.0, True, Standing.BEHIND),
        (0.5, 0.9, False, Standing.BEHIND),
        (1.1, 2.0, False, Standing.AHEAD),
        (0.9, 1.1, True, Standing.NEITHER),
        (1.0, 2.0, True, Standing.NEITHER),
    ],
)
def test_a_side_is_taken_where_the_interval_is_clear_of_one(lower, upper, below, who):
    figure = Figure(value=1.0, ratio=(lower + upper) / 2, lower=lower, upper=upper)
    assert side_by_side.standing(line(figure, below=below), figure) is who
    assert side_by_side.standing(line(figure, below=below, metric=side_by_side.UNRANKED[0]), figure) is Standing.NEITHER


def test_bounds_that_say_nothing_are_not_written_out():
    figure = Figure(value=1.0, ratio=0.65, lower=1e-9, upper=1.9e7)
    assert side_by_side.ratio(figure) == "0.65x"
    assert side_by_side.bounds(figure) == "< 0.01 … > 100"
    assert side_by_side.bounds(Figure(value=1.0)) == side_by_side.ratio(Figure(value=1.0)) == ""


def test_who_is_slower_leads_nowhere_and_who_is_faster_everywhere():
    slower, faster = (rendered(measured(terminals=(OURS, PEER), peer=times, n=200)) for times in (2.0, 0.5))
    assert "figures, 0 are significantly better" in part(slower, "### peer")
    assert "`a` p50" not in part(slower, "### peer")
    assert " 0 significantly worse" in part(faster, "### peer")
    assert "**0.50x**" in part(faster, "### peer")
    assert "`a` p50" in part(faster, "### peer")


def test_the_document_says_what_is_to_know_and_what_was_not_measured():
    knowing = msgspec.structs.replace(
        PEER, version="1.2", command=("/opt/somewhere/peer", "--port", "0"), remarks=("it holds output back",)
    )
    absent = TerminalFacts(name="gone", version="", role="subject", missing="gone is not installed; install it")
    run = measured(terminals=(OURS, PEER), n=200)
    document = rendered(msgspec.structs.replace(run, terminals=(OURS, knowing, absent)))
    assert "| peer | 1.2 | `peer --port 0` | It holds output back. |" in document
    assert "/opt/somewhere" not in document
    assert "Not measured: gone: gone is not installed; install it." in document
    assert "\n## Threats to validity\n" in document


def test_failures_are_a_part_of_their_own():
    run = measured(terminals=(OURS, PEER), names=("suite/a",), blocks=1, n=200)
    assert "## Failures" not in rendered(run)
    failed = trial(samples([MS] * 3, outcome=Outcome.TIMEOUT), benchmark="suite/a", terminal="peer", block=1)
    document = rendered(msgspec.structs.replace(run, trials=(*run.trials, failed)))
    assert "| peer | 3 of 203 |" in part(document, "## Failures")


def test_the_command_writes_it_and_refuses_a_run_of_one_terminal(tmp_path):
    both, one = tmp_path / "both.json", tmp_path / "one.json"
    run = measured(terminals=(OURS, PEER), n=100)
    report_json.write(both, run, analyse(run))
    alone = measured(n=100)
    report_json.write(one, alone, analyse(alone))
    into = tmp_path / "comparison.md"
    made = CliRunner().invoke(application, ["report", str(both), "--format", "comparison", "-o", str(into)])
    assert made.exit_code == 0, made.output
    assert into.read_text().startswith("# Web terminals compared\n")
    refused = CliRunner().invoke(application, ["report", str(one), "--format", "comparison", "-o", str(into)])
    assert refused.exit_code == 2
    assert "name two with --terminal" in refused.output
