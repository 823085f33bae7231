"""terminado's protocol on the server's side, without a socket."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.worker.protocols.session import LIMITS, SESSION, WINDOW_BYTES, end, output, payloads
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError
from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server.worker.protocols import protocol as p
from web_terminal_suite.server.worker.protocols.terminado import TerminadoProtocol


def entering() -> TerminadoProtocol:
    protocol = TerminadoProtocol(LIMITS, WINDOW_BYTES, "s1")
    assert list(protocol.greet(authenticated=True)) == []
    assert list(protocol.authenticated("ann", "user")) == [p.EnterSession("s1")]
    return protocol


def attached() -> TerminadoProtocol:
    protocol = entering()
    protocol.attached(SESSION)
    return protocol


def test_a_session_from_setup_to_disconnect():
    protocol = entering()
    opening = protocol.attached(SESSION._replace(log_start=3, may_write=False))
    assert payloads(opening.frames) == [b'["setup", {}]']
    assert (opening.mode, opening.offset, opening.window_bytes) == ("read", 3, WINDOW_BYTES)
    assert list(protocol.receive(True, b'["stdin","ls\\r"]')) == [p.TypeInput(b"ls\r")]
    assert list(protocol.receive(True, b'["set_size",8,9,1,1]')) == [p.SetSize(Size(9, 8))]
    assert list(protocol.receive(True, b'["set_size",null,null]')) == []
    assert payloads(protocol.gap(1, 4)) == [b'["stdout","\\r\\n[3 bytes of output were lost]\\r\\n"]']
    frame, close = protocol.ended(end())
    assert (frame.payload, close) == (b'["disconnect", 1]', p.CloseWith(CloseCode.NORMAL, ""))


def test_what_comes_before_the_session_waits_for_it():
    protocol = entering()
    assert list(protocol.receive(True, b'["stdin","a"]')) == list(protocol.receive(False, b"garbage")) == []
    opening = protocol.attached(SESSION)
    assert opening.early == [(True, b'["stdin","a"]'), (False, b"garbage")]
    with pytest.raises(TheirError) as refused:
        protocol.receive(*opening.early[1])
    assert refused.value.code is ErrorCode.UNSUPPORTED_DATA


@pytest.mark.parametrize(
    ("text", "payload", "code"),
    [
        (False, b"[]", ErrorCode.UNSUPPORTED_DATA),
        (True, b"{}", ErrorCode.MALFORMED_MESSAGE),
        (True, b'["sudo"]', ErrorCode.MALFORMED_MESSAGE),
        (True, b'["set_size",0,1]', ErrorCode.OUT_OF_RANGE),
        (True, b" " * 5000, ErrorCode.MESSAGE_TOO_BIG),
    ],
)
def test_what_is_refused(text, payload, code):
    with pytest.raises(TheirError) as refused:
        attached().receive(text, payload)
    assert refused.value.code is code


@given(data=st.binary(min_size=1, max_size=200) | st.text(min_size=1).map(str.encode), cut=st.integers(1, 20))
def test_output_in_any_pieces_is_the_same_text(data, cut):
    protocol, shown, sent = attached(), "", 0
    for until in [*range(cut, len(data), cut), len(data)]:
        while sent < until:
            frame, consumed = output(protocol, data[sent:until], offset=sent, ended=until == len(data))
            if frame is None:
                break
            kind, text = json.loads(frame.payload)
            assert kind == "stdout"
            shown += text
            sent += consumed
    assert sent == len(data)
    if data.decode(errors="ignore").encode() == data:
        assert shown == data.decode()


@pytest.mark.parametrize("protocol", [entering(), attached()])
@given(text=st.booleans(), payload=st.binary(max_size=64) | st.sampled_from([b"[]", b'["stdin"]', b'["set_size",1]']))
def test_garbage_raises_only_what_is_listed(protocol, text, payload):
    with contextlib.suppress(TheirError):
        protocol.receive(text, payload)


def test_it_has_no_words_for_errors():
    assert list(attached().error(OutOfRange("too wide"))) == []


def test_it_has_no_words_for_sizes_pauses_usage_drains_and_acknowledgements():
    protocol = attached()
    said = [*protocol.resized(Size(1, 1)), *protocol.paused("output", True), *protocol.used(1.0, 2, 3)]
    assert [*said, *protocol.draining(1.0), *protocol.input_ack(1)] == []
