"""The host's end of the control channel: what the supervisor keeps of its sessions, and what it says."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import control, ipc
from web_terminal_suite.server.host.event_loop import READ, WRITE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.table import SessionEntry

log = logging.getLogger("web_terminal_suite.host")


class StoreClient:
    """Keeps a second copy of the sessions in the supervisor. ``heard`` gets what the supervisor says, ``gone`` its end.

    Descriptors that come with a message are those of ``heard``.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: EventLoop,
        heard: Callable[[control.FromSupervisor, list[int]], None],
        gone: Callable[[], None],
    ) -> None:
        self._channel = ipc.Channel(sock)
        self._loop = loop
        self._heard = heard
        self._gone = gone
        loop.watch(self._channel.fileno(), READ, self._ready)

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def waits(self) -> bool:
        """Whether something could not be sent yet."""
        return self._channel.waits

    def keep_arena(self, number: int, fd: int) -> None:
        """An arena was made."""
        self.say(control.KeepArena(arena=number), fd)

    def keep(self, entry: SessionEntry) -> None:
        """A shell was started."""
        session = entry.session
        assert session is not None  # its shell runs
        record = self._encoded(entry)
        self.say(control.KeepSession(key=entry.key, pid=session.pty.pid, record=record), session.pty.fd)

    def changed(self, entry: SessionEntry) -> None:
        """What the record of a session says is different now."""
        if entry.session is not None:
            closed = entry.session.pty.fd < 0
            self.say(control.RecordChanged(key=entry.key, record=self._encoded(entry), closed=closed))

    def forget(self, entry: SessionEntry) -> None:
        """Nothing of a session is left."""
        self.say(control.ForgetSession(key=entry.key))

    def _encoded(self, entry: SessionEntry) -> bytes:
        # An idle clock that ran on would have to be told with every viewer.
        return control.encode(msgspec.structs.replace(entry.record(), idle_since=None))

    def say(self, message: control.FromHost, *fds: int) -> None:
        """Send now, or as soon as there is room."""
        try:
            self._channel.send(message, fds)
        except OSError as error:
            log.error("the supervisor was not told of %s: %s", type(message).__name__, (error.strerror or "").lower())
        if self._channel.waits:
            self._loop.watch(self._channel.fileno(), READ | WRITE, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._channel.flush()
            if not self._channel.waits:
                self._loop.watch(self._channel.fileno(), READ, self._ready)
        if not events & ~WRITE:
            return
        try:
            received = self._channel.receive()
        except ipc.ChannelClosed:
            self._loop.forget(self._channel.fileno())
            self._gone()
            return
        if received is not None:
            packet, fds = received
            try:
                message = control.decode_from_supervisor(packet)
            except msgspec.DecodeError as error:
                log.error("the supervisor said what this host does not know: %s", error)
                for fd in fds:
                    os.close(fd)
            else:
                self._heard(message, fds)
