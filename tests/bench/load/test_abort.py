"""What can no longer be met ends a load with ``--abort-on-fail``, and nothing else does."""

from __future__ import annotations

import pytest

from tests.bench.load.collectors import BEGIN, DURATION, MS, SECOND_NS, SESSIONS, TYPING, planned
from tests.bench.load.test_load_cli import asked
from web_terminal_suite.bench import record
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.abort import ThresholdWatch
from web_terminal_suite.bench.load.collector import Collector, ServerSample
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.samples import Outcome, Sample

KEYS = TYPING * DURATION
"""Keys of a whole stage, of which 5 % may be beyond a p95."""


def report(*latencies_ms: float, kind: str = "keystroke", failed: int = 0) -> messages.ProgressReport:
    """A report of operations of these latencies, and some that failed."""
    columns = OperationColumns(kind, 0, 0)
    for latency in latencies_ms:
        columns.add(Sample(0, 0, round(latency * MS)))
    for _ in range(failed):
        columns.add(Sample(0, 0, MS, outcome=Outcome.CLOSED, reason="gone"))
    batch = columns.take_batch()
    return messages.ProgressReport(
        at_ns=0, up=SESSIONS, pending_keys=0, cpu_ns=0, gc_pause_ns=0, received_bytes=0,
        batches=[] if batch is None else [batch], lost=[],
    )  # fmt: skip


def broken(
    threshold: str, *reports: messages.ProgressReport, up: int | None = None, lost: int = 0, pss: int = 0
) -> bool:
    plan = planned([threshold])
    collector = Collector(1, 1)
    progress = collector.stages[0]
    progress.ramp_start_ns = 0
    if up is not None:
        progress.up, progress.ramp_end_ns = up, BEGIN * SECOND_NS
    collector.lost = [messages.SessionLost(number, 1, "gone") for number in range(lost)]
    if pss:
        collector.server_samples.append(ServerSample(1, pss, 0))
    watch = ThresholdWatch(plan)
    for each in reports:
        watch.add(each)
    return watch.broken(0, collector) is not None


def test_a_percentile_is_lost_when_more_are_beyond_than_the_whole_stage_allows():
    allowed = KEYS // 20
    assert not broken("keystroke.p95<2ms", report(*[5] * allowed))
    assert broken("keystroke.p95<2ms", report(*[5] * allowed), report(5))
    assert not broken("keystroke.p95<2ms", report(*[1] * KEYS))
    assert broken("keystroke.p95<2ms", report(failed=allowed + 1))
    assert not broken("keystroke.p50<2ms", report(*[5] * (KEYS // 2)))
    assert broken("keystroke.p50<2ms", report(*[5] * (KEYS // 2 + 1)))
    # Other operations have thresholds of their own.
    assert not broken("keystroke.p95<2ms", report(*[5] * KEYS, kind="start"))
    assert broken("start.p95<2ms", report(5, 5, kind="start"))


def test_a_maximum_and_a_mean():
    assert not broken("keystroke.max<2ms", report(1.9))
    assert broken("keystroke.max<2ms", report(2.1))
    assert broken("keystroke.mean<2ms", report(failed=1))
    assert not broken("keystroke.mean<2ms", report(1000))
    assert broken("keystroke.mean<2ms", report(*[5] * KEYS))


@pytest.mark.parametrize(
    ("threshold", "more", "certain"),
    [
        ("errors<=0", {"lost": 1}, True),
        ("errors<=0", {}, False),
        ("errors<2", {"lost": 1}, False),
        ("lost<2", {"lost": 2}, True),
        ("sessions>=20", {"up": 20}, False),
        ("sessions>=20", {"up": 19}, True),
        ("sessions>=20", {}, False),
        ("server.pss<50MB", {"pss": 60_000_000}, True),
        ("server.pss<50MB", {"pss": 40_000_000}, False),
        ("keystroke.rate>=50", {}, False),
    ],
)
def test_counts(threshold, more, certain):
    assert broken(threshold, report(1), **more) is certain


def test_a_share_of_errors_is_of_all_operations_of_the_stage():
    # 600 keys and 20 starts.
    assert not broken("errors<1%", report(failed=6))
    assert broken("errors<1%", report(failed=7))


def test_a_load_is_aborted_and_its_record_says_so(tmp_path):
    expect = ("--expect", "keystroke.p95<1us", "--expect", "errors<=0", "--abort-on-fail")
    words = ("--sessions", 6, "--ramp", 50, "--duration", 60, "--typing", 60, "--seed", 7, "--clients", 1)
    ran = asked("load", *words, *expect, "--json", "run.json", cwd=tmp_path)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "aborted: keystroke.p95<1us can no longer be met" in ran.stderr
    assert "aborted: keystroke.p95<1us could no longer be met" in ran.stdout
    run = record.load(tmp_path / "run.json")
    assert run.options["aborted"] == "keystroke.p95<1us"
    keys = [each for trial in run.trials if trial.cell.benchmark == "load/keystroke" for each in trial.samples]
    # 5 % of 3,600 keys are 180, after three seconds.
    assert 180 < len(keys) < 1200
    assert asked("validate", "run.json", cwd=tmp_path).returncode == 1
    # It is no baseline, and not in the history.
    assert not (tmp_path / ".web-terminal-bench/baselines").exists() or not list(
        (tmp_path / ".web-terminal-bench/baselines").iterdir()
    )
    assert "load/keystroke" not in asked("history", cwd=tmp_path).stdout


def test_without_the_flag_and_with_thresholds_that_hold_it_runs_to_its_end(tmp_path):
    words = ("--sessions", 4, "--ramp", 50, "--duration", 2, "--typing", 40, "--seed", 7, "--clients", 1, "--noplot")
    ran = asked("load", *words, "--expect", "keystroke.p95<1us", "--json", "a.json", cwd=tmp_path)
    assert ran.returncode == 1
    assert "aborted" not in ran.stderr
    ran = asked("load", *words, "--expect", "keystroke.p50<30s", "--abort-on-fail", "--json", "b.json", cwd=tmp_path)
    assert ran.returncode in (0, 3), ran.stdout + ran.stderr
    for file in ("a.json", "b.json"):
        run = record.load(tmp_path / file)
        assert "aborted" not in run.options
        assert sum(len(t.samples) for t in run.trials if t.cell.benchmark == "load/keystroke") == 80
