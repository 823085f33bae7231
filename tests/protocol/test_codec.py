"""Frames of both subprotocols: there and back, from the shared vectors, and out of garbage."""

from __future__ import annotations

import base64
import json
import pathlib

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.protocol.examples import BARE, CLIENT, FULL, SERVER
from web_terminal_suite.protocol import codec, errors
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, Frame, InputBytes, OutputBytes, Subprotocol
from web_terminal_suite.protocol.errors import InvalidText, Malformed, MessageTooBig, TheirError, UnsupportedData

BOTH = list(Subprotocol)
LIMIT = 1 << 20
VECTORS = json.loads((pathlib.Path(__file__).parents[1] / "vectors" / "wire.json").read_text())


def test_the_examples_hold_every_message_of_both_sides():
    assert {type(each) for each in FULL} == {*CLIENT, *SERVER} - {m.Output}


@pytest.mark.parametrize("subprotocol", BOTH)
@pytest.mark.parametrize("message", [*FULL, *BARE], ids=lambda message: m.kind(message))
def test_a_message_comes_back_as_it_went(subprotocol, message):
    frame = codec.encode(message)
    assert frame.text
    if isinstance(message, CLIENT):
        assert codec.decode_client(subprotocol, *frame, LIMIT) == message
    if isinstance(message, SERVER):
        assert codec.decode_server(subprotocol, *frame) == message


@pytest.mark.parametrize("subprotocol", BOTH)
@given(offset=st.integers(0, 2**64 - 1), data=st.binary(max_size=200))
@example(offset=2**53 + 1, data=b"beyond a double")
def test_output_comes_back_as_it_went(subprotocol, offset, data):
    frame = codec.encode_output(subprotocol, offset, data)
    assert frame.text is (subprotocol is Subprotocol.JSON)
    assert codec.decode_server(subprotocol, *frame) == OutputBytes(offset, data)


@given(offset=st.integers(0, 2**64 - 1), data=st.binary(max_size=50), room=st.integers(0, 20))
def test_the_head_put_before_output_is_the_frame_encoded_whole(offset, data, room):
    buffer = bytearray(room + codec.OUTPUT_HEAD_BYTES) + data
    codec.put_output_head(buffer, room, codec.Kind.OUTPUT, offset)
    assert bytes(buffer[room:]) == codec.encode_output(Subprotocol.BINARY, offset, data).payload


@pytest.mark.parametrize("subprotocol", BOTH)
@given(data=st.binary(max_size=200), offset=st.none() | st.integers(0, 2**63 - 1))
def test_input_comes_back_as_it_went(subprotocol, data, offset):
    message = codec.decode_client(subprotocol, *codec.encode_input(subprotocol, data, offset), LIMIT)
    assert (message.data if isinstance(message, InputBytes) else codec.input_bytes(message)) == data
    assert message.offset == offset


@pytest.mark.parametrize("subprotocol", BOTH)
@given(offset=st.integers(0, 2**64 - 1))
def test_an_acknowledgement_of_input_comes_back_as_it_went(subprotocol, offset):
    frame = codec.encode_input_ack(subprotocol, offset)
    assert frame.text is (subprotocol is Subprotocol.JSON)
    assert codec.decode_server(subprotocol, *frame) == m.InputAck(offset=offset)


@given(data=st.binary(max_size=200), text=st.text(max_size=50))
def test_an_echo_comes_back_as_it_went(data, text):
    frame = codec.encode_echo(Subprotocol.BINARY, data)
    assert codec.decode_client(Subprotocol.BINARY, *frame, LIMIT) == EchoBytes(data)
    assert codec.decode_server(Subprotocol.BINARY, *frame) == EchoBytes(data)
    frame = codec.encode_echo(Subprotocol.JSON, text.encode())
    assert codec.decode_client(Subprotocol.JSON, *frame, LIMIT) == m.Echo(data=text)


def test_output_is_base64_only_where_it_is_no_text():
    assert codec.output_message(5, "\u20ac".encode()) == m.Output(offset=5, data="\u20ac")
    assert codec.output_message(5, b"\xff\x00") == m.Output(offset=5, data="/wA=", encoding="base64")


