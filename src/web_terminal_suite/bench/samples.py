"""The record: what was measured, before any arithmetic.

A *run* holds *trials*; a trial is one block of *samples* of one *cell* (benchmark, parameter, terminal) and carries
what the machine did meanwhile. All times are integer nanoseconds of one monotonic clock in one process. A failed
operation is a sample too, with its outcome; warm-up is kept and labelled.

Knows nothing of statistics, benchmarks or terminals. The file format is documented in ``docs/benchmarks.md``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

SCHEMA = "web-terminal-bench/1"

ABORTED = "aborted"
"""The option of a run that names the threshold for which a load was ended before its plan was."""


class Outcome(StrEnum):
    OK = "ok"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    WRONG = "wrong"
    REFUSED = "refused"


class Phase(StrEnum):
    WARMUP = "warmup"
    MEASURE = "measure"


class Cell(msgspec.Struct, frozen=True):
    """What one row of the results is about. ``benchmark`` is ``suite/name``; ``parameter`` is ``""`` where none."""

    benchmark: str
    parameter: str
    terminal: str

    def __str__(self) -> str:
        parameter = f"/{self.parameter}" if self.parameter else ""
        return f"{self.benchmark}{parameter} [{self.terminal}]"


class Sample(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One operation. Its latency is ``seen_ns - due_ns``; in a closed loop ``due_ns == sent_ns``.

    ``marks`` are further moments on the way, each a metric of its own (absolute ns, same clock).
    ``seen_ns`` is the moment of failure where the outcome is not ok.
    """

    due_ns: int
    sent_ns: int
    seen_ns: int
    phase: Phase = Phase.MEASURE
    outcome: Outcome = Outcome.OK
    reason: str = ""
    marks: dict[str, int] = {}


class Point(msgspec.Struct, frozen=True):
    """One reading for a metric that is a line or a level: ``y`` (unit of the metric) at ``x`` (sessions)."""

    metric: str
    x: float
    y: float


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Processor time spent during a trial. ``server`` is ``None`` where there is no server process."""

    elapsed_ns: int
    client_cpu_ns: int
    server_cpu_ns: int | None = None


class FlameGraphFile(msgspec.Struct, frozen=True):
    """A flame graph of one process of the server during a trial: the file's path as the run was told to write it."""

    process: str
    path: str


class TimeSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart over time: ``y`` at ``x`` seconds into the run, ``None`` where there was nothing to read.

    Lines of one ``chart`` share its axes and ``unit``. They are for looking at: no verdict rests on them.
    """

    chart: str
    name: str
    unit: str
    x: list[float]
    y: list[float | None]


class FilmFrame(msgspec.Struct, frozen=True):
    """One frame that was displayed: when, counted from the key, and its part around what the key changed."""

    at_ns: int
    jpeg: str
    """In base64."""


class Filmstrip(msgspec.Struct, frozen=True, kw_only=True):
    """What was on the screen around one key, the slowest of those whose frames were kept as pictures."""

    latency_ns: int
    frames: tuple[FilmFrame, ...]
    """From the last one without the glyph to the first with it, in order."""
    width: int
    height: int
    """Of each, in pixels."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One block of one cell. ``problem`` says why it is void or partial; ``warnings`` stay with the result.

    ``infeasible`` says which limit of this machine the cell does not fit in: nothing was measured, nothing went wrong.
    """

    cell: Cell
    block: int
    samples: tuple[Sample, ...] = ()
    points: tuple[Point, ...] = ()
    usage: CpuUsage | None = None
    problem: str = ""
    infeasible: str = ""
    warnings: tuple[str, ...] = ()
    pictures: tuple[FlameGraphFile, ...] = ()
    courses: tuple[TimeSeries, ...] = ()
    filmstrips: tuple[Filmstrip, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A limit on one statistic of one metric, in the metric's unit.

    The statistic must lie below the limit (``below=True``, the limit itself fails) or reach it (``below=False``).
    ``limit`` is ``None`` where there is only a goal.
    """

    statistic: Literal["mean", "p50", "p95", "p99", "p99.9", "max", "slope", "level", "rate", "ratio_p50", "ratio_p95"]
    """``rate`` is elements a second; ``ratio_...`` is a percentile over the floor's, without a unit; ``max`` is the
    largest that was seen, and bounds nothing that was not."""
    limit: float | None = None
    below: bool = True
    goal: float | None = None
    text: str = ""
    """As people say it, such as ``p95 < 100 ms``."""


class Metric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure of a benchmark.

    ``latency``  ``seen_ns - due_ns`` of every operation, or up to ``mark`` where one is named.
    ``slope``    the line through this metric's points: unit of y by x.
    ``level``    this metric's points with ``x == 0``.
    """

    name: str
    kind: Literal["latency", "slope", "level"] = "latency"
    unit: str = "ns"
    mark: str = ""
    targets: dict[str, Target] = {}
    """By parameter; ``"*"`` stands for every parameter. Terminals of role ``floor`` are not judged."""
    floor_targets: dict[str, Target] = {}
    """Targets on the ratio to the floor (``ratio_p50``, ``ratio_p95``), by parameter like ``targets``."""
    exact: bool = False
    """A level that is a plain count (sessions reached): it has no error of measurement, so one reading decides."""
    step: str = ""
    """What the time up to this moment, from the step before, is spent on; benchmarks with steps have a waterfall."""
    drifts: bool = False
    """A slope over readings of one process, one after the other, whose errors add up: what changed once stays."""


class BenchmarkFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report must know of a benchmark, so that a record can be read without the code that made it."""

    id: str
    description: str
    limitations: str = msgspec.field(name="not_shown")
    parameters: tuple[str, ...] = ("",)
    metrics: tuple[Metric, ...] = ()
    component: bool = False
    elements: dict[str, int] = {}
    """Elements (or bytes) in one operation, by parameter; throughput is elements over latency."""
    element_unit: str = ""
    floor: str = ""
    """The terminal whose same cell, or the ``benchmark`` id whose cell, is this one's floor."""
    needs: tuple[str, ...] = ()
    """Capabilities a terminal must have; one that lacks any is shown as not applicable."""


class TerminalFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was measured: ``role`` is ``subject`` (ours or a peer), ``floor`` or ``known``."""

    name: str
    version: str
    role: Literal["subject", "floor", "known"]
    command: tuple[str, ...] = ()
    url: str = ""
    capabilities: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What a reader should know before comparing it, such as output it holds back on purpose."""
    missing: str = ""
    """Why it could not be measured at all, and how to get it; empty where it was."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report needs, years later."""

    schema: str
    started: str
    """RFC 3339, UTC."""
    seed: int
    options: dict[str, Any]
    machine: dict[str, Any]
    terminals: tuple[TerminalFacts, ...]
    benchmarks: tuple[BenchmarkFacts, ...]
    trials: tuple[Trial, ...]
    planned: tuple[Cell, ...] = ()
    """What should have been measured; a planned cell without a measured sample is a failure of the run."""
    interrupted: bool = False
    """The run ended before its plan did."""
    revision: str = ""
    """The commit of the checkout that the run was made in, with ``+`` where tracked files differed; empty outside."""
