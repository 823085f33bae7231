"""A TCP proxy that cuts connections at random bytes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# A cut comes within so many bytes.
_CUT_WITHIN = 200


class CuttingProxy:
    """TCP to the port that ``port_of`` gives; ``cut`` ends one connection after a random number of bytes more."""

    def __init__(self, port_of: Callable[[], int], chance: random.Random) -> None:
        self._port_of = port_of
        self._chance = chance
        self._left: dict[asyncio.StreamWriter, int] = {}
        self._listening: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> CuttingProxy:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._listening is not None
        self._listening.close()
        for writer in list(self._left):
            writer.transport.abort()

    def cut(self) -> None:
        if self._left:
            self._left[self._chance.choice(list(self._left))] = self._chance.randrange(1, _CUT_WITHIN)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):  # the server is away, or the test is over
            up_reader, up = await asyncio.open_connection("127.0.0.1", self._port_of())
            self._left[writer] = -1
            await asyncio.gather(self._pour(reader, up, writer), self._pour(up_reader, writer, writer))
            up.close()
        writer.close()
        self._left.pop(writer, None)

    async def _pour(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                left = self._left.get(client, -1)
                if 0 <= left <= len(data):
                    to.write(data[:left])
                    await to.drain()
                    client.transport.abort()
                    break
                if left > 0:
                    self._left[client] = left - len(data)
                to.write(data)
                await to.drain()
        to.close()
