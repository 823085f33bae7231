"""Shards as processes of this machine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.load import wire
from web_terminal_suite.bench.suites.clients import Process, ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.load.links import Link

CLIENT: Final = "web_terminal_suite.bench.load.client"


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


class LocalProcesses:
    """The carrier that is always there."""

    @asynccontextmanager
    async def carry(self, shards: int) -> AsyncIterator[Sequence[Link]]:
        async with AsyncExitStack() as stack:
            links: list[Link] = []
            for number in range(shards):
                process = Process(CLIENT)
                try:
                    reader, writer = await asyncio.open_connection(sock=process.socket)
                except BaseException:
                    process.reap()
                    raise
                link = LocalLink(f"client {number + 1}", process, reader, writer)
                stack.push_async_callback(link.close)
                links.append(link)
            yield links
