"""The latest figures of a load while it proceeds, in bins of one per cent. The record is exact; this is for looking."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from web_terminal_suite.bench.load import messages
    from web_terminal_suite.bench.load.collector import Collector, Heartbeat

_STEP: Final = math.log(1.01)
_BINS: Final = 4096
"""The last of them begins at years."""

_APART_NS: Final = 500_000_000

QUANTILES: Final = (0.5, 0.95, 0.99)


class LatencySummary(NamedTuple):
    """Percentiles of ``n`` latencies, ns; ``inf`` where the operation at that place failed."""

    n: int
    at: tuple[float, ...]
    largest: float


class LogHistogram:
    """Latencies by size."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._failed = 0
        self._largest = 0.0

    def add(self, batches: Iterable[messages.OperationBatch]) -> None:
        for batch in batches:
            took = np.frombuffer(batch.seen, np.int64) - np.frombuffer(batch.due, np.int64)
            fine = np.delete(took, [place for place, _, _ in batch.noted])
            self._failed += len(batch.noted)
            if fine.size:
                places = (np.log(np.maximum(fine, 1)) / _STEP).astype(np.int64)
                self._counts += np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS)
                self._largest = max(self._largest, float(fine.max()))

    def spread(self) -> LatencySummary:
        below = np.cumsum(self._counts)
        fine = int(below[-1])
        count = fine + self._failed
        ranks = [max(1, math.ceil(q * count)) for q in QUANTILES]
        # The middle of a bin, half a per cent from either end.
        at = tuple(
            math.exp((int(np.searchsorted(below, rank)) + 0.5) * _STEP) if rank <= fine else math.inf for rank in ranks
        )
        return LatencySummary(count, at if count else (), math.inf if self._failed else self._largest)


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
        self._keys = LogHistogram()
        self._starts = LogHistogram()
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
        last = LogHistogram()
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
            last=last.spread(),
            overall=self._keys.spread(),
            starts=self._starts.spread(),
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
