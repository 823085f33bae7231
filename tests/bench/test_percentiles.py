"""Every percentile that the suite computes outside ``bench.stats``, on uneven data, against its definition.

No two values are alike, so that a wrong quantile, or a rank that is off by one, is another value.
"""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from tests.bench import naive
from web_terminal_suite.bench import calibration
from web_terminal_suite.bench.benchmark import Benchmark
from web_terminal_suite.bench.samples import Metric, Sample, Target
from web_terminal_suite.bench.stats.histogram import RELATIVE_WIDTH, LogHistogram
from web_terminal_suite.bench.suites import concurrent_load, interactive, websocket_throughput
from web_terminal_suite.bench.terminals.delays import delays_ns, kind_of
from web_terminal_suite.bench.workload import mixed, ramp

SECOND_NS = 1_000_000_000
COUNTS = (1, 2, 3, 20, 21, 99, 100, 101)
NAMED = (("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("p99.9", "0.999"))


def uneven(count: int, seed: int = 1) -> list[int]:
    """Distinct latencies in ns, in no order, with a long tail."""
    values = [1_000_000 + 7_000 * place + 300 * place**2 for place in range(count)]
    random.Random(seed).shuffle(values)
    return values


def samples(latencies: list[int], due_ns: int = 0) -> tuple[Sample, ...]:
    return tuple(Sample(due_ns, due_ns + 1, due_ns + each) for each in latencies)


@pytest.mark.parametrize("count", COUNTS)
def test_session_start_of_a_ramp(count):
    result = ramp.RampResult([], list(samples(uneven(count))), [])
    assert result.start_p95_ns == naive.quantile(uneven(count), "0.95")


@pytest.mark.parametrize("count", COUNTS)
def test_typing_under_a_flood(count):
    assert interactive.p95_ns(samples(uneven(count))) == naive.quantile(uneven(count), "0.95")


@pytest.mark.parametrize("count", COUNTS)
def test_kinds_of_a_mixed_workload(count):
    latencies = {kind: uneven(count, seed) for seed, kind in enumerate(mixed.KINDS)}
    done = [mixed.ActionResult(kind, each) for kind, values in latencies.items() for each in samples(values)]
    points = {point.metric: point.y for point in mixed.result_of(done).points}
    for kind, values in latencies.items():
        # Fewer than six do not bound a median.
        assert points.get(f"{kind} p50") == (naive.quantile(values, "0.5") if count >= 6 else None)


@pytest.mark.parametrize("count", COUNTS)
def test_seconds_of_sustained_throughput(count):
    latencies = [uneven(count, second) for second in range(10)]
    every = [each for second, values in enumerate(latencies) for each in samples(values, second * SECOND_NS)]
    points = [point for point in concurrent_load.by_second(every, 0, 10) if point.metric == "p95 over time"]
    # Fewer than 72 do not bound a p95.
    assert [(point.x, point.y) for point in points] == [
        (second, naive.quantile(values, "0.95")) for second, values in enumerate(latencies) if count >= 72
    ]


@pytest.mark.parametrize("count", COUNTS)
def test_half_of_the_clients_of_one_operation(count):
    found = concurrent_load.until_last(5, uneven(count))
    assert (found.marks["half"], found.seen_ns) == (naive.quantile(uneven(count), "0.5"), max(uneven(count)))


@pytest.mark.parametrize("count", COUNTS)
def test_messages_of_a_stream(count):
    points = {point.metric: point.y for point in websocket_throughput.message_points(uneven(count))}
    assert points == {
        "messages": count,
        "median message": naive.quantile(uneven(count), "0.5"),
        "largest message": max(uneven(count)),
    }


@pytest.mark.parametrize("count", COUNTS)
def test_recovery_of_known_delays(count):
    pairs = []
    for set_ns, late, own, other in zip(delays_ns(1), uneven(count), uneven(count, 2), uneven(count, 3), strict=False):
        client = calibration.Exchange(0, 0, set_ns + late, set_ns + late + own)
        pairs.append(calibration.PairedExchange(set_ns, client, client._replace(seen_ns=set_ns + late + other)))
    for found in calibration.judge(pairs).differences:
        of_kind = [each.difference_ns for each in pairs if kind_of(each.set_ns) is found.kind]
        assert found.median_ns == naive.quantile(of_kind, "0.5")
    calibration.check_percentiles([each.client.measured_ns for each in pairs])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("failed", [0, 1])
def test_percentiles_of_a_histogram(count, failed):
    histogram = LogHistogram()
    values = uneven(count)
    histogram.add(np.array(values[: count // 2], dtype=np.int64))
    histogram.add(np.array(values[count // 2 :], dtype=np.int64), failed)
    assert len(histogram) == count + failed
    assert histogram.largest == (math.inf if failed else max(values))
    for _, q in NAMED:
        exact = naive.quantile([*values, *[math.inf] * failed], q)
        assert histogram.quantile(float(q)) == pytest.approx(exact, rel=RELATIVE_WIDTH / 2)


def test_a_histogram_of_values_far_apart_shows_each_rank():
    histogram = LogHistogram()
    values = [round(1_000 * 1.05**place) for place in range(200)]
    histogram.add(np.array(values, dtype=np.int64))
    for hundredth in range(1, 100):
        exact = naive.quantile(values, f"0.{hundredth:02}")
        assert histogram.quantile(hundredth / 100) == pytest.approx(exact, rel=RELATIVE_WIDTH / 2 + 1e-3)


def test_an_empty_histogram_has_no_percentile():
    assert LogHistogram().largest == 0
    with pytest.raises(ValueError, match="at least one value"):
        LogHistogram().quantile(0.5)


@pytest.mark.parametrize(
    ("statistic", "needed"), [("p50", 6), ("p95", 72), ("p99", 368), ("p99.9", 3_688), ("mean", 10), ("level", 1)]
)
def test_operations_that_a_target_needs(statistic, needed):
    metric = Metric(name="latency", targets={"*": Target(statistic=statistic, limit=1.0)})
    benchmark = Benchmark(
        id="suite/name", description="", limitations="", prepare=None, needs=frozenset(), metrics=(metric,)
    )
    assert benchmark.operations_needed("") == needed
    metric = Metric(name="latency", floor_targets={"1": Target(statistic=f"ratio_{statistic}", limit=1.0)})
    benchmark = Benchmark(
        id="suite/name", description="", limitations="", prepare=None, needs=frozenset(), metrics=(metric,)
    )
    assert (benchmark.operations_needed("1"), benchmark.operations_needed("2")) == (needed, 1)
