"""What a load measures, by the names that people expect things of: which row of the results each one is."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.samples import BenchmarkFacts, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from web_terminal_suite.bench.samples import Target

SUITE: Final = "load"
COURSE: Final = f"{SUITE}/course"
"""The row of everything that is counted or read, with its course over time."""


class Dimension(Enum):
    """What kind of number: its unit in a record, and words for it."""

    TIME = ("ns", "a time")
    BYTES = ("B", "a number of bytes")
    PART = ("%", "a part of a hundred")
    RATE = ("/s", "a rate")
    COUNT = ("", "a number")

    @property
    def unit(self) -> str:
        return str(self.value[0])

    @property
    def words(self) -> str:
        return str(self.value[1])


class LoadMetric(NamedTuple):
    """One statistic of one metric of one benchmark. ``unit`` is the metric's in the record."""

    benchmark: str
    metric: str
    statistic: str
    dimension: Dimension
    unit: str


class TimedOperation(NamedTuple):
    """A kind of operation: its benchmark, what that measures, what it does not show."""

    kind: str
    description: str
    limitations: str


TIMED: Final = (
    TimedOperation(
        "start",
        "A session from the moment it was due: dial, attach, until its shell has computed its prompt.",
        "Not what a person waits for behind a slow network; not a shell's start-up files where it reads none.",
    ),
    TimedOperation(
        "keystroke",
        "A key from the moment it was due to its echo, typed in turn by those who type.",
        "Not drawing. Keys of sessions that never came up, or of a client process that died, were never sent.",
    ),
    TimedOperation(
        "reconnect",
        "A socket dropped without a word, dialled anew and attached where output stopped, from the moment due.",
        "Not a server that was restarted; not a page that draws what it missed.",
    ),
    TimedOperation(
        "resize",
        "A new size and a ping behind it, from the moment due to the pong that says the size was set.",
        "Not what the program does with it.",
    ),
)
STATISTICS: Final = ("mean", "p50", "p95", "p99", "p99.9", "max")
LATENCY: Final = "latency"

SESSIONS, RAMP_RATE, ERRORS, ERROR_SHARE, LOST = "sessions", "ramp rate", "errors", "error share", "lost sessions"
KEY_RATE, LATE, OUTPUT_RATE = "keys", "client's delay p99", "output"
PSS, PSS_PER_SESSION, SERVER_CPU = "server PSS", "server PSS per session", "server CPU"
CLIENT_CPU, CLIENT_KEY, CLIENT_START = "client CPU", "client CPU per keystroke", "client CPU per start"
CLIENT_PAUSE = "client's longest pause"

LEVELS: Final[Mapping[str, tuple[str, str, Dimension]]] = {
    "sessions": (SESSIONS, "sessions", Dimension.COUNT),
    "ramp.rate": (RAMP_RATE, "sessions/s", Dimension.RATE),
    "errors": (ERRORS, "", Dimension.COUNT),
    "errors.share": (ERROR_SHARE, "%", Dimension.PART),
    "lost": (LOST, "sessions", Dimension.COUNT),
    "keystroke.rate": (KEY_RATE, "keys/s", Dimension.RATE),
    "output.rate": (OUTPUT_RATE, "B/s", Dimension.BYTES),
    "server.pss": (PSS, "B", Dimension.BYTES),
    "server.pss_per_session": (PSS_PER_SESSION, "B/session", Dimension.BYTES),
    "server.cpu": (SERVER_CPU, "%", Dimension.PART),
    "client.cpu": (CLIENT_CPU, "%", Dimension.PART),
    "client.cpu_per_keystroke": (CLIENT_KEY, "ns", Dimension.TIME),
    "client.cpu_per_start": (CLIENT_START, "ns", Dimension.TIME),
    "client.delay": (LATE, "ns", Dimension.TIME),
    "client.pause": (CLIENT_PAUSE, "ns", Dimension.TIME),
}
"""By the name to expect something of: the metric in the record, its unit, what kind of number it is."""

MEASURES: Final[Mapping[str, LoadMetric]] = {
    f"{each.kind}.{statistic}": LoadMetric(f"{SUITE}/{each.kind}", LATENCY, statistic, Dimension.TIME, "ns")
    for each in TIMED
    for statistic in STATISTICS
} | {name: LoadMetric(COURSE, metric, "level", dimension, unit) for name, (metric, unit, dimension) in LEVELS.items()}


def described(
    kinds: Sequence[str], parameters: tuple[str, ...], targets: Sequence[tuple[LoadMetric, str, Target]]
) -> tuple[tuple[BenchmarkFacts, ...], dict[str, list[str]]]:
    """The benchmarks of a load, and by metric of the course the further names its readings are needed under.

    A metric has one target for each parameter, so a second expectation of the same metric gets a metric of its own;
    the first keeps the plain name, by which runs are compared.

    Args:
        targets: measure, parameter (``*``: any), target.
    """
    metrics: dict[tuple[str, str], Metric] = {}
    for each in TIMED:
        metrics[f"{SUITE}/{each.kind}", LATENCY] = Metric(name=LATENCY)
    for name, unit, _ in LEVELS.values():
        metrics[COURSE, name] = Metric(name=name, kind="level", unit=unit, exact=True)
    further: dict[str, list[str]] = {}
    for measure, parameter, target in targets:
        name, number = measure.metric, 1
        while any(key in metrics[measure.benchmark, name].targets for key in {parameter, "*"}) or (
            parameter == "*" and metrics[measure.benchmark, name].targets
        ):
            number += 1
            name = f"{measure.metric} ({number})"
            if (measure.benchmark, name) not in metrics:
                metrics[measure.benchmark, name] = _renamed(metrics[measure.benchmark, measure.metric], name)
                if measure.benchmark == COURSE:
                    further.setdefault(measure.metric, []).append(name)
        old = metrics[measure.benchmark, name]
        metrics[measure.benchmark, name] = Metric(
            name=old.name, kind=old.kind, unit=old.unit, exact=old.exact, targets={**old.targets, parameter: target}
        )

    def of(benchmark: str) -> tuple[Metric, ...]:
        return tuple(metric for (of, _), metric in metrics.items() if of == benchmark)

    course = BenchmarkFacts(
        id=COURSE,
        description="A load second by second: sessions, rates, errors, and what server and client took for it.",
        limitations="Not the shells' memory and processor time, which are apart from the server's.",
        parameters=parameters,
        metrics=of(COURSE),
    )
    timed = [
        BenchmarkFacts(
            id=f"{SUITE}/{each.kind}",
            description=each.description,
            limitations=each.limitations,
            parameters=parameters,
            metrics=of(f"{SUITE}/{each.kind}"),
        )
        for each in TIMED
        if each.kind in kinds
    ]
    return (course, *timed), further


def _renamed(metric: Metric, name: str) -> Metric:
    return Metric(name=name, kind=metric.kind, unit=metric.unit, exact=metric.exact)
