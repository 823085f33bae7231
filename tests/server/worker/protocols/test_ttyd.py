"""ttyd's protocol on the server's side, without a socket."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.worker.protocols.session import LIMITS, SESSION, WINDOW_BYTES, end, output, payloads
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError
from web_terminal_suite.protocol.messages import SessionSpec, Size
from web_terminal_suite.server.worker.protocols import protocol as p
from web_terminal_suite.server.worker.protocols.ttyd import TtydProtocol

HELLO = b'{"AuthToken":"t","columns":100,"rows":30}'


def ttyd(*, authenticated: bool = True) -> TtydProtocol:
    protocol = TtydProtocol(LIMITS, WINDOW_BYTES, "box")
    assert list(protocol.greet(authenticated=authenticated)) == []
    if authenticated:
        assert list(protocol.authenticated("ann", "user")) == []
    return protocol


def attached() -> TtydProtocol:
    protocol = ttyd()
    protocol.receive(False, HELLO)
    protocol.attached(SESSION)
    return protocol


def test_a_session_from_hello_to_exit():
    protocol = ttyd()
    assert list(protocol.receive(False, HELLO)) == [p.StartSession(SessionSpec(cols=100, rows=30), tied=True)]
    opening = protocol.attached(SESSION._replace(log_start=3))
    assert payloads(opening.frames) == [b"1/bin/sh -l (box)", b"2{}"]
    assert (opening.mode, opening.offset, opening.window_bytes, opening.early) == ("write", 3, WINDOW_BYTES, [])
    assert list(protocol.receive(False, b"0ls\r")) == [p.TypeInput(b"ls\r")]
    assert list(protocol.receive(True, b'1{"columns":9,"rows":8}')) == [p.SetSize(Size(9, 8))]
    assert list(protocol.receive(False, b"2")) == [p.SetWindow(0)]
    assert list(protocol.receive(False, b"3")) == [p.SetWindow(WINDOW_BYTES)]
    frame, consumed = output(protocol, b"\xff\xc3")
    assert (frame.text, frame.payload, consumed) == (False, b"0\xff\xc3", 2)
    assert payloads(protocol.gap(1, 4)) == [b"0\r\n[3 bytes of output were lost]\r\n"]
    assert list(protocol.ended(end())) == [p.CloseWith(CloseCode.NORMAL, "")]


def test_the_token_may_come_with_the_hello():
    protocol = ttyd(authenticated=False)
    with pytest.raises(TheirError) as refused:
        protocol.receive(False, b"0x")
    assert refused.value.code is ErrorCode.AUTHENTICATION_REQUIRED
    assert list(protocol.receive(False, HELLO)) == [p.LogIn("t")]
    assert list(protocol.authenticated("ann", "user")) == [p.StartSession(SessionSpec(cols=100, rows=30), tied=True)]


@pytest.mark.parametrize("hello", [b"{}", b'{"columns":0,"rows":0}', b'{"columns":501,"rows":1}'])
def test_without_a_size_that_a_terminal_can_have_the_default_is_used(hello):
    assert list(ttyd().receive(False, hello)) == [p.StartSession(SessionSpec(), tied=True)]


def test_what_comes_before_the_session_waits_for_it_within_a_limit():
    protocol = ttyd()
    protocol.receive(False, HELLO)
    assert list(protocol.receive(False, b"0a")) == list(protocol.receive(True, b"0b")) == []
    opening = protocol.attached(SESSION)
    assert opening.early == [(False, b"0a"), (True, b"0b")]
    assert [list(protocol.receive(*each)) for each in opening.early] == [[p.TypeInput(b"a")], [p.TypeInput(b"b")]]
    protocol = ttyd()
    protocol.receive(False, HELLO)
    for _ in range(LIMITS.message_bytes // 64):
        protocol.receive(False, b"")  # an empty message counts too
    with pytest.raises(TheirError) as refused:
        protocol.receive(False, b"")
    assert refused.value.code is ErrorCode.MESSAGE_TOO_BIG


def test_a_second_hello_and_unknown_kinds_are_ignored():
    protocol = attached()
    assert (
        list(protocol.receive(False, HELLO))
        == list(protocol.receive(False, b"9"))
        == list(protocol.receive(False, b""))
        == []
    )


@pytest.mark.parametrize(
    ("reason", "status", "action"),
    [
        ("exited", 0, p.CloseWith(CloseCode.NORMAL, "")),
        ("exited", 3, p.Abort()),
        ("exited", None, p.Abort()),
        ("destroyed", None, p.CloseWith(CloseCode.NORMAL, "")),
        ("shutdown", None, p.CloseWith(CloseCode.GOING_AWAY, "the server stops")),
    ],
)
def test_how_a_session_ends(reason, status, action):
    assert list(attached().ended(end(reason, status))) == [action]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{", ErrorCode.MALFORMED_MESSAGE),
        (b"1[]", ErrorCode.MALFORMED_MESSAGE),
        (b'1{"columns":0,"rows":1}', ErrorCode.OUT_OF_RANGE),
        (b"0" * 5000, ErrorCode.MESSAGE_TOO_BIG),
    ],
)
def test_what_is_refused(payload, code):
    with pytest.raises(TheirError) as refused:
        attached().receive(False, payload)
    assert refused.value.code is code


@pytest.mark.parametrize("protocol", [ttyd(authenticated=False), ttyd(), attached()])
@given(text=st.booleans(), payload=st.binary(max_size=64) | st.binary(max_size=8).map(lambda each: b"1{" + each))
def test_garbage_raises_only_what_is_listed(protocol, text, payload):
    with contextlib.suppress(TheirError):
        protocol.receive(text, payload)


def test_it_has_no_words_for_errors():
    assert list(attached().error(OutOfRange("too wide"))) == []


def test_it_has_no_words_for_sizes_pauses_usage_drains_and_acknowledgements():
    protocol = attached()
    said = [*protocol.resized(Size(1, 1)), *protocol.paused("output", True), *protocol.used(1.0, 2, 3)]
    assert [*said, *protocol.draining(1.0), *protocol.input_ack(1)] == []
