"""Keys typed into real pages in a real Chromium."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from web_terminal_suite.bench.browser.calibration import LATENESSES
from web_terminal_suite.bench.browser.chromium import PROGRAM_VARIABLE
from web_terminal_suite.bench.record import load
from web_terminal_suite.bench.samples import Phase

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

SECONDS = 120


def bench(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", "bench", *words],
        capture_output=True, text=True, timeout=SECONDS, env={**os.environ, **environment},
    )  # fmt: skip


def test_a_run_is_a_record_like_any_other(chromium_path, tmp_path):
    kept = tmp_path / "run.json"
    done = bench(
        "browser/key_to_pixel/tty", "--blocks", "1", "--no-history", "--noplot", "--home", str(tmp_path),
        "--json", str(kept),
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "key_to_pixel" in done.stdout
    run = load(kept)
    assert run.machine["calibration"]["found_ns"].keys() == {each.text for each in LATENESSES}
    floor, trial = sorted(run.trials, key=lambda each: each.cell.terminal)
    assert (floor.cell.terminal, floor.problem) == ("bare-xterm", "")
    assert not trial.problem
    assert run.machine["browser"]["renderers"].keys() == {"bare-xterm", "character-page", "web-terminal"}
    (strip,) = trial.filmstrips
    assert strip.frames[0].at_ns < 0 < strip.frames[-1].at_ns == strip.latency_ns
    measured = [each for each in trial.samples if each.phase is Phase.MEASURE]
    assert len(measured) >= 15
    for each in measured:
        assert each.sent_ns < each.marks["sent"] < each.marks["received"] < each.marks["parsed"] < each.seen_ns


@pytest.mark.parametrize(
    ("named", "said"),
    [("/nowhere/chromium", "WEB_TERMINAL_BENCH_CHROMIUM is /nowhere/chromium, which is not a program")],
)
def test_without_a_browser_one_line_says_how_to_get_one(named, said):
    done = bench("browser", **{PROGRAM_VARIABLE: named})
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"web-terminal bench: {said}"]


def test_the_suite_is_listed_where_it_is_named():
    done = bench("--list", "browser")
    assert [line.split()[0] for line in done.stdout.splitlines()][:1] == ["browser/key_to_pixel/tty"]
    assert "browser/" not in bench("--list").stdout
