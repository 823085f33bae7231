"""Which workers are attached to a session, and which process pumps it: one of them, or the host itself."""

from __future__ import annotations

import logging
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.server import ipc
from web_terminal_suite.server.host.event_loop import READ, WRITE
from web_terminal_suite.server.host.input_handover import InputHandover
from web_terminal_suite.server.host.table import Refusal
from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels
from web_terminal_suite.server.session import Pumped, SessionState

if TYPE_CHECKING:
    from web_terminal_suite.server.host.arenas import Arenas
    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionEntry, SessionTable
    from web_terminal_suite.server.host.termination import Termination
    from web_terminal_suite.server.log import Log

log = logging.getLogger("web_terminal_suite.host")

# A terminal that reported its end while its shell lives is read again, because the shell may reopen it.
_REOPEN_SECONDS = 0.2


class AbsentViewer:
    """The last viewer of a session, which may come back: what it has not had stays in the log."""

    def __init__(self, log: Log) -> None:
        # The viewer is behind by half the log at most. A quarter is left for what the kernel has when the shell ends.
        self._credit_end = log.end + log.capacity // 4

    def credit_end(self) -> int:
        return self._credit_end

    def advance(self) -> None:
        """It reads when it is back."""


class Pumps:
    """Hands sessions to workers and takes them back, so that exactly one process reads each terminal.

    A program waits ``grace_seconds`` for its last viewer to come back before output leaves the log that it has not had.
    """

    def __init__(
        self,
        loop: EventLoop,
        table: SessionTable,
        arenas: Arenas,
        workers: WorkerChannels,
        termination: Termination,
        store: StoreClient,
        grace_seconds: float,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._loop = loop
        self._table = table
        self._arenas = arenas
        self._workers = workers
        self._termination = termination
        self.input = InputHandover(table, workers, store, self.watch)

    def attach(self, worker: WorkerChannel, entry: SessionEntry, request_id: int) -> None:
        """Attach ``worker`` to ``entry``; it pumps the session unless another worker does.

        Raises:
            Refusal: no descriptor is left for a follower channel.
        """
        session = entry.session
        assert session is not None  # only running or ended sessions are in the table
        if entry.pump is not None and entry.pump is not worker:
            try:
                channel = self._open_channel(entry)
            except OSError as error:
                raise Refusal(ErrorCode.NO_DESCRIPTOR, f"{(error.strerror or '').lower()}; raise ulimit -n") from error
        entry.attachments[worker] = 1
        session.viewers.clear()
        worker.attached[entry.id] = entry
        self._table.viewed(entry, self._loop.time())
        brings_master = session.pty.fd >= 0
        brings_channel = False
        lent: list[int] = []
        owned: list[int] = []
        if brings_master:
            lent.append(session.pty.fd)
            if entry.pump is None:
                session.note_flood(False)
                entry.pump = worker
                self.watch(entry)
            elif entry.pump is not worker:
                owned.append(channel)
                brings_channel = True
        brings_arena = entry.arena not in worker.arenas
        if brings_arena:
            lent.append(self._arenas.fd(entry.arena))
            worker.arenas.add(entry.arena)
        answer = ipc.AttachReply(
            id=request_id,
            info=entry.info(self._loop.time(), time.time()),
            arena=entry.arena,
            slot=entry.slot,
            log_size=self._arenas.log_size,
            pumping=entry.pump is worker,
            brings_master=brings_master,
            brings_arena=brings_arena,
            brings_channel=brings_channel,
            held_input=entry.held_input,
        )
        self._workers.answer(worker, answer, tuple(lent), tuple(owned))
        if entry.reaped and entry.state is not SessionState.ENDED and entry.pump is worker:
            self._workers.answer(worker, ipc.ShellExited(session=entry.id))

    def _open_channel(self, entry: SessionEntry) -> int:
        """The follower's end of a new channel to the session's pump; the pump gets the other end."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pump = entry.pump
        assert isinstance(pump, WorkerChannel)
        self._workers.answer(pump, ipc.FollowerAdded(session=entry.id), owned=(near.detach(),))
        return far.detach()

    def viewers(self, worker: WorkerChannel, notice: ipc.ViewerCount) -> None:
        """Note how many viewers ``worker`` has of a session now."""
        if notice.lost_arena is not None:
            worker.arenas.discard(notice.lost_arena)
        entry = worker.attached.get(notice.session)
        if entry is None:
            return
        if notice.count:
            entry.attachments[worker] = notice.count
            (entry.stalled.add if notice.stalled else entry.stalled.discard)(worker)
            self._table.viewed(entry, self._loop.time())
        else:
            self._detach(worker, entry)

    def lose(self, worker: WorkerChannel) -> None:
        """A worker is gone, killed or drained: another process pumps its sessions, and none loses output."""
        self.input.lose(worker)
        for entry in list(worker.attached.values()):
            self._detach(worker, entry)

    def _detach(self, worker: WorkerChannel, entry: SessionEntry) -> None:
        entry.attachments.pop(worker, None)
        stalled = worker in entry.stalled
        entry.stalled.discard(worker)
        worker.attached.pop(entry.id, None)
        self.input.leave(worker, entry)
        if entry.state is SessionState.ENDED:
            if not entry.attachments and not self._table.knows(entry):
                self._termination.free(entry)
            return
        self._table.viewed(entry, self._loop.time())
        if entry.tied_to is worker:
            self._termination.end(entry, "destroyed")
        if entry.sized_by is worker:
            self._release_size(entry)
        if entry.pump is not worker:
            return
        entry.pump = None
        if entry.attachments:
            self._promote(entry)
        elif entry.reaped:
            self._termination.finish(entry)
        else:
            self.pump_here(entry)
            if not stalled and self._grace_seconds and entry.state is SessionState.RUNNING:
                self._await_viewer(entry)

    def _await_viewer(self, entry: SessionEntry) -> None:
        """The last viewer left, or its worker died: it may come back."""
        session = entry.session
        assert session is not None  # its shell lives
        absent = AbsentViewer(session.log)
        session.viewers.append(absent)
        self._loop.later(self._grace_seconds, lambda: self._give_up(entry, absent))

    def _give_up(self, entry: SessionEntry, absent: AbsentViewer) -> None:
        """It did not come back: the program goes on."""
        session = entry.session
        if session is not None and absent in session.viewers:
            session.viewers.remove(absent)
            if entry.state is not SessionState.ENDED:
                self.pump_here(entry)

    def _release_size(self, entry: SessionEntry) -> None:
        """Ask the worker that attached last to set the size of its viewer."""
        entry.sized_by = None
        workers = [worker for worker in entry.attachments if isinstance(worker, WorkerChannel)]
        if workers:
            self._workers.answer(workers[-1], ipc.SizeReleased(session=entry.id))

    def _promote(self, entry: SessionEntry) -> None:
        """Another attached worker becomes the pump; the rest follow it."""
        first = next(worker for worker in entry.attachments if isinstance(worker, WorkerChannel))
        entry.pump = first
        self._workers.answer(first, ipc.BecomePump(session=entry.id))
        self._lead(entry)
        if entry.reaped:
            self._workers.answer(first, ipc.ShellExited(session=entry.id))

    def _lead(self, entry: SessionEntry) -> None:
        """Give every other attached worker a channel to the pump."""
        for other in list(entry.attachments):
            if other is entry.pump or not isinstance(other, WorkerChannel):
                continue
            try:
                channel = self._open_channel(entry)
            except OSError as error:
                # Out of descriptors. Its viewers see no output until they attach again; all others are unaffected.
                log.error("session %s: no channel for a worker that follows it: %s", entry.id, error)
                continue
            self._workers.answer(other, ipc.PumpChanged(session=entry.id), owned=(channel,))

    def resume(self, entry: SessionEntry) -> None:
        """Go on with a session of the host before, once it is known who has viewers and who pumps.

        All channels to followers are made anew: one may have been lost on its way.
        """
        if entry.state is SessionState.ENDED:
            return
        if isinstance(entry.pump, WorkerChannel):
            self._lead(entry)
            if entry.reaped:
                self._workers.answer(entry.pump, ipc.ShellExited(session=entry.id))
        elif entry.attachments:
            self._promote(entry)
        elif entry.reaped:
            self._termination.finish(entry)
        else:
            self.pump_here(entry)

    def drained(self, worker: WorkerChannel, notice: ipc.PumpDrained) -> None:
        """The pump read the terminal of a shell that ended to its end."""
        entry = worker.attached.get(notice.session)
        if entry is not None and entry.reaped and entry.state is not SessionState.ENDED and entry.pump is worker:
            self._termination.finish(entry)

    def pump_here(self, entry: SessionEntry) -> None:
        """Read the terminal in the host while the session has no viewer."""
        here = entry.pump is None and entry.session is not None and entry.session.pty.fd >= 0
        if here and entry.session is not None and (lost := entry.session.log.recover()):
            log.warning("session %s: at most %d bytes were lost with the process that read them", entry.id, lost)
        self.watch(entry, pumps=entry.pump is None)

    def watch(self, entry: SessionEntry, *, pumps: bool | None = None) -> None:
        """Watch the terminal for what the host has to do: read it where it ``pumps``, type what workers left."""
        session = entry.session
        if session is None or session.pty.fd < 0:
            return
        if pumps is None:
            pumps = entry.pump is None and not entry.hung_up
        entry.hung_up = entry.pump is None and not pumps
        events = READ * pumps | WRITE * entry.input_waits
        if events:
            self._loop.watch(session.pty.fd, events, partial(self._on_terminal, entry))
        else:
            self._loop.forget(session.pty.fd)

    def _on_terminal(self, entry: SessionEntry, events: int) -> None:
        session = entry.session
        assert session is not None
        if events & ~READ and entry.input_waits:
            self.input.type(entry)
        if entry.pump is not None or not events & ~WRITE:
            return
        pumped = session.pump()
        self._table.touch(entry, self._loop.time())
        if pumped is Pumped.END:
            self.watch(entry, pumps=False)
            if not entry.reaped:
                self._loop.later(_REOPEN_SECONDS, lambda: self.pump_here(entry))
        elif session.allowance() <= 0:  # until the viewer is back, or is waited for no longer
            self.watch(entry, pumps=False)
