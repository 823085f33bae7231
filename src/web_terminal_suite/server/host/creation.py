"""How sessions begin: what is asked for, what is left for it, and the shell in its terminal."""

from __future__ import annotations

import errno
import logging
import os
import resource
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server import environment, ipc, launch
from web_terminal_suite.server.host.table import Refusal
from web_terminal_suite.server.pty import OpenedPty, SpawnFailed, SpawnRequest, open_terminal, spawn
from web_terminal_suite.server.service_manager import expose_to_oom
from web_terminal_suite.server.session import ReadBudget, Session, SessionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.protocol.messages import SessionSpec
    from web_terminal_suite.server.host.arenas import Arenas
    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.pumps import Pumps
    from web_terminal_suite.server.host.session_audit import SessionAudit
    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionEntry, SessionTable
    from web_terminal_suite.server.host.termination import Termination
    from web_terminal_suite.server.host.worker_channels import WorkerChannel
    from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.host")

# A shell's path and arguments together; far below a packet, far above what a user types.
_COMMAND_BYTES = 32 * 1024
# Kept for channels to workers, beyond what each of another generation needs: two ends of a follower channel, and a
# margin.
_SPARE_DESCRIPTORS = 8
# A worker's channel, and the pipe it types through.
_WORKER_DESCRIPTORS = 2


