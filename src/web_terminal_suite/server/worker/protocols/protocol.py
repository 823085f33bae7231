"""The interface of a protocol to the connection that drives it: events go in, actions come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from web_terminal_suite.protocol.errors import OutOfRange
from web_terminal_suite.protocol.messages import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.protocol.error_codes import CloseCode
    from web_terminal_suite.protocol.errors import TheirError
    from web_terminal_suite.protocol.messages import Limits, Mode, SessionSpec

# A WebSocket frame's head is 14 bytes at most (RFC 6455 section 5.2), and is written in front of its payload.
HEAD_ROOM = 14


# --- actions


class OutgoingFrame(NamedTuple):
    """Send a whole message. ``buffer`` is ``HEAD_ROOM`` free bytes and the payload."""

    text: bool
    buffer: bytearray

    @property
    def payload(self) -> bytes:
        return bytes(memoryview(self.buffer)[HEAD_ROOM:])


class LogIn(NamedTuple):
    """Authenticate with this token."""

    token: str


class StartSession(NamedTuple):
    """Create a session and attach to it. A ``tied`` one ends with the connection."""

    spec: SessionSpec
    tied: bool
    input_key: int | None = None


class EnterSession(NamedTuple):
    """Attach to a session that exists. A client with an ``input_key`` has its input acknowledged, if it may write."""

    session: str
    input_key: int | None = None


class TypeInput(NamedTuple):
    """Write to the terminal; ``offset`` is the number of the first byte where the client numbers its input."""

    data: bytes
    offset: int | None = None


class SetSize(NamedTuple):
    """Set the terminal's size."""

    size: Size


class SendSignal(NamedTuple):
    """Signal the foreground process group."""

    number: int


class Acknowledge(NamedTuple):
    """The client has drawn everything before ``offset``."""

    offset: int


class SetWindow(NamedTuple):
    """From now on this many bytes may be unacknowledged; with 0 nothing is sent."""

    limit_bytes: int


class EndSession(NamedTuple):
    """End the session, then the connection."""


class CloseWith(NamedTuple):
    """Close the connection."""

    code: CloseCode
    reason: str


class Refuse(NamedTuple):
    """Tell the client of an error, and close if it is fatal."""

    error: TheirError


class Abort(NamedTuple):
    """Close the connection without a close frame."""


Action = (
    OutgoingFrame
    | LogIn
    | StartSession
    | EnterSession
    | TypeInput
    | SetSize
    | SendSignal
    | Acknowledge
    | SetWindow
    | EndSession
    | CloseWith
    | Refuse
    | Abort
)


# --- events


class AttachedSession(NamedTuple):
    """A session that the host has given to this worker, for a client that may write to it or not."""

    id: str
    name: str
    pid: int
    command: tuple[str, ...]
    log_start: int
    log_end: int
    size: Size
    resizable: bool
    """Whether the terminal is still open."""
    may_write: bool
    input: int | None = None
    """How much of the client's input is not to be sent again; ``None`` where its input is not acknowledged."""


class Opening(NamedTuple):
    """How a client follows a session: from ``offset`` on, with ``window_bytes`` unacknowledged."""

    mode: Mode
    offset: int
    window_bytes: int
    frames: Sequence[OutgoingFrame]
    """What is sent before any output."""
    size: Size | None = None
    """What the terminal's size should be."""
    gap: tuple[int, int] | None = None
    """Bytes that the client asked for and that left the log."""
    usage_interval: float | None = None
    """Seconds between two calls of ``used``."""
    early: Sequence[tuple[bool, bytes]] = ()
    """Messages that came before the session was there, to be received again."""


class SessionEnd(NamedTuple):
    """The session is over and every byte before ``offset`` was sent. ``reason`` is as in ``ipc.SessionEnded``."""

    session: str
    offset: int
    reason: str
    status: int | None
    signal: str | None


class ServerProtocol(Protocol):
    """One connection's protocol. Methods that return actions or frames change nothing else but its own state."""

    acknowledges: bool
    """Whether the client acknowledges output. Otherwise what left the send buffer counts as acknowledged."""
    fast_path: bool
    """Whether input and output have the layout of the fast path: binary frames of ``web-terminal.v1``."""
    unsent_bytes: int
    """Unsent bytes above which the connection is notified that the client does not read."""
    output_space: bytes
    """What precedes the terminal's bytes in the buffer given to ``output``."""

    def greet(self, *, authenticated: bool) -> Sequence[OutgoingFrame]:
        """The handshake is done."""

    def authenticated(self, user: str, role: str) -> Sequence[Action]:
        """It is known who the client is."""

    def receive(self, text: bool, payload: bytes) -> Sequence[Action]:
        """A whole message came.

        Raises:
            TheirError: it is not of this protocol, or not allowed now.
        """

    def attached(self, session: AttachedSession) -> Opening:
        """The session that was asked for is there.

        Raises:
            TheirError: the client asked for what this session does not have.
        """

    def output(self, buffer: bytearray, offset: int, count: int, *, ended: bool) -> tuple[OutgoingFrame | None, int]:
        """The frame for ``count`` bytes from ``offset`` on, and how many of them are in it.

        ``buffer`` is ``output_space`` and the bytes, and may be reused. ``ended``: no more bytes follow.
        """

    def gap(self, start: int, end: int) -> Sequence[OutgoingFrame]:
        """These bytes left the log before they could be sent."""

    def ended(self, end: SessionEnd) -> Sequence[Action]:
        """The session is over."""

    def error(self, error: TheirError) -> Sequence[OutgoingFrame]:
        """Frames that report an error to the client."""

    def input_ack(self, offset: int) -> Sequence[OutgoingFrame]:
        """The terminal took the client's numbered input before ``offset``."""

    def resized(self, size: Size) -> Sequence[OutgoingFrame]:
        """Another viewer set the size."""

    def paused(self, direction: str, paused: bool) -> Sequence[OutgoingFrame]:
        """The program waits for the viewers (``output``), or does not read (``input``)."""

    def draining(self, ends_in: float | None) -> Sequence[OutgoingFrame]:
        """The server takes no new sessions; it ends with the last one, or in ``ends_in`` seconds."""

    def used(self, cpu_seconds: float, memory_bytes: int, processes: int) -> Sequence[OutgoingFrame]:
        """What the shell and its descendants use now."""


def framed(text: bool, payload: bytes) -> OutgoingFrame:
    """A frame with this payload."""
    buffer = bytearray(HEAD_ROOM)
    buffer += payload
    return OutgoingFrame(text, buffer)


def checked_size(limits: Limits, cols: int, rows: int) -> Size:
    """The size, if it is within its limits.

    Raises:
        OutOfRange
    """
    for name, value, limit in (("cols", cols, limits.cols), ("rows", rows, limits.rows)):
        if not 1 <= value <= limit:
            raise OutOfRange(f"{name} = {value} is out of range: 1 to {limit}")
    return Size(cols, rows)
