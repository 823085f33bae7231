"""Collectors of known content: what load generators would have reported, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.collector import Collector, ServerSample
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.plan import LoadConfig, LoadPlan
from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, parse_share
from web_terminal_suite.bench.load.thresholds import parse
from web_terminal_suite.bench.samples import Outcome, Sample, TerminalFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECOND_NS = 1_000_000_000
MS = 1_000_000
GENERATORS = 2
RAMP, DURATION, TYPING, SESSIONS = 10, 12, 50, 20
"""The ramp-up takes two seconds, the plateau begins at the third."""

BEGIN = 3
TERMINAL = TerminalFacts(name="ours", version="1", role="subject")
CPU = 0.25
"""Of a core, what each client and the server use."""


def planned(expect: Sequence[str] = (), stages: int = 1) -> LoadPlan:
    every = tuple(
        LoadStage(
            name=f"stage {number}", sessions=SESSIONS, ramp=RAMP, duration=DURATION, typing=TYPING,
            mix={Role.TYPE: parse_share("50%")},
        )
        for number in range(stages)
    )  # fmt: skip
    load = LoadConfig(scenario=Scenario(stage=every, name="test"), seed=7, generators=GENERATORS)
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


def add(collector: Collector, kind: str, samples: Iterable[Sample], stage: int = 0) -> None:
    """Add samples in batches, as the generators would have reported them."""
    columns = [OperationColumns(kind, stage, 0) for _ in range(GENERATORS)]
    for place, sample in enumerate(samples):
        columns[place % GENERATORS].add(sample)
    collector.batches[stage, kind] += [batch for column in columns if (batch := column.take_batch()) is not None]


def whole(stages: int = 1, failing: int = 0, latency_ns: int = MS, end: int = BEGIN + DURATION) -> Collector:
    """Everything of one stage that went as planned."""
    collector = Collector(GENERATORS, stages)
    collector.empty_pss_bytes = 50e6
    progress = collector.stages[0]
    progress.ramp_start_ns, progress.ramp_end_ns, progress.planned, progress.up = 0, 2 * SECOND_NS, SESSIONS, SESSIONS
    progress.plateau_start_ns, progress.plateau_end_ns, progress.end_ns = (
        BEGIN * SECOND_NS,
        end * SECOND_NS,
        end * SECOND_NS,
    )
    progress.full_pss_bytes = 50e6 + SESSIONS * 10_000
    add(collector, "start", starts())
    add(collector, "keystroke", keys(failing, latency_ns))
    for second in range(end + 1):
        at_ns = second * SECOND_NS + MS
        up = min(SESSIONS, second * RAMP)
        for generator in range(GENERATORS):
            report = messages.ProgressReport(
                at_ns=at_ns, up=up // GENERATORS, pending_keys=0, cpu_ns=round(at_ns * CPU),
                gc_pause_ns=1_000 + generator, received_bytes=1_000 * second, batches=[], lost=[],
            )  # fmt: skip
            collector.add(generator, report)
        collector.server_samples.append(ServerSample(at_ns, 50_000_000 + 10_000 * up, round(at_ns * CPU)))
    return collector
