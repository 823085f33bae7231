"""A new connection before its first bytes show what it is: HTTP, or a WebSocket.

An upgrade that arrives in one piece, as they all do, goes to the WebSocket at once; uvicorn would parse it, put it
together again and hand it over. Everything else is uvicorn's, a WebSocket in pieces too.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# picows takes no longer head.
_HEAD_BYTES = 16 * 1024
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r\n]*\bupgrade\b", re.IGNORECASE)


def asks_for_websocket(data: bytes) -> bool:
    """Whether ``data`` begins with a whole request that asks for a WebSocket (RFC 6455 section 4.2.1)."""
    end = data.find(b"\r\n\r\n", 0, _HEAD_BYTES)
    if end < 0 or not data.startswith(b"GET "):
        return False
    # A line ends with the two bytes that the next one is found by.
    return _UPGRADE.search(data, 0, end + 2) is not None and _CONNECTION.search(data, 0, end + 2) is not None


class ProtocolSniffer(asyncio.Protocol):
    """Makes what the first bytes ask for, and gives it the transport and these bytes.

    Args:
        connections: what is open on the port; this one is in it until something else takes its place.
        http: makes uvicorn's protocol.
        websocket: makes ours.
        accepted: called for each connection.
    """

    __slots__ = ("_accepted", "_connections", "_http", "_transport", "_websocket")

    def __init__(
        self,
        connections: set[Any],
        http: Callable[[], asyncio.Protocol],
        websocket: Callable[[], asyncio.Protocol],
        accepted: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._http = http
        self._websocket = websocket
        self._accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections.add(self)
        self._accepted()

    def data_received(self, data: bytes) -> None:
        protocol = self._websocket() if asks_for_websocket(data) else self._http()
        self._connections.discard(self)
        protocol.connection_made(self._transport)
        self._transport.set_protocol(protocol)
        protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """The worker stops or is replaced."""
        self._transport.close()
