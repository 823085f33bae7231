"""What a wire must offer so that one client can talk to any web terminal. No I/O.

The vocabulary is our own protocol's: a dialect takes its messages (``attach``, ``resize``, ``ack``, ...), gives
WebSocket frames, and reads frames back as server messages. One dialect object serves one connection, so it may
remember where its conversation stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from web_terminal.protocol import messages as m
from web_terminal.protocol.codec import EchoBytes, Frame, OutputBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

Event = m.ServerMessage | OutputBytes | EchoBytes


class Unsupported(ValueError):
    """This wire has no such message."""

    def __init__(self, dialect: str, what: str) -> None:
        super().__init__(f"the wire of {dialect} has no {what}")


class Feature(StrEnum):
    """What a wire can carry beyond keystrokes and output."""

    BINARY = "binary data"
    ACKNOWLEDGE = "flow control"
    ECHO = "echo message"
    PING = "ping message"
    RESUME = "resume"
    SIGNAL = "signal message"


class Dialect(ABC):
    """One wire, for one connection."""

    name: ClassVar[str]
    path: ClassVar[str]
    features: ClassVar[frozenset[Feature]]
    subprotocols: tuple[str, ...]

    def headers(self, token: str) -> Mapping[str, str]:
        """Headers of the handshake beyond what a WebSocket needs; where the wire has such credentials, these."""
        return {}

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

    def acknowledge(self, offset: int) -> Frame | None:
        """Everything before ``offset`` was drawn; ``None`` where the wire needs no such word."""
        return None

    def echo(self, data: bytes) -> Frame:
        """A frame that is answered with the same bytes."""
        raise Unsupported(self.name, Feature.ECHO.value)

    def ping(self, id: int) -> Frame:
        """A frame that is answered with a ``Pong``."""
        raise Unsupported(self.name, Feature.PING.value)

    def command(self, line: str) -> Frame:
        """A line typed for the user, with its carriage return."""
        return self.input(line.encode() + b"\r")

    def signal(self, name: str) -> Frame:
        """A signal to the foreground process group."""
        raise Unsupported(self.name, Feature.SIGNAL.value)

    def close(self, destroy: bool) -> Frame | None:
        """A message that asks for the end; ``None`` where closing the WebSocket is all there is."""
        return None

    @abstractmethod
    def read(self, text: bool, payload: bytes) -> Event | None:
        """What the server said, or ``None`` for a frame that says nothing of interest.

        Raises:
            TheirError: no message of this wire, or one at the wrong moment.
        """

    def answer(self, event: Event) -> tuple[Frame, ...]:
        """What the wire demands at once in reply to ``event``."""
        return ()