# --- the shared vectors


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vector(vector):
    subprotocol = Subprotocol(vector["subprotocol"])
    payload = bytes.fromhex(vector["payload"])

    def decode():
        if vector["side"] == "client":
            return codec.decode_client(subprotocol, vector["text"], payload, VECTORS["limit_bytes"])
        return codec.decode_server(subprotocol, vector["text"], payload)

    if "error" in vector:
        with pytest.raises(TheirError) as raised:
            decode()
        expected = vector["error"]
        assert type(raised.value) is getattr(errors, expected["class"])
        assert (raised.value.code, raised.value.close) == (expected["code"], expected["close"])
        return
    message = decode()
    assert shown(message) == vector["decoded"]
    if vector.get("canonical"):
        again = encoded(subprotocol, message, vector)
        assert again.text is vector["text"]
        same = json.loads if vector["text"] else bytes
        assert same(again.payload) == same(payload)


def test_the_vectors_cover_every_message_in_both_subprotocols():
    seen = {(v["decoded"]["type"], v["subprotocol"], v["side"]) for v in VECTORS["vectors"] if "decoded" in v}
    for subprotocol in BOTH:
        assert {type_ for type_, name, side in seen if (name, side) == (subprotocol.value, "client")} == {
            m.kind(each) for each in CLIENT
        }
        assert {type_ for type_, name, side in seen if (name, side) == (subprotocol.value, "server")} >= {
            m.kind(each) for each in SERVER
        }


def shown(message: msgspec.Struct) -> dict:
    """A message as the vectors write it: every field, terminal bytes as hex."""
    if isinstance(message, InputBytes | EchoBytes | OutputBytes):
        offset = getattr(message, "offset", None)
        fields = {} if offset is None else {"offset": offset}
        return {"type": m.kind(message), **fields, "data_hex": message.data.hex()}

    def plain(value):
        if isinstance(value, msgspec.Struct):
            renamed = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            return {wire: plain(getattr(value, name)) for wire, name in renamed}
        return list(value) if isinstance(value, tuple) else value

    return {"type": m.kind(message), **plain(message)}


def encoded(subprotocol: Subprotocol, message: msgspec.Struct, vector: dict) -> Frame:
    if isinstance(message, OutputBytes):
        # A client takes output as text in both subprotocols, so the frame's own form decides.
        form = Subprotocol.JSON if vector["text"] else subprotocol
        return codec.encode_output(form, message.offset, message.data)
    if isinstance(message, InputBytes):
        return codec.encode_input(subprotocol, message.data, message.offset)
    if isinstance(message, EchoBytes):
        return codec.encode_echo(subprotocol, message.data)
    return codec.encode(message)


# --- text_length


def naive_text_length(data: bytes) -> int:
    """The longest prefix such that what is cut off is the beginning of one character and nothing else."""
    for cut in range(min(3, len(data)), 0, -1):
        tail = data[-cut:]
        for missing in range(1, 4 - cut + 1):
            # A lead byte fixes the width; the continuation bytes may be any, as the function looks at no more.
            width = cut + missing
            lead = {2: range(0xC0, 0xE0), 3: range(0xE0, 0xF0), 4: range(0xF0, 0xF8)}[width]
            if tail[0] in lead and all(0x80 <= byte < 0xC0 for byte in tail[1:]):
                return len(data) - cut
    return len(data)


@given(st.binary(max_size=12) | st.text(max_size=6).map(str.encode))
@example(b"\xe2\x82")
@example(b"a\xf0\x9f\x98")
@example(b"\x80\x80\x80\x80")
def test_text_length_is_all_but_a_character_begun(data):
    assert codec.text_length(data) == naive_text_length(data)


@given(st.text(max_size=30), st.integers(0, 100))
def test_text_cut_anywhere_is_sent_as_text(text, cut):
    data = text.encode()
    first = data[: codec.text_length(data[:cut])]
    first.decode()
    assert len(data[:cut]) - len(first) <= 3


# --- garbage

LISTED = (Malformed, InvalidText, UnsupportedData, MessageTooBig)


def decoded_or_listed(decode, *arguments):
    try:
        return decode(*arguments)
    except LISTED:
        return None


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = sorted({m.kind(each) for each in (*CLIENT, *SERVER)})
FIELDS = sorted({name for each in (*CLIENT, *SERVER) for name in each.__struct_encode_fields__})
NEARLY = st.builds(
    lambda kind, fields: json.dumps({"type": kind, **fields}).encode(),
    st.sampled_from(TYPES) | JSON_LIKE,
    st.dictionaries(st.sampled_from(FIELDS), JSON_LIKE, max_size=5),
)


