"""The protocol of ttyd as a dialect."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from web_terminal_suite.client.dialect import Ephemeral, Event
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.compat import ttyd

if TYPE_CHECKING:
    from collections.abc import Mapping


class TtydDialect(Ephemeral):
    """Subprotocol ``tty``. The first frame starts the shell; title and preferences answer it.

    Credentials, ``user:password``, go into the handshake and into the first frame, as ttyd's page does it.
    """

    name = "ttyd"
    path = "/ws"
    subprotocols = (ttyd.SUBPROTOCOL,)

    def __init__(self) -> None:
        super().__init__()
        self._token = ""

    def headers(self, token: str) -> Mapping[str, str]:
        if not token:
            return {}
        self._token = base64.b64encode(token.encode()).decode()
        return {"Authorization": f"Basic {self._token}"}

    def start(self, size: m.Size) -> tuple[Frame, ...]:
        return (ttyd.hello(self._token, size),)

    def input(self, data: bytes) -> Frame:
        return ttyd.input(data)

    def resize(self, cols: int, rows: int) -> Frame:
        return ttyd.resize(m.Size(cols, rows))

    def read(self, text: bool, payload: bytes) -> Event | None:
        message = ttyd.decode_server(payload)
        if isinstance(message, ttyd.TtydOutput):
            return self.output(message.data)
        return self.joined() if isinstance(message, ttyd.Preferences) else None
