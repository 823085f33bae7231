"""Carries out a plan: launches terminals, runs operations, keeps every sample, leaves nothing behind.

Each block starts its terminals afresh. A trial that fails, a terminal that dies or does not start is noted with its
reason and the others go on. Decides nothing about what figures mean; the one exception is the proof, without which no
figure means anything.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import re
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from web_terminal_suite.bench.calibration import Calibration, CalibrationFailed
from web_terminal_suite.bench.errors import RunFailed
from web_terminal_suite.bench.measurement import Measurement
from web_terminal_suite.bench.network.terminal import Distant
from web_terminal_suite.bench.profile import ProfileError, ProfilerMissing, TracingForbidden, processes_of, recorded
from web_terminal_suite.bench.samples import FlameGraphFile, Trial
from web_terminal_suite.bench.terminals.blocking_client import blocking_client
from web_terminal_suite.bench.terminals.processes import LaunchFailed, processor_ticks
from web_terminal_suite.bench.terminals.reference_server import ReferenceServer
from web_terminal_suite.bench.workload.capacity import NotFeasible
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from web_terminal_suite.bench.measurement import Enough
    from web_terminal_suite.bench.plan import Plan, Slot
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import BenchmarkFacts, Cell
    from web_terminal_suite.bench.terminals.terminal import Footprint, Running, Terminal

# A guard, far above what any trial needs: every operation has a time limit of its own.
_TRIAL_SECONDS: Final = 300.0


class NotProven(RunFailed):
    """The suite's client did not measure what happened on the reference server: its figures cannot be believed."""


class InterimAnalysis(Protocol):
    """Looks at what a cell has between two of its blocks."""

    def share(self, facts: BenchmarkFacts, trials: Sequence[Trial]) -> float:
        """How many operations the next block is to have, as a part of its usual number; infinite: all its time."""


async def carry_out(
    plan: Plan,
    record: Callable[[Trial], None],
    progress: Progress,
    residue_seconds: float = 5.0,
    enough: Enough | None = None,
    profiles: Path | None = None,
    interim: InterimAnalysis | None = None,
    calibrated: Callable[[Calibration], None] | None = None,
) -> None:
    """Run every slot of the plan and hand each trial to ``record`` as soon as it is over.

    With ``enough`` a cell goes on until that says so or its time is up; without, until its sample size is reached,
    of which ``interim`` may make less or more between the blocks of a terminal that is judged.
    With ``profiles`` the servers are recorded under py-spy and drawn into that directory; their figures suffer for it.
    ``residue_seconds`` is how long a terminal may take to be rid of what a benchmark made.
    ``calibrated`` is given the proof of the client as soon as that is over.
    Cancelling ends every process that was started; trials recorded before are complete.

    Raises:
        NotProven: before anything else is measured.
        ProfilerMissing, TracingForbidden: at the first trial that would be recorded.
    """
    runner = _Runner(plan, record, progress, residue_seconds)
    try:
        if plan.proof:
            calibration = await runner.prove()
            if calibrated is not None:
                calibrated(calibration)
        for cell, reason in plan.infeasible:
            record(Trial(cell=cell, block=0, infeasible=reason))
            progress.say(f"{cell}: {reason}")
        runner.enough = enough
        runner.profiles = profiles
        runner.interim = interim
        for together, alone in zip(plan.together, plan.alone, strict=True):
            await runner.block(runner.in_time(together))
            for slot in runner.in_time(alone):
                await runner.block((slot,))
    finally:
        gc.unfreeze()  # what each trial set aside


def _reached(terminal: Terminal, plan: Plan) -> Terminal:
    """The terminal behind the network of the plan, where it has one.

    The reference server is not: what is proven with it is the client.
    """
    if plan.network is None or terminal.role == "known":
        return terminal
    return Distant(terminal, plan.network.conditions, plan.options.seed)


