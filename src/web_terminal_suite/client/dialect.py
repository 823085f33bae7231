"""What a protocol must offer so that one client can talk to any web terminal. No I/O.

The vocabulary is our own protocol's: a dialect takes its messages (``attach``, ``resize``, ``ack``, ...), gives
WebSocket frames, and reads frames back as server messages. One dialect object serves one connection, so it may
remember where its conversation stands.

Most protocols have neither sessions that outlive a connection nor offsets: ``Ephemeral`` is what these share.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, Frame, OutputBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

Event = m.ServerMessage | OutputBytes | EchoBytes


class Unsupported(ValueError):
    """This protocol has no such message."""

    def __init__(self, dialect: str, what: str) -> None:
        super().__init__(f"the protocol of {dialect} has no {what}")


class HttpRequest(NamedTuple):
    """What a protocol asks over HTTP, besides its WebSocket. ``path`` lies under the server's base."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Dialect(ABC):
    """One protocol, for one connection.

    ``owed`` are frames that the protocol demands at once in reply to what was read; the reader sends and clears them.
    """

    name: ClassVar[str]
    path: str
    subprotocols: tuple[str, ...] = ()
    input_limit_bytes: int = 0
    """The most that one ``input`` may carry; 0 where there is no such limit. More is typed in pieces."""
    numbers_input: ClassVar[bool] = False
    """Whether the protocol has acknowledged input."""
    spawns_on_connect: ClassVar[bool] = False
    """Whether the handshake starts the shell; otherwise ``attach`` does."""

    def __init__(self) -> None:
        self.owed: list[Frame] = []

    def before(self, token: str) -> HttpRequest | None:
        """What must be asked before the handshake, if anything; ``told`` is given the answer."""
        return None

    def told(self, body: bytes) -> None:
        """The body of a good answer to ``before``.

        Raises:
            TheirError: not the answer of this protocol.
        """
        raise Unsupported(self.name, "request before its handshake")

    def after(self, token: str) -> HttpRequest | None:
        """What ends the session, if closing the WebSocket does not and the protocol has no message for it."""
        return None

    def headers(self, token: str) -> Mapping[str, str]:
        """Headers of the handshake beyond what a WebSocket needs; the credentials, if the protocol sends them there."""
        return {}

    def opened(self) -> m.Attached | None:
        """What the handshake alone means: an attached session, if no frame of the protocol says so."""
        return None

    def greeting(self, token: str) -> tuple[Frame, ...]:
        """What the client says first, right after the handshake."""
        return ()

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether ``attach`` may be sent."""

    @abstractmethod
    def attach(self, request: m.Attach) -> tuple[Frame, ...]:
        """Frames that join or create a session; the answer is read as ``Attached``."""

    @abstractmethod
    def input(self, data: bytes) -> Frame:
        """Keystrokes."""

    @abstractmethod
    def resize(self, cols: int, rows: int) -> Frame:
        """The terminal's new size."""

    def numbered_input(self, data: bytes, offset: int) -> Frame:
        """Keystrokes that the server acknowledges, behind ``offset`` bytes of this client's."""
        raise Unsupported(self.name, "acknowledged input")

    def acknowledge(self, offset: int) -> Frame | None:
        """Everything before ``offset`` was drawn; ``None`` if the protocol has no acknowledgements."""
        return None

    def echo(self, data: bytes) -> Frame:
        """A frame that is answered with the same bytes."""
        raise Unsupported(self.name, "echo message")

    def ping(self, id: int) -> Frame:
        """A frame that is answered with a ``Pong``."""
        raise Unsupported(self.name, "ping message")

    def command(self, line: str) -> Frame:
        """A line typed for the user, with its carriage return."""
        return self.input(line.encode() + b"\r")

    def signal(self, name: str) -> Frame:
        """A signal to the foreground process group."""
        raise Unsupported(self.name, "signal message")

    def close(self, destroy: bool) -> Frame | None:
        """A message that asks for the end; ``None`` where closing the WebSocket is all there is."""
        return None

    @abstractmethod
    def read(self, text: bool, payload: bytes) -> Event | None:
        """What the server said, or ``None`` for a frame that says nothing of interest; what it demands is ``owed``.

        Raises:
            TheirError: no message of this protocol, or one at the wrong moment.
        """


_sessions = itertools.count(1)
# What a client of ours acknowledges by; these protocols do not send it.
_WINDOW_BYTES: Final = 1 << 17


class Ephemeral(Dialect):
    """A protocol whose session lives as long as its connection and whose output has no offsets; they are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.size = m.Size()
        self._offset = 0

    @property
    def ready(self) -> bool:
        return True

    def output(self, data: bytes) -> OutputBytes:
        """The next output, numbered."""
        offset = self._offset
        self._offset = offset + len(data)
        return OutputBytes(offset, data)

    def joined(self) -> m.Attached:
        """The session is there."""
        name = f"{self.name}-{next(_sessions)}"
        size = self.size
        return m.Attached(
            session=name, name=name, offset=0, end=0, cols=size.cols, rows=size.rows, mode="write", window=_WINDOW_BYTES
        )

    def attach(self, request: m.Attach) -> tuple[Frame, ...]:
        for what, asked in (("session to join", request.session), ("choice of shell", request.spec)):
            if asked is not None:
                raise Unsupported(self.name, what)
        self.size = m.Size(request.cols, request.rows)
        return self.start(self.size)

    @abstractmethod
    def start(self, size: m.Size) -> tuple[Frame, ...]:
        """Frames that start a shell of this size, or give the one that runs its size."""
