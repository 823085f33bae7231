"""Accepting connections, as long as this process has descriptors for what they will need.

The workers share one listening socket. A worker near its limit of descriptors leaves new connections to the others. If
none of them takes one, it is accepted after all: its client is then refused with a reason, instead of waiting.
"""

from __future__ import annotations

import os
import resource
import select
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# Connections the kernel completes before we accept them; net.core.somaxconn caps it.
_BACKLOG = 4096
# Ten connections that attach: socket, terminal and a channel to another worker, each.
_SPARE_DESCRIPTORS = 32
_LOOK_SECONDS = 0.05
# After this number of looks, a connection that still waits is accepted: no other worker takes it.
_PATIENT_LOOKS = 2


class Listening:
    """The shared listener in this worker. ``protocol`` makes what each connection gets."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._looks = 0
        self._ended = False

    async def start(self) -> None:
        """Accept connections.

        Raises:
            OSError: no descriptor is left for it.
        """
        create = self._loop.create_unix_server if self._listener.family == socket.AF_UNIX else self._loop.create_server
        self._server = await create(self._accept, sock=self._listener.dup(), backlog=_BACKLOG)
        if self._ended:
            self._server.close()

    def end(self) -> None:
        """Accept no more connections."""
        self._ended = True
        if self._server is not None:
            self._server.close()

    def _accept(self) -> asyncio.BaseProtocol:
        self._loop.call_soon(self._step_back)  # once the connection has its transport
        return self._protocol()

    def _step_back(self) -> None:
        """Accept no more for a while where the last connection was one of the last that this process has room for."""
        if self._server is not None and short_of_descriptors():
            self._server.close()
            self._server = None
            self._looks = 0
            self._loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self._ended:
            return
        self._looks = self._looks + 1 if _waits(self._listener) else 0
        if self._looks < _PATIENT_LOOKS and short_of_descriptors():
            self._loop.call_later(_LOOK_SECONDS, self._look)
        else:
            self._starting = self._loop.create_task(self._start_again())

    async def _start_again(self) -> None:
        try:
            await self.start()
        except OSError:  # not one descriptor: some may be free at the next look
            self._loop.call_later(_LOOK_SECONDS, self._look)


def short_of_descriptors() -> bool:
    """Whether this process is near its limit; the kernel gives the lowest number that is free."""
    try:
        lowest = os.dup(0)
    except OSError:
        return True
    os.close(lowest)
    return lowest + _SPARE_DESCRIPTORS >= resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _waits(listener: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
