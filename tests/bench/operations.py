"""Operations of benchmarks done by hand, for tests that ask what one is and not how fast it is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult
from web_terminal_suite.bench.samples import Outcome, Sample
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import Benchmark
    from web_terminal_suite.bench.terminals.terminal import Running

_markers = Markers(random.Random(7))


def context_on(running: Running, parameter: str = "") -> BenchmarkContext:
    return BenchmarkContext(running, parameter, _markers)


async def operated(benchmark: Benchmark, running: Running, parameter: str = "", times: int = 2) -> OperationResult:
    """Everything found by ``times`` operations; every sample a good one, and nothing left behind."""
    before = await running.steady_footprint()
    samples: list[Sample] = []
    points = []
    async with benchmark.prepare(context_on(running, parameter)) as operate:
        for _ in range(1 if benchmark.one_shot else times):
            result = await operate()
            if isinstance(result, Sample):
                result = OperationResult((result,))
            samples += result.samples
            points += result.points
    left, _ = await running.residue(before)
    assert left == "", (benchmark.id, parameter)
    names = {metric.name for metric in benchmark.facts.metrics}
    assert {point.metric for point in points} <= names, (benchmark.id, parameter)
    marks = {metric.mark for metric in benchmark.facts.metrics if metric.mark}
    for sample in samples:
        assert (sample.outcome, sample.reason) == (Outcome.OK, ""), (benchmark.id, parameter)
        assert sample.due_ns <= sample.sent_ns < sample.seen_ns
        assert set(sample.marks) <= marks
        assert all(sample.sent_ns < mark <= sample.seen_ns for mark in sample.marks.values())
    return OperationResult(tuple(samples), tuple(points))


def readings(found: OperationResult, metric: str) -> list[float]:
    return [point.y for point in found.points if point.metric == metric]
