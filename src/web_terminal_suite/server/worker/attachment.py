"""Sessions that this worker has viewers of.

In one of the workers with viewers the attachment is the *pump*: it reads the terminal into the log. In the others it
*follows*: the log is shared memory, and a channel between the two workers signals more output and credit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server import ipc
from web_terminal_suite.server.client_input import ClientInput
from web_terminal_suite.server.input_queue import NO_PLACE
from web_terminal_suite.server.session import LONGEST_DELAY_NS, TURN_BYTES, CoalescingDelay, Pumped, Session, Viewer
from web_terminal_suite.server.worker.follower_channel import FollowerChannel, PumpChannel

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from web_terminal_suite.server.client_input import InputPipe
    from web_terminal_suite.server.input_queue import HeldInput
    from web_terminal_suite.server.worker.pause_watch import PauseWatch
    from web_terminal_suite.server.worker.scheduler import Scheduler

# As in the host: a terminal that reported its end while its shell lives is read again.
_REOPEN_SECONDS = 0.2


class Owner(Protocol):
    """What an attachment needs of the client of its host."""

    def tell(self, message: ipc.FromWorker) -> None:
        """Send a notice to the host."""

    async def ask(self, type_: type[ipc.Request], **fields: Any) -> Any:
        """The host's answer to a request."""

    def hand_over(self, session: str, held: HeldInput) -> None:
        """Let the host type what this worker had to type, or the next host."""

    def drop_input(self, session: str) -> None:
        """Let the host type nothing of what it has to."""

    def input_pipe(self) -> InputPipe | None:
        """What numbered input is typed through."""

    def release(self, attachment: Attachment) -> None:
        """This worker has no viewer of the session any more."""


class FastReader(Protocol):
    """Reads the terminal for a viewer that is the session's only one."""

    def readable(self) -> None:
        """Read the terminal into the log and send it."""

    def end(self) -> None:
        """Do nothing from now on."""


class AttachedViewer(Viewer, Protocol):
    """A viewer with a connection of its own."""

    wanted_size: Size | None
    """The size it asked for last; ``None`` if it may not set one."""

    stalled: bool
    """Whether it takes no more output, though there is more: it does not stop the idle clock."""

    client: ClientInput | None
    """Whose numbered input it sends; ``None`` where it numbers none."""

    def input_taken_over(self) -> None:
        """Another connection goes on with its ``client``."""

    def input_lost(self) -> None:
        """Some input of its ``client`` was lost with the host, and is to be sent again."""

    def fast_path(self, attachment: Attachment) -> FastReader | None:
        """The fast path, if there is one for this viewer. It is the session's only viewer until ``end`` is called."""

    def ended(self, notice: ipc.SessionEnded) -> None:
        """No output comes after ``notice.offset``."""

    def resized(self, size: Size) -> None:
        """Another viewer, or REST, set the size, or one that had set it left."""

    def lapse(self) -> None:
        """Hold the program up no longer, until output is acknowledged again."""

    def paused(self, direction: str, paused: bool) -> None:
        """The program waits for the viewers (``output``), or does not read (``input``)."""


