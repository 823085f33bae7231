"""What a benchmark declares, and how an operation is handed to whoever runs it.

A suite is a list of these. ``prepare`` is entered outside the clock, once for each trial; what it yields is called
again and again and gives one ``Sample`` each time, or ``OperationResult`` where it finds more (where ``reads`` holds it
is called once). Inside, only what lies between ``sent`` and ``seen`` counts; dialling before and cleanup after do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from web_terminal_suite.bench.samples import BenchmarkFacts, Metric, Point, Sample, Target
from web_terminal_suite.bench.stats import quantiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.terminals.terminal import Capability, Running
    from web_terminal_suite.client.marker import Markers

MS: Final = 1_000_000
"""Nanoseconds."""

Statistic = Literal["mean", "p50", "p95", "p99"]

_LEVEL: Final = 0.95
"""Confidence at which ``least`` wants a percentile bounded on both sides."""

_FEWEST_FOR_A_MEAN: Final = 10


@dataclass(frozen=True)
class BenchmarkContext:
    """What an operation works on: a terminal that answers, the parameter, fresh markers."""

    running: Running
    parameter: str
    markers: Markers


@dataclass(frozen=True)
class OperationResult:
    """What one operation found where that is not one sample: several, readings beside them, or both.

    Iterating gives the readings.
    """

    samples: tuple[Sample, ...] = ()
    points: tuple[Point, ...] = ()

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)


if TYPE_CHECKING:
    Operation = Callable[[], Awaitable[Sample | tuple[Point, ...] | OperationResult]]
    Prepare = Callable[[BenchmarkContext], AbstractAsyncContextManager[Operation]]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark. ``facts`` is what a report knows of it; the rest is how it is run.

    ``terminals`` need all of ``needs``. One that is ``alone`` gets a terminal started for it while no other runs.
    ``blocks`` and ``quick`` (the parameters of a quick run) bound what is dear. ``repeats`` is the number of
    operations that take the place of the run's sample size, for a benchmark whose preparation is the expensive part.
    ``seconds``, where it is not 0, is the most time for measuring that a longer run gives it; ``at_least`` operations
    are measured however long they take.
    ``full`` are the parameters that only a full run measures. ``sessions`` says how many sessions a parameter holds at
    once, so that a machine that cannot hold them is told so before the first connection.
    """

    facts: BenchmarkFacts
    needs: frozenset[Capability]
    prepare: Prepare
    reads: bool = False
    alone: bool = False
    blocks: int = 0
    quick: tuple[str, ...] | None = None
    repeats: int = 0
    seconds: float = 0.0
    full: tuple[str, ...] = ()
    sessions: Callable[[str], int] | None = None
    at_least: int = 1

    @property
    def id(self) -> str:
        return self.facts.id

    def least(self, parameter: str) -> int:
        """Operations without which it, or one of its targets, cannot be judged."""
        targets = [
            target
            for metric in self.facts.metrics
            for table in (metric.targets, metric.floor_targets)
            for target in (table.get(parameter, table.get("*")),)
            if target is not None
        ]
        return max(self.at_least, *(_needed(each.statistic.removeprefix("ratio_")) for each in targets), 1)


def _needed(statistic: str) -> int:
    """Operations from which on a statistic can be judged."""
    if statistic in quantiles.PERCENTILES:
        return quantiles.needed(quantiles.PERCENTILES[statistic], _LEVEL)
    return _FEWEST_FOR_A_MEAN if statistic in ("mean", "rate") else 1


def declare(
    id: str,
    description: str,
    not_shown: str,
    prepare: Prepare,
    needs: frozenset[Capability],
    *,
    parameters: tuple[str, ...] = ("",),
    metrics: tuple[Metric, ...] = (Metric(name="latency"),),
    elements: Mapping[str, int] | None = None,
    element_unit: str = "",
    component: bool = False,
    floor: str = "",
    is_floor: bool = False,
    reads: bool = False,
    alone: bool = False,
    blocks: int = 0,
    quick: tuple[str, ...] | None = None,
    repeats: int = 0,
    seconds: float = 0.0,
    full: tuple[str, ...] = (),
    sessions: Callable[[str], int] | None = None,
    at_least: int = 1,
) -> Benchmark:
    """A benchmark from its parts. A floor does not list its needs: that a terminal is no floor is not worth a line."""
    facts = BenchmarkFacts(
        id=id,
        description=description,
        not_shown=not_shown,
        parameters=parameters,
        metrics=metrics,
        component=component,
        elements=dict(elements or {}),
        element_unit=element_unit,
        floor=floor,
        needs=() if is_floor else tuple(sorted(needs)),
    )
    return Benchmark(facts, needs, prepare, reads, alone, blocks, quick, repeats, seconds, full, sessions, at_least)


def below(statistic: Statistic, limit_ms: float, goal_ms: float, text: str, *, key: str = "*") -> dict[str, Target]:
    """A target in milliseconds on one statistic, for every parameter or for ``key``."""
    return {key: Target(statistic=statistic, limit=limit_ms * MS, goal=goal_ms * MS, text=text)}


def sample(sent_ns: int, seen_ns: int, **marks: int) -> Sample:
    """One operation of a closed loop that went well: due when sent."""
    return Sample(due_ns=sent_ns, sent_ns=sent_ns, seen_ns=seen_ns, marks=marks)
