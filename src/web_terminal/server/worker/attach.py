"""A worker's side of the host's socket: questions and answers, and the sessions this worker holds.

A *hold* is a session with viewers in this worker. In one worker of all a hold pumps; in the others it follows: the
log is shared memory, and a *link* (a socket pair between the two workers) says "there is more" one way and "I may be
sent up to here" the other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from web_terminal.protocol.errors import CloseCode, TheirError
from web_terminal.protocol.messages import Size
from web_terminal.server.host import wire
from web_terminal.server.log import Arena
from web_terminal.server.pty import Pty
from web_terminal.server.session import Pumped, Session, Viewer

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("web_terminal.worker")

_MORE = b"\x01"
_CREDIT = struct.Struct("=Q")
# A pause shorter than this is ordinary flow control and not worth a message.
_ANNOUNCE_SECONDS = 1.0
# As in the host: a terminal that said "end" while its shell lives is looked at again.
_REOPEN_SECONDS = 0.2

_CLOSE_CODES = {
    "no_such_session": CloseCode.NO_SUCH_SESSION,
    "session_expired": CloseCode.SESSION_EXPIRED,
    "session_limit": CloseCode.SESSION_LIMIT,
    "forbidden": CloseCode.FORBIDDEN,
    "going_away": CloseCode.GOING_AWAY,
    "out_of_range": None,
}


class HostRefused(TheirError):
    """The host said no; every code that is not of the table means that the shell did not start."""

    def __init__(self, refused: wire.Refused) -> None:
        super().__init__(refused.code, refused.message, _CLOSE_CODES.get(refused.code, CloseCode.SPAWN_FAILED))


class Visitor(Viewer, Protocol):
    """A viewer with a connection of its own."""

    def ended(self, notice: wire.Ended) -> None:
        """No output comes after ``notice.offset``."""

    def resized(self, size: Size) -> None:
        """Somebody else set the size."""

    def paused(self, direction: str, paused: bool) -> None:
        """The program waits for the viewers (``output``), or does not read (``input``)."""


class Link:
    """The pump's end of a link: a follower in another worker, seen as one more viewer."""

    def __init__(self, hold: Hold, sock: socket.socket) -> None:
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


