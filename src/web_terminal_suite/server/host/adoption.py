"""The sessions of another host, taken over: from the supervisor's store if it died, in its own process at an upgrade.

What changes with every viewer is in neither; the workers report it.

Workers with viewers read terminals while there is no host. So nothing is read here, and no request is answered, until
every worker has reported what it is attached to.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_terminal_suite.server import control, ipc
from web_terminal_suite.server.host.table import SessionEntry
from web_terminal_suite.server.pty import Pty, child_of_ours, kill_session, size_of
from web_terminal_suite.server.session import ReadBudget, Session, SessionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.host.arenas import Arenas
    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.pumps import Pumps
    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionTable
    from web_terminal_suite.server.host.termination import Termination
    from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels

log = logging.getLogger("web_terminal_suite.host")

# A worker that has not reported by then does not run: the supervisor ends it.
_REPORT_SECONDS = 5.0


@dataclass(eq=False)
class _Adopted:
    """A session on its way. ``tied`` until the worker that it is tied to has reported."""

    entry: SessionEntry
    pid: int
    tied: bool
    child: bool
    wait_status: int | None


class Adoption:
    """From the start of a host until it has taken over its sessions; then ``done`` is called with what was put off."""

    def __init__(
        self,
        loop: EventLoop,
        table: SessionTable,
        arenas: Arenas,
        workers: WorkerChannels,
        termination: Termination,
        pumps: Pumps,
        store: StoreClient,
        budget: ReadBudget,
        done: Callable[[deque[tuple[WorkerChannel, ipc.FromWorker]]], None],
    ) -> None:
        self._loop = loop
        self._table = table
        self._arenas = arenas
        self._workers = workers
        self._termination = termination
        self._pumps = pumps
        self._store = store
        self._budget = budget
        self._done = done
        self._adopted: dict[str, _Adopted] = {}
        self._awaited: set[WorkerChannel] = set()
        self._put_off: deque[tuple[WorkerChannel, ipc.FromWorker]] = deque()
        self._ended: list[control.ShellEnded] = []
        self._open = True
        self._lost = 0
        pumps.input.types = False

    # --- from the store

    def arena(self, message: control.AdoptArena, fds: list[int]) -> None:
        """An arena of the host before."""
        try:
            self._arenas.adopt(message.arena, fds.pop())
        except (OSError, IndexError) as error:
            self._arenas.pass_over(message.arena)
            log.error("arena %d cannot be mapped, and its sessions are lost: %s", message.arena, error)

    def session(self, message: control.AdoptSession, fds: list[int]) -> None:
        """A session of the host before."""
        record = control.decode_record(message.record)
        if message.lost or record.arena not in self._arenas or len(fds) < message.brings_master + message.brings_input:
            for fd in fds:
                os.close(fd)
            self._lose(record)
            return
        entry = self._take(record, fds[0] if message.brings_master else -1, message.child, message.wait_status)
        if message.brings_input:
            self._pumps.input.adopt(entry, fds[-1])

    def _take(self, record: control.SessionRecord, master: int, child: bool, wait_status: int | None) -> SessionEntry:
        entry = SessionEntry.adopted(record, self._loop.time())
        entry.session = Session(Pty(master, record.pid), self._arenas.log(record.arena, record.slot), self._budget)
        entry.idle_offset = entry.session.log.end
        if master >= 0:
            entry.size = size_of(master)
        self._table.adopt(entry)
        self._adopted[entry.id] = _Adopted(entry, record.pid, record.tied, child, wait_status)
        return entry

    def take_over(self, state: control.HandedOver) -> None:
        """Everything of the code that had this process before."""
        for number, fd in state.arenas.items():
            self._arenas.adopt(number, fd)
        for record, master in state.sessions:
            self._take(record, master, child_of_ours(record.pid), None)
        for session, file in state.inputs.items():
            self._pumps.input.adopt(self._adopted[session].entry, file)
        for channel in state.channels:
            worker = self._workers.resume(channel)
            for session, place in channel.clients:
                self._pumps.input.of(self._adopted[session].entry).owners[place] = worker
            for session, place, request_id in channel.claims:
                claims = self._pumps.input.of(self._adopted[session].entry).waiting
                claims.setdefault(place, []).append((worker, request_id))
            for session, request_id in channel.waiting:
                self._adopted[session].entry.waiting.append((worker, request_id))
            self.expect(worker)
        self.ends(control.AdoptionEnds(serial=state.serial))

    def shell_ended(self, message: control.ShellEnded) -> None:
        """A shell ended before its session was taken over."""
        self._ended.append(message)

    def _lose(self, record: control.SessionRecord) -> None:
        self._lost += 1
        self._table.lose(record)
        self._termination.note_lost(record.id, record.user)
        if not record.reaped:
            kill_session(record.pid)
        self._store.say(control.ForgetSession(key=control.key_of(record.id)))

    def ends(self, message: control.AdoptionEnds) -> None:
        """The store has no more."""
        self._table.begin_after(message.serial)
        self._open = False
        self._loop.later(_REPORT_SECONDS, self._miss)
        self._settle_if_complete()

    def _miss(self) -> None:
        for worker in self._awaited:
            log.error("a worker does not report its sessions")
            self._store.say(control.WorkerSilent(row=worker.row))

    # --- from the workers

    def expect(self, worker: WorkerChannel) -> None:
        """A worker that may have viewers of our sessions."""
        self._awaited.add(worker)
        self._workers.answer(worker, ipc.ReportAttachments())

    def left(self, worker: WorkerChannel) -> None:
        """A worker is gone: it reads nothing any more."""
        self._awaited.discard(worker)
        self._settle_if_complete()

    def put_off(self, worker: WorkerChannel, message: ipc.FromWorker) -> None:
        """Keep what a worker asks until its sessions are there."""
        self._put_off.append((worker, message))

    def report(self, worker: WorkerChannel, message: ipc.AttachmentReport) -> None:
        """What a worker is attached to, or part of it."""
        for number in message.arenas:
            worker.arenas.add(number)
            self._arenas.pass_over(number)
        for each in message.attachments:
            self._attach(worker, each)
        if message.last:
            self._awaited.discard(worker)
            self._settle_if_complete()

    def _attach(self, worker: WorkerChannel, attached: ipc.AttachmentState) -> None:
        adopted = self._adopted.get(attached.session)
        if adopted is None:
            self._workers.answer(
                worker, ipc.SessionEnded(session=attached.session, offset=attached.offset, reason="lost")
            )
            return
        entry = adopted.entry
        entry.attachments[worker] = attached.viewers
        if attached.stalled:
            entry.stalled.add(worker)
        worker.attached[entry.id] = entry
        if attached.pumping:
            entry.pump = worker
        if attached.sized:
            entry.sized_by = worker
        if attached.clients or attached.waits:
            self._pumps.input.report(worker, entry, attached)
        if adopted.tied:
            adopted.tied, entry.tied_to = False, worker

    # --- both together

    def _settle_if_complete(self) -> None:
        if self._open or self._awaited:
            return
        self._arenas.free_all_but(
            {(each.entry.arena, each.entry.slot) for each in self._adopted.values() if each.entry.arena >= 0}
        )
        self._pumps.input.types = True
        for adopted in self._adopted.values():
            self._settle(adopted)
        for message in self._ended:
            self._termination.ended(message.pid, message.wait_status)
        if self._adopted or self._lost:
            log.info("%d sessions adopted, %d lost", len(self._adopted), self._lost)
        self._store.say(control.HostReady(sessions=len(self._adopted)))
        self._done(self._put_off)

    def _settle(self, adopted: _Adopted) -> None:
        entry = adopted.entry
        if entry.state is SessionState.ENDED:
            self._termination.resume(entry)
            return
        self._table.viewed(entry, self._loop.time())
        self._termination.resume(entry)
        self._pumps.resume(entry)
        self._pumps.input.resume(entry)
        if entry.reaped:
            return
        self._termination.watch(adopted.pid, entry)
        if adopted.tied:
            self._termination.end(entry, "destroyed")
        if adopted.wait_status is not None:
            self._termination.ended(adopted.pid, adopted.wait_status)
        elif not adopted.child:
            self._termination.watch_stranger(entry)
