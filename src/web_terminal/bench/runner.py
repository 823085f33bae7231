"""Carries out a plan: launches terminals, runs operations, keeps every sample, leaves nothing behind.

Each block starts its terminals afresh. A trial that fails, a terminal that dies or does not start is noted with its
reason and the others go on. Decides nothing about what figures mean; the one exception is the proof, without which no
figure means anything.
"""

from __future__ import annotations

import asyncio
import gc
import random
import re
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from web_terminal.bench.benchmark import Findings, Stage
from web_terminal.bench.clock import now_ns
from web_terminal.bench.profile import ProfileError, ProfilerMissing, TracingForbidden, processes_of, recorded
from web_terminal.bench.samples import Outcome, Phase, Picture, Point, Sample, Trial, Usage
from web_terminal.bench.suites.room import NotFeasible
from web_terminal.bench.terminals.known import Exchange, KnownTruth, recoveries
from web_terminal.bench.terminals.processes import LaunchFailed
from web_terminal.client.errors import ClientError, Refused, TimedOut, Unreachable, Violated
from web_terminal.client.marker import Markers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from web_terminal.bench.benchmark import Operation
    from web_terminal.bench.plan import Plan, Slot
    from web_terminal.bench.progress import Progress
    from web_terminal.bench.samples import BenchmarkFacts, Cell
    from web_terminal.bench.terminals.terminal import Footprint, Running

# After so many failures in a row a trial is given up: each may have cost a whole time limit.
_FAILURES_IN_A_ROW: Final = 3
_PROOF_ATTEMPTS: Final = 8
# A guard, far above what any trial needs: every operation has a time limit of its own.
_TRIAL_SECONDS: Final = 300.0


class NotProven(Exception):
    """The suite did not find the delays of the terminal of known truth: its figures cannot be believed."""


class Enough(Protocol):
    """Tells when a cell needs no more operations, from what its blocks have so far."""

    def is_due(self, cell: Cell, measured: int) -> bool:
        """Whether so many operations are worth a look."""

    def is_enough(self, facts: BenchmarkFacts, trials: Sequence[Trial]) -> bool:
        """One look."""


async def carry_out(
    plan: Plan,
    record: Callable[[Trial], None],
    progress: Progress,
    residue_seconds: float = 5.0,
    enough: Enough | None = None,
    profiles: Path | None = None,
) -> None:
    """Run every slot of the plan and hand each trial to ``record`` as soon as it is over.

    With ``enough`` a cell goes on until that says so or its time is up; without, until its sample size is reached.
    With ``profiles`` the servers are recorded under py-spy and drawn into that directory; their figures suffer for it.
    ``residue_seconds`` is how long a terminal may take to be rid of what a benchmark made.
    Cancelling ends every process that was started; trials recorded before are complete.

    Raises:
        NotProven: before anything else is measured.
        ProfilerMissing, TracingForbidden: at the first trial that would be recorded.
    """
    runner = _Runner(plan, record, progress, residue_seconds)
    if plan.proof:
        await runner.prove()
    for cell, reason in plan.infeasible:
        record(Trial(cell=cell, block=0, infeasible=reason))
        progress.say(f"{cell}: {reason}")
    runner.enough = enough
    runner.profiles = profiles
    for together, alone in zip(plan.together, plan.alone, strict=True):
        await runner.block(together)
        for slot in alone:
            await runner.block((slot,))


