"""Every message of both sides, as values.

A message is a JSON object whose ``type`` is the class's tag. Offsets are absolute byte offsets into a session's
output, counted from its first byte; sizes are in character cells.
"""

from __future__ import annotations

from typing import Literal, NewType

import msgspec

SessionId = NewType("SessionId", str)

Mode = Literal["write", "read"]
Encoding = Literal["utf-8", "base64"]


class Size(msgspec.Struct, frozen=True):
    """A terminal's size in character cells."""

    cols: int = 80
    rows: int = 24


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a server accepts, announced in ``connection_status``. Bytes and character cells."""

    message_bytes: int = 1 << 20
    cols: int = 500
    rows: int = 200


class ResourceLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits on a shell and its children, set with ``setrlimit(2)`` before it runs. ``None`` leaves one alone."""

    cpu_seconds: int | None = None
    memory_bytes: int | None = None
    open_files: int | None = None
    processes: int | None = None
    file_bytes: int | None = None


class SessionSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a new session should be; what is left out comes from the server's settings.

    A client that did not get the answer may ask again with the same ``key``, and gets the session it made before.
    """

    name: str | None = None
    shell: str | None = None
    args: tuple[str, ...] = ()
    cwd: str | None = None
    env: dict[str, str] = {}
    cols: int = 80
    rows: int = 24
    limits: ResourceLimits | None = None
    key: str | None = None


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Fields with their default value are not sent."""


class _Request(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelt field is an error, not a setting silently ignored."""


# --- client to server


class Authenticate(_Request, tag="authenticate", frozen=True, kw_only=True):
    token: str


class Attach(_Request, tag="attach", frozen=True, kw_only=True):
    """Join ``session``, or make a new one after ``spec`` where it is ``None``.

    ``resume_from`` is the offset the client has everything before; ``None`` asks for all the log still holds.
    ``window`` is the bytes that may be on the way unacknowledged; ``usage_interval`` in seconds asks for
    ``resource_usage`` messages. ``input_key`` asks for acknowledged input: 16 random hexadecimal digits, which stand
    for this client on all its connections.
    """

    session: str | None = None
    spec: SessionSpec | None = None
    cols: int = 80
    rows: int = 24
    resume_from: int | None = None
    mode: Mode = "write"
    window: int | None = None
    usage_interval: float | None = None
    input_key: str | None = None


class Input(_Request, tag="input", frozen=True, kw_only=True):
    """``offset`` numbers the input of a client with an ``input_key``: the bytes of it before ``data``."""

    data: str
    encoding: Encoding = "utf-8"
    offset: int | None = None


class Command(_Request, tag="command", frozen=True, kw_only=True):
    """A line typed for the user: the server adds the newline."""

    line: str


class Resize(_Request, tag="resize", frozen=True, kw_only=True):
    cols: int
    rows: int


class Signal(_Request, tag="signal", frozen=True, kw_only=True):
    """``name`` as in ``kill -l`` with its prefix, such as ``SIGINT``; goes to the foreground process group."""

    name: str


class Ack(_Request, tag="ack", frozen=True, kw_only=True):
    """Everything before ``offset`` has been drawn."""

    offset: int


class Ping(_Request, tag="ping", frozen=True, kw_only=True):
    id: int = 0


class Echo(_Request, tag="echo", frozen=True, kw_only=True):
    """Sent back as it came, without touching a session; both directions."""

    data: str


class Close(_Request, tag="close", frozen=True, kw_only=True):
    """End this connection, and with ``destroy`` its session too."""

    destroy: bool = False


# --- server to client


class ConnectionStatus(_Message, tag="connection_status", frozen=True, kw_only=True):
    """Sent after the handshake, and again when the server begins to drain.

    A server that is ``draining`` takes no new sessions and ends with the last one, or in ``ends_in`` seconds.
    """

    status: Literal["authentication_required", "ready"]
    subprotocol: str
    version: str
    limits: Limits
    draining: bool = False
    ends_in: float | None = None


class Authenticated(_Message, tag="authenticated", frozen=True, kw_only=True):
    user: str
    role: str


class Attached(_Message, tag="attached", frozen=True, kw_only=True):
    """``offset`` is the first byte this viewer will get (after a ``gap``, the gap's end), ``end`` what is logged now.

    Output before ``end`` is a replay: a page must not answer terminal queries in it. ``input`` is the offset from which
    the client numbers and sends its input; ``None`` where input is not acknowledged.
    """

    session: str
    name: str
    offset: int
    end: int
    cols: int
    rows: int
    mode: Mode
    window: int
    input: int | None = None


class Output(_Message, tag="output", frozen=True, kw_only=True):
    """Terminal bytes from ``offset`` on, in the JSON subprotocol; ``base64`` where they are not UTF-8."""

    offset: int
    data: str
    encoding: Encoding = "utf-8"


class Gap(_Message, tag="gap", frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """Bytes that fell out of the log before this viewer got them."""

    start: int
    end: int


class InputAck(_Message, tag="input_ack", frozen=True, kw_only=True):
    """The program's terminal took everything before ``offset`` of this client's input, or Ctrl-C dropped it."""

    offset: int


class ProcessStarted(_Message, tag="process_started", frozen=True, kw_only=True):
    session: str
    pid: int
    command: tuple[str, ...]


class ProcessExited(_Message, tag="process_exited", frozen=True, kw_only=True):
    """Sent after the last byte of output. ``status`` or ``signal`` is set, never both."""

    session: str
    offset: int
    status: int | None = None
    signal: str | None = None


class Pong(_Message, tag="pong", frozen=True, kw_only=True):
    id: int = 0


class Error(_Message, tag="error", frozen=True, kw_only=True):
    """``fatal`` means that a close frame follows."""

    code: str
    message: str
    fatal: bool = False


class FlowControl(_Message, tag="flow_control", frozen=True, kw_only=True):
    """``output`` paused: the program waits until you acknowledge. ``input`` paused: the program does not read."""

    direction: Literal["input", "output"]
    state: Literal["paused", "resumed"]


class ResourceUsage(_Message, tag="resource_usage", frozen=True, kw_only=True):
    """The shell and its descendants: CPU used so far, resident memory now, how many processes."""

    cpu_seconds: float
    memory_bytes: int
    processes: int


class Resized(_Message, tag="resized", frozen=True, kw_only=True):
    """Another viewer changed the terminal's size."""

    cols: int
    rows: int


ClientMessage = Authenticate | Attach | Input | Command | Resize | Signal | Ack | Ping | Echo | Close
ServerMessage = (
    ConnectionStatus
    | Authenticated
    | Attached
    | Output
    | Gap
    | InputAck
    | ProcessStarted
    | ProcessExited
    | Pong
    | Echo
    | Error
    | FlowControl
    | ResourceUsage
    | Resized
)


def kind(message: msgspec.Struct | type[msgspec.Struct]) -> str:
    """The ``type`` field of a message or of a class of messages."""
    return str(message.__struct_config__.tag)
