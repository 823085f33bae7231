"""No protocol at all, as many servers written by hand have it: what is typed and what is printed, frame by frame.

Text frames are input and output as they are; a binary frame of JSON, ``{"cols": C, "rows": R}``, is a size. The server
that goes with it is next to the suite's terminal of this name.
"""

from __future__ import annotations

import msgspec

from web_terminal_suite.client.dialect import Ephemeral, Event
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.errors import InvalidText

_encode = msgspec.json.Encoder().encode


class PlainDialect(Ephemeral):
    """The handshake starts the shell, and nothing says so."""

    name = "plain"
    path = "/"
    spawns_on_connect = True

    def opened(self) -> m.Attached:
        return self.joined()

    def start(self, size: m.Size) -> tuple[Frame, ...]:
        return (self.resize(size.cols, size.rows),)

    def input(self, data: bytes) -> Frame:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise InvalidText(f"this protocol is text: byte 0x{data[error.start]:02x} at {error.start}") from error
        return Frame(True, data)

    def resize(self, cols: int, rows: int) -> Frame:
        return Frame(False, _encode(m.Size(cols, rows)))

    def read(self, text: bool, payload: bytes) -> Event | None:
        return self.output(payload)
