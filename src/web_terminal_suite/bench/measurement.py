"""One trial: a benchmark's operations on a terminal that runs, prepared, warmed up and stamped, and what they left.

Knows neither plan nor order; who asks for a trial says how much of it there is to be.
"""

from __future__ import annotations

import gc
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import CpuUsage, Filmstrip, FlameGraphFile, Outcome, Phase, Point, Sample, Trial
from web_terminal_suite.client.errors import ClientError, Refused, TimedOut, Unreachable, Violated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.plan import Slot
    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell
    from web_terminal_suite.bench.terminals.terminal import Footprint, Running
    from web_terminal_suite.client.marker import Markers

# After this many failures in a row a trial is given up: each may have taken a whole time limit.
_FAILURES_IN_A_ROW: Final = 3


class Enough(Protocol):
    """Tells when a cell needs no more operations, from what its blocks have so far."""

    def is_due(self, cell: Cell, measured: int) -> bool:
        """Whether it is time to look at the interval."""

    def is_enough(self, facts: BenchmarkFacts, trials: Sequence[Trial]) -> bool:
        """One look."""


class Measurement:
    """One slot on one terminal."""

    def __init__(
        self,
        slot: Slot,
        running: Running,
        markers: Markers,
        enough: Enough | None,
        earlier: Sequence[Trial],
        share: float = 1.0,
    ) -> None:
        """``earlier`` are the trials that the cell has already, for ``enough``; ``share`` is of the usual number."""
        self._wanted = max(slot.least, math.ceil(slot.operations * share) if share < math.inf else math.inf)
        self._enough = enough
        self._earlier = earlier
        self._earlier_measured = sum(_measured(trial.samples) for trial in earlier)
        self._is_enough = False
        self.problem = ""
        self.infeasible = ""
        self.warnings: list[str] = []
        self.pictures: list[FlameGraphFile] = []
        self._warmed: Footprint | None = None
        self._slot = slot
        self._running = running
        self._stage = BenchmarkContext(running, slot.cell.parameter, markers)
        self._samples: list[Sample] = []
        self._points: list[Point] = []
        self._filmstrips: list[Filmstrip] = []
        self._usage: CpuUsage | None = None
        self._failures = 0
        self._operations = 0
        self._warmups = 0
        """Samples before measuring began; the others are counted by length, since counting must cost no time."""
        self._started: _Usages | None = None

    async def look_behind(self, before: Footprint, timeout: float) -> Footprint | None:
        """Note what the benchmark left on the terminal, and give what that holds now, where it can be told."""
        if self._running.died:
            self._note(self._running.died)
            return None
        try:
            left, after = await self._running.residue(before, timeout)
        except ClientError as error:
            self._note(f"what is left cannot be counted: {error}")
            return None
        if left:
            self._note(f"left behind: {left}")
        if self._warmed is not None and after.shared > self._warmed.shared:
            self._note(
                f"left behind: {after.shared - self._warmed.shared} descriptors of shared memory, more each time"
            )
        return after

    def _note(self, problem: str) -> None:
        self.problem = f"{self.problem}; {problem}" if self.problem else problem

    def result(self) -> Trial:
        return Trial(
            cell=self._slot.cell,
            block=self._slot.block,
            samples=tuple(self._samples),
            points=tuple(self._points),
            usage=self._usage,
            problem=self.problem,
            infeasible=self.infeasible,
            warnings=tuple(self.warnings),
            pictures=tuple(self.pictures),
            filmstrips=tuple(self._filmstrips),
        )

    async def run(self) -> None:
        """Prepare, warm up, measure; after a failed operation prepare anew, since what it left is unknown.

        Raises:
            ClientError: preparing or tidying up failed.
        """
        warm_until = time.monotonic() + self._slot.warm_up_seconds
        with _quiet_collector():
            try:
                while not self._over():
                    async with self._slot.benchmark.prepare(self._stage) as operate:
                        await self._repeat(operate, warm_until)
            finally:
                self._note_usage()

    async def _repeat(self, operate: Operation, warm_until: float) -> None:
        """Operate until the trial is over or an operation failed."""
        while not self._over():
            if self._started is None and self._is_warm(warm_until):
                self._warmed = await self._running.footprint() if self._samples else None
                self._warmups = len(self._samples)
                self._started = _Usages(self._running)
            if not await self._once(operate):
                return

    async def _once(self, operate: Operation) -> bool:
        phase = Phase.WARMUP if self._started is None else Phase.MEASURE
        began_ns = now_ns()
        try:
            result = await operate()
        except ClientError as error:
            self._failures += 1
            self._samples.append(_failure(error, began_ns, phase))
            return False
        self._failures = 0
        self._operations += 1
        # Most give one sample, and what is done between two operations shows in the next: little, and nothing made.
        if isinstance(result, Sample) and phase is Phase.MEASURE:
            self._samples.append(result)
            return True
        if isinstance(result, Sample):
            result = OperationResult((result,))
        elif not isinstance(result, OperationResult):
            result = OperationResult(points=result)
        self._filmstrips += result.filmstrips
        if phase is Phase.MEASURE:
            self._samples += result.samples
            self._points += result.points
        else:
            self._samples += [msgspec.structs.replace(each, phase=phase) for each in result.samples]
        return True

    def _is_warm(self, warm_until: float) -> bool:
        if self._slot.benchmark.one_shot:
            return True  # a reading is of a fresh terminal or it is none
        warmed = len(self._samples)
        return warmed >= self._slot.operations or (warmed >= 1 and time.monotonic() >= warm_until)

    def _over(self) -> bool:
        if self._failures >= _FAILURES_IN_A_ROW:
            self.problem = f"given up after {self._failures} failures in a row: {self._samples[-1].reason}"
            return True
        if self._running.died or (self._slot.benchmark.one_shot and (self._operations or self._failures)):
            return True
        if self._started is None:
            return False
        measured = len(self._samples) - self._warmups
        seconds = (now_ns() - self._started.began_ns) / 1e9
        in_time = seconds < self._slot.measurement_seconds
        if self._enough is not None and in_time:
            return measured >= self._slot.least and self._needs_no_more(self._enough, measured)
        if in_time:
            return measured >= self._wanted and seconds >= self._slot.shortest_seconds
        return measured >= self._slot.least

    def _needs_no_more(self, enough: Enough, measured: int) -> bool:
        """Ask where a look is due, and remember a yes: each look costs some of the error."""
        if not self._is_enough and enough.is_due(self._slot.cell, self._earlier_measured + measured):
            self._is_enough = enough.is_enough(self._slot.benchmark.facts, (*self._earlier, self.result()))
        return self._is_enough

    def _note_usage(self) -> None:
        if self._started is not None:
            self._usage = self._started.until_now()


