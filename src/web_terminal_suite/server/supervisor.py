"""The parent of all: binds the port, starts the PTY host and the workers, keeps them, and stops them in order.

Which workers are started, told to leave and killed is decided in ``generations``; nothing that happens to a worker, or
to its start, ends the server. What the sessions of a host consist of is kept in its ``store``; a host that dies is
started again and adopts them. SIGTERM and SIGINT stop; SIGUSR1 drains; SIGHUP upgrades hosts and workers, with the same
shells (``upgrade``). Where the server was started by hand on a terminal, SIGHUP means that the terminal is gone, and
stops.
"""

from __future__ import annotations

import logging
import math
import os
import selectors
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import msgspec

from web_terminal_suite.server import control, in_place, launch, meeting, supervisor_handover
from web_terminal_suite.server.adopted_processes import AdoptedProcesses
from web_terminal_suite.server.audit import AuditFailed, AuditLog
from web_terminal_suite.server.drain import Drain
from web_terminal_suite.server.listener import SocketFile, StartFailed, url
from web_terminal_suite.server.liveness import Liveness
from web_terminal_suite.server.processes import HOST_MODULE, ask, how_it_ended, start_host
from web_terminal_suite.server.pty import child_of_ours
from web_terminal_suite.server.pty_hosts import PtyHost, PtyHosts
from web_terminal_suite.server.service_manager import ServiceManager, inherited, protect_from_oom
from web_terminal_suite.server.service_store import HostCopy, ServiceStore
from web_terminal_suite.server.signal_pipe import SignalPipe
from web_terminal_suite.server.startup import Beginnings, begin, resume
from web_terminal_suite.server.tokens_file import TokensFileError
from web_terminal_suite.server.upgrade import Upgrade
from web_terminal_suite.server.watchdog import Watchdog
from web_terminal_suite.server.worker.counters import counters_memory
from web_terminal_suite.server.workers import WorkerChild, Workers

if TYPE_CHECKING:
    from web_terminal_suite.server.arrivals import Arrivals

log = logging.getLogger("web_terminal_suite.supervisor")

# A process that was killed is gone by then, unless the kernel holds it.
_KILLED_SECONDS = 5.0


