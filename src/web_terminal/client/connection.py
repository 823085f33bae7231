"""One WebSocket to a terminal: dials, sends, receives, and stamps every frame the moment it arrives.

The only place on the client's side that names a WebSocket library. What the frames mean is the dialect's business.
Nothing here waits for more: no compression, TCP_NODELAY (picows sets it on every connection), no timers.

One task reads a connection's output. Everything that waits has a time limit.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import picows

from web_terminal.client.address import Address, parse_address
from web_terminal.client.errors import ClientError, Closed, Refused, TimedOut, Unreachable, Violated
from web_terminal.client.marker import Markers, wrapped
from web_terminal.client.native import Native
from web_terminal.client.search import Chunk, Found, Search
from web_terminal.protocol import messages as m
from web_terminal.protocol.codec import EchoBytes, Frame, OutputBytes
from web_terminal.protocol.errors import TheirError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from web_terminal.client.dialect import Dialect, Event

_M = TypeVar("_M", bound="m.ServerMessage")

# A frame of ours holds at most a window of output; a peer may send its whole backlog in one.
_FRAME_LIMIT_BYTES: Final = 64 << 20
# An acknowledgement every so many bytes: rare enough to cost nothing, and a quarter of the default window.
ACKNOWLEDGE_EVERY_BYTES: Final = 32 << 10
# Output nobody has read. Beyond it the socket is not read either, so that a wire without credit is held up by TCP.
UNREAD_LIMIT_BYTES: Final = 8 << 20
# Messages nobody has asked for; the oldest are forgotten.
_MESSAGES_KEPT: Final = 256
# RFC 6455 section 7.1.5: what a connection without a close frame is said to have been closed with.
_ABNORMAL: Final = 1006
_NO_CODE: Final = 1005

_run_seeds = random.SystemRandom()


class Reply(NamedTuple):
    """An answer to ``echo`` or ``ping``."""

    seen_ns: int
    event: EchoBytes | m.Pong


class Result(NamedTuple):
    """What a command line printed, and how it ended."""

    output: bytes
    status: int
    sent_ns: int
    seen_ns: int


class _Arrivals(picows.WSListener):
    """Frames from picows: stamped, put together, handed on. Never raises, or picows would end the connection."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self.connected = False
        self.close: tuple[int, str] | None = None
        self._connection = connection
        self._clock = clock
        self._parts: list[bytes] = []
        self._text = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.connected = True
        # The first frames may come with the handshake's answer, before ws_connect returns, and want an answer.
        self._connection._transport = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        now_ns = self._clock()
        kind = frame.msg_type
        if frame.fin and not self._parts:
            if kind == picows.WSMsgType.BINARY:
                self._connection._arrived(self, False, frame.get_payload_as_bytes(), now_ns)
                return
            if kind == picows.WSMsgType.TEXT:
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


