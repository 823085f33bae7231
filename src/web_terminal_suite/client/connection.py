"""One WebSocket to a terminal: dials, sends, receives, and stamps every frame the moment it arrives.

The only place on the client's side that names a WebSocket library. What the frames mean is the dialect's business.
Nothing here waits for more: no compression, TCP_NODELAY (picows sets it on every connection), no timers.

What was heard, and who waits for it, is in ``receiver``.
"""

from __future__ import annotations

import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import picows

from web_terminal_suite.client.address import Address, parse_address
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import Closed, Refused, TimedOut, Unreachable, Violated
from web_terminal_suite.client.marker import Markers, wrapped
from web_terminal_suite.client.receiver import ACKNOWLEDGE_EVERY_BYTES, Receiver, Reply
from web_terminal_suite.client.rest import rest
from web_terminal_suite.client.tls import client_context, connect_problem
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.errors import TheirError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from web_terminal_suite.client.dialect import Dialect, HttpRequest
    from web_terminal_suite.client.rest import Response

__all__ = ["ClientConnection", "CommandResult", "Reply", "connect"]

# A frame of ours holds at most a window of output; a peer may send its whole backlog in one.
_FRAME_LIMIT_BYTES: Final = 64 << 20
# Grows with what comes; a client of ten thousand sessions hears little from most.
_READ_BUFFER_BYTES: Final = 2 << 10
# One frame of input that is sent again.
_AGAIN_BYTES: Final = 64 << 10
# RFC 6455 section 7.1.5: what a connection without a close frame is said to have been closed with.
_ABNORMAL: Final = 1006
_NO_CODE: Final = 1005

# Looked up once, not for every frame.
_BINARY: Final = picows.WSMsgType.BINARY
_TEXT: Final = picows.WSMsgType.TEXT

_run_seeds = random.SystemRandom()


class CommandResult(NamedTuple):
    """What a command line printed, and how it ended."""

    output: bytes
    status: int
    sent_ns: int
    seen_ns: int


class _Arrivals(picows.WSListener):
    """Frames from picows: stamped, put together, handed on. Never raises, or picows would end the connection."""

    def __init__(self, connection: ClientConnection, clock: Callable[[], int]) -> None:
        self.connected = False
        self.close: tuple[int, str] | None = None
        self._connection = connection
        self._clock = clock
        self._parts: list[bytes] = []
        self._text = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.connected = True
        # The first frames may come with the handshake's answer, before ws_connect returns, and want an answer.
        self._connection._opened(transport, self._clock())

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        now_ns = self._clock()
        kind = frame.msg_type
        if frame.fin and not self._parts:
            if kind == _BINARY:
                self._connection._arrived(self, False, frame.get_payload_as_bytes(), now_ns)
                return
            if kind == _TEXT:
                self._connection._arrived(self, True, frame.get_payload_as_bytes(), now_ns)
                return
        if kind == picows.WSMsgType.CLOSE:
            self._closing(transport, frame.get_payload_as_bytes())
        elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
            self._fragment(frame, now_ns)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._connection._disconnected(self, *(self.close or (_ABNORMAL, "")))

    def pause_writing(self) -> None:
        self._connection._writable(False)

    def resume_writing(self) -> None:
        self._connection._writable(True)

    def _fragment(self, frame: picows.WSFrame, now_ns: int) -> None:
        if frame.msg_type != picows.WSMsgType.CONTINUATION:
            self._text = frame.msg_type == picows.WSMsgType.TEXT
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            payload, self._parts = b"".join(self._parts), []
            self._connection._arrived(self, self._text, payload, now_ns)

    def _closing(self, transport: picows.WSTransport, payload: bytes) -> None:
        # Read by hand: picows' enumeration of close codes ends below the codes that are an application's own.
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_CODE
        self.close = (code, payload[2:].decode(errors="replace"))
        transport.send_close(picows.WSCloseCode.OK)
        transport.disconnect()


