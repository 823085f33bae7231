"""No server at all: a pseudo-terminal in this process. What it takes, every terminal on this machine takes.

Blocking calls, so that no event loop stands between the kernel and the clock.
"""

from __future__ import annotations

import os
import platform
import select
import signal
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.processes import kill_and_reap
from web_terminal_suite.bench.terminals.shell_environment import SETTINGS, SHELL
from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal
from web_terminal_suite.client.errors import Closed, TimedOut
from web_terminal_suite.client.search import Chunk, Found, Search

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", **SETTINGS}
_READ_BYTES: Final = 65536


class LocalPty:
    """One process on a pseudo-terminal of this process. Every wait has a time limit."""

    def __init__(
        self, argv: tuple[str, ...] = (SHELL,), environment: Mapping[str, str] = ENVIRONMENT, timeout: float = 10.0
    ) -> None:
        self._timeout = timeout
        self._offset = 0
        self._rest: Chunk | None = None
        self.master, slave = os.openpty()
        try:
            # Opening the slave by its path as a session leader makes it the controlling terminal (tty_ioctl(4)).
            self.pid = os.posix_spawn(
                argv[0],
                argv,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                ],
                setsid=True,
                setsigdef=(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE),
                setsigmask=(),
            )
        except OSError:
            os.close(self.master)
            raise
        finally:
            os.close(slave)
        self._poll = select.poll()
        self._poll.register(self.master, select.POLLIN)

    def write(self, data: bytes) -> int:
        """Type ``data``; the moment before."""
        sent_ns = now_ns()
        while data:
            data = data[os.write(self.master, data) :]
        return sent_ns

    def read(self) -> Chunk:
        """The next output, stamped when the read returned.

        Raises:
            TimedOut, Closed
        """
        rest, self._rest = self._rest, None
        if rest is not None:
            return rest
        if not self._poll.poll(self._timeout * 1000):
            raise TimedOut("output", self._timeout)
        try:
            data = os.read(self.master, _READ_BYTES)
        except OSError as error:  # EIO: no process holds the slave any more (pty(7))
            raise Closed(1006, "the shell ended") from error
        seen_ns = now_ns()
        chunk = Chunk(seen_ns, self._offset, data)
        self._offset += len(data)
        return chunk

    def drain(self, count: int, seconds: float) -> int:
        """Read and drop ``count`` bytes; the moment of the last.

        Nothing but reads: asking for readiness first takes a tenth of the time. A timer that kills the shell after
        ``seconds`` takes its place.

        Raises:
            Closed
        """
        buffer = bytearray(_READ_BYTES)
        if self._rest is not None:
            seen_ns, offset, data = self._rest
            self._rest = Chunk(seen_ns, offset + count, data[count:]) if len(data) > count else None
            count -= len(data)
        guard = threading.Timer(seconds, os.kill, (self.pid, signal.SIGKILL))
        guard.start()
        try:
            read, master, views = os.readv, self.master, [memoryview(buffer)]
            while count > _READ_BYTES:
                got = read(master, views)
                count -= got
                self._offset += got
            while count > 0:  # not beyond the last
                got = len(os.read(master, count))
                count -= got
                self._offset += got
            return now_ns()
        except OSError as error:  # EIO, as in read
            raise Closed(1006, "the shell ended") from error
        finally:
            guard.cancel()
            guard.join()

    def wait_for(self, marker: bytes) -> Found:
        """Read up to ``marker``."""
        search = Search(marker)
        while search.found is None:
            self._rest = search.feed(self.read())
        return search.found

    def close(self) -> None:
        """Hang up, kill and reap."""
        os.close(self.master)
        kill_and_reap(self.pid)


@contextmanager
def local_pty(
    argv: tuple[str, ...] = (SHELL,), environment: Mapping[str, str] = ENVIRONMENT, timeout: float = 10.0
) -> Iterator[LocalPty]:
    """A process on a pseudo-terminal, reaped at the end of the block."""
    pty = LocalPty(argv, environment, timeout)
    try:
        yield pty
    finally:
        pty.close()


class RawPty(Terminal):
    """The floor of everything that has a shell."""

    name = "raw-pty"
    role = "floor"
    capabilities = frozenset({Capability.LOCAL_PTY})

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version=f"{platform.system()} {platform.release()}",
            role=self.role,
            capabilities=tuple(sorted(self.capabilities)),
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        yield Running(self)
