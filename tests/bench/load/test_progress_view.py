"""The live stats of a load, and how they are shown."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from tests.bench import naive
from tests.bench.load.collectors import MS, whole
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.live_stats import SUMMARISED, LatencyHistogram, LiveStats, LoadPhase
from web_terminal_suite.bench.load.progress_view import LINE_SECONDS, LineProgressView, duration, line, open_view, table
from web_terminal_suite.bench.samples import Outcome, Sample


def batch(took_ns, failing: int = 0, kind: str = "keystroke") -> messages.OperationBatch:
    column = OperationColumns(kind, 0, 0)
    for place, each in enumerate(took_ns):
        outcome = Outcome.TIMEOUT if place < failing else Outcome.OK
        column.add(Sample(place, place, place + int(each), outcome=outcome, reason="late" if place < failing else ""))
    return column.take_batch()


def progress(at_ns: int, *batches: messages.OperationBatch, up: int = 10, cpu_ns: int = 0) -> messages.ProgressReport:
    return messages.ProgressReport(
        at_ns=at_ns, up=up, pending_keys=3, cpu_ns=cpu_ns, gc_pause_ns=0, received_bytes=at_ns // 1_000,
        batches=list(batches), lost=[],
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 1_000])
def test_bins_are_within_one_per_cent_of_the_truth(count):
    took = np.random.default_rng(count).lognormal(math.log(300e3), 1, count).astype(np.int64)
    bins = LatencyHistogram()
    bins.add([batch(took[: count // 2]), batch(took[count // 2 :])] if count > 1 else [batch(took)])
    found = bins.summary()
    assert found.n == count
    assert found.largest == took.max()
    assert SUMMARISED == ("p50", "p95", "p99")
    for q, value in zip(("0.5", "0.95", "0.99"), found.percentiles, strict=True):
        assert value == pytest.approx(naive.quantile(took.tolist(), q), rel=0.01)


def test_what_failed_is_slower_than_anything():
    bins = LatencyHistogram()
    bins.add([batch([MS] * 100, failing=3)])
    found = bins.summary()
    assert found.percentiles[1] == pytest.approx(MS, rel=0.01)
    assert found.percentiles[2] == found.largest == math.inf
    assert LatencyHistogram().summary() == (0, (), 0.0)


def snapshot_of_a_load():
    collector = whole()
    stats = LiveStats(collector)
    last_ns = collector.heartbeats[0][-1].at_ns
    report = progress(last_ns + 10**9, batch([2 * MS] * 50), batch([9 * MS] * 4, kind="start"), cpu_ns=10**10)
    collector.add(0, report)
    stats.add(0, report)
    return stats.snapshot(last_ns + 10**9, "stage", LoadPhase.RUNNING, 20)


def test_a_snapshot_is_of_the_last_second_and_of_the_whole_load():
    found = snapshot_of_a_load()
    assert (found.phase, found.planned, found.up) == ("running", 20, 20)
    assert found.key_rate == pytest.approx(50)
    assert found.start_rate == pytest.approx(4)
    assert found.last_second.n == 50
    assert found.overall.percentiles[0] == pytest.approx(2 * MS, rel=0.01)
    assert found.starts.percentiles[0] == pytest.approx(9 * MS, rel=0.01)
    assert found.pending_keys == 3
    assert found.server_cpu == pytest.approx(0.25)
    assert found.server_pss_bytes == 50_000_000 + 10_000 * 20
    assert found.client_cpu > 1


def printed(what) -> str:
    out = io.StringIO()
    Console(file=out, width=100, force_terminal=False, color_system=None).print(what)
    return out.getvalue()


def test_the_table_has_every_figure():
    text = printed(table(snapshot_of_a_load()))
    for words in (
        "running", "of 20", "4/s", "p50", "p95", "p99", "max", "keys, last second", "keys, overall", "starts", "2 ms",
        "0 failed", "0 lost", "3 in flight", "server", "50.2 MB", "25% CPU", "busiest client",
    ):  # fmt: skip
        assert words in text, words
    assert (
        "MB"
        not in printed(table(snapshot_of_a_load()._replace(server_cpu=None, server_pss_bytes=None))).split("busiest")[0]
    )


def test_a_line_says_the_same():
    text = line(snapshot_of_a_load())
    parts = "running; 20 of 20 up; 4 arrivals/s; 50 keys/s; last second p50 2; overall p50 2; 0 failed, 0 lost; 50.2 MB"
    for words in parts.split("; "):
        assert words in text, words


def test_lines_are_printed_every_few_seconds_and_when_the_phase_changes(capsys):
    lines = LineProgressView()
    snapshot = snapshot_of_a_load()
    for seconds, phase in (
        (0.0, LoadPhase.RAMP_UP),
        (1.0, LoadPhase.RAMP_UP),
        (2.0, LoadPhase.RUNNING),
        (3.0, LoadPhase.RUNNING),
        (2.0 + LINE_SECONDS, LoadPhase.RUNNING),
    ):
        lines.show(snapshot._replace(seconds=seconds, phase=phase))
    lines.say("the server ended")
    said = capsys.readouterr().err.splitlines()
    assert [text.split(" s ")[0].strip() for text in said[:-1]] == ["0.0", "2.0", "7.0"]
    assert said[-1] == "the server ended"


def test_without_a_terminal_there_are_lines(capsys):
    with open_view() as view:
        assert isinstance(view, LineProgressView)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("value_ns", "words"),
    [(999, "999 ns"), (412_000, "412 us"), (1.25e6, "1.25 ms"), (3.5e9, "3.5 s"), (math.inf, "failed")],
)
def test_durations_are_short(value_ns, words):
    assert duration(value_ns) == words
