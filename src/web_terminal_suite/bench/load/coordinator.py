"""Gives the word to shards, stage by stage, keeps what they tell, and watches the server meanwhile.

Every wait is on a condition of what was heard, looked at again after each report; a shard that is gone is waited for by
nobody. What a figure means is none of its business.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pickle
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web_terminal_suite import __version__
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.load import messages, schedule
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.collector import Collector, RampStop, ServerSample
from web_terminal_suite.bench.load.live_stats import LiveStats
from web_terminal_suite.bench.load.paced_output import bursts, steady
from web_terminal_suite.bench.machine.kernel import memory_available
from web_terminal_suite.bench.machine.limits import DESCRIPTORS_KEPT
from web_terminal_suite.bench.terminals.processes import children, cpu_ns, kill_and_reap, pss_bytes
from web_terminal_suite.bench.workload.memory import settled_pss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from web_terminal_suite.bench.load.backends.backend import Backend, GeneratorChannel
    from web_terminal_suite.bench.load.progress_view import ProgressView
    from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario
    from web_terminal_suite.bench.terminals.terminal import Running, Terminal

_READY_SECONDS: Final = 30.0
_LEAD_NS: Final = SECOND_NS // 2
"""From the word to the moment it is for: longer than a word is on its way."""

_CLOCK_ROUNDS: Final = 7
_SILENT_SECONDS: Final = 30.0
"""A shard ticks every second; one that has not for so long does not run any more."""

_DEATH_SECONDS: Final = 5.0
_LEAVE_AT_ONCE_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 15.0
"""More than a shard takes at most: it still has to say so."""

_WEIGHING_SHARE: Final = 0.02
"""Of the time, that weighing the server may take: it holds up the server's own memory requests."""

LEAST_MEMORY_BYTES: Final = 256_000_000
"""Available memory below which arrivals stop, before the kernel ends processes to get some."""


@dataclass(frozen=True, kw_only=True)
class LoadRun:
    """What is to be done, whoever carries it."""

    scenario: Scenario
    seed: int
    shards: int
    sources: tuple[str, ...] = ()


