"""A reverse proxy on loopback: some paths of one origin come from one server, the rest from another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES = 64 * 1024


class Route(NamedTuple):
    """Paths that begin with ``prefix`` go to ``port``, where they begin with ``becomes`` instead."""

    prefix: str
    port: int
    becomes: str


class _Proxy:
    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes
        self.port = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            for each in self._connections:
                each.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections.add(task)
        upstream = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            port, head = self._route(head)
            up_reader, upstream = await asyncio.open_connection("127.0.0.1", port)
            upstream.write(head)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(reader, upstream))
                both.create_task(_pour(up_reader, writer))
        except* (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one side is gone, or the test is over: so is the other
        finally:
            for each in (writer, upstream):
                if each is not None:
                    each.transport.abort()
            self._connections.discard(task)

    def _route(self, head: bytes) -> tuple[int, bytes]:
        """Where a request goes, and its head as it is said there: one request a connection, unless it upgrades it."""
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, version = first.split(" ")
        route = next(each for each in self._routes if path.startswith(each.prefix))
        path = route.becomes + path.removeprefix(route.prefix)
        if not any(line.lower().startswith("upgrade:") for line in lines):
            lines = [line for line in lines if not line.lower().startswith("connection:")] + ["Connection: close"]
        return route.port, "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1")


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from one to the other, and its end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


@contextlib.contextmanager
def proxied(*routes: Route) -> Iterator[str]:
    """The origin of a proxy with these routes, the first that fits wins; it runs in a thread of its own."""
    ready = threading.Event()
    proxy = _Proxy(list(routes))
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(ready, stop)))
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{proxy.port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
