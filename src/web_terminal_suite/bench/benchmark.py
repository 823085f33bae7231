"""How a benchmark is declared, and how the runner is given its operation.

``prepare`` is entered once for each trial and is not timed. It yields the operation, a coroutine function that is
called again and again (once, if the benchmark is ``one_shot``) and returns a ``Sample``, or an ``OperationResult`` if
it measures more. Only the time between ``sent`` and ``seen`` of a sample counts; connecting and cleaning up do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from web_terminal_suite.bench.samples import BenchmarkFacts, Filmstrip, Metric, Point, Sample, Target
from web_terminal_suite.bench.stats import quantiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.terminals.terminal import Capability, Running
    from web_terminal_suite.client.marker import Markers

MS: Final = 1_000_000
"""Nanoseconds."""

MICROSECONDS_BLOCK: Final = 0.025
"""The ``block_seconds`` of benchmarks whose operations take microseconds."""

Statistic = Literal["mean", "p50", "p95", "p99"]

_LEVEL: Final = 0.95
"""Confidence at which ``operations_needed`` wants a percentile bounded on both sides."""

_FEWEST_FOR_A_MEAN: Final = 10


@dataclass(frozen=True)
class BenchmarkContext:
    """What an operation works on: a terminal that answers, the parameter, fresh markers."""

    running: Running
    parameter: str
    markers: Markers


@dataclass(frozen=True)
class OperationResult:
    """What one operation measured if that is not one sample: several samples, further readings, or both.

    Iterating gives the readings.
    """

    samples: tuple[Sample, ...] = ()
    points: tuple[Point, ...] = ()
    filmstrips: tuple[Filmstrip, ...] = ()
    """Kept of the warm-up too."""

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)


if TYPE_CHECKING:
    Operation = Callable[[], Awaitable[Sample | tuple[Point, ...] | OperationResult]]
    Prepare = Callable[[BenchmarkContext], AbstractAsyncContextManager[Operation]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark: what a report says of it, and how it is run.

    A suite's module has these in a tuple ``BENCHMARKS``. Parameters are text; ``""`` stands for none.
    """

    id: str
    """``suite/name``."""
    description: str
    """What one operation is, from where to where it is timed: a sentence."""
    limitations: str
    """What its figures do not show: a sentence."""
    prepare: Prepare
    needs: frozenset[Capability]
    """A terminal that lacks one of them is reported as not applicable."""

    parameters: tuple[str, ...] = ("",)
    metrics: tuple[Metric, ...] = (Metric(name="latency"),)
    elements: Mapping[str, int] = field(default_factory=dict)
    """Elements in one operation, by parameter or ``"*"``; a report divides them by the latency."""
    element_unit: str = ""
    component: bool = False
    """It times one part of our server in this process."""
    floor: str = ""
    """The benchmark, or the terminal, that does the same without what is measured."""
    is_floor: bool = False
    """It is such a floor itself, so terminals that cannot do it are not worth a line."""

    one_shot: bool = False
    """An operation is a whole measurement of its own: one is done a trial, however long that takes."""
    isolated: bool = False
    """It gets a terminal started for it, while no other runs."""
    sessions: Callable[[str], int] | None = None
    """How many sessions a parameter holds at once; a machine that cannot hold them is told so before the first."""

    quick: tuple[str, ...] | None = None
    """The parameters of a quick run; ``None`` for all."""
    full: tuple[str, ...] = ()
    """The parameters that only a full run measures."""
    one_block: tuple[str, ...] = ()
    """The parameters of which one operation takes seconds: they get one block, so their figures have no interval."""
    more_blocks: tuple[str, ...] = ()
    """The parameters with four times as many blocks, where the run's own proof needs a narrow interval."""
    repeats: int = 0
    """The number of operations in place of the run's sample size, where preparing is the expensive part; 0 for that."""
    seconds: float = 0.0
    """The most time for measuring that a long run spends on it; 0 for no such limit."""
    block_seconds: float = 0.0
    """The least time that a block goes on, where an operation takes microseconds; 0 for no such time.

    A short block is one moment of the machine, and a single slow moment among five makes an interval useless.
    """
    min_operations: int = 1
    """The number of operations that are done however long they take."""

    @cached_property
    def facts(self) -> BenchmarkFacts:
        """What a record keeps of it."""
        return BenchmarkFacts(
            id=self.id,
            description=self.description,
            limitations=self.limitations,
            parameters=self.parameters,
            metrics=self.metrics,
            component=self.component,
            elements=dict(self.elements),
            element_unit=self.element_unit,
            floor=self.floor,
            needs=() if self.is_floor else tuple(sorted(self.needs)),
        )

    def operations_needed(self, parameter: str) -> int:
        """Operations without which it, or one of its targets, cannot be judged."""
        targets = [
            target
            for metric in self.metrics
            for table in (metric.targets, metric.floor_targets)
            for target in (table.get(parameter, table.get("*")),)
            if target is not None
        ]
        return max(self.min_operations, *(_needed(each.statistic.removeprefix("ratio_")) for each in targets), 1)


def bounds_percentile(statistic: Statistic, values: int) -> bool:
    """Whether ``values`` values bound that percentile of theirs on both sides; a reading of fewer is none (rule 4)."""
    return values >= _needed(statistic)


def _needed(statistic: str) -> int:
    """Operations from which on a statistic can be judged."""
    if statistic in quantiles.PERCENTILES:
        return quantiles.needed(quantiles.PERCENTILES[statistic], _LEVEL)
    return _FEWEST_FOR_A_MEAN if statistic in ("mean", "rate") else 1


def below(statistic: Statistic, limit_ms: float, goal_ms: float, text: str, *, key: str = "*") -> dict[str, Target]:
    """A target in milliseconds on one statistic, for every parameter or for ``key``."""
    return {key: Target(statistic=statistic, limit=limit_ms * MS, goal=goal_ms * MS, text=text)}


def sample(sent_ns: int, seen_ns: int, **marks: int) -> Sample:
    """One operation of a closed loop that went well: due when sent."""
    return Sample(due_ns=sent_ns, sent_ns=sent_ns, seen_ns=seen_ns, marks=marks)
