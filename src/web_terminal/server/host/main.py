"""The host at work: requests of workers, shells that speak or end, sessions that idle.

Started by ``supervise`` with the settings and one socket over which the ends of the workers' channels arrive.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from web_terminal.protocol.messages import Size
from web_terminal.server import launch
from web_terminal.server.host import wire
from web_terminal.server.host.arenas import Arenas
from web_terminal.server.host.loop import READ, WRITE, Loop
from web_terminal.server.host.table import Entry, Refusal, Table, checked_name
from web_terminal.server.pty import SpawnFailed, SpawnRequest, signal_group, spawn
from web_terminal.server.session import Pumped, Session, SessionState
from web_terminal.server.settings import Settings, default_shell

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("web_terminal.host")

# How often idle sessions are looked at; expiry is late by at most this.
_SWEEP_SECONDS = 1.0
# A terminal that said "end" while its shell lives is looked at again, for the shell may open it anew.
_REOPEN_SECONDS = 0.2

# A shell's path and arguments together; far below a packet, far above what anybody types.
_COMMAND_BYTES = 32 * 1024


class Worker:
    """A worker as the host sees it: its channel, the arenas it maps, the sessions it holds."""

    def __init__(self, channel: wire.Channel, serial: int) -> None:
        self.channel = channel
        self.serial = serial
        self.arenas: set[int] = set()
        self.held: dict[str, Entry] = {}


class Host:
    """Owns the table of sessions and everything in it."""

    def __init__(self, settings: Settings, control: socket.socket, loop: Loop) -> None:
        self.settings = settings
        self.loop = loop
        self.table = Table(settings.max_sessions, settings.max_sessions_per_user)
        self.arenas = Arenas(settings.log_size)
        self.workers: set[Worker] = set()
        self.by_pid: dict[int, Entry] = {}
        self.created = self.failed = self.expired = 0
        self._serial = 0
        self._stopping = False
        self._base_environment = _shell_environment(settings)
        self._control = control
        self._handlers: dict[type, Callable[..., None]] = {
            wire.Create: self._create,
            wire.Join: self._join,
            wire.Read: self._read,
            wire.List: self._list,
            wire.Change: self._change,
            wire.Touch: self._touch,
            wire.Signal: self._signal,
            wire.Destroy: self._destroy,
            wire.Count: self._count,
            wire.Viewers: self._viewers,
            wire.Drained: self._drained,
            wire.Sized: self._sized,
        }
        control.setblocking(False)
        loop.watch(control.fileno(), READ, self._on_control)
        loop.on_signals({signal.SIGCHLD: self._reap, signal.SIGTERM: self._shut_down})
        loop.later(_SWEEP_SECONDS, self._sweep)

    # --- workers come and go

    def _on_control(self, _events: int) -> None:
        """A new worker's end of its channel; the supervisor gone means that we go too."""
        try:
            packet, fds = wire.receive_descriptors(self._control, 64, 1)
        except BlockingIOError:
            return
        if not packet:
            self._shut_down()
            return
        self._serial += 1
        worker = Worker(wire.Channel(socket.socket(fileno=fds[0])), self._serial)
        self.workers.add(worker)
        self.loop.watch(worker.channel.fileno(), READ, partial(self._on_worker, worker))

    def _on_worker(self, worker: Worker, events: int) -> None:
        if events & WRITE:
            worker.channel.flush()
            self._watch_worker(worker)
        if not events & ~WRITE:
            return
        try:
            received = worker.channel.receive()
        except wire.Gone:
            self._lose(worker)
            return
        if received is not None:
            packet, fds = received
            for fd in fds:  # workers send none
                os.close(fd)
            message = wire.decode_from_worker(packet)
            try:
                self._handlers[type(message)](worker, message)
            except Refusal as refusal:
                self._answer(worker, wire.Refused(id=message.id, code=refusal.code, message=refusal.message))
            except SpawnFailed as failure:
                self.failed += 1
                self._answer(worker, wire.Refused(id=message.id, code=failure.code, message=failure.message))
            except Exception:
                # Our own fault, whatever it is. Every shell ends with this process, so one request must not end it.
                log.exception("%s failed", type(message).__name__)
                if isinstance(message, wire.Request):
                    text = "the server failed; its log says how"
                    self._answer(worker, wire.Refused(id=message.id, code="internal_error", message=text))

    def _answer(
        self, worker: Worker, message: wire.FromHost, lent: tuple[int, ...] = (), owned: tuple[int, ...] = ()
    ) -> None:
        worker.channel.send(message, lent, owned)
        if worker.channel.waits:
            self._watch_worker(worker)

    def _watch_worker(self, worker: Worker) -> None:
        events = READ | WRITE if worker.channel.waits else READ
        self.loop.watch(worker.channel.fileno(), events, partial(self._on_worker, worker))

    def _lose(self, worker: Worker) -> None:
        """A worker is gone, killed or drained: nothing of its sessions is lost, somebody else pumps them."""
        self.workers.discard(worker)
        self.loop.forget(worker.channel.fileno())
        worker.channel.close()
        for entry in list(worker.held.values()):
            self._let_go(worker, entry)

    # --- sessions begin

    def _create(self, worker: Worker, request: wire.Create) -> None:
        spec = request.spec
        now = self.loop.time()
        if self._stopping:
            raise Refusal("going_away", "the server is stopping")
        size = Size(spec.cols, spec.rows)
        argv = (spec.shell or self.settings.shell or default_shell(), *spec.args)
        # Every answer about the session repeats it, and must fit a packet.
        length = len(wire.encode(argv))
        if length > _COMMAND_BYTES:
            raise Refusal("out_of_range", f"a command line of {length} bytes; {_COMMAND_BYTES} are allowed")
        entry = self.table.reserve(request.who, spec.name, size, now)
        try:
            try:
                arena, slot, log_ = self.arenas.take()
            except OSError as error:
                raise SpawnFailed(
                    "no_memory", f"no memory for output logs: {(error.strerror or '').lower()}"
                ) from error
            try:
                pty = spawn(
                    SpawnRequest(
                        argv=argv,
                        env=self._base_environment | spec.env,
                        size=size,
                        cwd=spec.cwd or self.settings.cwd or os.path.expanduser("~"),
                        limits=spec.limits,
                    )
                )
            except BaseException:
                self.arenas.give_back(arena, slot)
                raise
        except BaseException:
            self.table.retire(entry)
            self.table.remove(entry)
            raise
        entry.arena, entry.slot, entry.command = arena, slot, argv
        entry.session = Session(pty, log_)
        entry.move(SessionState.RUNNING)
        self.by_pid[pty.pid] = entry
        self.created += 1
        log.info("session %s of %s started: pid %d", entry.id, entry.user, pty.pid)
        if request.join:
            self._hold(worker, entry, request.id)
        else:
            self._pump_here(entry)
            self._answer(worker, wire.Told(id=request.id, facts=self._facts(entry)))

    def _facts(self, entry: Entry) -> wire.Facts:
        return entry.facts(self.loop.time(), time.time())

    # --- who holds and who pumps

    def _join(self, worker: Worker, request: wire.Join) -> None:
        self._hold(worker, self.table.find(request.who, request.session), request.id)

    def _hold(self, worker: Worker, entry: Entry, request_id: int) -> None:
        session = entry.session
        assert session is not None  # only running or ended sessions are in the table
        if entry.pump is not None and entry.pump is not worker:
            try:
                link = self._link(entry)
            except OSError as error:
                raise Refusal("no_descriptor", f"{(error.strerror or '').lower()}; raise ulimit -n") from error
        entry.holders[worker] = 1
        worker.held[entry.id] = entry
        self.table.viewed(entry, self.loop.time())
        brings_master = session.pty.fd >= 0
        brings_link = False
        lent: list[int] = []
        owned: list[int] = []
        if brings_master:
            lent.append(session.pty.fd)
            if entry.pump is None:
                self.loop.forget(session.pty.fd)
                entry.pump = worker
            elif entry.pump is not worker:
                owned.append(link)
                brings_link = True
        brings_arena = entry.arena not in worker.arenas
        if brings_arena:
            lent.append(self.arenas.fd(entry.arena))
            worker.arenas.add(entry.arena)
        answer = wire.Held(
            id=request_id,
            facts=self._facts(entry),
            arena=entry.arena,
            slot=entry.slot,
            log_size=self.arenas.log_size,
            pumping=entry.pump is worker,
            brings_master=brings_master,
            brings_arena=brings_arena,
            brings_link=brings_link,
        )
        self._answer(worker, answer, tuple(lent), tuple(owned))
        if entry.reaped and entry.state is not SessionState.ENDED and entry.pump is worker:
            self._answer(worker, wire.Exited(session=entry.id))

    def _link(self, entry: Entry) -> int:
        """A new link to the session's pump; the pump is told, the other end is returned."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pump = entry.pump
        assert isinstance(pump, Worker)
        self._answer(pump, wire.Followed(session=entry.id), owned=(near.detach(),))
        return far.detach()

    def _viewers(self, worker: Worker, notice: wire.Viewers) -> None:
        if notice.lost_arena is not None:
            worker.arenas.discard(notice.lost_arena)
        entry = worker.held.get(notice.session)
        if entry is None:
            return
        if notice.count:
            entry.holders[worker] = notice.count
        else:
            self._let_go(worker, entry)

    def _let_go(self, worker: Worker, entry: Entry) -> None:
        entry.holders.pop(worker, None)
        worker.held.pop(entry.id, None)
        if entry.state is SessionState.ENDED:
            if not entry.holders and not self.table.knows(entry):
                self._free(entry)
            return
        self.table.viewed(entry, self.loop.time())
        if entry.pump is not worker:
            return
        entry.pump = None
        if entry.holders:
            self._promote(entry)
        elif entry.reaped:
            self._finish(entry)
        else:
            self._pump_here(entry)

    def _promote(self, entry: Entry) -> None:
        """Another worker that holds the session becomes its pump; the rest are linked to it."""
        first, *others = [holder for holder in entry.holders if isinstance(holder, Worker)]
        entry.pump = first
        self._answer(first, wire.Pump(session=entry.id))
        for other in others:
            try:
                link = self._link(entry)
            except OSError as error:
                # Out of descriptors. Its viewers see nothing until they attach anew; everybody else's host lives on.
                log.error("session %s: no link for a worker that follows it: %s", entry.id, error)
                continue
            self._answer(other, wire.Linked(session=entry.id), owned=(link,))
        if entry.reaped:
            self._answer(first, wire.Exited(session=entry.id))

    def _pump_here(self, entry: Entry) -> None:
        if entry.pump is None and entry.session is not None and entry.session.pty.fd >= 0:
            self.loop.watch(entry.session.pty.fd, READ, partial(self._on_terminal, entry))

    def _on_terminal(self, entry: Entry, _events: int) -> None:
        assert entry.session is not None
        if entry.session.pump() is Pumped.END:
            self.loop.forget(entry.session.pty.fd)
            if not entry.reaped:
                self.loop.later(_REOPEN_SECONDS, lambda: self._pump_here(entry))

    # --- what is asked about one session

    def _read(self, worker: Worker, request: wire.Read) -> None:
        entry = self.table.find(request.who, request.session)
        self._answer(worker, wire.Told(id=request.id, facts=self._facts(entry)))

    def _list(self, worker: Worker, request: wire.List) -> None:
        page, total, after = self.table.page(request.who, request.limit, request.after)
        facts = tuple(self._facts(entry) for entry in page)
        # A page must fit a packet; the rest is asked for with `after`.
        while len(facts) > 1 and len(wire.encode(facts)) > wire.PACKET_BYTES - 1024:
            facts = facts[: len(facts) // 2]
            after = facts[-1].id
        self._answer(worker, wire.Listed(id=request.id, sessions=facts, total=total, next=after))

    def _change(self, worker: Worker, request: wire.Change) -> None:
        entry = self.table.find(request.who, request.session, to_change=True)
        name = checked_name(request.name)
        if name is not None:
            entry.name = name
        if request.cols is not None or request.rows is not None:
            size = Size(request.cols or entry.size.cols, request.rows or entry.size.rows)
            if entry.session is not None and entry.session.pty.fd >= 0:
                entry.session.pty.resize(size)
            entry.size = size
        self._tell_holders(entry, None)
        self._answer(worker, wire.Told(id=request.id, facts=self._facts(entry)))

    def _sized(self, worker: Worker, notice: wire.Sized) -> None:
        entry = worker.held.get(notice.session)
        if entry is not None:
            entry.size = Size(notice.cols, notice.rows)
            self._tell_holders(entry, worker)

    def _tell_holders(self, entry: Entry, source: Worker | None) -> None:
        notice = wire.Changed(session=entry.id, name=entry.name, cols=entry.size.cols, rows=entry.size.rows)
        for holder in entry.holders:
            if holder is not source and isinstance(holder, Worker):
                self._answer(holder, notice)

    def _touch(self, worker: Worker, request: wire.Touch) -> None:
        entry = self.table.find(request.who, request.session, to_change=True)
        self.table.touch(entry, self.loop.time())
        self._answer(worker, wire.Told(id=request.id, facts=self._facts(entry)))

    def _signal(self, worker: Worker, request: wire.Signal) -> None:
        entry = self.table.find(request.who, request.session, to_change=True)
        if entry.session is not None and entry.session.pty.fd >= 0:
            entry.session.pty.signal(request.number)
        self._answer(worker, wire.Done(id=request.id))

    def _count(self, worker: Worker, request: wire.Count) -> None:
        answer = wire.Counted(
            id=request.id,
            states=self.table.states(),
            created=self.created,
            failed=self.failed,
            expired=self.expired,
        )
        self._answer(worker, answer)

    # --- sessions end

    def _destroy(self, worker: Worker, request: wire.Destroy) -> None:
        entry = self.table.find(request.who, request.session, to_change=True)
        if entry.state is SessionState.ENDED:
            self._remove(entry)
            self._answer(worker, wire.Done(id=request.id))
            return
        entry.waiting.append((worker, request.id))
        self._end(entry, "destroyed")

    def _end(self, entry: Entry, reason: str) -> None:
        """Hang up; kill what does not go within ``kill_after`` seconds."""
        if entry.state is not SessionState.RUNNING:
            return
        entry.move(SessionState.ENDING)
        entry.reason = reason
        assert entry.session is not None
        pty = entry.session.pty
        for number in (signal.SIGHUP, signal.SIGCONT):  # a stopped process must run to hear the hang-up
            pty.signal(number)
            signal_group(pty.pid, number)
        self.loop.later(self.settings.kill_after, lambda: self._kill(entry))

    def _kill(self, entry: Entry) -> None:
        if entry.reaped or entry.session is None:
            return
        log.warning(
            "session %s: pid %d did not end %g s after SIGHUP; killing it",
            entry.id, entry.session.pty.pid, self.settings.kill_after,
        )  # fmt: skip
        entry.session.pty.signal(signal.SIGKILL)
        signal_group(entry.session.pty.pid, signal.SIGKILL)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            entry = self.by_pid.pop(pid, None)
            if entry is not None:
                self._reaped(entry, status)

    def _reaped(self, entry: Entry, wait_status: int) -> None:
        code = os.waitstatus_to_exitcode(wait_status)
        if code < 0:
            entry.signal = _signal_name(-code)
        else:
            entry.status = code
        entry.reaped = True
        if isinstance(entry.pump, Worker):
            self._answer(entry.pump, wire.Exited(session=entry.id))
        else:
            self._finish(entry)

    def _drained(self, worker: Worker, notice: wire.Drained) -> None:
        entry = worker.held.get(notice.session)
        if entry is not None and entry.reaped and entry.state is not SessionState.ENDED and entry.pump is worker:
            self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        """The shell is reaped: read the rest if that is ours to do, close, tell everybody."""
        session = entry.session
        assert session is not None
        if entry.pump is None:
            session.drain()
        self.loop.forget(session.pty.fd)
        session.pty.close()
        self.table.retire(entry)
        entry.move(SessionState.ENDED)
        entry.pump = None
        log.info("session %s ended (%s): status %s signal %s", entry.id, entry.reason, entry.status, entry.signal)
        notice = wire.Ended(
            session=entry.id,
            offset=session.log.end,
            reason=entry.reason,
            status=entry.status,
            signal=entry.signal,
        )
        for holder in entry.holders:
            if isinstance(holder, Worker):
                self._answer(holder, notice)
        for worker, request_id in entry.waiting:
            if isinstance(worker, Worker) and worker in self.workers:
                self._answer(worker, wire.Done(id=request_id))
        if entry.reason == "exited":
            self.loop.later(self.settings.linger, lambda: self._remove(entry))
        else:
            self._remove(entry)
        if self._stopping and not self.by_pid:
            self.loop.stop()

    def _remove(self, entry: Entry) -> None:
        """Forget the session; its log's memory goes once the last viewer has left."""
        if not self.table.knows(entry):
            return
        self.table.remove(entry)
        if not entry.holders:
            self._free(entry)

    def _free(self, entry: Entry) -> None:
        if entry.arena >= 0:
            self.arenas.give_back(entry.arena, entry.slot)
            entry.arena = entry.slot = -1
            entry.session = None

    def _sweep(self) -> None:
        """End what idled too long."""
        self.loop.later(_SWEEP_SECONDS, self._sweep)
        timeout = self.settings.idle_timeout
        if not timeout:
            return
        now = self.loop.time()
        while (entry := self.table.longest_idle()) is not None:
            if entry.idle_since is None or now - entry.idle_since < timeout:
                return
            if entry.state is SessionState.RUNNING:
                log.info("session %s expired after %g s without a viewer", entry.id, timeout)
                self.expired += 1
                self.table.expire(entry)
                self._end(entry, "expired")
            self.table.stop_clock(entry)

    def _shut_down(self) -> None:
        """End every session, then the loop."""
        self._stopping = True
        for entry in self.table:
            self._end(entry, "shutdown")
        if not self.by_pid:
            self.loop.stop()


def _shell_environment(settings: Settings) -> dict[str, str]:
    return {**launch.public_environment(), "TERM": "xterm-256color", "COLORTERM": "truecolor", **settings.env}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def main() -> None:
    """Serve until the supervisor says stop or is gone."""
    settings = launch.read_settings()
    launch.keep_descriptors()
    launch.log_to_stderr(settings.log_level, "host")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop = Loop()
    control = socket.socket(fileno=launch.CONTROL_FD)
    Host(settings, control, loop)
    loop.run()


if __name__ == "__main__":
    main()
