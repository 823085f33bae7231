"""Time series of a load: one value per second, for the charts of a report. Times are ns since the start of the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from web_terminal_suite.bench.clock import SECOND_NS
from web_terminal_suite.bench.samples import TimeSeries
from web_terminal_suite.bench.stats.quantiles import PERCENTILES, quantile
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from web_terminal_suite.bench.load.collector import Collector, Heartbeat
    from web_terminal_suite.bench.load.operations import Operations

    Counter = Sequence[tuple[int, float]]
    """Readings of a counter: time in ns, value."""

    Values = list[float | None]
    """One per second; ``None`` where there is none."""

_DRAWN: Final = ("p50", "p95", "p99")


def of_stage(
    collector: Collector, operations: dict[str, Operations], first_ns: int, end_ns: int
) -> tuple[TimeSeries, ...]:
    """Every time series of a stage, from the second in which it began to the last complete one."""
    first = first_ns // SECOND_NS
    seconds = range(first, max(first + 1, end_ns // SECOND_NS))
    x = [float(second) for second in seconds]
    lines = [*_latencies(operations, seconds), *_counts(collector, operations, seconds), *_usage(collector, seconds)]
    return tuple(
        TimeSeries(chart=chart, name=name, unit=unit, x=x, y=y)
        for chart, name, unit, y in lines
        if any(each is not None for each in y)
    )


def _latencies(operations: dict[str, Operations], seconds: range) -> list[tuple[str, str, str, Values]]:
    return [
        (chart, name, "ns", values)
        for kind, chart in (("keystroke", "Keystroke latency"), ("start", "Session start"))
        if kind in operations
        for name, values in percentiles(operations[kind], seconds).items()
    ]


def _counts(
    collector: Collector, operations: dict[str, Operations], seconds: range
) -> list[tuple[str, str, str, Values]]:
    up: Values = [float(each) for each in _sessions_up(collector.heartbeats, seconds)]
    rates = [
        ("Rate", name, "/s", _succeeded(operations[kind], seconds))
        for kind, name in (("start", "sessions started"), ("keystroke", "keys echoed"))
        if kind in operations
    ]
    return [
        ("Sessions", "up", "", up),
        *rates,
        ("Errors", "failed", "/s", _failed(operations, seconds)),
        ("Errors", "lost sessions", "/s", _lost(collector, seconds)),
    ]


def _usage(collector: Collector, seconds: range) -> list[tuple[str, str, str, Values]]:
    samples, heartbeats = collector.server_samples, collector.heartbeats
    pss = [(each.at_ns, float(each.pss_bytes)) for each in samples if each.pss_bytes is not None]
    server_cpu = [(each.at_ns, each.cpu_ns) for each in samples]
    client_cpu = [[(each.at_ns, each.cpu_ns) for each in generator] for generator in heartbeats]
    received = [[(each.at_ns, each.received_bytes) for each in generator] for generator in heartbeats]
    return [
        ("Server memory", "PSS", "B", _last_reading(pss, seconds)),
        ("Processor time", "server", "%", _cpu_percent([server_cpu], seconds, sum)),
        ("Processor time", "busiest client", "%", _cpu_percent(client_cpu, seconds, max)),
        ("Output", "heard by clients", "B/s", _total_rate(received, seconds)),
    ]


def percentiles(operations: Operations, seconds: range) -> dict[str, Values]:
    """By name, those of the operations due in each second; ``None`` where none was, or where that one failed."""
    latency_ns = operations.latency_ns
    found: dict[str, Values] = {name: [] for name in (*_DRAWN, "max")}
    for second in seconds:
        first, end = operations.between(second * SECOND_NS, (second + 1) * SECOND_NS)
        if first == end:
            for values in found.values():
                values.append(None)
            continue
        series = Series(latency_ns[first:end])
        for name in _DRAWN:
            found[name].append(_finite(quantile(series, PERCENTILES[name])))
        found["max"].append(_finite(float(series.values[-1])))
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def interpolate(counter: Counter, at_ns: Sequence[int]) -> npt.NDArray[np.float64]:
    """The value of a counter at each time, linear between its readings; 0 if it was never read."""
    if not counter:
        return np.zeros(len(at_ns))
    x, y = zip(*counter, strict=True)
    values: npt.NDArray[np.float64] = np.interp(at_ns, x, y)
    return values


def _sessions_up(heartbeats: Sequence[Sequence[Heartbeat]], seconds: range) -> npt.NDArray[np.int64]:
    """Sessions that were up at the end of each second."""
    ends = np.array([(second + 1) * SECOND_NS for second in seconds])
    total = np.zeros(len(seconds), np.int64)
    for generator in heartbeats:
        # A heartbeat is sent shortly after its second has ended.
        times = np.array([each.at_ns - SECOND_NS // 2 for each in generator])
        counts = np.array([0, *(each.up for each in generator)])
        total += counts[np.searchsorted(times, ends, side="right")]
    return total


def _succeeded(operations: Operations, seconds: range) -> Values:
    return _count_per_second(np.delete(operations.seen, list(operations.failures)), seconds)


def _failed(operations: dict[str, Operations], seconds: range) -> Values:
    seen = [each.seen[list(each.failures)] for each in operations.values() if each.failures]
    return _count_per_second(np.concatenate(seen) if seen else np.zeros(0, np.int64), seconds)


def _lost(collector: Collector, seconds: range) -> Values:
    times = [each.at_ns for each in collector.lost]
    times += [failure.at_ns for failure in collector.failures for _ in range(failure.sessions)]
    return _count_per_second(np.array(times, np.int64), seconds)


def _count_per_second(times_ns: npt.NDArray[np.int64], seconds: range) -> Values:
    bounds = np.arange(seconds.start, seconds.stop + 1) * SECOND_NS
    return [float(each) for each in np.histogram(times_ns, bounds)[0]]


def _last_reading(readings: Counter, seconds: range) -> Values:
    """The last reading in each second."""
    found: dict[int, float] = {}
    for at_ns, value in readings:
        # A reading is taken shortly after its second has ended.
        found[max(0, round(at_ns / SECOND_NS) - 1)] = value
    return [found.get(second) for second in seconds]


def _cpu_percent(counters: Sequence[Counter], seconds: range, combine: Callable[[list[float]], float]) -> Values:
    """Percent of a core in each second, ``combine`` applied to all processes."""
    rates = [_rate(each, seconds) for each in counters if len(each) >= 2]
    if not rates:
        return [None for _ in seconds]
    return [100 * combine([float(rate[number]) for rate in rates]) / SECOND_NS for number in range(len(seconds))]


def _total_rate(counters: Sequence[Counter], seconds: range) -> Values:
    total = sum((_rate(each, seconds) for each in counters if len(each) >= 2), np.zeros(len(seconds)))
    return [float(each) for each in total]


def _rate(counter: Counter, seconds: range) -> npt.NDArray[np.float64]:
    bounds = [second * SECOND_NS for second in range(seconds.start, seconds.stop + 1)]
    return np.maximum(0, np.diff(interpolate(counter, bounds)))
