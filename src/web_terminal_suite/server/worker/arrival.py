"""A connection until it is the WebSocket of a logged-in client: its heads, its HTTP requests, and a stranger's frames.

Everything that a connection may do before it has logged in is bounded here:

* One read takes at most ``READ_BYTES``. If there was more, the event loop turns before the next read.
* A head, and a whole request, have a size and a deadline. A request is given to HTTP when the one before is answered.
* A WebSocket that has not logged in may send ``STRANGER_BYTES``.
* Strangers are counted, see ``strangers``.

A client that exceeds a bound is told which one, by an HTTP status or a close code. Requests and frames are understood
elsewhere.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.server.network_address import network_of, peer_address
from web_terminal_suite.server.worker.handshake import admit
from web_terminal_suite.server.worker.request_head import (
    HEAD_END,
    HttpRefusal,
    RequestHead,
    check_beginning,
    parse_head,
)
from web_terminal_suite.server.worker.strangers import TOO_OFTEN
from web_terminal_suite.server.worker.turn import READ_BYTES
from web_terminal_suite.server.worker.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.http.http_connection import HttpConnection
    from web_terminal_suite.server.worker.proxies import RequestSource

# A login is a message of some hundred bytes; a client may send what follows it in the same packet.
STRANGER_BYTES = 8 * 1024
# A worker has one thread, and what was read is used before the next read, of any connection.
_BUFFER = memoryview(bytearray(READ_BYTES))
# How long a refused client may take to read why, and how much of what it still sends is discarded meanwhile; a socket
# closed with unread bytes is reset, and the reason may be lost (RFC 9112 section 9.6).
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 64 * 1024
# How long a worker that leaves waits for the request of a connection that it has accepted.
_LAST_REQUEST_SECONDS = 0.5
# As many may linger; others are closed at once.
_MAX_LINGERING = 256
# Of a connection with TLS this is kept undecrypted, and one more read of 64 KiB.
_TLS_HELD_BYTES = 16 * 1024
# What a request takes whose body is not whole: the parser, the application's task, a body of a login (measured).
_REQUEST_BYTES = 40 * 1024
_TOO_OFTEN_ANSWER = TOO_OFTEN.answer()


class _State(Enum):
    HEAD = auto()
    """The head of a request is not whole."""
    BODY = auto()
    """The head is with HTTP, the body is not whole."""
    ANSWER = auto()
    """The request is whole and not yet answered."""
    FRAMES = auto()
    """A WebSocket that has not logged in."""
    LEAVING = auto()
    """Refused."""


class Arrival(asyncio.BufferedProtocol):
    """The transport's protocol from the start to a login over a WebSocket, which then takes its place.

    Args:
        http: makes what answers requests; it is called with what to call at the end of each answer.
    """

    __slots__ = (
        "_body_left", "_body_waits", "_context", "_deadline", "_held", "_http", "_lingers", "_make_http", "_network",
        "_peer", "_state", "_stranger", "_stranger_bytes", "_transport", "_websocket", "_write_deadline",
    )  # fmt: skip

    lingering = 0
    """Refused connections of this process that are not yet closed."""

    def __init__(
        self,
        context: WorkerContext,
        http: Callable[[Callable[[], None]], HttpConnection],
    ) -> None:
        self._context = context
        self._make_http = http
        self._transport: Any = None
        self._network = self._peer = ""
        self._stranger = False
        self._state = _State.HEAD
        self._held = b""
        self._body_left: int | None = 0
        self._body_waits = False
        self._http: HttpConnection | None = None
        self._websocket: WebSocket | None = None
        self._stranger_bytes = 0
        self._lingers = False
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None

    # --- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._peer = peer_address(transport)
        self._network = network_of(self._peer)
        self._context.connections.all.add(self)
        if not transport.can_write_eof():  # type: ignore[attr-defined]  # of TLS, which reads on while we do not
            transport.set_read_buffer_limits(_TLS_HELD_BYTES)  # type: ignore[attr-defined]  # uvloop's
        shared = self._context.proxies.trusts(self._peer)
        # Of a connection with TLS it was asked before its handshake.
        if transport.can_write_eof() and not shared and self._dials_too_often():  # type: ignore[attr-defined]  # as above
            return
        self._stranger = True
        try:
            self._context.strangers.enter(self._network, self._context.loop.time(), shared=shared)
        except HttpRefusal as refused:
            self._refuse(refused)
        else:
            self._set_deadline()
            if self._context.leaving is not None:
                self.shutdown()

    def get_buffer(self, _size_hint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, count: int) -> None:
        if count == READ_BYTES:
            self._transport.pause_reading()
            self._context.loop.call_soon(self._read_on)
        self._receive(bytes(_BUFFER[:count]))

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        """The client does not read its answer: it has as long for it as for its request."""
        if self._websocket is not None:
            self._websocket.pause_writing()
        elif self._http is not None:
            self._http.pause_writing()
            seconds = self._context.settings.request_timeout
            self._write_deadline = self._context.loop.call_later(seconds, self._transport.abort)

    def resume_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        inner = self._websocket or self._http
        if inner is not None:
            inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        if self._lingers:
            Arrival.lingering -= 1
        self._hold(b"")
        self._wait_for_body(False)
        self._is_known()
        self._context.connections.all.discard(self)
        inner = self._websocket or self._http
        if inner is not None:
            inner.connection_lost(exc)

    def shutdown(self) -> None:
        """The worker stops or is replaced; a request that is on its way is still answered."""
        if self._state is _State.HEAD:
            self._cancel_deadline()
            self._deadline = self._context.loop.call_later(_LAST_REQUEST_SECONDS, self._transport.close)
        else:
            self._transport.close()

    # --- what was received

    def _receive(self, data: bytes) -> None:
        try:
            match self._state:
                case _State.HEAD:
                    self._receive_head(data)
                case _State.BODY:
                    self._receive_body(data)
                case _State.ANSWER:
                    self._receive_early(data)
                case _State.FRAMES:
                    self._receive_frames(data)
                case _State.LEAVING:
                    self._stranger_bytes += len(data)
        except HttpRefusal as refused:
            self._refuse(refused)

    def _receive_head(self, data: bytes) -> None:
        if self._deadline is None:
            self._set_deadline()
            if self._http is not None:
                self._http.await_head()
        held = self._held + data if self._held else data
        if held[0] in b"\r\n":
            held = held.lstrip(b"\r\n")  # RFC 9112 section 2.2
        end = held.find(HEAD_END)
        limit = self._context.settings.head_limit
        if (end if end >= 0 else len(held)) > limit:
            raise HttpRefusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request line and headers of over {limit} bytes"
            )
        if end < 0:
            self._hold(held)
            if held:
                check_beginning(held)
            return
        self._hold(b"")
        begin = end + len(HEAD_END)
        head = parse_head(held[: end + 2])
        source = self._context.proxies.source(self._peer, head)
        self._count_as(network_of(source.address))
        if head.wants_websocket:
            self._open_websocket(head, source, held[begin:])
        else:
            self._begin_request(head, source, held[:begin], held[begin:])

    def _begin_request(self, head: RequestHead, source: RequestSource, raw: bytes, rest: bytes) -> None:
        left = head.body_bytes
        if left is None or left > len(rest):
            self._wait_for_body(self._stranger)  # before anything is made for it
        if self._http is None:
            self._http = self._make_http(self._answered)
            self._http.connection_made(self._transport)
            self._context.connections.all.discard(self)  # it stands there itself, and may end its answer
        self._state = _State.BODY
        self._body_left = left
        # An upgrade to anything else is not taken up, and the parser would wait for it (RFC 9110 section 7.8).
        self._http.begin(head.without("upgrade") if head.one("upgrade") is not None else raw, source)
        if self._context.leaving is not None:
            self._http.shutdown()
        self._receive_body(rest)

    def _receive_body(self, data: bytes) -> None:
        http = self._http
        assert http is not None  # in this state
        left = self._body_left
        body = data if left is None else data[:left]
        if body:
            http.feed(body)
        if left is not None:
            self._body_left = left - len(body)
        if http.whole:
            self._wait_for_body(False)
            self._cancel_deadline()
            self._state = _State.ANSWER
            if len(data) > len(body):
                self._receive_early(data[len(body) :])
            if http.cycle.response_complete:
                self._next_request()

    def _receive_early(self, data: bytes) -> None:
        """Keep the next request until this one is answered, and read no more meanwhile."""
        self._hold(self._held + data)
        self._transport.pause_reading()

    def _answered(self) -> None:
        """The end of an answer. A little that is left of the request's body is still received, and discarded."""
        http = self._http
        if http is not None and http.logged_in:
            self._has_logged_in()
        if self._state is _State.ANSWER:
            self._next_request()
        elif self._state is _State.BODY and (self._body_left is None or self._body_left > _LINGER_BYTES):
            self._leave()

    def _next_request(self) -> None:
        self._state = _State.HEAD
        if self._transport.is_closing():
            return
        if self._held:
            self._context.loop.call_soon(self._receive_held)
        else:
            self._transport.resume_reading()

    def _receive_held(self) -> None:
        if self._state is _State.HEAD and not self._transport.is_closing():
            held = self._held
            self._hold(b"")
            self._receive(held)
            self._read_on()

    def _open_websocket(self, head: RequestHead, source: RequestSource, rest: bytes) -> None:
        admission = admit(self._context, head, source)
        self._cancel_deadline()
        self._context.connections.all.discard(self)
        if self._http is not None:
            self._http.abandon()
            self._http.connections.discard(self._http)
        self._websocket = WebSocket(self._context, admission)
        self._state = _State.FRAMES
        self._websocket.connection_made(self._transport)
        self._websocket.open(admission.key)
        self._receive_frames(rest)
        if self._context.leaving is not None:
            self._websocket.shutdown()

    def _receive_frames(self, data: bytes) -> None:
        websocket = self._websocket
        assert websocket is not None  # in this state
        connection = websocket.connection
        self._stranger_bytes += len(data)
        if connection.has_logged_in:
            self._log_in(websocket)
        websocket.data_received(data)
        if connection.has_logged_in:
            self._log_in(websocket)
        elif self._stranger_bytes > STRANGER_BYTES:
            connection.refuse(
                TheirError(ErrorCode.RATE_LIMIT, f"more than {STRANGER_BYTES} bytes before authentication")
            )
            self._transport.pause_reading()  # it is aborted when it has had time to read why

    def _log_in(self, websocket: WebSocket) -> None:
        if self._stranger:
            self._has_logged_in()
            self._transport.set_protocol(websocket)

    # --- bounds

    def _read_on(self) -> None:
        """The loop has turned."""
        if self._websocket is not None:
            if self._websocket.connection.has_logged_in or self._stranger_bytes <= STRANGER_BYTES:
                self._websocket.read_on()
        elif self._state is _State.LEAVING:
            if self._stranger_bytes <= _LINGER_BYTES:
                self._transport.resume_reading()
        elif (self._state is not _State.ANSWER or not self._held) and (self._http is None or self._http.reads):
            self._transport.resume_reading()

    def _hold(self, held: bytes) -> None:
        more = len(held) - len(self._held)
        self._held = held
        if more:
            self._context.strangers.hold(more)

    def _wait_for_body(self, waits: bool) -> None:
        if waits != self._body_waits:
            self._body_waits = waits
            self._context.strangers.hold(_REQUEST_BYTES if waits else -_REQUEST_BYTES)

    def _count_as(self, network: str) -> None:
        """It is of this network: a proxy sends requests of several clients."""
        if network != self._network:
            if self._stranger:
                self._context.strangers.leave(self._network)
            self._network = network
            if self._stranger:
                self._context.strangers.enter(network, self._context.loop.time())

    def _dials_too_often(self) -> bool:
        """Whether the connection is closed again for it. That must cost little, so there is no time to read why."""
        now = self._context.loop.time()
        if not self._context.strangers.dials_too_often(self._network, now):
            return False
        self._state = _State.LEAVING
        self._context.strangers.note(TOO_OFTEN, self._network, now)
        self._transport.write(_TOO_OFTEN_ANSWER)
        self._transport.close()
        return True

    def _has_logged_in(self) -> None:
        if self._stranger:
            self._context.strangers.has_logged_in(self._network, self._context.loop.time())
        self._is_known()

    def _is_known(self) -> None:
        """It counts as a stranger no longer."""
        if self._stranger:
            self._stranger = False
            self._context.strangers.leave(self._network)

    def _set_deadline(self) -> None:
        self._deadline = self._context.loop.call_later(self._context.settings.request_timeout, self._is_late)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_late(self) -> None:
        seconds = self._context.settings.request_timeout
        self._refuse(HttpRefusal(HTTPStatus.REQUEST_TIMEOUT, f"no whole request within {seconds:g} s"))

    def _refuse(self, refused: HttpRefusal) -> None:
        """Answer, where no other answer has begun, and close when the client has had time to read it."""
        if self._transport.is_closing():
            return
        if refused.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            self._context.strangers.note(refused, self._network, self._context.loop.time())
        self._cancel_deadline()
        self._hold(b"")
        self._is_known()  # lingering has a limit of its own
        http = self._http
        answer = refused.answer()
        if http is not None:
            if http.answering or (self._state is _State.BODY and http.cycle.response_complete):
                answer = b""
            http.abandon()
        self._transport.write(answer)
        self._leave()

    def _leave(self) -> None:
        """Close when the client has had time to read what it was told."""
        if self._transport.is_closing():
            return
        self._cancel_deadline()
        self._wait_for_body(False)
        self._state = _State.LEAVING
        self._stranger_bytes = 0
        if Arrival.lingering >= _MAX_LINGERING:
            self._transport.close()
            return
        Arrival.lingering += 1
        self._lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
            end = self._transport.abort
        else:  # TLS has no end of one direction; the answer says that it is the last one
            end = self._transport.close
        self._deadline = self._context.loop.call_later(_LINGER_SECONDS, end)
