"""A worker's end of the socket to one PTY host: requests with their answers, and notices about attached sessions."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.server import ipc
from web_terminal_suite.server.client_input import InputPipe
from web_terminal_suite.server.log import Arena
from web_terminal_suite.server.pty import Pty
from web_terminal_suite.server.session import Session
from web_terminal_suite.server.worker.attachment import Attachment

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from web_terminal_suite.server.input_queue import HeldInput
    from web_terminal_suite.server.worker.pause_watch import PauseWatch
    from web_terminal_suite.server.worker.scheduler import Scheduler


class HostError(TheirError):
    """The host refused a request, or failed at it; or this worker had no room for ``session``, which the host has."""

    def __init__(self, refused: ipc.ErrorReply, session: str | None = None) -> None:
        super().__init__(refused.code, refused.message)
        self.session = session


log = logging.getLogger("web_terminal_suite.worker")

# A request waits so long for a new host, when its host has died.
_REJOIN_SECONDS = 10.0
# What would do something else if it were done twice.
_ONCE = (ipc.CreateSession, ipc.SignalSession)
# What is handed over in one message.
_HANDED_BYTES = 64 * 1024
# Attachments in one packet of a report.
_REPORTED = 1000

# A host computes each answer at once. One that does not answer for as long hangs, or the whole machine does.
ANSWER_SECONDS = 10.0


def _refusal(request_id: int, error: OSError) -> ipc.ErrorReply:
    """What a client hears if this worker is short of descriptors or memory."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        reason = "this worker has no descriptor left; raise the limit with: ulimit -n, or use more --workers"
        return ipc.ErrorReply(id=request_id, code=ErrorCode.NO_DESCRIPTOR, message=reason)
    reason = f"this worker has no memory left for output logs ({(error.strerror or str(error)).lower()})"
    reason += "; raise the limit with: ulimit -v, or use more --workers"
    return ipc.ErrorReply(id=request_id, code=ErrorCode.NO_MEMORY, message=reason)


def _host_lost(request_id: int) -> ipc.ErrorReply:
    return ipc.ErrorReply(
        id=request_id, code=ErrorCode.HOST_LOST, message="the PTY host ended before it answered; try again"
    )