class Creation:
    """Starts shells. ``tell`` answers a request with a session that is not attached."""

    def __init__(
        self,
        settings: Settings,
        loop: EventLoop,
        table: SessionTable,
        arenas: Arenas,
        termination: Termination,
        pumps: Pumps,
        store: StoreClient,
        budget: ReadBudget,
        tell: Callable[[WorkerChannel, int, SessionEntry], None],
        audit: SessionAudit,
        shells_descriptors: int,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._table = table
        self._arenas = arenas
        self._termination = termination
        self._pumps = pumps
        self._store = store
        self._budget = budget
        self._tell = tell
        self._audit = audit
        self.created = self.failed = 0
        self.draining = False
        """Whether no new sessions are made."""
        self._defaults = environment.shell_defaults(settings, launch.public_environment(), environment.account())
        self.remarks = self._defaults.remarks
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._descriptors = None if shells_descriptors == soft else (shells_descriptors, hard)
        # Opened in advance, so that a client that waits for a shell does not wait for its terminal too.
        self._terminal = _a_terminal()

    def create(self, worker: WorkerChannel, request: ipc.CreateSession) -> None:
        """Make a session, or find the one that was made with the same key.

        Raises:
            Refusal: a limit is reached, or the request asks for what cannot be.
            SpawnFailed: the shell did not start.
        """
        try:
            self._start(worker, request)
        except SpawnFailed:
            self.failed += 1
            raise
        finally:
            self._terminal = self._terminal or _a_terminal()

    def _start(self, worker: WorkerChannel, request: ipc.CreateSession) -> None:
        spec = request.spec
        now = self._loop.time()
        if (made := self._table.made_before(request.caller, spec)) is not None:
            self._tell(worker, request.id, made)
            return
        if request.only_existing:
            raise Refusal(ErrorCode.NO_SUCH_SESSION, "no session was made with this key")
        self._keep_descriptors()
        if self._termination.stopping:
            raise Refusal(ErrorCode.GOING_AWAY, "the server is stopping")
        if self.draining:
            raise Refusal(
                ErrorCode.DRAINING, "the server takes no new sessions: it is being drained and ends with the last one"
            )
        size = Size(spec.cols, spec.rows)
        argv = (spec.shell or self._defaults.program, *spec.args)
        # Every answer about the session repeats it, and must fit a packet.
        length = len(ipc.encode(argv))
        if length > _COMMAND_BYTES:
            raise Refusal(ErrorCode.OUT_OF_RANGE, f"a command line of {length} bytes; {_COMMAND_BYTES} are allowed")
        entry = self._table.reserve(request.caller, spec.name, size, now)
        try:
            try:
                arena, slot, log_ = self._arenas.take()
            except OSError as error:
                out_of_descriptors = error.errno in (errno.EMFILE, errno.ENFILE)
                raise SpawnFailed(
                    ErrorCode.NO_DESCRIPTOR if out_of_descriptors else ErrorCode.NO_MEMORY,
                    f"no memory for output logs: {(error.strerror or '').lower()}",
                ) from error
            directory, problem = self._directory_of(spec)
            try:
                pty = spawn(
                    SpawnRequest(
                        argv=argv,
                        env=self._environment_of(spec),
                        size=size,
                        cwd=directory,
                        limits=spec.limits,
                        login=self._settings.login and not spec.args and environment.is_shell(argv[0]),
                    ),
                    self._take_terminal(),
                )
            except BaseException:
                self._arenas.give_back(arena, slot)
                raise
        except BaseException:
            self._table.retire(entry)
            self._table.remove(entry)
            raise
        self._lower_descriptors(pty.pid, spec)
        expose_to_oom(pty.pid)
        if problem:
            log.warning("session %s starts in /: home directory %r: %s", entry.id, self._defaults.home, problem)
            log_.append(f"web-terminal: home directory {self._defaults.home!r}: {problem}; starting in /\r\n".encode())
        entry.arena, entry.slot, entry.command = arena, slot, argv
        entry.session = Session(pty, log_, self._budget)
        entry.move(SessionState.RUNNING)
        self._table.remember_key(entry, spec)
        self._termination.watch(pty.pid, entry)
        self.created += 1
        entry.tied_to = worker if request.attach and request.tied else None
        self._store.keep(entry)  # before anybody knows it
        if request.attach:
            self._pumps.attach(worker, entry, request.id)
        else:
            self._pumps.pump_here(entry)
            self._tell(worker, request.id, entry)
        log.info("session %s of %s started: pid %d", entry.id, entry.user, pty.pid)
        # Not the arguments: a password may be among them.
        self._audit.note("create", request.caller, entry, name=entry.name, program=argv[0], pid=pty.pid)

    def _environment_of(self, spec: SessionSpec) -> dict[str, str]:
        env = {**self._defaults.env, **spec.env}
        says_its_shell = "SHELL" in spec.env or "SHELL" in self._settings.env
        return environment.with_shell(env, spec.shell) if spec.shell and not says_its_shell else env

    def _directory_of(self, spec: SessionSpec) -> tuple[str, str]:
        """Where the shell starts, and why not at home where it should: only what was asked for must be there."""
        asked = spec.cwd or self._settings.cwd
        return (asked, "") if asked else environment.start_directory(self._defaults.home)

    def _keep_descriptors(self) -> None:
        """Keep shells from the descriptors that new workers' channels need: without them no shell can be reached.

        Raises:
            Refusal: no others are left.
        """
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        try:
            lowest = os.dup(self._store.fileno())
        except OSError:
            lowest = limit
        else:
            os.close(lowest)
        spare = self._settings.workers * _WORKER_DESCRIPTORS + _SPARE_DESCRIPTORS
        if lowest + spare >= limit:
            raise Refusal(
                ErrorCode.NO_DESCRIPTOR,
                f"no descriptor is left for another shell: the host may have {limit} and keeps {spare} for workers; "
                "raise the limit with: ulimit -n",
            )

    def _take_terminal(self) -> OpenedPty | None:
        terminal, self._terminal = self._terminal, None
        return terminal

    def _lower_descriptors(self, pid: int, spec: SessionSpec) -> None:
        """Give a shell the limit that the server was started with, not the one it raised for itself.

        Programs that close every descriptor there may be, or keep them in a set of 1,024, suffer from a high one.
        """
        if self._descriptors is None or (spec.limits is not None and spec.limits.open_files is not None):
            return
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, self._descriptors)
        except (ProcessLookupError, PermissionError):
            pass  # it ended already, or became another user's: a limit of its own is not what it lacks


def _a_terminal() -> OpenedPty | None:
    """One in reserve, or ``None``: the session that needs it then reports why there is none."""
    try:
        return open_terminal()
    except SpawnFailed:
        return None
