"""picows' protocol on a connection whose handshake was accepted, with at most one full read in a turn of the loop.

picows is used below its public surface, which ``tests/server/worker/test_contract.py`` names and which is why its
minor version is pinned. It is told of the handshake in a form of ours; what a client sent as a head it never sees.
"""

from __future__ import annotations

import logging
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from picows import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal_suite.server.worker import outbox

if TYPE_CHECKING:
    from picows import WSTransport, WSUpgradeRequest

    from web_terminal_suite.server.worker.connection import ServerConnection
    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.handshake import Admission

# picows would make a Logger for each connection, and logs its client's faults as errors of ours.
_picows_log = logging.LoggerAdapter(logging.getLogger("web_terminal_suite.picows"), {})
_picows_log.logger.setLevel(logging.CRITICAL)

# Between two reads of a client that goes on sending after the end.
_DISCARD_SECONDS = 0.01


class WebSocket(WSProtocol):  # type: ignore[misc]  # compiled, not in the stubs
    """One WebSocket; ``connection`` gets its frames."""

    __slots__ = ("_context", "connection")

    def __init__(self, context: WorkerContext, admission: Admission) -> None:
        self._context = context
        self.connection: ServerConnection = admission.connection

        def answer(_request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
            response = _Answer(admission.subprotocol, self.transport, admission.connection)
            return WSUpgradeResponseWithListener(response, admission.connection)

        super().__init__(
            None,  # host_port and ws_path are a client's
            None,
            False,  # is_client_side
            answer,
            _picows_log,
            True,  # disconnect_on_exception
            None,  # handshake timeout: the request was read whole before it came here
            False,  # auto ping: dead peers are the kernel's to find (TCP keep-alive), at no cost while idle
            3600,
            3600,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # auto pong: a connection answers pings itself, with regard to what waits already
            context.settings.message_limit,
            None,  # extra headers
            2048,  # read buffer; it grows
        )

    # A read is bounded, and `filled` is called when it was as large as it may be.
    get_buffer = outbox.get_buffer
    buffer_updated = outbox.buffer_updated

    def connection_made(self, transport: Any) -> None:
        self._context.connections.enter(self)
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            transport = _UnixTransport(transport)
        super().connection_made(transport)

    def open(self, key: str) -> None:
        """Answer the handshake of the client that sent ``key``, and greet it."""
        head = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        self.data_received(f"{head}Sec-WebSocket-Key: {key}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Bytes that were read before this was the transport's protocol."""
        while data:
            room = WSProtocol.get_buffer(self, len(data))
            count = min(len(room), len(data))
            room[:count] = data[:count]
            WSProtocol.buffer_updated(self, count)
            data = data[count:]

    def filled(self) -> None:
        """A read was full: there may be more, and the loop turns first."""
        self.transport.underlying_transport.pause_reading()
        self._context.loop.call_soon(self.read_on)

    def read_on(self) -> None:
        """The loop has turned. After our close frame all but the client's is discarded, so there is no hurry."""
        if self.transport.is_close_frame_sent and not self.connection.takes_late_input:
            self._context.loop.call_later(_DISCARD_SECONDS, self.transport.underlying_transport.resume_reading)
        elif self.connection.may_read:
            self.transport.underlying_transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._context.connections.leave(self)
        super().connection_lost(exc)

    def tell_drain(self) -> None:
        """The server begins to drain."""
        self.connection.tell_drain()

    def shutdown(self) -> None:
        """The worker stops or is replaced."""
        if self._context.leaving is not None:
            reason = "the server stops" if self._context.stopping else "reconnect and resume"
            self.connection.close(self._context.leaving, reason)


class _UnixTransport:
    """A transport over a Unix socket as picows needs it.

    picows sets options of TCP on any socket. Where that fails, it has no transport, and ends the process with SIGSEGV
    when the connection is lost.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        found = self._transport.get_extra_info(name, default)
        return _WithoutTcp(found) if name == "socket" else found


class _WithoutTcp:
    """A socket on which options of TCP have no effect."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if level != socket.IPPROTO_TCP:
            self._sock.setsockopt(level, option, value)

    def getsockopt(self, level: int, option: int) -> int:
        return 0 if level == socket.IPPROTO_TCP else int(self._sock.getsockopt(level, option))


class _Answer(WSUpgradeResponse):
    """The answer to an accepted handshake. ``ServerConnection`` sends its bytes together with the greeting."""

    status = HTTPStatus.SWITCHING_PROTOCOLS

    def __init__(self, subprotocol: str, transport: WSTransport, connection: ServerConnection) -> None:
        self.headers = {}  # type: ignore[assignment]  # picows sets one, and needs no more than that
        self._subprotocol = subprotocol
        self._transport: WSTransport | None = transport
        self._connection: ServerConnection | None = connection

    def to_bytes(self) -> bytearray:
        headers = {"Connection": "upgrade", "Upgrade": "websocket", **self.headers}
        if self._subprotocol:
            headers["Sec-WebSocket-Protocol"] = self._subprotocol
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        assert self._connection is not None  # picows asks once
        assert self._transport is not None
        self._connection.gather(self._transport, f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
        self._connection = self._transport = None  # its transport keeps the answer
        return bytearray()
