"""Live stats of a load while it runs, from histograms with bins of 1 %. Only for display; the record is exact."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from web_terminal_suite.bench.clock import SECOND_NS
from web_terminal_suite.bench.stats.histogram import LogHistogram
from web_terminal_suite.bench.stats.quantiles import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.load import messages
    from web_terminal_suite.bench.load.collector import Collector, Heartbeat

_LEAST_INTERVAL_NS: Final = 500_000_000
"""Between two heartbeats that a rate is computed from."""

SUMMARISED: Final = ("p50", "p95", "p99")


class LoadPhase(StrEnum):
    """What a load does at the moment."""

    STARTING = "starting"
    RAMP_UP = "ramping up"
    RUNNING = "running"
    ENDING = "ending"


class LatencySummary(NamedTuple):
    """The percentiles ``SUMMARISED`` and the maximum of ``n`` latencies, ns; ``inf`` if that operation failed."""

    n: int
    percentiles: tuple[float, ...]
    largest: float


class LatencyHistogram:
    """Latencies of batches of operations as they come, and their summary."""

    def __init__(self) -> None:
        self._histogram = LogHistogram()

    def add(self, batches: Iterable[messages.OperationBatch]) -> None:
        for batch in batches:
            latency = np.frombuffer(batch.seen, np.int64) - np.frombuffer(batch.due, np.int64)
            succeeded = np.delete(latency, [position for position, _, _ in batch.failures])
            self._histogram.add(succeeded, failed=len(batch.failures))

    def summary(self) -> LatencySummary:
        histogram = self._histogram
        percentiles = tuple(histogram.quantile(PERCENTILES[name]) for name in SUMMARISED) if len(histogram) else ()
        return LatencySummary(len(histogram), percentiles, histogram.largest)


class Snapshot(NamedTuple):
    """The live stats at one time. Rates are of the last second; processor time is in cores; ``None``: unknown."""

    seconds: float
    stage: str
    phase: LoadPhase
    up: int
    planned: int
    start_rate: float
    key_rate: float
    last_second: LatencySummary
    """Of keys, as is ``overall``."""
    overall: LatencySummary
    starts: LatencySummary
    pending_keys: int
    failed: int
    lost: int
    received_rate: float
    """Bytes of output per second."""
    server_pss_bytes: int | None
    server_cpu: float | None
    client_cpu: float
    """Of the busiest load generator."""


class LiveStats:
    """Computes snapshots. ``add`` is called with each report once the collector has it."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._keys = LatencyHistogram()
        self._starts = LatencyHistogram()
        self._latest: list[tuple[float, list[messages.OperationBatch]]] = [
            (1.0, []) for _ in range(collector.generators)
        ]

    def add(self, generator: int, report: messages.ProgressReport) -> None:
        self._keys.add(batch for batch in report.batches if batch.kind == "keystroke")
        self._starts.add(batch for batch in report.batches if batch.kind == "start")
        heartbeats = self._collector.heartbeats[generator]
        before_ns = heartbeats[-2].at_ns if len(heartbeats) >= 2 else 0
        self._latest[generator] = (max(report.at_ns - before_ns, 1_000_000) / SECOND_NS, report.batches)

    def snapshot(self, at_ns: int, stage: str, phase: LoadPhase, planned: int) -> Snapshot:
        """The stats at ``at_ns`` of the run, in a stage that should have ``planned`` sessions."""
        collector = self._collector
        last_second = LatencyHistogram()
        last_second.add(batch for _, batches in self._latest for batch in batches if batch.kind == "keystroke")
        pairs = [_last_two(heartbeats) for heartbeats in collector.heartbeats if len(heartbeats) >= 2]
        client_cpu = [(b.cpu_ns - a.cpu_ns) / (b.at_ns - a.at_ns) for a, b in pairs]
        received = [(b.received_bytes - a.received_bytes) / (b.at_ns - a.at_ns) for a, b in pairs]
        samples = collector.server_samples
        return Snapshot(
            seconds=at_ns / SECOND_NS,
            stage=stage,
            phase=phase,
            up=collector.up,
            planned=planned,
            start_rate=self._rate("start"),
            key_rate=self._rate("keystroke"),
            last_second=last_second.summary(),
            overall=self._keys.summary(),
            starts=self._starts.summary(),
            pending_keys=sum(heartbeats[-1].pending_keys for heartbeats in collector.heartbeats if heartbeats),
            failed=sum(len(batch.failures) for batches in collector.batches.values() for batch in batches),
            lost=len(collector.lost) + sum(failure.sessions for failure in collector.failures),
            received_rate=sum(received) * SECOND_NS,
            server_pss_bytes=next((each.pss_bytes for each in reversed(samples) if each.pss_bytes is not None), None),
            server_cpu=_server_cpu(collector),
            client_cpu=max(client_cpu, default=0.0),
        )

    def _rate(self, kind: str) -> float:
        """Operations of a kind that succeeded, per second."""
        return sum(
            (len(batch.due) // 8 - len(batch.failures)) / seconds
            for seconds, batches in self._latest
            for batch in batches
            if batch.kind == kind
        )


def _last_two(heartbeats: Sequence[Heartbeat]) -> tuple[Heartbeat, Heartbeat]:
    """The last heartbeat and one before it that is old enough to compute a rate."""
    last = heartbeats[-1]
    old_enough = (each for each in reversed(heartbeats) if last.at_ns - each.at_ns >= _LEAST_INTERVAL_NS)
    before = next(old_enough, heartbeats[0])
    return (before, last) if before.at_ns < last.at_ns else (before, last._replace(at_ns=before.at_ns + 1))


def _server_cpu(collector: Collector) -> float | None:
    if len(collector.server_samples) < 2:
        return None
    before, after = collector.server_samples[-2:]
    return max(0, after.cpu_ns - before.cpu_ns) / max(1, after.at_ns - before.at_ns)