class _Usages:
    """Clocks at the moment measuring began."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._server_ns = running.cpu_ns()
        self._client_ns = time.process_time_ns()
        self.began_ns = now_ns()

    def until_now(self) -> CpuUsage:
        elapsed_ns = now_ns() - self.began_ns
        client_ns = time.process_time_ns() - self._client_ns
        server_ns = self._running.cpu_ns()
        if server_ns is not None and self._server_ns is not None:
            # A server that lost a thread or a process meanwhile has less on its clocks than before.
            server_ns = max(0, server_ns - self._server_ns)
        return CpuUsage(elapsed_ns=elapsed_ns, client_cpu_ns=client_ns, server_cpu_ns=server_ns)


def _failure(error: ClientError, began_ns: int, phase: Phase) -> Sample:
    outcomes = {TimedOut: Outcome.TIMEOUT, Refused: Outcome.REFUSED, Unreachable: Outcome.REFUSED}
    outcome = Outcome.WRONG if isinstance(error, Violated) else outcomes.get(type(error), Outcome.CLOSED)
    return Sample(due_ns=began_ns, sent_ns=began_ns, seen_ns=now_ns(), phase=phase, outcome=outcome, reason=str(error))


def _measured(samples: Sequence[Sample]) -> int:
    return sum(sample.phase is Phase.MEASURE for sample in samples)


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No garbage collection between two stamps: it waits for the end of the trial.

    What lives before a trial is set aside until the end of the run (``gc.unfreeze``). To go through it before each
    trial, libraries and all samples so far, took longer than most trials: 50 ms of a processor.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