class Supervisor:
    """Starts, watches and stops the server's processes."""

    def __init__(self, beginnings: Beginnings) -> None:
        settings, hosts = beginnings.settings, beginnings.hosts
        self._settings = settings
        self._credentials = beginnings.credentials
        self._random_token = beginnings.random_token
        self._listener = beginnings.listener
        self._socket_file = SocketFile(self._listener)
        self._shells_descriptors = beginnings.shells_descriptors
        self._directory = beginnings.directory
        self._selector = selectors.DefaultSelector()
        self._hosts = PtyHosts(
            hosts,
            self._selector,
            start=lambda host: start_host(host, self._host_settings_fd, self._shells_descriptors),
            introduce=lambda host: self._workers.introduce(host),
            silent=lambda row: self._workers.kill(row),
            alive=self._on_alive,
        )
        self._settings_fd = launch.settings_memory(settings)
        self._counters_fd = counters_memory() if beginnings.counters is None else beginnings.counters
        self._host_settings_fd = launch.settings_memory(settings.without_secrets())
        watchdog = Watchdog(settings.watchdog_timeout, time.monotonic())
        self._workers = Workers(
            settings,
            self._selector,
            hosts,
            watchdog,
            beginnings.listener,
            self._credentials,
            settings_fd=self._settings_fd,
            counters_fd=self._counters_fd,
            generation=1 if beginnings.handed_over is None else beginnings.handed_over.generation,
            ready=self._on_ready,
        )
        self._generations = self._workers.generations
        self._liveness = Liveness(
            watchdog, self._hosts, self._workers, lambda: msgspec.json.encode(self._server_state())
        )
        self._upgrade = Upgrade(
            self._hosts,
            ask=lambda: ask(HOST_MODULE, control.HANDED_OVER_VERSION, self._host_settings_fd),
            ask_supervisor=lambda: ask(supervisor_handover.MODULE, supervisor_handover.VERSION, self._host_settings_fd),
            kill=lambda pid: os.kill(pid, signal.SIGKILL),
            renew=lambda: self._generations.renew(time.monotonic()),
            settled=lambda: self._generations.settled,
            generation=lambda: self._generations.number,
            replace=self._hand_over,
            answer_seconds=settings.start_timeout,
        )
        self._state: launch.ServerState | None = None
        """What the workers were last told."""
        self._drain: Drain | None = None
        self._manager = ServiceManager(os.environ, os.getpid())
        self._service_store = ServiceStore(self._manager, self._manager.store_limit, beginnings.restored.names)
        for name in beginnings.restored.refused:
            self._manager.forget(name)
        if self._manager.store_limit:
            for host in hosts:
                host.store.copy_to(HostCopy(self._service_store, host.number, settings.log_size))
        self._reloading = False
        self._stopping = False
        self._announced = False
        self._hang_up_stops = sys.stdin is not None and sys.stdin.isatty()
        self._signals = SignalPipe(supervisor_handover.SIGNALS)
        self._selector.register(self._signals, selectors.EVENT_READ, lambda: self._obey(self._signals.read()))
        if self._credentials.watch is not None:
            on_change = partial(self._credentials.reload, if_changed=True)
            self._selector.register(self._credentials.watch, selectors.EVENT_READ, on_change)
        self._strangers = AdoptedProcesses(self._selector, self._mourn, beginnings.door)
        if beginnings.handed_over is not None:
            self._take_over(beginnings, beginnings.handed_over)
        elif beginnings.arrivals.hosts or beginnings.restored.hosts:
            self._adopt(beginnings.arrivals)
            log.info(
                "%d PTY hosts and %d workers were adopted", len(beginnings.arrivals.hosts),
                len(beginnings.arrivals.workers),
            )  # fmt: skip
            if self._generations.serves:
                self._announce()

    # --- processes of a supervisor that died

    def _adopt(self, arrivals: Arrivals) -> None:
        """Take over the processes that arrived. Of those that are no children of this one only their end is seen."""
        now = time.monotonic()
        for each in arrivals.workers:
            self._workers.adopt(WorkerChild(each.pid, each.control, each.number), now)
        hosts = [host.pid for host in self._hosts.all if host.pid]
        for pid in (*hosts, *(each.pid for each in arrivals.workers)):
            if not child_of_ours(pid):
                self._strangers.watch(pid)

    # --- an upgrade of this process

    def _hand_over(self) -> None:
        """Execute the installed code in this process; returns only by an exception.

        Raises:
            CannotHandOver: it goes on as it is.
        """
        busy = [each for each in self._hosts.all if each.channel is None or each.ready_at is None or each.waits]
        if busy:
            raise in_place.CannotHandOver(f"PTY host {busy[0].number} is being replaced, or does not read")
        if self._service_store.waits:
            raise in_place.CannotHandOver("the service manager does not read")
        state = supervisor_handover.HandedOverServer(
            version=supervisor_handover.VERSION,
            settings=self._settings_fd,
            listener=self._listener.fileno(),
            counters=self._counters_fd,
            credentials=self._credentials.fd,
            config=self._credentials.config,
            shells_descriptors=self._shells_descriptors,
            directory=-1 if self._directory is None else self._directory.fileno(),
            door=self._strangers.fileno(),
            hosts=tuple(each.handed_over for each in self._hosts.all),
            stores=tuple(each.store.handed_over for each in self._hosts.all),
            workers=self._workers.handed_over,
            generation=self._generations.number,
            drain_ends_at=None if self._drain is None else self._drain.ends_at,
            kept=self._service_store.names,
            signals=(),
        )
        log.info("the supervisor hands %s over to the installed code", state.processes)
        unseen: list[int] = []

        def signals() -> tuple[int, ...]:
            unseen.extend(self._signals.read())
            return (*unseen, signal.SIGHUP) if self._upgrade.wanted else tuple(unseen)

        try:
            supervisor_handover.hand_over(state, signals)
        except in_place.CannotHandOver:
            self._obey(set(unseen))
            raise

    def _take_over(self, beginnings: Beginnings, state: supervisor_handover.HandedOverServer) -> None:
        """Go on as the code that had this process before."""
        self._announced = self._reloading = True
        if state.drain_ends_at is not None:
            self._drain = Drain(0.0, len(self._hosts.all), time.monotonic())
            self._drain.ends_at = state.drain_ends_at
        self._adopt(beginnings.arrivals)
        log.info("the supervisor runs the installed code, with %s", state.processes)
        in_place.unblock(supervisor_handover.SIGNALS)
        self._obey(set(state.signals))

    def run(self) -> int:
        """Serve until stopped; the exit status."""
        status = 0
        try:
            self._reap()  # a host may have ended before we heard signals
            while True:
                self._act()
                if self._stopping:
                    break
                timeout = self._seconds_until_due()
                for key, _events in self._selector.select(timeout):
                    key.data()
        except StartFailed as error:
            log.error("%s", error)
            status = 1
        self._stop()
        return status

    def _seconds_until_due(self) -> float | None:
        times = [self._generations.wake_at(), self._hosts.wake_at(), self._upgrade.wake_at()]
        times += [self._liveness.wake_at(), self._manager.wake_at(), self._drain.wake_at() if self._drain else None]
        times.append(self._service_store.wake_at())
        due = min(each for each in times if each is not None)
        return None if due == math.inf else max(0.0, due - time.monotonic())

    def _act(self) -> None:
        """Do what is due: tell workers to leave, kill and start them."""
        now = time.monotonic()
        self._hosts.pass_time(now)
        self._upgrade.pass_time(now)
        self._liveness.pass_time(now)
        self._look_at_drain(now)
        self._manager.pass_time(now)
        self._service_store.flush(now)
        self._workers.pass_time(now)
        if self._directory is not None:
            self._directory.note(frozenset({*self._workers.pids, *(host.pid for host in self._hosts.all if host.pid)}))
        if self._generations.hopeless and not any(len(host.store) for host in self._hosts.all):
            raise StartFailed("no worker became ready; what is logged above says why")
        self._workers.tell_credentials()
        self._tell_state()

    def _on_ready(self) -> None:
        self._state = None  # this worker was told nothing yet
        if self._generations.serves and not self._announced:
            self._tell_state()  # before anybody asks a worker for it
            self._announce()

    # --- what is known

    def _on_alive(self, host: PtyHost, alive: control.HostAlive) -> None:
        """A host answers."""
        if alive.draining:
            if self._drain is None:  # it was drained by the supervisor before this one
                self._begin_drain()
            assert self._drain is not None  # it began
            self._drain.heard(host.number, alive.sessions)
        self._liveness.answered(host)

    def _server_state(self) -> launch.ServerState:
        drain = self._drain
        return launch.ServerState(
            workers=self._settings.workers,
            serving=self._generations.serving,
            silent_hosts=self._liveness.silent_hosts,
            draining=drain is not None,
            ends_at=None if drain is None or drain.ends_at == math.inf else drain.ends_at,
        )

    def _status(self) -> str:
        serving = f"{self._generations.serving} of {self._settings.workers} workers serve"
        return f"draining; {serving}" if self._drain is not None else serving

    def _tell_state(self) -> None:
        """Tell the workers what changed."""
        if self._reloading and not self._upgrade.under_way and not self._generations.renewing:
            self._reloading = False
            self._manager.ready(self._status())
        state = self._server_state()
        if state != self._state:
            self._state = state
            self._manager.show(self._status())
            self._workers.tell_all(msgspec.json.encode(state))

    # --- draining

    def _begin_drain(self) -> None:
        if self._drain is not None:
            log.info("the server drains already; SIGTERM stops it now")
            return
        seconds = self._settings.drain_deadline
        self._drain = Drain(seconds, len(self._hosts.all), time.monotonic())
        log.info(
            "draining: no new sessions are taken, and the server ends with the last one%s",
            f", or in {seconds:g} s" if seconds else "",
        )

    def _look_at_drain(self, now: float) -> None:
        drain = self._drain
        if drain is None:
            return
        if drain.is_over(now):
            left = drain.sessions
            log.info("drained: %s", "no session is left" if left == 0 else f"the deadline is reached, {left} are ended")
            self._stopping = True
        elif drain.should_ask(now):
            self._hosts.drain()

    def _announce(self) -> None:
        self._announced = True
        token, self._random_token = self._random_token, ""
        if token and not (sys.stdout is not None and sys.stdout.isatty()):
            log.warning(
                "the server's random token is not shown, because standard output is no terminal and may be kept; "
                "set one with --token-file FILE, which is made with a random token if it is missing"
            )
            token = ""
        try:
            print(f"web-terminal listening on {url(self._settings, self._listener, token)}", flush=True)
        except OSError as error:
            log.warning("the URL could not be written to standard output: %s", error.strerror)
        self._manager.ready(self._status())

    # --- signals

    def _obey(self, numbers: set[int]) -> None:
        if signal.SIGCHLD in numbers:
            self._reap()
        if {signal.SIGTERM, signal.SIGINT} & numbers:
            self._stopping = True
        if signal.SIGUSR1 in numbers:
            self._begin_drain()
        if signal.SIGHUP in numbers:
            if self._hang_up_stops:
                self._stopping = True
            else:
                self._credentials.reload()
                self._reloading = True
                self._manager.reloading()
                self._upgrade.request()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._bury(pid, status)

    def _bury(self, pid: int, status: int) -> None:
        """A child was reaped."""
        how = how_it_ended(os.waitstatus_to_exitcode(status))
        if not self._upgrade.ended(pid, how, well=status == 0) and not self._mourn(pid, how):
            self._hosts.reaped(pid, status)

    def _mourn(self, pid: int, how: str = "ended") -> bool:
        """A process is gone; whether it was a host or a worker."""
        host = self._hosts.by_pid(pid)
        if host is not None:
            self._hosts.ended(host, how, time.monotonic())
            return True
        return self._workers.ended(pid, how, time.monotonic())

    # --- stopping

    def _stop(self) -> None:
        """Workers first, so that pages are informed; then the hosts, which end the shells; what remains is killed."""
        self._stopping = True
        self._upgrade.stop()
        self._manager.stopping()
        self._wait_for(self._workers.leave(time.monotonic()), self._settings.drain_timeout + 1)
        self._wait_for(self._hosts.stop(), self._settings.kill_after + 3)
        self._hosts.kill_rest()
        self._service_store.clear()
        self._socket_file.remove()

    def _wait_for(self, pids: set[int], seconds: float) -> None:
        left = self._wait_until(pids, time.monotonic() + seconds)
        for pid in left:
            log.warning("process %d did not end in %g s; killing it", pid, seconds)
            os.kill(pid, signal.SIGKILL)
        if left:
            self._wait_until(left, time.monotonic() + _KILLED_SECONDS)

    def _wait_until(self, pids: set[int], deadline: float) -> set[int]:
        """Wait for the end of these processes; those that live on."""
        while True:
            self._reap()
            pids = {pid for pid in pids if pid in self._workers or self._hosts.by_pid(pid)}
            left = deadline - time.monotonic()
            if not pids or left <= 0:
                return pids
            for key, _events in self._selector.select(left):
                if key.fileobj is self._signals:
                    self._signals.read()  # what SIGCHLD says is waitpid's to tell
                else:
                    key.data()


