"""The latest figures of a load while it proceeds, in bins of one per cent. The record is exact; this is for looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from web_terminal_suite.bench.stats.histogram import LogHistogram
from web_terminal_suite.bench.stats.quantiles import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.load import messages
    from web_terminal_suite.bench.load.collector import Collector, Heartbeat

_APART_NS: Final = 500_000_000

SUMMARISED: Final = ("p50", "p95", "p99")


class LatencySummary(NamedTuple):
    """The percentiles ``SUMMARISED`` of ``n`` latencies, ns; ``inf`` where the operation at that place failed."""

    n: int
    at: tuple[float, ...]
    largest: float


class LatencyHistogram:
    """Latencies of batches of operations as they come, and their summary."""

    def __init__(self) -> None:
        self._histogram = LogHistogram()

    def add(self, batches: Iterable[messages.OperationBatch]) -> None:
        for batch in batches:
            took = np.frombuffer(batch.seen, np.int64) - np.frombuffer(batch.due, np.int64)
            fine = np.delete(took, [place for place, _, _ in batch.noted])
            self._histogram.add(fine, failed=len(batch.noted))

    def summary(self) -> LatencySummary:
        histogram = self._histogram
        at = tuple(histogram.quantile(PERCENTILES[name]) for name in SUMMARISED) if len(histogram) else ()
        return LatencySummary(len(histogram), at, histogram.largest)


class Snapshot(NamedTuple):
    """One look. Rates are of the last second; processor time in cores; ``None`` where it cannot be known."""

    seconds: float
    stage: str
    doing: str
    up: int
    wanted: int
    arrivals: float
    keys: float
    last: LatencySummary
    overall: LatencySummary
    starts: LatencySummary
    waiting: int
    failed: int
    lost: int
    heard_bytes: float
    server_pss_bytes: int | None
    server_cpu: float | None
    client_cpu: float
    """Of the busiest process."""


class LiveStats:
    """Fed with every tick once the ledger has it; looked at now and then."""

    def __init__(self, ledger: Collector) -> None:
        self._ledger = ledger
        self._keys = LatencyHistogram()
        self._starts = LatencyHistogram()
        self._latest: list[tuple[float, list[messages.OperationBatch]]] = [(1.0, []) for _ in range(ledger.shards)]

    def enter(self, shard: int, tick: messages.ProgressReport) -> None:
        keys = [batch for batch in tick.batches if batch.kind == "keystroke"]
        self._keys.add(keys)
        self._starts.add(batch for batch in tick.batches if batch.kind == "start")
        pulses = self._ledger.pulses[shard]
        before_ns = pulses[-2].at_ns if len(pulses) >= 2 else 0
        self._latest[shard] = (max(tick.at_ns - before_ns, 1_000_000) / 1e9, tick.batches)

    def look(self, at_ns: int, stage: str, doing: str, wanted: int) -> Snapshot:
        """How things stand."""
        ledger = self._ledger
        last = LatencyHistogram()
        last.add(batch for _, batches in self._latest for batch in batches if batch.kind == "keystroke")
        pairs = [_latest(pulses) for pulses in ledger.pulses if len(pulses) >= 2]
        shares = [(b.cpu_ns - a.cpu_ns) / (b.at_ns - a.at_ns) for a, b in pairs]
        heard = sum((b.heard_bytes - a.heard_bytes) / (b.at_ns - a.at_ns) * 1e9 for a, b in pairs)
        return Snapshot(
            seconds=at_ns / 1e9,
            stage=stage,
            doing=doing,
            up=ledger.up,
            wanted=wanted,
            arrivals=self._per_second("start"),
            keys=self._per_second("keystroke"),
            last=last.summary(),
            overall=self._keys.summary(),
            starts=self._starts.summary(),
            waiting=sum(pulses[-1].waiting for pulses in ledger.pulses if pulses),
            failed=sum(len(batch.noted) for batches in ledger.batches.values() for batch in batches),
            lost=len(ledger.lost) + sum(death.sessions for death in ledger.deaths),
            heard_bytes=heard,
            server_pss_bytes=next((r.pss_bytes for r in reversed(ledger.readings) if r.pss_bytes is not None), None),
            server_cpu=_server_share(ledger),
            client_cpu=max(shares, default=0.0),
        )

    def _per_second(self, kind: str) -> float:
        """Operations of a kind that ended well."""
        return sum(
            (len(batch.due) // 8 - len(batch.noted)) / seconds
            for seconds, batches in self._latest
            for batch in batches
            if batch.kind == kind
        )


def _latest(pulses: Sequence[Heartbeat]) -> tuple[Heartbeat, Heartbeat]:
    """The last pulse and one before it, far enough apart to compute a rate."""
    last = pulses[-1]
    before = next((each for each in reversed(pulses) if last.at_ns - each.at_ns >= _APART_NS), pulses[0])
    return (before, last) if before.at_ns < last.at_ns else (before, last._replace(at_ns=before.at_ns + 1))


def _server_share(ledger: Collector) -> float | None:
    if len(ledger.readings) < 2:
        return None
    before, after = ledger.readings[-2:]
    return max(0, after.cpu_ns - before.cpu_ns) / max(1, after.at_ns - before.at_ns)
