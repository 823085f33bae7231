"""One process on one pseudo-terminal: spawn, read, write, resize, signal, close.

The only place of the server that starts a shell. Linux only: ``/dev/ptmx``, ``/proc`` and ``posix_spawn`` with
``POSIX_SPAWN_SETSID``. Knows nothing of sessions, sockets or event loops; every descriptor is non-blocking.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import struct
import termios
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.messages import ResourceLimits, Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# ioctl_tty(2): unlock a slave, ask for its number. Not in the termios module before Python 3.13.
_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430
# ioctl_tty(2): open the slave of a master.
_TIOCGPTPEER = 0x5441
# termios(3): the line discipline erases whole UTF-8 characters.
_IUTF8 = 0o40000

# A read of a pseudo-terminal gives at most one line-discipline buffer less one byte (N_TTY_BUF_SIZE, tty_buffer.c).
FULL_READ_BYTES = 4095

INTERRUPT = b"\x03"
"""Ctrl-C."""

# A server started under nohup or `&` hands ignored signals down, and then Ctrl-C does nothing in its shells.
_RESET_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE", "SIGTERM", "SIGCHLD", "SIGTSTP", "SIGTTIN", "SIGTTOU",
                 "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXFSZ")
]  # fmt: skip

_PRLIMIT_FLAGS = {
    "cpu_seconds": "--cpu",
    "memory_bytes": "--as",
    "open_files": "--nofile",
    "processes": "--nproc",
    "file_bytes": "--fsize",
}


_NO_SUCH_PROGRAM = (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class SpawnFailed(Exception):
    """A shell could not be started."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What to run. ``argv[0]`` is a path or a name looked up in ``env["PATH"]``; ``env`` is the whole environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    size: Size = field(default_factory=Size)
    cwd: str | None = None
    limits: ResourceLimits | None = None
    login: bool = False
    """Whether it is started as a login shell."""


class Pty:
    """The master side of a pseudo-terminal; owns ``fd``, which is -1 once closed.

    ``pid`` is the session leader on the slave side, which some other process may have to reap.
    """

    __slots__ = ("fd", "pid")

    def __init__(self, fd: int, pid: int) -> None:
        self.fd = fd
        self.pid = pid

    def read_into(self, views: Sequence[memoryview]) -> int:
        """Bytes read into ``views``, in order; 0 at the end.

        Raises:
            BlockingIOError: nothing to read now.
        """
        try:
            return os.readv(self.fd, views)
        except OSError as error:
            if error.errno == errno.EIO:  # no process holds the slave open any more: end of file (pty(7))
                return 0
            raise

    def write(self, data: bytes | memoryview) -> int:
        """How many bytes the line discipline took, 0 when it is full or the slave is gone."""
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EIO:
                return len(data)  # no process reads it any more; read_into reports the end
            raise

    def resize(self, size: Size) -> None:
        """Set the size; the kernel sends SIGWINCH to the foreground process group."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.cols, 0, 0))

    def signal(self, number: int) -> None:
        """Signal the foreground process group; one that is gone is not an error."""
        try:
            group = os.tcgetpgrp(self.fd)
        except OSError:
            group = 0
        signal_group(group if group > 1 else self.pid, number)

    def has_job(self) -> bool:
        """Whether a job of the shell is in the foreground rather than the shell itself."""
        try:
            group = os.tcgetpgrp(self.fd)
        except OSError:
            return False  # closed, or hung up
        return group > 1 and group != self.pid

    def interrupt(self) -> bool:
        """Type Ctrl-C, whatever the program has not read yet; ``False`` where it would be an ordinary character.

        The line discipline drops unread input when it meets Ctrl-C, but while it is full it does not look at what is
        behind. So the input is dropped first.
        """
        try:
            attributes = termios.tcgetattr(self.fd)
            flags, interrupt = attributes[3], attributes[6][termios.VINTR]
            if flags & (termios.ISIG | termios.NOFLSH) != termios.ISIG or interrupt != INTERRUPT:
                return False
            slave = fcntl.ioctl(self.fd, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except (OSError, termios.error):
            return False
        try:
            termios.tcflush(self.fd, termios.TCOFLUSH)  # what the line discipline has not taken
            termios.tcflush(slave, termios.TCIFLUSH)  # what it has
        except termios.error:
            pass  # hung up meanwhile
        finally:
            os.close(slave)
        return self.write(INTERRUPT) > 0

    def close(self) -> None:
        """Close the master; the kernel hangs up the session when this was its last holder."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)


