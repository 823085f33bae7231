"""Runs that do not end as planned: what was measured is kept, one line says what happened, nothing is left running."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from web_terminal_suite.bench import record

if TYPE_CHECKING:
    from pathlib import Path

PARTIAL = "the run ended before its plan did"
_GUARD_SECONDS = 120.0
# However the tests themselves were started: as in a terminal, or as in the background of a script, whose Ctrl-C is for
# somebody else.
_START = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.SIG_IGN if sys.argv[1] == "background" else signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Measuring:
    """``bench`` in a process of its own, in a directory of its own."""

    def __init__(self, home: Path, *, place: str = "terminal") -> None:
        self.home = home
        self.trials = home / "run.json.trials"
        self._place = place
        self._begin()

    def until_measured(self, cells: int) -> None:
        """Return once so many trials of our server are in the file."""
        deadline = time.monotonic() + _GUARD_SECONDS
        while self._measured() < cells:
            assert time.monotonic() < deadline
            if self.process.poll() is not None:
                # On a machine as busy as this the suite could not prove itself: that is for another test.
                assert "the suite itself cannot be trusted" in self.errors, self.errors
                self._begin()
            time.sleep(0.01)  # a file of another process offers no event without inotify

    def started(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def until_gone(self, processes: list[psutil.Process]) -> None:
        assert processes
        _, alive = psutil.wait_procs(processes, timeout=_GUARD_SECONDS)
        assert alive == []

    def code(self) -> int:
        return self.process.wait(_GUARD_SECONDS)

    @property
    def errors(self) -> str:
        return (self.home / "err").read_text()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "web_terminal_suite", *words]
        return subprocess.run(whole, cwd=self.home, capture_output=True, text=True, timeout=_GUARD_SECONDS)

    def _begin(self) -> None:
        words = ["bench", "^command_execution", "--quick", "--seed", "1", "--json", "run.json", "--no-history"]
        command = [sys.executable, "-c", _START, self._place, "-m", "web_terminal_suite", *words]
        with (self.home / "out").open("wb") as out, (self.home / "err").open("wb") as errors:
            self.process = subprocess.Popen(command, cwd=self.home, stdout=out, stderr=errors)

    def _measured(self) -> int:
        return self.trials.read_bytes().count(b'"web-terminal"},"block"') if self.trials.exists() else 0


@pytest.fixture
def measuring(tmp_path):
    begun = []

    def begin(**more) -> Measuring:
        begun.append(Measuring(tmp_path, **more))
        return begun[-1]

    yield begin
    for each in begun:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()


def test_a_killed_run_is_reported_as_far_as_it_came_and_leaves_nothing_running(measuring):
    run = measuring()
    run.until_measured(3)
    processes = run.started()
    run.process.kill()
    run.code()
    run.until_gone(processes)
    found = record.load(run.trials)
    assert found.interrupted
    assert sum(trial.cell.terminal == "web-terminal" and bool(trial.samples) for trial in found.trials) >= 3
    shown = run.command("report", "run.json.trials", "--format", "markdown", "--output", "report.md")
    assert shown.returncode == 0, shown.stderr
    assert "partial" in shown.stdout
    assert PARTIAL in (run.home / "report.md").read_text().lower()
    judged = run.command("validate", "run.json.trials")
    assert judged.returncode == 4
    assert PARTIAL in judged.stdout


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (signal.SIGINT, "terminal"),
        (signal.SIGTERM, "terminal"),
        (signal.SIGTERM, "background"),
        (signal.SIGHUP, "terminal"),
    ],
)
def test_a_run_that_is_told_to_end_says_so_and_keeps_what_it_has(measuring, number, place):
    run = measuring(place=place)
    run.until_measured(2)
    processes = run.started()
    run.process.send_signal(number)
    assert run.code() == 4
    run.until_gone(processes)
    assert "interrupted: what was measured so far is kept, the run is partial" in run.errors
    assert "Traceback" not in run.errors
    found = record.load(run.home / "run.json")
    assert found.interrupted
    assert found.trials
    assert not run.trials.exists()


def test_a_server_that_dies_spoils_what_it_ran_and_no_more(measuring):
    run = measuring()
    run.until_measured(1)
    (supervisor,) = [
        each for each in run.started() if "web_terminal_suite.server.supervisor" in " ".join(each.cmdline())
    ]
    supervisor.kill()
    assert run.code() == 4
    assert "Traceback" not in run.errors
    found = record.load(run.home / "run.json")
    assert not found.interrupted
    of_ours = [trial for trial in found.trials if trial.cell.terminal == "web-terminal"]
    spoilt = [trial for trial in of_ours if "the server ended with -9" in trial.problem]
    assert spoilt
    assert {trial.block for trial in spoilt} == {0}
    # The next block starts its own.
    assert all(trial.samples and not trial.problem for trial in of_ours if trial.block == 1)
    results = json.loads((run.home / "run.json").read_bytes())["results"]
    assert any(row["verdict"] == "undecided" and row["problems"] for row in results)


def test_a_full_disk_ends_the_run_with_one_line_and_what_was_measured_stays(measuring):
    run = measuring()
    run.until_measured(2)
    # What the command writes from now on does not fit. The server, which has started, has its own limit.
    size = run.trials.stat().st_size
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (size + 1, size + 1))
    processes = run.started()
    assert run.code() == 4
    run.until_gone(processes)
    assert "Traceback" not in run.errors
    said = "cannot write run.json.trials: File too large; it holds what was measured before"
    assert sum(said in line for line in run.errors.splitlines()) == 1
    assert run.errors.splitlines()[-1].startswith("web-terminal bench: cannot write run.json: ")
    # What is half a line was never measured; the rest can be reported.
    found = record.load(run.trials)
    assert found.interrupted
    assert len(found.trials) >= 2
    assert sorted(path.name for path in run.home.iterdir() if path.is_file()) == ["err", "out", "run.json.trials"]
    assert PARTIAL in (run.home / "out").read_text()


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "report"
    path.write_text("before")
    program = "import pathlib; from web_terminal_suite.bench.files import put; put(pathlib.Path('report'), bytes(9999))"
    limited = ["sh", "-c", 'ulimit -f 2; exec "$@"', "sh", sys.executable, "-c", program]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, timeout=_GUARD_SECONDS)
    assert "File too large" in done.stderr
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["report"]