@given(st.sampled_from(BOTH), st.booleans(), st.binary(max_size=100) | NEARLY)
@example(Subprotocol.JSON, True, b"[" * 100_000)
@example(Subprotocol.JSON, True, b'{"type":"ping","id":' + b"9" * 5000 + b"}")
@example(Subprotocol.JSON, True, b'{"type":"echo","data":"\\ud800"}')
@example(Subprotocol.JSON, True, b'{"type":"input","encoding":"base64","data":"\xc3\xa9"}')
@example(Subprotocol.BINARY, False, b"")
@example(Subprotocol.BINARY, False, b"\x01\x00")
def test_garbage_raises_only_what_is_listed(subprotocol, text, payload):
    message = decoded_or_listed(codec.decode_client, subprotocol, text, payload, LIMIT)
    if isinstance(message, m.Input):
        decoded_or_listed(codec.input_bytes, message)
    decoded_or_listed(codec.decode_server, subprotocol, text, payload)


@given(st.sampled_from([*FULL, *BARE]), st.data())
def test_a_frame_with_a_byte_changed_raises_only_what_is_listed(message, data):
    payload = bytearray(codec.encode(message).payload)
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    for cut in (len(payload), data.draw(st.integers(0, len(payload)))):
        decoded_or_listed(codec.decode_client, Subprotocol.JSON, True, bytes(payload[:cut]), LIMIT)
        decoded_or_listed(codec.decode_server, Subprotocol.JSON, True, bytes(payload[:cut]))


@pytest.mark.parametrize("text", [True, False])
def test_a_message_above_the_limit_is_refused_with_both_sizes(text):
    payload = codec.encode_input(Subprotocol.BINARY, b"x" * 100).payload
    codec.decode_client(Subprotocol.BINARY, False, payload, 101)
    with pytest.raises(MessageTooBig, match=r"101 bytes exceeds the limit of 100 bytes"):
        codec.decode_client(Subprotocol.BINARY, text, payload, 100)


@pytest.mark.parametrize("kind", [0, 1, 5, 255])
def test_a_client_sends_no_binary_frame_but_input_and_echo(kind):
    with pytest.raises(UnsupportedData, match=f"kind {kind}"):
        codec.decode_client(Subprotocol.BINARY, False, bytes([kind]) + b"x", LIMIT)


@pytest.mark.parametrize("payload", [b"\x02x", b"", b"{}"])
def test_the_json_subprotocol_has_no_binary_frames(payload):
    with pytest.raises(UnsupportedData):
        codec.decode_client(Subprotocol.JSON, False, payload, LIMIT)
    with pytest.raises(UnsupportedData):
        codec.decode_server(Subprotocol.JSON, False, payload)


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", Malformed),
        (b"{}", Malformed),
        (b'{"type":"ping"', Malformed),
        (b'{"type":"nonsense"}', Malformed),
        (b'{"type":"resize","cols":1}', Malformed),
        (b'{"type":"resize","cols":1,"rows":"2"}', Malformed),
        (b'{"type":"resize","cols":1,"rows":2,"row":2}', Malformed),
        (b'{"type":"attach","spec":{"shel":"x"}}', Malformed),
        (b'{"type":"attach","spec":{"limits":{"cpu":1}}}', Malformed),
        (b'{"type":"attach","mode":"admin"}', Malformed),
        (b'{"type":"echo","data":"\xff"}', InvalidText),
        (b"\xff\xfe", InvalidText),
    ],
)
def test_what_is_no_message_is_refused_by_what_is_wrong_with_it(payload, error):
    with pytest.raises(error):
        codec.decode_client(Subprotocol.JSON, True, payload, LIMIT)


@pytest.mark.parametrize("data", ["AA", "A A=", "AAE=\n", "@@@@", "\u00e9"])
def test_base64_is_strict(data):
    with pytest.raises(Malformed, match="base64"):
        codec.input_bytes(m.Input(data=data, encoding="base64"))


@given(st.binary(max_size=60))
def test_base64_of_any_bytes_is_typed_as_those_bytes(data):
    assert codec.input_bytes(m.Input(data=base64.b64encode(data).decode(), encoding="base64")) == data


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(InvalidText, match="input contains a lone surrogate at character 1"):
        codec.input_bytes(m.Input(data="a\ud800"))


def test_what_is_nested_too_deeply_is_refused():
    payload = b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b',"type":"ping"}'
    with pytest.raises(Malformed, match="JSON nested too deeply"):
        codec.decode_client(Subprotocol.JSON, True, payload, 1 << 20)
