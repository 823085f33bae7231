"""Sessions this worker has viewers of.

A *hold* is a session with viewers in this worker. In one worker of all a hold pumps; in the others it follows: the
log is shared memory, and a *link* (a socket pair between the two workers) says "there is more" one way and "I may be
sent up to here" the other.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Protocol

import msgspec

from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server import ipc
from web_terminal_suite.server.session import Pumped, Session, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.worker.host_client import HostClient
    from web_terminal_suite.server.worker.relay import Relay

_MORE = b"\x01"
_CREDIT = struct.Struct("=Q")
# As in the host: a terminal that said "end" while its shell lives is looked at again.
_REOPEN_SECONDS = 0.2


class AttachedViewer(Viewer, Protocol):
    """A viewer with a connection of its own."""

    def relay(self, hold: Attachment) -> Relay | None:
        """The short way, where its wire has one; called while it is the only viewer, and kept until its ``end``."""

    def ended(self, notice: ipc.SessionEnded) -> None:
        """No output comes after ``notice.offset``."""

    def resized(self, size: Size) -> None:
        """Somebody else set the size."""

    def paused(self, direction: str, paused: bool) -> None:
        """The program waits for the viewers (``output``), or does not read (``input``)."""


class FollowerChannel:
    """The pump's end of a link: a follower in another worker, seen as one more viewer."""

    def __init__(self, hold: Attachment, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._hold = hold
        self._sock = sock
        # Until it tells its credit it paces nothing; it may be behind by the whole log.
        self._credit = 0
        hold.loop.add_reader(sock.fileno(), self._readable)

    def credit_end(self) -> int:
        return self._credit

    def advance(self) -> None:
        try:
            self._sock.send(_MORE)
        except OSError:
            pass  # full: it has been told already; broken: _readable ends the link

    def _readable(self) -> None:
        try:
            while data := self._sock.recv(_CREDIT.size):
                self._credit = max(self._credit, _CREDIT.unpack(data)[0])
        except BlockingIOError:
            self._hold.credited()
            return
        except OSError:
            pass  # reset is as good as an end
        self._hold.unlink(self)

    def close(self) -> None:
        self._hold.loop.remove_reader(self._sock.fileno())
        self._sock.close()


class Attachment:
    """One session this worker has viewers of."""

    __slots__ = (
        "_links", "_pumping", "_queues", "_reading", "_relay", "_to_pump", "_writing", "announced", "end", "facts",
        "host", "loop", "session", "size", "visitors",
    )  # fmt: skip

    def __init__(self, link: HostClient, facts: ipc.SessionInfo, session: Session, *, pumping: bool) -> None:
        self.host = link
        self.loop = link.loop
        self.facts = facts
        self.session = session
        self.size = Size(facts.cols, facts.rows)
        self.visitors: list[AttachedViewer] = []
        self.end: ipc.SessionEnded | None = None
        self._links: list[FollowerChannel] = []
        self._to_pump: socket.socket | None = None
        self._relay: Relay | None = None
        self._pumping = pumping
        self._reading = False
        self._queues = False  # whether it is read in its turn rather than when it is readable
        self._writing = False
        self.announced = False  # whether the visitors were told that output is paused
        if facts.state == "ended":
            self.end = ipc.SessionEnded(
                session=facts.id, offset=facts.offset, reason="exited", status=facts.status, signal=facts.signal
            )

    # --- viewers

    def enter(self, visitor: AttachedViewer) -> None:
        """Begin to follow; the visitor's ``advance`` is its own to call first."""
        self.visitors.append(visitor)
        self.session.viewers.append(visitor)
        if len(self.visitors) > 1:
            self.host.tell(ipc.ViewerCount(session=self.facts.id, count=len(self.visitors)))
        self._choose_way()
        self.credited()

    def leave(self, visitor: AttachedViewer) -> None:
        """Stop following; with the last visitor this worker lets go of the session."""
        self.visitors.remove(visitor)
        self.session.viewers.remove(visitor)
        self._choose_way()
        if self.visitors:
            self.host.tell(ipc.ViewerCount(session=self.facts.id, count=len(self.visitors)))
            self.credited()
        else:
            self.host.let_go(self)

    def credited(self) -> None:
        """Credit changed or a viewer came or went: read on if that is allowed now."""
        if self._to_pump is not None:
            self._tell_credit(self._to_pump)
        elif self._pumping:
            self._read_if_allowed()

    def _choose_way(self) -> None:
        """The short way for a visitor who is the only viewer and whose worker pumps, else the ordinary one."""
        if self._relay is not None:
            self._relay.end()
            self._relay = None
        if self._pumping and self.visitors and len(self.session.viewers) == 1 and self.session.pty.fd >= 0:
            self._relay = self.visitors[0].relay(self)
        if self._reading and not self._queues:
            self._read()

    # --- output

    def _read(self) -> None:
        self._reading = True
        self.loop.add_reader(self.session.pty.fd, self._way())

    def _way(self) -> Callable[[], None]:
        return self.pump_once if self._relay is None else self._relay.readable

    def _read_if_allowed(self) -> None:
        if self._reading or self.session.pty.fd < 0 or self.end is not None or not self._pumping:
            return
        if self.session.allowance() > 0:
            self._read()
            if self in self.host.paused:
                self.host.paused.discard(self)
                self.announce(False)
        else:
            self.host.note_pause(self)

    def pump_once(self) -> None:
        """The terminal is readable: read it into the log and let everybody advance."""
        result = self.session.pump()
        if result is Pumped.END:
            self._stop_reading()
            self.loop.call_later(_REOPEN_SECONDS, self._read_if_allowed)
        elif result is not Pumped.EMPTY and self.session.allowance() <= 0:
            self._stop_reading()
            self.host.note_pause(self)
        elif result is Pumped.MORE:
            self.flooded()
        elif result is Pumped.PART:
            self.rest()

    def flooded(self) -> None:
        """More is left to read than one turn's share: wait for one where others flood, or in the rota where it is."""
        if self._reading and (self._queues or self.host.rota.floods > 1):
            self._queue()
            self.host.rota.join(self)

    def rest(self) -> None:
        """Much came and nothing is left, so more will come: let it gather for a moment."""
        if self._reading:
            self._queue()
            self.host.rota.rest(self)

    def _queue(self) -> None:
        if not self._queues:
            self._queues = True
            self.loop.remove_reader(self.session.pty.fd)

    def take_turn(self) -> None:
        """Read once more; then it waits for its next turn, or until there is something to read."""
        try:
            self._way()()
        finally:
            if self._queues and self not in self.host.rota:
                self._queues = False
                self._read()

    def _stop_reading(self) -> None:
        if self._queues:
            self._queues = False
            self.host.rota.leave(self)
        elif self._reading:
            self.loop.remove_reader(self.session.pty.fd)
        if self._reading:
            self._reading = False
            self.session.note_flood(False)

    def announce(self, paused: bool) -> None:
        """Tell the visitors, once each way, that the program waits for them."""
        if paused != self.announced:
            self.announced = paused
            for visitor in list(self.visitors):
                visitor.paused("output", paused)

    # --- input

    def write(self, data: bytes) -> bool:
        """Type ``data``; whether it was taken."""
        session = self.session
        if session.pty.fd < 0:
            return True  # ended: input that crossed the end is without effect
        taken = session.write(data)
        if session.input_waits and not self._writing:
            self._writing = True
            self.loop.add_writer(session.pty.fd, self._writable)
            for visitor in list(self.visitors):
                visitor.paused("input", True)
        return taken

    def _writable(self) -> None:
        self.session.write_waiting()
        if not self.session.input_waits:
            self._stop_writing()
            for visitor in list(self.visitors):
                visitor.paused("input", False)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self.loop.remove_writer(self.session.pty.fd)

    def resize(self, size: Size, source: AttachedViewer) -> None:
        """Set the size for everybody."""
        if size == self.size or self.session.pty.fd < 0:
            return
        self.session.pty.resize(size)
        self.host.tell(ipc.SizeSet(session=self.facts.id, cols=size.cols, rows=size.rows))
        self.note_size(size, source)

    def note_size(self, size: Size, source: AttachedViewer | None) -> None:
        """The size is another now; ``source`` knows already."""
        self.size = size
        for visitor in list(self.visitors):
            if visitor is not source:
                visitor.resized(size)

    def changed(self, notice: ipc.SessionUpdated) -> None:
        """Somebody renamed or resized the session over REST, or resized it in another worker."""
        self.facts = msgspec.structs.replace(self.facts, name=notice.name)
        size = Size(notice.cols, notice.rows)
        if size != self.size:
            self.note_size(size, None)

    # --- several workers

    def follow(self, fd: int) -> None:
        """Another worker pumps; owns ``fd``, this end of the link to it."""
        self.unfollow()
        self._pumping = False
        self._stop_reading()
        self._choose_way()
        self._to_pump = socket.socket(fileno=fd)
        self._to_pump.setblocking(False)
        self.loop.add_reader(fd, self._told_more, self._to_pump)
        self._tell_credit(self._to_pump)
        for visitor in list(self.visitors):  # what came between two pumps
            visitor.advance()

    def unfollow(self) -> None:
        """Drop the link to a pump."""
        if self._to_pump is not None:
            self.loop.remove_reader(self._to_pump.fileno())
            self._to_pump.close()
            self._to_pump = None

    def _told_more(self, sock: socket.socket) -> None:
        try:
            while sock.recv(len(_MORE)):
                pass
        except BlockingIOError:
            for visitor in list(self.visitors):
                visitor.advance()
            return
        except OSError:
            pass  # reset is as good as an end
        if sock is self._to_pump:  # the pump is gone; the host says who is next
            self.unfollow()

    def _tell_credit(self, sock: socket.socket) -> None:
        credit = max((visitor.credit_end() for visitor in self.visitors), default=0)
        try:
            sock.send(_CREDIT.pack(credit))
        except OSError:
            pass  # full: a later acknowledgement says more; broken: _told_more ends the link

    def pump(self) -> None:
        """This worker pumps from now on."""
        self.unfollow()
        self._pumping = True
        self._choose_way()
        for visitor in list(self.visitors):
            visitor.advance()
        self._read_if_allowed()

    def followed(self, fd: int) -> None:
        """Another worker follows; owns ``fd``, this end of the link to it."""
        link = FollowerChannel(self, socket.socket(fileno=fd))
        self._links.append(link)
        self.session.viewers.append(link)
        self._choose_way()
        # It may have looked before what we appended meanwhile, when there was no link to tell it: look again.
        link.advance()

    def unlink(self, link: FollowerChannel) -> None:
        """A follower is gone."""
        link.close()
        self._links.remove(link)
        self.session.viewers.remove(link)
        self._choose_way()
        self.credited()

    # --- the end

    def exited(self) -> None:
        """The shell was reaped: read what the kernel still holds, and say so."""
        self._stop_reading()
        if self.session.pty.fd >= 0:
            self.session.drain()
        self._pumping = False
        self.host.tell(ipc.PumpDrained(session=self.facts.id))

    def ended(self, notice: ipc.SessionEnded) -> None:
        """The host closed the session."""
        self.end = notice
        self._close_terminal()
        self.announce(False)
        for visitor in list(self.visitors):
            visitor.ended(notice)

    def _close_terminal(self) -> None:
        # Others hold the same terminal, so epoll would keep it after close: forget it first.
        self._stop_reading()
        self._stop_writing()
        if self._relay is not None:
            self._relay.end()
            self._relay = None
        self.session.pty.close()

    def close(self) -> None:
        """Release everything; the session lives on in the host."""
        self._pumping = False
        self.host.paused.discard(self)
        self._close_terminal()
        self.unfollow()
        for link in list(self._links):
            link.close()
        self._links.clear()