class HostClient:
    """Requests to one host, its answers and notices, and the sessions of that host with viewers in this worker."""

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        gone: Callable[[], None],
        scheduler: Scheduler,
        pauses: PauseWatch,
        number: int = 0,
    ) -> None:
        self._number = number
        self._loop = loop
        self._channel = ipc.Channel(sock)
        self._gone = gone
        self._scheduler = scheduler
        self._pauses = pauses
        self._attachments: dict[str, Attachment] = {}
        self._next_id = 0
        self._answers: dict[int, tuple[asyncio.Future[Any], ipc.Request]] = {}
        self._attaching: dict[str, asyncio.Future[Attachment]] = {}
        self._arenas: dict[int, Arena] = {}
        self._command: tuple[str, ...] = ()
        self._counting: asyncio.Task[ipc.StatsReply] | None = None
        self._flushing = False
        self.connected = True
        """Whether there is a channel to a host."""
        self._hopeless = False
        """Whether there has been no host for longer than a request waits."""
        self._pipe: InputPipe | None = None
        self._handed: dict[int, ipc.HandOverInput | ipc.DropInput] = {}
        """What a host is to type and no host has kept, by its id."""
        self._next_handed = int.from_bytes(os.urandom(3), "big") << 32
        loop.add_reader(self._channel.fileno(), self._readable)

    def input_pipe(self) -> InputPipe | None:
        """The pipe for numbered input, of which the host has the other end; ``None`` where no descriptor is left."""
        if self._pipe is None:
            try:
                self._pipe = InputPipe()
            except OSError as error:
                log.error(
                    "no pipe for acknowledged input (%s): if this worker is killed, its count may be wrong", error
                )
            else:
                self._lend_pipe()
        return self._pipe

    def _lend_pipe(self) -> None:
        if self.connected and self._pipe is not None:
            self._channel.send(ipc.LendPipe(), lent=(self._pipe.receiver,))

    # --- requests

    @property
    def waits(self) -> bool:
        """Whether something is still to be sent to the host, or kept by it."""
        return bool(self._handed) or (self.connected and self._channel.waits)

    async def ask(self, type_: type[ipc.Request], *, seconds: float | None = ANSWER_SECONDS, **fields: Any) -> Any:
        """The host's answer to a request; ``seconds`` is ``None`` where the answer must wait for something else.

        Raises:
            HostError: with the host's code and text.
            TheirError: the host did not answer in time, or the request is too large for it.
        """
        self._next_id += 1
        answer: asyncio.Future[Any] = self._loop.create_future()
        request = type_(id=self._next_id, **fields)
        if self._hopeless:
            raise HostError(_host_lost(request.id))
        self._answers[request.id] = answer, request
        try:
            self.tell(request)  # without a host it is sent to the next one
        except ipc.PacketTooBig as error:
            del self._answers[request.id]
            raise TheirError(
                ErrorCode.REQUEST_TOO_BIG, f"{error}; a shorter environment or argument list would do"
            ) from error
        except OverflowError as error:
            del self._answers[request.id]
            raise TheirError(ErrorCode.OUT_OF_RANGE, "a number does not fit in 64 bits") from error
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as error:
            # An answer that comes after all finds that nobody waits for it, see `_answered`.
            text = f"PTY host {self._number} did not answer within {seconds:g} s; the server's log says more"
            raise TheirError(ErrorCode.NO_ANSWER, text) from error

    async def count(self, seconds: float) -> ipc.StatsReply | None:
        """The host's counts, or ``None`` if it does not answer within ``seconds``, or died and was not replaced.

        However many ask, one question is under way: anybody may make this worker ask, also a host that does not read.
        """
        if self._counting is None or self._counting.done():
            self._counting = self._loop.create_task(self.ask(ipc.GetStats, seconds=None))
        counting = self._counting  # who asks once it is done begins another
        done, _waiting = await asyncio.wait({counting}, timeout=seconds)
        return counting.result() if done and counting.exception() is None else None

    def tell(self, message: ipc.FromWorker) -> None:
        """Send now, or as soon as the host has room.

        Without a host a notice is void: the next one gets a report.
        """
        if not self.connected:
            return
        self._channel.send(message)
        if self._channel.waits and not self._flushing:
            self._flushing = True
            self._loop.add_writer(self._channel.fileno(), self._flush)

    def hand_over(self, session: str, held: HeldInput) -> None:
        """Let the host type what this worker had to type, or the next host."""
        for at in range(0, len(held.data) or 1, _HANDED_BYTES):
            last = at + _HANDED_BYTES >= len(held.data)
            self._hand(
                ipc.HandOverInput(
                    id=self._new_id(),
                    session=session,
                    place=held.place,
                    start=held.start + at,
                    data=held.data[at : at + _HANDED_BYTES],
                    skip=held.skip if last else 0,
                )
            )

    def drop_input(self, session: str) -> None:
        """Let the host type nothing of what it has to."""
        self._hand(ipc.DropInput(id=self._new_id(), session=session))

    def _new_id(self) -> int:
        self._next_handed += 1
        return self._next_handed

    def _hand(self, notice: ipc.HandOverInput | ipc.DropInput) -> None:
        self._handed[notice.id] = notice
        self.tell(notice)

    async def attach(self, caller: ipc.Caller, session: str) -> Attachment:
        """A session that exists, attached to this worker.

        Raises:
            HostError: there is none, or it belongs to another user.
        """
        while (pending := self._attaching.get(session)) is not None:
            await asyncio.wait([pending])
        attachment = self._attachments.get(session)
        if attachment is not None:
            if caller.role in ("owner", "viewer") or attachment.info.user == caller.user:
                return attachment
            message = f"no session has the id {session!r}"
            raise HostError(ipc.ErrorReply(id=0, code=ErrorCode.NO_SUCH_SESSION, message=message))
        pending = self._attaching[session] = self._loop.create_future()
        try:
            attached: Attachment = await self.ask(ipc.AttachSession, caller=caller, session=session)
        finally:
            del self._attaching[session]
            pending.cancel()
        return attached

    def release(self, attachment: Attachment) -> None:
        """This worker has no viewer of the session any more."""
        if self._attachments.pop(attachment.info.id, None) is attachment:
            attachment.close()
            self.tell(ipc.ViewerCount(session=attachment.info.id, count=0))

    # --- a host that died, and the next one

    def _disconnect(self) -> None:
        """The host is gone: what it may have done already fails, other requests wait for the next one."""
        self.connected = False
        self._loop.remove_reader(self._channel.fileno())
        if self._flushing:
            self._flushing = False
            self._loop.remove_writer(self._channel.fileno())
        self._channel.close()
        self._fail(lambda request: isinstance(request, _ONCE))
        self._giving_up = self._loop.call_later(_REJOIN_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._hopeless = True
        self._fail(lambda _request: True)

    def _fail(self, concerned: Callable[[ipc.Request], bool]) -> None:
        for id, (answer, request) in list(self._answers.items()):
            if concerned(request):
                del self._answers[id]
                if not answer.done():
                    answer.set_exception(HostError(_host_lost(id)))

    def rejoin(self, sock: socket.socket) -> None:
        """Speak to the host that is in the place of the one before, over ``sock``."""
        while self.connected:  # what that one said before it died comes first
            try:
                received = self._channel.receive()
            except ipc.ChannelClosed:
                received = None
            if received is None:
                self._disconnect()
            else:
                self._receive(*received)
        self._giving_up.cancel()
        self._channel = ipc.Channel(sock)
        self.connected, self._hopeless = True, False
        self._loop.add_reader(self._channel.fileno(), self._readable)
        self._lend_pipe()
        for notice in self._handed.values():
            self.tell(notice)
        for id, (answer, request) in list(self._answers.items()):
            if answer.done():  # the connection that asked is gone
                del self._answers[id]
            else:
                self.tell(request)

    def _report(self) -> None:
        """Tell a host that took over what this worker is attached to."""
        states = [attachment.state() for attachment in self._attachments.values()]
        for first in range(0, max(1, len(states)), _REPORTED):
            self.tell(
                ipc.AttachmentReport(
                    attachments=tuple(states[first : first + _REPORTED]),
                    arenas=tuple(self._arenas),
                    last=first + _REPORTED >= len(states),
                )
            )

    # --- answers and notices

    def _flush(self) -> None:
        self._channel.flush()
        if not self._channel.waits:
            self._flushing = False
            self._loop.remove_writer(self._channel.fileno())

    def _readable(self) -> None:
        try:
            received = self._channel.receive()
        except ipc.ChannelClosed:
            self._disconnect()
            self._gone()
            return
        if received is not None:
            self._receive(*received)

    def _receive(self, packet: bytes, fds: list[int]) -> None:
        message = ipc.decode_from_host(packet)
        if isinstance(message, ipc.Answer):
            self._answered(message, fds)
        else:
            self._noticed(message, fds)

    def _answered(self, message: ipc.Answer, fds: list[int]) -> None:
        result: Any = message
        if isinstance(message, ipc.AttachReply):
            try:
                result = self._attached(message, fds)
            except HostError as refused:
                result = refused
        elif isinstance(message, ipc.ErrorReply):
            result = HostError(message)
        answer, _request = self._answers.pop(message.id)
        if answer.cancelled():  # the connection that asked is gone
            if isinstance(result, Attachment):
                result.release_if_unused()
        elif isinstance(result, HostError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def _attached(self, message: ipc.AttachReply, fds: list[int]) -> Attachment:
        """The session of an answer.

        Raises:
            HostError: this worker is short of descriptors or memory. It is not attached then, and ``fds`` are closed.
        """
        unused = list(fds)
        try:
            # The kernel drops descriptors that do not fit this process's limit (recvmsg(2), MSG_CTRUNC).
            if len(fds) < message.brings_master + message.brings_arena + message.brings_channel:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            master = unused.pop(0) if message.brings_master else -1
            pty = Pty(master, message.info.pid)
            try:
                if message.brings_arena:
                    self._arenas[message.arena] = Arena.receive(unused.pop(0), message.log_size)
                if message.arena not in self._arenas:  # brought by an answer before this one, which had no room for it
                    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
                attachment = self._attachment(message, pty)
                if message.brings_channel:
                    attachment.follow(unused.pop(0))
            except BaseException:
                pty.close()
                raise
        except OSError as error:
            for fd in unused:
                os.close(fd)
            lost = None if message.arena in self._arenas else message.arena
            self.tell(ipc.ViewerCount(session=message.info.id, count=0, lost_arena=lost))
            raise HostError(_refusal(message.id, error), message.info.id) from error
        self._attachments[message.info.id] = attachment
        return attachment

    def _attachment(self, message: ipc.AttachReply, pty: Pty) -> Attachment:
        session = Session(pty, self._arenas[message.arena].log(message.slot), self._scheduler)
        session.held_elsewhere = message.held_input
        return Attachment(
            self._shared(message.info),
            session,
            owner=self,
            loop=self._loop,
            scheduler=self._scheduler,
            pauses=self._pauses,
            pumping=message.pumping,
        )

    def _shared(self, info: ipc.SessionInfo) -> ipc.SessionInfo:
        """The same, with one copy of what is alike in thousands of sessions."""
        if info.command != self._command:
            self._command = info.command
        return msgspec.structs.replace(
            info,
            user=sys.intern(info.user),
            state=sys.intern(info.state),
            command=self._command,
        )

    def _noticed(self, message: ipc.Notice, fds: list[int]) -> None:
        if isinstance(message, ipc.ReportAttachments):
            self._report()
            return
        if isinstance(message, ipc.InputKept):
            self._handed.pop(message.id, None)
            return
        attachment = self._attachments.get(message.session)
        if attachment is None:  # released meanwhile; the host learns it from our notice
            for fd in fds:
                os.close(fd)
            return
        if isinstance(message, ipc.FollowerAdded | ipc.PumpChanged) and not fds:
            log.error(
                "session %s: no descriptor for a channel to another worker; viewers see no output until they attach "
                "again; raise the limit with: ulimit -n", message.session,
            )  # fmt: skip
            return
        match message:
            case ipc.BecomePump():
                attachment.become_pump()
            case ipc.FollowerAdded():
                attachment.add_follower(fds[0])
            case ipc.PumpChanged():
                attachment.follow(fds[0])
            case ipc.ShellExited():
                attachment.shell_exited()
            case ipc.SessionEnded():
                attachment.ended(message)
            case ipc.SizeReleased():
                attachment.restore_size()
            case ipc.SessionUpdated():
                attachment.updated(message)
            case ipc.TakeInput():
                attachment.give_up_client(message.place)
            case ipc.InputHeld():
                attachment.hold_input(message.bytes)
            case ipc.InputLost():
                attachment.lose_input(message.place)
