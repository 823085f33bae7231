"""Our own wire, in both its encodings: the conversation's table, messages to actions and back."""

from __future__ import annotations

import asyncio
import logging
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite import __version__
from web_terminal_suite.protocol import codec
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, InputBytes, Kind, Subprotocol
from web_terminal_suite.protocol.conversation import Conversation, Side, State
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError
from web_terminal_suite.server.pty import usage
from web_terminal_suite.server.worker.connection import BINARY, TEXT, ServerConnection
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.relay import HEAD_ROOM, OUTPUT_SPACE
from web_terminal_suite.server.worker.relays import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server import ipc
    from web_terminal_suite.server.access import Principal
    from web_terminal_suite.server.session import Cursor
    from web_terminal_suite.server.worker.attachment import Attachment
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

_LOWEST_WINDOW = 4096

# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_CLIENT = Side.CLIENT
_SERVER = Side.SERVER
_OUTPUT = int(Kind.OUTPUT)
_ECHO_SPACE = bytes(HEAD_ROOM) + bytes([Kind.ECHO])


class Native(ServerConnection):
    """One connection of our own clients, whichever encoding they chose."""

    __slots__ = ("_conversation", "_subprotocol", "_usage_timer")

    def __init__(
        self, context: WorkerContext, grant: Principal | None, subprotocol: Subprotocol, output_space: bytes
    ) -> None:
        super().__init__(context, grant, output_space)
        self._subprotocol = subprotocol
        self._conversation = Conversation()
        self._usage_timer: asyncio.TimerHandle | None = None

    # --- greeting, errors, leaving

    def _begin(self) -> None:
        settings = self._context.settings
        limits = m.Limits(message_bytes=settings.message_limit, cols=settings.max_cols, rows=settings.max_rows)
        status = m.ConnectionStatus(
            status="authentication_required" if self._grant is None else "ready",
            subprotocol=self._subprotocol.value,
            version=__version__,
            limits=limits,
        )
        self._send(status)

    def _welcome(self, grant: Principal) -> None:
        self._send(m.Authenticated(user=grant.user, role=grant.role))

    def _tell_error(self, error: TheirError) -> None:
        self._send(m.Error(code=error.code, message=error.message, fatal=error.fatal))

    def _leave(self) -> None:
        if self._usage_timer is not None:
            self._usage_timer.cancel()
        super()._leave()

    # --- messages in

    def _receive(self, text: bool, payload: bytes) -> None:
        self._counters[Counters.MESSAGES_RECEIVED] += 1
        try:
            if self._context.settings.messages_per_second:
                self._spend_allowance()
            message = codec.decode_client(self._subprotocol, text, payload, self._context.settings.message_limit)
            if self._conversation.state is State.AUTHENTICATING and not isinstance(message, m.Authenticate | m.Close):
                raise TheirError(
                    ErrorCode.AUTHENTICATION_REQUIRED,
                    f"{m.kind(message)!r} came before 'authenticate'",
                )
            _ACTIONS[type(message)](self, message)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # Our own fault, whatever it is: this connection ends with a bare code, the others go on.
            log.exception("connection failed")
            self.close(CloseCode.INTERNAL_ERROR, "")

    def _hear(self, message: msgspec.Struct) -> None:
        self._conversation.hear(_CLIENT, message)

    def _authenticate(self, message: m.Authenticate) -> None:
        self._hear(message)
        self._log_in(message.token)

    # --- attaching

    def _attach(self, message: m.Attach) -> None:
        self._check_size(message.cols, message.rows)
        if message.window is not None and message.window < _LOWEST_WINDOW:
            raise OutOfRange(f"window of {message.window} bytes is below {_LOWEST_WINDOW}")
        if message.resume_from is not None and message.resume_from < 0:
            raise OutOfRange(f"resume_from of {message.resume_from} is below 0")
        if message.usage_interval is not None and message.usage_interval < 1:
            raise OutOfRange(f"usage_interval of {message.usage_interval:g} s is below 1 s")
        self._hear(message)
        self._leave()
        if message.session is None:
            spec = msgspec.structs.replace(message.spec or m.SessionSpec(), cols=message.cols, rows=message.rows)
            self._create(spec, partial(self._follow, message))
        else:
            self._join(message.session, partial(self._follow, message))

    def _follow(self, message: m.Attach, hold: Attachment, grant: Principal) -> None:
        log_ = hold.session.log
        resume = message.resume_from
        if resume is not None and resume > log_.end:
            raise OutOfRange(f"resume_from of {resume} lies beyond the {log_.end} bytes of output")
        offset = log_.start if resume is None else max(resume, log_.start)
        window = min(message.window or self._context.settings.window, self._context.settings.window)
        self._look_at(hold, message.mode if grant.may_write else "read", offset, window)
        if self._mode == "write":
            hold.resize(m.Size(message.cols, message.rows), self)
        self._send(
            m.Attached(
                session=hold.info.id,
                name=hold.info.name,
                offset=offset,
                end=log_.end,
                cols=hold.size.cols,
                rows=hold.size.rows,
                mode=self._mode,
                window=window,
            )
        )
        if message.session is None:
            self._send(m.ProcessStarted(session=hold.info.id, pid=hold.info.pid, command=hold.info.command))
        if resume is not None and resume < offset:
            self._note_gap(resume, offset)
        hold.enter(self)
        if message.usage_interval is not None:
            self._send_usage(hold.info.pid, message.usage_interval)
        self.advance()

    def _send_usage(self, pid: int, interval: float) -> None:
        if self._conversation.state is not State.ATTACHED or self._closing:
            return
        now = usage(pid)
        self._send(m.ResourceUsage(cpu_seconds=now.cpu_seconds, memory_bytes=now.memory_bytes, processes=now.processes))
        self._usage_timer = self._context.loop.call_later(interval, self._send_usage, pid, interval)

    # --- what the client wants of its session

    def _input(self, message: m.Input) -> None:
        data = codec.input_bytes(message)
        self._hear(message)
        self._type(data)

    def _input_bytes(self, message: InputBytes) -> None:
        self._hear(message)
        self._type(message.data)

    def _command(self, message: m.Command) -> None:
        self._hear(message)
        self._type(message.line.encode() + b"\r")

    def _resize(self, message: m.Resize) -> None:
        self._hear(message)
        self._set_size(message.cols, message.rows)

    def _signal(self, message: m.Signal) -> None:
        self._hear(message)
        number = signal_number(message.name)
        if self._hold is not None and self._hold.session.pty.fd >= 0:
            self._must_write()
            self._hold.session.pty.signal(number)

    def _ack(self, message: m.Ack) -> None:
        self._hear(message)
        if self._cursor is not None and self._hold is not None:
            self._cursor.window.ack(message.offset)
            self.advance()
            if self._hold is not None:
                self._hold.credited()

    def _ping(self, message: m.Ping) -> None:
        self._hear(message)
        self._send(m.Pong(id=message.id))

    def _echo(self, message: m.Echo) -> None:
        self._hear(message)
        self._send(message)

    def _echo_bytes(self, message: EchoBytes) -> None:
        self._hear(message)
        self._counters[Counters.MESSAGES_SENT] += 1
        # As _send_frame, with a copy less.
        buffer = bytearray(_ECHO_SPACE)
        buffer += message.data
        self.put(self._transport, BINARY, buffer)

    def _close(self, message: m.Close) -> None:
        hold = self._hold
        if message.destroy and hold is not None and self._mode != "write":
            raise TheirError(ErrorCode.FORBIDDEN, "this viewer may only read; the session goes on")
        self._hear(message)
        self._relay = None
        if message.destroy and hold is not None and self._grant is not None:
            self._destroy(hold.info.id)
        else:
            self.close(CloseCode.NORMAL, "closed")

    # --- what the session says

    def _tell_gap(self, start: int, end: int) -> None:
        self._send(m.Gap(start=start, end=end))

    def _tell_end(self, hold: Attachment, end: ipc.SessionEnded) -> None:
        self._send(m.ProcessExited(session=hold.info.id, offset=end.offset, status=end.status, signal=end.signal))
        if end.reason == "expired":
            self._refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the session was idle for too long"))
        elif end.reason == "destroyed":
            self.close(CloseCode.NORMAL, "session destroyed")
        elif end.reason == "shutdown":
            self.close(CloseCode.GOING_AWAY, "the server stops")

    def resized(self, size: m.Size) -> None:
        self._send(m.Resized(cols=size.cols, rows=size.rows))

    def paused(self, direction: str, paused: bool) -> None:
        state = "paused" if paused else "resumed"
        self._send(m.FlowControl(direction=direction, state=state))  # type: ignore[arg-type]  # of two literals

    # --- messages out

    def _send(self, message: msgspec.Struct) -> None:
        # A client that said `close` hears no more, also while its session is being destroyed.
        if self._closing or self._conversation.state is State.CLOSED:
            return
        self._conversation.hear(_SERVER, message)
        self._counters[Counters.MESSAGES_SENT] += 1
        self.put(self._transport, TEXT, _framed(message))