class Hold:
    """One session this worker has viewers of."""

    __slots__ = (
        "_links", "_pumping", "_reading", "_to_pump", "_writing", "announced", "end", "facts", "host", "loop",
        "session", "size", "visitors",
    )  # fmt: skip

    def __init__(self, link: HostLink, facts: wire.Facts, session: Session, *, pumping: bool) -> None:
        self.host = link
        self.loop = link.loop
        self.facts = facts
        self.session = session
        self.size = Size(facts.cols, facts.rows)
        self.visitors: list[Visitor] = []
        self.end: wire.Ended | None = None
        self._links: list[Link] = []
        self._to_pump: socket.socket | None = None
        self._pumping = pumping
        self._reading = False
        self._writing = False
        self.announced = False  # whether the visitors were told that output is paused
        if facts.state == "ended":
            self.end = wire.Ended(
                session=facts.id, offset=facts.offset, reason="exited", status=facts.status, signal=facts.signal
            )

    # --- viewers

    def enter(self, visitor: Visitor) -> None:
        """Begin to follow; the visitor's ``advance`` is its own to call first."""
        self.visitors.append(visitor)
        self.session.viewers.append(visitor)
        if len(self.visitors) > 1:
            self.host.tell(wire.Viewers(session=self.facts.id, count=len(self.visitors)))
        self.credited()

    def leave(self, visitor: Visitor) -> None:
        """Stop following; with the last visitor this worker lets go of the session."""
        self.visitors.remove(visitor)
        self.session.viewers.remove(visitor)
        if self.visitors:
            self.host.tell(wire.Viewers(session=self.facts.id, count=len(self.visitors)))
            self.credited()
        else:
            self.host.let_go(self)

    def credited(self) -> None:
        """Credit changed or a viewer came or went: read on if that is allowed now."""
        if self._to_pump is not None:
            self._tell_credit(self._to_pump)
        elif self._pumping and not self._reading:
            self._read_if_allowed()

    # --- output

    def _read_if_allowed(self) -> None:
        if self.session.pty.fd < 0 or self.end is not None or not self._pumping:
            return
        if self.session.allowance() > 0:
            self._reading = True
            self.loop.add_reader(self.session.pty.fd, self._readable)
            if self in self.host.paused:
                self.host.paused.discard(self)
                self.announce(False)
        else:
            self.host.note_pause(self)

    def _readable(self) -> None:
        result = self.session.pump()
        if result is Pumped.END:
            self._stop_reading()
            self.loop.call_later(_REOPEN_SECONDS, self._read_if_allowed)
        elif result is not Pumped.EMPTY and self.session.allowance() <= 0:
            self._stop_reading()
            self.host.note_pause(self)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.loop.remove_reader(self.session.pty.fd)

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

    def resize(self, size: Size, source: Visitor) -> None:
        """Set the size for everybody."""
        if size == self.size or self.session.pty.fd < 0:
            return
        self.session.pty.resize(size)
        self.host.tell(wire.Sized(session=self.facts.id, cols=size.cols, rows=size.rows))
        self.note_size(size, source)

    def note_size(self, size: Size, source: Visitor | None) -> None:
        """The size is another now; ``source`` knows already."""
        self.size = size
        for visitor in list(self.visitors):
            if visitor is not source:
                visitor.resized(size)

    def changed(self, notice: wire.Changed) -> None:
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
        for visitor in list(self.visitors):
            visitor.advance()
        self._read_if_allowed()

    def followed(self, fd: int) -> None:
        """Another worker follows; owns ``fd``, this end of the link to it."""
        link = Link(self, socket.socket(fileno=fd))
        self._links.append(link)
        self.session.viewers.append(link)
        # It may have looked before what we appended meanwhile, when there was no link to tell it: look again.
        link.advance()

    def unlink(self, link: Link) -> None:
        """A follower is gone."""
        link.close()
        self._links.remove(link)
        self.session.viewers.remove(link)
        self.credited()

    # --- the end

    def exited(self) -> None:
        """The shell was reaped: read what the kernel still holds, and say so."""
        self._stop_reading()
        if self.session.pty.fd >= 0:
            self.session.drain()
        self._pumping = False
        self.host.tell(wire.Drained(session=self.facts.id))

    def ended(self, notice: wire.Ended) -> None:
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


