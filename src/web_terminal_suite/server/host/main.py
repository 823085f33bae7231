"""The host process: the requests of workers about sessions, and the loop that receives them.

Forked by the supervisor with the settings and a control channel; the ends of the workers' channels arrive over it. A
host that is started for one that died is an interpreter of its own, and gets that one's sessions over the same channel.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.signals import signal_name
from web_terminal_suite.server import control, ipc, launch, meeting
from web_terminal_suite.server.audit import AuditLog
from web_terminal_suite.server.host.adoption import Adoption
from web_terminal_suite.server.host.arenas import Arenas
from web_terminal_suite.server.host.changes import SessionChanges
from web_terminal_suite.server.host.creation import Creation
from web_terminal_suite.server.host.event_loop import EventLoop
from web_terminal_suite.server.host.handover import (
    channels_of,
    hand_over,
    inputs_of,
    refusal,
    take_over,
    unblock_signals,
)
from web_terminal_suite.server.host.pumps import Pumps
from web_terminal_suite.server.host.session_audit import SessionAudit
from web_terminal_suite.server.host.store_client import StoreClient, kept_input, kept_session
from web_terminal_suite.server.host.table import Refusal, SessionEntry, SessionTable
from web_terminal_suite.server.host.termination import Termination
from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels
from web_terminal_suite.server.in_place import CannotHandOver
from web_terminal_suite.server.pty import SpawnFailed
from web_terminal_suite.server.session import ReadBudget, SessionState
from web_terminal_suite.server.settings import Settings

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

log = logging.getLogger("web_terminal_suite.host")


class Host:
    """Owns the table of sessions and answers what workers ask about it."""

    def __init__(
        self,
        settings: Settings,
        supervisor: socket.socket,
        loop: EventLoop,
        *,
        number: int,
        shells_descriptors: int,
        adopts: bool,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._number = number
        self._shells_descriptors = shells_descriptors
        self._table = SessionTable(settings.max_sessions, settings.max_sessions_per_user, number, settings.hosts)
        self._store = StoreClient(supervisor, loop, self._on_supervisor, self._on_orphaned)
        self._arenas = Arenas(settings.log_size, self._store.keep_arena)
        self._workers = WorkerChannels(loop, self._on_message, self._lose)
        audit = AuditLog(settings.audit_log)
        self._audit = SessionAudit(audit, self._table)
        self._termination = Termination(settings, loop, self._table, self._arenas, self._workers, self._store, audit)
        self._pumps = Pumps(
            loop, self._table, self._arenas, self._workers, self._termination, self._store, settings.viewer_grace
        )
        self._budget = ReadBudget()
        self._creation = Creation(
            settings, loop, self._table, self._arenas, self._termination, self._pumps, self._store, self._budget,
            self._tell, self._audit, shells_descriptors,
        )  # fmt: skip
        if number == 0:  # the others would say the same
            for remark in self._creation.remarks:
                log.info("%s", remark)
        self._adoption: Adoption | None = None
        if adopts:
            self._adoption = Adoption(
                loop, self._table, self._arenas, self._workers, self._termination, self._pumps, self._store,
                self._budget, self._adopted,
            )  # fmt: skip
        changes = SessionChanges(self._table, self._workers, self._store, self._tell, self._audit)
        self._handlers: dict[type, Callable[..., None]] = {
            ipc.CreateSession: self._creation.create,
            ipc.AttachSession: self._attach,
            ipc.GetSession: self._read,
            ipc.ListSessions: self._list,
            ipc.UpdateSession: changes.change,
            ipc.TouchSession: self._touch,
            ipc.SignalSession: self._signal,
            ipc.DestroySession: self._destroy,
            ipc.GetStats: self._count,
            ipc.ViewerCount: self._pumps.viewers,
            ipc.PumpDrained: self._pumps.drained,
            ipc.SizeSet: changes.note_size,
            ipc.ClaimInput: self._pumps.input.claim,
            ipc.HandOverInput: self._pumps.input.hand_over,
            ipc.ReleaseInput: self._pumps.input.release,
            ipc.DropInput: self._pumps.input.drop,
            ipc.LendPipe: _nothing_more,
        }
        loop.on_signals({signal.SIGCHLD: self._reap, signal.SIGTERM: self._termination.shut_down})

    # --- the supervisor

    def _on_supervisor(self, message: control.FromSupervisor, fds: list[int]) -> None:
        adoption = self._adoption
        match message:
            case control.NewWorker():
                self._meet(message, fds)
            case control.AskAlive():
                self._answer_supervisor()
            case control.BeginDrain():
                self._creation.draining = True
                self._answer_supervisor()
            case control.ShellEnded() if adoption:
                adoption.shell_ended(message)
            case control.ShellEnded():
                self._termination.ended(message.pid, message.wait_status)
            case control.Stop():
                self._termination.shut_down()
            case control.HandOver():
                self._hand_over()
            case control.AdoptArena() if adoption:
                adoption.arena(message, fds)
            case control.AdoptSession() if adoption:
                adoption.session(message, fds)
            case control.AdoptionEnds() if adoption:
                adoption.ends(message)

    def _answer_supervisor(self) -> None:
        if not self._store.waits:  # else it does not read, and asks again
            draining = self._creation.draining and self._adoption is None
            self._store.say(control.HostAlive(sessions=self._table.live, draining=draining))

    def _reap(self) -> None:
        if self._adoption is None:
            self._termination.reap()

    def _on_orphaned(self) -> None:
        """The supervisor is gone: wait for another one, where there may be one."""
        grace = self._settings.supervisor_grace if self._settings.state_dir else 0.0
        if self._termination.stopping or not grace:
            self._termination.shut_down()
            return
        log.error("the supervisor is gone; waiting %g s for another one in %s", grace, self._settings.state_dir)
        if self._adoption is None:
            self._termination.watch_strangers()
        deadline = self._loop.time() + grace
        self._loop.later(meeting.RETRY_SECONDS, lambda: self._look_for_supervisor(deadline))

    def _look_for_supervisor(self, deadline: float) -> None:
        if self._termination.stopping:
            return
        hello = meeting.HostHello(number=self._number, hosts=self._settings.hosts)
        sock = None if self._adoption else meeting.find(self._settings.state_dir, hello)
        if sock is not None:
            log.info("another supervisor is there; it gets %d sessions", len(self._table))
            self._store.rejoin(sock, self._everything())
        elif self._loop.time() >= deadline:
            log.error("no other supervisor came; ending")
            self._termination.shut_down()
        else:
            self._loop.later(meeting.RETRY_SECONDS, lambda: self._look_for_supervisor(deadline))

    def _sessions(self) -> list[SessionEntry]:
        """Every session whose log has not been freed, in the order of the ids."""
        attached = {entry for worker in self._workers for entry in worker.attached.values()}
        return sorted({*self._table, *attached}, key=lambda entry: entry.id)

    def _everything(self) -> Iterator[control.Lent]:
        """What another supervisor keeps for us."""
        for number, fd in self._arenas.fds.items():
            yield control.KeepArena(arena=number), (fd,)
        entries = self._sessions()
        for entry in entries:
            if entry.session is not None:
                yield kept_session(entry)
                yield from kept_input(entry)
        yield control.HostReady(sessions=len(entries)), ()
        if self._creation.draining:
            yield control.HostAlive(sessions=self._table.live, draining=True), ()

    def _hand_over(self) -> None:
        """Execute the installed code in this process; without effect where that is not possible."""
        try:
            if self._adoption is not None or self._termination.stopping or self._store.waits:
                raise CannotHandOver("it takes over sessions, stops, or cannot reach the supervisor")
            entries = self._sessions()
            expired, lost = self._table.gone
            state = control.HandedOver(
                version=control.HANDED_OVER_VERSION,
                settings=msgspec.json.encode(self._settings),
                sessions=tuple((each.record(), each.session.pty.fd) for each in entries if each.session is not None),
                arenas=self._arenas.fds,
                channels=channels_of(self._workers, entries),
                inputs=inputs_of(entries),
                serial=self._table.serial,
                expired=expired,
                lost=lost,
                totals=(self._creation.created, self._creation.failed, self._termination.expired),
                draining=self._creation.draining,
            )
            log.info("%d sessions are handed over to the installed code", len(state.sessions))
            hand_over(state, self._store.fileno(), [str(self._number), str(self._shells_descriptors)])
        except CannotHandOver as error:
            self._store.say(control.HandOverRefused(reason=str(error)))

    def take_over(self, state: control.HandedOver) -> None:
        """Go on as the code that had this process before."""
        assert self._adoption is not None  # this host was made to adopt
        self._creation.created, self._creation.failed, self._termination.expired = state.totals
        self._creation.draining = state.draining
        self._table.remember(state.expired, state.lost)
        self._adoption.take_over(state)

    def _meet(self, message: control.NewWorker, fds: list[int]) -> None:
        """A worker's end of its channel."""
        if not fds:  # the kernel drops what does not fit this process's limit (recvmsg(2), MSG_CTRUNC)
            log.error("no descriptor is left for the channel of a new worker; raise the limit with: ulimit -n")
            return
        sock = socket.socket(fileno=fds[0])
        try:
            worker = self._workers.arrive(sock, message.row)
        except OSError as error:
            log.error("no channel for a new worker: %s", error)
            sock.close()
            return
        if self._adoption is not None and not message.fresh:
            self._adoption.expect(worker)

    def _adopted(self, put_off: deque[tuple[WorkerChannel, ipc.FromWorker]]) -> None:
        """The sessions are there: answer what was asked meanwhile."""
        self._adoption = None
        self._termination.reap()  # what was put off
        launch.settle()
        for worker, message in put_off:
            if worker in self._workers:
                self._on_message(worker, message)

    # --- workers

    def _lose(self, worker: WorkerChannel) -> None:
        self._pumps.lose(worker)
        if self._adoption is not None:
            self._adoption.left(worker)

    def _on_message(self, worker: WorkerChannel, message: ipc.FromWorker) -> None:
        if isinstance(message, ipc.AttachmentReport):
            if self._adoption is not None:
                self._adoption.report(worker, message)
            return
        # What the host is to type is told before who types on.
        if self._adoption is not None and not isinstance(message, ipc.HandOverInput | ipc.DropInput):
            self._adoption.put_off(worker, message)
            return
        try:
            self._handlers[type(message)](worker, message)
        except Refusal as refusal:
            self._audit.note_refusal(message, refusal)
            self._refuse(worker, message, refusal.code, refusal.message)
        except SpawnFailed as failure:
            self._refuse(worker, message, failure.code, failure.message)
        except Exception:
            # A fault of the server. Every shell ends with this process, so one request must not end it.
            log.exception("%s failed", type(message).__name__)
            self._refuse(worker, message, ErrorCode.INTERNAL_ERROR, "the server failed; see its log")

    def _refuse(self, worker: WorkerChannel, message: ipc.FromWorker, code: ErrorCode, text: str) -> None:
        if isinstance(message, ipc.Request):
            self._workers.answer(worker, ipc.ErrorReply(id=message.id, code=code, message=text))

    def _tell(self, worker: WorkerChannel, request_id: int, entry: SessionEntry) -> None:
        info = entry.info(self._loop.time(), time.time(), self._settings.idle_timeout)
        self._workers.answer(worker, ipc.InfoReply(id=request_id, info=info))

    # --- sessions

    def _attach(self, worker: WorkerChannel, request: ipc.AttachSession) -> None:
        self._pumps.attach(worker, self._table.find(request.caller, request.session), request.id)

    def _read(self, worker: WorkerChannel, request: ipc.GetSession) -> None:
        self._tell(worker, request.id, self._table.find(request.caller, request.session))

    def _list(self, worker: WorkerChannel, request: ipc.ListSessions) -> None:
        page, total, after = self._table.page(request.caller, request.limit, request.after)
        now, wall = self._loop.time(), time.time()
        listed = tuple(entry.info(now, wall, self._settings.idle_timeout) for entry in page)
        # A page must fit a packet; the rest is asked for with `after`.
        while len(listed) > 1 and len(ipc.encode(listed)) > ipc.PACKET_BYTES - 1024:
            listed = listed[: len(listed) // 2]
            after = listed[-1].id
        self._workers.answer(worker, ipc.ListReply(id=request.id, sessions=listed, total=total, next=after))

    def _touch(self, worker: WorkerChannel, request: ipc.TouchSession) -> None:
        entry = self._table.find(request.caller, request.session, to_change=True)
        self._table.touch(entry, self._loop.time())
        self._tell(worker, request.id, entry)

    def _signal(self, worker: WorkerChannel, request: ipc.SignalSession) -> None:
        entry = self._table.find(request.caller, request.session, to_change=True)
        if entry.session is not None and entry.session.pty.fd >= 0:
            entry.session.pty.signal(request.number)
            self._audit.note("signal", request.caller, entry, signal=signal_name(request.number))
        self._workers.answer(worker, ipc.Ok(id=request.id))

    def _destroy(self, worker: WorkerChannel, request: ipc.DestroySession) -> None:
        entry = self._table.find(request.caller, request.session, to_change=True)
        if entry.state is SessionState.ENDED:
            self._termination.remove(entry)
            self._workers.answer(worker, ipc.Ok(id=request.id))
            return
        entry.waiting.append((worker, request.id))
        if entry.state is SessionState.RUNNING:
            entry.ended_by = request.caller
        self._termination.end(entry, "destroyed")

    def _count(self, worker: WorkerChannel, request: ipc.GetStats) -> None:
        answer = ipc.StatsReply(
            id=request.id,
            states=self._table.states(),
            created=self._creation.created,
            failed=self._creation.failed,
            expired=self._termination.expired,
        )
        self._workers.answer(worker, answer)


def _nothing_more(_worker: WorkerChannel, _message: ipc.LendPipe) -> None:
    """The channel has kept the descriptor."""


def run(
    settings: Settings,
    supervisor: socket.socket,
    *,
    number: int,
    shells_descriptors: int,
    adopts: bool = False,
    handed_over: control.HandedOver | None = None,
) -> None:
    """Serve until the supervisor stops this process or is gone. With ``adopts``, after taking over from another."""
    launch.log_to_stderr(settings.log_level, "host")
    launch.guard_memory(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop = EventLoop()
    host = Host(settings, supervisor, loop, number=number, shells_descriptors=shells_descriptors, adopts=adopts)
    if handed_over is not None:
        host.take_over(handed_over)
        unblock_signals()
    launch.settle()
    loop.run()


def _answer(version: int) -> None:
    """Say whether this code takes over from a host of ``version`` that has these settings: nothing means yes."""
    text = refusal(version)
    try:
        launch.read_settings()
    except msgspec.MsgspecError as error:
        text = text or f"the installed code does not know a setting of the server: {error}"
    os.write(launch.CONTROL_FD, text.encode()[:4096])


def main() -> None:
    """Take over from a host that died, or in its process; or say whether this code could (``--takes-over``).

    On the command line are the number and the shells' limit of descriptors, and, in the process of the host before, the
    descriptors of its control channel and of what it hands over.
    """
    if sys.argv[1] == "--takes-over":
        _answer(int(sys.argv[2]))
        return
    number, shells_descriptors, *handed = map(int, sys.argv[1:])
    launch.with_descriptors()
    if handed:
        supervisor, memory = handed
        state = take_over(memory, supervisor)
        settings = msgspec.json.decode(state.settings, type=Settings)
    else:
        supervisor, state, settings = launch.CONTROL_FD, None, launch.read_settings()
        os.close(launch.SETTINGS_FD)
        os.set_inheritable(supervisor, False)
    run(
        settings,
        socket.socket(fileno=supervisor),
        number=number,
        shells_descriptors=shells_descriptors,
        adopts=True,
        handed_over=state,
    )


if __name__ == "__main__":
    main()
