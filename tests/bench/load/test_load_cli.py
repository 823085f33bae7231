"""``web-terminal load`` as it is typed: what it prints and ends with, and what can be done with what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from web_terminal_suite.bench import record
from web_terminal_suite.bench.samples import Outcome

COMMAND = (sys.executable, "-m", "web_terminal_suite")
_GUARD_SECONDS = 120
QUICK = ("--ramp", "50", "--duration", "3", "--typing", "60", "--seed", "7")


def asked(*words: object, cwd) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, cwd=cwd, env=environment, timeout=_GUARD_SECONDS
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """A load on our server, with its record, and what it said."""
    directory = tmp_path_factory.mktemp("load")
    expect = ("--expect", "errors<=0", "--expect", "sessions>=10", "--expect", "keystroke.p50<10s")
    ran = asked("load", "--sessions", 10, *QUICK, "--json", "run.json", *expect, cwd=directory)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return directory, ran


def test_it_shows_progress_and_results(loaded):
    _, ran = loaded
    assert re.search(r"^ +0\.\d s ramping up; 0 of 10 up", ran.stderr, re.MULTILINE)
    assert re.search(r"^ +\d+\.\d s running; 10 of 10 up", ran.stderr, re.MULTILINE)
    assert "3 targets: 3 passed; exit 0 (all pass)" in ran.stdout
    assert "client CPU per keystroke" in ran.stdout
    assert "report: .web-terminal-bench/load.html" in ran.stdout


def test_the_record_holds_every_key_and_the_time_series(loaded):
    directory, _ = loaded
    run = record.load(directory / "run.json")
    assert (run.seed, run.interrupted) == (7, False)
    samples = {}
    for trial in run.trials:
        samples.setdefault(trial.cell.benchmark, []).extend(trial.samples)
    assert {name: len(found) for name, found in samples.items()} == {
        "load/course": 0, "load/start": 10, "load/keystroke": 180,
    }  # fmt: skip
    assert {sample.outcome for found in samples.values() for sample in found} == {Outcome.OK}
    charts = {series.chart for trial in run.trials for series in trial.courses}
    assert {
        "Keystroke latency", "Session start", "Sessions", "Rate", "Errors", "Server memory", "Processor time", "Output",
    } == charts  # fmt: skip


def test_every_other_command_takes_the_record(loaded):
    directory, _ = loaded
    assert asked("validate", "run.json", cwd=directory).returncode == 0
    assert asked("report", "load", "--output", "a.html", cwd=directory).returncode == 0
    assert "Keystroke latency" in (directory / "a.html").read_text()
    assert asked("report", "run.json", "--format", "markdown", cwd=directory).returncode == 0
    for form in ("json", "csv", "junit", "bmf", "pyperf", "openmetrics"):
        ran = asked("export", "run.json", "--format", form, cwd=directory)
        assert ran.returncode == 0, (form, ran.stderr)
        assert "keystroke" in ran.stdout
    compared = asked("compare", "run.json", "load", cwd=directory)
    assert compared.returncode in (0, 3)
    assert "keystroke" in compared.stdout
    history = asked("history", "--json", cwd=directory)
    assert "load/keystroke" in history.stdout


def test_a_load_is_compared_with_an_earlier_one(loaded):
    directory, _ = loaded
    ran = asked("load", "--sessions", 10, *QUICK, "--baseline", "load", "--save-baseline", "later", cwd=directory)
    assert ran.returncode in (0, 1, 3), ran.stdout + ran.stderr
    assert "intervals of the change" in ran.stdout
    assert (directory / ".web-terminal-bench/baselines/later.json").exists()
    assert asked("load", "--baseline", "nobody", cwd=directory).returncode == 2


def test_a_threshold_on_what_did_not_happen_does_not_vanish(tmp_path):
    words = ("--sessions", 5, "--duration", 1, "--typing", 0, "--expect", "keystroke.p95<1s", "--expect", "errors<1")
    ran = asked("load", "--terminal", "null-server", *words, "--noplot", "--json", "run.json", cwd=tmp_path)
    assert ran.returncode == 3, ran.stdout + ran.stderr
    assert "no keystroke was made" in ran.stdout
    assert "2 targets: 1 passed, 1 undecided" in ran.stdout
    assert asked("validate", "run.json", cwd=tmp_path).returncode == 3


@pytest.mark.parametrize(
    ("expect", "code", "words"),
    [
        (("keystroke.p50<1ns",), 1, "1 target: 1 failed; exit 1"),
        (("sessions>=11",), 1, "1 failed"),
        (("keystroke.p99.9<10s",), 3, "1 undecided; exit 3"),
    ],
)
def test_it_ends_with_what_the_thresholds_amount_to(tmp_path, expect, code, words):
    flags = [word for each in expect for word in ("--expect", each)]
    ran = asked("load", "--terminal", "null-server", "--sessions", 10, *QUICK, *flags, "--noplot", cwd=tmp_path)
    assert (ran.returncode, words in ran.stdout) == (code, True), ran.stdout + ran.stderr
    assert not (tmp_path / ".web-terminal-bench/load.html").exists()


SCENARIO = """
name = "two"
[[stage]]
name = "first"
sessions = 4
ramp = 50
duration = 2
typing = 20
mix = { type = 0.5 }
expect = ["keystroke.p50<10s"]
[[stage]]
name = "second"
sessions = 8
ramp = 50
duration = 60
typing = 20
mix = { type = 1.0 }
"""


def test_a_scenario_is_played_stage_by_stage_and_flags_override_it(tmp_path):
    (tmp_path / "two.toml").write_text(SCENARIO)
    ran = asked(
        "load", "--terminal", "null-server", "--scenario", "two.toml", "--duration", 2, "--json", "r.json", cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 target: 1 passed" in ran.stdout
    run = record.load(tmp_path / "r.json")
    counts = {
        (t.cell.benchmark, t.cell.parameter): len(t.samples) for t in run.trials if t.cell.benchmark != "load/course"
    }
    assert counts == {
        ("load/start", "two: first"): 4,
        ("load/keystroke", "two: first"): 40,
        ("load/start", "two: second"): 4,
        ("load/keystroke", "two: second"): 40,
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--expect", "keystroke.p95<2"), "'keystroke.p95<2': keystroke.p95 is a time; write its unit"),
        (("--terminal", "nobody"), "no terminal is called 'nobody'; there are: web-terminal"),
        (("--terminal", "web-terminal", "--url", "http://127.0.0.1:1/"), "give one of them"),
        (("--url", "ftp://x/"), "must begin with http://"),
        (("--url", "http://127.0.0.1:1/"), "does not answer"),
        (("--terminal", "null-server", "--output", "flood"), "null-server has no shell"),
        (("--emitting", "5"), "add --output steady, bursts or flood"),
        (("--active", "many"), "'many' is not a share"),
        (("--sessions", "3", "--active", "5"), "asks for 5 of 3 sessions: type 5"),
        (("--scenario", "/nowhere.toml"), "cannot read the scenario /nowhere.toml"),
        (("--json", "/nowhere/run.json"), "there is no directory /nowhere"),
        (("--save-baseline", "a/b"), "'a/b' is no name for a baseline"),
        (("--scheduler", "nowhere"), "'nowhere' is not an address of a Dask scheduler"),
        (("--sessions", "900000"), "900,000 sessions are not feasible here: "),
    ],
)
def test_wrong_usage_is_reported_before_anything_starts(tmp_path, words, complaint):
    ran = asked("load", *words, cwd=tmp_path)
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert ran.stderr.startswith("web-terminal load: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_load_keeps_what_it_has(tmp_path, number):
    command = [*COMMAND, "load", "--sessions", "6", "--duration", "300", "--json", "r.json", "--no-history"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path) as process:
        try:
            while "running" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(number)
            out, err = process.communicate(timeout=_GUARD_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 4
    assert "interrupted: what was measured so far is kept" in err
    assert "exit 4 (the run itself failed)" in out
    run = record.load(tmp_path / "r.json")
    assert run.interrupted
    assert sum(len(trial.samples) for trial in run.trials if trial.cell.benchmark == "load/start") == 6
    # A partial run is no baseline.
    assert not (tmp_path / ".web-terminal-bench/baselines").exists()


def test_the_record_grows_as_stages_end(tmp_path):
    (tmp_path / "two.toml").write_text(SCENARIO)
    process = subprocess.Popen(
        [*COMMAND, "load", "--terminal", "null-server", "--scenario", "two.toml", "--json", "r.json"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    family = []
    try:
        while " of 8 up" not in process.stderr.readline():
            assert process.poll() is None
        # Killed, so there is no cleanup: load generators end with the coordinator, a server does not.
        family = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        for each in family:
            _reap(each)
    run = record.load(tmp_path / "r.json.trials")
    assert run.interrupted
    assert {trial.cell.parameter for trial in run.trials} == {"two: first"}
    assert asked("validate", "r.json.trials", cwd=tmp_path).returncode == 4


def _reap(orphan: psutil.Process) -> None:
    """End it; where this process adopts orphans, as the suite makes it, it is also ours to reap."""
    try:
        orphan.kill()
        os.waitpid(orphan.pid, 0)
    except (psutil.NoSuchProcess, ChildProcessError):
        pass  # it is gone, or somebody else's to reap


def test_options_are_in_the_record(loaded):
    directory, _ = loaded
    options = json.loads((directory / "run.json").read_text())["options"]
    assert options["expected"] == ["errors<=0", "sessions>=10", "keystroke.p50<10s"]
    assert options["clients"] >= 1
    assert "sessions=10" in options["stages"][0]
    assert "mix=type=50%" in options["stages"][0]
