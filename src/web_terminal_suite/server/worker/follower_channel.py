"""The channel between two workers that have viewers of one session: the pump's end and the follower's end.

The log is shared memory. The channel carries "there is more" one way and "I may be sent up to this offset" the other.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_MORE = b"\x01"
_CREDIT = struct.Struct("=Q")


class FollowerChannel:
    """The pump's end: a viewer of the session that stands for all viewers of another worker. Owns ``fd``.

    ``credited`` is called when the follower has sent its credit, ``lost`` when it is gone.
    """

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        credited: Callable[[], None],
        lost: Callable[[FollowerChannel], None],
    ) -> None:
        self._sock = socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self._loop = loop
        self._credited = credited
        self._lost = lost
        # Until it tells its credit it paces nothing; it may be behind by the whole log.
        self._credit = 0
        self._lapsed = 0
        loop.add_reader(fd, self._readable)

    def credit_end(self) -> int:
        return self._credit if self._credit > self._lapsed else 0

    def lapse(self) -> None:
        """Its viewers do not acknowledge: they pace again once their credit has grown."""
        self._lapsed = self._credit

    def advance(self) -> None:
        try:
            self._sock.send(_MORE)
        except OSError:
            pass  # full: a signal is on its way already; broken: _readable ends the channel

    def _readable(self) -> None:
        try:
            while data := self._sock.recv(_CREDIT.size):
                self._credit = max(self._credit, _CREDIT.unpack(data)[0])
        except BlockingIOError:
            self._credited()
            return
        except OSError:
            pass  # a reset is an end too
        self._lost(self)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()


class PumpChannel:
    """The follower's end. Owns ``fd``.

    ``grew`` is called when the log has more, ``lost`` when the pump is gone.
    """

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        grew: Callable[[], None],
        lost: Callable[[PumpChannel], None],
    ) -> None:
        self._sock = socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self._loop = loop
        self._grew = grew
        self._lost = lost
        loop.add_reader(fd, self._readable)

    def tell_credit(self, credit_end: int) -> None:
        """All viewers of this worker together may be sent what lies before ``credit_end``."""
        try:
            self._sock.send(_CREDIT.pack(credit_end))
        except OSError:
            pass  # full: a later acknowledgement supersedes it; broken: _readable ends the channel

    def _readable(self) -> None:
        try:
            while self._sock.recv(len(_MORE)):
                pass
        except BlockingIOError:
            self._grew()
            return
        except OSError:
            pass  # a reset is an end too
        self._lost(self)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
