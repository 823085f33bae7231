"""Processes of a server under test: started clean, watched in ``/proc``, ended whole. Linux only.

The *tree* of a server is its process and all descendants. Those with a controlling terminal belong to some shell, the
rest to the server: a server is started in a session of its own, which has none (``proc_pid_stat(5)``, ``tty_nr``).
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import signal
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

# A process started by `nohup` or in a script's background has these ignored, and hands that down to its shells.
_RESET_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)
# prctl(2): orphaned descendants become our children, so that none escapes the final count.
_PR_SET_CHILD_SUBREAPER: Final = 36
# How long a server may take to end by itself; ours waits up to ten seconds for its shells.
_END_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.005


# Isolated, and without site packages: it starts in a third of the time.
_PDEATHSIG: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("pdeathsig.py")))


class LaunchFailed(Exception):
    """A terminal did not start: what it was, what it said last."""


class ProcessFacts(NamedTuple):
    """One line of ``/proc/PID/stat``."""

    pid: int
    parent: int
    state: str
    session: int
    has_terminal: bool


def process_facts(pid: int) -> ProcessFacts | None:
    """What ``/proc`` says of a process, or ``None`` when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return ProcessFacts(pid, int(fields[1]), fields[0].decode(), int(fields[3]), fields[4] != b"0")


def children(pid: int) -> list[int]:
    """Living and unreaped children of every thread of ``pid``."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(each) for each in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass  # it ended while we looked; what it left behind is our own child by now
    return found


def tree(root: int) -> list[ProcessFacts]:
    """``root`` and all its descendants."""
    found, waiting = [], [root]
    while waiting:
        facts = process_facts(waiting.pop())
        if facts is not None:
            found.append(facts)
            waiting += children(facts.pid)
    return found


def local_shells() -> list[int]:
    """Children of this very process that lead a terminal of their own, unreaped ones included."""
    own = [process_facts(pid) for pid in children(os.getpid())]
    return [facts.pid for facts in own if facts is not None and facts.has_terminal]


def reap_orphans() -> None:
    """Collect what became our child because its parent ended first, such as a program whose shell was killed.

    What this process starts itself is in this session or leads one of its own; an orphan is in that of its shell.
    """
    mine = os.getsid(0)
    for pid in children(os.getpid()):
        facts = process_facts(pid)
        if facts is not None and facts.state == "Z" and facts.session not in (mine, pid):
            os.waitpid(pid, 0)


def kill_and_reap(pid: int) -> None:
    """End a child of this process; blocks for as long as the kernel needs for that."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def is_gone(pid: int) -> bool:
    """Whether ``pid`` was reaped: a zombie is not gone."""
    return not os.path.exists(f"/proc/{pid}")


