"""A network that is taken away and given back: every connection is reset, and none is taken meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.errors import PageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.client.address import Address

_CHUNK_BYTES: Final = 1 << 16


class SeverableNetwork:
    """Hands on what either side sends, while it is there. Made by ``severable``."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def restore(self) -> Address:
        """Take connections from now on, always on the same port; the address to dial."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self._port))
            self._server = await asyncio.start_server(self._accept, sock=listener.dup())
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._target._replace(host="127.0.0.1", port=self._port)

    def sever(self) -> None:
        """Reset every connection, and take no other."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            _reset(writer)

    async def close(self) -> None:
        """Sever it, and wait until nothing of it is left."""
        self.sever()
        await asyncio.gather(*self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._target.host, self._target.port)
        except OSError:
            _reset(writer)
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        try:
            await asyncio.gather(_hand_on(reader, far_writer), _hand_on(far_reader, writer))
        finally:
            for each in (writer, far_writer):
                self._writers.discard(each)
                each.close()
                with contextlib.suppress(OSError):
                    await each.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection without an end (``SO_LINGER`` of no time, socket(7))."""
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        _reset(writer)  # what was severed on one side is on the other


@asynccontextmanager
async def severable(target: Address) -> AsyncIterator[tuple[SeverableNetwork, Address]]:
    """A network in front of ``target``, and the address that leads through it; gone with the block.

    Raises:
        PageFailed: the connection is to be encrypted, and a certificate is for another name than the network's.
    """
    if target.secure:
        raise PageFailed(f"the network of https://{target.authority}/ cannot be taken away; name an http:// URL")
    network = SeverableNetwork(target)
    try:
        yield network, await network.restore()
    finally:
        await network.close()