class Connection:
    """A viewer of one session. Made by ``connect``.

    ``offset`` is the absolute offset behind the last byte received, ``session`` the id once attached, ``exit`` what the
    shell ended with. ``gaps`` are the bytes the server said it could not send.
    """

    def __init__(
        self,
        address: Address,
        dialect: Callable[[], Dialect],
        *,
        clock: Callable[[], int],
        timeout: float,
        acknowledge: bool,
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.session: m.SessionId | None = None
        self.attached: m.Attached | None = None
        self.exit: m.ProcessExited | None = None
        self.status: m.ConnectionStatus | None = None
        self.gaps: list[m.Gap] = []
        self.offset = 0
        self.acknowledged = 0
        self.received_frames = 0
        self.received_bytes = 0
        self._make_dialect = dialect
        self.dialect = dialect()
        self._clock = clock
        self._acknowledge = acknowledge
        self._acknowledge_every = ACKNOWLEDGE_EVERY_BYTES
        self._taken = 0
        self._transport: picows.WSTransport | None = None
        self._arrivals: _Arrivals | None = None
        self._request = m.Attach()
        self._unread: deque[Chunk] = deque()
        self._unread_bytes = 0
        self._held_up = False
        self._can_write = True
        self._search: Search | None = None
        self._replies: deque[Reply] = deque()
        self._messages: deque[tuple[int, m.ServerMessage]] = deque(maxlen=_MESSAGES_KEPT)
        self._end: ClientError | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._markers = Markers(_run_seeds)

    # --- opening and closing

    async def dial(self) -> None:
        """Open the WebSocket and wait until a session may be attached.

        Raises:
            Unreachable, Refused, Closed, TimedOut, Violated
        """
        self.dialect = self._make_dialect()
        self._end = None
        self._can_write = True
        arrivals = self._arrivals = _Arrivals(self, self._clock)
        headers = dict(self.dialect.headers(self.address.token))
        headers["Sec-WebSocket-Protocol"] = ", ".join(self.dialect.subprotocols)
        try:
            transport, _ = await picows.ws_connect(
                lambda: arrivals,
                self.address.websocket(self.dialect.path),
                extra_headers=headers,
                websocket_handshake_timeout=self.timeout,
                max_frame_size=_FRAME_LIMIT_BYTES,
                max_redirects=0,
            )
        except picows.WSHandshakeError as error:
            status = int(error.response.status) if error.response is not None else 0
            raise Refused(status, "", (error.raw_body or b"").decode(errors="replace")[:500]) from error
        except TimeoutError as error:
            raise TimedOut("answer to the WebSocket handshake", self.timeout) from error
        except OSError as error:
            raise Unreachable(f"{self.address.authority}: {error.strerror or error}") from error
        if not arrivals.connected:
            raise Unreachable(f"{self.address.authority} hung up during the WebSocket handshake")
        self._transport = transport
        for frame in self.dialect.greeting(self.address.token):
            self._send(frame)
        await self._until(lambda: self.dialect.ready, "readiness", self.timeout)

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
        )
        self.attached = None
        self.exit = None
        moments = [self._send(frame) for frame in self.dialect.attach(self._request)]
        return moments[0] if moments else self._clock()

    async def wait_attached(self, timeout: float | None = None) -> m.Attached:
        await self._until(lambda: self.attached is not None, "answer to attach", timeout)
        assert self.attached is not None  # the condition just waited for
        return self.attached

    async def reconnect(self, resume_from: int | None = None) -> m.Attached:
        """Dial again and go on where output stopped, or from ``resume_from``. Unread output stays readable.

        Raises:
            RuntimeError: never attached.
            Unreachable, Refused, Closed, TimedOut, Violated
        """
        if self.session is None:
            raise RuntimeError("nothing to resume: this connection was never attached")
        self.abort()
        await self.dial()
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
        """Drop the socket without a word, as a lost network does."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.disconnect(graceful=False)
        if self._end is None:
            self._finish(Closed(_ABNORMAL, "given up by this client"))

    @property
    def closed(self) -> ClientError | None:
        """Why the connection ended, or ``None`` while it lives."""
        return self._end

    # --- speaking

    def input(self, data: bytes) -> int:
        """Type ``data``; the moment it was handed to the kernel's socket or the transport's buffer."""
        return self._send(self.dialect.input(data))

    def command(self, line: str) -> int:
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

    def send_ping(self, id: int = 0) -> int:
        return self._send(self.dialect.ping(id))

    def send_frame(self, frame: Frame) -> int:
        """A frame as it is, past the dialect: for tests of what a server does with it."""
        return self._send(frame)

    async def drain(self, timeout: float | None = None) -> None:
        """Wait until what was sent has left this process's buffer, down to the transport's low-water mark."""
        await self._until(lambda: self._can_write, "room in the send buffer", timeout)

    def _send(self, frame: Frame) -> int:
        if self._end is not None:
            raise self._end
        if self._transport is None:
            raise RuntimeError("not connected")
        sent_ns = self._clock()
        # picows masks into a buffer of its own on the client's side, so the payload may be anybody's.
        self._transport.send(picows.WSMsgType.TEXT if frame.text else picows.WSMsgType.BINARY, frame.payload)
        return sent_ns

    # --- listening

    async def echo(self, data: bytes, timeout: float | None = None) -> tuple[int, Reply]:
        """One round trip: when it was sent, and the answer."""
        sent_ns = self.send_echo(data)
        return sent_ns, (await self.replies(1, timeout))[0]

    async def ping(self, id: int = 0, timeout: float | None = None) -> tuple[int, Reply]:
        sent_ns = self.send_ping(id)
        return sent_ns, (await self.replies(1, timeout))[0]

    async def replies(self, count: int, timeout: float | None = None) -> list[Reply]:
        """The next ``count`` answers to ``echo`` and ``ping``, in the order they came."""
        await self._until(lambda: len(self._replies) >= count, "answer to echo or ping", timeout)
        return [self._replies.popleft() for _ in range(count)]

    async def message(self, kind: type[_M], timeout: float | None = None) -> tuple[int, _M]:
        """The next message of a kind, kept or still to come, and its arrival. For all but output and replies."""
        found: list[tuple[int, _M]] = []

        def take() -> bool:
            for at, (seen_ns, message) in enumerate(self._messages):
                if isinstance(message, kind):
                    del self._messages[at]
                    found.append((seen_ns, message))
                    return True
            return False

        await self._until(take, f"message {m.kind_of(kind)!r}", timeout)
        return found[0]

    async def read(self, timeout: float | None = None) -> Chunk | None:
        """The next piece of output, or ``None`` after the last one: the shell ended or the server hung up politely."""
        await self._until(lambda: bool(self._unread) or self._over(), "output", timeout)
        if not self._unread:
            return None
        chunk = self._unread.popleft()
        self._unread_bytes -= len(chunk.data)
        self._took(chunk.end)
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Output, piece by piece, to its end; waits for each piece without a limit."""
        while (chunk := await self.read(float("inf"))) is not None:
            yield chunk.data

    async def wait_for(self, marker: bytes, timeout: float | None = None, *, keep: bool = False) -> Found:
        """Read up to ``marker``, wherever chunks are cut; what is behind it stays unread.

        Raises:
            TimedOut: what was read meanwhile is gone.
            Closed, Violated
        """
        if not marker:
            raise ValueError("an empty marker is everywhere")
        search = Search(marker, keep)
        await self._look(search, lambda: search.found is not None, "marker in the output", timeout)
        assert search.found is not None  # the condition just waited for
        return search.found

    async def wait_exit(self, timeout: float | None = None) -> m.ProcessExited:
        """Swallow output until the shell ends."""
        await self._look(Search(b""), lambda: self.exit is not None, "end of the shell", timeout)
        assert self.exit is not None  # the condition just waited for
        return self.exit

    async def run(self, line: str, timeout: float | None = None) -> Result:
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
        return Result(found.output, int(status.output), sent_ns, found.seen_ns)

    def pause_reading(self) -> None:
        """Stop reading the socket, as a page in a sleeping tab does."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()

    async def _look(self, search: Search, settled: Callable[[], bool], what: str, timeout: float | None) -> None:
        if self._search is not None:
            raise RuntimeError("another task reads this connection's output")
        while self._unread and search.found is None:
            chunk = self._unread.popleft()
            self._unread_bytes -= len(chunk.data)
            self._feed(search, chunk)
        self._search = search if search.found is None else None
        try:
            await self._until(settled, what, timeout)
        finally:
            self._search = None

    def _feed(self, search: Search, chunk: Chunk) -> None:
        rest = search.feed(chunk)
        if rest is not None:
            self._unread.appendleft(rest)
            self._unread_bytes += len(rest.data)
        self._took(chunk.end if rest is None else rest.offset)

    def _over(self) -> bool:
        return self.exit is not None or (isinstance(self._end, Closed) and self._end.code == 1000)

    async def _until(self, settled: Callable[[], bool], what: str, timeout: float | None) -> None:
        if settled():
            return
        limit = self.timeout if timeout is None else timeout
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit if limit != float("inf") else None):
                while not settled():
                    if self._end is not None:
                        raise self._end
                    waiter = loop.create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError as error:
            raise TimedOut(what, limit) from error

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # --- what arrives

    def _arrived(self, arrivals: _Arrivals, text: bool, payload: bytes, now_ns: int) -> None:
        if arrivals is not self._arrivals or self._end is not None:
            return  # the last words of a connection that was given up
        self.received_frames += 1
        self.received_bytes += len(payload)
        try:
            event = self.dialect.read(text, payload)
            if event is None:
                return
            if isinstance(event, OutputBytes):
                self._output(Chunk(now_ns, event.offset, event.data))
            elif isinstance(event, EchoBytes | m.Pong):
                self._replies.append(Reply(now_ns, event))
                self._wake()
            else:
                self._heard(event, now_ns)
                self._wake()
        except (TheirError, Violated) as error:
            self._finish(Violated(str(error)))
            self.abort()

    def _output(self, chunk: Chunk) -> None:
        if chunk.offset != self.offset:
            raise Violated(f"output goes on at offset {chunk.offset}, expected {self.offset}, and no gap was announced")
        self.offset = chunk.end
        search = self._search
        if search is None or search.found is not None:
            self._unread.append(chunk)
            self._unread_bytes += len(chunk.data)
            if self._unread_bytes > UNREAD_LIMIT_BYTES and not self._held_up:
                self._held_up = True
                self.pause_reading()
            if search is None:
                self._wake()
            return
        self._feed(search, chunk)
        if search.found is not None:
            self._wake()

    def _took(self, offset: int) -> None:
        self._taken = offset
        if self._held_up and self._unread_bytes < UNREAD_LIMIT_BYTES // 2:
            self._held_up = False
            self.resume_reading()
        if self._acknowledge and offset - self.acknowledged >= self._acknowledge_every and self._end is None:
            self.ack()

    def _heard(self, event: Event, now_ns: int) -> None:
        if isinstance(event, m.Attached):
            self._joined(event)
        elif isinstance(event, m.Gap):
            self.gaps.append(event)
            self.offset = max(self.offset, event.end)
            if not self._unread:
                self._taken = max(self._taken, event.end)
        elif isinstance(event, m.ProcessExited):
            self.exit = event
        elif isinstance(event, m.ConnectionStatus):
            self.status = event
        elif isinstance(event, m.FlowControl):
            self._hurry(event)
        if not isinstance(event, OutputBytes | EchoBytes):
            self._messages.append((now_ns, event))
        for frame in self.dialect.answer(event):
            self._send(frame)

    def _hurry(self, event: m.FlowControl) -> None:
        # The program waits for us: say at once how far we are, however little that is.
        waiting = event.direction == "output" and event.state == "paused"
        if waiting and self._acknowledge and self._taken > self.acknowledged:
            self.ack()

    def _joined(self, event: m.Attached) -> None:
        if event.session != self.session:
            self._unread.clear()
            self._unread_bytes = 0
        self.attached = event
        self.session = m.SessionId(event.session)
        self.offset = self._taken = self.acknowledged = event.offset
        # Half a window always stays free, so the window cannot fill up while an acknowledgement is still held back.
        self._acknowledge_every = max(1, min(ACKNOWLEDGE_EVERY_BYTES, event.window // 2))

    def _writable(self, can_write: bool) -> None:
        self._can_write = can_write
        self._wake()

    def _disconnected(self, arrivals: _Arrivals, code: int, reason: str) -> None:
        if arrivals is self._arrivals and self._end is None:
            self._finish(Closed(code, reason))

    def _finish(self, end: ClientError) -> None:
        self._end = end
        self._wake()


@asynccontextmanager
async def connect(
    url: str | Address,
    *,
    token: str = "",
    dialect: Callable[[], Dialect] = Native,
    timeout: float = 10.0,
    clock: Callable[[], int] = time.perf_counter_ns,
    acknowledge: bool = True,
) -> AsyncIterator[Connection]:
    """A connection to the server at ``url``, closed at the end of the block; the session lives on.

    ``timeout`` in seconds is the limit of every wait that names no other. ``clock`` stamps arrivals, in ns. With
    ``acknowledge`` output is acknowledged as it is read.

    Raises:
        Unreachable, Refused, Closed, TimedOut, Violated
    """
    address = parse_address(url, token) if isinstance(url, str) else url
    connection = Connection(address, dialect, clock=clock, timeout=timeout, acknowledge=acknowledge)
    try:
        await connection.dial()
        yield connection
        if connection.closed is None:
            await connection.close()
    finally:
        connection.abort()