def descriptor_count(pids: Iterable[int]) -> int:
    """Open descriptors of all ``pids`` together."""
    count = 0
    for pid in pids:
        try:
            count += len(os.listdir(f"/proc/{pid}/fd"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return count


def shared_memory_count(pids: Iterable[int]) -> int:
    """How many of the open descriptors of ``pids`` are anonymous shared memory (``memfd_create(2)``)."""
    count = 0
    for pid in pids:
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                count += sum(os.readlink(entry.path).startswith("/memfd:") for entry in entries)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended, or closed one, while we looked
    return count


def cpu_ns(pids: Iterable[int]) -> int:
    """Processor time of all living threads of ``pids``, to the nanosecond (``/proc/PID/task/TID/schedstat``)."""
    total = 0
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                    total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return total


class ProcessorTicks(NamedTuple):
    """Time of all processors of the machine since it started, in ticks."""

    idle: int
    total: int

    def idle_share_since(self, before: ProcessorTicks) -> float:
        """Of the time in between; 1 where no tick has passed."""
        total = self.total - before.total
        return (self.idle - before.idle) / total if total else 1.0


def processor_ticks() -> ProcessorTicks:
    """As ``/proc/stat`` has them; time that the hypervisor took counts, and is not idle."""
    with open("/proc/stat", "rb") as file:
        # user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of user and nice (proc_stat(5)).
        ticks = [int(each) for each in file.readline().split()[1:9]]
    return ProcessorTicks(ticks[3] + ticks[4], sum(ticks))


def pss_bytes(pids: Iterable[int]) -> int:
    """Memory of ``pids``, shared pages divided among those who share them (``smaps_rollup``, ``Pss``)."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) * 1024
                        break
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return total


class ServerProcess:
    """A started server. Made by ``started``, which ends it."""

    def __init__(self, pid: int, pidfd: int, command: tuple[str, ...], output: _Lines, errors: IO[bytes]) -> None:
        self.pid = pid
        self.command = command
        self._pidfd = pidfd
        self._output = output
        self._errors = errors

    async def line(self, wanted: str, timeout: float) -> str:
        """The first line of its standard output that contains ``wanted``.

        Raises:
            LaunchFailed: it ended, or did not say that within ``timeout`` seconds.
        """
        what = " ".join(self.command)
        try:
            return await self._output.first(wanted, timeout)
        except EOFError as error:
            raise LaunchFailed(f"{what} ended before it was ready: {self.last_words()}") from error
        except TimeoutError as error:
            said = self.last_words()
            raise LaunchFailed(f"{what} did not print {wanted!r} within {timeout:g} s: {said}") from error

    @property
    def status(self) -> int | None:
        """The exit status once it ended, negative for a signal; ``None`` while it runs. Does not reap."""
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is None:
            return None
        return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status

    def reap(self) -> None:
        """Collect the exit status; blocks until there is one."""
        os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip()

    def server_pids(self) -> list[int]:
        return [facts.pid for facts in tree(self.pid) if not facts.has_terminal]

    def shell_pids(self) -> list[int]:
        return [facts.pid for facts in tree(self.pid) if facts.has_terminal]


@asynccontextmanager
async def started(command: tuple[str, ...], environment: Mapping[str, str]) -> AsyncIterator[ServerProcess]:
    """A server in a session of its own, which may not be ready yet.

    At the end of the block it is asked to end (SIGTERM), then killed with all its descendants. It is asked, too, when
    this process is killed and never comes to the end of the block.

    Raises:
        LaunchFailed: it cannot be started.
    """
    _adopt_orphans()
    output, output_end = os.pipe2(os.O_CLOEXEC)
    with tempfile.TemporaryFile() as errors:
        try:
            pid = _spawn(command, environment, output_end, errors.fileno())
        except OSError as error:
            os.close(output)
            raise LaunchFailed(f"{command[0]}: {(error.strerror or str(error)).lower()}") from error
        finally:
            os.close(output_end)
        lines = _Lines(output)
        process = ServerProcess(pid, os.pidfd_open(pid), command, lines, errors)
        try:
            yield process
        finally:
            lines.close()
            await _end(process)


def _spawn(command: tuple[str, ...], environment: Mapping[str, str], output: int, errors: int) -> int:
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return os.posix_spawn(
        sys.executable,
        (*_PDEATHSIG, str(os.getpid()), *command),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, errors, 2),
        ],
        setsid=True,
        setsigdef=_RESET_SIGNALS,
        setsigmask=(),
    )


async def _end(process: ServerProcess) -> None:
    """End the server with SIGTERM, then kill what is left of it and its children."""
    known = [facts.pid for facts in tree(process.pid)]
    if process.status is None:
        signal.pidfd_send_signal(process._pidfd, signal.SIGTERM)
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    while process.status is None:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_POLL_SECONDS)  # uvloop offers no way to wait for a child that it did not start
    known += [facts.pid for facts in tree(process.pid)]
    if process.status is None:
        signal.pidfd_send_signal(process._pidfd, signal.SIGKILL)
    process.reap()
    await _bury(set(known) - {process.pid})
    reap_orphans()


async def _bury(pids: set[int]) -> None:
    """Kill and reap those of ``pids`` that became our children when their parent died."""
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    while pids and asyncio.get_running_loop().time() < deadline:
        for pid in list(pids):
            facts = process_facts(pid)
            if facts is None:
                pids.discard(pid)
            elif facts.parent == os.getpid():
                kill_and_reap(pid)
                pids.discard(pid)
        if pids:
            await asyncio.sleep(_POLL_SECONDS)  # its own parent is still about to reap it or to die


def _adopt_orphans() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Without it orphans go to init and only the check for residue sees them; nothing else depends on it.
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class _Lines:
    """Lines of a pipe as they come; goes on reading after the first, so that the writer never blocks."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._data = b""
        self._wanted = b""
        self._found: asyncio.Future[str] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    async def first(self, wanted: str, timeout: float) -> str:
        self._wanted = wanted.encode()
        self._found = self._loop.create_future()
        self._look()
        async with asyncio.timeout(timeout):
            return await self._found

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self.close()
            if self._found is not None and not self._found.done():
                self._found.set_exception(EOFError())
            return
        if self._found is None or not self._found.done():
            self._data += data
            self._look()

    def _look(self) -> None:
        while b"\n" in self._data and self._found is not None and not self._found.done():
            line, _, self._data = self._data.partition(b"\n")
            if self._wanted in line:
                self._found.set_result(line.decode(errors="replace"))