class Attachment:
    """One session that this worker has viewers of."""

    __slots__ = (
        "_announced", "_clients", "_delay", "_fast", "_followers", "_loop", "_owner", "_pauses", "_pump_channel",
        "_pumping", "_reading", "_scheduled", "_scheduler", "_stalled", "_waits", "_writing", "arriving", "end", "info",
        "session", "size", "viewers",
    )  # fmt: skip

    def __init__(
        self,
        info: ipc.SessionInfo,
        session: Session,
        *,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        pauses: PauseWatch,
        pumping: bool,
    ) -> None:
        self.info = info
        self.session = session
        self.size = Size(info.cols, info.rows)
        self.viewers: list[AttachedViewer] = []
        self.end: ipc.SessionEnded | None = None
        self._owner = owner
        self._loop = loop
        self._scheduler = scheduler
        self._pauses = pauses
        self._followers: list[FollowerChannel] = []
        self._pump_channel: PumpChannel | None = None
        self._fast: FastReader | None = None
        self._delay: CoalescingDelay | None = None  # most sessions never need one
        self._pumping = pumping
        self._reading = False
        self._scheduled = False  # read when the scheduler runs it, rather than when the terminal is readable
        self._writing = False  # called when the terminal is writable
        self._waits = False  # whether the viewers were notified that the program does not read
        self._clients: dict[int, ClientInput] = {}
        self.arriving = 0  # viewers that are about to enter
        self._stalled = False  # whether the host was told that no viewer takes output
        self._announced = False  # whether the viewers were notified that output is paused
        if info.state == "ended":
            self.end = ipc.SessionEnded(
                session=info.id, offset=info.offset, reason="exited", status=info.status, signal=info.signal
            )

    # --- viewers

    def enter(self, viewer: AttachedViewer) -> None:
        """Add a viewer; it calls its own ``advance`` first."""
        self.viewers.append(viewer)
        self.session.viewers.append(viewer)
        if len(self.viewers) > 1:
            self._tell_viewers()
        self._choose_path()
        self.credited()
        if self._waits:
            viewer.paused("input", True)
        self._note_input()

    def leave(self, viewer: AttachedViewer) -> None:
        """Remove a viewer. With the last one this worker releases the session."""
        self.viewers.remove(viewer)
        self.session.viewers.remove(viewer)
        self._choose_path()
        if viewer.client is not None and viewer.client in self._clients.values():
            self._hand_over(viewer.client)
        if self.viewers:
            self._tell_viewers()
            if viewer.wanted_size == self.size:
                self.restore_size()
            self.credited()
        else:
            self.release_if_unused()

    def stop_sending(self, viewer: AttachedViewer) -> None:
        """``viewer`` takes no more output, but may still type."""
        viewer.wanted_size = None
        self._choose_path()
        self.credited()

    def release_if_unused(self) -> None:
        """Release the session if it has no viewer and none is about to enter."""
        if self.viewers or self.arriving:
            return
        self._hand(self.session.take_waiting())
        for client in list(self._clients.values()):
            self._hand_over(client)
        self._owner.release(self)

    def state(self) -> ipc.AttachmentState:
        """What a new host must know."""
        return ipc.AttachmentState(
            session=self.info.id,
            viewers=len(self.viewers),
            pumping=self._pumping,
            sized=any(viewer.wanted_size == self.size for viewer in self.viewers),
            offset=self.output_end(),
            clients=tuple((each.place, self.session.offset_of(each)) for each in self._clients.values()),
            waits=self.session.held_elsewhere > 0,
            stalled=self._stalled,
        )

    def lose_input(self, place: int) -> None:
        """Input of the client in ``place`` was lost with a host. It sends that again, and what waits here behind it."""
        for client in [each for each in self._clients.values() if each.place == place]:
            self._clients = {key: each for key, each in self._clients.items() if each is not client}
            self.session.take_waiting(client)
            for viewer in list(self.viewers):
                if viewer.client is client:
                    viewer.client = None
                    viewer.input_lost()
        self._note_input()

    def _tell_viewers(self) -> None:
        self._stalled = self._all_stall()
        self._owner.tell(ipc.ViewerCount(session=self.info.id, count=len(self.viewers), stalled=self._stalled))

    def _all_stall(self) -> bool:
        return bool(self.viewers) and all(viewer.stalled for viewer in self.viewers)

    def note_stall(self) -> None:
        """A viewer takes no more output, or does again: tell the host if it was the only one that did."""
        if self._all_stall() != self._stalled:
            self._tell_viewers()

    def credited(self) -> None:
        """Credit changed or a viewer came or left: read on if that is allowed now."""
        if self._pump_channel is not None:
            self._pump_channel.tell_credit(self._credit_end())
        elif self._pumping:
            self._read_if_allowed()

    def _credit_end(self) -> int:
        return max((viewer.credit_end() for viewer in self.viewers), default=0)

    def _choose_path(self) -> None:
        """The fast path for a viewer that is the only one and whose worker pumps, else the slow path."""
        if self._fast is not None:
            self._fast.end()
            self._fast = None
        if self._pumping and self.viewers and len(self.session.viewers) == 1 and self.session.pty.fd >= 0:
            self._fast = self.viewers[0].fast_path(self)
        if self._reading and not self._scheduled:
            self._watch()

    # --- output

    def output_end(self) -> int:
        """One past the last byte of output."""
        return self.session.log.end

    def _watch(self) -> None:
        self._reading = True
        reader = self.pump_once if self._fast is None else self._fast.readable
        self._loop.add_reader(self.session.pty.fd, reader)

    def _read_if_allowed(self) -> None:
        if self._reading or self.session.pty.fd < 0 or self.end is not None or not self._pumping:
            return
        if self.session.allowance() > 0:
            self._watch()
            self._pauses.resume(self)
        else:
            self._pauses.pause(self)

    def pump_once(self) -> None:
        """The terminal is readable: read it into the log and let every viewer advance."""
        result = self.session.pump()
        if result is Pumped.END:
            self._stop_reading()
            self._loop.call_later(_REOPEN_SECONDS, self._read_if_allowed)
        elif result is not Pumped.EMPTY and self.session.allowance() <= 0:
            self._stop_reading()
            self._pauses.pause(self)
        elif result is Pumped.MORE:
            self.flooded()
        elif result is Pumped.PART:
            self.coalesce()

    def flooded(self) -> None:
        """More is left than one turn may read: join the scheduler's queue if other sessions flood or this one did."""
        if self._delay is not None:
            self._delay.note_full_turn()
        if self._reading and (self._scheduled or self._scheduler.floods > 1):
            self._unwatch()
            self._scheduler.join(self)

    def coalesce(self) -> None:
        """Much was read and nothing is left, so more will come: let it coalesce before it is read."""
        if self._reading:
            self._unwatch()
            self._scheduler.coalesce(self, self._delay_ns())

    def _delay_ns(self) -> int:
        if self._scheduler.share(self.session) < TURN_BYTES:  # the time belongs to the others
            return LONGEST_DELAY_NS
        if self._delay is None:
            self._delay = CoalescingDelay()
        return self._delay.next_ns()

    def _unwatch(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.remove_reader(self.session.pty.fd)

    def run_once(self) -> None:
        """Read once. Then wait for the scheduler if it queues this session, else for the terminal."""
        try:
            if self._fast is None:
                self.pump_once()
            else:
                self._fast.readable()
        finally:
            if self._scheduled and self not in self._scheduler:
                self._scheduled = False
                self._watch()

    def _stop_reading(self) -> None:
        if self._scheduled:
            self._scheduled = False
            self._scheduler.leave(self)
        elif self._reading:
            self._loop.remove_reader(self.session.pty.fd)
        if self._reading:
            self._reading = False
            self.session.note_flood(False)

    def announce(self, paused: bool) -> None:
        """Tell the viewers, once each way, that the program waits for them."""
        if paused != self._announced:
            self._announced = paused
            for viewer in list(self.viewers):
                viewer.paused("output", paused)

    def lapse(self) -> None:
        """The viewers do not acknowledge: the program waits no longer for them, until they do."""
        for viewer in self.viewers:
            viewer.lapse()
        for follower in self._followers:
            follower.lapse()
        self._read_if_allowed()

    # --- input

    async def claim_client(self, key: int) -> ClientInput | None:
        """The client with ``key``, whose numbered input goes through this worker from now on.

        ``None`` where the session has too many others. The caller counts itself as ``arriving`` meanwhile.

        Raises:
            HostError: the session is gone.
        """
        client = self._clients.get(key)
        if client is None:
            self.session.pipe = self._owner.input_pipe()
            claimed: ipc.InputClaimed = await self._owner.ask(
                ipc.ClaimInput,
                seconds=None,  # another worker may have to let go first
                session=self.info.id,
                key=key,
            )
            client = self._clients.get(key)  # another connection may have asked for it as well
            if client is None and claimed.place != NO_PLACE:
                client = ClientInput(self.session.log, claimed.place, claimed.accepted)
                self._clients[key] = client
            self.hold_input(claimed.held_input)
        for viewer in list(self.viewers):
            if client is not None and viewer.client is client:
                viewer.client = None
                viewer.input_taken_over()
        return client

    def knows(self, client: ClientInput) -> bool:
        """Whether the input of ``client`` still goes through this worker."""
        return client in self._clients.values()

    def give_up_client(self, place: int) -> None:
        """Another worker has the client in ``place``."""
        clients = [each for each in self._clients.values() if each.place == place]
        if not clients and not self.arriving:  # the connection that claimed it did not wait for the answer
            self._owner.tell(ipc.ReleaseInput(session=self.info.id, place=place))
        for client in clients:
            for viewer in list(self.viewers):
                if viewer.client is client:
                    viewer.client = None
                    viewer.input_taken_over()
            if self.knows(client):
                self._hand_over(client)

    def _hand_over(self, client: ClientInput) -> None:
        """Let the host type what waits of ``client``; from now on it is not this worker's."""
        self._clients = {key: each for key, each in self._clients.items() if each is not client}
        self._hand(self.session.take_waiting(client))
        self._owner.tell(ipc.ReleaseInput(session=self.info.id, place=client.place))

    def _hand(self, held: Sequence[HeldInput]) -> None:
        if self.session.pty.fd < 0:
            return
        for each in held:
            self.session.held_elsewhere += len(each.data)
            self._owner.hand_over(self.info.id, each)
        self._note_input()

    def hold_input(self, held_bytes: int) -> None:
        """The host has to type so much before this worker may type again."""
        self.session.held_elsewhere = held_bytes
        self._note_input()

    def write(self, data: bytes, client: ClientInput | None = None) -> bool:
        """Write ``data`` to the terminal, of ``client`` where it is numbered; whether it was taken."""
        session = self.session
        if session.pty.fd < 0:
            return True  # ended: input that crossed the end is without effect
        taken = session.write(data, client)
        if session.input_waits:
            self._note_input()
        return taken

    def interrupt(self, client: ClientInput | None) -> int | None:
        """As ``Session.interrupt``."""
        if self.session.pty.fd < 0:
            return None
        dropped = self.session.interrupt(client)
        if dropped is not None and self.session.held_elsewhere:
            self._owner.drop_input(self.info.id)
        self._note_input()
        return dropped

    def _writable(self) -> None:
        self.session.write_waiting()
        self._note_input()

    def _note_input(self) -> None:
        """Watch the terminal if this worker has input for it, and tell the viewers whether input waits."""
        waits = self.session.input_waits
        writes = waits and not self.session.held_elsewhere and self.session.pty.fd >= 0
        if writes and not self._writing:
            self._writing = True
            self._loop.add_writer(self.session.pty.fd, self._writable)
        elif not writes:
            self._stop_writing()
        if waits != self._waits:
            self._waits = waits
            for viewer in list(self.viewers):
                viewer.paused("input", waits)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self.session.pty.fd)

    def restore_size(self) -> None:
        """The viewer that had set the size left: give the size that the latest one here asked for."""
        wanted = [viewer.wanted_size for viewer in self.viewers if viewer.wanted_size is not None]
        if wanted and self.size not in wanted:
            self.resize(wanted[-1], None)

    def resize(self, size: Size, source: AttachedViewer | None) -> None:
        """Set the size for every viewer; ``source`` knows already."""
        if size == self.size or self.session.pty.fd < 0:
            return
        self.session.pty.resize(size)
        self._owner.tell(ipc.SizeSet(session=self.info.id, cols=size.cols, rows=size.rows))
        self._note_size(size, source)

    def _note_size(self, size: Size, source: AttachedViewer | None) -> None:
        """The size is another now."""
        self.size = size
        for viewer in list(self.viewers):
            if viewer is not source:
                viewer.resized(size)

    def updated(self, notice: ipc.SessionUpdated) -> None:
        """The session was renamed or resized over REST, or resized in another worker."""
        self.info = msgspec.structs.replace(self.info, name=notice.name)
        size = Size(notice.cols, notice.rows)
        if size != self.size:
            self._note_size(size, None)

    # --- several workers

    def follow(self, fd: int) -> None:
        """Another worker pumps; owns ``fd``, this end of the channel to it."""
        self._close_pump_channel()
        self._pumping = False
        self._stop_reading()
        self._choose_path()
        self._pump_channel = PumpChannel(fd, self._loop, self._advance_all, self._pump_lost)
        self._pump_channel.tell_credit(self._credit_end())
        self._advance_all()  # what came between two pumps

    def _advance_all(self) -> None:
        for viewer in list(self.viewers):
            viewer.advance()

    def _pump_lost(self, channel: PumpChannel) -> None:
        if channel is self._pump_channel:  # the host decides which worker pumps next
            self._close_pump_channel()

    def _close_pump_channel(self) -> None:
        if self._pump_channel is not None:
            self._pump_channel.close()
            self._pump_channel = None

    def become_pump(self) -> None:
        """This worker pumps from now on."""
        self._close_pump_channel()
        self.session.log.recover()
        self._pumping = True
        self._choose_path()
        self._advance_all()
        self._read_if_allowed()

    def add_follower(self, fd: int) -> None:
        """Another worker follows; owns ``fd``, this end of the channel to it."""
        follower = FollowerChannel(fd, self._loop, self.credited, self._follower_lost)
        self._followers.append(follower)
        self.session.viewers.append(follower)
        self._choose_path()
        # It may have looked before what was appended meanwhile, when there was no channel to tell it: look again.
        follower.advance()

    def _follower_lost(self, follower: FollowerChannel) -> None:
        follower.close()
        self._followers.remove(follower)
        self.session.viewers.remove(follower)
        self._choose_path()
        self.credited()

    # --- the end

    def shell_exited(self) -> None:
        """The shell was reaped: read what the kernel still has, and notify the host."""
        self._stop_reading()
        if self.session.pty.fd >= 0:
            self.session.drain()
        self._pumping = False
        self._owner.tell(ipc.PumpDrained(session=self.info.id))

    def ended(self, notice: ipc.SessionEnded) -> None:
        """The host closed the session."""
        self.end = notice
        self._close_terminal()
        self.announce(False)
        for viewer in list(self.viewers):
            viewer.ended(notice)

    def _close_terminal(self) -> None:
        # Other processes have the same terminal open, so epoll would keep it after close: forget it first.
        self._stop_reading()
        self._stop_writing()
        if self._fast is not None:
            self._fast.end()
            self._fast = None
        self.session.pty.close()

    def close(self) -> None:
        """Release everything; the session lives on in the host."""
        self._pumping = False
        self._pauses.forget(self)
        self._close_terminal()
        self._close_pump_channel()
        for follower in self._followers:
            follower.close()
        self._followers.clear()
