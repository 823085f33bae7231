"""Records of known content for the tests of analysis, report and record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench.samples import (
    SCHEMA,
    BenchmarkFacts,
    Cell,
    CpuUsage,
    Metric,
    Outcome,
    Phase,
    Point,
    Run,
    Sample,
    Target,
    TerminalFacts,
    Trial,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MS = 1_000_000
SUITE = "suite/benchmark"
OURS = TerminalFacts(name="ours", version="1", role="subject", capabilities=("create API",))
PEER = TerminalFacts(name="peer", version="2", role="subject")
FLOOR = TerminalFacts(name="floor", version="3", role="floor")
KNOWN = TerminalFacts(name="known", version="4", role="known")
P95_100_MS = Target(statistic="p95", limit=100.0 * MS, goal=3.0 * MS, text="p95 < 100 ms")


def samples(latencies_ns: Iterable[int], phase: Phase = Phase.MEASURE, outcome: Outcome = Outcome.OK) -> list[Sample]:
    """One operation after the other, each sent when due."""
    found, now = [], 1_000
    for latency in latencies_ns:
        reason = "" if outcome is Outcome.OK else "no marker"
        found.append(
            Sample(due_ns=now, sent_ns=now, seen_ns=now + latency, phase=phase, outcome=outcome, reason=reason)
        )
        now += latency + 10
    return found


def trial(
    of: Sequence[Sample] = (),
    *,
    benchmark: str = SUITE,
    parameter: str = "",
    terminal: str = "ours",
    block: int = 0,
    client: float = 0.1,
    points: Sequence[Point] = (),
    problem: str = "",
    warnings: tuple[str, ...] = (),
) -> Trial:
    """A trial of one second in which the client used ``client`` of a core."""
    return Trial(
        cell=Cell(benchmark, parameter, terminal),
        block=block,
        samples=tuple(of),
        points=tuple(points),
        usage=CpuUsage(elapsed_ns=10**9, client_cpu_ns=int(client * 10**9), server_cpu_ns=3 * 10**8),
        problem=problem,
        warnings=warnings,
    )


def blocks(of: Sequence[Sample], count: int = 5, **more: Any) -> list[Trial]:
    """``of`` dealt out to blocks in turn, each a trial as ``trial`` has it."""
    return [trial(of[number::count], block=number, **more) for number in range(count)]


def facts(*metrics: Metric, id: str = SUITE, **more: object) -> BenchmarkFacts:
    """A benchmark; by default with one latency that must keep p95 < 100 ms, goal 3 ms."""
    found = metrics or (Metric(name="latency", targets={"*": P95_100_MS}),)
    return BenchmarkFacts(id=id, description="one operation", limitations="much", metrics=found, **more)  # type: ignore[arg-type]


def run(
    *trials: Trial,
    benchmarks: Sequence[BenchmarkFacts] = (),
    terminals: Sequence[TerminalFacts] = (OURS, FLOOR),
    seed: int = 7,
    planned: Sequence[Cell] = (),
    interrupted: bool = False,
) -> Run:
    return Run(
        schema=SCHEMA,
        started="2026-01-01T00:00:00Z",
        seed=seed,
        options={"quick": True},
        machine={"warnings": []},
        terminals=tuple(terminals),
        benchmarks=tuple(benchmarks) or (facts(),),
        trials=tuple(trials),
        planned=tuple(planned),
        interrupted=interrupted,
    )
