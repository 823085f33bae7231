"""A session as a connection tells a protocol of it, and what the protocol's frames say."""

from __future__ import annotations

from web_terminal_suite.protocol.messages import Limits, Size
from web_terminal_suite.server.worker.protocols.protocol import AttachedSession, OutgoingFrame, SessionEnd

LIMITS = Limits(message_bytes=4096, cols=500, rows=200)
WINDOW_BYTES = 32 * 1024
SESSION = AttachedSession(
    id="s1",
    name="a name",
    pid=42,
    command=("/bin/sh", "-l"),
    log_start=0,
    log_end=0,
    size=Size(80, 24),
    resizable=True,
    may_write=True,
)


def end(reason: str = "exited", status: int | None = 0, signal: str | None = None) -> SessionEnd:
    return SessionEnd("s1", 7, reason, status, signal)


def output(protocol, data: bytes, *, offset: int = 0, ended: bool = False) -> tuple[OutgoingFrame | None, int]:
    """What a connection does with bytes of the log."""
    return protocol.output(bytearray(protocol.output_space) + data, offset, len(data), ended=ended)


def payloads(actions) -> list[bytes]:
    """What the frames among actions hold."""
    return [each.payload for each in actions if isinstance(each, OutgoingFrame)]


def others(actions) -> list[object]:
    """The actions that are no frames."""
    return [each for each in actions if not isinstance(each, OutgoingFrame)]
