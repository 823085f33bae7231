"""A worker's side of one host's socket: questions with their answers, and notices about the sessions it holds."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.protocol.errors import CloseCode, TheirError
from web_terminal_suite.server import ipc
from web_terminal_suite.server.log import Arena
from web_terminal_suite.server.pty import Pty
from web_terminal_suite.server.session import Session
from web_terminal_suite.server.worker.attachment import Attachment

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from web_terminal_suite.server.worker.scheduler import Scheduler

# A pause shorter than this is ordinary flow control and not worth a message.
_ANNOUNCE_SECONDS = 1.0

_CLOSE_CODES = {
    "no_such_session": CloseCode.NO_SUCH_SESSION,
    "session_expired": CloseCode.SESSION_EXPIRED,
    "session_limit": CloseCode.SESSION_LIMIT,
    "forbidden": CloseCode.FORBIDDEN,
    "going_away": CloseCode.GOING_AWAY,
    "out_of_range": None,
}


class HostError(TheirError):
    """The host said no; every code that is not of the table means that the shell did not start."""

    def __init__(self, refused: ipc.ErrorReply) -> None:
        super().__init__(refused.code, refused.message, _CLOSE_CODES.get(refused.code, CloseCode.SPAWN_FAILED))


class HostClient:
    """Questions to the host, its answers, and its notices."""

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop, gone: Callable[[], None], rota: Scheduler
    ) -> None:
        self.loop = loop
        self.holds: dict[str, Attachment] = {}
        self.paused: set[Attachment] = set()
        self._channel = ipc.Channel(sock)
        self._gone = gone
        self._next_id = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._joining: dict[str, asyncio.Future[Attachment]] = {}
        self._arenas: dict[int, Arena] = {}
        self.rota = rota
        self._command: tuple[str, ...] = ()
        self._flushing = False
        self._watching_pauses = False
        loop.add_reader(self._channel.fileno(), self._readable)

    # --- asking

    async def ask(self, type_: type[ipc.Request], **fields: Any) -> Any:
        """The host's answer to a request.

        Raises:
            HostRefused: with the host's code and text.
        """
        self._next_id += 1
        answer: asyncio.Future[Any] = self.loop.create_future()
        self._answers[self._next_id] = answer
        try:
            self.tell(type_(id=self._next_id, **fields))
        except ipc.PacketTooBig as error:
            del self._answers[self._next_id]
            raise TheirError("message_too_big", f"{error}; a shorter environment or argument list would do") from error
        except OverflowError as error:
            del self._answers[self._next_id]
            raise TheirError("out_of_range", "a number does not fit in 64 bits") from error
        return await answer

    def tell(self, message: ipc.FromWorker) -> None:
        """Send now, or as soon as the host has room."""
        self._channel.send(message)
        if self._channel.waits and not self._flushing:
            self._flushing = True
            self.loop.add_writer(self._channel.fileno(), self._flush)

    async def join(self, who: ipc.Caller, session: str) -> Attachment:
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
            raise HostError(ipc.ErrorReply(id=0, code="no_such_session", message=f"no session has the id {session!r}"))
        pending = self._joining[session] = self.loop.create_future()
        try:
            joined: Attachment = await self.ask(ipc.JoinSession, who=who, session=session)
        finally:
            del self._joining[session]
            pending.cancel()
        return joined

    def let_go(self, hold: Attachment) -> None:
        """This worker has no viewer of the session any more."""
        if self.holds.pop(hold.facts.id, None) is hold:
            hold.close()
            self.tell(ipc.ViewerCount(session=hold.facts.id, count=0))

    # --- pauses worth telling

    def note_pause(self, hold: Attachment) -> None:
        """A pump waits for its viewers; they are told when it lasts."""
        self.paused.add(hold)
        if not self._watching_pauses:
            self._watching_pauses = True
            self.loop.call_later(_ANNOUNCE_SECONDS, self._look_at_pauses, {hold: hold.session.log.end})

    def _look_at_pauses(self, before: dict[Attachment, int]) -> None:
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
        except ipc.ChannelClosed:
            self.loop.remove_reader(self._channel.fileno())
            self._gone()
            return
        if received is None:
            return
        packet, fds = received
        message = ipc.decode_from_host(packet)
        if isinstance(message, ipc.Answer):
            self._answered(message, fds)
        else:
            self._noticed(message, fds)

    def _answered(self, message: ipc.Answer, fds: list[int]) -> None:
        result: Any = message
        if isinstance(message, ipc.AttachReply):
            if len(fds) < message.brings_master + message.brings_arena + message.brings_link:
                message = self._short_of_descriptors(message, fds)
            else:
                result = self._held(message, fds)
        answer = self._answers.pop(message.id)
        if answer.cancelled():  # whoever asked is gone; a hold without visitors is of no use
            if isinstance(result, Attachment):
                self.let_go(result)
        elif isinstance(message, ipc.ErrorReply):
            answer.set_exception(HostError(message))
        else:
            answer.set_result(result)

    def _short_of_descriptors(self, message: ipc.AttachReply, fds: list[int]) -> ipc.ErrorReply:
        """The kernel drops descriptors that do not fit this process's limit (recvmsg(2), MSG_CTRUNC)."""
        for fd in fds:
            os.close(fd)
        lost = message.arena if message.brings_arena else None
        self.tell(ipc.ViewerCount(session=message.facts.id, count=0, lost_arena=lost))
        reason = "this worker has no descriptor left; raise the limit with: ulimit -n, or use more --workers"
        return ipc.ErrorReply(id=message.id, code="no_descriptor", message=reason)

    def _held(self, message: ipc.AttachReply, fds: list[int]) -> Attachment:
        waiting = iter(fds)
        master = next(waiting) if message.brings_master else -1
        if message.brings_arena:
            self._arenas[message.arena] = Arena.receive(next(waiting), message.log_size)
        log = self._arenas[message.arena].log(message.slot)
        session = Session(Pty(master, message.facts.pid), log, self.rota)
        hold = Attachment(self, self._shared(message.facts), session, pumping=message.pumping)
        if message.brings_link:
            hold.follow(next(waiting))
        self.holds[message.facts.id] = hold
        return hold

    def _shared(self, facts: ipc.SessionInfo) -> ipc.SessionInfo:
        """The same, with one copy of what is alike in thousands of sessions."""
        if facts.command != self._command:
            self._command = facts.command
        return msgspec.structs.replace(
            facts,
            user=sys.intern(facts.user),
            state=sys.intern(facts.state),
            command=self._command,
        )

    def _noticed(self, message: ipc.Notice, fds: list[int]) -> None:
        hold = self.holds.get(message.session)
        if hold is None:  # let go of meanwhile; the host learns from our notice
            for fd in fds:
                os.close(fd)
            return
        match message:
            case ipc.BecomePump():
                hold.pump()
            case ipc.FollowerAdded():
                hold.followed(fds[0])
            case ipc.PumpChanged():
                hold.follow(fds[0])
            case ipc.ShellExited():
                hold.exited()
            case ipc.SessionEnded():
                hold.ended(message)
            case ipc.SessionUpdated():
                hold.changed(message)