def signal_group(group: int, number: int) -> None:
    """Signal a process group; one that is gone is not an error."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # it ended first, or became another user's (su, sudo): hanging up the terminal reaches it still


def size_of(master: int) -> Size:
    """The size of a terminal."""
    rows, cols, _width, _height = struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))
    return Size(cols, rows)


def is_master(fd: int) -> bool:
    """Whether ``fd`` is the master of a pseudo-terminal."""
    try:
        fcntl.ioctl(fd, _TIOCGPTN, bytes(4))
    except OSError:
        return False
    return True


def child_of_ours(pid: int) -> bool:
    """Whether ``pid`` is a child of this process that was not reaped."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def runs_on(pid: int, master: int) -> bool:
    """Whether ``pid`` has this terminal, rather than being another process with the id of one that ended."""
    try:
        (number,) = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))
        # Field 7, tty_nr: the device of the controlling terminal (proc_pid_stat(5)).
        return int(_stat(pid)[4]) == os.stat(f"/dev/pts/{number}").st_rdev
    except (OSError, ValueError, IndexError):
        return False


def kill_session(pid: int) -> None:
    """SIGKILL to a shell and to the foreground process group of its terminal, which nobody has any more."""
    try:
        foreground = int(_stat(pid)[5])  # tpgid
    except (OSError, ValueError, IndexError):
        return  # it ended
    for group in (foreground, pid):
        if group > 1:
            signal_group(group, signal.SIGKILL)


def _stat(pid: int) -> list[bytes]:
    """The fields of ``proc_pid_stat(5)`` from the third on."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


class OpenedPty(NamedTuple):
    """A pseudo-terminal on which nothing runs yet: a descriptor of its master, and its slave's path."""

    master: int
    slave: str


def open_terminal() -> OpenedPty:
    """A fresh pseudo-terminal, whose master the caller must close.

    Raises:
        SpawnFailed: out of pseudo-terminals or descriptors.
    """
    try:
        master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _no_terminal(error) from error
    try:
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        (number,) = struct.unpack("i", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))
        attributes = termios.tcgetattr(master)
        attributes[0] |= _IUTF8
        termios.tcsetattr(master, termios.TCSANOW, attributes)
    except BaseException as error:
        os.close(master)
        if isinstance(error, (OSError, termios.error)):
            raise SpawnFailed(ErrorCode.NO_PTY, f"no pseudo-terminal: {error}") from error
        raise
    return OpenedPty(master, f"/dev/pts/{number}")


def spawn(request: SpawnRequest, terminal: OpenedPty | None = None) -> Pty:
    """A new session leader whose controlling terminal is ``terminal``, or else a fresh pseudo-terminal.

    ``terminal`` is closed where this fails. Uses no fork, so the cost does not grow with the caller's memory. The
    caller must be single-threaded, because the working directory is handed down by changing into it for the time of
    the call.

    Raises:
        SpawnFailed: no such shell, may not be executed, no such directory, out of pseudo-terminals or processes.
    """
    try:
        _check_text(request)
        program, argv = _command(request)
        if terminal is None:
            terminal = open_terminal()
        pty = Pty(terminal.master, 0)
        pty.resize(request.size)
        pty.pid = _launch(program, argv, request, terminal.slave)
    except BaseException:
        if terminal is not None:
            os.close(terminal.master)
        raise
    return pty


def _launch(program: str, argv: tuple[str, ...], request: SpawnRequest, slave: str) -> int:
    home = None
    try:
        if request.cwd is not None:
            home = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            _change_directory(request.cwd)
        return os.posix_spawn(
            program,
            argv,
            request.env,
            # The first terminal a session leader opens becomes its controlling terminal (tty_ioctl(4)).
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, slave, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigdef=_RESET_SIGNALS,
            setsigmask=(),
        )
    except OSError as error:
        if error.errno in _NO_SUCH_PROGRAM:
            _find(program, "")  # reports it better, if the program is at fault
        raise _not_started(program, error) from error
    finally:
        if home is not None:
            os.fchdir(home)
            os.close(home)


def _check_text(request: SpawnRequest) -> None:
    """Refuse what execve(2) cannot carry."""
    for what, text in (("argument", "".join(request.argv)), ("working directory", request.cwd or "")):
        if "\0" in text:
            raise SpawnFailed(ErrorCode.BAD_ARGUMENT, f"{what} contains a NUL character")
    for name, value in request.env.items():
        if not name or "=" in name or "\0" in name:
            raise SpawnFailed(
                ErrorCode.BAD_ENVIRONMENT,
                f"environment variable {name[:40]!r} is not a name: it is empty, or contains = or NUL",
            )
        if "\0" in value:
            raise SpawnFailed(ErrorCode.BAD_ENVIRONMENT, f"environment variable {name[:40]!r} contains a NUL character")


