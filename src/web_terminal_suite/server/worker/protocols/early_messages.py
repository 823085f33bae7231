"""Messages of clients that do not wait until their session is there."""

from __future__ import annotations

from web_terminal_suite.protocol.errors import MessageTooBig

# An empty message costs memory too.
_LEAST_BYTES = 64


class EarlyMessages:
    """Messages in order, of ``limit_bytes`` together at most."""

    __slots__ = ("_bytes", "_limit_bytes", "_messages")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._messages: list[tuple[bool, bytes]] = []

    def keep(self, text: bool, payload: bytes) -> None:
        """Add a message.

        Raises:
            MessageTooBig: all of them exceed the limit.
        """
        self._bytes += max(len(payload), _LEAST_BYTES)
        if self._bytes > self._limit_bytes:
            raise MessageTooBig(self._bytes, self._limit_bytes)
        self._messages.append((text, payload))

    def take(self) -> list[tuple[bool, bytes]]:
        """All of them; none is left."""
        messages, self._messages = self._messages, []
        return messages
