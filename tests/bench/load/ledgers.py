"""Ledgers of known content: what shards would have told, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.collector import Collector, ServerSample
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.coordinator import LoadRun
from web_terminal_suite.bench.load.record import LoadPlan
from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, share
from web_terminal_suite.bench.load.thresholds import parse
from web_terminal_suite.bench.samples import Outcome, Sample, TerminalFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECOND_NS = 1_000_000_000
MS = 1_000_000
SHARDS = 2
RAMP, DURATION, TYPING, SESSIONS = 10, 12, 50, 20
"""Arrivals take two seconds, the stage begins at the third."""

BEGIN = 3
TERMINAL = TerminalFacts(name="ours", version="1", role="subject")
CPU = 0.25
"""Of a core, what each client and the server use."""


def planned(expect: Sequence[str] = (), stages: int = 1) -> LoadPlan:
    every = tuple(
        LoadStage(
            name=f"stage {number}", sessions=SESSIONS, ramp=RAMP, duration=DURATION, typing=TYPING,
            mix={Role.TYPE: share("50%")},
        )
        for number in range(stages)
    )  # fmt: skip
    load = LoadRun(scenario=Scenario(stage=every, name="test"), seed=7, shards=SHARDS)
    return LoadPlan(load, TERMINAL, tuple(("*", parse(text)) for text in expect))


def starts() -> list[Sample]:
    """One every tenth of a second, of 3.1 to 5 ms, no two alike."""
    due = [number * SECOND_NS // RAMP for number in range(SESSIONS)]
    return [Sample(at, at + MS, at + 5 * MS - 100_000 * (7 * number % SESSIONS)) for number, at in enumerate(due)]


def keys(failing: int = 0, latency_ns: int = MS) -> list[Sample]:
    """``TYPING`` a second; the last ``failing`` of them fail.

    No two are alike, so that each rank is another value: sent 40 to 100 us late, seen up to 0.6 ms before the first of
    them, whose latency is ``latency_ns``.
    """
    due = [BEGIN * SECOND_NS + number * SECOND_NS // TYPING for number in range(TYPING * DURATION)]
    count = len(due)
    found = [
        Sample(at, at + MS // 10 - 100 * (211 * number % count), at + latency_ns - 1_000 * (397 * number % count))
        for number, at in enumerate(due)
    ]
    bad = found[len(found) - failing :]
    return found[: len(found) - failing] + [
        Sample(each.due_ns, each.sent_ns, each.due_ns + MS, outcome=Outcome.CLOSED, reason="gone") for each in bad
    ]


def told(ledger: Collector, kind: str, samples: Iterable[Sample], stage: int = 0) -> None:
    """The samples, dealt to the shards, as they would have come."""
    columns = [OperationColumns(kind, stage, 0) for _ in range(SHARDS)]
    for place, sample in enumerate(samples):
        columns[place % SHARDS].note(sample)
    ledger.batches[stage, kind] += [batch for column in columns if (batch := column.taken()) is not None]


def whole(stages: int = 1, failing: int = 0, latency_ns: int = MS, end: int = BEGIN + DURATION) -> Collector:
    """Everything of one stage that went as planned."""
    ledger = Collector(SHARDS, stages)
    ledger.empty_pss_bytes = 50e6
    passed = ledger.milestones[0]
    passed.arrivals_ns, passed.arrived_ns, passed.wanted, passed.up = 0, 2 * SECOND_NS, SESSIONS, SESSIONS
    passed.playing_ns, passed.played_ns, passed.end_ns = BEGIN * SECOND_NS, end * SECOND_NS, end * SECOND_NS
    passed.full_pss_bytes = 50e6 + SESSIONS * 10_000
    told(ledger, "start", starts())
    told(ledger, "keystroke", keys(failing, latency_ns))
    for second in range(end + 1):
        at_ns = second * SECOND_NS + MS
        up = min(SESSIONS, second * RAMP)
        for shard in range(SHARDS):
            tick = messages.ProgressReport(
                at_ns=at_ns, up=up // SHARDS, waiting=0, cpu_ns=round(at_ns * CPU), pause_ns=1_000 + shard,
                heard_bytes=1_000 * second, heard_pieces=second, memory_bytes=1, batches=[], lost=[],
            )  # fmt: skip
            ledger.enter(shard, tick)
        ledger.readings.append(ServerSample(at_ns, 50_000_000 + 10_000 * up, round(at_ns * CPU)))
    return ledger