class Binary(Native):
    """``web-terminal.v1``: output and input as bytes."""

    __slots__ = ()

    def __init__(self, context: WorkerContext, grant: Principal | None) -> None:
        super().__init__(context, grant, Subprotocol.BINARY, OUTPUT_SPACE)

    def fast_path(self, hold: Attachment) -> Relay | None:
        cursor = self._cursor
        assert cursor is not None  # a viewer has one
        if self._mode != "write" or self._context.settings.messages_per_second:
            return None
        self._relay = Relay(
            hold.session,
            cursor.window,
            self._transport,
            self._counters,
            hold.write,
            hold.pump_once,
            hold.flooded,
            hold.coalesce,
        )
        return self._relay

    def _send_output(self, cursor: Cursor, buffer: bytearray, offset: int, count: int) -> bool:
        codec.put_output_head(buffer, HEAD_ROOM, _OUTPUT, offset)
        self._counters[Counters.OUTPUT_BYTES] += count
        self._counters[Counters.MESSAGES_SENT] += 1
        self.put(self._transport, BINARY, buffer)
        return True


class Json(Native):
    """``web-terminal.v1.json``: every message is text."""

    __slots__ = ()

    def __init__(self, context: WorkerContext, grant: Principal | None) -> None:
        super().__init__(context, grant, Subprotocol.JSON, b"")

    def _send_output(self, cursor: Cursor, buffer: bytearray, offset: int, count: int) -> bool:
        """Holds back a character that is still incomplete."""
        data = bytes(buffer)
        ended = self._hold is not None and self._hold.end is not None
        count = len(data) if ended else codec.text_length(data)
        cursor.window.sent = offset + count
        if count:
            self._counters[Counters.OUTPUT_BYTES] += count
            self._send(codec.output_message(offset, data[:count]))
        return count > 0


def _framed(message: msgspec.Struct) -> bytearray:
    """The message as JSON behind room for picows' frame head."""
    buffer = bytearray(HEAD_ROOM)
    _encoder.encode_into(message, buffer, HEAD_ROOM)
    return buffer


_encoder = msgspec.json.Encoder()


def signal_number(name: str) -> int:
    """The number of a signal a client may send.

    Raises:
        TheirError: there is none of this name.
    """
    number = getattr(signal, name, None) if name.startswith("SIG") and name.isalnum() else None
    if not isinstance(number, signal.Signals):
        raise TheirError(ErrorCode.UNKNOWN_SIGNAL, f"signal {name[:40]!r} is unknown; names are as in SIGINT")
    return int(number)


_ACTIONS: dict[type[Any], Callable[[Native, Any], None]] = {
    m.Authenticate: Native._authenticate,
    m.Attach: Native._attach,
    m.Input: Native._input,
    InputBytes: Native._input_bytes,
    m.Command: Native._command,
    m.Resize: Native._resize,
    m.Signal: Native._signal,
    m.Ack: Native._ack,
    m.Ping: Native._ping,
    m.Echo: Native._echo,
    EchoBytes: Native._echo_bytes,
    m.Close: Native._close,
}
