"""``web-terminal validate``: the verdicts of a file, computed again from its samples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from tests.bench.records import MS, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.cli.validate import validate

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.samples import Run


def asked(*words: object) -> Result:
    return CliRunner().invoke(validate, [str(word) for word in words])


def saved(path: Path, of: Run) -> Path:
    report_json.write(path, of, analyse(of))
    return path


@pytest.mark.parametrize(
    ("latencies", "problem", "code", "verdict"),
    [
        ([MS] * 100, "", 0, "pass"),
        ([200 * MS] * 100, "", 1, "fail"),
        ([MS] * 20, "", 3, "undecided"),
        ([MS] * 100, "closed early", 4, "undecided"),
        ([], "", 4, "undecided"),
    ],
)
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, latencies: list[int], problem: str, code: int, verdict: str
) -> None:
    result = asked(saved(tmp_path / "run.json", run(trial(samples(latencies), problem=problem))))
    assert result.exit_code == code
    (row,) = [line for line in result.stdout.splitlines() if "< 100 ms" in line]
    assert row.split()[-1] == verdict
    assert f"exit {code}" in result.stdout.splitlines()[-1]


def test_a_verdict_that_was_tampered_with_is_not_believed(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", run(trial(samples([200 * MS] * 100))))
    document = json.loads(path.read_text())
    document["results"][0]["verdict"] = "pass"
    path.write_text(json.dumps(document))
    result = asked(path)
    assert result.exit_code == 1
    assert "suite/benchmark [ours], latency: the file says pass, its samples say fail" in result.stdout


def test_results_and_record_that_do_not_match_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", run(trial(samples([MS] * 100))))
    document = json.loads(path.read_text())
    document["results"][0]["metric"] = "other"
    path.write_text(json.dumps(document))
    out = asked(path).stdout
    assert "suite/benchmark, latency: the file states no result" in out
    assert "suite/benchmark, other: the file states a result without a record" in out


def test_an_honest_file_differs_in_nothing(tmp_path: Path) -> None:
    assert "the file" not in asked(saved(tmp_path / "run.json", run(trial(samples([MS] * 100))))).stdout


def test_a_run_that_was_killed_is_judged_by_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    of = run(trial(samples([MS] * 100)))
    with record.Recorder(path, of) as recorder:
        recorder.append(of.trials[0])
    result = asked(path)
    assert result.exit_code == 4
    assert "the run ended before its plan did" in result.stdout
    assert "pass" in result.stdout


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read"),
        ("", "is empty"),
        ("{", "is not a record of web-terminal, or is corrupt"),
        ('{"schema":"web-terminal-bench/99"}', "newer than web-terminal-bench/1"),
    ],
)
def test_what_is_no_record_is_a_usage_error(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    result = asked(path)
    assert result.exit_code == 2
    assert result.stderr.startswith("web-terminal validate: ")
    assert complaint in result.stderr
    assert result.stdout == ""


def test_figures_without_a_target_are_shown_when_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", run(trial(samples([MS] * 100)), trial(samples([MS] * 100), terminal="floor")))
    assert "Without a target" not in asked(path).stdout
    assert "Without a target" in asked(path, "--figures").stdout
