"""One client's WebSocket: frames in, actions out, and one session followed with one cursor. It knows no protocol.

What a message means and how output looks is decided by a ``ServerProtocol``, which does no I/O.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from picows import WSCloseCode, WSMsgType

from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import MessageTooBig, TheirError, UnsupportedData
from web_terminal_suite.server import ipc
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.log import Overrun
from web_terminal_suite.server.pty import usage
from web_terminal_suite.server.session import Cursor
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.protocols import protocol as p

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable

    from picows import WSFrame, WSTransport

    from web_terminal_suite.protocol.messages import Mode, Size
    from web_terminal_suite.server.worker.attachment import Attachment, FastReader
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

# What one frame carries at most; smaller ones keep a typist's frame from waiting behind a large one.
_FRAME_BYTES = 64 * 1024
# How long a peer may take to answer our close frame.
_CLOSE_SECONDS = 1.0
_CLOSE_REASON_BYTES = 123
# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_BINARY = WSMsgType.BINARY
_TEXT = WSMsgType.TEXT
_MESSAGES_SENT = Counters.MESSAGES_SENT
_OUTPUT_BYTES = Counters.OUTPUT_BYTES


def address(transport: asyncio.BaseTransport) -> str:
    """Where a connection comes from."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


class ServerConnection(outbox.MessageListener):
    """One WebSocket: at most one session at a time. An ``AttachedViewer`` of its attachment."""

    __slots__ = (
        "_allowance", "_allowance_at", "_attachment", "_closing", "_context", "_counters", "_cursor", "_deadline",
        "_end", "_fragments", "_fragments_text", "_mode", "_ping", "_principal", "_protocol", "_task", "_tied",
        "_transport", "_unsent", "_usage_timer",
    )  # fmt: skip

    def __init__(self, context: WorkerContext, protocol: p.ServerProtocol, principal: Principal | None) -> None:
        self._context = context
        self._protocol = protocol
        self._principal = principal
        self._counters = context.counters.row
        self._transport: WSTransport = None  # type: ignore[assignment]  # set before any frame
        self._fragments: bytearray | None = None
        self._fragments_text = False
        self._attachment: Attachment | None = None
        self._cursor: Cursor | None = None
        self._mode: Mode = "write"
        self._tied = False  # the session ends with this connection
        self._deadline: asyncio.TimerHandle | None = None
        self._usage_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._unsent = False
        self._ping: bytes | None = None
        self._end: p.SessionEnd | None = None
        self._allowance = 0.0
        self._allowance_at = 0.0
        self.fast = None

    # --- the connection's life

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        outbox.lighten(transport)
        self._counters[Counters.CONNECTIONS_OPENED] += 1
        transport.underlying_transport.set_write_buffer_limits(high=self._protocol.unsent_bytes)
        try:
            self._perform(self._protocol.greet(authenticated=self._principal is not None))
            if self._principal is not None:
                self._enter(self._principal)
            else:
                self._context.unauthenticated += 1
                timeout = self._context.settings.authentication_timeout
                self._deadline = self._context.loop.call_later(timeout, self._authentication_timeout)
        finally:
            self.flush(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._counters[Counters.CONNECTIONS_CLOSED] += 1
        self._closing = True
        if self._principal is None:
            self._context.unauthenticated -= 1
        if self._deadline is not None:
            self._deadline.cancel()
        # An attach under way is not cancelled: its answer brings descriptors, and other connections may wait for the
        # same attachment.
        self._leave()

    def _leave(self) -> None:
        """Stop following the session."""
        attachment, self._attachment, self._cursor, self.fast = self._attachment, None, None, None
        if self._usage_timer is not None:
            self._usage_timer.cancel()
        if attachment is not None:
            attachment.leave(self)
            if self._tied and attachment.end is None:
                self._destroy(attachment.info.id)

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame, and disconnect when the peer has answered or taken too long."""
        if self._closing:
            return
        self._closing = True
        self._leave()
        text = reason.encode()[:_CLOSE_REASON_BYTES].decode(errors="ignore")
        self.flush(self._transport)
        self._transport.send_close(int(code), text)  # type: ignore[arg-type]  # codes from 4000 up are ours
        self._context.loop.call_later(_CLOSE_SECONDS, self._transport.disconnect, False)

    def _refuse(self, error: TheirError) -> None:
        """Tell the client of an error; close if it is fatal."""
        if self._closing:
            return
        self._counters[Counters.ERRORS] += 1
        self._perform(self._protocol.error(error))
        if error.close is not None:
            self.close(error.close, error.message)

    def _fail(self, doing: str) -> None:
        """A failure of ours ends this connection; the others go on."""
        log.exception("%s failed", doing)
        self.close(CloseCode.INTERNAL_ERROR, "")

    # --- what the client does not read

    def pause_writing(self) -> None:
        """More than ``unsent_bytes`` wait. A client that asks (echo, ping) and does not read is not read either."""
        self._unsent = True
        if self._protocol.acknowledges:
            self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._unsent = False
        if self._protocol.acknowledges:
            self._transport.underlying_transport.resume_reading()
            return
        if self._ping is not None:
            self._pong(self._ping)
        if self._end is not None:
            self._tell_end(self._end)
        self._acknowledge_sent()
        self.advance()
        if self._attachment is not None:
            self._attachment.credited()

    def _acknowledge_sent(self) -> None:
        """What left the send buffer counts as acknowledged, where the protocol has no acknowledgements."""
        cursor = self._cursor
        if cursor is not None:
            cursor.window.ack(cursor.window.sent)

    def _pong(self, payload: bytes) -> None:
        """Answer a ping.

        Where reading is not paused, only the latest (RFC 6455 section 5.5.3) and once there is room: pings alone must
        not fill the send buffer.
        """
        wait = self._unsent and not self._protocol.acknowledges
        self._ping = payload if wait else None
        if not wait:
            buffer = bytearray(p.HEAD_ROOM)
            buffer += payload
            self.put(self._transport, WSMsgType.PONG, buffer)

    # --- frames in

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._closing:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        kind = frame.msg_type
        if kind == _BINARY or kind == _TEXT:
            if frame.fin and self._fragments is None:
                self._receive(kind == _TEXT, frame.get_payload_as_bytes())
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

    def _begin_fragments(self, frame: WSFrame) -> None:
        if self._fragments is not None:
            self._refuse(UnsupportedData("a new message began before the fragmented one ended"))
            return
        self.fast = None  # what comes between two fragments is no input
        self._fragments = bytearray(frame.get_payload_as_bytes())
        self._fragments_text = frame.msg_type == _TEXT

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

    def _receive(self, text: bool, payload: bytes) -> None:
        """Act on a whole message; nothing that a client sends is raised."""
        self._counters[Counters.MESSAGES_RECEIVED] += 1
        try:
            if self._context.settings.messages_per_second:
                self._spend_allowance()
            self._perform(self._protocol.receive(text, payload))
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # Whatever it is, it is a failure of ours and must not reach other connections.
            self._fail("connection")

    def _spend_allowance(self) -> None:
        """A token bucket that holds one second's worth."""
        rate = self._context.settings.messages_per_second
        now = time.monotonic()
        self._allowance = min(rate, self._allowance + (now - self._allowance_at) * rate)
        self._allowance_at = now
        if self._allowance < 1:
            raise TheirError(ErrorCode.RATE_LIMIT, f"more than {rate} messages a second")
        self._allowance -= 1

    # --- actions

    def _perform(self, actions: Iterable[p.Action]) -> None:
        for action in actions:
            if self._closing:
                return
            _PERFORM[type(action)](self, action)

    def _send(self, frame: p.OutgoingFrame) -> None:
        self._counters[_MESSAGES_SENT] += 1
        self.put(self._transport, _TEXT if frame.text else _BINARY, frame.buffer)

    def _log_in(self, action: p.LogIn) -> None:
        try:
            principal = self._context.access.try_token(action.token, address(self._transport.underlying_transport))
        except TooManyFailures as denied:
            raise TheirError(ErrorCode.RATE_LIMIT, denied.reason) from denied
        except Denied as denied:
            self._counters[Counters.AUTHENTICATIONS_FAILED] += 1
            raise TheirError(ErrorCode.AUTHENTICATION_FAILED, denied.reason) from denied
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._context.unauthenticated -= 1
        self._principal = principal
        self._enter(principal)

    def _enter(self, principal: Principal) -> None:
        self._perform(self._protocol.authenticated(principal.user, principal.role))
        if principal.until is not None:  # a socket must not outlive the login that opened it
            self._deadline = self._context.loop.call_later(max(0.0, principal.until - time.time()), self._login_over)

    def _authentication_timeout(self) -> None:
        seconds = self._context.settings.authentication_timeout
        self._refuse(TheirError(ErrorCode.AUTHENTICATION_TIMEOUT, f"no authentication within {seconds:g} s"))

    def _login_over(self) -> None:
        self._refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the login is over; log in again"))

    def _start_session(self, action: p.StartSession) -> None:
        self._leave()
        self._tied = action.tied
        asking = self._context.hosts.create_attached(self._caller, action.spec, tied=action.tied)
        self._task = self._context.loop.create_task(self._attach(asking, created=True))

    def _enter_session(self, action: p.EnterSession) -> None:
        self._leave()
        asking = self._context.hosts.attach(self._caller, action.session)
        self._task = self._context.loop.create_task(self._attach(asking, created=False))

    @property
    def _caller(self) -> ipc.Caller:
        principal = self._principal
        assert principal is not None  # every protocol asks for a session only after `authenticated`
        return ipc.Caller(principal.user, principal.role)

    def _type_input(self, action: p.TypeInput) -> None:
        attachment = self._attachment
        if attachment is None:  # ended: the client could not know
            return
        self._must_write()
        data = action.data
        self._counters[Counters.INPUT_BYTES] += len(data)
        if not attachment.write(data):
            text = f"{len(data)} bytes of input refused: the program has not read 1 MiB"
            raise TheirError(ErrorCode.INPUT_OVERFLOW, text)

    def _must_write(self) -> None:
        if self._mode != "write":
            raise TheirError(ErrorCode.READ_ONLY, "this viewer may only read")

    def _set_size(self, action: p.SetSize) -> None:
        if self._attachment is not None:
            self._must_write()
            self._attachment.resize(action.size, self)

    def _send_signal(self, action: p.SendSignal) -> None:
        if self._attachment is not None and self._attachment.session.pty.fd >= 0:
            self._must_write()
            self._attachment.session.pty.signal(action.number)

    def _acknowledge(self, action: p.Acknowledge) -> None:
        if self._cursor is not None:
            self._cursor.window.ack(action.offset)
            self._credited()

    def _set_window(self, action: p.SetWindow) -> None:
        if self._cursor is not None:
            self._cursor.window.limit = action.limit_bytes
            self._credited()

    def _credited(self) -> None:
        self.advance()
        if self._attachment is not None:
            self._attachment.credited()

    def _end_session(self, _action: p.EndSession) -> None:
        self.fast = None  # nothing that comes from now on is input
        if self._attachment is not None:
            self._destroy(self._attachment.info.id)

    def _close_with(self, action: p.CloseWith) -> None:
        self.close(action.code, action.reason)

    def _refuse_with(self, action: p.Refuse) -> None:
        self._refuse(action.error)

    def _abort(self, _action: p.Abort) -> None:
        self._closing = True
        self._transport.disconnect()

    # --- a session to follow

    async def _attach(self, asking: Coroutine[Any, Any, Attachment], *, created: bool) -> None:
        attachment: Attachment | None = None
        try:
            attachment = await asking
            if self._closing:
                if created:  # its id was told to no client, so none would come back to it
                    self._destroy(attachment.info.id)
                return
            self.gather(self._transport)
            try:
                self._follow(attachment)
            finally:
                self.flush(self._transport)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # As in _receive: nothing awaits this task, so the failure is logged here.
            self._fail("attach")
        finally:
            self._task = None
            if attachment is not None:
                attachment.release_if_unused()

    def _follow(self, attachment: Attachment) -> None:
        principal = self._principal
        assert principal is not None  # as in _caller
        info, session_log = attachment.info, attachment.session.log
        opening = self._protocol.attached(
            p.AttachedSession(
                id=info.id,
                name=info.name,
                pid=info.pid,
                command=info.command,
                log_start=session_log.start,
                log_end=session_log.end,
                size=attachment.size,
                resizable=attachment.session.pty.fd >= 0,
                may_write=principal.may_write,
            )
        )
        # The cursor is set before anything can be appended, so that nothing is missed or doubled.
        self._mode = opening.mode
        self._cursor = Cursor(session_log, opening.offset, opening.window_bytes)
        self._attachment = attachment
        if opening.size is not None:
            attachment.resize(opening.size, self)
        self._perform(opening.frames)
        if opening.gap is not None:
            self._note_gap(*opening.gap)
        attachment.enter(self)
        if opening.usage_interval is not None:
            self._send_usage(info.pid, opening.usage_interval)
        self.advance()
        for text, payload in opening.early:
            if self._closing:
                return
            self._receive_early(text, payload)

    def _receive_early(self, text: bool, payload: bytes) -> None:
        """A message that was counted when it came."""
        try:
            self._perform(self._protocol.receive(text, payload))
        except TheirError as error:
            self._refuse(error)

    def _send_usage(self, pid: int, interval: float) -> None:
        now = usage(pid)
        self._perform(self._protocol.used(now.cpu_seconds, now.memory_bytes, now.processes))
        self._usage_timer = self._context.loop.call_later(interval, self._send_usage, pid, interval)

    def _destroy(self, session: str) -> None:
        """End a session, then this connection."""
        self._context.spawn(self._destroy_at_host(self._caller, session))

    async def _destroy_at_host(self, caller: ipc.Caller, session: str) -> None:
        try:
            await self._context.hosts.of(session).ask(ipc.DestroySession, who=caller, session=session)
        except TheirError as error:
            log.info("session %s was not destroyed: %s", session, error)
        self.close(CloseCode.NORMAL, "session destroyed")

    # --- what the session says

    def fast_path(self, attachment: Attachment) -> FastReader | None:
        """The compiled fast path, where this connection is as simple as that."""
        cursor = self._cursor
        assert cursor is not None  # a viewer has one
        if outbox.FastPath is None or not self._protocol.fast_path:
            return None
        if self._mode != "write" or self._context.settings.messages_per_second:
            return None
        self.fast = outbox.FastPath(
            attachment.session,
            cursor.window,
            self._transport,
            self._counters,
            attachment.write,
            attachment.pump_once,
            attachment.flooded,
            attachment.coalesce,
        )
        return self.fast

    def credit_end(self) -> int:
        cursor = self._cursor
        return 0 if cursor is None else cursor.window.sent + cursor.window.room()

    def advance(self) -> None:
        """Send what the log has and the window allows, then the end if that was all."""
        cursor, protocol = self._cursor, self._protocol
        if cursor is None:
            return
        while (count := cursor.ready(_FRAME_BYTES)) > 0:
            buffer = bytearray(protocol.output_space)
            try:
                offset = cursor.take(buffer, count)
            except Overrun as overrun:
                self._note_gap(*cursor.skip(overrun))
                continue
            attachment = self._attachment
            ended = attachment is not None and attachment.end is not None
            frame, consumed = protocol.output(buffer, offset, count, ended=ended)
            if consumed < count:
                cursor.window.sent = offset + consumed
            if frame is None:
                break
            self._counters[_OUTPUT_BYTES] += consumed
            self._send(frame)
            if not (protocol.acknowledges or self._unsent):
                self._acknowledge_sent()
        self._finish(cursor)

    def _finish(self, cursor: Cursor) -> None:
        """Tell the end of a session whose last byte was sent."""
        attachment = self._attachment
        if attachment is None or attachment.end is None or cursor.window.sent < attachment.end.offset:
            return
        end = attachment.end
        self._leave()
        self._tell_end(p.SessionEnd(attachment.info.id, end.offset, end.reason, end.status, end.signal))

    def _tell_end(self, end: p.SessionEnd) -> None:
        """Tell it now, or once everything left, where only that acknowledges."""
        self._end = None
        if not self._protocol.acknowledges:
            self.flush(self._transport)
            if self._unsent:
                self._end = end
                return
        self._perform(self._protocol.ended(end))

    def _note_gap(self, start: int, end: int) -> None:
        self._counters[Counters.GAPS] += 1
        self._perform(self._protocol.gap(start, end))

    def ended(self, notice: ipc.SessionEnded) -> None:
        self.advance()

    def resized(self, size: Size) -> None:
        self._perform(self._protocol.resized(size))

    def paused(self, direction: str, paused: bool) -> None:
        self._perform(self._protocol.paused(direction, paused))


_PERFORM: dict[type[Any], Callable[[ServerConnection, Any], None]] = {
    p.OutgoingFrame: ServerConnection._send,
    p.LogIn: ServerConnection._log_in,
    p.StartSession: ServerConnection._start_session,
    p.EnterSession: ServerConnection._enter_session,
    p.TypeInput: ServerConnection._type_input,
    p.SetSize: ServerConnection._set_size,
    p.SendSignal: ServerConnection._send_signal,
    p.Acknowledge: ServerConnection._acknowledge,
    p.SetWindow: ServerConnection._set_window,
    p.EndSession: ServerConnection._end_session,
    p.CloseWith: ServerConnection._close_with,
    p.Refuse: ServerConnection._refuse_with,
    p.Abort: ServerConnection._abort,
}