class _Runner:
    def __init__(self, plan: Plan, record: Callable[[Trial], None], progress: Progress, residue_seconds: float) -> None:
        self.enough: Enough | None = None
        self.profiles: Path | None = None
        self._residue_seconds = residue_seconds
        self._earlier: dict[Cell, list[Trial]] = {}
        self._plan = plan
        self._record = record
        self._progress = progress
        self._terminals = {terminal.name: terminal for terminal in plan.terminals}
        self._markers = Markers(random.Random(plan.options.seed))

    async def block(self, slots: Sequence[Slot]) -> list[Trial]:
        """Launch what these slots need, run them in order, end it all."""
        trials = []
        async with AsyncExitStack() as stack:
            running: dict[str, Running | str] = {}
            for name in dict.fromkeys(slot.cell.terminal for slot in slots):
                sessions = max(
                    each.benchmark.sessions(each.cell.parameter) if each.benchmark.sessions else 0 for each in slots
                )
                try:
                    terminal = self._terminals[name].holding(sessions)
                    running[name] = await stack.enter_async_context(terminal.launch())
                except LaunchFailed as error:
                    running[name] = f"did not start: {error}"
            for slot in slots:
                self._progress.begin(slot)
                trial = await self._trial(slot, running[slot.cell.terminal])
                self._record(trial)
                self._progress.end(trial)
                trials.append(trial)
        return trials

    async def prove(self) -> None:
        """Stop the run unless the known delays are found.

        What else the machine does disturbs an attempt but cannot make figures true: one that succeeds is proof enough.

        Raises:
            NotProven
        """
        left = self._plan.proof
        for attempt in range(_PROOF_ATTEMPTS):
            missed = self._judge(await self.block([replace(slot, block=attempt) for slot in left]))
            left = tuple(slot for slot in left if slot.cell.parameter in missed)
            if not left:
                return
            self._progress.say(f"attempt {attempt + 1}: {'; '.join(missed.values())}")
        raise NotProven("; ".join(missed.values()))

    def _judge(self, trials: Sequence[Trial]) -> dict[str, str]:
        """What was not recovered, in words, by parameter."""
        known = next(each for each in self._plan.terminals if isinstance(each, KnownTruth))
        failed = [f"{trial.cell}: {trial.problem}" for trial in trials if trial.problem]
        if failed:
            raise NotProven("; ".join(failed))
        missed = {}
        samples = {(trial.cell.terminal, trial.cell.parameter): trial.samples for trial in trials}
        for (terminal, parameter), measured in samples.items():
            if terminal != known.name:
                continue
            floor = next(each for (name, same), each in samples.items() if name != known.name and same == parameter)
            # Warm-up too: the list of delays begins with the first exchange.
            exchanges = [Exchange(_latency(each), each.marks["answered"] - each.marks["came"]) for each in measured]
            try:
                found = recoveries(known.seed, exchanges, [_latency(each) for each in floor])
            except ValueError as error:
                raise NotProven(str(error)) from error
            words = "; ".join(map(str, found))
            if all(each.holds for each in found):
                self._progress.say(f"known delays by {parameter} recovered: {words}")
            else:
                missed[parameter] = f"known delays by {parameter} were not recovered: {words}"
        return missed

    async def _trial(self, slot: Slot, running: Running | str) -> Trial:
        if isinstance(running, str):
            return Trial(cell=slot.cell, block=slot.block, problem=running)
        if running.died:
            return Trial(cell=slot.cell, block=slot.block, problem=running.died)
        try:
            # A component benchmark runs in this process and asks nothing of the server.
            before = None if slot.benchmark.facts.component else await running.steady_footprint()
        except ClientError as error:
            return Trial(cell=slot.cell, block=slot.block, problem=running.died or str(error))
        enough = None if slot.benchmark.reads else self.enough
        earlier = self._earlier.setdefault(slot.cell, []) if enough else []
        trial = _Trial(slot, running, self._markers, enough, earlier)
        try:
            async with asyncio.timeout(_TRIAL_SECONDS), self._recorded(trial, slot, running):
                await trial.run()
        except TimeoutError:
            trial.problem = f"not over after {_TRIAL_SECONDS:g} s"
        except NotFeasible as error:
            # It did fit when the run was planned: what else the machine holds has grown.
            trial.infeasible = str(error)
        except (ClientError, OSError) as error:
            trial.problem = trial.problem or f"{type(error).__name__}: {error}"
        if before is not None:
            await trial.look_behind(before, self._residue_seconds)
        earlier.append(trial.result())
        return earlier[-1]

    @asynccontextmanager
    async def _recorded(self, trial: _Trial, slot: Slot, running: Running) -> AsyncIterator[None]:
        """The server under py-spy for the length of the block, where profiles are wanted and it has processes."""
        pids = running.process.server_pids() if running.process and self.profiles else ()
        processes = processes_of(pids)
        if self.profiles is None or slot.benchmark.facts.component or not processes:
            yield
            return
        name = re.sub(r"[^\w.+-]+", "_", str(slot.cell))
        try:
            async with recorded(processes, self.profiles / name / f"block-{slot.block}") as found:
                yield
        except (ProfilerMissing, TracingForbidden):
            raise
        except ProfileError as error:
            trial.warnings.append(f"not recorded: {error}")
            return
        trial.pictures += [Picture(each.process, str(each.picture)) for each in found]
        trial.warnings.append("recorded under py-spy, which stops the server for each sample: the figures suffer")


