"""What this machine cannot hold is said in every form of a report, and the rest is measured: the whole command."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

# So few descriptors that a hundred sessions fit in a worker and a thousand do not, on whatever machine; and enough for
# the hosts of a server that is to be ready for many more.
FEW = 'ulimit -n 1400; exec "$@"'
_TRIES = 5
WHY = r"not feasible here: descriptors \(\w+\) = 1400 allows \d+ of 1,000 sessions; raise with: ulimit -Hn \d+ "


def bench(cwd, *words):
    command = [sys.executable, "-m", "web_terminal_suite", *words]
    return subprocess.run(["sh", "-c", FEW, "sh", *command], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    home = tmp_path_factory.mktemp("feasible")
    wanted = ["session_lookup/", "--quick", "--seed", "1", "--json", "run.json", "--no-history"]
    for _ in range(_TRIES):
        done = bench(home, "bench", *wanted)
        # On a machine too busy for it the suite does not prove itself: that is for another test.
        if "the suite itself cannot be trusted" not in done.stderr:
            break
    return home, done


def test_the_rest_is_measured_and_the_target_is_undecided(measured):
    home, done = measured
    record = json.loads((home / "run.json").read_text())
    rows = [row for row in record["results"] if row["id"] == "session_creation/session_lookup"]
    by_parameter = {row["parameter"]: row for row in rows}
    assert by_parameter["1"]["n"] > 0
    assert by_parameter["1"]["infeasible"] == ""
    missing = by_parameter["1000"]
    assert re.match(WHY, missing["infeasible"])
    assert (missing["n"], missing["verdict"], missing["problems"]) == (0, "undecided", [])
    (trial,) = [each for each in record["trials"] if each["cell"]["parameter"] == "1000"]
    assert trial["infeasible"] == missing["infeasible"]
    # The other cell has a target too: kept or missed as fast as this machine is, but nothing failed.
    assert done.returncode == (1 if by_parameter["1"]["verdict"] == "fail" else 3), done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "not feasible here" in line and "undecided" in line]
    assert "1000" in row
    assert re.search(WHY, " ".join(done.stdout.split()))
    assert re.search(rf"session_creation/session_lookup/1000 \[web-terminal\]: {WHY}", done.stderr)


@pytest.mark.parametrize("form", ["markdown", "html", "csv", "junit"])
def test_every_form_of_the_report_says_so(measured, form):
    home, _ = measured
    out = home / f"report.{form}"
    command = "report" if form in ("markdown", "html") else "export"
    done = bench(home, command, "run.json", "--format", form, "--output", str(out))
    assert done.returncode == 0, done.stderr
    assert "not feasible here" in out.read_text()


def test_the_record_stands_up_to_validation(measured):
    home, first = measured
    done = bench(home, "validate", "run.json")
    assert done.returncode == first.returncode, done.stdout + done.stderr


def test_a_filter_that_selects_only_that_fails_at_once_with_the_sentence(tmp_path):
    done = bench(tmp_path, "bench", "session_lookup/1000$", "--json", "run.json")
    assert done.returncode == 2
    assert re.search(rf"session_creation/session_lookup/1000 \[web-terminal\]: {WHY}", done.stderr)
    assert list(tmp_path.iterdir()) == []
