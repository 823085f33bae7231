"""The parent of all: binds the port, starts the PTY host and the workers, keeps them, and stops them in order.

Which workers are started, told to leave and killed is decided in ``generations``; nothing that happens to a worker, or
to its start, ends the server. What the sessions of a host consist of is kept in its ``store``; a host that dies is
started again and adopts them. SIGTERM and SIGINT stop; SIGUSR1 drains; SIGHUP upgrades hosts and workers, with the same
shells (``upgrade``). Where the server was started by hand on a terminal, SIGHUP means that the terminal is gone, and
stops.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import resource
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import control, launch, meeting
from web_terminal_suite.server.arrivals import Arrivals, meet
from web_terminal_suite.server.audit import AuditFailed, AuditLog
from web_terminal_suite.server.credential_store import CredentialStore
from web_terminal_suite.server.credentials import random_token
from web_terminal_suite.server.drain import Drain
from web_terminal_suite.server.generations import Generations
from web_terminal_suite.server.listener import StartFailed, adopt, bind, place_of, url
from web_terminal_suite.server.log import ARENA_SLOTS
from web_terminal_suite.server.processes import (
    HOST_MODULE,
    WORKER_MODULE,
    fork_host,
    how_it_ended,
    start,
    start_problem,
)
from web_terminal_suite.server.pty_hosts import PtyHost, PtyHosts
from web_terminal_suite.server.service_manager import ServiceManager, inherited_sockets, protect_from_oom
from web_terminal_suite.server.settings import MAX_HOSTS, Settings
from web_terminal_suite.server.tokens_file import TokensFileError
from web_terminal_suite.server.upgrade import Asked, Upgrade
from web_terminal_suite.server.watchdog import Watchdog
from web_terminal_suite.server.worker.counters import ROWS, counters_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("web_terminal_suite.supervisor")

# How often the log says that a PTY host still does not answer.
_REMIND_SECONDS = 60.0
# A worker that leaves needs ``drain_timeout``, and this to notice and to end; then it is killed.
_LEAVE_MARGIN_SECONDS = 5.0
# A process that was killed is gone by then, unless the kernel holds it.
_KILLED_SECONDS = 5.0
# A worker that has no channel to a host so long after that one's start was let down by it.
_LOST_SECONDS = 5.0
# A host's own: streams, control, channels of workers that come and go, and a margin.
_HOST_DESCRIPTORS = 256


@dataclass(eq=False)
class _Child:
    pid: int
    control: socket.socket
    number: int
    knows: int = 0
    """The version of the credentials that it was given."""


class Supervisor:
    """Starts, watches and stops the server's processes."""

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        hosts: list[PtyHost],
        shells_descriptors: int,
        directory: meeting.StateDirectory | None = None,
        door: socket.socket | None = None,
        counters: int | None = None,
        *,
        credentials: CredentialStore,
        random_token: str = "",
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._random_token = random_token
        """Shown once, on a terminal."""
        self._listener = listener
        self._shells_descriptors = shells_descriptors
        self._directory = directory
        self._selector = selectors.DefaultSelector()
        self._hosts = PtyHosts(
            hosts,
            self._selector,
            start=self._start_host,
            introduce=self._introduce,
            silent=self._kill_silent,
            alive=self._on_alive,
        )
        self._settings_fd = launch.settings_memory(settings.without_secrets())
        self._counters_fd = counters_memory() if counters is None else counters
        self._workers: dict[int, _Child] = {}
        self._generations = Generations(
            settings.workers,
            time.monotonic(),
            start_seconds=settings.start_timeout,
            leave_seconds=settings.drain_timeout + _LEAVE_MARGIN_SECONDS,
        )
        self._upgrade = Upgrade(
            self._hosts,
            ask=self._ask_installed,
            kill=lambda pid: os.kill(pid, signal.SIGKILL),
            renew=lambda: self._generations.renew(time.monotonic()),
            settled=lambda: self._generations.settled,
            answer_seconds=settings.start_timeout,
        )
        self._watchdog = Watchdog(settings.watchdog_timeout, time.monotonic())
        self._reminders: dict[int, float] = {}
        """When to say again that a host is silent, by its process id."""
        self._state: launch.ServerState | None = None
        """What the workers were last told."""
        self._drain: Drain | None = None
        self._manager = ServiceManager(os.environ, os.getpid())
        self._reloading = False
        self._stopping = False
        self._announced = False
        self._hang_up_stops = sys.stdin is not None and sys.stdin.isatty()
        self._wake_receiver, wake_sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
            # nohup's wish to outlive the terminal is kept.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_sender, warn_on_full_buffer=False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ, self._on_signals)
        if credentials.watch is not None:
            on_change = partial(credentials.reload, if_changed=True)
            self._selector.register(credentials.watch, selectors.EVENT_READ, on_change)
        if door is not None:
            self._selector.register(door, selectors.EVENT_READ, lambda: self._turn_away(door))

    # --- processes of a supervisor that died

    def adopt(self, arrivals: Arrivals) -> None:
        """Take over the processes that arrived. They are no children of this one: their end is all that can be seen."""
        now = time.monotonic()
        for each in arrivals.hosts:
            self._watch_stranger(each.pid)
        for each in arrivals.workers:
            child = _Child(each.pid, each.control, each.number)
            self._workers[each.pid] = child
            self._selector.register(each.control, selectors.EVENT_READ, partial(self._on_worker, child))
            self._watch_stranger(each.pid)
            self._watchdog.watch(each.pid, now)
            if not self._generations.adopt(each.pid, now):
                each.control.send(launch.REPLACE, socket.MSG_DONTWAIT)
        log.info("%d PTY hosts and %d workers were adopted", len(arrivals.hosts), len(arrivals.workers))
        if self._generations.serves:
            self._announce()

    def _watch_stranger(self, pid: int) -> None:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._mourn(pid)
            return
        self._selector.register(fd, selectors.EVENT_READ, lambda: self._on_stranger(fd, pid))

    def _on_stranger(self, fd: int, pid: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)
        self._mourn(pid)

    def _turn_away(self, door: socket.socket) -> None:
        """A process that came too late: its place is taken."""
        try:
            sock, _address = door.accept()
        except OSError:
            return
        with sock:
            log.warning("process %d came too late, and is not adopted", meeting.peer_of(sock).pid)
            with contextlib.suppress(OSError):
                sock.send(launch.REPLACE, socket.MSG_DONTWAIT)

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
        times += [self._watchdog.wake_at(), self._manager.wake_at(), self._drain.wake_at() if self._drain else None]
        due = min(each for each in times if each is not None)
        return None if due == math.inf else max(0.0, due - time.monotonic())

    # --- workers

    def _act(self) -> None:
        """Do what is due: tell workers to leave, kill and start them."""
        now = time.monotonic()
        self._hosts.pass_time(now)
        self._upgrade.pass_time(now)
        self._watch(now)
        self._look_at_drain(now)
        self._manager.pass_time(now)
        self._generations.pass_time(now)
        self._follow_orders(launch.REPLACE)
        while (place := self._generations.next_start(now)) is not None:
            try:
                pid = self._start_worker()
            except (OSError, MemoryError) as error:
                self._generations.start_failed(place, start_problem(error), now)
                self._follow_orders(launch.REPLACE)
            else:
                self._generations.started(place, pid, now)
        if self._directory is not None:
            self._directory.note(frozenset({*self._workers, *(host.pid for host in self._hosts.all if host.pid)}))
        if self._generations.hopeless:
            raise StartFailed("no worker became ready; what is logged above says why")
        self._tell_credentials()
        self._tell_state()

    def _follow_orders(self, word: bytes) -> None:
        for order in self._generations.orders():
            if order.kill:
                os.kill(order.pid, signal.SIGKILL)  # not reaped yet, so the id is its own
                continue
            self._watchdog.forget(order.pid)  # generations gives it a time limit of its own
            self._tell(self._workers[order.pid], word)

    @staticmethod
    def _tell(child: _Child, packet: bytes) -> None:
        try:
            child.control.send(packet, socket.MSG_DONTWAIT)
        except OSError:
            pass  # it is gone, or does not read, which the watchdog notices

    def _tell_credentials(self) -> None:
        """Let every worker have the present credentials; one that does not read is tried again."""
        for child in self._workers.values():
            if child.knows == self._credentials.version:
                continue
            try:
                socket.send_fds(child.control, [launch.CREDENTIALS], [self._credentials.fd], socket.MSG_DONTWAIT)
            except OSError:
                continue  # it is gone, or will be killed by the watchdog if it reads nothing
            child.knows = self._credentials.version

    def _start_worker(self) -> int:
        """A new worker's process id.

        Raises:
            OSError: a socket, a descriptor's way to a host, or the process could not be had; nothing is left of it.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(near)
            theirs.enter_context(far)
            channels = []
            rows = {child.number for child in self._workers.values()}
            row = next(row for row in range(ROWS) if row not in rows)
            for host in self._hosts.all:
                to_host, to_worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                channels.append(theirs.enter_context(to_worker))
                with to_host:
                    # A host that does not read must not stop this process.
                    host.say_or_fail(control.NewWorker(row=row, fresh=True), to_host.fileno())
            places = {
                launch.SETTINGS_FD: self._settings_fd,
                launch.CONTROL_FD: far.fileno(),
                launch.LISTENER_FD: self._listener.fileno(),
                launch.COUNTERS_FD: self._counters_fd,
                **{launch.FIRST_CHANNEL_FD + number: sock.fileno() for number, sock in enumerate(channels)},
            }
            child = _Child(0, near, row, knows=self._credentials.version)
            # Not at a descriptor of its own: until the process guards its memory, others could read that one.
            socket.send_fds(near, [launch.CREDENTIALS], [self._credentials.fd])
            # Before there is a process that would be lost if this failed.
            self._selector.register(near, selectors.EVENT_READ, lambda: self._on_worker(child))
            ours.callback(self._selector.unregister, near)
            child.pid = start(WORKER_MODULE, [str(row)], places)
            ours.pop_all()
        self._workers[child.pid] = child
        return child.pid

    def _on_worker(self, child: _Child) -> None:
        if child.pid not in self._workers:
            return  # buried earlier in this round
        try:
            word = child.control.recv(launch.CONTROL_BYTES)
        except ConnectionResetError:
            word = b""  # it ended before it read what we told it
        if not word:  # it ended; SIGCHLD says how
            self._selector.unregister(child.control)
            return
        now = time.monotonic()
        if word == launch.ALIVE:
            self._watchdog.answered(child.pid, now)
        elif word == launch.READY:
            self._state = None  # this worker was told nothing yet
            self._watchdog.watch(child.pid, now)
            self._generations.ready(child.pid, now)
            if self._generations.serves and not self._announced:
                self._announce()
        elif word.startswith(launch.LOGGED_OUT):
            self._credentials.end_login(word.removeprefix(launch.LOGGED_OUT))
        elif word.startswith(launch.LOST):
            self._on_lost(child, self._hosts.all[int(word.removeprefix(launch.LOST))])

    # --- hosts

    def _start_host(self, host: PtyHost) -> None:
        """A new process in a host's place: it has no secret, as the one before."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as ours, far:
            ours.enter_context(near)
            places = {launch.SETTINGS_FD: self._settings_fd, launch.CONTROL_FD: far.fileno()}
            host.take(start(HOST_MODULE, [str(host.number), str(self._shells_descriptors)], places), near)
            ours.pop_all()

    def _ask_installed(self) -> Asked:
        """Start the installed code of a host, to ask whether it takes over from the one that runs."""
        answer, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            places = {launch.SETTINGS_FD: self._settings_fd, launch.CONTROL_FD: theirs}
            return Asked(start(HOST_MODULE, ["--takes-over", str(control.HANDED_OVER_VERSION)], places), answer)
        except BaseException:
            os.close(answer)
            raise
        finally:
            os.close(theirs)

    def _introduce(self, host: PtyHost) -> Iterator[control.Lent]:
        """Give each worker a new channel to a host."""
        for child in list(self._workers.values()):
            to_host, to_worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with to_host, to_worker:
                try:
                    word = launch.HOST + b"%d" % host.number
                    socket.send_fds(child.control, [word], [to_worker.fileno()], socket.MSG_DONTWAIT)
                except OSError as error:
                    log.warning("worker %d cannot be given a channel: %s; killing it", child.pid, error.strerror)
                    self._kill_silent(child.number)
                    continue
                yield control.NewWorker(row=child.number, fresh=False), (to_host.fileno(),)

    def _kill_silent(self, row: int) -> None:
        """A worker that does not run keeps others' sessions from being adopted; another one takes its place."""
        for child in self._workers.values():
            if child.number == row:
                os.kill(child.pid, signal.SIGKILL)

    def _on_lost(self, child: _Child, host: PtyHost) -> None:
        """A worker has no channel to a host, and says so as long as it has none."""
        if host.pid and time.monotonic() - host.started_at > _LOST_SECONDS:
            log.error("worker %d has no channel to PTY host %d any more; replacing it", child.pid, host.number)
            with contextlib.suppress(OSError):  # it is gone already
                child.control.send(launch.REPLACE, socket.MSG_DONTWAIT)

    # --- whether they answer

    def _watch(self, now: float) -> None:
        """Ask who is due; kill workers that do not answer, and say which hosts do not."""
        hosts = {host.pid: host for host in self._hosts.all if host.answers(now)}
        self._watchdog.watch_hosts(set(hosts), now)
        self._reminders = {pid: due for pid, due in self._reminders.items() if pid in hosts}
        self._watchdog.pass_time(now)
        for pid in self._watchdog.silent(now):
            if pid in hosts:
                self._reminders[pid] = now
            else:
                self._generations.silent(pid, self._watchdog.silence(pid, now), now)
                self._watchdog.forget(pid)
        for pid, due in self._reminders.items():
            if due <= now:
                self._reminders[pid] = now + _REMIND_SECONDS
                log.error(
                    "PTY host %d (pid %d) has not answered for %.0f s: its sessions cannot be created, attached, "
                    "listed or ended; see: cat /proc/%d/stack; if it hangs for good: kill -9 %d, and another one "
                    "adopts its sessions",
                    hosts[pid].number, pid, self._watchdog.silence(pid, now), pid, pid,
                )  # fmt: skip
        for pid in self._watchdog.to_ask(now):
            if pid in hosts:
                self._hosts.ask(hosts[pid])
            elif pid in self._workers:
                self._tell(self._workers[pid], msgspec.json.encode(self._server_state()))

    def _on_alive(self, host: PtyHost, alive: control.HostAlive) -> None:
        """A host answers."""
        if alive.draining:
            if self._drain is None:  # it was drained by the supervisor before this one
                self._begin_drain()
            assert self._drain is not None  # it began
            self._drain.heard(host.number, alive.sessions)
        if self._watchdog.answered(host.pid, time.monotonic()):
            del self._reminders[host.pid]
            log.warning("PTY host %d (pid %d) answers again", host.number, host.pid)

    def _server_state(self) -> launch.ServerState:
        silent = tuple(host.number for host in self._hosts.all if host.ready_at is None or host.pid in self._reminders)
        drain = self._drain
        return launch.ServerState(
            workers=self._settings.workers,
            serving=self._generations.serving,
            silent_hosts=silent,
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
            for worker in self._workers.values():
                self._tell(worker, msgspec.json.encode(state))

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

    def _on_signals(self) -> None:
        numbers = set(os.read(self._wake_receiver, 4096))
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
        child = self._workers.pop(pid, None)
        if child is None:
            return False
        if child.control in self._selector.get_map():
            self._selector.unregister(child.control)
        child.control.close()
        self._watchdog.forget(pid)
        self._generations.ended(pid, how, time.monotonic())
        return True

    # --- stopping

    def _stop(self) -> None:
        """Workers first, so that pages are informed; then the hosts, which end the shells; what remains is killed."""
        self._stopping = True
        self._upgrade.stop()
        self._manager.stopping()
        workers = self._generations.leave(time.monotonic())
        self._follow_orders(launch.STOP)
        self._wait_for(set(workers), self._settings.drain_timeout + 1)
        self._wait_for(self._hosts.stop(), self._settings.kill_after + 3)
        self._hosts.kill_rest()

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
                if key.fd == self._wake_receiver:
                    os.read(self._wake_receiver, 4096)  # what SIGCHLD says is waitpid's to tell
                else:
                    key.data()


def with_hosts(settings: Settings) -> Settings:
    """The settings with the number of hosts that ``max_sessions`` needs, where none was asked for.

    Raises:
        StartFailed: more than there may be.
    """
    if settings.hosts:
        return settings
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # A session takes its PTY's descriptor, and logs share one for each arena.
    each = max(1, (descriptors - _HOST_DESCRIPTORS) * ARENA_SLOTS // (ARENA_SLOTS + 1))
    hosts = -(-settings.max_sessions // each)
    if hosts > MAX_HOSTS:
        raise StartFailed(
            f"max_sessions = {settings.max_sessions} needs {hosts} PTY hosts of {descriptors} descriptors each and "
            f"there may be {MAX_HOSTS}; raise the limit with: ulimit -Hn, or lower max_sessions"
        )
    return msgspec.structs.replace(settings, hosts=hosts)


def main() -> None:
    """Run a server with the settings in two descriptors named on the command line, without secrets and with them, and
    with the file that they came from, if there is one.
    """
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
        AuditLog(public.audit_log).close()  # every process opens its own; only here a failure ends the start
        inherited = inherited_sockets(os.environ, os.getpid())
        directory, door, arrivals = None, None, Arrivals()
        if public.state_dir:
            directory = meeting.StateDirectory(public.state_dir)
            door = directory.listen()
            arrivals = meet(directory, door)
        listener = arrivals.listener or (adopt(public, inherited) if inherited else None)
        if arrivals.hosts:
            own, token = _with_token(launch.read_settings(settings_fd))
            supervisor = _of_arrived(arrivals, own, token, config, listener, shells_descriptors, directory, door)
        else:
            public = with_hosts(public)
            listener = listener or bind(public)
            launch.settle()
            hosts = [fork_host(public, number, shells_descriptors) for number in range(public.hosts)]
            settings, token = _with_token(launch.read_settings(settings_fd))
            settings = msgspec.structs.replace(settings, hosts=public.hosts)
            if inherited:
                settings = msgspec.structs.replace(settings, **place_of(listener))
            store = CredentialStore(settings, config)
            supervisor = Supervisor(
                settings.without_secrets(), listener, hosts, shells_descriptors, directory, door,
                credentials=store, random_token=token,
            )  # fmt: skip
        os.close(settings_fd)
        raise SystemExit(supervisor.run())
    except (StartFailed, AuditFailed, TokensFileError, meeting.CannotMeet) as error:
        print(f"web-terminal serve: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _with_token(settings: Settings) -> tuple[Settings, str]:
    """The settings, with a random token if there would be no way to log in otherwise; and that token."""
    if settings.has_credentials or settings.insecure_no_auth:
        return settings, ""
    token = random_token()
    return msgspec.structs.replace(settings, token=token), token


def _of_arrived(
    arrivals: Arrivals,
    own: Settings,
    token: str,
    config: str,
    listener: socket.socket | None,
    shells_descriptors: int,
    directory: meeting.StateDirectory | None,
    door: socket.socket | None,
) -> Supervisor:
    """A supervisor of what is left of a server, with that one's settings.

    Raises:
        StartFailed: no worker brought the listening socket, and the port cannot be had.
    """
    settings = arrivals.settings or msgspec.structs.replace(own, hosts=arrivals.host_count)
    differing = [
        name
        for name in own.__struct_fields__
        if name not in ("token", "users", "hosts") and getattr(own, name) != getattr(settings, name)
    ]
    if differing:
        log.warning("the server goes on with its settings; these are others now and need a restart: %s", differing)
    hosts = [PtyHost(number) for number in range(settings.hosts)]
    for each in arrivals.hosts:
        if not 0 <= each.number < len(hosts) or hosts[each.number].pid:
            raise StartFailed(
                f"process {each.pid} says that it is PTY host {each.number} of {len(hosts)}; end it first"
            )
        hosts[each.number].take(each.pid, each.control)
    # A worker brought them, or there is none that could have served with them.
    brought = arrivals.credentials
    store = CredentialStore(own if brought is None else settings, config, brought)
    store.reload()
    supervisor = Supervisor(
        settings, listener or bind(settings), hosts, shells_descriptors, directory, door, arrivals.counters,
        credentials=store, random_token="" if brought else token,
    )  # fmt: skip
    supervisor.adopt(arrivals)
    return supervisor


if __name__ == "__main__":
    main()
