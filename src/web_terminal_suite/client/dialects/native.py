"""Our protocol as a dialect, in either subprotocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.client.dialect import Dialect, Event
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import (
    EchoBytes,
    Frame,
    OutputBytes,
    Subprotocol,
    decode_server,
    encode,
    encode_echo,
    encode_input,
)
from web_terminal_suite.protocol.conversation import Conversation, Side, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

_INPUT = m.Input(data="")
_ECHO = m.Echo(data="")
_OUTPUT = m.Output(offset=0, data="")


class NativeDialect(Dialect):
    """``web-terminal.v1`` or ``web-terminal.v1.json``.

    Credentials go into the handshake's ``Authorization`` header, or with ``in_band`` into an ``authenticate`` message,
    as a page without a cookie does it. Every message of both sides moves the conversation; what the table forbids
    raises ``IllegalInState``, ours before it is sent.
    """

    name = "web-terminal"
    path = "/ws"
    numbers_input = True

    def __init__(self, subprotocol: Subprotocol = Subprotocol.BINARY, *, in_band: bool = False) -> None:
        super().__init__()
        self.subprotocol = subprotocol
        self.subprotocols = (subprotocol.value,)
        self.conversation = Conversation()
        self._in_band = in_band
        self._token = ""

    def headers(self, token: str) -> Mapping[str, str]:
        # Kept now: the server may ask for it together with its answer to the handshake.
        self._token = token
        return {"Authorization": f"Bearer {token}"} if token and not self._in_band else {}

    @property
    def ready(self) -> bool:
        return self.conversation.state in (State.READY, State.ENDED)

    def attach(self, request: m.Attach) -> tuple[Frame, ...]:
        return (self._say(request),)

    def input(self, data: bytes) -> Frame:
        self.conversation.hear(Side.CLIENT, _INPUT)
        return encode_input(self.subprotocol, data)

    def numbered_input(self, data: bytes, offset: int) -> Frame:
        self.conversation.hear(Side.CLIENT, _INPUT)
        return encode_input(self.subprotocol, data, offset)

    def resize(self, cols: int, rows: int) -> Frame:
        return self._say(m.Resize(cols=cols, rows=rows))

    def acknowledge(self, offset: int) -> Frame:
        return self._say(m.Ack(offset=offset))

    def echo(self, data: bytes) -> Frame:
        self.conversation.hear(Side.CLIENT, _ECHO)
        return encode_echo(self.subprotocol, data)

    def ping(self, id: int) -> Frame:
        return self._say(m.Ping(id=id))

    def command(self, line: str) -> Frame:
        return self._say(m.Command(line=line))

    def signal(self, name: str) -> Frame:
        return self._say(m.Signal(name=name))

    def close(self, destroy: bool) -> Frame:
        return self._say(m.Close(destroy=destroy))

    def read(self, text: bool, payload: bytes) -> Event:
        event = decode_server(self.subprotocol, text, payload)
        if isinstance(event, OutputBytes):
            self._hear(_OUTPUT)
        elif isinstance(event, EchoBytes):
            self._hear(_ECHO)
        elif isinstance(event, m.Echo):
            self._hear(event)
            return EchoBytes(event.data.encode())
        else:
            self._hear(event)
            if isinstance(event, m.ConnectionStatus) and event.status == "authentication_required":
                self.owed.append(self._say(m.Authenticate(token=self._token)))
        return event

    def _say(self, message: msgspec.Struct) -> Frame:
        self.conversation.hear(Side.CLIENT, message)
        return encode(message)

    def _hear(self, message: msgspec.Struct) -> None:
        # After our own close the server may still be in the middle of a sentence; nothing it says matters any more.
        if self.conversation.state is not State.CLOSED:
            self.conversation.hear(Side.SERVER, message)