class _Runner:
    def __init__(self, plan: Plan, record: Callable[[Trial], None], progress: Progress, residue_seconds: float) -> None:
        self.enough: Enough | None = None
        self.profiles: Path | None = None
        self.interim: InterimAnalysis | None = None
        self._residue_seconds = residue_seconds
        self._earlier: dict[Cell, list[Trial]] = {}
        self._spent: dict[Cell, float] = {}
        """Seconds, preparing and looking for what was left included."""
        self._left: dict[str, Footprint | None] = {}
        """What the last trial left on each terminal that runs now."""
        self._plan = plan
        self._record = record
        self._progress = progress
        self._terminals = {terminal.name: _reached(terminal, plan) for terminal in plan.terminals}
        self._markers = Markers(random.Random(plan.options.seed))

    def in_time(self, slots: Sequence[Slot]) -> Sequence[Slot]:
        """Those whose cell has time left for another block. What is compared goes on, or is over, together."""
        most = self._plan.options.cell_seconds or math.inf
        spent: dict[tuple[str, str], float] = {}
        for cell, seconds in self._spent.items():
            group = (cell.benchmark, cell.parameter)
            spent[group] = max(spent.get(group, 0.0), seconds)
        kept = [each for each in slots if spent.get((each.cell.benchmark, each.cell.parameter), 0.0) < most]
        if len(kept) < len(slots):
            self._progress.again(len(kept) - len(slots))
        return kept

    async def block(self, slots: Sequence[Slot], look: Callable[[Trial, Running | str], None] | None = None) -> None:
        """Launch what these slots need, run them in order, end it all; ``look`` sees each trial while it runs still."""
        names = list(dict.fromkeys(slot.cell.terminal for slot in slots))
        sessions = max(
            (each.benchmark.sessions(each.cell.parameter) for each in slots if each.benchmark.sessions), default=0
        )
        async with AsyncExitStack() as stack:

            async def launched(name: str) -> Running | str:
                try:
                    return await stack.enter_async_context(self._terminals[name].holding(sessions).launch())
                except LaunchFailed as error:
                    return f"did not start: {error}"

            # All at once: most of a start is waiting for another process.
            running = dict(zip(names, await asyncio.gather(*map(launched, names)), strict=True))
            self._left.clear()
            for slot in slots:
                self._progress.begin(slot)
                began = time.monotonic()
                trial = await self._trial(slot, running[slot.cell.terminal])
                self._spent[slot.cell] = self._spent.get(slot.cell, 0.0) + time.monotonic() - began
                self._record(trial)
                self._progress.end(trial)
                if look is not None:
                    look(trial, running[slot.cell.terminal])

    async def prove(self) -> Calibration:
        """Measure the reference server with the suite's client and an independent one until they are compared.

        Raises:
            NotProven: the suite's client is wrong.
        """
        known = next(each for each in self._plan.terminals if isinstance(each, ReferenceServer))
        parameters = dict.fromkeys(slot.cell.parameter for slot in self._plan.proof)
        calibration = Calibration(known.seed, tuple(parameters))

        earlier = 0

        def take(trial: Trial, running: Running | str) -> None:
            nonlocal earlier
            if trial.problem:
                raise CalibrationFailed(f"{trial.cell}: {trial.problem}")
            if trial.cell.terminal == known.name and not isinstance(running, str):
                with blocking_client(running.addresses[0], running.timeout) as independent:
                    answered = independent.count()
                calibration.take(trial.cell.parameter, trial.samples, answered - earlier)
                earlier = answered

        attempt, before = 0, processor_ticks()
        try:
            while pending := calibration.pending:
                slots = [replace(slot, block=attempt) for slot in self._plan.proof if slot.cell.parameter in pending]
                if attempt:
                    slots = [slot for slot in slots if slot.cell.terminal == known.name]
                    self._progress.again(len(slots))
                await self.block(slots, take)
                attempt, earlier = attempt + 1, 0
        except (CalibrationFailed, ClientError) as error:
            raise NotProven(str(error)) from error
        calibration.idle_share = processor_ticks().idle_share_since(before)
        self._progress.say(calibration.summary())
        return calibration

    async def _trial(self, slot: Slot, running: Running | str) -> Trial:
        if isinstance(running, str):
            return Trial(cell=slot.cell, block=slot.block, problem=running)
        if running.died:
            return Trial(cell=slot.cell, block=slot.block, problem=running.died)
        try:
            # A component benchmark runs in this process and asks nothing of the server.
            before = None if slot.benchmark.facts.component else await self._before(slot.cell.terminal, running)
        except ClientError as error:
            return Trial(cell=slot.cell, block=slot.block, problem=running.died or str(error))
        enough = None if slot.benchmark.one_shot else self.enough
        earlier = self._earlier.setdefault(slot.cell, [])
        share = 1.0
        if self.interim is not None and earlier and running.terminal.role == "subject":
            share = self.interim.share(slot.benchmark.facts, earlier)
        trial = Measurement(slot, running, self._markers, enough, earlier, share)
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
            self._left[slot.cell.terminal] = await trial.look_behind(before, self._residue_seconds)
        earlier.append(trial.result())
        return earlier[-1]

    async def _before(self, terminal: str, running: Running) -> Footprint:
        """What the terminal holds: what the last trial left there, or else what two readings in a row agree on.

        Raises:
            ClientError
        """
        now = await running.footprint()
        return now if now == self._left.get(terminal) else await running.steady_footprint()

    @asynccontextmanager
    async def _recorded(self, trial: Measurement, slot: Slot, running: Running) -> AsyncIterator[None]:
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
        trial.pictures += [FlameGraphFile(each.process, str(each.picture)) for each in found]
        trial.warnings.append("recorded under py-spy, which stops the server for each sample: the figures suffer")
