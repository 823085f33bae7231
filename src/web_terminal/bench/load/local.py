"""Shards as processes of this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, TYPE_CHECKING, Final

from web_terminal.bench.load import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal.bench.load.links import Link

COMMAND: Final = (sys.executable, "-m", "web_terminal.bench.load.client")
_END_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005


class Process:
    """A client process and our end of its socket."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: no process or no socket is to be had.
        """
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by ``reap``
        self.socket, theirs = socket.socketpair()
        try:
            # A session of its own: Ctrl-C is for the conductor, which then tells everybody.
            self._process = subprocess.Popen(
                COMMAND, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=self._errors, start_new_session=True
            )
        except OSError:
            self.socket.close()
            self._errors.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        """How it ended, and the last line it wrote to its standard error."""
        status = self._process.poll()
        ended = "hung up" if status is None else f"ended with {status}"
        if self._errors.closed:
            return ended
        size = os.fstat(self._errors.fileno()).st_size
        lines = os.pread(self._errors.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip().splitlines()
        return f"{ended}: {lines[-1]}" if lines else ended

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def reap(self) -> None:
        """Kill it where it still runs, collect its status, close what is ours."""
        self.kill()
        self._process.wait()
        self.socket.close()
        self._errors.close()


class LocalLink:
    """The way to a shard in a process of this machine."""

    def __init__(self, name: str, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.process = process
        self._reader = reader
        self._writer = writer

    def send(self, command: wire.Command) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.frame(command))

    async def receive(self) -> wire.Report | None:
        try:
            size = wire.length(await self._reader.readexactly(wire.HEAD_BYTES))
            return wire.report(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            # Its socket closes a moment before it can be asked how it ended.
            await ended(self.process)
            return None

    @property
    def last_words(self) -> str:
        return self.process.last_words

    async def close(self) -> None:
        """Hang up, which ends it; kill it where it takes too long."""
        self._writer.close()
        await ended(self.process)
        self.process.reap()


async def ended(process: Process) -> None:
    """Return when it has ended, or has been given the time for that."""
    deadline = asyncio.get_running_loop().time() + _END_SECONDS
    while not process.is_over and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_POLL_SECONDS)  # uvloop offers no way to wait for a child that it did not start


class LocalProcesses:
    """The carrier that is always there."""

    @asynccontextmanager
    async def carry(self, shards: int) -> AsyncIterator[Sequence[Link]]:
        async with AsyncExitStack() as stack:
            links: list[Link] = []
            for number in range(shards):
                process = Process()
                try:
                    reader, writer = await asyncio.open_connection(sock=process.socket)
                except BaseException:
                    process.reap()
                    raise
                link = LocalLink(f"client {number + 1}", process, reader, writer)
                stack.push_async_callback(link.close)
                links.append(link)
            yield links