def _change_directory(path: str) -> None:
    try:
        os.chdir(path)
    except OSError as error:
        raise SpawnFailed(ErrorCode.BAD_DIRECTORY, f"working directory {path!r}: {_reason(error)}") from error


def _command(request: SpawnRequest) -> tuple[str, tuple[str, ...]]:
    """The path to execute and the full command line.

    A program named by its path is looked at where it cannot be started, a name is found.
    """
    set_limits = {
        flag: value
        for name, flag in _PRLIMIT_FLAGS.items()
        if request.limits is not None and (value := getattr(request.limits, name)) is not None
    }
    program = request.argv[0]
    if "/" in program and not set_limits:
        program = os.path.abspath(program)
    else:  # prlimit would fail too late to be reported
        program = _find(program, request.env.get("PATH", os.defpath))
    if not set_limits:
        # A dash before its name is what tells a login shell (login(1)).
        name = f"-{os.path.basename(program)}" if request.login else program
        return program, (name, *request.argv[1:])
    # prlimit(1) passes on no other name than the path, so a login shell is told by the option that all have.
    argv = (program, *(("-l",) if request.login else ()), *request.argv[1:])
    for flag, value in set_limits.items():
        if value <= 0:
            raise SpawnFailed(ErrorCode.BAD_LIMIT, f"limit {flag[2:]}={value} must be above 0")
    # Limits must hold before the first instruction of the shell, and posix_spawn cannot set them: prlimit(1) does.
    prlimit = _find("prlimit", os.defpath)
    return prlimit, (prlimit, *(f"{flag}={value}" for flag, value in set_limits.items()), "--", *argv)


def _find(program: str, path: str) -> str:
    found = shutil.which(program, path=path)
    if found is not None:
        return os.path.abspath(found)
    if os.path.isdir(program):
        raise SpawnFailed(ErrorCode.SHELL_NOT_EXECUTABLE, f"shell {program!r} is a directory")
    if os.path.exists(program):
        raise SpawnFailed(
            ErrorCode.SHELL_NOT_EXECUTABLE, f"shell {program!r} may not be executed; see its mode (chmod +x)"
        )
    where = "" if "/" in program else f" in PATH {path!r}"
    raise SpawnFailed(ErrorCode.SHELL_NOT_FOUND, f"shell {program!r} does not exist{where}")


def _no_terminal(error: OSError) -> SpawnFailed:
    if error.errno == errno.ENOSPC:
        return SpawnFailed(
            ErrorCode.NO_PTY, "no pseudo-terminal is left; raise the limit with: sysctl -w kernel.pty.max=65536"
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _no_descriptor(error)
    return SpawnFailed(ErrorCode.NO_PTY, f"no pseudo-terminal: {_reason(error)}")


def _no_descriptor(error: OSError) -> SpawnFailed:
    return SpawnFailed(ErrorCode.NO_DESCRIPTOR, f"{_reason(error)}; raise the limit with: ulimit -n")


def _not_started(program: str, error: OSError) -> SpawnFailed:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return _no_descriptor(error)
    if error.errno == errno.ENOMEM:
        return SpawnFailed(ErrorCode.NO_MEMORY, "no memory is left for a process")
    if error.errno == errno.EAGAIN:
        return SpawnFailed(ErrorCode.NO_PROCESS, "no process is left; raise kernel.pid_max, pids.max or ulimit -u")
    if error.errno == errno.E2BIG:
        return SpawnFailed(ErrorCode.ENVIRONMENT_TOO_BIG, "arguments and environment exceed the kernel's limit (E2BIG)")
    return SpawnFailed(ErrorCode.SPAWN_FAILED, f"{program!r} could not be started: {_reason(error)}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What a process and its descendants use: seconds of CPU so far, resident bytes now, how many they are."""

    cpu_seconds: float
    memory_bytes: int
    processes: int


_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def usage(pid: int) -> ResourceUse:
    """The use of ``pid`` and its living descendants, from ``proc_pid_stat(5)``; zeros once it is gone."""
    cpu_ticks = pages = count = 0
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        try:
            fields = _stat(each)
            with open(f"/proc/{each}/task/{each}/children", "rb") as file:
                waiting += [int(child) for child in file.read().split()]
        except (OSError, ValueError):
            continue  # it ended while we looked
        count += 1
        # Fields 14 to 17 of the page: own and reaped children's user and system time; 24: resident pages.
        cpu_ticks += sum(int(value) for value in fields[11:15])
        pages += int(fields[21])
    return ResourceUse(cpu_ticks / _TICKS_PER_SECOND, pages * _PAGE_BYTES, count)
