"""Messages to frames and back, in both subprotocols.

``web-terminal.v1.json``  every message is one JSON text frame.
``web-terminal.v1``       control as JSON text; the bulk as binary frames, whose first byte is their kind:

    0x01  server to client  output  kind, 8-byte big-endian absolute offset, terminal bytes
    0x02  client to server  input   kind, terminal bytes
    0x03  both directions   echo    kind, bytes
    0x04  client to server  input   kind, 8-byte big-endian offset in this client's input, terminal bytes
    0x05  server to client  ack of input  kind, 8-byte big-endian offset in this client's input

A decoder raises errors of ``TheirError`` and nothing else, for any input.
"""

from __future__ import annotations

import binascii
import struct
from enum import IntEnum, StrEnum
from typing import NamedTuple, TypeVar

import msgspec

from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.errors import InvalidText, Malformed, MessageTooBig, UnsupportedData

_T = TypeVar("_T")


class Subprotocol(StrEnum):
    """Names offered in ``Sec-WebSocket-Protocol``, the preferred one first."""

    BINARY = "web-terminal.v1"
    JSON = "web-terminal.v1.json"


class Kind(IntEnum):
    """First byte of a binary frame."""

    OUTPUT = 1
    INPUT = 2
    ECHO = 3
    NUMBERED_INPUT = 4
    INPUT_ACK = 5


# Plain integers: comparing with an IntEnum's member costs a keystroke a look-up each.
_OUTPUT = int(Kind.OUTPUT)
_INPUT = int(Kind.INPUT)
_ECHO = int(Kind.ECHO)
_NUMBERED_INPUT = int(Kind.NUMBERED_INPUT)
_INPUT_ACK = int(Kind.INPUT_ACK)

# How every client of ours begins an acknowledgement; its offset and a brace follow. Other forms are read as well.
ACK_HEAD = b'{"type":"ack","offset":'


class Frame(NamedTuple):
    """One WebSocket message: text where ``text`` is true, else binary."""

    text: bool
    payload: bytes


class InputBytes(msgspec.Struct, tag="input", frozen=True):
    """``input`` as the binary subprotocol carries it; ``offset`` where it is numbered."""

    data: bytes
    offset: int | None = None


class EchoBytes(msgspec.Struct, tag="echo", frozen=True):
    """``echo`` as the binary subprotocol carries it, both directions."""

    data: bytes


class OutputBytes(msgspec.Struct, tag="output", frozen=True):
    """``output`` decoded from either subprotocol: terminal bytes from ``offset`` on."""

    offset: int
    data: bytes


_OUTPUT_HEAD = struct.Struct(">BQ")
OUTPUT_HEAD_BYTES = _OUTPUT_HEAD.size
NUMBERED_HEAD_BYTES = _OUTPUT_HEAD.size
"""What goes before numbered input, and all of an acknowledgement of input: kind and offset, as with output."""

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[m.ClientMessage] = msgspec.json.Decoder(m.ClientMessage)
_server_decoder: msgspec.json.Decoder[m.ServerMessage] = msgspec.json.Decoder(m.ServerMessage)


def encode(message: msgspec.Struct) -> Frame:
    """A message as a text frame: valid in both subprotocols, except for output and input in the binary one."""
    return Frame(True, _encoder.encode(message))


put_output_head = _OUTPUT_HEAD.pack_into
"""``(buffer, at, Kind.OUTPUT, offset)``: write the nine bytes that go before terminal output into ``buffer[at:]``.

The struct's own method, since a function around it would be one more call for each frame.
"""


def encode_output(subprotocol: Subprotocol, offset: int, data: bytes) -> Frame:
    """Terminal bytes as a frame; ``data`` is taken whole, so see ``text_length`` for JSON."""
    if subprotocol is Subprotocol.BINARY:
        return Frame(False, _OUTPUT_HEAD.pack(Kind.OUTPUT, offset) + data)
    return Frame(True, _encoder.encode(output_message(offset, data)))


def output_message(offset: int, data: bytes) -> m.Output:
    """Terminal bytes as the JSON subprotocol carries them: text, or base64 where they are not UTF-8."""
    try:
        return m.Output(offset=offset, data=data.decode())
    except UnicodeDecodeError:
        return m.Output(offset=offset, data=binascii.b2a_base64(data, newline=False).decode(), encoding="base64")


def text_length(data: bytes) -> int:
    """How much of ``data`` to send now as text: all of it, or all but a character still incomplete at its end.

    A character is at most four bytes (RFC 3629), so at most three bytes ever wait. Bytes that are no UTF-8 at all
    are not kept back.
    """
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        width = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
        return len(data) - back if width > back else len(data)
    return len(data)


