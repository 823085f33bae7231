"""The parent of all: binds the port, starts the PTY host and the workers, keeps them, and stops them in order.

A dead worker is replaced and loses no shell. The host cannot be replaced, since the shells' terminals are its own; if
it dies everything stops. SIGTERM and SIGINT stop; SIGHUP starts new workers and lets the old ones drain, with the same
shells: that is how a new version is put in place. Where the server was started by hand on a terminal, SIGHUP means
that the terminal is gone, and stops.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import resource
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

import msgspec

from web_terminal_suite.server import launch
from web_terminal_suite.server.host.main import run as run_host
from web_terminal_suite.server.log import ARENA_SLOTS
from web_terminal_suite.server.settings import MAX_HOSTS, Settings
from web_terminal_suite.server.worker.counters import counters_memory

log = logging.getLogger("web_terminal_suite.supervisor")

_HOST_MODULE = "web_terminal_suite.server.host.main"
_WORKER_MODULE = "web_terminal_suite.server.worker.main"
# A worker that dies younger than this, this many times in a row, is not restarted again.
_YOUNG_SECONDS = 2.0
_YOUNG_DEATHS = 5
# Descriptors in a child lie below this, so that moving them to their places overwrites none.
_HIGH_FD = 64
_BACKLOG = 4096
# A host's own: streams, control, channels of workers that come and go, and a margin.
_HOST_DESCRIPTORS = 256


class StartFailed(Exception):
    """The server cannot start; the text says why and what to do."""


@dataclass(eq=False)
class _Child:
    pid: int
    control: socket.socket
    serial: int
    started: float = field(default_factory=time.monotonic)
    ready: bool = False
    leaving: bool = False


def bind(settings: Settings) -> socket.socket:
    """The listening socket all workers share.

    Raises:
        StartFailed: the port is in use, may not be bound, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(settings.host.strip("[]"), settings.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise StartFailed(f"host {settings.host!r}: {error.strerror}") from error
    family, kind, _protocol, _name, address = found[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise StartFailed(_bind_problem(settings, error)) from error
    return listener


def _bind_problem(settings: Settings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} on {settings.host} is in use; choose another with --port, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {settings.port} needs privileges; choose one above 1023 with --port"
    return f"cannot listen on {where}: {(error.strerror or str(error)).lower()}"


def url(settings: Settings, listener: socket.socket) -> str:
    """Where to point a browser; the token is behind ``#``, which browsers never send."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    token = settings.token or next((user.token for user in settings.users.values()), "")
    return f"http://{shown}:{port}{settings.base_path}/" + (f"#token={token}" if token else "")


class Supervisor:
    """Starts, watches and stops the server's processes."""

    def __init__(self, settings: Settings, listener: socket.socket, hosts: list[_Child]) -> None:
        self._settings = settings
        self._listener = listener
        self._hosts = hosts
        self._selector = selectors.DefaultSelector()
        self._settings_fd = launch.settings_memory(settings)
        self._counters_fd = counters_memory()
        self._workers: dict[int, _Child] = {}
        self._serial = 0
        self._young_deaths = 0
        self._stopping = False
        self._announced = False
        self._hang_up_stops = sys.stdin is not None and sys.stdin.isatty()
        self._wake_receiver, wake_sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            # nohup's wish to outlive the terminal is kept.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_sender, warn_on_full_buffer=False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ, self._on_signals)

    # --- starting

    def _start_worker(self) -> None:
        self._serial += 1
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channels = []
        for host in self._hosts:
            to_host, to_worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            socket.send_fds(host.control, [b"worker"], [to_host.fileno()])
            to_host.close()
            channels.append(to_worker)
        places = {
            launch.SETTINGS_FD: self._settings_fd,
            launch.CONTROL_FD: far.fileno(),
            launch.LISTENER_FD: self._listener.fileno(),
            launch.COUNTERS_FD: self._counters_fd,
            **{launch.FIRST_CHANNEL_FD + number: sock.fileno() for number, sock in enumerate(channels)},
        }
        pid = _start(_WORKER_MODULE, [str(self._serial)], places)
        for sock in (far, *channels):
            sock.close()
        child = self._workers[pid] = _Child(pid, near, self._serial)
        self._selector.register(near, selectors.EVENT_READ, lambda: self._on_worker(child))

    def run(self) -> int:
        """Serve until stopped; the exit status."""
        status = 0
        try:
            self._reap()  # a host may have ended before we heard signals
            for _ in range(self._settings.workers):
                self._start_worker()
            while not self._stopping:
                for key, _events in self._selector.select():
                    key.data()
        except StartFailed as error:
            log.error("%s", error)
            status = 1
        self._stop()
        return status

    def _on_worker(self, child: _Child) -> None:
        if child.pid not in self._workers:
            return  # buried earlier in this round
        try:
            word = child.control.recv(64)
        except ConnectionResetError:
            word = b""  # it ended before it read what we told it
        if not word:  # it ended; SIGCHLD says how
            self._selector.unregister(child.control)
            return
        child.ready = word == launch.READY
        if all(each.ready for each in self._workers.values()):
            self._all_ready()

    def _all_ready(self) -> None:
        if not self._announced:
            self._announced = True
            print(f"web-terminal listening on {url(self._settings, self._listener)}", flush=True)
        newest = max(each.serial for each in self._workers.values())
        for each in self._workers.values():
            if each.serial <= newest - self._settings.workers and not each.leaving:
                self._dismiss(each, launch.REPLACE)

    # --- signals

    def _on_signals(self) -> None:
        numbers = set(os.read(self._wake_receiver, 4096))
        if signal.SIGCHLD in numbers:
            self._reap()
        if {signal.SIGTERM, signal.SIGINT} & numbers:
            self._stopping = True
        if signal.SIGHUP in numbers:
            if self._hang_up_stops:
                self._stopping = True
            else:
                log.info("starting %d new workers", self._settings.workers)
                for _ in range(self._settings.workers):
                    self._start_worker()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if any(pid == host.pid for host in self._hosts):
                raise StartFailed(f"a PTY host ended with status {code}; its shells are gone, stopping")
            child = self._workers.pop(pid, None)
            if child is not None:
                self._bury(child, code)

    def _bury(self, child: _Child, code: int) -> None:
        if child.control in self._selector.get_map():
            self._selector.unregister(child.control)
        child.control.close()
        if child.leaving or self._stopping:
            return
        young = time.monotonic() - child.started < _YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        if self._young_deaths >= _YOUNG_DEATHS:
            raise StartFailed(
                f"{_YOUNG_DEATHS} workers in a row ended within {_YOUNG_SECONDS:g} s, the last with {code}"
            )
        log.warning("worker %d ended with status %d; starting another", child.pid, code)
        self._start_worker()

    def _dismiss(self, child: _Child, word: bytes) -> None:
        child.leaving = True
        try:
            child.control.send(word)
        except OSError:
            pass  # it is gone already, which is what we want

    # --- stopping

    def _stop(self) -> None:
        """Workers first, so that pages are informed; then the hosts, which end the shells; what remains is killed."""
        self._stopping = True
        for child in self._workers.values():
            self._dismiss(child, launch.STOP)
        self._wait_for(set(self._workers), self._settings.drain_timeout + 1)
        for host in self._hosts:
            host.control.close()
        self._wait_for({host.pid for host in self._hosts}, self._settings.kill_after + 3)

    def _wait_for(self, pids: set[int], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while pids:
            try:
                pid, _status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            pids.discard(pid)
            if pid == 0:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                if self._selector.select(left):  # SIGCHLD wakes it; what it says is waitpid's to tell
                    self._clear_wake()
        for pid in pids:
            log.warning("process %d did not end in %g s; killing it", pid, seconds)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _clear_wake(self) -> None:
        try:
            os.read(self._wake_receiver, 4096)
        except BlockingIOError:
            pass  # something else woke us
        for key in list(self._selector.get_map().values()):
            if key.fd != self._wake_receiver:
                self._selector.unregister(key.fileobj)


def _start(module: str, arguments: list[str], places: dict[int, int]) -> int:
    """Start a fresh interpreter with ``places[n]`` open as descriptor n; its pid.

    Its own process group keeps a Ctrl-C on our terminal from reaching it: stopping goes in order.
    """
    high = {place: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH_FD) for place, fd in places.items()}
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", module, *arguments],
            launch.public_environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in high.items()],
            setpgroup=0,
            setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGCHLD],
            setsigmask=(),
        )
    finally:
        for fd in high.values():
            os.close(fd)


