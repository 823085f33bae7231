"""Shards as processes of this machine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.load.backends.backend import GeneratorChannel

CLIENT: Final = "web_terminal_suite.bench.load.generator_process"


class LocalChannel:
    """The way to a shard in a process of this machine."""

    def __init__(
        self, name: str, process: ClientProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name = name
        self.process = process
        self._reader = reader
        self._writer = writer

    def send(self, command: messages.Command) -> None:
        if not self._writer.is_closing():
            self._writer.write(messages.frame(command))

    async def receive(self) -> messages.Report | None:
        try:
            size = messages.length(await self._reader.readexactly(messages.HEAD_BYTES))
            return messages.report(await self._reader.readexactly(size))
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


class LocalBackend:
    """The carrier that is always there."""

    @asynccontextmanager
    async def carry(self, shards: int) -> AsyncIterator[Sequence[GeneratorChannel]]:
        async with AsyncExitStack() as stack:
            links: list[GeneratorChannel] = []
            for number in range(shards):
                process = ClientProcess(CLIENT)
                try:
                    reader, writer = await asyncio.open_connection(sock=process.socket)
                except BaseException:
                    process.reap()
                    raise
                link = LocalChannel(f"client {number + 1}", process, reader, writer)
                stack.push_async_callback(link.close)
                links.append(link)
            yield links
