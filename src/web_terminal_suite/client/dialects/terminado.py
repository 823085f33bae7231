"""The protocol of terminado as two dialects: terminado alone, and Jupyter Server, which makes terminals over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.client.dialect import Ephemeral, Event, HttpRequest
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Frame
from web_terminal_suite.protocol.compat import terminado
from web_terminal_suite.protocol.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping


class TerminadoDialect(Ephemeral):
    """JSON arrays. The handshake starts the shell, at a size of the server's, which ``attach`` then changes."""

    name = "terminado"
    path = "/websocket"
    spawns_on_connect = True

    def __init__(self) -> None:
        super().__init__()
        self._ready = False

    @property
    def ready(self) -> bool:
        return self._ready

    def start(self, size: m.Size) -> tuple[Frame, ...]:
        return (self.resize(size.cols, size.rows),)

    def input(self, data: bytes) -> Frame:
        return terminado.input(data)

    def resize(self, cols: int, rows: int) -> Frame:
        return terminado.resize(m.Size(cols, rows))

    def read(self, text: bool, payload: bytes) -> Event | None:
        terminado.check_text(text)
        message = terminado.decode_server(payload)
        if isinstance(message, terminado.TerminadoOutput):
            return self.output(message.data)
        if isinstance(message, terminado.Setup):
            self._ready = True
            return self.joined()
        return None


class _Terminal(msgspec.Struct):
    name: str


_decode_terminal = msgspec.json.Decoder(_Terminal).decode


class JupyterDialect(TerminadoDialect):
    """``POST /api/terminals`` makes a terminal, a WebSocket under its name shows it, ``DELETE`` ends it.

    Facts: jupyter_server_terminals 0.5.4, ``api_handlers.py``. With a token no XSRF cookie is asked for.
    """

    name = "jupyter-server"

    def before(self, token: str) -> HttpRequest:
        return HttpRequest("POST", "/api/terminals", self.headers(token), b"{}")

    def told(self, body: bytes) -> None:
        try:
            self._terminal = _decode_terminal(body).name
        except msgspec.DecodeError as error:
            raise Malformed(f"no terminal of Jupyter's: {error}") from error
        self.path = f"/terminals/websocket/{self._terminal}"

    def after(self, token: str) -> HttpRequest:
        return HttpRequest("DELETE", f"/api/terminals/{self._terminal}", self.headers(token))

    def headers(self, token: str) -> Mapping[str, str]:
        return {"Authorization": f"token {token}"} if token else {}
