"""A ping-pong over a bare socket: the round trip that no client on this machine can beat.

Two clients: one on the event loop, as ours is, and one that blocks, which is the minimum.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.client.errors import ClientError, Closed, TimedOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.samples import Sample

_PING: Final = b"x" * 64
_ABNORMAL: Final = 1006


@asynccontextmanager
async def on_the_loop(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """64 bytes there and back, awaited."""
    at, timeout = context.running.addresses[0], context.running.timeout
    protocol = _PingPongProtocol()
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, at.host, at.port)

    async def operate() -> Sample:
        try:
            async with asyncio.timeout(timeout):
                back = protocol.expect(len(_PING))
                sent_ns = now_ns()
                transport.write(_PING)
                return sample(sent_ns, await back)
        except TimeoutError as error:
            raise TimedOut("ping on its way back", timeout) from error

    try:
        yield operate
    finally:
        transport.abort()


@asynccontextmanager
async def blocking(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """64 bytes there and back, with the whole process waiting."""
    at, timeout = context.running.addresses[0], context.running.timeout
    with socket.create_connection((at.host, at.port), timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        async def operate() -> Sample:
            sent_ns = now_ns()
            try:
                connection.sendall(_PING)
                left = len(_PING)
                while left:
                    data = connection.recv(left)
                    if not data:
                        raise _hung_up()
                    left -= len(data)
            except TimeoutError as error:
                raise TimedOut("ping on its way back", timeout) from error
            except ConnectionError as error:
                raise _hung_up() from error
            return sample(sent_ns, now_ns())

        yield operate


class _PingPongProtocol(asyncio.Protocol):
    """Counts what comes back."""

    def __init__(self) -> None:
        self._left = 0
        self._lost = False
        self._back: asyncio.Future[int] | None = None

    def expect(self, size: int) -> asyncio.Future[int]:
        """The moment when ``size`` bytes have arrived.

        Raises:
            Closed
        """
        if self._lost:
            raise _hung_up()
        self._left = size
        self._back = asyncio.get_running_loop().create_future()
        return self._back

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        seen_ns = now_ns()
        self._left -= len(data)
        if self._left <= 0 and self._back is not None and not self._back.done():
            self._back.set_result(seen_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._back is not None and not self._back.done():
            self._back.set_exception(_hung_up())


def _hung_up() -> ClientError:
    return Closed(_ABNORMAL, "the other end of the loopback hung up")