class HostLink:
    """Questions to the host, its answers, and its notices."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, gone: Callable[[], None]) -> None:
        self.loop = loop
        self.holds: dict[str, Hold] = {}
        self.paused: set[Hold] = set()
        self._channel = wire.Channel(sock)
        self._gone = gone
        self._next_id = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._joining: dict[str, asyncio.Future[Hold]] = {}
        self._arenas: dict[int, Arena] = {}
        self._flushing = False
        self._watching_pauses = False
        loop.add_reader(self._channel.fileno(), self._readable)

    # --- asking

    async def ask(self, type_: type[wire.Request], **fields: Any) -> Any:
        """The host's answer to a request.

        Raises:
            HostRefused: with the host's code and text.
        """
        self._next_id += 1
        answer: asyncio.Future[Any] = self.loop.create_future()
        self._answers[self._next_id] = answer
        try:
            self.tell(type_(id=self._next_id, **fields))
        except wire.PacketTooBig as error:
            del self._answers[self._next_id]
            raise TheirError("message_too_big", f"{error}; a shorter environment or argument list would do") from error
        except OverflowError as error:
            del self._answers[self._next_id]
            raise TheirError("out_of_range", "a number does not fit in 64 bits") from error
        return await answer

    def tell(self, message: wire.FromWorker) -> None:
        """Send now, or as soon as the host has room."""
        self._channel.send(message)
        if self._channel.waits and not self._flushing:
            self._flushing = True
            self.loop.add_writer(self._channel.fileno(), self._flush)

    async def create(self, who: wire.Who, spec: Any) -> Hold:
        """A new session, held by this worker.

        Raises:
            HostRefused: a limit, or the shell did not start.
        """
        hold: Hold = await self.ask(wire.Create, who=who, spec=spec, join=True)
        return hold

    async def join(self, who: wire.Who, session: str) -> Hold:
        """A session that exists, held by this worker.

        Raises:
            HostRefused: there is none, or it is not theirs.
        """
        while (pending := self._joining.get(session)) is not None:
            await asyncio.wait([pending])
        hold = self.holds.get(session)
        if hold is not None:
            if who.role in ("owner", "viewer") or hold.facts.user == who.user:
                return hold
            raise HostRefused(wire.Refused(id=0, code="no_such_session", message=f"no session has the id {session!r}"))
        pending = self._joining[session] = self.loop.create_future()
        try:
            joined: Hold = await self.ask(wire.Join, who=who, session=session)
        finally:
            del self._joining[session]
            pending.cancel()
        return joined

    def let_go(self, hold: Hold) -> None:
        """This worker has no viewer of the session any more."""
        if self.holds.pop(hold.facts.id, None) is hold:
            hold.close()
            self.tell(wire.Viewers(session=hold.facts.id, count=0))

    # --- pauses worth telling

    def note_pause(self, hold: Hold) -> None:
        """A pump waits for its viewers; they are told when it lasts."""
        self.paused.add(hold)
        if not self._watching_pauses:
            self._watching_pauses = True
            self.loop.call_later(_ANNOUNCE_SECONDS, self._look_at_pauses, {hold: hold.session.log.end})

    def _look_at_pauses(self, before: dict[Hold, int]) -> None:
        for hold in list(self.paused):
            if before.get(hold) == hold.session.log.end:
                hold.announce(True)
        self._watching_pauses = bool(self.paused)
        if self.paused:
            ends = {hold: hold.session.log.end for hold in self.paused}
            self.loop.call_later(_ANNOUNCE_SECONDS, self._look_at_pauses, ends)

    # --- hearing

    def _flush(self) -> None:
        self._channel.flush()
        if not self._channel.waits:
            self._flushing = False
            self.loop.remove_writer(self._channel.fileno())

    def _readable(self) -> None:
        try:
            received = self._channel.receive()
        except wire.Gone:
            self.loop.remove_reader(self._channel.fileno())
            self._gone()
            return
        if received is None:
            return
        packet, fds = received
        message = wire.decode_from_host(packet)
        if isinstance(message, wire.Answer):
            self._answered(message, fds)
        else:
            self._noticed(message, fds)

    def _answered(self, message: wire.Answer, fds: list[int]) -> None:
        result: Any = message
        if isinstance(message, wire.Held):
            if len(fds) < message.brings_master + message.brings_arena + message.brings_link:
                message = self._short_of_descriptors(message, fds)
            else:
                result = self._held(message, fds)
        answer = self._answers.pop(message.id)
        if answer.cancelled():  # whoever asked is gone; a hold without visitors is of no use
            if isinstance(result, Hold):
                self.let_go(result)
        elif isinstance(message, wire.Refused):
            answer.set_exception(HostRefused(message))
        else:
            answer.set_result(result)

    def _short_of_descriptors(self, message: wire.Held, fds: list[int]) -> wire.Refused:
        """The kernel drops descriptors that do not fit this process's limit (recvmsg(2), MSG_CTRUNC)."""
        for fd in fds:
            os.close(fd)
        lost = message.arena if message.brings_arena else None
        self.tell(wire.Viewers(session=message.facts.id, count=0, lost_arena=lost))
        reason = "this worker has no descriptor left; raise the limit with: ulimit -n, or use more --workers"
        return wire.Refused(id=message.id, code="no_descriptor", message=reason)

    def _held(self, message: wire.Held, fds: list[int]) -> Hold:
        waiting = iter(fds)
        master = next(waiting) if message.brings_master else -1
        if message.brings_arena:
            self._arenas[message.arena] = Arena.receive(next(waiting), message.log_size)
        session = Session(Pty(master, message.facts.pid), self._arenas[message.arena].log(message.slot))
        hold = Hold(self, message.facts, session, pumping=message.pumping)
        if message.brings_link:
            hold.follow(next(waiting))
        self.holds[message.facts.id] = hold
        return hold

    def _noticed(self, message: wire.Notice, fds: list[int]) -> None:
        hold = self.holds.get(message.session)
        if hold is None:  # let go of meanwhile; the host learns from our notice
            for fd in fds:
                os.close(fd)
            return
        match message:
            case wire.Pump():
                hold.pump()
            case wire.Followed():
                hold.followed(fds[0])
            case wire.Linked():
                hold.follow(fds[0])
            case wire.Exited():
                hold.exited()
            case wire.Ended():
                hold.ended(message)
            case wire.Changed():
                hold.changed(message)
