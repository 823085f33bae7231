"""Coordinates load generators stage by stage, collects their reports, and monitors the server.

It does not interpret what it collects; that is for ``record``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web_terminal_suite import __version__
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.load import handshake, messages, schedule
from web_terminal_suite.bench.load.collector import RampStop
from web_terminal_suite.bench.load.generator_pool import GeneratorPool, cancelled
from web_terminal_suite.bench.load.live_stats import LiveStats, LoadPhase
from web_terminal_suite.bench.load.paced_output import bursts, steady
from web_terminal_suite.bench.load.plan import seconds_between
from web_terminal_suite.bench.load.server_monitor import ServerMonitor
from web_terminal_suite.bench.machine.kernel import memory_available
from web_terminal_suite.bench.terminals.processes import children, kill_and_reap
from web_terminal_suite.bench.workload.memory import settled_pss

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from web_terminal_suite.bench.load.abort import ThresholdWatch
    from web_terminal_suite.bench.load.backends.backend import Backend, GeneratorChannel
    from web_terminal_suite.bench.load.collector import Collector
    from web_terminal_suite.bench.load.generator_pool import RemoteGenerator
    from web_terminal_suite.bench.load.plan import LoadConfig
    from web_terminal_suite.bench.load.progress_view import ProgressView
    from web_terminal_suite.bench.load.scenario import LoadStage
    from web_terminal_suite.bench.terminals.terminal import Running, Terminal

_LEAD_NS: Final = SECOND_NS // 2
"""From a command to the time at which it takes effect; longer than a command is on its way."""

_CLOSE_SECONDS: Final = 5.0
"""How long the sockets of a server that has ended may take to close."""

_ABORT_SECONDS: Final = 10.0
_END_MARGIN_SECONDS: Final = 15.0
"""In addition to what a load generator takes to end its sessions: to report it."""


@dataclass(frozen=True, kw_only=True)
class CoordinatorOptions:
    """Limits and identity of a coordinator; the defaults are for every load but those of tests."""

    heartbeat_timeout_seconds: float = 30.0
    """A load generator sends a heartbeat per second; after that long without one it is lost."""
    min_available_memory_bytes: int = 256_000_000
    """With less available memory no more sessions are started, before the kernel kills processes."""
    version: str = __version__
    """Every load generator must have the same."""


async def run_load(
    config: LoadConfig,
    terminal: Terminal,
    backend: Backend,
    collector: Collector,
    view: ProgressView,
    on_stage_end: Callable[[int], None],
    options: CoordinatorOptions = CoordinatorOptions(),  # frozen
    watch: ThresholdWatch | None = None,
) -> None:
    """Start the terminal and the load generators, run every stage, end everything.

    ``on_stage_end`` is called with the number of each stage that is over. If cancelled, everything is ended; what was
    reported until then is in ``collector``. With ``watch`` it ends as soon as a threshold can no longer be met.

    Raises:
        LaunchFailed: the terminal did not start.
        BackendError: the load generators did not start.
    """
    before = set(children(os.getpid()))
    try:
        async with (
            terminal.holding(config.scenario.sessions).launch() as running,
            backend.start(config.generators) as channels,
        ):
            coordinator = _Coordinator(config, running, channels, collector, view, on_stage_end, options, watch)
            await coordinator.run()
    finally:
        # This process inherits the children of a server that died (``prctl(2)``, PR_SET_CHILD_SUBREAPER).
        for pid in set(children(os.getpid())) - before:
            kill_and_reap(pid)


class _Coordinator:
    """One run of a load. Implements ``GeneratorEvents``."""

    def __init__(
        self,
        config: LoadConfig,
        running: Running,
        channels: Sequence[GeneratorChannel],
        collector: Collector,
        view: ProgressView,
        on_stage_end: Callable[[int], None],
        options: CoordinatorOptions,
        watch: ThresholdWatch | None,
    ) -> None:
        self._config = config
        self._running = running
        self._collector = collector
        self._view = view
        self._on_stage_end = on_stage_end
        self._options = options
        self._watch = watch
        self._pool = GeneratorPool(channels, self)
        self._stats = LiveStats(collector)
        self._pids = running.process.server_pids() if running.process else []
        self._zero_ns = 0
        self._stage = 0
        self._phase = LoadPhase.STARTING

    async def run(self) -> None:
        """The whole load, from the handshake until all sessions have ended."""
        graceful = False
        async with self._pool.receiving():
            try:
                await handshake.configure(self._pool, self._config, self._running, self._options.version)
                await self._begin_run()
                monitoring = asyncio.create_task(self._monitor())
                try:
                    await self._run_stages()
                finally:
                    await cancelled([monitoring])
                # A server that was already running must be left as it was found. Our own would end its sessions anyway,
                # but ending them one by one shows whether that works.
                graceful = not self._collector.server_failure
            finally:
                await self._end_sessions(graceful)

    # --- events of load generators

    def on_progress(self, generator: RemoteGenerator, report: messages.ProgressReport) -> None:
        self._collector.add(generator.number, report)
        self._stats.add(generator.number, report)
        if self._watch is not None:
            self._watch.add(report)

    def on_ramp_stuck(self, stop: RampStop) -> None:
        self._stop_ramp(stop)

    def on_failure(self, generator: RemoteGenerator) -> None:
        name, reason = generator.channel.name, generator.failure
        self._collector.mark_failed(generator.number, name, self._now_ns() if self._zero_ns else 0, reason)
        self._view.say(f"{name} {reason}; its sessions are lost, the others continue")

    # --- the run

    def _stop_ramp(self, stop: RampStop) -> None:
        """Start no more sessions in this stage."""
        progress = self._collector.stages[self._stage]
        if progress.stop is None and progress.ramp_end_ns is None:
            progress.stop = stop
            self._view.say(f"arrivals stop at {self._collector.up:,} sessions: {stop.reason}")
            self._pool.broadcast(messages.StopStarting())

    def _now_ns(self) -> int:
        """Now, ns since the start of the run."""
        return now_ns() - self._zero_ns

    async def _begin_run(self) -> None:
        """Tell every load generator, in its own clock, the time at which the run starts."""
        offsets = await handshake.compare_clocks(self._pool)
        if self._pids:
            self._collector.empty_pss_bytes = await settled_pss(self._pids)
        self._collector.clock_error_ns = max((each.error_ns for each in offsets), default=0)
        self._zero_ns = now_ns() + _LEAD_NS
        for generator, offset_ns, _ in offsets:
            generator.channel.send(messages.BeginRun(self._zero_ns + offset_ns))

    async def _run_stages(self) -> None:
        collector = self._collector
        for number, stage in enumerate(self._config.scenario.stage):
            self._stage = number
            progress = collector.stages[number]
            await self._ramp_up(number, stage)
            progress.up = collector.up
            if progress.up and not collector.server_failure and not self._is_aborted():
                if self._pids:
                    progress.full_pss_bytes = await settled_pss(self._pids)
                await self._run_plateau(number, stage)
            if collector.server_failure:
                # Its sockets close one by one.
                await self._pool.wait_until(lambda: not collector.up, _CLOSE_SECONDS)
            progress.end_ns = self._now_ns()
            self._on_stage_end(number)
            if progress.stop is not None or collector.server_failure or not collector.up or self._is_aborted():
                break

    async def _ramp_up(self, number: int, stage: LoadStage) -> None:
        """Start the stage's new sessions."""
        progress = self._collector.stages[number]
        first = self._config.scenario.stage[number - 1].sessions if number else 0
        progress.planned = stage.sessions
        progress.ramp_start_ns = start_ns = self._next_second_ns()
        self._phase = LoadPhase.RAMP_UP
        self._pool.broadcast(
            messages.StartSessions(stage=number, first=first, last=stage.sessions, rate=stage.ramp, at_ns=start_ns)
        )
        await self._pool.wait_for_all(lambda each: each.has_started(number))
        progress.ramp_end_ns = self._now_ns()

    async def _run_plateau(self, number: int, stage: LoadStage) -> None:
        """Have the sessions that are up play their roles for the stage's duration."""
        progress = self._collector.stages[number]
        lost = {each.session for each in self._collector.lost}
        started = [session for each in self._pool.alive if each.started for session in each.started.up]
        order = schedule.role_order(self._config.seed, self._config.scenario.sessions)
        roles = schedule.assign_roles(stage, order, [session for session in started if session not in lost])
        progress.plateau_start_ns = start_ns = self._next_second_ns()
        self._phase = LoadPhase.RUNNING
        every = seconds_between(self._config, stage)
        for each in self._pool.alive:
            assignments = _assignments(roles, each.number, self._config.generators)
            each.channel.send(_run_stage_command(number, stage, assignments, every, start_ns))
        await self._pool.wait_for_all(lambda each: each.has_done(number))
        progress.plateau_end_ns = min(self._now_ns(), start_ns + round(stage.duration * SECOND_NS))
        done = [each.done for each in self._pool.generators if each.has_done(number)]
        progress.silent = sum(each.silent for each in done if each is not None)

    def _next_second_ns(self) -> int:
        """A whole second of the run, when heartbeats are sent, that is far enough away for a command to arrive."""
        if now_ns() <= self._zero_ns:
            return 0
        return -(-(self._now_ns() + _LEAD_NS) // SECOND_NS) * SECOND_NS

    async def _end_sessions(self, graceful: bool) -> None:
        """Have all load generators end their sessions; if not ``graceful``, those of our own server are dropped."""
        self._phase = LoadPhase.ENDING
        abort = not graceful and self._running.process is not None
        if not graceful:
            self._pool.broadcast(messages.StopStarting())
        self._pool.broadcast(messages.EndSessions(abort))
        most = max((heartbeats[-1].up for heartbeats in self._collector.heartbeats if heartbeats), default=0)
        limit = _ABORT_SECONDS if abort else _END_MARGIN_SECONDS + schedule.teardown_timeout_seconds(most)
        if not await self._pool.wait_for_all(lambda each: each.ended is not None, limit):
            late = sum(each.ended is None for each in self._pool.alive)
            self._view.say(f"{late} client processes did not end their sessions within {limit:g} s")
        ended = [each.ended for each in self._pool.generators if each.ended is not None]
        self._collector.not_ended = sum(each.remaining for each in ended)
        self._show()

    # --- monitoring

    async def _monitor(self) -> None:
        """Once per second: sample the server, check everything that can fail, show the live stats."""
        monitor = ServerMonitor(self._pids)
        for number in itertools.count():
            due_ns = self._zero_ns + number * SECOND_NS
            await asyncio.sleep(max(0, due_ns - now_ns()) / SECOND_NS)  # until a time of the clock, not for a condition
            if self._pids:
                self._collector.server_samples.append(monitor.sample(self._zero_ns))
            self._check_server()
            self._check_memory()
            self._check_heartbeats()
            self._check_sessions()
            self._is_aborted()
            self._show()

    def _check_server(self) -> None:
        failure = self._running.died
        if failure and not self._collector.server_failure:
            self._collector.server_failure = failure
            self._view.say(failure)
            self._stop_ramp(RampStop(failure, ours=False))
            self._pool.broadcast(messages.StopStarting())

    def _check_memory(self) -> None:
        available, minimum = memory_available(), self._options.min_available_memory_bytes
        if available < minimum:
            reason = f"{available / 1e6:,.0f} MB of memory are available, and {minimum / 1e6:,.0f} are kept free"
            self._stop_ramp(RampStop(reason, ours=True))

    def _check_heartbeats(self) -> None:
        timeout = self._options.heartbeat_timeout_seconds
        for generator in self._pool.alive:
            silent_ns = now_ns() - max(generator.heartbeat_ns, self._zero_ns)
            if silent_ns > timeout * SECOND_NS:
                self._pool.fail(generator, f"has been silent for {timeout:g} s")

    def _check_sessions(self) -> None:
        """End the plateau if no session is left."""
        progress = self._collector.stages[self._stage]
        is_running = progress.plateau_start_ns is not None and progress.plateau_end_ns is None
        if is_running and not self._collector.up and self._pool.alive:
            self._pool.broadcast(messages.StopStarting())

    def _is_aborted(self) -> bool:
        """Whether the load ends because a threshold can no longer be met; once it does, nothing more is started."""
        if self._watch is None or self._collector.aborted:
            return bool(self._collector.aborted)
        threshold = self._watch.broken(self._stage, self._collector)
        if threshold is not None:
            self._collector.aborted = threshold.text
            self._view.say(f"aborted: {threshold.text} can no longer be met")
            self._pool.broadcast(messages.StopStarting())
        return threshold is not None

    def _show(self) -> None:
        stage = self._config.scenario.stage[self._stage]
        self._view.show(self._stats.snapshot(self._now_ns(), stage.label, self._phase, stage.sessions))


def _assignments(roles: dict[str, list[int]], generator: int, generators: int) -> dict[str, messages.RoleAssignment]:
    """One load generator's part of the sessions with each role."""
    found = {}
    for role, sessions in roles.items():
        own = [(position, each) for position, each in enumerate(sessions) if each % generators == generator]
        if own:
            found[role] = messages.RoleAssignment(
                sessions=[each for _, each in own], positions=[position for position, _ in own], total=len(sessions)
            )
    return found


def _run_stage_command(
    number: int,
    stage: LoadStage,
    assignments: dict[str, messages.RoleAssignment],
    every: dict[str, float],
    at_ns: int,
) -> messages.RunStage:
    return messages.RunStage(
        stage=number,
        at_ns=at_ns,
        seconds=stage.duration,
        typing=stage.typing,
        assignments=assignments,
        steady_line=steady(stage.lines),
        steady_every=1 / stage.lines,
        burst_line=bursts(stage.burst_lines, stage.burst_every),
        burst_every=stage.burst_every,
        reconnect_every=stage.reconnect_every,
        resize_every=stage.resize_every,
        behaviours_every={str(role): each for role, each in every.items()},
    )
