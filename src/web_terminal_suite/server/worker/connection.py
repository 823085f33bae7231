"""One viewer's WebSocket, whatever its wire: frames in, one session followed with one cursor, an end.

A wire is a class below ``ServerConnection``: it says what a whole message means (``_receive``) and what output and the
session's end look like on it. Everything else is here, once for all of them.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar

from picows import WSCloseCode, WSMsgType

from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import MessageTooBig, OutOfRange, TheirError, UnsupportedData
from web_terminal_suite.server import ipc
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.log import Overrun
from web_terminal_suite.server.session import Cursor
from web_terminal_suite.server.worker import relays
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.relay import HEAD_ROOM

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from picows import WSFrame, WSTransport

    from web_terminal_suite.server.worker.attachment import Attachment
    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.relay import Relay

log = logging.getLogger("web_terminal_suite.worker")

# What one frame carries at most; smaller ones keep a typist's frame from waiting behind a large one.
_FRAME_BYTES = 64 * 1024
# How long a peer may take to answer our close frame.
_CLOSE_SECONDS = 1.0
_CLOSE_REASON_BYTES = 123
BINARY = WSMsgType.BINARY
TEXT = WSMsgType.TEXT


def address(transport: asyncio.BaseTransport) -> str:
    """Where a connection comes from."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


