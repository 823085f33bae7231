"""Load generators as processes of this machine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.load.backends.backend import GeneratorChannel

GENERATOR_MODULE: Final = "web_terminal_suite.bench.load.generator_process"


class LocalChannel:
    """The channel to a load generator in a process of this machine."""

    def __init__(
        self, name: str, process: ClientProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.name = name
        self.process = process
        self._reader = reader
        self._writer = writer

    def send(self, command: messages.Command) -> None:
        if not self._writer.is_closing():
            self._writer.write(messages.encode_frame(command))

    async def receive(self) -> messages.Report | None:
        try:
            size = messages.payload_length(await self._reader.readexactly(messages.HEADER_BYTES))
            return messages.decode_report(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            # The socket closes just before the exit status is available.
            await ended(self.process)
            return None

    @property
    def exit_reason(self) -> str:
        return self.process.last_words

    async def close(self) -> None:
        """Close the socket, which ends the process; kill it if that takes too long."""
        self._writer.close()
        await ended(self.process)
        self.process.reap()


class LocalBackend:
    """Starts load generators on this machine."""

    @asynccontextmanager
    async def start(self, generators: int) -> AsyncIterator[Sequence[GeneratorChannel]]:
        async with AsyncExitStack() as stack:
            channels: list[GeneratorChannel] = []
            for number in range(generators):
                process = ClientProcess(GENERATOR_MODULE)
                try:
                    reader, writer = await asyncio.open_connection(sock=process.socket)
                except BaseException:
                    process.reap()
                    raise
                channel = LocalChannel(f"client {number + 1}", process, reader, writer)
                stack.push_async_callback(channel.close)
                channels.append(channel)
            yield channels
