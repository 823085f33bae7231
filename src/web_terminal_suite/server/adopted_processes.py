"""Processes of a supervisor that died: only their end can be seen, since they are no children of this one."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
from typing import TYPE_CHECKING

from web_terminal_suite.server import launch, meeting

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("web_terminal_suite.supervisor")


class AdoptedProcesses:
    """Watches processes, and sends those away that come too late to ``door``. ``ended`` is told of each end."""

    def __init__(
        self, selector: selectors.BaseSelector, ended: Callable[[int], object], door: socket.socket | None
    ) -> None:
        self._selector = selector
        self._ended = ended
        self._door = door
        if door is not None:
            selector.register(door, selectors.EVENT_READ, lambda: self._turn_away(door))

    def fileno(self) -> int:
        """The descriptor of the door; -1 where there is none."""
        return -1 if self._door is None else self._door.fileno()

    def watch(self, pid: int) -> None:
        """Notice the end of a process."""
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended(pid)
            return
        self._selector.register(fd, selectors.EVENT_READ, lambda: self._on_end(fd, pid))

    def _on_end(self, fd: int, pid: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)
        self._ended(pid)

    def _turn_away(self, door: socket.socket) -> None:
        """A process that came too late: its place is taken."""
        try:
            sock, _address = door.accept()
        except OSError:
            return
        with sock:
            log.warning("process %d came too late, and is not adopted", meeting.peer_of(sock).pid)
            with contextlib.suppress(OSError):
                sock.send(launch.REPLACE, socket.MSG_DONTWAIT)
