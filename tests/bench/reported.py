"""A run with all that a report can show: several terminals, failures, parameters, floors, memory, a partial cell."""

from __future__ import annotations

import numpy as np

from tests.bench.records import MS
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

OURS, PEER, FLOOR = "ours", "peer", "floor"
TERMINALS = (
    TerminalFacts(name=OURS, version="1", role="subject", command=("serve", "<b>"), capabilities=("create API",)),
    TerminalFacts(name=PEER, version="2", role="subject"),
    TerminalFacts(name=FLOOR, version="3", role="floor"),
)
SNAPSHOT = {
    "hostname": "h",
    "cpu_model": "a processor",
    "cpu_count": 4,
    "memory_total": 8_000_000_000,
    "load": [0.5, 0.25, 0.125],
    "kernel": "6.1",
    "python": "CPython 3.11",
    "packages": {"numpy": "2"},
    "clock": {"source": "tsc", "cost_ns": 40.0},
    "cpu_ticks": 100,
    "steal_ticks": 0,
}
HOSTILE = "</script><script>document.title='taken'</script><!-- <img src=x onerror=alert(1)> & \" |"
ECHO, THROUGHPUT = "interactive/keystroke_echo", "websocket_throughput/message_throughput"
LIFE, MEMORY = "session_creation/life", "concurrent_load/memory"
BENCHMARKS = (
    BenchmarkFacts(
        id=ECHO,
        description="One key until its echo has arrived.",
        limitations="Not drawing on a screen.",
        metrics=(Metric(name="latency", targets={"*": Target(statistic="p95", limit=20.0 * MS, goal=0.3 * MS)}),),
        floor=FLOOR,
    ),
    BenchmarkFacts(
        id=THROUGHPUT,
        description="So many messages until the last reply.",
        limitations="No shell.",
        parameters=("10", "100", "1000"),
        metrics=(
            Metric(name="latency", targets={"*": Target(statistic="rate", limit=10_000.0, goal=1e6, below=False)}),
        ),
        elements={"10": 10, "100": 100, "1000": 1000},
        element_unit="messages",
    ),
    BenchmarkFacts(
        id=LIFE,
        description=HOSTILE,
        limitations="Not much.",
        needs=("create API",),
        metrics=(
            Metric(name="latency", targets={"*": Target(statistic="p95", limit=1.0 * MS, goal=0.5 * MS)}),
            Metric(name="to reply", mark="reply"),
        ),
    ),
    BenchmarkFacts(
        id=MEMORY,
        description="Memory of the server over sessions.",
        limitations="Not the shells'.",
        metrics=(
            Metric(
                name="per session",
                kind="slope",
                unit="B",
                targets={"*": Target(statistic="slope", limit=100e3, goal=5e3)},
            ),
            Metric(name="at rest", kind="level", unit="B", targets={"*": Target(statistic="level", limit=100e6)}),
        ),
    ),
)


def reported(seed: int = 7, slower: float = 1.0, operations: int = 400, interrupted: bool = False) -> Run:
    """A run; ``slower`` multiplies our own latencies, ``operations`` is those of a block of ``ECHO``."""
    rng = np.random.default_rng(seed)
    clock = _Clock()
    trials = []
    for block in range(5):
        for name, median in ((OURS, 0.4 * slower), (PEER, 0.9), (FLOOR, 0.05)):
            latencies = rng.lognormal(np.log(median * MS), 0.3, operations)
            latencies[:: operations // 4] *= 30
            failing = 0.02 if name == PEER else 0.0
            trials.append(_trial(ECHO, "", name, block, clock.samples(latencies, rng, failing, warm=20)))
        for parameter in ("10", "100", "1000"):
            for name, each in ((OURS, 8e3), (PEER, 150e3)):
                latencies = int(parameter) * each * rng.lognormal(0, 0.1, 40)
                busy = 0.9 if (parameter, name) == ("1000", PEER) else 0.2
                trials.append(_trial(THROUGHPUT, parameter, name, block, clock.samples(latencies, rng), client=busy))
        latencies = 2 * MS * rng.lognormal(0, 0.1, 60)
        problem = HOSTILE if block == 1 else ""
        trials.append(_trial(LIFE, "", OURS, block, clock.samples(latencies, rng, mark=0.8), problem=problem))
        points = tuple(
            Point(metric, x, 50e6 + 9e3 * x + float(rng.normal(0, 1e5)))
            for metric in ("per session", "at rest")
            for x in (0, 100, 300, 1000)
        )
        trials.append(Trial(cell=Cell(MEMORY, "", OURS), block=block, points=points))
    warning = {"kind": "load", "seen": "load average 3", "matters": "it shows up", "remedy": "stop it"}
    return Run(
        schema=SCHEMA,
        started="2026-01-02T03:04:05+00:00",
        seed=seed,
        options={"quick": False, "confidence_level": 0.95},
        machine={"before": SNAPSHOT, "after": SNAPSHOT | {"cpu_ticks": 200, "steal_ticks": 3}, "warnings": [warning]},
        terminals=TERMINALS,
        benchmarks=BENCHMARKS,
        trials=tuple(trials),
        interrupted=interrupted,
    )


class _Clock:
    """Operations one after the other."""

    def __init__(self) -> None:
        self.now = 10**9

    def samples(self, latencies, rng, failing: float = 0.0, warm: int = 0, mark: float = 0.0) -> tuple[Sample, ...]:
        found = []
        for place, latency in enumerate(latencies):
            took = int(latency)
            outcome = Outcome.TIMEOUT if rng.random() < failing else Outcome.OK
            found.append(
                Sample(
                    due_ns=self.now,
                    sent_ns=self.now,
                    seen_ns=self.now + took,
                    phase=Phase.WARMUP if place < warm else Phase.MEASURE,
                    outcome=outcome,
                    reason="" if outcome is Outcome.OK else "no echo",
                    marks={"reply": self.now + int(mark * took)} if mark else {},
                )
            )
            self.now += took + 1000
        return tuple(found)


def _trial(
    benchmark: str, parameter: str, terminal: str, block: int, samples: tuple[Sample, ...], client: float = 0.2, **more
) -> Trial:
    elapsed = sum(sample.seen_ns - sample.due_ns for sample in samples)
    usage = CpuUsage(elapsed_ns=elapsed, client_cpu_ns=int(client * elapsed), server_cpu_ns=elapsed // 10)
    return Trial(cell=Cell(benchmark, parameter, terminal), block=block, samples=samples, usage=usage, **more)