class ClientConnection(Receiver):
    """A viewer of one session. Made by ``connect``."""

    def __init__(
        self,
        address: Address,
        dialect: Callable[[], Dialect],
        *,
        clock: Callable[[], int],
        timeout: float,
        acknowledge: bool,
        acknowledge_every: int,
        number_input: bool = True,
        source: str = "",
    ) -> None:
        super().__init__(dialect(), timeout, acknowledge, acknowledge_every)
        self.address = address
        self._source = source
        self._make_dialect = dialect
        self._clock = clock
        self._transport: picows.WSTransport | None = None
        self._arrivals: _Arrivals | None = None
        self._request = m.Attach()
        self._markers = Markers(_run_seeds)
        self._input_key = f"{_run_seeds.getrandbits(64):016x}" if number_input else None

    # --- opening and closing

    async def dial(self) -> None:
        """Open the WebSocket and wait until a session may be attached.

        Raises:
            Unreachable, Refused, Closed, TimedOut, Violated
        """
        self.dialect = self._make_dialect()
        self._end = None
        self._can_write = True
        await self._ask_before()
        arrivals = self._arrivals = _Arrivals(self, self._clock)
        headers = dict(self.dialect.headers(self.address.token))
        if self.dialect.subprotocols:
            headers["Sec-WebSocket-Protocol"] = ", ".join(self.dialect.subprotocols)
        try:
            await picows.ws_connect(
                lambda: arrivals,
                self.address.websocket(self.dialect.path),
                ssl_context=client_context() if self.address.secure else None,
                extra_headers=headers,
                websocket_handshake_timeout=self.timeout,
                max_frame_size=_FRAME_LIMIT_BYTES,
                read_buffer_init_size=_READ_BUFFER_BYTES,
                max_redirects=0,
                # Port 0: whichever is free at that address.
                local_addr=(self._source, 0) if self._source else None,
            )
        except picows.WSHandshakeError as error:
            status = int(error.response.status) if error.response is not None else 0
            raise Refused(status, "", (error.raw_body or b"").decode(errors="replace")[:500]) from error
        except TimeoutError as error:
            raise TimedOut("answer to the WebSocket handshake", self.timeout) from error
        except OSError as error:
            raise Unreachable(f"{self.address.authority}: {connect_problem(error)}") from error
        if not arrivals.connected:
            raise Unreachable(f"{self.address.authority} hung up during the WebSocket handshake")
        for frame in self.dialect.greeting(self.address.token):
            self._send(frame)
        await self._until(lambda: self.dialect.ready, "readiness", self.timeout)

    async def _ask_before(self) -> None:
        """The HTTP requests that the protocol needs first."""
        request = self.dialect.before(self.address.token)
        if request is None:
            return
        response = await self._ask(request)
        try:
            self.dialect.told(response.body)
        except TheirError as error:
            raise Violated(str(error)) from error

    async def _ask(self, request: HttpRequest) -> Response:
        async with rest(self.address, timeout=self.timeout, clock=self._clock) as http:
            return await http.ask(request)

    async def attach(
        self,
        session: str | None = None,
        *,
        spec: m.SessionSpec | None = None,
        cols: int = 80,
        rows: int = 24,
        resume_from: int | None = None,
        mode: m.Mode = "write",
        window: int | None = None,
        usage_interval: float | None = None,
        timeout: float | None = None,
    ) -> m.Attached:
        """Join ``session``, or make one after ``spec`` where it is ``None``.

        Raises:
            Refused: it cannot be done as asked, as ``resume_from`` beyond the output; the connection stays open.
            Closed: refused, with the code that says why.
            TimedOut, Violated
        """
        self.begin_attach(
            session,
            spec=spec,
            cols=cols,
            rows=rows,
            resume_from=resume_from,
            mode=mode,
            window=window,
            usage_interval=usage_interval,
        )
        return await self.wait_attached(timeout)

    def begin_attach(
        self,
        session: str | None = None,
        *,
        spec: m.SessionSpec | None = None,
        cols: int = 80,
        rows: int = 24,
        resume_from: int | None = None,
        mode: m.Mode = "write",
        window: int | None = None,
        usage_interval: float | None = None,
    ) -> int:
        """Send the request only, so that many can be on their way at once; the moment it was sent."""
        self._request = m.Attach(
            session=session,
            spec=spec,
            cols=cols,
            rows=rows,
            resume_from=resume_from,
            mode=mode,
            window=window,
            usage_interval=usage_interval,
            input_key=self._input_key if self.dialect.numbers_input and mode == "write" else None,
        )
        self._numbering = False
        if not self.dialect.spawns_on_connect:
            self.attached = None
        self.exit = None
        self._attaching, self._refusal = True, None
        moments = [self._send(frame) for frame in self.dialect.attach(self._request)]
        return moments[0] if moments else self._clock()

    async def reconnect(self, resume_from: int | None = None, *, send_again: bool = True) -> m.Attached:
        """Dial again and go on where output stopped, or from ``resume_from``. Unread output stays readable.

        Input that the server does not have is sent again, or with ``send_again=False`` kept as ``undelivered_input``.

        Raises:
            RuntimeError: never attached.
            Unreachable, Refused, Closed, TimedOut, Violated
        """
        if self.session is None:
            raise RuntimeError("nothing to resume: this connection was never attached")
        self.abort()
        await self.dial()
        self._holds_input = not send_again
        request = self._request
        return await self.attach(
            self.session,
            cols=request.cols,
            rows=request.rows,
            mode=request.mode,
            window=request.window,
            usage_interval=request.usage_interval,
            resume_from=self.offset if resume_from is None else resume_from,
        )

    async def close(self, *, destroy: bool = False, timeout: float | None = None) -> None:
        """Leave the session, or end it with ``destroy``; returns when the server has hung up.

        Raises:
            TimedOut: the server did not; the socket is closed regardless.
        """
        if self._transport is None:
            return
        try:
            if destroy and (request := self.dialect.after(self.address.token)) is not None:
                await self._ask(request)
            if self._end is None:
                frame = self.dialect.close(destroy)
                if frame is None:
                    self._transport.send_close(picows.WSCloseCode.OK)
                else:
                    self._send(frame)
            await self._until(lambda: self._end is not None, "close frame", timeout)
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the socket without a close frame, as a lost network does."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.disconnect(graceful=False)
        if self._end is None:
            self._finish(Closed(_ABNORMAL, "given up by this client"))

    # --- speaking

    def input(self, data: bytes) -> int:
        """Type ``data``; the moment its first byte was handed to the kernel's socket or the transport's buffer.

        Where the server acknowledges input, it is kept until the program's terminal took it, and sent again after
        ``reconnect``.

        Raises:
            RuntimeError: not connected, or 8 MiB are not acknowledged yet.
        """
        if self._holds_input:
            raise RuntimeError("undelivered input must be sent or dropped first")
        if self._numbering and data:
            self._open_transport()
            return self._send(self.dialect.numbered_input(data, self._sent_input.add(data)))
        limit = self.dialect.input_limit_bytes
        if limit and len(data) > limit:
            first_ns = self._send(self.dialect.input(data[:limit]))
            for at in range(limit, len(data), limit):
                self._send(self.dialect.input(data[at : at + limit]))
            return first_ns
        return self._send(self.dialect.input(data))

    def _send_again(self, offset: int) -> None:
        data = self._sent_input.again(offset)
        for at in range(0, len(data), _AGAIN_BYTES):
            self._send(self.dialect.numbered_input(data[at : at + _AGAIN_BYTES], offset + at))

    def command(self, line: str) -> int:
        if self._numbering:
            return self.input(line.encode() + b"\r")
        return self._send(self.dialect.command(line))

    def resize(self, cols: int, rows: int) -> None:
        self._send(self.dialect.resize(cols, rows))

    def signal(self, name: str) -> None:
        self._send(self.dialect.signal(name))

    def ack(self, offset: int | None = None) -> None:
        """Acknowledge what was taken, or everything before ``offset``."""
        self.acknowledged = self._taken if offset is None else offset
        frame = self.dialect.acknowledge(self.acknowledged)
        if frame is not None:
            self._send(frame)

    def send_echo(self, data: bytes) -> int:
        return self._send(self.dialect.echo(data))

    def send_frame(self, frame: Frame) -> int:
        """A frame as it is, past the dialect: for tests of what a server does with it."""
        return self._send(frame)

    def send_framed(self, frames: bytes) -> int:
        """Whole masked WebSocket frames made beforehand, in one write; the moment before.

        For callers that batch: ``send_frame`` writes one message a call. Both write at once while the transport holds
        nothing back, so neither overtakes the other.
        """
        transport = self._open_transport()
        sent_ns = self._clock()
        transport.underlying_transport.write(frames)
        return sent_ns

    def _send(self, frame: Frame) -> int:
        transport = self._open_transport()
        kind = _TEXT if frame.text else _BINARY
        sent_ns = self._clock()
        # picows masks into a buffer of its own on the client's side, so the payload need not be copied.
        transport.send(kind, frame.payload)
        return sent_ns

    def _open_transport(self) -> picows.WSTransport:
        if self._end is not None:
            raise self._end
        if self._transport is None:
            raise RuntimeError("not connected")
        return self._transport

    async def echo(self, data: bytes, timeout: float | None = None) -> tuple[int, Reply]:
        """One round trip: when it was sent, and the answer."""
        return await self._exchange(self.dialect.echo(data), timeout)

    async def ping(self, id: int = 0, timeout: float | None = None) -> tuple[int, Reply]:
        return await self._exchange(self.dialect.ping(id), timeout)

    async def run(self, line: str, timeout: float | None = None) -> CommandResult:
        """Run one command line in the session's POSIX shell and give what it printed, as the terminal sent it.

        Raises:
            ValueError: a newline in ``line``, or longer than a terminal's line.
            TimedOut, Closed, Violated
        """
        begin, end = self._markers.fresh(), self._markers.fresh()
        sent_ns = self.input(wrapped(line, begin, end).encode() + b"\r")
        await self.wait_for(begin.seen, timeout)
        found = await self.wait_for(end.seen, timeout, keep=True)
        status = await self.wait_for(b";", timeout, keep=True)
        return CommandResult(found.output, int(status.output), sent_ns, found.seen_ns)

    def pause_reading(self) -> None:
        """Stop reading the socket, as a page in a sleeping tab does."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()

    def _opened(self, transport: picows.WSTransport, now_ns: int) -> None:
        self._transport = transport
        joined = self.dialect.opened()
        if joined is not None:
            self._heard(joined, now_ns)

    def _arrived(self, arrivals: _Arrivals, text: bool, payload: bytes, now_ns: int) -> None:
        # Nothing reads what a connection says after it was given up.
        if arrivals is self._arrivals and self._end is None:
            self._receive(text, payload, now_ns)

    def _disconnected(self, arrivals: _Arrivals, code: int, reason: str) -> None:
        if arrivals is self._arrivals and self._end is None:
            self._finish(Closed(code, reason))


@asynccontextmanager
async def connect(
    url: str | Address,
    *,
    token: str = "",
    dialect: Callable[[], Dialect] = NativeDialect,
    timeout: float = 10.0,
    clock: Callable[[], int] = time.perf_counter_ns,
    acknowledge: bool = True,
    acknowledge_every: int = ACKNOWLEDGE_EVERY_BYTES,
    number_input: bool = True,
    source: str = "",
) -> AsyncIterator[ClientConnection]:
    """A connection to the server at ``url``, closed at the end of the block; the session lives on.

    ``timeout`` in seconds is the limit of every wait that names no other. ``clock`` stamps arrivals, in ns. With
    ``acknowledge`` output is acknowledged as it is read, once ``acknowledge_every`` bytes were (1: every frame; at most
    half a window). With ``number_input`` typed input is kept until the program's terminal took it, if the server
    acknowledges it, and ``reconnect`` sends the rest again. ``source`` is the local IP address to dial from: each has
    some 28,000 ports of its own.

    Raises:
        Unreachable, Refused, Closed, TimedOut, Violated
    """
    address = parse_address(url, token) if isinstance(url, str) else url
    connection = ClientConnection(
        address,
        dialect,
        clock=clock,
        timeout=timeout,
        acknowledge=acknowledge,
        acknowledge_every=acknowledge_every,
        number_input=number_input,
        source=source,
    )
    try:
        await connection.dial()
        yield connection
        if connection.closed is None:
            await connection.close()
    finally:
        connection.abort()
