"""What commands print fits the terminal, with the verdict whole, also where the terminal is narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from tests.bench.comparisons import measured
from tests.bench.records import MS, OURS, PEER, facts, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects
from web_terminal_suite.bench.history import FILE, History
from web_terminal_suite.bench.report.text import layout
from web_terminal_suite.bench.report.text.terminal_comparison import print_terminals
from web_terminal_suite.bench.samples import Metric, Outcome, Point
from web_terminal_suite.cli.application import application

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.samples import Run

NARROW = pytest.mark.parametrize("width", [50, 80, 120])
LONG = ("command_execution/command_execution_by_shell", "session_creation/session_state_operations_in_process")


def shown(width: int, *words: object) -> list[str]:
    """The lines of a command on a terminal of ``width`` columns; none of them is wider."""
    done = CliRunner().invoke(application, [str(word) for word in words], env={"COLUMNS": str(width)})
    lines: list[str] = done.stdout.splitlines()
    assert lines, done.output
    assert [line for line in lines if len(line) > width] == []
    return lines


def saved(directory: Path, *runs: Run) -> list[Path]:
    files = [directory / f"a-run-with-a-long-name-{number}.json" for number in range(len(runs))]
    for file, of in zip(files, runs, strict=True):
        record.save(file, of, [])
    return files


@NARROW
def test_rows_of_a_comparison_fit(tmp_path: Path, width: int) -> None:
    files = saved(tmp_path, *(measured(scale, names=LONG, seed=seed) for seed, scale in ((1, 1.0), (2, 90.0))))
    lines = shown(width, "compare", *files)
    rows = [line for line in lines if line.split()[:1] in (["p50"], ["p95"])]
    assert [row.split()[-1] for row in rows] == ["slower"] * 4
    for name in LONG:
        assert "".join(map(str.strip, lines)).count(name) >= 1


@NARROW
def test_a_row_with_a_long_statistic_keeps_its_verdict(tmp_path: Path, width: int) -> None:
    few = [*samples([MS] * 376), *samples([MS] * 24, outcome=Outcome.TIMEOUT)]
    runs = [
        run(*(trial(of[block::5], block=block, points=[Point("sessions left over", 0, left)]) for block in range(5)),
            benchmarks=[facts(Metric(name="latency"),
                              Metric(name="sessions left over", kind="level", unit="", exact=True))])
        for of, left in ((samples([MS] * 400), 0), (few, 1000))
    ]  # fmt: skip
    lines = shown(width, "compare", *saved(tmp_path, *runs), "--force")
    (failed,) = [line for line in lines if "failed operations" in line and "%" in line and "threshold" not in line]
    assert failed.split()[-1] == "worse"


def test_where_all_fits_the_name_stands_in_the_row(tmp_path: Path) -> None:
    lines = shown(200, "compare", *saved(tmp_path, measured(), measured(9.0, seed=2)))
    row = next(line for line in lines if "suite/a [ours]" in line)
    assert row.split()[2] == "p50"


@NARROW
def test_terminals_of_one_run_are_compared(tmp_path: Path, width: int) -> None:
    (file,) = saved(tmp_path, measured(names=LONG, terminals=(OURS, PEER), peer=2.0))
    rows = [line for line in shown(width, "compare", file) if line.split()[:1] == ["p50"]]
    assert [row.split()[-1] for row in rows] == ["slower"] * 2


@pytest.mark.parametrize("width", range(20, 60))
def test_a_sentence_loses_no_word(width: int) -> None:
    console = Console(width=width, color_system=None)
    words = "one of 12,345 rows could be told: 1 slower;  exit 1 (something is slower)"
    with console.capture() as captured:
        layout.print_sentence(console, Text(words), 2)
    lines = captured.get().splitlines()
    assert " ".join(captured.get().split()) == " ".join(words.split())
    assert all(line == line.rstrip() and len(line) <= max(width, layout.NARROWEST + 2) for line in lines)
    assert [len(line) - len(line.lstrip()) for line in lines] == [2] + [4] * (len(lines) - 1)


@pytest.mark.parametrize("width", [10, 30, 50, 100])
def test_a_name_breaks_between_its_parts(width: int) -> None:
    name = "command_execution/by_shell/size+env+cwd [web-terminal] p95"
    lines = layout.broken(name, width)
    parts = ("command_execution/", "by_shell/", "size+env+cwd", "[web-terminal]", "p95")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert all(len(line) <= max(width, len("command_execution/") + 2) for line in lines)
    assert all(sum(part in line for line in lines) == 1 for part in parts)


@NARROW
def test_the_list_of_the_history_fits(tmp_path: Path, width: int) -> None:
    with History(tmp_path / FILE, create=True) as history:
        for day in range(30):
            of = measured(
                2.0 if day > 20 else 1.0, seed=day, names=LONG, blocks=2, started=f"2026-01-{day + 1:02}T00:00:00Z"
            )
            history.append(of, analyse(of), version="1", revision=f"{day + 1:040x}")
    lines = shown(width, "history", "--home", tmp_path)
    assert len([line for line in lines if "30 runs" in line]) == 2
    assert len([line for line in lines if "step 2." in line or "step 1.9" in line]) == 2
    plots = shown(width, "history", LONG[0], "--home", tmp_path)
    assert any("p < 0.001" in line for line in plots)
    assert not any("0.000" in line for line in plots)


@NARROW
def test_the_limits_of_the_machine_fit(width: int) -> None:
    # Of what this machine lacks, the commands are whole.
    lines = shown(width, "doctor", "--sessions", 1)
    assert sum("kernel.pid_max" in line for line in lines) >= 1


@NARROW
def test_terminals_next_to_each_other_fit(width: int) -> None:
    terminals = (OURS, PEER, *(msgspec.structs.replace(PEER, name=f"another-terminal-{n}") for n in range(4)))
    of = measured(names=LONG, terminals=terminals, peer=2.0)
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        print_terminals(console, compare_subjects(of, analyse(of)))
    lines = captured.get().splitlines()
    assert [line for line in lines if len(line) > width] == []
    assert len([line for line in lines if line.split()[:1] == ["another-terminal-3"]]) == 4
