"""The protocol of ttyd, subprotocol ``tty``: the first byte is a frame's kind, the rest is its content.

As in ttyd 1.7.7 (``src/server.h``, ``src/protocol.c`` of tsl0922/ttyd). A client's first frame is JSON, whose
opening brace is its kind; it starts the shell. Output carries no offsets: a session lives as long as its connection.
Every frame of both sides is binary; text is accepted as well, since ttyd does not tell them apart.

A decoder raises errors of ``TheirError`` and nothing else, for any input.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import msgspec

from web_terminal_suite.protocol.codec import Frame, InputBytes
from web_terminal_suite.protocol.errors import Malformed, UnsupportedData
from web_terminal_suite.protocol.messages import Resize, Size

_T = TypeVar("_T")

SUBPROTOCOL = "tty"

# The first byte of a frame, client to server ...
_INPUT = ord("0")
_RESIZE = ord("1")
_PAUSE = ord("2")
_RESUME = ord("3")
_HELLO = ord("{")
# ... and server to client.
_OUTPUT = ord("0")
_TITLE = ord("1")
_PREFERENCES = ord("2")


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """A client's first frame: credentials, and the size of the terminal to start (0 leaves it to the server)."""

    token: str = msgspec.field(default="", name="AuthToken")
    columns: int = 0
    rows: int = 0


class Flow(Enum):
    """What a client sends when it falls behind in drawing, and when it has caught up."""

    PAUSE = "pause"
    RESUME = "resume"


class TtydOutput(msgspec.Struct, frozen=True):
    """Terminal bytes."""

    data: bytes


class Title(msgspec.Struct, frozen=True):
    """What the page's title should be; sent once, before any output."""

    text: str


class Preferences(msgspec.Struct, frozen=True):
    """Settings for the page; sent once, after the title and before any output."""

    values: dict[str, object]


class _WindowSize(msgspec.Struct, frozen=True):
    columns: int
    rows: int


ClientMessage = Hello | InputBytes | Resize | Flow
ServerMessage = TtydOutput | Title | Preferences

_hello = msgspec.json.Decoder(Hello)
_window_size = msgspec.json.Decoder(_WindowSize)
_preferences = msgspec.json.Decoder(dict[str, object])
_encode = msgspec.json.Encoder().encode


# --- client to server


def hello(token: str, size: Size) -> Frame:
    """The first frame, which starts the shell."""
    return Frame(False, _encode(Hello(token=token, columns=size.cols, rows=size.rows)))


def input(data: bytes) -> Frame:
    """Keystrokes."""
    return Frame(False, b"0" + data)


def resize(size: Size) -> Frame:
    """The terminal's new size."""
    return Frame(False, b"1" + _encode(_WindowSize(size.cols, size.rows)))


def flow(word: Flow) -> Frame:
    """Stop sending, or go on."""
    return Frame(False, b"2" if word is Flow.PAUSE else b"3")


def decode_client(payload: bytes) -> ClientMessage:
    """A client's message.

    Raises:
        UnsupportedData: empty, or of a kind that clients do not send.
        Malformed: a hello or a resize that is not the JSON it should be.
    """
    kind = payload[0] if payload else -1
    if kind == _INPUT:
        return InputBytes(payload[1:])
    if kind == _RESIZE:
        size = _json(_window_size, payload[1:], "resize")
        return Resize(cols=size.columns, rows=size.rows)
    if kind == _PAUSE:
        return Flow.PAUSE
    if kind == _RESUME:
        return Flow.RESUME
    if kind == _HELLO:
        return _json(_hello, payload, "hello")
    raise UnsupportedData(_unknown(payload, "a client sends 0 (input), 1 (resize), 2 (pause), 3 (resume) or {"))


# --- server to client


def output(data: bytes) -> Frame:
    """Terminal bytes."""
    return Frame(False, b"0" + data)


def title(text: str) -> Frame:
    """What the page's title should be."""
    return Frame(False, b"1" + text.encode())


def preferences(values: dict[str, object]) -> Frame:
    """Settings for the page."""
    return Frame(False, b"2" + _encode(values))


def decode_server(payload: bytes) -> ServerMessage:
    """A server's message.

    Raises:
        UnsupportedData: empty, or of a kind that servers do not send.
        Malformed: preferences that are not a JSON object.
    """
    kind = payload[0] if payload else -1
    if kind == _OUTPUT:
        return TtydOutput(payload[1:])
    if kind == _TITLE:
        return Title(payload[1:].decode(errors="replace"))
    if kind == _PREFERENCES:
        return Preferences(_json(_preferences, payload[1:], "preferences"))
    raise UnsupportedData(_unknown(payload, "a server sends 0 (output), 1 (title) or 2 (preferences)"))


def _json(decoder: msgspec.json.Decoder[_T], payload: bytes, what: str) -> _T:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no {what} of ttyd's: {error}") from error


def _unknown(payload: bytes, known: str) -> str:
    return f"frame of kind {payload[:1]!r}; {known}" if payload else f"empty frame; {known}"
