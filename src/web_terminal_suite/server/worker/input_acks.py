"""Acknowledgements of input that no output follows soon, of all connections of a worker with one timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

# Between two acknowledgements in front of output.
ACK_INPUT_SECONDS = 0.1
# Of a paste that the program reads at once. A client keeps what is not acknowledged, within limits.
ACK_INPUT_BYTES = 128 * 1024
# Nobody waits for these: what was typed is on the screen already.
_TICK_SECONDS = 0.5


class NumberingClient(Protocol):
    """A connection whose client numbers its input."""

    def acknowledge_input(self) -> bool:
        """Send what is to be acknowledged; whether all input of the client is."""


class InputAcks:
    """Connections with input that is not acknowledged yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._clients: set[NumberingClient] = set()
        self._ticking = False

    def add(self, client: NumberingClient) -> None:
        """Let ``client`` acknowledge within half a second, until everything is."""
        self._clients.add(client)
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._clients = {client for client in self._clients if not client.acknowledge_input()}
        self._ticking = bool(self._clients)
        if self._ticking:
            self._loop.call_later(_TICK_SECONDS, self._tick)
