"""Our own protocol, in both its encodings: the conversation's table, messages to actions and events to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite import __version__
from web_terminal_suite.protocol import codec
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import OUTPUT_HEAD_BYTES, EchoBytes, InputBytes, Kind, Subprotocol
from web_terminal_suite.protocol.conversation import Conversation, Side, State
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError
from web_terminal_suite.protocol.signals import signal_number
from web_terminal_suite.server.worker.protocols.protocol import (
    HEAD_ROOM,
    Acknowledge,
    Action,
    AttachedSession,
    CloseWith,
    EndSession,
    EnterSession,
    LogIn,
    Opening,
    OutgoingFrame,
    Refuse,
    SendSignal,
    SessionEnd,
    SetSize,
    StartSession,
    TypeInput,
    checked_size,
    framed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MIN_WINDOW_BYTES = 4096
_KEY_DIGITS = 16
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
# Above a window of output in JSON's longest form (six bytes for one), so that an interrupt is read however slowly the
# client reads.
_UNSENT_BYTES = 1 << 20

# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_CLIENT = Side.CLIENT
_SERVER = Side.SERVER
_OUTPUT = int(Kind.OUTPUT)
_ECHO_SPACE = bytes(HEAD_ROOM) + bytes([Kind.ECHO])
_encoder = msgspec.json.Encoder()
_NO_ATTACH = m.Attach()


class NativeProtocol:
    """One connection of our own clients. ``window_bytes`` is the largest window."""

    __slots__ = (
        "_attach", "_binary", "_conversation", "_limits", "_mode", "_subprotocol", "_window_bytes", "fast_path",
        "output_space",
    )  # fmt: skip

    acknowledges = True
    unsent_bytes = _UNSENT_BYTES

    def __init__(self, subprotocol: Subprotocol, limits: m.Limits, window_bytes: int) -> None:
        self._subprotocol = subprotocol
        self._limits = limits
        self._window_bytes = window_bytes
        self._conversation = Conversation()
        self._attach = _NO_ATTACH
        self._mode: m.Mode = "write"
        self._binary = self.fast_path = subprotocol is Subprotocol.BINARY
        self.output_space = bytes(HEAD_ROOM + OUTPUT_HEAD_BYTES) if self._binary else b""

    def _say(self, message: msgspec.Struct) -> Sequence[OutgoingFrame]:
        # A client that sent `close` gets no more, also while its session is being destroyed.
        if self._conversation.state is State.CLOSED:
            return ()
        self._conversation.hear(_SERVER, message)
        buffer = bytearray(HEAD_ROOM)
        _encoder.encode_into(message, buffer, HEAD_ROOM)
        return (OutgoingFrame(True, buffer),)

    # --- before a session

    def greet(self, *, authenticated: bool) -> Sequence[OutgoingFrame]:
        return self._say(
            m.ConnectionStatus(
                status="ready" if authenticated else "authentication_required",
                subprotocol=self._subprotocol.value,
                version=__version__,
                limits=self._limits,
            )
        )

    def draining(self, ends_in: float | None) -> Sequence[OutgoingFrame]:
        if self._conversation.state is State.AUTHENTICATING:
            return ()
        return self._say(
            m.ConnectionStatus(
                status="ready",
                subprotocol=self._subprotocol.value,
                version=__version__,
                limits=self._limits,
                draining=True,
                ends_in=ends_in,
            )
        )

    def authenticated(self, user: str, role: str) -> Sequence[Action]:
        return self._say(m.Authenticated(user=user, role=role))

    def error(self, error: TheirError) -> Sequence[OutgoingFrame]:
        return self._say(m.Error(code=error.code, message=error.message, fatal=error.fatal))

    # --- messages in

    def receive(self, text: bool, payload: bytes) -> Sequence[Action]:
        message = codec.decode_client(self._subprotocol, text, payload, self._limits.message_bytes)
        if self._conversation.state is State.AUTHENTICATING and not isinstance(message, m.Authenticate | m.Close):
            raise TheirError(ErrorCode.AUTHENTICATION_REQUIRED, f"{m.kind(message)!r} came before 'authenticate'")
        return HANDLERS[type(message)](self, message)

    def _hear(self, message: msgspec.Struct) -> None:
        self._conversation.hear(_CLIENT, message)

    def _on_authenticate(self, message: m.Authenticate) -> Sequence[Action]:
        self._hear(message)
        return (LogIn(message.token),)

    def _on_attach(self, message: m.Attach) -> Sequence[Action]:
        checked_size(self._limits, message.cols, message.rows)
        if message.window is not None and message.window < _MIN_WINDOW_BYTES:
            raise OutOfRange(f"window of {message.window} bytes is below {_MIN_WINDOW_BYTES}")
        if message.resume_from is not None and message.resume_from < 0:
            raise OutOfRange(f"resume_from of {message.resume_from} is below 0")
        if message.usage_interval is not None and message.usage_interval < 1:
            raise OutOfRange(f"usage_interval of {message.usage_interval:g} s is below 1 s")
        input_key = _input_key(message)
        self._hear(message)
        self._attach = message
        if message.session is not None:
            return (EnterSession(message.session, input_key),)
        spec = msgspec.structs.replace(message.spec or m.SessionSpec(), cols=message.cols, rows=message.rows)
        return (StartSession(spec, tied=False, input_key=input_key),)

    def _on_input(self, message: m.Input) -> Sequence[Action]:
        data = codec.input_bytes(message)
        if message.offset is not None and message.offset < 0:
            raise OutOfRange(f"input offset of {message.offset} is below 0")
        self._hear(message)
        return (TypeInput(data, message.offset),)

    def _on_input_bytes(self, message: InputBytes) -> Sequence[Action]:
        self._hear(message)
        return (TypeInput(message.data, message.offset),)

    def _on_command(self, message: m.Command) -> Sequence[Action]:
        self._hear(message)
        return (TypeInput(message.line.encode() + b"\r"),)

    def _on_resize(self, message: m.Resize) -> Sequence[Action]:
        self._hear(message)
        return (SetSize(checked_size(self._limits, message.cols, message.rows)),)

    def _on_signal(self, message: m.Signal) -> Sequence[Action]:
        self._hear(message)
        return (SendSignal(signal_number(message.name)),)

    def _on_ack(self, message: m.Ack) -> Sequence[Action]:
        self._hear(message)
        return (Acknowledge(message.offset),)

    def _on_ping(self, message: m.Ping) -> Sequence[Action]:
        self._hear(message)
        return self._say(m.Pong(id=message.id))

    def _on_echo(self, message: m.Echo) -> Sequence[Action]:
        self._hear(message)
        return self._say(message)

    def _on_echo_bytes(self, message: EchoBytes) -> Sequence[Action]:
        self._hear(message)
        buffer = bytearray(_ECHO_SPACE)
        buffer += message.data
        return (OutgoingFrame(False, buffer),)

    def _on_close(self, message: m.Close) -> Sequence[Action]:
        destroy = message.destroy and self._conversation.state is State.ATTACHED
        if destroy and self._mode != "write":
            raise TheirError(ErrorCode.FORBIDDEN, "this viewer may only read; the session goes on")
        self._hear(message)
        return (EndSession(),) if destroy else (CloseWith(CloseCode.NORMAL, "closed"),)

    # --- a session

    def attached(self, session: AttachedSession) -> Opening:
        asked = self._attach
        resume = asked.resume_from
        if resume is not None and resume > session.log_end:
            raise OutOfRange(f"resume_from of {resume} lies beyond the {session.log_end} bytes of output")
        offset = session.log_start if resume is None else max(resume, session.log_start)
        window = min(asked.window or self._window_bytes, self._window_bytes)
        self._mode = asked.mode if session.may_write else "read"
        size = m.Size(asked.cols, asked.rows) if self._mode == "write" and session.resizable else None
        cols, rows = (session.size.cols, session.size.rows) if size is None else (size.cols, size.rows)
        frames = [
            *self._say(
                m.Attached(
                    session=session.id,
                    name=session.name,
                    offset=offset,
                    end=session.log_end,
                    cols=cols,
                    rows=rows,
                    mode=self._mode,
                    window=window,
                    input=session.input,
                )
            )
        ]
        if asked.session is None:
            frames += self._say(m.ProcessStarted(session=session.id, pid=session.pid, command=session.command))
        gap = None if resume is None or resume >= offset else (resume, offset)
        self._attach = _NO_ATTACH  # a spec may be long
        return Opening(self._mode, offset, window, frames, size, gap, asked.usage_interval)

    def output(self, buffer: bytearray, offset: int, count: int, *, ended: bool) -> tuple[OutgoingFrame | None, int]:
        if self._binary:
            codec.put_output_head(buffer, HEAD_ROOM, _OUTPUT, offset)
            return OutgoingFrame(False, buffer), count
        # As text, without a character that is still incomplete.
        data = bytes(buffer)
        count = count if ended else codec.text_length(data)
        if not count:
            return None, 0
        (frame,) = self._say(codec.output_message(offset, data[:count])) or (None,)
        return frame, count

    def gap(self, start: int, end: int) -> Sequence[OutgoingFrame]:
        return self._say(m.Gap(start=start, end=end))

    def input_ack(self, offset: int) -> Sequence[OutgoingFrame]:
        if self._conversation.state is not State.ATTACHED:
            return ()
        frame = codec.encode_input_ack(self._subprotocol, offset)
        return (framed(frame.text, frame.payload),)

    def resized(self, size: m.Size) -> Sequence[OutgoingFrame]:
        return self._say(m.Resized(cols=size.cols, rows=size.rows))

    def paused(self, direction: str, paused: bool) -> Sequence[OutgoingFrame]:
        state = "paused" if paused else "resumed"
        return self._say(m.FlowControl(direction=direction, state=state))  # type: ignore[arg-type]  # of two literals

    def used(self, cpu_seconds: float, memory_bytes: int, processes: int) -> Sequence[OutgoingFrame]:
        return self._say(m.ResourceUsage(cpu_seconds=cpu_seconds, memory_bytes=memory_bytes, processes=processes))

    def ended(self, end: SessionEnd) -> Sequence[Action]:
        exited = m.ProcessExited(session=end.session, offset=end.offset, status=end.status, signal=end.signal)
        return (*self._say(exited), *_AFTER_END.get(end.reason, ()))


def _input_key(message: m.Attach) -> int | None:
    """The client's key as a number, if it has one and means to write.

    Raises:
        OutOfRange: it is no key.
    """
    key = message.input_key
    if key is None:
        return None
    if len(key) != _KEY_DIGITS or not set(key) <= _HEXADECIMAL:
        raise OutOfRange(f"input_key {key[:_KEY_DIGITS]!r} is not {_KEY_DIGITS} hexadecimal digits")
    return int(key, 16) if message.mode == "write" else None


# What follows `process_exited`, where the end was not the shell's own.
_AFTER_END: dict[str, Sequence[Action]] = {
    "expired": (Refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the session was idle for too long")),),
    "lost": (Refuse(TheirError(ErrorCode.SESSION_LOST, "the session was lost with its PTY host")),),
    "destroyed": (CloseWith(CloseCode.NORMAL, "session destroyed"),),
    "shutdown": (CloseWith(CloseCode.GOING_AWAY, "the server stops"),),
}

HANDLERS: dict[type[Any], Callable[[NativeProtocol, Any], Sequence[Action]]] = {
    m.Authenticate: NativeProtocol._on_authenticate,
    m.Attach: NativeProtocol._on_attach,
    m.Input: NativeProtocol._on_input,
    InputBytes: NativeProtocol._on_input_bytes,
    m.Command: NativeProtocol._on_command,
    m.Resize: NativeProtocol._on_resize,
    m.Signal: NativeProtocol._on_signal,
    m.Ack: NativeProtocol._on_ack,
    m.Ping: NativeProtocol._on_ping,
    m.Echo: NativeProtocol._on_echo,
    EchoBytes: NativeProtocol._on_echo_bytes,
    m.Close: NativeProtocol._on_close,
}
"""By message; a test compares the keys with what clients may send."""