async def conduct(
    load: LoadRun,
    terminal: Terminal,
    carrier: Backend,
    ledger: Collector,
    view: ProgressView,
    over: Callable[[int], None],
) -> None:
    """Start the terminal and the shards, play every stage, end it all. ``over`` is told of each stage that is done.

    Cancelling ends everything; what was told until then is in ``ledger``.

    Raises:
        LaunchFailed, CarrierError
    """
    before = set(children(os.getpid()))
    try:
        async with terminal.holding(load.scenario.sessions).launch() as running, carrier.carry(load.shards) as links:
            conductor = _Conductor(load, running, links, ledger, view, over)
            tasks = [asyncio.create_task(conductor.listen(shard)) for shard in range(load.shards)]
            try:
                await conductor.conduct()
            finally:
                await _ended(tasks)
    finally:
        # A server that died in the middle leaves us its children (``prctl(2)``, PR_SET_CHILD_SUBREAPER).
        for pid in set(children(os.getpid())) - before:
            kill_and_reap(pid)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks that only accompany others. No task group: what goes wrong beside them must come out as it is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Conductor:
    def __init__(
        self,
        load: LoadRun,
        running: Running,
        links: Sequence[GeneratorChannel],
        ledger: Collector,
        view: ProgressView,
        over: Callable[[int], None],
    ) -> None:
        self._load = load
        self._running = running
        self._links = links
        self._ledger = ledger
        self._view = view
        self._over = over
        self._glance = LiveStats(ledger)
        self._pids = running.process.server_pids() if running.process else []
        self._alive = set(range(load.shards))
        self._heard = asyncio.Event()
        self._ready: dict[int, messages.GeneratorReady] = {}
        self._times: dict[int, messages.ClockReading] = {}
        self._arrived: dict[int, messages.SessionsStarted] = {}
        self._played: dict[int, messages.StageDone] = {}
        self._left: set[int] = set()
        self._ticked_ns: dict[int, int] = {}
        self._zero_ns = 0
        self._stage = 0
        self._doing = "starting"

    # --- hearing

    async def listen(self, shard: int) -> None:
        """Take what a shard reports until it is gone."""
        try:
            while (report := await self._links[shard].receive()) is not None:
                self._take(shard, report)
                self._heard.set()
        except ValueError as error:
            self._lose(shard, f"said what is no report: {error}")
        self._lose(shard, self._links[shard].last_words)

    def _take(self, shard: int, report: messages.Report) -> None:
        if isinstance(report, messages.ProgressReport):
            self._ticked_ns[shard] = now_ns()
            self._ledger.enter(shard, report)
            self._glance.enter(shard, report)
        elif isinstance(report, messages.GeneratorReady):
            self._ready[shard] = report
        elif isinstance(report, messages.ClockReading):
            self._times[shard] = report
        elif isinstance(report, messages.SessionsStarted):
            self._arrived[shard] = report
        elif isinstance(report, messages.RampStuck):
            self._stop(RampStop(report.reason, report.ours))
        elif isinstance(report, messages.StageDone):
            self._played[shard] = report
        elif isinstance(report, messages.SessionsEnded):
            self._ledger.stayed += report.stayed
            self._left.add(shard)
        else:
            self._lose(shard, report.reason)

    def _lose(self, shard: int, reason: str) -> None:
        """A shard ended: by itself, which is worth a note, or because it was told to."""
        if shard in self._alive and shard not in self._left:
            name = self._links[shard].name
            self._ledger.bury(shard, name, now_ns() - self._zero_ns if self._zero_ns else 0, reason)
            self._view.say(f"{name} {reason}; its sessions are lost, the others go on")
        self._alive.discard(shard)
        self._heard.set()

    def _stop(self, stop: RampStop) -> None:
        """No more arrivals in this stage."""
        passed = self._ledger.milestones[self._stage]
        if passed.stop is None and passed.arrived_ns is None:
            passed.stop = stop
            self._view.say(f"arrivals stop at {self._ledger.up:,} sessions: {stop.reason}")
            self._tell(messages.StopStarting())

    async def _until(self, settled: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until it holds; whether it did within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not settled():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return False
        return True

    def _tell(self, command: messages.Command) -> None:
        for shard in self._alive:
            self._links[shard].send(command)

    # --- conducting

    async def conduct(self) -> None:
        """Everything from the first word to the last."""
        polite = False
        try:
            await self._gather()
            await self._begin()
            watch = asyncio.create_task(self._watch())
            try:
                await self._play_all()
            finally:
                await _ended([watch])
            # A server that is not ours must be left as it was found; so is ours, which says whether it can be.
            polite = not self._ledger.server_death
        finally:
            await self._end(polite)

    async def _gather(self) -> None:
        """Return when every shard knows its order.

        Raises:
            CarrierError
        """
        for shard, link in enumerate(self._links):
            link.send(
                messages.Configure(
                    shard=shard,
                    shards=self._load.shards,
                    version=__version__,
                    address=self._running.addresses[0],
                    dialect=pickle.dumps(self._running.dialect),
                    seed=self._load.seed,
                    timeout=self._running.timeout,
                    sources=self._load.sources,
                )
            )
        await self._until(lambda: self._alive <= self._ready.keys(), _READY_SECONDS)
        missing = sorted(set(range(self._load.shards)) - self._ready.keys())
        if missing:
            reasons = {death.shard: death.reason for death in self._ledger.deaths}
            name, reason = self._links[missing[0]].name, reasons.get(missing[0], f"silent for {_READY_SECONDS:g} s")
            raise BackendError(f"{len(missing)} of {self._load.shards} client processes did not start: {name} {reason}")
        needed = -(-self._load.scenario.sessions // self._load.shards) + DESCRIPTORS_KEPT
        for shard, ready in self._ready.items():
            name = self._links[shard].name
            if ready.descriptors < needed:
                raise BackendError(
                    f"{name} ({ready.machine}) may open {ready.descriptors:,} descriptors and needs {needed:,}; "
                    f"start it with ulimit -n {needed}, or add clients"
                )
            if self._running.process is not None and ready.machine != platform.node():
                raise BackendError(
                    f"{name} is on another machine ({ready.machine}) than the server, which is on loopback; "
                    "start a server that it reaches and name that with --url"
                )

    async def _begin(self) -> None:
        """Agree on the moment at which the run begins, and give the word."""
        clocks = await asyncio.gather(*(self._clock(shard) for shard in sorted(self._alive)))
        if self._pids:
            self._ledger.empty_pss_bytes = await settled_pss(self._pids)
        self._ledger.clock_error_ns = max((error_ns for _, _, error_ns in clocks), default=0)
        self._zero_ns = now_ns() + _LEAD_NS
        for shard, offset_ns, _ in clocks:
            self._links[shard].send(messages.BeginRun(self._zero_ns + offset_ns))

    async def _clock(self, shard: int) -> tuple[int, int, int]:
        """How far a shard's clock is ahead of ours, and by how much that may be wrong: half of the quickest round."""
        best_ns, offset_ns = 1 << 62, 0
        for number in range(_CLOCK_ROUNDS):
            asked_ns = now_ns()
            self._links[shard].send(messages.ReadClock(number))

            def answered(number: int = number) -> bool:
                time = self._times.get(shard)
                return shard not in self._alive or (time is not None and time.number == number)

            await self._until(answered, _READY_SECONDS)
            round_ns = now_ns() - asked_ns
            if shard in self._times and round_ns < best_ns:
                best_ns, offset_ns = round_ns, self._times[shard].at_ns - asked_ns - round_ns // 2
        return shard, offset_ns, best_ns // 2

    async def _play_all(self) -> None:
        for number, stage in enumerate(self._load.scenario.stage):
            self._stage = number
            passed = self._ledger.milestones[number]
            await self._arrive(number, stage)
            passed.up = self._ledger.up
            if passed.up and not self._ledger.server_death:
                if self._pids:
                    passed.full_pss_bytes = await settled_pss(self._pids)
                await self._play(number, stage)
            if self._ledger.server_death:
                # Its sockets close one by one.
                await self._until(lambda: not self._ledger.up, _DEATH_SECONDS)
            passed.end_ns = now_ns() - self._zero_ns
            self._over(number)
            if passed.stop is not None or self._ledger.server_death or not self._ledger.up:
                break

    async def _arrive(self, number: int, stage: LoadStage) -> None:
        passed = self._ledger.milestones[number]
        first = self._load.scenario.stage[number - 1].sessions if number else 0
        passed.wanted = stage.sessions
        passed.arrivals_ns = self._next_second()
        self._doing = "arriving"
        self._tell(
            messages.StartSessions(
                stage=number, first=first, last=stage.sessions, rate=stage.ramp, at_ns=passed.arrivals_ns
            )
        )
        await self._until(lambda: all(self._has(self._arrived, shard, number) for shard in self._alive))
        passed.arrived_ns = now_ns() - self._zero_ns

    async def _play(self, number: int, stage: LoadStage) -> None:
        passed = self._ledger.milestones[number]
        up = [session for shard, each in self._arrived.items() if shard in self._alive for session in each.up]
        lost = {each.number for each in self._ledger.lost}
        up = [session for session in up if session not in lost]
        order = schedule.drawn(self._load.seed, self._load.scenario.sessions)
        roles = schedule.cast(stage, order, up)
        passed.playing_ns = self._next_second()
        self._doing = "playing"
        for shard in self._alive:
            self._links[shard].send(self._part(number, stage, shard, roles, passed.playing_ns))
        await self._until(lambda: all(self._has(self._played, shard, number) for shard in self._alive))
        passed.played_ns = min(now_ns() - self._zero_ns, passed.playing_ns + round(stage.duration * SECOND_NS))
        passed.silent = sum(each.silent for each in self._played.values() if each.stage == number)

    def _part(
        self, number: int, stage: LoadStage, shard: int, roles: dict[Role, list[int]], at_ns: int
    ) -> messages.RunStage:
        """What a shard has to do in a stage."""
        parts = {}
        for role, sessions in roles.items():
            own = [(place, each) for place, each in enumerate(sessions) if each % self._load.shards == shard]
            if own:
                parts[role] = messages.RoleAssignment(
                    numbers=[each for _, each in own], places=[place for place, _ in own], people=len(sessions)
                )
        return messages.RunStage(
            stage=number,
            at_ns=at_ns,
            seconds=stage.duration,
            typing=stage.typing,
            parts=parts,
            steady_line=steady(stage.lines),
            steady_every=1 / stage.lines,
            burst_line=bursts(stage.burst_lines, stage.burst_every),
            burst_every=stage.burst_every,
            reconnect_every=stage.reconnect_every,
            resize_every=stage.resize_every,
        )

    def _has(
        self, told: dict[int, messages.SessionsStarted] | dict[int, messages.StageDone], shard: int, stage: int
    ) -> bool:
        return shard in told and told[shard].stage == stage

    def _next_second(self) -> int:
        """A whole second of the run that everybody still has time to hear of: ticks fall on those."""
        soon_ns = now_ns() - self._zero_ns + _LEAD_NS
        return -(-max(0, soon_ns) // SECOND_NS) * SECOND_NS if now_ns() > self._zero_ns else 0

    async def _end(self, polite: bool) -> None:
        """Have every session ended, and everybody gone."""
        self._doing = "leaving"
        remote = self._running.process is None
        at_once = not polite and not remote
        if not polite:
            self._tell(messages.StopStarting())
        self._tell(messages.EndSessions(at_once))
        most = max((pulses[-1].up for pulses in self._ledger.pulses if pulses), default=0)
        limit = _LEAVE_AT_ONCE_SECONDS if at_once else _LEAVE_SECONDS + schedule.leaving_seconds(most)
        if not await self._until(lambda: self._alive <= self._left, limit):
            self._view.say(f"{len(self._alive - self._left)} client processes did not leave within {limit:g} s")
        self._show()

    # --- watching

    async def _watch(self) -> None:
        """Once a second: look at the server, at memory, at silent shards, and show how things stand."""
        weigh_at_ns = 0
        for number in itertools.count():
            moment_ns = self._zero_ns + number * SECOND_NS
            await asyncio.sleep(max(0, moment_ns - now_ns()) / SECOND_NS)  # a moment of the clock, not a wait
            began_ns = now_ns()
            pss: int | None = None
            if self._pids:
                if began_ns >= weigh_at_ns:
                    pss = pss_bytes(self._pids)
                    weigh_at_ns = began_ns + round((now_ns() - began_ns) / _WEIGHING_SHARE)
                self._ledger.readings.append(ServerSample(began_ns - self._zero_ns, pss, cpu_ns(self._pids)))
            self._look_after()
            self._show()

    def _look_after(self) -> None:
        died = self._running.died
        if died and not self._ledger.server_death:
            self._ledger.server_death = died
            self._view.say(died)
            self._stop(RampStop(died, ours=False))
            self._tell(messages.StopStarting())
        available = memory_available()
        if available < LEAST_MEMORY_BYTES:
            limit = f"{available / 1e6:,.0f} MB of memory are left, and {LEAST_MEMORY_BYTES / 1e6:,.0f} are kept"
            self._stop(RampStop(limit, ours=True))
        for shard in list(self._alive):
            silent_ns = now_ns() - max(self._ticked_ns.get(shard, 0), self._zero_ns)
            if silent_ns > _SILENT_SECONDS * SECOND_NS:
                self._lose(shard, f"has been silent for {_SILENT_SECONDS:g} s")
        passed = self._ledger.milestones[self._stage]
        if passed.playing_ns is not None and passed.played_ns is None and not self._ledger.up and self._alive:
            self._tell(messages.StopStarting())

    def _show(self) -> None:
        stage = self._load.scenario.stage[self._stage]
        now = self._glance.look(now_ns() - self._zero_ns, stage.label, self._doing, stage.sessions)
        self._view.show(now)
