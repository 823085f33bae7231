"""The metrics of a load: their names in thresholds, and the row and unit of each in a record."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.samples import BenchmarkFacts, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from web_terminal_suite.bench.load.behaviour import Behaviour
    from web_terminal_suite.bench.samples import Target

SUITE: Final = "load"
LEVELS: Final = f"{SUITE}/course"
"""The benchmark that holds all counts and readings of a stage, and its time series."""


class Dimension(Enum):
    """The kind of quantity: its unit in a record, and its description in an error text."""

    TIME = ("ns", "a time")
    BYTES = ("B", "a number of bytes")
    PERCENTAGE = ("%", "a percentage")
    RATE = ("/s", "a rate")
    COUNT = ("", "a number")

    @property
    def unit(self) -> str:
        return str(self.value[0])

    @property
    def description(self) -> str:
        return str(self.value[1])


class LoadMetric(NamedTuple):
    """One statistic of one metric of one benchmark. ``unit`` is that of the metric in the record."""

    benchmark: str
    metric: str
    statistic: str
    dimension: Dimension
    unit: str


class TimedOperation(NamedTuple):
    """A kind of operation whose latency is measured, as its benchmark describes it."""

    kind: str
    description: str
    limitations: str

    @property
    def benchmark(self) -> str:
        return f"{SUITE}/{self.kind}"


TIMED_OPERATIONS: Final = (
    TimedOperation(
        "start",
        "A session from the time it was due: connect, attach, until its shell has computed its prompt.",
        "Not the delay of a slow network; not a shell's start-up files if it reads none.",
    ),
    TimedOperation(
        "keystroke",
        "A key from the time it was due to its echo; the typists take turns.",
        "Not drawing. Sessions that never came up, and load generators that died, sent no keys.",
    ),
    TimedOperation(
        "reconnect",
        "From the time due: the socket is dropped, connected again and attached at the offset where output stopped.",
        "Not a restart of the server; not a page that draws what it missed.",
    ),
    TimedOperation(
        "resize",
        "From the time due: a new size and a ping after it, until the pong that shows that the size was set.",
        "Not what the program does with the new size.",
    ),
)
STATISTICS: Final = ("mean", "p50", "p95", "p99", "p99.9", "max")
LATENCY: Final = "latency"

SESSIONS, RAMP_RATE, ERRORS, ERROR_SHARE, LOST_SESSIONS = (
    "sessions", "ramp rate", "errors", "error share", "lost sessions",
)  # fmt: skip
KEYSTROKE_RATE, CLIENT_DELAY, OUTPUT_RATE = "keys", "client's delay p99", "output"
SERVER_PSS, SERVER_PSS_PER_SESSION, SERVER_CPU = "server PSS", "server PSS per session", "server CPU"
CLIENT_CPU, CLIENT_CPU_PER_KEYSTROKE = "client CPU", "client CPU per keystroke"
CLIENT_CPU_PER_START, CLIENT_PAUSE = "client CPU per start", "client's longest pause"

LEVEL_METRICS: Final[Mapping[str, tuple[str, str, Dimension]]] = {
    "sessions": (SESSIONS, "sessions", Dimension.COUNT),
    "ramp.rate": (RAMP_RATE, "sessions/s", Dimension.RATE),
    "errors": (ERRORS, "", Dimension.COUNT),
    "errors.share": (ERROR_SHARE, "%", Dimension.PERCENTAGE),
    "lost": (LOST_SESSIONS, "sessions", Dimension.COUNT),
    "keystroke.rate": (KEYSTROKE_RATE, "keys/s", Dimension.RATE),
    "output.rate": (OUTPUT_RATE, "B/s", Dimension.BYTES),
    "server.pss": (SERVER_PSS, "B", Dimension.BYTES),
    "server.pss_per_session": (SERVER_PSS_PER_SESSION, "B/session", Dimension.BYTES),
    "server.cpu": (SERVER_CPU, "%", Dimension.PERCENTAGE),
    "client.cpu": (CLIENT_CPU, "%", Dimension.PERCENTAGE),
    "client.cpu_per_keystroke": (CLIENT_CPU_PER_KEYSTROKE, "ns", Dimension.TIME),
    "client.cpu_per_start": (CLIENT_CPU_PER_START, "ns", Dimension.TIME),
    "client.delay": (CLIENT_DELAY, "ns", Dimension.TIME),
    "client.pause": (CLIENT_PAUSE, "ns", Dimension.TIME),
}
"""By name in a threshold: name and unit in the record, kind of quantity."""


def _latencies(operations: Sequence[TimedOperation]) -> dict[str, LoadMetric]:
    return {
        f"{each.kind}.{statistic}": LoadMetric(each.benchmark, LATENCY, statistic, Dimension.TIME, "ns")
        for each in operations
        for statistic in STATISTICS
    }


METRICS: Final[Mapping[str, LoadMetric]] = _latencies(TIMED_OPERATIONS) | {
    name: LoadMetric(LEVELS, metric, "level", dimension, unit)
    for name, (metric, unit, dimension) in LEVEL_METRICS.items()
}
"""Everything that can have a threshold, by its name there."""


def operations_of(behaviours: Sequence[Behaviour]) -> tuple[TimedOperation, ...]:
    """The timed operations of a load with these behaviours, which are not built in."""
    return (*TIMED_OPERATIONS, *(TimedOperation(each.name, each.description, each.limitations) for each in behaviours))


def metrics_of(behaviours: Sequence[Behaviour]) -> Mapping[str, LoadMetric]:
    """As ``METRICS``, with those of behaviours that are not built in."""
    own = operations_of(behaviours)[len(TIMED_OPERATIONS) :]
    return {**_latencies(own), **METRICS}


def describe_benchmarks(
    kinds: Sequence[str],
    parameters: tuple[str, ...],
    targets: Sequence[tuple[LoadMetric, str, Target]],
    operations: Sequence[TimedOperation] = TIMED_OPERATIONS,
) -> tuple[tuple[BenchmarkFacts, ...], dict[str, list[str]]]:
    """The benchmarks of a load, and by level metric the additional names under which its value must be recorded.

    A metric has one target per parameter, so a second threshold of the same metric needs a copy of the metric under
    another name. The first keeps the plain name, by which runs are compared.

    Args:
        kinds: the timed operations that the load performs.
        targets: metric, parameter (``*``: any), target.
    """
    metrics, copies = _with_targets(targets, operations)

    def of(benchmark: str) -> tuple[Metric, ...]:
        return tuple(metric for (of, _), metric in metrics.items() if of == benchmark)

    levels = BenchmarkFacts(
        id=LEVELS,
        description="A load second by second: sessions, rates, errors, and the cost on server and clients.",
        limitations="Not the memory and processor time of the shells, which are not part of the server.",
        parameters=parameters,
        metrics=of(LEVELS),
    )
    timed = [
        BenchmarkFacts(
            id=each.benchmark,
            description=each.description,
            limitations=each.limitations,
            parameters=parameters,
            metrics=of(each.benchmark),
        )
        for each in operations
        if each.kind in kinds
    ]
    return (levels, *timed), copies


def _with_targets(
    targets: Sequence[tuple[LoadMetric, str, Target]], operations: Sequence[TimedOperation]
) -> tuple[dict[tuple[str, str], Metric], dict[str, list[str]]]:
    """Metrics with their targets by benchmark and name, and the names of the copies of each level metric."""
    metrics = {(each.benchmark, LATENCY): Metric(name=LATENCY) for each in operations}
    for name, unit, _ in LEVEL_METRICS.values():
        metrics[LEVELS, name] = Metric(name=name, kind="level", unit=unit, exact=True)
    copies: dict[str, list[str]] = {}
    for metric, parameter, target in targets:
        name, number = metric.metric, 1
        while _has_target(metrics[metric.benchmark, name], parameter):
            number += 1
            name = f"{metric.metric} ({number})"
            if (metric.benchmark, name) not in metrics:
                metrics[metric.benchmark, name] = _copy(metrics[metric.benchmark, metric.metric], name, {})
                if metric.benchmark == LEVELS:
                    copies.setdefault(metric.metric, []).append(name)
        old = metrics[metric.benchmark, name]
        metrics[metric.benchmark, name] = _copy(old, name, {**old.targets, parameter: target})
    return metrics, copies


def _has_target(metric: Metric, parameter: str) -> bool:
    """Whether the metric already has a target for ``parameter``; ``*`` is every parameter."""
    if parameter == "*":
        return bool(metric.targets)
    return parameter in metric.targets or "*" in metric.targets


def _copy(metric: Metric, name: str, targets: dict[str, Target]) -> Metric:
    return Metric(name=name, kind=metric.kind, unit=metric.unit, exact=metric.exact, targets=targets)
