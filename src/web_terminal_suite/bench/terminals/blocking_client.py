"""An independent client for the calibration: a blocking socket, frames put together by hand, clock reads of its own.

It makes the same exchanges with the same server as the suite's client and shares nothing with it that could share an
error: no event loop, no WebSocket library, no code that stamps. What both see alike is the machine's; what only one
sees is that client's own.
"""

from __future__ import annotations

import base64
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.terminals.delays import CONFESS, COUNT
from web_terminal_suite.client.errors import ClientError, Closed, TimedOut, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.client.address import Address

# RFC 6455 section 5.2: a final frame of binary data, and the bit that says that a mask follows.
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_HEAD_BYTES: Final = 2
# The mask must be there and may be anything; with zeros the payload stays as it is.
_MASK: Final = bytes(4)
# The kinds of binary frames, docs/protocol.md.
_INPUT: Final = b"\x02"
_ECHO: Final = b"\x03"
_READ_BYTES: Final = 1 << 16
_ABNORMAL: Final = 1006


class BlockingExchange(NamedTuple):
    """When a request was handed to the socket and when its answer had been read; ns of ``CLOCK_MONOTONIC``."""

    sent_ns: int
    seen_ns: int


class BlockingClient:
    """One WebSocket to a null server or reference server. Made by ``blocking_client``.

    All of it raises ``Closed`` or ``TimedOut``, and blocks the whole process meanwhile.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def echo(self, data: bytes) -> BlockingExchange:
        """``data`` there and back; at most 124 bytes."""
        return self._exchange(_ECHO + data, data)[0]

    def type(self, line: bytes, wanted: bytes) -> BlockingExchange:
        """``line`` typed until ``wanted`` was printed; at most 124 bytes."""
        return self._exchange(_INPUT + line, wanted)[0]

    def moments(self) -> tuple[int, int]:
        """When the last request of this connection had come to the server, and when its answer went."""
        came, answered = self._ask(CONFESS).split()
        return int(came), int(answered)

    def count(self) -> int:
        """How many requests the server has answered on all its connections."""
        return int(self._ask(COUNT))

    def _ask(self, question: bytes) -> bytes:
        answer = self._exchange(_ECHO + question, b"")[1]
        # A short frame: two bytes of head, the second of which is the length, then the kind.
        try:
            while len(answer) < _HEAD_BYTES or len(answer) < _HEAD_BYTES + answer[1]:
                answer += _received(self._connection)
        except OSError as error:
            raise _translated(error) from error
        return answer[_HEAD_BYTES + len(_ECHO) :]

    def _exchange(self, payload: bytes, wanted: bytes) -> tuple[BlockingExchange, bytes]:
        frame = bytes((_BINARY, _MASKED | len(payload))) + _MASK + payload
        try:
            sent_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            self._connection.sendall(frame)
            answer = _received(self._connection)
            while wanted not in answer:
                answer += _received(self._connection)
            seen_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        except OSError as error:
            raise _translated(error) from error
        return BlockingExchange(sent_ns, seen_ns), answer


@contextmanager
def blocking_client(address: Address, timeout: float) -> Iterator[BlockingClient]:
    """A connection of the independent client.

    Raises:
        Unreachable, Closed, TimedOut
    """
    key = base64.b64encode(os.urandom(16)).decode()
    try:
        connection = socket.create_connection((address.host, address.port), timeout)
    except OSError as error:
        raise Unreachable(f"{address.authority}: {error.strerror or error}") from error
    with connection:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(
                f"GET {address.base}/ws HTTP/1.1\r\nHost: {address.authority}\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: web-terminal.v1\r\n\r\n".encode()
            )
            greeting = b""
            while b'"authenticated"' not in greeting:
                greeting += _received(connection)
        except OSError as error:
            raise _translated(error) from error
        yield BlockingClient(connection)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(_READ_BYTES)
    if not data:
        raise ConnectionResetError
    return data


def _translated(error: OSError) -> ClientError:
    if isinstance(error, TimeoutError):
        return TimedOut("answer to the independent client", 0.0)
    return Closed(_ABNORMAL, "the server hung up on the independent client")
