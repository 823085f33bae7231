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
    from collections.abc import Callable, Iterable, Iterator

    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.table import SessionEntry

log = logging.getLogger("web_terminal_suite.host")


class StoreClient:
    """Keeps a second copy of the sessions in the supervisor. ``heard`` gets what the supervisor says, ``gone`` its end.

    Descriptors that come with a message are those of ``heard``. What is said while there is no supervisor is void: the
    next one is told everything.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: EventLoop,
        heard: Callable[[control.FromSupervisor, list[int]], None],
        gone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._heard = heard
        self._gone = gone
        self._copies: set[int] = set()
        self._meet(sock)

    def _meet(self, sock: socket.socket) -> None:
        self._channel = ipc.Channel(sock)
        self._sender = control.Sender(self._channel)
        self.connected = True
        """Whether there is a supervisor."""
        self._loop.watch(self._channel.fileno(), READ, self._ready)

    def rejoin(self, sock: socket.socket, sessions: Iterable[control.Lent]) -> None:
        """Tell another supervisor everything, over ``sock``."""
        self._meet(sock)
        self._sender.say(sessions)
        self._watch()

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def waits(self) -> bool:
        """Whether something could not be sent yet."""
        return self._sender.waits

    def keep_arena(self, number: int, fd: int) -> None:
        """An arena was made."""
        self.say(control.KeepArena(arena=number), fd)

    def keep(self, entry: SessionEntry) -> None:
        """A shell was started."""
        message, fds = kept_session(entry)
        self.say(message, *fds)

    def changed(self, entry: SessionEntry) -> None:
        """What the record of a session says is different now."""
        if entry.session is not None:
            closed = entry.session.pty.fd < 0
            self.say(control.RecordChanged(key=entry.key, record=_encoded(entry), closed=closed))

    def keep_input(self, entry: SessionEntry) -> None:
        """The host has something to type in a session."""
        for message, fds in kept_input(entry):
            self.say(message, *fds)

    def forget_input(self, entry: SessionEntry) -> None:
        """The host has nothing to type in a session any more."""
        self.say(control.ForgetInput(key=entry.key))

    def forget(self, entry: SessionEntry) -> None:
        """Nothing of a session is left."""
        self.say(control.ForgetSession(key=entry.key))

    def say(self, message: control.FromHost, *fds: int) -> None:
        """Send now, or as soon as there is room."""
        if not self.connected:
            return
        try:
            self._sender.say(self._with_copies(message, fds) if self._sender.waits else [(message, fds)])
        except OSError as error:
            log.error("the supervisor was not told of %s: %s", type(message).__name__, (error.strerror or "").lower())
        self._watch()

    def _with_copies(self, message: control.FromHost, fds: tuple[int, ...]) -> Iterator[control.Lent]:
        """A message that must wait, and may outlive its descriptors."""
        copies = tuple(os.dup(fd) for fd in fds)
        self._copies.update(copies)

        def messages() -> Iterator[control.Lent]:
            yield message, copies
            self._close(copies)

        return messages()

    def _close(self, copies: tuple[int, ...]) -> None:
        for fd in copies:
            os.close(fd)
            self._copies.discard(fd)

    def _watch(self) -> None:
        if self._sender.waits:
            self._loop.watch(self._channel.fileno(), READ | WRITE, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._sender.flush()
            if not self._sender.waits:
                self._loop.watch(self._channel.fileno(), READ, self._ready)
        if not events & ~WRITE:
            return
        try:
            received = self._channel.receive()
        except ipc.ChannelClosed:
            self._loop.forget(self._channel.fileno())
            self._channel.close()
            self._close(tuple(self._copies))
            self.connected = False
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


def kept_session(entry: SessionEntry) -> tuple[control.KeepSession, tuple[int, ...]]:
    """What the supervisor keeps of a session whose shell was started."""
    session = entry.session
    assert session is not None
    message = control.KeepSession(key=entry.key, pid=session.pty.pid, record=_encoded(entry), closed=session.pty.fd < 0)
    return message, (session.pty.fd,) if session.pty.fd >= 0 else ()


def kept_input(entry: SessionEntry) -> list[tuple[control.KeepInput, tuple[int, ...]]]:
    """What the supervisor keeps of the input that waits in a session."""
    file = None if entry.input is None else entry.input.file
    return [] if file is None else [(control.KeepInput(key=entry.key), (file.fd,))]


def _encoded(entry: SessionEntry) -> bytes:
    # An idle clock that ran on would have to be told with every viewer.
    return control.encode(msgspec.structs.replace(entry.record(), idle_since=None))
