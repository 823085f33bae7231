"""The compat_server of ttyd and terminado: both directions back and forth, and whatever else may come."""

from __future__ import annotations

import contextlib
import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.protocol.codec import InputBytes
from web_terminal_suite.protocol.compat import terminado, ttyd
from web_terminal_suite.protocol.errors import InvalidText, Malformed, TheirError, UnsupportedData
from web_terminal_suite.protocol.messages import Resize, Size

VECTORS = pathlib.Path(__file__).parents[1] / "vectors"
DECODERS = (ttyd.decode_client, ttyd.decode_server, terminado.decode_client, terminado.decode_server)


@given(st.binary())
def test_ttyd_carries_bytes_as_they_are(data: bytes) -> None:
    assert ttyd.decode_client(ttyd.input(data).payload) == InputBytes(data)
    assert ttyd.decode_server(ttyd.output(data).payload) == ttyd.TtydOutput(data)


def test_ttyd_begins_with_a_hello() -> None:
    frame = ttyd.hello("secret", Size(132, 50))
    assert json.loads(frame.payload) == {"AuthToken": "secret", "columns": 132, "rows": 50}
    assert ttyd.decode_client(frame.payload) == ttyd.Hello(token="secret", columns=132, rows=50)
    # ttyd's own page adds nothing else, but what it does not know ttyd does not mind either.
    assert ttyd.decode_client(b'{"columns": 80, "rows": 24, "more": []}') == ttyd.Hello(columns=80, rows=24)


def test_ttyd_s_other_messages() -> None:
    assert ttyd.decode_client(ttyd.resize(Size(100, 30)).payload) == Resize(cols=100, rows=30)
    for word in ttyd.Flow:
        assert ttyd.decode_client(ttyd.flow(word).payload) is word
    assert ttyd.decode_server(ttyd.title("sh (host)").payload) == ttyd.Title("sh (host)")
    assert ttyd.decode_server(ttyd.preferences({"fontSize": 14}).payload) == ttyd.Preferences({"fontSize": 14})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_terminado_carries_text_as_it_is(text: str) -> None:
    assert terminado.decode_client(terminado.input(text.encode()).payload) == InputBytes(text.encode())
    assert terminado.decode_server(terminado.output(text).payload) == terminado.TerminadoOutput(text.encode())


def test_terminado_s_other_messages() -> None:
    frame = terminado.resize(Size(100, 30))
    assert json.loads(frame.payload) == ["set_size", 30, 100]
    assert terminado.decode_client(frame.payload) == Resize(cols=100, rows=30)
    # JupyterLab sends the size in pixels behind them, and null for all four before it is drawn.
    assert terminado.decode_client(b'["set_size", 30, 100, 600, 800]') == Resize(cols=100, rows=30)
    assert terminado.decode_client(b'["set_size", null, null, null, null]') is None
    assert terminado.decode_server(terminado.SETUP.payload) == terminado.Setup()
    assert terminado.decode_server(terminado.DISCONNECT.payload) == terminado.Disconnect()


def test_terminado_is_text() -> None:
    with pytest.raises(InvalidText, match="byte 0xff at 2"):
        terminado.input(b"ab\xff")
    with pytest.raises(Malformed):
        terminado.decode_client(rb'["stdin", "a\udc00"]')
    with pytest.raises(UnsupportedData):
        terminado.check_text(False)
    terminado.check_text(True)


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary() | st.sampled_from([b"{", b"1{}", b"2[]", b"[]", b"[1]", b'["stdin", 3]', b"[" * 100_000]))
def test_whatever_comes_only_listed_errors_are_raised(decode, data: bytes) -> None:
    with contextlib.suppress(TheirError):
        decode(data)


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (ttyd.decode_client, b""),
        (ttyd.decode_client, b"9"),
        (ttyd.decode_server, b""),
        (ttyd.decode_server, b"{}"),
    ],
)
def test_ttyd_s_unknown_kinds_are_named(decode, data: bytes) -> None:
    with pytest.raises(UnsupportedData, match="frame"):
        decode(data)


@pytest.mark.parametrize("data", [b"1", b'1{"columns": "x", "rows": 1}', b'{"AuthToken": 3}', b'{"columns": 1'])
def test_ttyd_s_broken_json_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        ttyd.decode_client(data)


# --- what the real ones said


def captured(name: str, side: str) -> list[bytes]:
    content = json.loads((VECTORS / f"{name}.json").read_text())
    frames = [frame for each in content["conversations"].values() for frame in each["frames"] if frame["from"] == side]
    assert frames
    return [bytes.fromhex(frame["hex"]) if "hex" in frame else frame["text"].encode() for frame in frames]


def test_what_the_real_ttyd_said_is_read() -> None:
    heard = [ttyd.decode_server(payload) for payload in captured("ttyd", "server")]
    assert [type(each) for each in heard[:3]] == [ttyd.Title, ttyd.Preferences, ttyd.TtydOutput]
    output = b"".join(each.data for each in heard if isinstance(each, ttyd.TtydOutput))
    assert b"\r\n30 100\r\n" in output
    assert b"\xff\xc3\xa9\xfe-" in output
    for each in heard:
        if isinstance(each, ttyd.TtydOutput):
            assert ttyd.output(each.data).payload == b"0" + each.data


def test_what_the_real_ttyd_understood_is_what_we_say() -> None:
    for payload in captured("ttyd", "client"):
        match ttyd.decode_client(payload):
            case ttyd.Hello(token=token, columns=cols, rows=rows):
                frame = ttyd.hello(token, Size(cols, rows))
            case Resize(cols=cols, rows=rows):
                frame = ttyd.resize(Size(cols, rows))
            case InputBytes(data=data):
                frame = ttyd.input(data)
            case word:
                frame = ttyd.flow(word)
        assert frame.payload == payload


def test_what_the_real_terminado_said_is_read() -> None:
    heard = [terminado.decode_server(payload) for payload in captured("terminado", "server")]
    assert isinstance(heard[0], terminado.Setup)
    assert isinstance(heard[-1], terminado.Disconnect)
    output = b"".join(each.data for each in heard if isinstance(each, terminado.TerminadoOutput))
    assert b"\r\n30 100\r\n" in output
    # Bytes that are no UTF-8 came as replacement characters.
    assert "\ufffd\u00e9\ufffd-".encode() in output


def test_what_the_real_terminado_understood_is_what_we_say() -> None:
    for payload in captured("terminado", "client"):
        match terminado.decode_client(payload):
            case Resize(cols=cols, rows=rows):
                # We leave out the size in pixels.
                assert json.loads(terminado.resize(Size(cols, rows)).payload) == json.loads(payload)[:3]
            case InputBytes(data=data):
                assert json.loads(terminado.input(data).payload) == json.loads(payload)
            case other:
                assert other is None
