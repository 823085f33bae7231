"""How the supervisor's processes are started, and what their starts and ends are called in the log."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from web_terminal_suite.server import launch
from web_terminal_suite.server.host.main import run as run_host
from web_terminal_suite.server.pty_hosts import PtyHost
from web_terminal_suite.server.upgrade import Asked

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

HOST_MODULE = "web_terminal_suite.server.host.main"
WORKER_MODULE = "web_terminal_suite.server.worker.main"
# Descriptors in a child lie below this, so that moving them to their places overwrites none.
_HIGH_FD = 64
_REMEDIES = {
    errno.EAGAIN: "no process is left, or a PTY host does not read; raise the limit with: ulimit -u, pids.max",
    errno.ENOMEM: "no memory is left; end programs, or raise the limit",
    errno.ENOENT: f"is {sys.executable} still there?",
    errno.EACCES: f"may {sys.executable} still be executed?",
    errno.EMFILE: "no descriptor is left; raise the limit with: ulimit -n",
    errno.ENFILE: "the machine has no descriptor left; raise fs.file-max",
    errno.ETOOMANYREFS: "too many descriptors are under way; does a PTY host not read?",
}


def how_it_ended(code: int) -> str:
    """The end of a process, as a clause; ``code`` is that of ``os.waitstatus_to_exitcode``."""
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


def start_problem(error: OSError | MemoryError) -> str:
    """What kept a worker from being started, and the remedy where there is one."""
    remedy = _REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else _REMEDIES[errno.ENOMEM]
    text = (getattr(error, "strerror", None) or str(error) or "cannot allocate memory").lower()
    return f"{text} ({remedy})" if remedy else text


def start(module: str, arguments: list[str], places: dict[int, int]) -> int:
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


def start_host(host: PtyHost, settings_fd: int, shells_descriptors: int) -> None:
    """Start a process in a host's place that adopts what is there. It has no secret, as one that was forked.

    Raises:
        OSError: a socket or the process could not be had.
    """
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.ExitStack() as ours, far:
        ours.enter_context(near)
        places = {launch.SETTINGS_FD: settings_fd, launch.CONTROL_FD: far.fileno()}
        host.take(start(HOST_MODULE, [str(host.number), str(shells_descriptors)], places), near)
        ours.pop_all()


def ask(module: str, version: int, settings_fd: int) -> Asked:
    """Start installed code, to ask whether it takes over from that of this version.

    Raises:
        OSError: a pipe or the process could not be had.
    """
    answer, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        places = {launch.SETTINGS_FD: settings_fd, launch.CONTROL_FD: theirs}
        return Asked(start(module, ["--takes-over", str(version)], places), answer)
    except BaseException:
        os.close(answer)
        raise
    finally:
        os.close(theirs)


def fork_host(settings: Settings, number: int, shells_descriptors: int) -> PtyHost:
    """Fork a PTY host: most of its memory is pages that it shares with this process.

    Whatever this process knows the host knows, too: secrets may be read only after this.
    """
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        far.close()
        host = PtyHost(number)
        host.take(pid, near)
        host.is_ready()
        return host
    status = 1
    try:
        os.setpgid(0, 0)
        for each in (signal.SIGHUP, signal.SIGQUIT):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        launch.close_descriptors(keep=far.fileno())
        launch.show_command(sys.executable, "-m", HOST_MODULE, str(number))
        run_host(settings, far, number=number, shells_descriptors=shells_descriptors)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)  # nothing of the parent's may run here: its exit handlers, or what catches its errors
