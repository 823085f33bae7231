"""``web-terminal compare`` and ``web-terminal history``: what they print and what they end with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner, Result

from tests.bench.comparisons import measured
from tests.bench.records import FLOOR, MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.baselines import Baselines
from web_terminal_suite.bench.history import FILE, History
from web_terminal_suite.bench.report.text import history as history_report
from web_terminal_suite.bench.samples import Metric, Outcome, Point
from web_terminal_suite.cli.application import application

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.samples import Run


@pytest.fixture(autouse=True)
def _nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_TERMINAL_BENCH_HOME", str(tmp_path / "home"))


def asked(*words: object) -> Result:
    return CliRunner().invoke(application, [str(word) for word in words])


def saved(path: Path, of: Run) -> Path:
    record.save(path, of, [])
    return path


def saved_set(directory: Path, name: str, scale: float = 1.0, *, seed: int = 1, **more: object) -> str:
    """Five runs of the same code, as their files with commas between."""
    runs = [measured(scale, seed=10 * seed + number, **more) for number in range(5)]  # type: ignore[arg-type]
    return ",".join(str(saved(directory / f"{name}-{number}.json", run)) for number, run in enumerate(runs))


@pytest.mark.parametrize(("scale", "code", "word"), [(4.0, 1, "slower"), (0.25, 0, "faster"), (1.04, 3, "undecided")])
def test_the_exit_code_is_the_verdict(tmp_path: Path, scale: float, code: int, word: str) -> None:
    result = asked("compare", saved_set(tmp_path, "a"), saved_set(tmp_path, "b", scale, seed=2))
    assert result.exit_code == code, result.output
    rows = [line for line in result.stdout.splitlines() if " p95 " in line]
    assert [line.split()[-1] for line in rows] == [word, word]
    assert f"4 {word}" in result.stdout.splitlines()[-1]
    assert f"exit {code}" in result.stdout.splitlines()[-1]
    told = 0 if code == 3 else 4
    assert result.stdout.splitlines()[-1].startswith(f"{told} of 4 rows could be told: ")
    assert result.stdout.count("(5 runs)") == 2


def test_one_run_a_side_says_what_would_decide(tmp_path: Path) -> None:
    files = saved(tmp_path / "a.json", measured()), saved(tmp_path / "b.json", measured(1.3, seed=2))
    result = asked("compare", *files)
    assert result.exit_code == 3
    *_, advice, last = result.stdout.splitlines()
    assert "bench --against REF" in advice
    assert "--runs 5" in advice
    assert last.startswith("0 of 4 rows could be told: 4 undecided; ")
    assert last.endswith("; 4 need more runs; exit 3 (undecided)")
    assert "nothing is slower" not in result.stdout
    assert "noticeable" in result.stdout


def test_a_run_that_failed_ends_with_four(tmp_path: Path) -> None:
    cut = msgspec.structs.replace(measured(4.0, seed=2), interrupted=True)
    result = asked("compare", saved(tmp_path / "a.json", measured()), saved(tmp_path / "b.json", cut))
    assert result.exit_code == 4
    assert "b.json is no whole run: it ended before its plan did" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("exit 4 (a run is no whole one, so nothing is clear of loss)")


def test_failed_operations_and_counts_are_shown_as_such(tmp_path: Path) -> None:
    few = [*samples([MS] * 376), *samples([MS] * 24, outcome=Outcome.TIMEOUT)]
    runs = [
        run(*(trial(of[block::5], block=block, points=[Point("left over", 0, left)]) for block in range(5)),
            benchmarks=[facts(Metric(name="latency"), Metric(name="left over", kind="level", unit="", exact=True))])
        for of, left in ((samples([MS] * 400), 0), (few, 1000))
    ]  # fmt: skip
    files = [saved(tmp_path / f"{number}.json", of) for number, of in enumerate(runs)]
    result = asked("compare", *files, "--force")
    assert result.exit_code == 1
    (failed,) = [line for line in result.stdout.splitlines() if " failed operations " in line and "%" in line]
    assert "+6.0 %" in failed
    assert failed.split()[-1] == "worse"
    (left,) = [line for line in result.stdout.splitlines() if "left over" in line]
    assert "+1,000" in left
    assert left.split()[-1] == "worse"
    # The summary counts what the table says.
    assert " 2 worse" in result.stdout.splitlines()[-1]
    assert "slower," not in result.stdout.splitlines()[-1]


def test_equal_within_the_threshold(tmp_path: Path) -> None:
    files = saved_set(tmp_path, "a", n=300), saved_set(tmp_path, "b", n=300, seed=2)
    result = asked("compare", *files, "--noise-threshold", 0.5)
    assert result.exit_code == 0
    assert result.stdout.count("equal within 50 %") == 4
    assert result.stdout.splitlines()[-1].endswith("exit 0 (nothing is slower, and every row could be told)")


def test_several_are_compared_with_the_first_by_baseline_name(tmp_path: Path) -> None:
    kept = Baselines(tmp_path / "home")
    for name, scale in (("one", 1.0), ("two", 20.0), ("three", 30.0)):
        kept.save(name, measured(scale, seed=int(scale)), [])
    result = asked("compare", "one", "two", "three", "--statistic", "p50")
    assert result.exit_code == 1
    assert "two compared with one" in result.stdout
    assert "three compared with one" in result.stdout
    assert asked("compare", "one", "two", "--home", tmp_path / "home").exit_code == 1


def test_one_alone_compares_its_terminals(tmp_path: Path) -> None:
    both = saved(tmp_path / "both.json", measured(terminals=(OURS, PEER), peer=2.0))
    result = asked("compare", both)
    assert result.exit_code == 1
    assert "peer compared with ours" in result.stdout
    alone = asked("compare", saved(tmp_path / "alone.json", measured()))
    assert alone.exit_code == 2
    assert "measured one terminal" in alone.stderr


def test_another_machine_is_refused_unless_forced(tmp_path: Path) -> None:
    files = saved(tmp_path / "a.json", measured()), saved(tmp_path / "b.json", measured(90.0, kernel="7.0"))
    result = asked("compare", *files)
    assert result.exit_code == 2
    assert "kernel was 6.1.0, is 7.0" in result.stderr
    forced = asked("compare", *files, "--force")
    assert forced.exit_code == 1
    assert "another machine: kernel was 6.1.0, is 7.0" in forced.stdout


def test_what_is_only_on_one_side_and_floors_are_noted(tmp_path: Path) -> None:
    base = measured(names=("suite/a", "suite/old"), terminals=(OURS, FLOOR))
    new = measured(90.0, seed=2, names=("suite/a", "suite/new"), terminals=(OURS, FLOOR))
    files = saved(tmp_path / "a.json", base), saved(tmp_path / "b.json", new)
    result = asked("compare", *files)
    out = result.stdout
    assert result.exit_code in (1, 3)
    assert "a.json: suite/old [ours], suite/old [floor]" in out
    assert "b.json: suite/new [ours], suite/new [floor]" in out
    assert "the floor suite/a [floor] itself is slower" in out


def test_json_holds_the_same(tmp_path: Path) -> None:
    files = saved_set(tmp_path, "a"), saved_set(tmp_path, "b", 4.0, seed=2)
    result = asked("compare", *files, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["exit_code"], found["status"], found["told"]) == (1, 1, "slower", 4)
    (compared,) = found["comparisons"]
    assert {row["change"] for row in compared["rows"]} == {"slower"}
    assert compared["rows"][0]["ratio"] == pytest.approx(4.0, rel=0.1)
    assert 1 < compared["rows"][0]["noticeable"] < 4
    assert (compared["base_runs"], compared["new_runs"], compared["problems"]) == (5, 5, [])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nothing", "nothing"), "there is no baseline 'nothing'"),
        (("missing.json", "missing.json"), "cannot read missing.json"),
        (("good", "good", "--statistic", "p42"), "no statistic is called 'p42'"),
        (("good", "good", "--correction", "hope"), "no correction is called 'hope'"),
        (("no name", "good"), "is no name for a baseline"),
    ],
)
def test_wrong_usage_ends_with_two(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    Baselines(tmp_path / "home").save("good", measured(), [])
    result = asked("compare", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith("web-terminal compare: ")
    assert complaint in result.stderr
    assert result.stdout == ""


def past(home: Path, scales: list[float]) -> None:
    with History(home / FILE, create=True) as opened:
        for number, scale in enumerate(scales, start=1):
            of = measured(scale, seed=number, started=f"2026-01-{number:02}T00:00:00Z", blocks=2)
            opened.append(of, analyse(of), version="1", revision=f"{number:040x}")


def test_a_history_is_listed_and_plotted_with_its_steps(tmp_path: Path) -> None:
    past(tmp_path / "home", [1.0] * 8 + [1.5] * 8)
    listed = asked("history")
    assert listed.exit_code == 0
    lines = listed.stdout.splitlines()
    assert len(lines) == 2
    assert "suite/a [ours] p95" in lines[0]
    assert "16 runs" in lines[0]
    assert "at 2026-01-09" in lines[0]
    assert any(bar in lines[0] for bar in history_report.BARS)
    plotted = asked("history", "suite/b", "--statistic", "p50").stdout
    assert plotted.count("●") == 16
    assert "┊ 2026-01-09T00:00:00Z at 000000000: 1.0" in plotted
    assert "16 runs, 2026-01-01T00:00:00Z to 2026-01-16T00:00:00Z; last 1." in plotted


def test_a_history_as_json(tmp_path: Path) -> None:
    past(tmp_path / "home", [1.0] * 8 + [1.5] * 8)
    found = json.loads(asked("history", "suite/a", "--json", "--limit", 14).stdout)
    (track,) = found["tracks"]
    assert (found["schema"], len(track["entries"]), track["statistic"]) == ("web-terminal-history/1", 14, "p95")
    assert [change["index"] for change in track["changes"]] == [6]
    assert track["changes"][0]["run"] == track["entries"][6]["run"]


def test_history_without_anything_ends_with_two(tmp_path: Path) -> None:
    result = asked("history")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no history at" in result.stderr
    past(tmp_path / "home", [1.0])
    assert asked("history").exit_code == 0
    result = asked("history", "other")
    assert result.exit_code == 2
    assert "nothing that matches" in result.stderr
    (tmp_path / "home" / FILE).write_text("no database, " * 100)
    assert "is corrupt or no history" in asked("history").stderr


def test_sparklines() -> None:
    assert history_report.sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == history_report.BARS
    assert history_report.sparkline([3, 3]) == "▅▅"
    assert history_report.sparkline([1, float("inf"), 2]) == "▁x█"
    assert history_report.sparkline([]) == ""


def test_of_several_runs_alone_the_last_is_looked_at_and_that_is_said(tmp_path: Path) -> None:
    both = saved_set(tmp_path, "both", terminals=(OURS, PEER), peer=2.0)
    result = asked("compare", both)
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "of the 5 runs of " in said
    assert "only the last is looked at" in said


def test_a_run_that_is_named_twice_in_a_side_is_refused(tmp_path: Path) -> None:
    one, other = (saved(tmp_path / f"{seed}.json", measured(seed=seed)) for seed in (1, 2))
    copy = saved(tmp_path / "copy.json", measured(seed=1))
    Baselines(tmp_path / "home").save("main", measured(seed=1), [])
    new = saved_set(tmp_path, "b", 4.0, seed=2)
    for side in (f"{one},{other},{one}", f"{one},{other},{copy}", f"{one},{other},main"):
        result = asked("compare", new, side)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"run 1 and run 3 of {side} are the same run" in result.stderr
        assert asked("compare", side).exit_code == 2
    assert asked("compare", new, f"{one},{other}").exit_code != 2


def test_the_help_says_what_each_exit_code_means() -> None:
    said = " ".join(asked("compare", "--help").stdout.split())
    assert "3 not every row could be told, 4 a run is no whole one" in said
    assert "several runs a side need none" in said


def test_a_noise_threshold_that_is_not_finite_is_out_of_range(tmp_path: Path) -> None:
    refused = asked("compare", tmp_path / "a.json", tmp_path / "b.json", "--noise-threshold", "inf")
    assert refused.exit_code == 2
    assert "inf is not in the range 0<=x<=1000" in refused.stderr


def test_a_note_names_the_metric_of_a_row(tmp_path: Path) -> None:
    runs = [
        run(*(trial(block=block, points=[Point("left over", 0, left)]) for block in range(2)),
            benchmarks=[facts(Metric(name="left over", kind="level", unit="B"))])
        for left in (1.0, 2.0)
    ]  # fmt: skip
    files = [saved(tmp_path / f"{number}.json", of) for number, of in enumerate(runs)]
    result = asked("compare", *files, "--force")
    notes = [
        line for line in result.stdout.splitlines() if line.startswith("  suite/benchmark [ours] level left over: ")
    ]
    assert len(notes) == 1
