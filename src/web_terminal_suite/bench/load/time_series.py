"""A load over time, second by second: the lines of a report's charts. Moments are ns of the load, seconds its own."""

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

_DRAWN: Final = ("p50", "p95", "p99")


def of_stage(
    ledger: Collector, operations: dict[str, Operations], first_ns: int, end_ns: int
) -> tuple[TimeSeries, ...]:
    """Every line of a stage, from the second in which it began to the last that is whole."""
    first = first_ns // SECOND_NS
    seconds = range(first, max(first + 1, end_ns // SECOND_NS))
    x = [float(second) for second in seconds]
    found: list[TimeSeries] = []

    def line(chart: str, name: str, unit: str, y: list[float | None]) -> None:
        if any(each is not None for each in y):
            found.append(TimeSeries(chart=chart, name=name, unit=unit, x=x, y=y))

    for kind, chart in (("keystroke", "Keystroke latency"), ("start", "Session start")):
        if kind in operations:
            for name, values in percentiles(operations[kind], seconds).items():
                line(chart, name, "ns", values)
    line("Sessions", "up", "", [float(each) for each in _up(ledger.pulses, seconds)])
    for kind, name in (("start", "sessions started"), ("keystroke", "keys echoed")):
        if kind in operations:
            line("Rate", name, "/s", _ended(operations[kind], seconds))
    line("Errors", "failed", "/s", _failed(operations, seconds))
    line("Errors", "lost sessions", "/s", _lost(ledger, seconds))
    weighed = [(each.at_ns, float(each.pss_bytes)) for each in ledger.readings if each.pss_bytes is not None]
    line("Server memory", "PSS", "B", _latest(weighed, seconds))
    server = [(each.at_ns, each.cpu_ns) for each in ledger.readings]
    line("Processor time", "server", "%", _shares([server], seconds, sum))
    clients = [[(each.at_ns, each.cpu_ns) for each in pulses] for pulses in ledger.pulses]
    line("Processor time", "busiest client", "%", _shares(clients, seconds, max))
    heard = [[(each.at_ns, each.heard_bytes) for each in pulses] for pulses in ledger.pulses]
    line("Output", "heard by clients", "B/s", _rates(heard, seconds))
    return tuple(found)


def percentiles(operations: Operations, seconds: range) -> dict[str, list[float | None]]:
    """By name, those of the operations due in each second; ``None`` where none was, or where that one failed."""
    took = operations.took
    found: dict[str, list[float | None]] = {name: [] for name in (*_DRAWN, "max")}
    for second in seconds:
        first, end = operations.between(second * SECOND_NS, (second + 1) * SECOND_NS)
        if first == end:
            for values in found.values():
                values.append(None)
            continue
        series = Series(took[first:end])
        for name in _DRAWN:
            found[name].append(_finite(quantile(series, PERCENTILES[name])))
        found["max"].append(_finite(float(series.values[-1])))
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def at(moments: Sequence[tuple[int, float]], when_ns: Sequence[int]) -> npt.NDArray[np.float64]:
    """A counter that was read at ``moments``, in between them along a straight line."""
    if not moments:
        return np.zeros(len(when_ns))
    x, y = zip(*moments, strict=True)
    found: npt.NDArray[np.float64] = np.interp(when_ns, x, y)
    return found


def _up(pulses: Sequence[Sequence[Heartbeat]], seconds: range) -> npt.NDArray[np.int64]:
    """Sessions at the end of each second."""
    ends = np.array([(second + 1) * SECOND_NS for second in seconds])
    total = np.zeros(len(seconds), np.int64)
    for shard in pulses:
        # A tick comes a moment after its second.
        moments = np.array([each.at_ns - SECOND_NS // 2 for each in shard])
        counts = np.array([0, *(each.up for each in shard)])
        total += counts[np.searchsorted(moments, ends, side="right")]
    return total


def _ended(operations: Operations, seconds: range) -> list[float | None]:
    fine = np.delete(operations.seen, list(operations.noted))
    return _counted(fine, seconds)


def _failed(operations: dict[str, Operations], seconds: range) -> list[float | None]:
    seen = [each.seen[list(each.noted)] for each in operations.values() if each.noted]
    return _counted(np.concatenate(seen) if seen else np.zeros(0, np.int64), seconds)


def _lost(ledger: Collector, seconds: range) -> list[float | None]:
    moments = [each.at_ns for each in ledger.lost]
    moments += [death.at_ns for death in ledger.deaths for _ in range(death.sessions)]
    return _counted(np.array(moments, np.int64), seconds)


def _counted(moments_ns: npt.NDArray[np.int64], seconds: range) -> list[float | None]:
    borders = np.arange(seconds.start, seconds.stop + 1) * SECOND_NS
    return [float(each) for each in np.histogram(moments_ns, borders)[0]]


def _latest(moments: Sequence[tuple[int, float]], seconds: range) -> list[float | None]:
    """The last reading in each second, ``None`` where there was none."""
    found: dict[int, float] = {}
    for at_ns, value in moments:
        # A reading comes a moment after its second.
        found[max(0, round(at_ns / SECOND_NS) - 1)] = value
    return [found.get(second) for second in seconds]


def _shares(
    counters: Sequence[Sequence[tuple[int, float]]], seconds: range, together: Callable[[list[float]], float]
) -> list[float | None]:
    """Per cent of a core in each second, ``together`` for all of the processes."""
    rates = [_rate(each, seconds) for each in counters if len(each) >= 2]
    if not rates:
        return [None for _ in seconds]
    return [100 * together([float(rate[place]) for rate in rates]) / SECOND_NS for place in range(len(seconds))]


def _rates(counters: Sequence[Sequence[tuple[int, float]]], seconds: range) -> list[float | None]:
    total = sum((_rate(each, seconds) for each in counters if len(each) >= 2), np.zeros(len(seconds)))
    return [float(each) for each in total]


def _rate(moments: Sequence[tuple[int, float]], seconds: range) -> npt.NDArray[np.float64]:
    borders = [second * SECOND_NS for second in range(seconds.start, seconds.stop + 1)]
    return np.maximum(0, np.diff(at(moments, borders)))
