"""A load generator: one process' part of a load. It starts its sessions, plays their roles and ends them.

It decides when to stop starting sessions. ``generator_process`` passes it commands and sends its reports.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import random
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import SECOND_NS, keep, now_ns
from web_terminal_suite.bench.load import messages, schedule
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.output_programs import OutputPrograms, output_starts
from web_terminal_suite.bench.load.prepared_behaviour import PreparedBehaviour
from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.bench.load.virtual_user import OutputMeter, VirtualUser
from web_terminal_suite.bench.samples import Outcome, Sample
from web_terminal_suite.bench.workload.session_pool import in_batches, outcome_of
from web_terminal_suite.bench.workload.shells import destroy, give_prompt
from web_terminal_suite.bench.workload.typists import Typist
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError, TimedOut
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.load.behaviour import Behaviour
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.dialect import Dialect

    Action = Callable[[VirtualUser], Awaitable[int]]
    """Performs one operation; its result is when the operation was complete, ns of ``now_ns``."""

OPERATION_KINDS: Final = ("start", "keystroke", "reconnect", "resize")
"""The operations that are timed. ``start``: from the time due until the computed prompt was seen."""

_SPIN_NS: Final = 20_000
"""A longer spin would be a tenth of a core at 1,000 keys/s; the kernel's timers are exact in a generator process."""

_START_SECONDS: Final = 30.0
"""How long starting a session may take. Each step but the TCP connection has a shorter timeout of its own."""

_ECHO_SECONDS: Final = 5.0
"""How long an echo may take after the last key of a stage."""

_FAILURES_IN_A_ROW: Final = 20
"""After that many failed starts in a row the cause is taken to persist."""

_LOCAL_ERRORS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
"""Errors of a socket that could not be created: a limit of this machine."""

_KILL_LINE: Final = b"\x15"
_SIZES: Final = ((80, 24), (120, 40))


