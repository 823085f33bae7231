"""One client's WebSocket, which follows one session with one cursor. It knows no protocol.

What a message means and how output looks is decided by a ``ServerProtocol``, which does no I/O.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError
from web_terminal_suite.protocol.signals import signal_name
from web_terminal_suite.server import ipc
from web_terminal_suite.server.log import Overrun
from web_terminal_suite.server.pty import INTERRUPT, usage
from web_terminal_suite.server.session import Cursor
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.authenticated_connection import AuthenticatedConnection
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.input_acks import ACK_INPUT_BYTES, ACK_INPUT_SECONDS
from web_terminal_suite.server.worker.protocols import protocol as p

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable

    from web_terminal_suite.protocol.messages import Mode, Size
    from web_terminal_suite.server.access import Principal
    from web_terminal_suite.server.audit import Event
    from web_terminal_suite.server.client_input import ClientInput
    from web_terminal_suite.server.worker.attachment import Attachment, FastReader
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

# What one frame carries at most; smaller ones keep a typist's frame from waiting behind a large one.
_FRAME_BYTES = 64 * 1024
# Less is kept free where a character is not whole yet.
_LEAST_ROOM_BYTES = 4
# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_OUTPUT_BYTES = Counters.OUTPUT_BYTES


class ServerConnection(AuthenticatedConnection):
    """One WebSocket: at most one session at a time. An ``AttachedViewer`` of its attachment."""

    __slots__ = (
        "_attached_at", "_attachment", "_cursor", "_end", "_lapsed", "_mode", "_sent_before", "_sized_other", "_task",
        "_tied", "_usage_timer", "client", "stalled", "wanted_size",
    )  # fmt: skip

    def __init__(
        self, context: WorkerContext, protocol: p.ServerProtocol, principal: Principal | None, address: str
    ) -> None:
        super().__init__(context, protocol, principal, address)
        self._attachment: Attachment | None = None
        self._attached_at = 0.0
        self._sized_other = False  # the size of another user's session was set
        self._cursor: Cursor | None = None
        self._mode: Mode = "write"
        self._lapsed = False  # it does not acknowledge
        self._sent_before = -1  # how far its output was at the last look, if it had no room for more
        self.stalled = False
        self.wanted_size: Size | None = None
        self.client: ClientInput | None = None
        self._tied = False  # the session ends with this connection
        self._usage_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._end: p.SessionEnd | None = None

    # --- actions

    def _perform(self, actions: Iterable[p.Action]) -> None:
        for action in actions:
            if self._closing:
                return
            _PERFORM[type(action)](self, action)

    def _start_session(self, action: p.StartSession) -> None:
        self._leave()
        self._tied = action.tied
        asking = self._context.hosts.create_attached(self._caller, action.spec, tied=action.tied)
        # One with a key may be another connection's by now, and its client can ask for it again.
        attaching = self._attach(asking, action.input_key, created=action.spec.key is None)
        self._task = self._context.loop.create_task(attaching)

    def _enter_session(self, action: p.EnterSession) -> None:
        self._leave()
        asking = self._context.hosts.attach(self._caller, action.session)
        self._task = self._context.loop.create_task(self._attach(asking, action.input_key, created=False))

    def _type_input(self, action: p.TypeInput) -> None:
        attachment = self._attachment
        if attachment is None:  # ended: the client could not know
            return
        self._must_write()
        data, client = action.data, None
        if action.offset is not None:
            client = self.client
            if client is None:
                raise OutOfRange("numbered input, but 'attached' said that input is not acknowledged")
            data = client.news(action.offset, data)
            self._see_to_input(client)
            if not data:
                return
        self._counters[Counters.INPUT_BYTES] += len(data)
        if data == INTERRUPT and (dropped := attachment.interrupt(client)) is not None:
            if dropped:
                text = f"{dropped} bytes of input dropped by Ctrl-C: the program had not read them"
                raise TheirError(ErrorCode.INPUT_OVERFLOW, text)
            return
        if not attachment.write(data, client):
            text = f"{len(data)} bytes of input refused: the program has not read 1 MiB"
            raise TheirError(ErrorCode.INPUT_OVERFLOW, text)
        if action.offset is not None and client is not None and client.taken - client.acked >= ACK_INPUT_BYTES:
            self.acknowledge_input()

    def _see_to_input(self, client: ClientInput) -> None:
        """Input came: see to it that its acknowledgement is sent, also where no output follows."""
        if not client.noted:
            client.noted = True
            self._context.input_acks.add(self)

    def acknowledge_input(self) -> bool:
        """Send what is to be acknowledged; whether all input of the client is."""
        client = self.client
        if client is None or self._closing:
            return True
        taken = client.taken
        if taken != client.acked:
            client.acked, client.acked_at = taken, time.monotonic()
            self._perform(self._protocol.input_ack(taken))
        client.noted = taken != client.accepted
        return not client.noted

    def _acknowledge_with_output(self, client: ClientInput) -> None:
        """Output is about to be sent: an acknowledgement costs little now."""
        if client.taken != client.acked and time.monotonic() - client.acked_at >= ACK_INPUT_SECONDS:
            client.acked, client.acked_at = client.taken, time.monotonic()
            self._perform(self._protocol.input_ack(client.acked))

    def input_taken_over(self) -> None:
        """Another connection goes on with this client's input."""
        self.refuse(TheirError(ErrorCode.INPUT_KEY_IN_USE, "another connection goes on with this input_key"))

    def input_lost(self) -> None:
        """Some of this client's input was lost with the PTY host: it sends it again over its next connection."""
        text = "the PTY host died with input that it had to type; connect again to send it again"
        self.refuse(TheirError(ErrorCode.HOST_LOST, text))

    def _must_write(self) -> None:
        if self._mode != "write":
            raise TheirError(ErrorCode.READ_ONLY, "this viewer may only read")

    def _set_size(self, action: p.SetSize) -> None:
        if self._attachment is not None:
            self._must_write()
            self.wanted_size = action.size
            self._attachment.resize(action.size, self)
            self._note_size(self._attachment, action.size)

    def _send_signal(self, action: p.SendSignal) -> None:
        if self._attachment is not None and self._attachment.session.pty.fd >= 0:
            self._must_write()
            self._attachment.session.pty.signal(action.number)
            self._note("signal", self._attachment, signal=signal_name(action.number))

    def _note(self, event: Event, attachment: Attachment, **details: object) -> None:
        """Write what this client does to a session into the audit log."""
        caller, info = self._caller, attachment.info
        self._context.audit.note(
            event, address=caller.address, user=caller.user, role=caller.role, session=info.id, owner=info.user,
            **details,
        )  # fmt: skip

    def _note_size(self, attachment: Attachment, size: Size) -> None:
        """Note the first size that this client gives to another user's session: a window that is dragged sends many."""
        if not self._sized_other and attachment.info.user != self._caller.user:
            self._sized_other = True
            self._note("resize", attachment, cols=size.cols, rows=size.rows)

    def _acknowledge(self, action: p.Acknowledge) -> None:
        if self._cursor is not None:
            self._cursor.window.ack(action.offset)
            self._recovered()
            self._credited()

    def _set_window(self, action: p.SetWindow) -> None:
        if self._cursor is not None:
            self._cursor.window.limit = action.limit_bytes
            self._recovered()
            self._credited()

    def _recovered(self) -> None:
        """It takes output: it may hold the program up, and stop the idle clock."""
        self._lapsed = False
        self._sent_before = -1
        if self.stalled:
            self.stalled = False
            if self._attachment is not None:
                self._attachment.note_stall()

    def note_stall(self) -> None:
        """Called at regular intervals: a viewer that had no room for output all the time stalls."""
        cursor = self._cursor
        if cursor is None or self.stalled:
            return
        sent, full = cursor.window.sent, cursor.window.room() < _LEAST_ROOM_BYTES
        if full and sent == self._sent_before and self._attachment is not None:
            self.stalled = True
            self._attachment.note_stall()
        self._sent_before = sent if full else -1

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
        self.refuse(action.error)

    def _abort(self, _action: p.Abort) -> None:
        self._closing = True
        self._transport.disconnect()

    # --- a session to follow

    async def _attach(self, asking: Coroutine[Any, Any, Attachment], input_key: int | None, *, created: bool) -> None:
        attachment: Attachment | None = None
        try:
            attachment = await asking
            client = await self._claim(attachment, input_key)
            if self._closing:
                if created:  # no client knows its id, so none would attach to it again
                    self._destroy(attachment.info.id)
                return
            self.gather(self._transport)
            try:
                self._follow(attachment, client)
            finally:
                self.flush(self._transport)
        except TheirError as error:
            self.refuse(error)
        except Exception:
            # As in `_receive`: nothing awaits this task, so the failure is logged here.
            self._fail("attach")
        finally:
            self._task = None
            if attachment is not None:
                attachment.release_if_unused()

    async def _claim(self, attachment: Attachment, input_key: int | None) -> ClientInput | None:
        """The client with this key, if it may write to a terminal that is still open."""
        assert self._principal is not None  # as in _caller
        if input_key is None or not self._principal.may_write or attachment.session.pty.fd < 0:
            return None
        attachment.arriving += 1
        try:
            return await attachment.claim_client(input_key)
        finally:
            attachment.arriving -= 1

    def _follow(self, attachment: Attachment, client: ClientInput | None) -> None:
        if client is not None and not attachment.knows(client):
            raise TheirError(ErrorCode.INPUT_KEY_IN_USE, "another connection goes on with this input_key")
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
                input=None if client is None else client.accepted,
            )
        )
        # The cursor is set before anything can be appended, so that nothing is missed or doubled.
        self._mode = opening.mode
        self._lapsed = self.stalled = False
        self._sent_before = -1
        self._cursor = Cursor(session_log, opening.offset, opening.window_bytes)
        self._attachment = attachment
        self.client = client
        if client is not None:
            client.acked = client.taken
            client.noted = False
            if client.accepted:  # it is told how far the terminal is
                client.acked = -1
                self._see_to_input(client)
        self._attached_at, self._sized_other = time.monotonic(), False
        self._note("attach", attachment, mode=opening.mode)
        self.wanted_size = opening.size
        if opening.size is not None:
            attachment.resize(opening.size, self)
            self._note_size(attachment, opening.size)
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
            self.refuse(error)

    def _send_usage(self, pid: int, interval: float) -> None:
        now = usage(pid)
        self._perform(self._protocol.used(now.cpu_seconds, now.memory_bytes, now.processes))
        self._usage_timer = self._context.loop.call_later(interval, self._send_usage, pid, interval)

    def _leave(self) -> None:
        """Stop following the session."""
        attachment, self._attachment, self._cursor, self.fast = self._attachment, None, None, None
        if self._usage_timer is not None:
            self._usage_timer.cancel()
        if attachment is not None:
            self._note("detach", attachment, seconds=round(time.monotonic() - self._attached_at, 3))
            attachment.leave(self)
            self.client = None
            if self._tied and attachment.end is None:
                self._destroy(attachment.info.id)

    def _linger(self) -> None:
        self._cursor = None
        if self._attachment is None:
            self._leave()
        else:
            self._attachment.stop_sending(self)

    def _receive_late(self, text: bool, payload: bytes) -> None:
        try:
            for action in self._protocol.receive(text, payload):
                if isinstance(action, p.TypeInput):
                    self._type_input(action)
        except TheirError:
            pass  # the client cannot be told any more
        except Exception:
            log.exception("late input failed")

    def _destroy(self, session: str) -> None:
        """End a session, then this connection."""
        self._context.spawn(self._destroy_at_host(self._caller, session))

    async def _destroy_at_host(self, caller: ipc.Caller, session: str) -> None:
        try:
            await self._context.hosts.of(session).ask(ipc.DestroySession, seconds=None, caller=caller, session=session)
        except TheirError as error:
            log.info("session %s was not destroyed: %s", session, error)
        self.close(CloseCode.NORMAL, "session destroyed")

    # --- output and events of the session

    def fast_path(self, attachment: Attachment) -> FastReader | None:
        """The compiled fast path, where this connection is as simple as that."""
        cursor = self._cursor
        if cursor is None or outbox.FastPath is None or not self._protocol.fast_path:
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
            self.client,
            self._see_to_input,
        )
        return self.fast

    def credit_end(self) -> int:
        cursor = self._cursor
        if cursor is None or self._lapsed or self._mode == "read":  # who only watches never holds a program up
            return 0
        return cursor.window.sent + cursor.window.room()

    def lapse(self) -> None:
        self._lapsed = True

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
            if self.client is not None:
                self._acknowledge_with_output(self.client)
            self._send(frame)
            if not (protocol.acknowledges or self._unsent):
                self._acknowledge_sent()
        self._finish(cursor)

    def _acknowledge_sent(self) -> None:
        """What left the send buffer counts as acknowledged, where the protocol has no acknowledgements."""
        cursor = self._cursor
        if cursor is not None:
            cursor.window.ack(cursor.window.sent)

    def _finish(self, cursor: Cursor) -> None:
        """Report the end of a session whose last byte was sent."""
        attachment = self._attachment
        if attachment is None or attachment.end is None or cursor.window.sent < attachment.end.offset:
            return
        end = attachment.end
        self._leave()
        self._tell_end(p.SessionEnd(attachment.info.id, end.offset, end.reason, end.status, end.signal))

    def _tell_end(self, end: p.SessionEnd) -> None:
        """Report it now, or once the send buffer is empty where the protocol has no acknowledgements."""
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
        self._recovered()
        self.advance()
        if self._attachment is not None:
            self._attachment.credited()

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
