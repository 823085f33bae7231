"""The protocol of wetty as a dialect: events of socket.io 4 over one WebSocket.

Facts: wetty 3.2.0, ``build/server/socketServer``, ``spawn``, ``flowcontrol``; socket.io-protocol 5 and
engine.io-protocol 4. A WebSocket from the start, as a browser has after its upgrade.
"""

from __future__ import annotations

from typing import Final

import msgspec

from web_terminal_suite.client.dialect import Ephemeral, Event
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.errors import InvalidText, Malformed, UnsupportedData

# Characters from one acknowledgement to the next; the server stops beyond eight times as many.
COMMIT_CHARACTERS: Final = 262_144

_CONNECT: Final = Frame(True, b"40")
_PONG: Final = Frame(True, b"3")
_EVENT: Final = b"42"
_decode = msgspec.json.Decoder(list[object]).decode
_encode = msgspec.json.Encoder().encode


class WettyDialect(Ephemeral):
    """The namespace's connection starts the shell, and ``login`` says so."""

    name = "wetty"
    path = "/socket.io/?EIO=4&transport=websocket"
    spawns_on_connect = True

    def __init__(self) -> None:
        super().__init__()
        self._ready = False
        self._committed = 0

    @property
    def ready(self) -> bool:
        return self._ready

    def start(self, size: m.Size) -> tuple[Frame, ...]:
        return (self.resize(size.cols, size.rows),)

    def input(self, data: bytes) -> Frame:
        try:
            return _event("input", data.decode())
        except UnicodeDecodeError as error:
            raise InvalidText(f"wetty's protocol is text: byte 0x{data[error.start]:02x} at {error.start}") from error

    def resize(self, cols: int, rows: int) -> Frame:
        return _event("resize", {"cols": cols, "rows": rows})

    def acknowledge(self, offset: int) -> Frame | None:
        # Bytes count as characters here, so text that is not ASCII is committed early; its page counts UTF-16 units.
        if offset - self._committed < COMMIT_CHARACTERS:
            return None
        self._committed += COMMIT_CHARACTERS
        return _event("commit", COMMIT_CHARACTERS)

    def read(self, text: bool, payload: bytes) -> Event | None:
        if payload.startswith(_EVENT):
            return self._event(payload[len(_EVENT) :])
        if payload.startswith(b"0"):  # engine.io is open
            self.owed.append(_CONNECT)
        elif payload == b"2":  # engine.io's ping: seven seconds without an answer end the connection
            self.owed.append(_PONG)
        elif not payload.startswith(b"40"):
            raise UnsupportedData(f"frame of kind {payload[:2]!r}; wetty sends 0, 2, 40 and 42")
        return None

    def _event(self, body: bytes) -> Event | None:
        try:
            match _decode(body):
                case ["data", str(text)]:
                    return self.output(text.encode())
                case ["login", *_]:
                    self._ready = True
                    return self.joined()
                case ["logout", *_]:
                    return None
                case other:
                    raise Malformed(f"event {repr(other)[:60]} is none of wetty's")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Malformed(f"no event of wetty's: {error}") from error


def _event(name: str, value: object) -> Frame:
    return Frame(True, _EVENT + _encode((name, value)))
