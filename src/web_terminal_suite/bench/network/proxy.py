"""The network as a process: ``python -m web_terminal_suite.bench.network.proxy HOST:PORT --network TEXT --seed N``.

Listens on a free port of the loopback, dials ``HOST:PORT`` for each connection, and hands on what either side sends
when ``link`` says that it arrives. Without ``--network`` that is at once, which is what the proxy itself costs. Prints
its port on its first line of output, lives until SIGTERM.

The buffers of its sockets are small, so that a sender waits for what is on its way and not for this process.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import heapq
import itertools
import signal
import socket
from typing import TYPE_CHECKING, Final, cast

import uvloop

from web_terminal_suite.bench.clock import Timer, now_ns
from web_terminal_suite.bench.network.conditions import NetworkConditions, parse
from web_terminal_suite.bench.network.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFER_BYTES: Final = 64 << 10
_BACKLOG: Final = 4096
# prctl(2): how much later than asked the kernel may end a sleep; 50 us unless told.
_PR_SET_TIMERSLACK: Final = 29


# Out of an idle processor a timer rings some 0.3 ms late here. No more than this is waited for without sleeping.
_LONGEST_SPIN_NS: Final = 500_000


class Agenda:
    """What is to be done when, on one timer.

    The timer is set earlier by as much as it was late recently, and the rest of each wait is spun.
    """

    def __init__(self) -> None:
        self._timer = Timer(self._ring)
        self._entries: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._set_ns = 0
        """The moment of the first entry that the timer is set for; 0 while it is not."""
        self._early_ns = 0

    def at(self, moment_ns: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._entries, (moment_ns, next(self._numbers), act))
        if not self._set_ns or moment_ns < self._set_ns:
            self._set(moment_ns)

    def close(self) -> None:
        self._timer.close()

    def _set(self, moment_ns: int) -> None:
        self._set_ns = moment_ns
        self._timer.set(moment_ns - self._early_ns)

    def _ring(self) -> None:
        self._note_lateness(now_ns() - self._set_ns + self._early_ns)
        self._set_ns = 0
        until_ns = now_ns() + self._early_ns
        while self._entries and self._entries[0][0] <= until_ns:
            while now_ns() < self._entries[0][0]:
                pass
            heapq.heappop(self._entries)[2]()
        if self._entries and (not self._set_ns or self._entries[0][0] < self._set_ns):
            self._set(self._entries[0][0])

    def _note_lateness(self, late_ns: int) -> None:
        """Follow what is late quickly, and what is not slowly."""
        difference_ns = late_ns - self._early_ns
        self._early_ns += difference_ns // (2 if difference_ns > 0 else 32)
        self._early_ns = max(0, min(_LONGEST_SPIN_NS, self._early_ns))


class _Pipe:
    """One direction of a connection: from a side that is read to the side that is written to."""

    def __init__(self, link: Link, agenda: Agenda, on_end: Callable[[], None]) -> None:
        self.link = link
        self._on_end = on_end
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.is_over = False
        """The end has arrived."""
        self._agenda = agenda
        self._reset = False
        self._blocked = False
        self._held_up = False
        self._due_ns = 0

    def take(self, data: bytes) -> None:
        """What the source sent; nothing is its end."""
        self.link.send(data, now_ns())
        if not self._held_up and self.source is not None and self.link.bytes_waiting >= self.link.window_bytes:
            self._held_up = True
            self.source.pause_reading()
        self.plan()

    def lose(self) -> None:
        """The source is gone; the sink is dropped once what was sent before has arrived."""
        self._reset = True
        self.take(b"")

    def plan(self) -> None:
        """Deliver when the next piece arrives, at once where it has."""
        while self.sink is not None and not self._blocked and (due_ns := self.link.next_due_ns()) is not None:
            if due_ns > now_ns():
                if not self._due_ns or due_ns < self._due_ns:
                    self._due_ns = due_ns
                    self._agenda.at(due_ns, self._ring)
                return
            self._deliver(self.sink)

    def block(self, blocked: bool) -> None:
        """The sink takes nothing more, or takes something again."""
        self._blocked = blocked
        self.plan()

    def _ring(self) -> None:
        self._due_ns = 0
        self.plan()

    def _deliver(self, sink: asyncio.Transport) -> None:
        pieces = self.link.arrived(now_ns())
        data = b"".join(pieces)
        if data and not sink.is_closing():
            sink.write(data)
        if pieces and not pieces[-1]:
            self._end(sink)
        if self._held_up and self.source is not None and self.link.bytes_waiting < self.link.window_bytes // 2:
            self._held_up = False
            if not self.source.is_closing():
                self.source.resume_reading()

    def _end(self, sink: asyncio.Transport) -> None:
        self.is_over = True
        if self._reset and not self.link.bytes_waiting:
            sink.abort()
        elif not sink.is_closing():
            sink.write_eof()
        self._on_end()


class _Connection:
    """A client's connection with the one that is dialled for it."""

    def __init__(self, proxy: Proxy, number: int) -> None:
        self._proxy = proxy
        seed = f"{proxy.seed}/{number}"
        self.up = _Pipe(Link(proxy.conditions, f"{seed}/up"), proxy.agenda, self._close_if_over)
        self.down = _Pipe(Link(proxy.conditions, f"{seed}/down"), proxy.agenda, self._close_if_over)
        self._task: asyncio.Task[None] | None = None

    def begin(self, client: asyncio.Transport) -> None:
        self.up.source = self.down.sink = client
        opened_ns = now_ns() + self.up.link.handshake_ns()
        self.up.link.open_at(opened_ns)
        self.down.link.open_at(opened_ns + self._proxy.conditions.rtt_ns // 2)
        self._proxy.agenda.at(opened_ns, self._dial)

    def _close_if_over(self) -> None:
        """Both directions have ended, so nothing is read or written any more."""
        if self.up.is_over and self.down.is_over:
            for transport in (self.up.source, self.up.sink):
                if transport is not None and not transport.is_closing():
                    transport.close()

    def _dial(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        client = self.up.source
        assert client is not None  # it began
        with socket.socket(self._proxy.family) as raw:
            _shrink(raw)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_connect(raw, self._proxy.target)
                await loop.create_connection(lambda: _Far(self), sock=raw.dup())
            except OSError:
                client.abort()  # as a refused connection would look: the server hung up

    def connected(self, server: asyncio.Transport) -> None:
        self.up.sink = self.down.source = server
        self.up.plan()


class _Side(asyncio.Protocol):
    """One socket of a connection."""

    def __init__(self, connection: _Connection, sends: _Pipe, receives: _Pipe) -> None:
        self._connection = connection
        self._sends = sends
        self._receives = receives

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # uvloop's is one, and is not derived from it
        stream.set_write_buffer_limits(_BUFFER_BYTES)
        self._begin(stream)

    def _begin(self, transport: asyncio.Transport) -> None:
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        self._sends.take(data)

    def eof_received(self) -> bool:
        self._sends.take(b"")
        return True  # the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:
        if not (self._sends.is_over and self._receives.is_over):
            self._sends.lose()

    def pause_writing(self) -> None:
        self._receives.block(True)

    def resume_writing(self) -> None:
        self._receives.block(False)


class _Near(_Side):
    """The client's."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection, connection.up, connection.down)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._connection.begin(transport)


class _Far(_Side):
    """The terminal's."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection, connection.down, connection.up)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._connection.connected(transport)


class Proxy:
    """All connections through one network to one server."""

    def __init__(self, target: tuple[str, int], conditions: NetworkConditions, seed: int) -> None:
        found = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)[0]
        self.family, self.target = found[0], found[4]
        self.conditions = conditions
        self.seed = seed
        self.agenda = Agenda()
        self._numbers = itertools.count()

    def accept(self) -> asyncio.Protocol:
        return _Near(_Connection(self, next(self._numbers)))


def _shrink(raw: socket.socket) -> None:
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        raw.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)


async def serve(target: tuple[str, int], conditions: NetworkConditions, seed: int) -> None:
    """Listen on a free port of the loopback until SIGTERM."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    proxy = Proxy(target, conditions, seed)
    with socket.socket() as listener:
        _shrink(listener)  # those that it accepts inherit it
        listener.bind(("127.0.0.1", 0))
        server = await loop.create_server(proxy.accept, sock=listener.dup(), backlog=_BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()
    proxy.agenda.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="a network on the loopback")
    parser.add_argument("target", metavar="HOST:PORT")
    parser.add_argument("--network", default="", metavar="TEXT", help="such as rtt=100ms,loss=1%%")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    conditions = parse(options.network).conditions if options.network else NetworkConditions()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve((host.strip("[]"), int(port)), conditions, options.seed))


if __name__ == "__main__":
    main()