def main() -> None:
    """Run a server with the settings in two descriptors named on the command line, without secrets and with them, and
    with the file that they came from, if there is one.

    Or go on in the process of the code before (``--hand-over``), or say whether this code could (``--takes-over``).
    """
    if sys.argv[1] == "--takes-over":
        _answer(int(sys.argv[2]))
        return
    if sys.argv[1] == "--hand-over":
        _resume(int(sys.argv[2]))
    public_fd, settings_fd = map(int, sys.argv[1:3])
    config = sys.argv[3]
    try:
        public = launch.read_settings(public_fd)
        os.close(public_fd)
        launch.log_to_stderr(public.log_level, "supervisor")
        shells_descriptors = launch.with_descriptors()
        launch.adopt_orphans()
        protect_from_oom()
        launch.guard_memory(public)
        audit = AuditLog(public.audit_log)
        audit.check()  # every process opens its own; only here a failure ends the start
        audit.close()
        beginnings = begin(public, settings_fd, config, shells_descriptors, inherited(os.environ, os.getpid()))
        raise SystemExit(Supervisor(beginnings).run())
    except (StartFailed, AuditFailed, TokensFileError, meeting.CannotMeet) as error:
        print(f"web-terminal serve: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _resume(memory: int) -> NoReturn:
    """Go on with what the code before this left in this process."""
    beginnings = resume(memory)
    launch.guard_memory(beginnings.settings)  # the kernel forgot it with the code before
    launch.log_to_stderr(beginnings.settings.log_level, "supervisor")
    supervisor = Supervisor(beginnings)
    launch.settle()
    raise SystemExit(supervisor.run())


def _answer(version: int) -> None:
    """Say whether this code takes over from a supervisor of ``version`` with these settings: nothing means yes."""
    text = supervisor_handover.refusal(version)
    try:
        launch.read_settings()
    except msgspec.MsgspecError as error:
        text = text or f"the installed code does not know a setting of the server: {error}"
    os.write(launch.CONTROL_FD, text.encode()[:4096])


if __name__ == "__main__":
    main()
