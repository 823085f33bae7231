"""The protocol of gotty, subprotocol ``webtty``, as a dialect: one character says what a text frame is.

Facts: sorenisanerd/gotty 1.7, ``webtty/message_types.go``, ``webtty/webtty.go``, ``server/handlers.go``.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.client.dialect import Ephemeral, Event
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.errors import Malformed, UnsupportedData

if TYPE_CHECKING:
    from collections.abc import Mapping

# Server to client.
_OUTPUT: Final = ord("1")
_PONG: Final = ord("2")
_TITLE: Final = ord("3")
_BUFFER: Final = ord("6")
_SETTINGS: Final = b"45"  # preferences, seconds to reconnect
# What it takes in one message, until it says otherwise; a longer one is cut or ends the connection.
_BUFFER_BYTES: Final = 1024

_encode = msgspec.json.Encoder().encode


class WebttyDialect(Ephemeral):
    """JSON first, which starts the shell; then bytes as base64, in both directions.

    Credentials, ``user:password``, go into the handshake and into the first frame, as gotty's page does it.
    """

    name = "gotty"
    path = "/ws"
    subprotocols = ("webtty",)

    def __init__(self) -> None:
        super().__init__()
        self._token = ""
        self._limit(_BUFFER_BYTES)

    def headers(self, token: str) -> Mapping[str, str]:
        self._token = token
        return {"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"} if token else {}

    def start(self, size: m.Size) -> tuple[Frame, ...]:
        hello = Frame(True, _encode({"Arguments": "", "AuthToken": self._token}))
        return (hello, Frame(True, b"4base64"), self.resize(size.cols, size.rows))

    def input(self, data: bytes) -> Frame:
        return Frame(True, b"1" + binascii.b2a_base64(data, newline=False))

    def resize(self, cols: int, rows: int) -> Frame:
        return Frame(True, b"3" + _encode({"columns": cols, "rows": rows}))

    def read(self, text: bool, payload: bytes) -> Event | None:
        kind = payload[0] if payload else -1
        if kind == _OUTPUT:
            try:
                return self.output(binascii.a2b_base64(payload[1:], strict_mode=True))
            except binascii.Error as error:
                raise Malformed(f"gotty's output is not base64: {error}") from error
        if kind == _TITLE:
            return self.joined()
        if kind == _PONG:
            return m.Pong()
        if kind == _BUFFER:
            try:
                self._limit(int(payload[1:]))
            except ValueError as error:
                raise Malformed(f"gotty's buffer size is no number: {payload[1:20]!r}") from error
            return None
        if kind >= 0 and kind in _SETTINGS:
            return None
        raise UnsupportedData(f"frame of kind {payload[:1]!r}; gotty sends 1 to 6")

    def _limit(self, buffer_bytes: int) -> None:
        """One byte of the buffer is the kind, four of it carry three of input."""
        self.input_limit_bytes = max(1, (buffer_bytes - 1) // 4 * 3)