class ServerConnection(relays.Listener):
    """One WebSocket: at most one session at a time, followed with one cursor. A Visitor of its Hold."""

    # Unsent bytes beyond which ``pause_writing`` is called. Above a window of output in JSON's longest form (six bytes
    # for one), so that an interrupt is heard however slowly the output is read.
    UNSENT_BYTES: ClassVar[int] = 1 << 20

    __slots__ = (
        "_allowance",
        "_allowance_at",
        "_closing",
        "_context",
        "_counters",
        "_cursor",
        "_deadline",
        "_fragments",
        "_fragments_text",
        "_grant",
        "_hold",
        "_mode",
        "_output_space",
        "_task",
        "_transport",
    )  # fmt: skip

    def __init__(self, context: WorkerContext, grant: Principal | None, output_space: bytes) -> None:
        self._context = context
        self._counters = context.counters.row
        self._grant = grant
        # What goes before the bytes of every frame of output.
        self._output_space = output_space
        self._transport: WSTransport = None  # type: ignore[assignment]  # set before any frame
        self._fragments: bytearray | None = None
        self._fragments_text = False
        self._hold: Attachment | None = None
        self._cursor: Cursor | None = None
        self._relay: Relay | None = None
        self._mode: m.Mode = "write"
        self._deadline: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._allowance = 0.0
        self._allowance_at = 0.0

    # --- what a wire says of itself

    def _begin(self) -> None:
        """The handshake is answered: greet, if this wire does."""
        raise NotImplementedError

    def _welcome(self, grant: Principal) -> None:
        """It is known who is there."""
        raise NotImplementedError

    def _receive(self, text: bool, payload: bytes) -> None:
        """Act on a whole message; nothing that a client sends is raised."""
        raise NotImplementedError

    def _tell_error(self, error: TheirError) -> None:
        """Say what was wrong, where this wire has words for it."""
        raise NotImplementedError

    def _send_output(self, cursor: Cursor, buffer: bytearray, offset: int, count: int) -> bool:
        """Send what lies in ``buffer`` behind the space: ``count`` bytes from ``offset`` on; whether to go on."""
        raise NotImplementedError

    def _tell_gap(self, start: int, end: int) -> None:
        """These bytes fell out of the log before they could be sent."""
        raise NotImplementedError

    def _tell_end(self, hold: Attachment, end: ipc.SessionEnded) -> None:
        """The last byte was sent, and the session is over."""
        raise NotImplementedError

    # --- the connection's life

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        relays.lighten(transport)
        self._counters[Counters.CONNECTIONS_OPENED] += 1
        transport.underlying_transport.set_write_buffer_limits(high=self.UNSENT_BYTES)
        try:
            self._begin()
            if self._grant is not None:
                self._enter(self._grant)
            else:
                self._context.unauthenticated += 1
                timeout = self._context.settings.authentication_timeout
                self._deadline = self._context.loop.call_later(timeout, self._unauthenticated)
        finally:
            self.flush(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._counters[Counters.CONNECTIONS_CLOSED] += 1
        self._closing = True
        if self._grant is None:
            self._context.unauthenticated -= 1
        if self._deadline is not None:
            self._deadline.cancel()
        # An attach under way is not cancelled: its answer brings descriptors, and others may wait for the same hold.
        self._leave()

    def pause_writing(self) -> None:
        """The client asks (echo, ping) and does not read the answers: nor do we read on."""
        self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.underlying_transport.resume_reading()

    def _leave(self) -> None:
        hold, self._hold, self._cursor, self._relay = self._hold, None, None, None
        if hold is not None:
            hold.leave(self)

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame, and hang up when the peer has answered or taken too long."""
        if self._closing:
            return
        self._closing = True
        self._leave()
        text = reason.encode()[:_CLOSE_REASON_BYTES].decode(errors="ignore")
        self.flush(self._transport)
        self._transport.send_close(int(code), text)  # type: ignore[arg-type]  # codes from 4000 up are ours
        self._context.loop.call_later(_CLOSE_SECONDS, self._transport.disconnect, False)

    def _refuse(self, error: TheirError) -> None:
        """Say what was wrong; close where the error demands it."""
        if self._closing:
            return
        self._counters[Counters.ERRORS] += 1
        self._tell_error(error)
        if error.close is not None:
            self.close(error.close, error.message)

    # --- frames in

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._closing:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        kind = frame.msg_type
        if kind == BINARY or kind == TEXT:
            if frame.fin and self._fragments is None:
                self._receive(kind == TEXT, frame.get_payload_as_bytes())
            else:
                self._begin_fragments(frame)
        elif kind == WSMsgType.CONTINUATION:
            self._continue_fragments(frame)
        elif kind == WSMsgType.PING:
            self._pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            self._closing = True
            self.flush(transport)
            transport.send_close(frame.get_close_code() or WSCloseCode.OK)
            transport.disconnect()

    def _pong(self, payload: bytes) -> None:
        self._send_frame(WSMsgType.PONG, payload)

    def _begin_fragments(self, frame: WSFrame) -> None:
        if self._fragments is not None:
            self._refuse(UnsupportedData("a new message began before the fragmented one ended"))
            return
        self._relay = None  # what comes between two fragments is no input
        self._fragments = bytearray(frame.get_payload_as_bytes())
        self._fragments_text = frame.msg_type == TEXT

    def _continue_fragments(self, frame: WSFrame) -> None:
        if self._fragments is None:
            self._refuse(UnsupportedData("a continuation frame without a beginning"))
            return
        self._fragments += frame.get_payload_as_bytes()
        size = len(self._fragments)
        if size > self._context.settings.message_limit:
            self._fragments = None
            self._refuse(MessageTooBig(size, self._context.settings.message_limit))
        elif frame.fin:
            payload, self._fragments = bytes(self._fragments), None
            self._receive(self._fragments_text, payload)

    def _spend_allowance(self) -> None:
        """A token bucket that holds one second's worth."""
        rate = self._context.settings.messages_per_second
        now = time.monotonic()
        self._allowance = min(rate, self._allowance + (now - self._allowance_at) * rate)
        self._allowance_at = now
        if self._allowance < 1:
            raise TheirError(ErrorCode.RATE_LIMIT, f"more than {rate} messages a second")
        self._allowance -= 1

    # --- who is there

    def _unauthenticated(self) -> None:
        seconds = self._context.settings.authentication_timeout
        self._refuse(
            TheirError(
                ErrorCode.AUTHENTICATION_TIMEOUT,
                f"nobody authenticated within {seconds:g} s",
            )
        )

    def _log_in(self, token: str) -> None:
        """Let in whoever has ``token``.

        Raises:
            TheirError: nobody has it, or too many wrong ones came from there.
        """
        try:
            grant = self._context.access.try_token(token, address(self._transport.underlying_transport))
        except TooManyFailures as denied:
            raise TheirError(ErrorCode.RATE_LIMIT, denied.reason) from denied
        except Denied as denied:
            self._counters[Counters.AUTHENTICATIONS_FAILED] += 1
            raise TheirError(ErrorCode.AUTHENTICATION_FAILED, denied.reason) from denied
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._context.unauthenticated -= 1
        self._grant = grant
        self._enter(grant)

    def _enter(self, grant: Principal) -> None:
        self._welcome(grant)
        if grant.until is not None:  # a socket must not outlive the login that opened it
            self._deadline = self._context.loop.call_later(max(0.0, grant.until - time.time()), self._login_over)

    def _login_over(self) -> None:
        self._refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the login is over; log in again"))

    # --- a session to follow

    def _join(self, session: str, follow: Callable[[Attachment, Principal], None]) -> None:
        """Let the host give ``session``; ``follow`` becomes its viewer."""
        self._task = self._context.loop.create_task(
            self._ask_host(self._context.hosts.attach(self._who, session), follow)
        )

    def _create(
        self, spec: m.SessionSpec, follow: Callable[[Attachment, Principal], None], *, tied: bool = False
    ) -> None:
        """Let the host create a session; ``follow`` becomes its viewer. ``tied`` to this connection's life or not."""
        asking = self._context.hosts.create_attached(self._who, spec, tied=tied)
        self._task = self._context.loop.create_task(self._ask_host(asking, follow, created=True))

    @property
    def _who(self) -> ipc.Caller:
        grant = self._grant
        assert grant is not None  # every wire asks for something only once it knows who is there
        return ipc.Caller(grant.user, grant.role)

    async def _ask_host(
        self,
        asking: Coroutine[Any, Any, Attachment],
        follow: Callable[[Attachment, Principal], None],
        *,
        created: bool = False,
    ) -> None:
        grant = self._grant
        assert grant is not None  # as above
        hold: Attachment | None = None
        try:
            hold = await asking
            if self._closing:
                if created:  # nobody was told its id, so nobody would come back to it
                    self._destroy(hold.info.id)
                return
            self.gather(self._transport)
            try:
                follow(hold, grant)
            finally:
                self.flush(self._transport)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # As in _receive: nobody awaits this task, so the failure is told and logged here.
            log.exception("attach failed")
            self.close(CloseCode.INTERNAL_ERROR, "")
        finally:
            self._task = None
            if hold is not None:
                hold.release_if_unused()

    def _look_at(self, hold: Attachment, mode: m.Mode, offset: int, window_bytes: int) -> None:
        """Set the cursor, before anything can be appended, so that nothing is missed or doubled."""
        self._mode = mode
        self._cursor = Cursor(hold.session.log, offset, window_bytes)
        self._hold = hold

    def _destroy(self, session: str) -> None:
        """End a session, then this connection."""
        self._context.spawn(self._destroy_at_host(self._who, session))

    async def _destroy_at_host(self, who: ipc.Caller, session: str) -> None:
        try:
            await self._context.hosts.of(session).ask(ipc.DestroySession, who=who, session=session)
        except TheirError as error:
            log.info("session %s was not destroyed: %s", session, error)
        self.close(CloseCode.NORMAL, "session destroyed")

    # --- what the client wants of its session

    def _type(self, data: bytes) -> None:
        hold = self._hold
        if hold is None:  # ended: the client could not know
            return
        self._must_write()
        self._counters[Counters.INPUT_BYTES] += len(data)
        if not hold.write(data):
            raise TheirError(
                ErrorCode.INPUT_OVERFLOW, f"{len(data)} bytes of input refused: the program has not read 1 MiB"
            )

    def _must_write(self) -> None:
        if self._mode != "write":
            raise TheirError(ErrorCode.READ_ONLY, "this viewer may only read")

    def _set_size(self, cols: int, rows: int) -> None:
        self._check_size(cols, rows)
        if self._hold is not None:
            self._must_write()
            self._hold.resize(m.Size(cols, rows), self)

    def _check_size(self, cols: int, rows: int) -> None:
        settings = self._context.settings
        for name, value, limit in (("cols", cols, settings.max_cols), ("rows", rows, settings.max_rows)):
            if not 1 <= value <= limit:
                raise OutOfRange(f"{name} = {value} is out of range: 1 to {limit}")

    # --- what the session says

    def fast_path(self, hold: Attachment) -> Relay | None:
        return None

    def credit_end(self) -> int:
        cursor = self._cursor
        return 0 if cursor is None else cursor.window.sent + cursor.window.room()

    def advance(self) -> None:
        """Send what the log has and the window allows, then the end if that was all."""
        cursor = self._cursor
        if cursor is None:
            return
        while (count := cursor.ready(_FRAME_BYTES)) > 0:
            buffer = bytearray(self._output_space)
            try:
                offset = cursor.take(buffer, count)
            except Overrun as overrun:
                self._note_gap(*cursor.skip(overrun))
                continue
            if not self._send_output(cursor, buffer, offset, count):
                break
        hold = self._hold
        if hold is not None and hold.end is not None and cursor.window.sent >= hold.end.offset:
            end = hold.end
            self._leave()
            self._tell_end(hold, end)

    def _note_gap(self, start: int, end: int) -> None:
        self._counters[Counters.GAPS] += 1
        self._tell_gap(start, end)

    def ended(self, notice: ipc.SessionEnded) -> None:
        self.advance()

    def resized(self, size: m.Size) -> None:
        """Somebody else set the size."""

    def paused(self, direction: str, paused: bool) -> None:
        """The program waits for the viewers, or does not read."""

    # --- frames out

    def _send_frame(self, kind: WSMsgType, payload: bytes) -> None:
        """Send a whole message.

        Not with picows' ``send``: above 8 KiB, when the socket is full, it leaves the transport a view of its own
        buffer as the frame's head, and the next frame writes over it.
        """
        buffer = bytearray(HEAD_ROOM)
        buffer += payload
        self.put(self._transport, kind, buffer)
