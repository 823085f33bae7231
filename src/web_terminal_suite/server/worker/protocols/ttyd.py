"""The server's side of ttyd's protocol: a session that lives as long as its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol.codec import InputBytes
from web_terminal_suite.protocol.compat import ttyd
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import MessageTooBig, OutOfRange, TheirError, UnsupportedData
from web_terminal_suite.protocol.messages import Limits, Resize, SessionSpec, Size
from web_terminal_suite.server.worker.protocols.early_messages import EarlyMessages
from web_terminal_suite.server.worker.protocols.protocol import (
    HEAD_ROOM,
    Abort,
    Action,
    AttachedSession,
    CloseWith,
    LogIn,
    Opening,
    OutgoingFrame,
    SessionEnd,
    SetSize,
    SetWindow,
    StartSession,
    TypeInput,
    checked_size,
    framed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_OUTPUT_SPACE = bytes(HEAD_ROOM) + ttyd.output(b"").payload


class TtydProtocol:
    """One connection of ttyd's page or of another client of its protocol."""

    __slots__ = ("_authenticated", "_early", "_hello", "_hostname", "_limits", "_waiting", "_window_bytes")

    acknowledges = False
    fast_path = False
    unsent_bytes = 0
    output_space = _OUTPUT_SPACE

    def __init__(self, limits: Limits, window_bytes: int, hostname: str) -> None:
        self._limits = limits
        self._window_bytes = window_bytes
        self._hostname = hostname
        self._early = EarlyMessages(limits.message_bytes)
        self._authenticated = False
        self._hello: ttyd.Hello | None = None
        self._waiting = False  # for the session

    def greet(self, *, authenticated: bool) -> Sequence[OutgoingFrame]:
        return ()  # the client sends first

    def draining(self, ends_in: float | None) -> Sequence[OutgoingFrame]:
        return ()  # not in this protocol

    def authenticated(self, user: str, role: str) -> Sequence[Action]:
        self._authenticated = True
        return () if self._hello is None else self._start(self._hello)

    def _start(self, hello: ttyd.Hello) -> Sequence[Action]:
        self._waiting = True
        spec = SessionSpec()
        try:
            size = checked_size(self._limits, hello.columns, hello.rows)
            spec = SessionSpec(cols=size.cols, rows=size.rows)
        except OutOfRange:
            pass  # no size at all (0), or one that no terminal has: the default is used
        return (StartSession(spec, tied=True),)

    def receive(self, text: bool, payload: bytes) -> Sequence[Action]:
        if len(payload) > self._limits.message_bytes:
            raise MessageTooBig(len(payload), self._limits.message_bytes)
        if self._waiting:
            self._early.keep(text, payload)
            return ()
        if not self._authenticated and not payload.startswith(b"{"):
            raise TheirError(ErrorCode.AUTHENTICATION_REQUIRED, "a hello with AuthToken must come first")
        try:
            message = ttyd.decode_client(payload)
        except UnsupportedData:
            return ()  # perhaps of a newer page; ttyd ignores it, too
        if isinstance(message, InputBytes):
            return (TypeInput(message.data),)
        if isinstance(message, Resize):
            return (SetSize(checked_size(self._limits, message.cols, message.rows)),)
        if isinstance(message, ttyd.Flow):
            return (SetWindow(0 if message is ttyd.Flow.PAUSE else self._window_bytes),)
        if self._hello is not None:
            return ()
        self._hello = message
        return self._start(message) if self._authenticated else (LogIn(message.token),)

    def attached(self, session: AttachedSession) -> Opening:
        self._waiting = False
        title = ttyd.title(f"{' '.join(session.command)} ({self._hostname})")
        return Opening(
            mode="write" if session.may_write else "read",
            offset=session.log_start,
            window_bytes=self._window_bytes,
            frames=[framed(False, each.payload) for each in (title, ttyd.preferences({}))],
            early=self._early.take(),
        )

    def output(self, buffer: bytearray, offset: int, count: int, *, ended: bool) -> tuple[OutgoingFrame | None, int]:
        return OutgoingFrame(False, buffer), count

    def gap(self, start: int, end: int) -> Sequence[OutgoingFrame]:
        return (framed(False, ttyd.output(b"\r\n[%d bytes of output were lost]\r\n" % (end - start)).payload),)

    def ended(self, end: SessionEnd) -> Sequence[Action]:
        if end.reason == "shutdown":
            return (CloseWith(CloseCode.GOING_AWAY, "the server stops"),)
        if end.status == 0 or end.reason != "exited":
            return (CloseWith(CloseCode.NORMAL, ""),)
        return (Abort(),)  # what ttyd's page takes for a failure (1006) is an end without a close frame

    def error(self, error: TheirError) -> Sequence[OutgoingFrame]:
        self._waiting = False
        return ()  # the close code is all that this protocol has for errors

    def input_ack(self, offset: int) -> Sequence[OutgoingFrame]:
        return ()

    def resized(self, size: Size) -> Sequence[OutgoingFrame]:
        return ()

    def paused(self, direction: str, paused: bool) -> Sequence[OutgoingFrame]:
        return ()

    def used(self, cpu_seconds: float, memory_bytes: int, processes: int) -> Sequence[OutgoingFrame]:
        return ()