def start_host(settings: Settings, number: int, shells_descriptors: int) -> _Child:
    """Fork a PTY host: most of its memory is pages that it shares with this process.

    Whatever this process knows the host knows, too: secrets may be read only after this.
    """
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        far.close()
        return _Child(pid, near, number)
    status = 1
    try:
        os.setpgid(0, 0)
        for each in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        launch.close_descriptors(keep=far.fileno())
        launch.show_command(sys.executable, "-m", _HOST_MODULE, str(number))
        run_host(settings, far, number=number, shells_descriptors=shells_descriptors)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)  # nothing of the parent's may run here: its exit handlers, or what catches its errors


def with_token(settings: Settings) -> Settings:
    """The settings, with a random token if there would be no way to log in otherwise."""
    if settings.token or settings.users or settings.insecure_no_auth:
        return settings
    import secrets

    return msgspec.structs.replace(settings, token=secrets.token_urlsafe(24))


def with_descriptors() -> int:
    """Raise this process's limit of open descriptors as far as it may; what it was, which is the shells' own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft


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
    """Run a server with the settings in two descriptors named on the command line: without secrets, and with them."""
    public_fd, settings_fd = map(int, sys.argv[1:])
    try:
        public = launch.read_settings(public_fd)
        launch.log_to_stderr(public.log_level, "supervisor")
        shells_descriptors = with_descriptors()
        public = with_hosts(public)
        listener = bind(public)
        launch.settle()
        hosts = [start_host(public, number, shells_descriptors) for number in range(public.hosts)]
        settings = msgspec.structs.replace(launch.read_settings(settings_fd), hosts=public.hosts)
        raise SystemExit(Supervisor(settings, listener, hosts).run())
    except StartFailed as error:
        print(f"web-terminal serve: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