class _Trial:
    """One slot on one terminal."""

    def __init__(
        self, slot: Slot, running: Running, markers: Markers, enough: Enough | None, earlier: Sequence[Trial]
    ) -> None:
        """``earlier`` are the trials that the cell has already, for ``enough``."""
        self._enough = enough
        self._earlier = earlier
        self._earlier_measured = sum(_measured(trial.samples) for trial in earlier)
        self._is_enough = False
        self.problem = ""
        self.infeasible = ""
        self.warnings: list[str] = []
        self.pictures: list[Picture] = []
        self._warmed: Footprint | None = None
        self._slot = slot
        self._running = running
        self._stage = Stage(running, slot.cell.parameter, markers)
        self._samples: list[Sample] = []
        self._points: list[Point] = []
        self._usage: Usage | None = None
        self._failures = 0
        self._operations = 0
        self._warmups = 0
        """Samples before measuring began; the others are counted by length, since counting must cost no time."""
        self._started: _Usages | None = None

    async def look_behind(self, before: Footprint, timeout: float) -> None:
        """Note what the benchmark left on the terminal."""
        if self._running.died:
            self._note(self._running.died)
            return
        try:
            left, after = await self._running.residue(before, timeout)
        except ClientError as error:
            self._note(f"what is left cannot be counted: {error}")
            return
        if left:
            self._note(f"left behind: {left}")
        if self._warmed is not None and after.shared > self._warmed.shared:
            self._note(
                f"left behind: {after.shared - self._warmed.shared} descriptors of shared memory, more each time"
            )
        elif after.shared > before.shared:
            self.warnings.append(f"{after.shared - before.shared} descriptors of shared memory were kept for reuse")

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
        )

    async def run(self) -> None:
        """Prepare, warm up, measure; after a failed operation prepare anew, since nobody knows what it left.

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
            result = Findings((result,))
        elif not isinstance(result, Findings):
            result = Findings(points=result)
        if phase is Phase.MEASURE:
            self._samples += result.samples
            self._points += result.points
        else:
            self._samples += [msgspec.structs.replace(each, phase=phase) for each in result.samples]
        return True

    def _is_warm(self, warm_until: float) -> bool:
        if self._slot.benchmark.reads:
            return True  # a reading is of a fresh terminal or it is none
        warmed = len(self._samples)
        return warmed >= self._slot.operations or (warmed >= 1 and time.monotonic() >= warm_until)

    def _over(self) -> bool:
        if self._failures >= _FAILURES_IN_A_ROW:
            self.problem = f"given up after {self._failures} failures in a row: {self._samples[-1].reason}"
            return True
        if self._running.died or (self._slot.benchmark.reads and (self._operations or self._failures)):
            return True
        if self._started is None:
            return False
        measured = len(self._samples) - self._warmups
        in_time = now_ns() - self._started.began_ns < self._slot.measurement_seconds * 1e9
        if self._enough is not None and in_time:
            return measured >= self._slot.least and self._needs_no_more(self._enough, measured)
        return measured >= (self._slot.operations if in_time else self._slot.least)

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

    def until_now(self) -> Usage:
        elapsed_ns = now_ns() - self.began_ns
        client_ns = time.process_time_ns() - self._client_ns
        server_ns = self._running.cpu_ns()
        if server_ns is not None and self._server_ns is not None:
            # A server that lost a thread or a process meanwhile has less on its clocks than before.
            server_ns = max(0, server_ns - self._server_ns)
        return Usage(elapsed_ns=elapsed_ns, client_cpu_ns=client_ns, server_cpu_ns=server_ns)


def _failure(error: ClientError, began_ns: int, phase: Phase) -> Sample:
    outcomes = {TimedOut: Outcome.TIMEOUT, Refused: Outcome.REFUSED, Unreachable: Outcome.REFUSED}
    outcome = Outcome.WRONG if isinstance(error, Violated) else outcomes.get(type(error), Outcome.CLOSED)
    return Sample(due_ns=began_ns, sent_ns=began_ns, seen_ns=now_ns(), phase=phase, outcome=outcome, reason=str(error))


def _measured(samples: Sequence[Sample]) -> int:
    return sum(sample.phase is Phase.MEASURE for sample in samples)


def _latency(sample: Sample) -> int:
    return sample.seen_ns - sample.due_ns


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No garbage collection between two stamps: what lives is set aside, the rest waits for the end of the trial."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
