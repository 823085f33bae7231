"""How sessions end: hang-up, kill, reaping, notice to attached workers, removal, and the idle timeout."""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.signals import signal_name
from web_terminal_suite.server import control, ipc
from web_terminal_suite.server.host.event_loop import READ
from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels
from web_terminal_suite.server.pty import child_of_ours, runs_on, signal_group
from web_terminal_suite.server.session import SessionState

if TYPE_CHECKING:
    from web_terminal_suite.server.audit import AuditLog
    from web_terminal_suite.server.host.arenas import Arenas
    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionEntry, SessionTable
    from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.host")

# How often idle sessions are looked at; expiry is late by at most this.
_SWEEP_SECONDS = 1.0
# Who ends a session whose shell ends by itself.
NOBODY = ipc.Caller("", "")


class Termination:
    """Ends sessions, and knows every shell that was not reaped yet."""

    def __init__(
        self,
        settings: Settings,
        loop: EventLoop,
        table: SessionTable,
        arenas: Arenas,
        workers: WorkerChannels,
        store: StoreClient,
        audit: AuditLog,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._table = table
        self._arenas = arenas
        self._workers = workers
        self._store = store
        self._audit = audit
        self._by_pid: dict[int, SessionEntry] = {}
        self._strangers: set[int] = set()
        """Shells whose end is watched because they are no children of this process."""
        self.expired = 0
        self.stopping = False
        loop.later(_SWEEP_SECONDS, self._sweep)

    def watch(self, pid: int, entry: SessionEntry) -> None:
        """The shell of ``entry`` runs."""
        self._by_pid[pid] = entry

    def watch_strangers(self) -> None:
        """The supervisor is gone: it reaps no shell any more, so watch those that are not ours."""
        for pid, entry in self._by_pid.items():
            if not child_of_ours(pid):
                self.watch_stranger(entry)

    def watch_stranger(self, entry: SessionEntry) -> None:
        """Notice the end of a shell that is no child of this process."""
        assert entry.session is not None
        pty = entry.session.pty
        if pty.pid in self._strangers:  # since a supervisor died before this one
            return
        try:
            fd = os.pidfd_open(pty.pid)
        except ProcessLookupError:
            self._stranger_ended(pty.pid)
            return
        except OSError as error:
            # Then the supervisor may still know, or nobody.
            log.warning("session %s: its shell cannot be watched: %s", entry.id, (error.strerror or "").lower())
            return
        if runs_on(pty.pid, pty.fd):
            self._strangers.add(pty.pid)
            self._loop.watch(fd, READ, partial(self._on_stranger, fd, pty.pid))
        else:  # the id is another process's by now
            os.close(fd)
            self._stranger_ended(pty.pid)

    def _on_stranger(self, fd: int, pid: int, _events: int) -> None:
        self._loop.forget(fd)
        os.close(fd)
        self._strangers.discard(pid)
        self._stranger_ended(pid)

    def _stranger_ended(self, pid: int) -> None:
        if self._store.connected:
            self._store.say(control.AskStatus(pid=pid))
        else:
            self._loop.later(0.0, lambda: self.ended(pid, None))

    def end(self, entry: SessionEntry, reason: str) -> None:
        """Hang up; kill what does not go within ``kill_after`` seconds."""
        if entry.state is not SessionState.RUNNING:
            return
        entry.move(SessionState.ENDING)
        entry.reason = reason
        assert entry.session is not None
        pty = entry.session.pty
        for number in (signal.SIGHUP, signal.SIGCONT):  # a stopped process must run to handle the hang-up
            pty.signal(number)
            signal_group(pty.pid, number)
        self._store.changed(entry)
        self._loop.later(self._settings.kill_after, lambda: self._kill(entry))

    def resume(self, entry: SessionEntry) -> None:
        """Go on with the end of a session that the host before had begun."""
        if entry.state is SessionState.ENDING:
            self._loop.later(self._settings.kill_after, lambda: self._kill(entry))
        elif entry.state is SessionState.ENDED:
            if entry.attachments:
                self._tell_end(entry)
            elif entry.removed:
                self.free(entry)
            if not entry.removed:
                ended = 0.0 if entry.ended_at is None else self._loop.time() - entry.ended_at
                self._loop.later(max(0.0, self._settings.linger - ended), lambda: self.remove(entry))

    def _kill(self, entry: SessionEntry) -> None:
        if entry.reaped or entry.session is None:
            return
        log.warning(
            "session %s: pid %d did not end %g s after SIGHUP; killing it",
            entry.id, entry.session.pty.pid, self._settings.kill_after,
        )  # fmt: skip
        entry.session.pty.signal(signal.SIGKILL)
        signal_group(entry.session.pty.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Some children ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self.ended(pid, status)

    def ended(self, pid: int, wait_status: int | None) -> None:
        """A process was reaped; it is a shell's, or none of ours. ``None`` where its status cannot be known."""
        entry = self._by_pid.pop(pid, None)
        if entry is not None:
            self._reaped(entry, wait_status)

    def _reaped(self, entry: SessionEntry, wait_status: int | None) -> None:
        code = None if wait_status is None else os.waitstatus_to_exitcode(wait_status)
        if code is None:
            log.warning("session %s: its shell ended; how cannot be known any more", entry.id)
        elif code < 0:
            entry.signal = signal_name(-code)
        else:
            entry.status = code
        entry.reaped = True
        if isinstance(entry.pump, WorkerChannel):
            self._store.changed(entry)
            self._workers.answer(entry.pump, ipc.ShellExited(session=entry.id))
        else:
            self.finish(entry)

    def finish(self, entry: SessionEntry) -> None:
        """The shell is reaped: read the rest if the host pumps it, close, notify all attached workers."""
        session = entry.session
        assert session is not None
        if entry.pump is None:
            session.drain()
        self._loop.forget(session.pty.fd)
        session.note_flood(False)
        session.pty.close()
        if entry.input is not None:
            entry.input.close()
        self._table.retire(entry)
        entry.move(SessionState.ENDED)
        entry.pump = None
        entry.ended_at = self._loop.time()
        log.info("session %s ended (%s): status %s signal %s", entry.id, entry.reason, entry.status, entry.signal)
        by = entry.ended_by or NOBODY
        self._audit.note(
            "end", address=by.address, user=by.user, role=by.role, session=entry.id, owner=entry.user,
            reason=entry.reason, status=entry.status, signal=entry.signal,
        )  # fmt: skip
        self._tell_end(entry)
        for worker, request_id in entry.waiting:
            if isinstance(worker, WorkerChannel) and worker in self._workers:
                self._workers.answer(worker, ipc.Ok(id=request_id))
        if entry.reason == "exited":
            self._store.changed(entry)
            self._loop.later(self._settings.linger, lambda: self.remove(entry))
        else:
            self.remove(entry)
        if self.stopping and not self._by_pid:
            self._loop.stop()

    def _tell_end(self, entry: SessionEntry) -> None:
        """Notify all attached workers."""
        session = entry.session
        assert session is not None  # it is kept until the last of them has left
        notice = ipc.SessionEnded(
            session=entry.id,
            offset=session.log.end,
            reason=entry.reason,
            status=entry.status,
            signal=entry.signal,
        )
        for worker in entry.attachments:
            if isinstance(worker, WorkerChannel):
                self._workers.answer(worker, notice)

    def note_lost(self, session: str, owner: str) -> None:
        """A session was lost with the host before."""
        self._audit.note("end", session=session, owner=owner, reason="lost")

    def remove(self, entry: SessionEntry) -> None:
        """Forget the session; its log's memory goes once the last viewer has left."""
        if not self._table.knows(entry):
            return
        self._table.remove(entry)
        if entry.attachments:
            self._store.changed(entry)
        else:
            self.free(entry)

    def free(self, entry: SessionEntry) -> None:
        """Release the log, which has no reader any more."""
        if entry.arena >= 0:
            self._store.forget(entry)
            self._arenas.give_back(entry.arena, entry.slot)
            entry.arena = entry.slot = -1
            entry.session = None

    def _sweep(self) -> None:
        """End what idled too long."""
        self._loop.later(_SWEEP_SECONDS, self._sweep)
        timeout = self._settings.idle_timeout
        if not timeout:
            return
        now = self._loop.time()
        while (entry := self._table.longest_idle()) is not None:
            if entry.idle_since is None or now - entry.idle_since < timeout:
                return
            if entry.busy or entry.printed:  # the host does not see what a worker with stalled viewers reads
                self._table.touch(entry, now)
                continue
            if entry.state is SessionState.RUNNING:
                log.info("session %s expired after %g s without viewer, job and output", entry.id, timeout)
                self.expired += 1
                self._table.expire(entry)
                self.end(entry, "expired")
            self._table.stop_clock(entry)

    def shut_down(self) -> None:
        """End every session, then the loop."""
        self.stopping = True
        for entry in self._table:
            self.end(entry, "shutdown")
        if not self._by_pid:
            self._loop.stop()