def encode_input(subprotocol: Subprotocol, data: bytes, offset: int | None = None) -> Frame:
    """Keystrokes as a frame, numbered where there is an ``offset``."""
    if subprotocol is Subprotocol.BINARY:
        return Frame(False, b"\x02" + data if offset is None else _OUTPUT_HEAD.pack(_NUMBERED_INPUT, offset) + data)
    try:
        return encode(m.Input(data=data.decode(), offset=offset))
    except UnicodeDecodeError:
        text = binascii.b2a_base64(data, newline=False).decode()
        return encode(m.Input(data=text, encoding="base64", offset=offset))


def encode_input_ack(subprotocol: Subprotocol, offset: int) -> Frame:
    """An acknowledgement of input as a frame."""
    if subprotocol is Subprotocol.BINARY:
        return Frame(False, _OUTPUT_HEAD.pack(_INPUT_ACK, offset))
    return encode(m.InputAck(offset=offset))


def encode_echo(subprotocol: Subprotocol, data: bytes) -> Frame:
    """An ``echo`` as a frame; in the JSON subprotocol ``data`` must be UTF-8."""
    if subprotocol is Subprotocol.BINARY:
        return Frame(False, b"\x03" + data)
    return encode(m.Echo(data=data.decode()))


def input_bytes(message: m.Input) -> bytes:
    """What an ``input`` message types.

    Raises:
        Malformed: ``base64`` that is not base64.
    """
    return _from_encoding(message.data, message.encoding, "input")


def decode_client(
    subprotocol: Subprotocol, text: bool, payload: bytes, limit_bytes: int
) -> m.ClientMessage | InputBytes | EchoBytes:
    """A client's message.

    Raises:
        MessageTooBig: above ``limit_bytes``.
        UnsupportedData: binary in the JSON subprotocol, or of a kind that clients do not send.
        InvalidText: text that is not UTF-8.
        Malformed: not JSON, no known ``type``, a missing, unknown or ill-typed field.
    """
    if len(payload) > limit_bytes:
        raise MessageTooBig(len(payload), limit_bytes)
    if text:
        return _decode_text(_client_decoder, payload)
    kind = _binary_kind(subprotocol, payload)
    if kind == _INPUT:
        return InputBytes(payload[1:])
    if kind == _NUMBERED_INPUT:
        return InputBytes(payload[NUMBERED_HEAD_BYTES:], _offset_of(payload, "numbered input"))
    if kind == _ECHO:
        return EchoBytes(payload[1:])
    raise UnsupportedData(f"binary frame of kind {kind}; a client sends 2 (input), 3 (echo) or 4 (numbered input)")


def decode_server(subprotocol: Subprotocol, text: bool, payload: bytes) -> m.ServerMessage | OutputBytes | EchoBytes:
    """A server's message; output of either subprotocol comes as ``OutputBytes``.

    Raises:
        UnsupportedData, InvalidText, Malformed: as in ``decode_client``.
    """
    if text:
        message = _decode_text(_server_decoder, payload)
        if isinstance(message, m.Output):
            return OutputBytes(message.offset, _from_encoding(message.data, message.encoding, "output"))
        return message
    kind = _binary_kind(subprotocol, payload)
    if kind == _OUTPUT:
        return OutputBytes(_offset_of(payload, "output"), payload[OUTPUT_HEAD_BYTES:])
    if kind == _ECHO:
        return EchoBytes(payload[1:])
    if kind == _INPUT_ACK:
        return m.InputAck(offset=_offset_of(payload, "input_ack"))
    raise UnsupportedData(f"binary frame of kind {kind}; a server sends 1 (output), 3 (echo) or 5 (input_ack)")


def _offset_of(payload: bytes, what: str) -> int:
    if len(payload) < OUTPUT_HEAD_BYTES:
        raise Malformed(f"{what} frame of {len(payload)} bytes is shorter than its head of {OUTPUT_HEAD_BYTES}")
    return int.from_bytes(payload[1:OUTPUT_HEAD_BYTES], "big")


def _binary_kind(subprotocol: Subprotocol, payload: bytes) -> int:
    if subprotocol is Subprotocol.JSON:
        raise UnsupportedData(f"binary frame in subprotocol {subprotocol.value}, where every message is JSON text")
    if not payload:
        raise UnsupportedData("empty binary frame; the first byte is its kind")
    return payload[0]


def _decode_text(decoder: msgspec.json.Decoder[_T], payload: bytes) -> _T:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Malformed(f"not a message of this protocol: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # msgspec reports bad UTF-8 inside a JSON string in its own ways, so look before blaming the JSON.
        try:
            payload.decode()
        except UnicodeDecodeError as bad:
            raise InvalidText(f"text frame is not UTF-8: byte 0x{payload[bad.start]:02x} at {bad.start}") from error
        raise Malformed(f"not JSON: {error}") from error
    except RecursionError as error:
        raise Malformed("JSON nested too deeply") from error


def _from_encoding(data: str, encoding: m.Encoding, kind: str) -> bytes:
    if encoding == "utf-8":
        try:
            return data.encode()
        except UnicodeEncodeError as error:
            raise InvalidText(f"{kind} contains a lone surrogate at character {error.start}") from error
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{kind} is not base64: {error}") from error
