"""The protocol of terminado, which Jupyter Server and JupyterLab use: JSON arrays whose first item is their kind.

As in terminado 0.18.1 (``terminado/websocket.py``). No subprotocol is named, no credit given, and output carries
no offsets. Terminals are text there: bytes that are not UTF-8 come as replacement characters.

A decoder raises errors of ``TheirError`` and nothing else, for any input.
"""

from __future__ import annotations

import msgspec

from web_terminal_suite.protocol.codec import Frame, InputBytes
from web_terminal_suite.protocol.errors import InvalidText, Malformed, UnsupportedData
from web_terminal_suite.protocol.messages import Resize, Size


class Setup(msgspec.Struct, frozen=True):
    """A server's first frame, once the terminal is there."""


class TerminadoOutput(msgspec.Struct, frozen=True):
    """Terminal bytes, as UTF-8."""

    data: bytes


class Disconnect(msgspec.Struct, frozen=True):
    """The shell ended; a close frame follows."""


ClientMessage = InputBytes | Resize
ServerMessage = Setup | TerminadoOutput | Disconnect

_decoder = msgspec.json.Decoder(list[object])
_encode = msgspec.json.Encoder().encode

SETUP = Frame(True, b'["setup", {}]')
DISCONNECT = Frame(True, b'["disconnect", 1]')


# --- client to server


def input(data: bytes) -> Frame:
    """Keystrokes, which must be UTF-8.

    Raises:
        InvalidText
    """
    return Frame(True, _encode(("stdin", _text(data))))


def resize(size: Size) -> Frame:
    """The terminal's new size: rows go first here."""
    return Frame(True, _encode(("set_size", size.rows, size.cols)))


def decode_client(payload: bytes) -> ClientMessage | None:
    """A client's message, or ``None`` for a size without numbers, which terminado ignores too.

    Raises:
        Malformed: not a JSON array, or not of this protocol's shape.
    """
    match _array(payload):
        case ["stdin", str(text), *_]:
            return InputBytes(text.encode())  # the JSON decoder lets no lone surrogate through
        case ["set_size", int(rows), int(cols), *_]:
            return Resize(cols=cols, rows=rows)
        case ["set_size", *_]:
            return None
        case other:
            raise Malformed(f"{_shown(other)} is neither stdin nor set_size")


# --- server to client


def output(text: str) -> Frame:
    """Terminal output."""
    return Frame(True, _encode(("stdout", text)))


def decode_server(payload: bytes) -> ServerMessage:
    """A server's message.

    Raises:
        Malformed: not a JSON array, or not of this protocol's shape.
    """
    match _array(payload):
        case ["stdout", str(text), *_]:
            return TerminadoOutput(text.encode())
        case ["setup", *_]:
            return Setup()
        case ["disconnect", *_]:
            return Disconnect()
        case other:
            raise Malformed(f"{_shown(other)} is neither setup, stdout nor disconnect")


def check_text(text: bool) -> None:
    """Refuse a binary frame.

    Raises:
        UnsupportedData
    """
    if not text:
        raise UnsupportedData("binary frame; every message of terminado is JSON text")


def _array(payload: bytes) -> list[object]:
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"no message of terminado's: {error}") from error


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidText(f"terminado's protocol is text: byte 0x{data[error.start]:02x} at {error.start}") from error


def _shown(array: list[object]) -> str:
    return repr(array)[:60]
