"""The server's side of terminado's protocol: sessions by name, which outlive their connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol import codec
from web_terminal_suite.protocol.codec import InputBytes
from web_terminal_suite.protocol.compat import terminado
from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.errors import MessageTooBig, TheirError
from web_terminal_suite.server.worker.protocols.early_messages import EarlyMessages
from web_terminal_suite.server.worker.protocols.protocol import (
    Action,
    AttachedSession,
    CloseWith,
    EnterSession,
    Opening,
    OutgoingFrame,
    SessionEnd,
    SetSize,
    TypeInput,
    checked_size,
    framed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.protocol.messages import Limits, Size


class TerminadoProtocol:
    """One connection of JupyterLab or of another client of its protocol, to the session ``name``."""

    __slots__ = ("_early", "_limits", "_name", "_waiting", "_window_bytes")

    acknowledges = False
    fast_path = False
    unsent_bytes = 0
    output_space = b""

    def __init__(self, limits: Limits, window_bytes: int, name: str) -> None:
        self._limits = limits
        self._window_bytes = window_bytes
        self._name = name
        self._early = EarlyMessages(limits.message_bytes)
        self._waiting = False  # for the session

    def greet(self, *, authenticated: bool) -> Sequence[OutgoingFrame]:
        return ()  # `setup` reports that the terminal is there

    def draining(self, ends_in: float | None) -> Sequence[OutgoingFrame]:
        return ()  # not in this protocol

    def authenticated(self, user: str, role: str) -> Sequence[Action]:
        self._waiting = True
        return (EnterSession(self._name),)

    def receive(self, text: bool, payload: bytes) -> Sequence[Action]:
        if len(payload) > self._limits.message_bytes:
            raise MessageTooBig(len(payload), self._limits.message_bytes)
        if self._waiting:
            self._early.keep(text, payload)
            return ()
        terminado.check_text(text)
        message = terminado.decode_client(payload)
        if message is None:
            return ()
        if isinstance(message, InputBytes):
            return (TypeInput(message.data),)
        return (SetSize(checked_size(self._limits, message.cols, message.rows)),)

    def attached(self, session: AttachedSession) -> Opening:
        self._waiting = False
        return Opening(
            mode="write" if session.may_write else "read",
            offset=session.log_start,
            window_bytes=self._window_bytes,
            frames=[framed(True, terminado.SETUP.payload)],
            early=self._early.take(),
        )

    def output(self, buffer: bytearray, offset: int, count: int, *, ended: bool) -> tuple[OutgoingFrame | None, int]:
        data = bytes(buffer)
        # Without a character that is still incomplete.
        count = count if ended else codec.text_length(data)
        return (_shown(data[:count]), count) if count else (None, 0)

    def gap(self, start: int, end: int) -> Sequence[OutgoingFrame]:
        return (_shown(b"\r\n[%d bytes of output were lost]\r\n" % (end - start)),)

    def ended(self, end: SessionEnd) -> Sequence[Action]:
        return framed(True, terminado.DISCONNECT.payload), CloseWith(CloseCode.NORMAL, "")

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


def _shown(data: bytes) -> OutgoingFrame:
    return framed(True, terminado.output(data.decode(errors="replace")).payload)