class LoadGenerator:
    """The virtual users of one process. ``dialect`` is the terminal's protocol; ``send`` never waits."""

    def __init__(
        self,
        config: messages.Configure,
        dialect: Callable[[], Dialect],
        send: Callable[[messages.Report], None],
        behaviours: Sequence[Behaviour] = (),
    ) -> None:
        self._config = config
        self._dialect = dialect
        self._send = send
        self._behaviours = behaviours
        self._users: dict[int, VirtualUser] = {}
        self._stack = AsyncExitStack()
        self._markers = Markers(random.Random(f"{config.seed}/{config.generator}"))
        self._columns: dict[str, OperationColumns] = {}
        self._zero_ns = 0
        self._lost: list[messages.SessionLost] = []
        self._meter = OutputMeter()
        self._up = self._keys_sent = self._keys_echoed = self._failures_in_a_row = 0
        self._is_stopped = False
        self._schedules: set[asyncio.Task[None]] = set()
        self._is_ending = False

    def begin_run(self, zero_ns: int) -> None:
        """The run starts at this time of ``now_ns``. From now on garbage is collected only by ``progress``."""
        self._zero_ns = zero_ns
        _freeze_objects()
        gc.disable()

    def progress(self) -> messages.ProgressReport:
        """The counters, and everything that ended since the last report."""
        gc_pause_ns = _collect_garbage()
        batches = [batch for column in self._columns.values() if (batch := column.take_batch()) is not None]
        lost, self._lost = self._lost, []
        # Nothing here may take longer with more sessions: it would be counted as latency of the server.
        return messages.ProgressReport(
            at_ns=now_ns() - self._zero_ns,
            up=self._up,
            pending_keys=self._keys_sent - self._keys_echoed,
            cpu_ns=time.process_time_ns(),
            gc_pause_ns=gc_pause_ns,
            received_bytes=self._meter.received_bytes,
            batches=batches,
            lost=lost,
        )

    def stop_starting(self) -> None:
        """Start nothing more in this stage; operations in flight are completed."""
        self._is_stopped = True
        for each in self._schedules:
            each.cancel()

    # --- ramp-up

    async def start_sessions(self, command: messages.StartSessions) -> None:
        """Start this generator's share of the stage's new sessions, each when it is due."""
        self._begin_stage(command.stage)
        config = self._config
        sessions = schedule.sessions_of(config.generator, config.generators, command.first, command.last)
        start_ns = self._zero_ns + command.at_ns
        async with asyncio.TaskGroup() as starting:

            def start(number: int, due_ns: int) -> None:
                starting.create_task(self._start_session(sessions[number], due_ns))

            times = (schedule.arrival_ns(each, command.first, command.rate) for each in sessions)
            await self._follow(start_ns, times, start)
        _freeze_objects()
        self._send(self.progress())
        up = [session for session, user in self._users.items() if not user.is_lost]
        self._send(messages.SessionsStarted(command.stage, up))

    async def _start_session(self, session: int, due_ns: int) -> None:
        """Start one session and record the outcome."""
        sent_ns = now_ns()
        connection: ClientConnection | None = None
        try:
            # The kernel retries an unanswered SYN for minutes (tcp(7), tcp_syn_retries).
            async with asyncio.timeout(_START_SECONDS):
                connection = await self._stack.enter_async_context(self._connect(session))
                await connection.attach()
                prompt = await give_prompt(connection, self._markers.fresh(), posix_shell=self._config.posix_shell)
        except (ClientError, TimeoutError) as caught:
            error = caught if isinstance(caught, ClientError) else TimedOut("session", _START_SECONDS)
            self._record_failure("start", due_ns, sent_ns, error)
            self._count_failure(error)
            await self._end_partial(connection)
            return
        self._failures_in_a_row = 0
        self._up += 1
        self._record("start", Sample(due_ns, sent_ns, now_ns()))
        self._users[session] = VirtualUser(session, connection, prompt, self._meter, self._on_lost)

    def _connect(self, session: int) -> AbstractAsyncContextManager[ClientConnection]:
        config = self._config
        sources = config.sources
        source = sources[session // config.generators % len(sources)] if sources else ""
        return connect(config.address, dialect=self._dialect, timeout=config.timeout, clock=now_ns, source=source)

    def _count_failure(self, error: ClientError) -> None:
        """Stop the ramp-up at a limit of this machine, or after too many failures in a row."""
        self._failures_in_a_row += 1
        cause = error.__cause__
        ours = isinstance(cause, OSError) and cause.errno in _LOCAL_ERRORS
        if (ours or self._failures_in_a_row >= _FAILURES_IN_A_ROW) and not self._is_stopped:
            self._send(messages.RampStuck(str(error), ours))
            self.stop_starting()

    async def _end_partial(self, connection: ClientConnection | None) -> None:
        """End the session of a failed start, if it had got that far."""
        if connection is None or connection.session is None:
            return
        try:
            await destroy(connection)
        except ClientError:
            connection.abort()  # the start is already recorded as failed

    # --- plateau

    async def run_stage(self, stage: messages.RunStage) -> None:
        """Play every role until the stage is over; then all sessions are back at their prompts."""
        self._begin_stage(stage.stage)
        start_ns = self._zero_ns + stage.at_ns
        programs = OutputPrograms(self._markers)
        async with asyncio.TaskGroup() as roles:
            roles.create_task(self._type_keys(stage, start_ns))
            if Role.RECONNECT in stage.assignments:
                roles.create_task(self._repeat(stage, Role.RECONNECT, stage.reconnect_every, _reconnect, start_ns))
            if Role.RESIZE in stage.assignments:
                roles.create_task(self._repeat(stage, Role.RESIZE, stage.resize_every, _resize, start_ns))
            for behaviour in self._behaviours:
                if behaviour.name in stage.assignments:
                    roles.create_task(self._play(stage, behaviour, start_ns))
            roles.create_task(self._start_output(stage, start_ns, programs))
            await self._unless_stopped(_sleep_until(start_ns + round(stage.seconds * SECOND_NS)))
        silent = programs.silent
        await programs.interrupt()
        _freeze_objects()
        self._send(self.progress())
        self._send(messages.StageDone(stage.stage, silent))

    def _assigned(self, stage: messages.RunStage, role: str) -> tuple[list[VirtualUser], list[int], int]:
        """The users with a role that are left and their positions, in the order of their turns, and all positions."""
        assignment = stage.assignments.get(role)
        if assignment is None:
            return [], [], 0
        turns = sorted(zip(assignment.positions, assignment.sessions, strict=True))
        turns = [(position, session) for position, session in turns if session in self._users]
        return (
            [self._users[session] for _, session in turns],
            [position for position, _ in turns],
            assignment.total,
        )

    async def _type_keys(self, stage: messages.RunStage, start_ns: int) -> None:
        users, positions, total = self._assigned(stage, Role.TYPE)
        if not users or not stage.typing:
            return
        typists = [self._typist(user) for user in users]

        def press(number: int, due_ns: int) -> None:
            self._keys_sent += 1
            typists[number % len(typists)].press(due_ns)

        await self._follow(start_ns, schedule.key_times(positions, total, stage.typing, stage.seconds), press)
        await self._wait_for_echoes(users)

    def _typist(self, user: VirtualUser) -> Typist:
        """The user's typist, the same in every stage, because echoes of an earlier stage may still be pending."""
        if user.typist is None:
            user.typist = Typist(user.connection, kills_line=True, note=self._record_key)
        return user.typist

    async def _wait_for_echoes(self, users: Sequence[VirtualUser]) -> None:
        """Return when all echoes have arrived. A session whose echo does not arrive in time is lost.

        It would otherwise be confused with echoes of later keys.
        """
        try:
            async with asyncio.timeout(_ECHO_SECONDS):
                for user in users:
                    await self._typist(user).settled()
        except TimeoutError:
            reason = f"no echo within {_ECHO_SECONDS:g} s of the last key"
            for user in users:
                if self._typist(user).waiting:
                    self._typist(user).give_up(Outcome.TIMEOUT, reason)
                    user.connection.abort()
        for user in users:
            if not user.is_lost:
                user.connection.input(_KILL_LINE)

    async def _start_output(self, stage: messages.RunStage, start_ns: int, programs: OutputPrograms) -> None:
        starts = output_starts(stage, self._users)

        def start(number: int, _due_ns: int) -> None:
            programs.start(starts[number])

        await self._follow(start_ns, (each.at_ns for each in starts), start)

    async def _repeat(self, stage: messages.RunStage, role: str, every: float, action: Action, start_ns: int) -> None:
        """Each session with ``role`` acts once per interval; an action waits for the session's previous one."""
        users, positions, total = self._assigned(stage, role)
        async with asyncio.TaskGroup() as actions:

            def act(number: int, due_ns: int) -> None:
                actions.create_task(self._perform(str(role), users[number % len(users)], action, due_ns))

            await self._follow(start_ns, schedule.action_times(positions, total, every, stage.seconds), act)

    async def _perform(self, kind: str, user: VirtualUser, action: Action, due_ns: int) -> None:
        async with user.turn:
            sent_ns = now_ns()
            try:
                self._record(kind, Sample(due_ns, sent_ns, await action(user)))
            except ClientError as error:
                self._record_failure(kind, due_ns, sent_ns, error)
                if user.connection.closed is not None:
                    user.ended()

    async def _play(self, stage: messages.RunStage, behaviour: Behaviour, start_ns: int) -> None:
        """Prepare a behaviour in all sessions that have it, repeat its operation, and leave them as it found them."""
        users, _, _ = self._assigned(stage, behaviour.name)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as sessions:
            prepared = {user: PreparedBehaviour(behaviour, user) for user in users}
            for each in prepared.values():
                sessions.create_task(each.hold(over))
            every = stage.behaviours_every[behaviour.name]
            try:
                await self._repeat(stage, behaviour.name, every, lambda user: prepared[user].operate(), start_ns)
            finally:
                over.set()

    # --- end

    async def end_sessions(self, abort: bool) -> None:
        """End every session, or with ``abort`` only close the sockets; then report it."""
        self._is_ending = True
        self.stop_starting()
        connections = [user.connection for user in self._users.values() if not user.is_lost]
        if not abort:
            try:
                async with asyncio.timeout(schedule.teardown_timeout_seconds(len(connections))):
                    for batch in in_batches(connections):
                        await asyncio.gather(*(destroy(each) for each in batch), return_exceptions=True)
            except TimeoutError:
                pass  # the remaining sessions are counted below
        remaining = sum(each.closed is None for each in connections)
        for each in connections:
            each.abort()
        await self._stack.aclose()
        self._send(self.progress())
        self._send(messages.SessionsEnded(remaining))

    # --- records

    def _begin_stage(self, stage: int) -> None:
        self._is_stopped = False
        self._columns = {
            kind: OperationColumns(kind, stage, self._zero_ns)
            for kind in (*OPERATION_KINDS, *(each.name for each in self._behaviours))
        }

    def _record(self, kind: str, sample: Sample) -> None:
        self._columns[kind].add(sample)

    def _record_failure(self, kind: str, due_ns: int, sent_ns: int, error: ClientError) -> None:
        self._record(kind, Sample(due_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error)))

    def _record_key(self, sample: Sample) -> None:
        self._keys_echoed += 1
        self._record("keystroke", sample)

    def _on_lost(self, user: VirtualUser) -> None:
        self._up -= 1
        if not self._is_ending:
            self._lost.append(messages.SessionLost(user.session, now_ns() - self._zero_ns, user.reason))

    # --- schedules

    async def _follow(self, start_ns: int, times: Iterable[int], act: Callable[[int, int], None]) -> None:
        """Call ``act`` with number and due time at each of ``times`` after ``start_ns``, until ``stop_starting``."""
        await self._unless_stopped(keep((start_ns + each for each in times), act, _SPIN_NS))

    async def _unless_stopped(self, schedule_: Coroutine[None, None, None]) -> None:
        """Run a schedule to its end or until ``stop_starting``."""
        task = asyncio.create_task(schedule_)
        self._schedules.add(task)
        if self._is_stopped:
            task.cancel()
        try:
            await asyncio.wait([task])
        finally:
            self._schedules.discard(task)
            task.cancel()
        if not task.cancelled():
            task.result()


async def _reconnect(user: VirtualUser) -> int:
    """Like a page whose network is back: connect, attach at the offset where output stopped."""
    user.stop_listening()
    await user.connection.reconnect()
    seen_ns = now_ns()
    user.listen()
    return seen_ns


async def _resize(user: VirtualUser) -> int:
    """A server handles the messages of a connection in order, so the pong shows that the size was set."""
    user.is_wide = not user.is_wide
    user.connection.resize(*_SIZES[user.is_wide])
    _, reply = await user.connection.ping()
    return reply.seen_ns


async def _sleep_until(time_ns: int) -> None:
    await asyncio.sleep(max(0, time_ns - now_ns()) / SECOND_NS)  # until a time of the clock, not for a condition


def _collect_garbage() -> int:
    """Collect the objects of the last second; how long that took, ns. Older objects are frozen or left alone."""
    start_ns = now_ns()
    gc.collect(1)
    return now_ns() - start_ns


def _freeze_objects() -> None:
    """Exempt all present objects from later collections, whose cost then does not grow with the sessions."""
    gc.collect()
    gc.freeze()
