"""One process' part of a load: its sessions arrive, do what they are told, and leave; it decides when to give up.

Whoever runs it (``client``) hands it commands and sends what it reports.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import random
import resource
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import keep, now_ns
from web_terminal_suite.bench.load import messages, schedule
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.output_programs import OutputPrograms, beginnings
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
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.dialect import Dialect

KINDS: Final = ("start", "keystroke", "reconnect", "resize")
"""What is timed. ``start``: from the moment due to the computed prompt seen."""

_SPIN_NS: Final = 20_000
"""At a thousand keys a second more would be a tenth of a core; the kernel's timers are exact here (``client``)."""

_START_SECONDS: Final = 30.0
"""How long an arrival may take; each of its steps has a shorter limit of its own, but for the socket."""

_PATIENCE_SECONDS: Final = 5.0
"""How long an echo may take once the last key was sent."""

_FAILURES_IN_A_ROW: Final = 20
"""Arrivals after which it is not bad luck any more."""

_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EAGAIN})
"""Errors of a socket that is never made: a limit of this machine."""

_KILL_LINE: Final = b"\x15"
_SIZES: Final = ((80, 24), (120, 40))


class LoadGenerator:
    """``dialect`` is the terminal's wire. ``say`` sends a report; it never waits."""

    def __init__(
        self, order: messages.Configure, dialect: Callable[[], Dialect], say: Callable[[messages.Report], None]
    ) -> None:
        self._order = order
        self._dialect = dialect
        self._say = say
        self._seats: dict[int, VirtualUser] = {}
        self._stack = AsyncExitStack()
        self._markers = Markers(random.Random(f"{order.seed}/{order.shard}"))
        self._columns: dict[str, OperationColumns] = {}
        self._zero_ns = 0
        self._lost: list[messages.SessionLost] = []
        self._meter = OutputMeter()
        self._up = self._pressed = self._echoed = self._failures = 0
        self._halted = ""
        self._schedules: set[asyncio.Task[None]] = set()
        self._leaving = False

    def begin(self, zero_ns: int) -> None:
        """The run begins at this moment of ``now_ns``. From now on garbage is only looked for in ``tick``."""
        self._zero_ns = zero_ns
        _set_aside()
        gc.disable()

    def tick(self) -> messages.ProgressReport:
        """What happened since the last one."""
        pause_ns = _sweep()
        batches = [batch for column in self._columns.values() if (batch := column.taken()) is not None]
        lost, self._lost = self._lost, []
        # Nothing here may take longer the more sessions there are: it would be counted as the server's.
        return messages.ProgressReport(
            at_ns=now_ns() - self._zero_ns,
            up=self._up,
            waiting=self._pressed - self._echoed,
            cpu_ns=time.process_time_ns(),
            pause_ns=pause_ns,
            heard_bytes=self._meter.heard_bytes,
            heard_pieces=self._meter.heard_pieces,
            memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            batches=batches,
            lost=lost,
        )

    def halt(self, reason: str = "halted") -> None:
        """Let nothing more begin; what is under way comes to its end."""
        self._halted = self._halted or reason
        for each in self._schedules:
            each.cancel()

    # --- arriving

    async def arrive(self, order: messages.StartSessions) -> None:
        """Dial this shard's share of the stage's new sessions, each when it is due."""
        self._begin_stage(order.stage)
        numbers = schedule.dealt(order.first, order.last, self._order.shard, self._order.shards)
        begin_ns = self._zero_ns + order.at_ns
        async with asyncio.TaskGroup() as arriving:

            def begin(place: int, due_ns: int) -> None:
                arriving.create_task(self._sit(numbers[place], due_ns))

            moments = (begin_ns + schedule.arrival_ns(each, order.first, order.rate) for each in numbers)
            await self._unless_halted(keep(moments, begin, _SPIN_NS))
        _set_aside()
        self._say(self.tick())
        up = [number for number, seat in self._seats.items() if not seat.is_lost]
        self._say(messages.SessionsStarted(order.stage, up, self._halted))

    async def _sit(self, number: int, due_ns: int) -> None:
        """One arrival, whatever comes of it."""
        sent_ns = now_ns()
        connection: ClientConnection | None = None
        try:
            # A socket whose first packet nobody answers is tried again for minutes (tcp(7), tcp_syn_retries).
            async with asyncio.timeout(_START_SECONDS):
                connection = await self._stack.enter_async_context(self._dial(number))
                await connection.attach()
                prompt = await give_prompt(connection, self._markers.fresh())
        except (ClientError, TimeoutError) as caught:
            error = caught if isinstance(caught, ClientError) else TimedOut("session", _START_SECONDS)
            self._note("start", Sample(due_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error)))
            self._count_failure(error)
            await self._give_back(connection)
            return
        self._failures = 0
        self._up += 1
        self._note("start", Sample(due_ns, sent_ns, now_ns()))
        self._seats[number] = VirtualUser(number, connection, prompt, self._meter, self._lose)

    def _dial(self, number: int) -> AbstractAsyncContextManager[ClientConnection]:
        sources = self._order.sources
        source = sources[number // self._order.shards % len(sources)] if sources else ""
        timeout = self._order.timeout
        return connect(self._order.address, dialect=self._dialect, timeout=timeout, clock=now_ns, source=source)

    def _count_failure(self, error: ClientError) -> None:
        """Stop where the machine has no more to give, or where nobody was let in for a while."""
        self._failures += 1
        cause = error.__cause__
        ours = isinstance(cause, OSError) and cause.errno in _OURS
        if (ours or self._failures >= _FAILURES_IN_A_ROW) and not self._halted:
            self._say(messages.RampStuck(str(error), ours))
            self.halt(str(error))

    async def _give_back(self, connection: ClientConnection | None) -> None:
        """End what a failed arrival may have begun."""
        if connection is None or connection.session is None:
            return
        try:
            await destroy(connection)
        except ClientError:
            connection.abort()  # the arrival is counted as failed; more is not to be had

    # --- playing

    async def play(self, order: messages.RunStage) -> None:
        """Everybody does what they are for until the stage is over, and goes back to the prompt."""
        self._begin_stage(order.stage)
        begin_ns = self._zero_ns + order.at_ns
        printers = OutputPrograms(self._markers)
        async with asyncio.TaskGroup() as playing:
            playing.create_task(self._type(order, begin_ns))
            for role, act in ((Role.RECONNECT, self._reconnect), (Role.RESIZE, self._resize)):
                if role in order.parts:
                    playing.create_task(self._take_turns(order, role, act, begin_ns))
            playing.create_task(self._start_printing(order, begin_ns, printers))
            await self._unless_halted(_sleep_until(begin_ns + round(order.seconds * schedule.SECOND_NS)))
        silent = printers.silent
        await printers.recall()
        _set_aside()
        self._say(self.tick())
        self._say(messages.StageDone(order.stage, silent))

    async def _type(self, order: messages.RunStage, begin_ns: int) -> None:
        part = order.parts.get(Role.TYPE)
        seats = [(place, self._seats[number]) for place, number in _by_place(part) if number in self._seats]
        if part is None or not seats or not order.typing:
            return
        typists = [self._typist(seat) for _, seat in seats]
        places = [place for place, _ in seats]

        def press(number: int, due_ns: int) -> None:
            self._pressed += 1
            typists[number % len(typists)].press(due_ns)

        moments = schedule.key_moments(places, part.people, order.typing, order.seconds)
        await self._unless_halted(keep((begin_ns + each for each in moments), press, _SPIN_NS))
        await self._hear_out([seat for _, seat in seats])

    def _typist(self, seat: VirtualUser) -> Typist:
        """The same one in every stage: echoes that are still owed are his."""
        if seat.typist is None:
            seat.typist = Typist(seat.connection, kills_line=True, note=self._note_key)
        return seat.typist

    async def _hear_out(self, seats: Sequence[VirtualUser]) -> None:
        """Return when every key came back; a session that owes one for too long is lost, or it would owe it later."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for seat in seats:
                    await self._typist(seat).settled()
        except TimeoutError:
            reason = f"no echo within {_PATIENCE_SECONDS:g} s of the last key"
            for seat in seats:
                if self._typist(seat).waiting:
                    self._typist(seat).give_up(Outcome.TIMEOUT, reason)
                    seat.connection.abort()
        for seat in seats:
            if not seat.is_lost:
                seat.connection.input(_KILL_LINE)

    async def _start_printing(self, order: messages.RunStage, begin_ns: int, printers: OutputPrograms) -> None:
        starts = beginnings(order, self._seats)

        def start(place: int, _due_ns: int) -> None:
            printers.start(starts[place])

        await self._unless_halted(keep((begin_ns + each.at_ns for each in starts), start, _SPIN_NS))

    async def _take_turns(
        self, order: messages.RunStage, role: Role, act: Callable[[VirtualUser], Awaitable[int]], begin_ns: int
    ) -> None:
        """Each of a role's sessions acts once in its interval; what is due while the last still runs waits for it."""
        part = order.parts[role]
        seats = [(place, self._seats[number]) for place, number in _by_place(part) if number in self._seats]
        every = order.reconnect_every if role is Role.RECONNECT else order.resize_every
        kind = str(role)
        async with asyncio.TaskGroup() as acting:

            def begin(number: int, due_ns: int) -> None:
                acting.create_task(self._act(kind, seats[number % len(seats)][1], act, due_ns))

            moments = schedule.turn_moments([place for place, _ in seats], part.people, every, order.seconds)
            await self._unless_halted(keep((begin_ns + each for each in moments), begin, _SPIN_NS))

    async def _act(
        self, kind: str, seat: VirtualUser, act: Callable[[VirtualUser], Awaitable[int]], due_ns: int
    ) -> None:
        async with seat.busy:
            sent_ns = now_ns()
            try:
                self._note(kind, Sample(due_ns, sent_ns, await act(seat)))
            except ClientError as error:
                self._note(kind, Sample(due_ns, sent_ns, now_ns(), outcome=outcome_of(error), reason=str(error)))
                if seat.connection.closed is not None:
                    seat.ended()

    async def _reconnect(self, seat: VirtualUser) -> int:
        """As a page whose network came back: dial, attach where output stopped."""
        seat.listen(False)
        await seat.connection.reconnect()
        seen_ns = now_ns()
        seat.listen()
        return seen_ns

    async def _resize(self, seat: VirtualUser) -> int:
        """Messages of one connection are taken in order, so the pong says that the size was set."""
        seat.is_wide = not seat.is_wide
        seat.connection.resize(*_SIZES[seat.is_wide])
        _, reply = await seat.connection.ping()
        return reply.seen_ns

    # --- leaving

    async def leave(self, at_once: bool) -> None:
        """End every session, or drop every socket; then say so."""
        self._leaving = True
        self.halt()
        connections = [seat.connection for seat in self._seats.values() if not seat.is_lost]
        if not at_once:
            try:
                async with asyncio.timeout(schedule.leaving_seconds(len(connections))):
                    for batch in in_batches(connections):
                        await asyncio.gather(*(destroy(each) for each in batch), return_exceptions=True)
            except TimeoutError:
                pass  # who is left is counted below
        stayed = sum(each.closed is None for each in connections)
        for each in connections:
            each.abort()
        await self._stack.aclose()
        self._say(self.tick())
        self._say(messages.SessionsEnded(stayed))

    # --- keeping

    def _begin_stage(self, stage: int) -> None:
        self._halted = ""
        self._columns = {kind: OperationColumns(kind, stage, self._zero_ns) for kind in KINDS}

    def _note(self, kind: str, sample: Sample) -> None:
        self._columns[kind].note(sample)

    def _note_key(self, sample: Sample) -> None:
        self._echoed += 1
        self._columns["keystroke"].note(sample)

    def _lose(self, seat: VirtualUser) -> None:
        self._up -= 1
        if not self._leaving:
            self._lost.append(messages.SessionLost(seat.number, now_ns() - self._zero_ns, seat.reason))

    async def _unless_halted(self, schedule_: Coroutine[None, None, None]) -> None:
        """Follow a schedule to its end, or until nothing more is to begin."""
        task = asyncio.create_task(schedule_)
        self._schedules.add(task)
        if self._halted:
            task.cancel()
        try:
            await asyncio.wait([task])
        finally:
            self._schedules.discard(task)
            task.cancel()
        if not task.cancelled():
            task.result()


def _by_place(part: messages.RoleAssignment | None) -> list[tuple[int, int]]:
    """Places and the sessions that have them, in the order of their turns."""
    return [] if part is None else sorted(zip(part.places, part.numbers, strict=True))


async def _sleep_until(moment_ns: int) -> None:
    await asyncio.sleep(max(0, moment_ns - now_ns()) / schedule.SECOND_NS)  # a moment of the clock, not a wait


def _sweep() -> int:
    """Collect the garbage of the last second; how long that took, ns. What is older was set aside or is left alone."""
    began_ns = now_ns()
    gc.collect(1)
    return now_ns() - began_ns


def _set_aside() -> None:
    """What is there came to stay: no collection looks at it again, however many objects that is."""
    gc.collect()
    gc.freeze()
