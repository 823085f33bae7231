"""Our own protocol on the server's side, without a socket: whole, garbage, and what is illegal in a state."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.examples import CLIENT
from tests.server.worker.protocols.session import LIMITS, SESSION, WINDOW_BYTES, end, others, output, payloads
from web_terminal_suite.protocol import codec
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, InputBytes, OutputBytes, Subprotocol
from web_terminal_suite.protocol.conversation import TABLE, Side, State
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import IllegalInState, OutOfRange, TheirError
from web_terminal_suite.server.worker.protocols import protocol as p
from web_terminal_suite.server.worker.protocols.native import HANDLERS, NativeProtocol

BOTH = pytest.mark.parametrize("subprotocol", list(Subprotocol))


def native(subprotocol: Subprotocol = Subprotocol.BINARY) -> NativeProtocol:
    return NativeProtocol(subprotocol, LIMITS, WINDOW_BYTES)


def ready(subprotocol: Subprotocol = Subprotocol.BINARY) -> NativeProtocol:
    protocol = native(subprotocol)
    protocol.greet(authenticated=True)
    protocol.authenticated("ann", "user")
    return protocol


def attached(subprotocol: Subprotocol = Subprotocol.BINARY, session=SESSION, **fields) -> NativeProtocol:
    protocol = ready(subprotocol)
    say(protocol, type="attach", **fields)
    protocol.attached(session)
    return protocol


def say(protocol: NativeProtocol, **message) -> list[p.Action]:
    return list(protocol.receive(True, json.dumps(message).encode()))


def heard(actions) -> list[dict[str, object]]:
    return [json.loads(payload) for payload in payloads(actions)]


def test_every_message_of_a_client_has_a_handler():
    assert set(HANDLERS) == set(CLIENT) | {InputBytes, EchoBytes}
    assert set(HANDLERS) == {type_ for _, type_ in TABLE[Side.CLIENT]}


@BOTH
def test_a_client_with_credentials_is_greeted_and_told_its_name(subprotocol):
    protocol = native(subprotocol)
    (status,) = heard(protocol.greet(authenticated=True))
    assert (status["status"], status["subprotocol"]) == ("ready", subprotocol.value)
    assert heard(protocol.authenticated("ann", "user")) == [{"type": "authenticated", "user": "ann", "role": "user"}]


def test_a_client_without_credentials_logs_in_first():
    protocol = native()
    assert heard(protocol.greet(authenticated=False))[0]["status"] == "authentication_required"
    with pytest.raises(TheirError) as refused:
        say(protocol, type="ping")
    assert refused.value.code is ErrorCode.AUTHENTICATION_REQUIRED
    assert say(protocol, type="authenticate", token="t") == [p.LogIn("t")]
    protocol.authenticated("ann", "user")
    assert heard(say(protocol, type="ping", id=3)) == [{"type": "pong", "id": 3}]


@BOTH
def test_a_new_session_from_attach_to_exit(subprotocol):
    protocol = ready(subprotocol)
    (start,) = say(protocol, type="attach", cols=100, rows=30, spec={"shell": "/bin/sh"}, usage_interval=5)
    assert start == p.StartSession(m.SessionSpec(shell="/bin/sh", cols=100, rows=30), tied=False)
    opening = protocol.attached(SESSION)
    assert (opening.mode, opening.offset, opening.window_bytes) == ("write", 0, WINDOW_BYTES)
    assert (opening.size, opening.gap, opening.usage_interval) == (m.Size(100, 30), None, 5)
    told, started = heard(opening.frames)
    assert (told["type"], told["cols"], told["rows"], told["window"]) == ("attached", 100, 30, WINDOW_BYTES)
    assert (started["type"], started["pid"]) == ("process_started", 42)
    assert say(protocol, type="input", data="ls") == [p.TypeInput(b"ls")]
    assert say(protocol, type="command", line="ls") == [p.TypeInput(b"ls\r")]
    assert say(protocol, type="resize", cols=9, rows=8) == [p.SetSize(m.Size(9, 8))]
    assert say(protocol, type="signal", name="SIGINT") == [p.SendSignal(2)]
    frame, consumed = output(protocol, b"total 0\r\n", offset=5)
    assert consumed == 9
    assert codec.decode_server(subprotocol, frame.text, frame.payload) == OutputBytes(5, b"total 0\r\n")
    assert say(protocol, type="ack", offset=7) == [p.Acknowledge(7)]
    (exited,) = heard(protocol.ended(end(status=3)))
    assert exited == {"type": "process_exited", "session": "s1", "offset": 7, "status": 3}
    assert say(protocol, type="input", data="late") == [p.TypeInput(b"late")]
    assert say(protocol, type="attach", session="s2") == [p.EnterSession("s2")]


def test_binary_input_and_echo():
    protocol = attached()
    assert list(protocol.receive(False, b"\x02\x03")) == [p.TypeInput(b"\x03")]
    (echo,) = protocol.receive(False, b"\x03abc")
    assert (echo.text, echo.payload) == (False, b"\x03abc")


def test_text_holds_back_a_character_that_is_incomplete():
    protocol = attached(Subprotocol.JSON)
    frame, consumed = output(protocol, "aé".encode()[:-1])
    assert (heard([frame])[0]["data"], consumed) == ("a", 1)
    assert output(protocol, "é".encode()[:-1], offset=1) == (None, 0)
    frame, consumed = output(protocol, "é".encode()[:-1], offset=1, ended=True)
    assert (heard([frame])[0]["encoding"], consumed) == ("base64", 1)


@pytest.mark.parametrize(
    ("asked", "log", "offset", "gap"),
    [
        (None, (0, 500), 0, None),
        (None, (100, 500), 100, None),
        (300, (100, 500), 300, None),
        (500, (100, 500), 500, None),
        (50, (100, 500), 100, (50, 100)),
    ],
)
def test_where_output_goes_on(asked, log, offset, gap):
    protocol = ready()
    say(protocol, type="attach", session="s1", resume_from=asked)
    opening = protocol.attached(SESSION._replace(log_start=log[0], log_end=log[1]))
    assert (opening.offset, opening.gap) == (offset, gap)


def test_resuming_beyond_the_end_is_refused_and_another_attach_may_follow():
    protocol = ready()
    say(protocol, type="attach", session="s1", resume_from=9)
    with pytest.raises(TheirError) as refused:
        protocol.attached(SESSION)
    assert refused.value.code is ErrorCode.OUT_OF_RANGE
    assert heard(protocol.error(refused.value))[0]["code"] == "out_of_range"
    assert say(protocol, type="attach", session="s1") == [p.EnterSession("s1")]


@pytest.mark.parametrize(
    ("asked", "may_write", "mode"), [("write", True, "write"), ("read", True, "read"), ("write", False, "read")]
)
def test_who_may_write(asked, may_write, mode):
    protocol = ready()
    say(protocol, type="attach", session="s1", mode=asked)
    opening = protocol.attached(SESSION._replace(may_write=may_write))
    assert (opening.mode, opening.size is None) == (mode, mode == "read")
    if mode == "read":
        with pytest.raises(TheirError) as refused:
            say(protocol, type="close", destroy=True)
        assert refused.value.code is ErrorCode.FORBIDDEN
    else:
        assert say(protocol, type="close", destroy=True) == [p.EndSession()]


def test_a_client_that_said_close_hears_no_more():
    protocol = attached()
    assert say(protocol, type="close") == [p.CloseWith(CloseCode.NORMAL, "closed")]
    assert (
        list(protocol.gap(1, 2)) == list(protocol.resized(m.Size(1, 1))) == list(protocol.paused("input", True)) == []
    )
    with pytest.raises(IllegalInState):
        say(protocol, type="ping")


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        ("exited", None),
        ("expired", ErrorCode.SESSION_EXPIRED),
        ("destroyed", p.CloseWith(CloseCode.NORMAL, "session destroyed")),
        ("shutdown", p.CloseWith(CloseCode.GOING_AWAY, "the server stops")),
    ],
)
def test_how_a_session_ends(reason, action):
    actions = attached().ended(end(reason, status=None, signal="SIGHUP"))
    assert heard(actions)[0]["signal"] == "SIGHUP"
    told = [each.error.code if isinstance(each, p.Refuse) else each for each in others(actions)]
    assert told == ([] if action is None else [action])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "attach", "cols": 0}, ErrorCode.OUT_OF_RANGE),
        ({"type": "attach", "rows": 201}, ErrorCode.OUT_OF_RANGE),
        ({"type": "attach", "window": 4095}, ErrorCode.OUT_OF_RANGE),
        ({"type": "attach", "resume_from": -1}, ErrorCode.OUT_OF_RANGE),
        ({"type": "attach", "usage_interval": 0.5}, ErrorCode.OUT_OF_RANGE),
        ({"type": "input", "data": "x"}, ErrorCode.ILLEGAL_IN_STATE),
        ({"type": "ack", "offset": 0}, ErrorCode.ILLEGAL_IN_STATE),
        ({"type": "authenticate", "token": "t"}, ErrorCode.ILLEGAL_IN_STATE),
        ({"type": "echo", "data": "x" * 5000}, ErrorCode.MESSAGE_TOO_BIG),
        ({"type": "sudo"}, ErrorCode.MALFORMED_MESSAGE),
    ],
)
def test_what_is_refused_before_a_session(message, code):
    protocol = ready()
    with pytest.raises(TheirError) as refused:
        say(protocol, **message)
    assert refused.value.code is code
    assert say(protocol, type="attach") == [p.StartSession(m.SessionSpec(), tied=False)]


@pytest.mark.parametrize("protocol", [native(), ready(), attached(), attached(Subprotocol.JSON)])
@given(text=st.booleans(), payload=st.binary(max_size=64) | st.sampled_from([b"{}", b"[]", b"\x02", b"\x03", b""]))
def test_garbage_raises_only_what_is_listed(protocol, text, payload):
    try:
        protocol.receive(text, payload)
    except TheirError as error:
        protocol.error(error)


@given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(1, 50), min_size=1))
def test_output_in_any_pieces_is_the_same_bytes(data, cuts):
    for subprotocol in Subprotocol:
        protocol = attached(subprotocol)
        shown, sent, until = b"", 0, 0
        for cut in [*cuts, len(data)]:
            until = min(len(data), until + cut)
            while sent < until:
                frame, consumed = output(protocol, data[sent:until], offset=sent, ended=until == len(data))
                if frame is None:
                    break
                message = codec.decode_server(subprotocol, frame.text, frame.payload)
                assert message.offset == sent
                shown += message.data
                sent += consumed
        assert shown == data


def test_states_are_those_of_the_table():
    assert {state for state, _ in TABLE[Side.CLIENT]} <= set(State)
    assert all(issubclass(type_, msgspec.Struct) for type_ in HANDLERS)


@BOTH
def test_a_drain_is_told_to_who_has_logged_in(subprotocol):
    protocol = native(subprotocol)
    protocol.greet(authenticated=False)
    assert list(protocol.draining(60.0)) == []
    (status,) = heard(attached(subprotocol).draining(60.0))
    assert (status["type"], status["draining"], status["ends_in"]) == ("connection_status", True, 60.0)
    (status,) = heard(ready(subprotocol).draining(None))
    assert (status["draining"], status.get("ends_in")) == (True, None)


@BOTH
def test_input_is_numbered_and_acknowledged_while_there_is_a_session(subprotocol):
    protocol = ready(subprotocol)
    key = "0123456789abcdef"
    (start,) = say(protocol, type="attach", input_key=key)
    assert start.input_key == int(key, 16)
    assert list(protocol.input_ack(1)) == []
    protocol.attached(SESSION)
    assert say(protocol, type="input", data="ls", offset=3) == [p.TypeInput(b"ls", 3)]
    (frame,) = protocol.input_ack(5)
    assert codec.decode_server(subprotocol, frame.text, frame.payload) == m.InputAck(offset=5)


def test_a_viewer_that_only_reads_has_no_key():
    (enter,) = say(ready(), type="attach", session="s1", mode="read", input_key="0" * 16)
    assert enter == p.EnterSession("s1", None)


@pytest.mark.parametrize("key", ["", "12", "g" * 16, "0" * 17])
def test_a_key_is_16_hexadecimal_digits(key):
    with pytest.raises(OutOfRange, match="is not 16 hexadecimal digits"):
        say(ready(), type="attach", input_key=key)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"type": "attach", "resume_from": -1, "session": "s1"}, "resume_from of -1 is below 0"),
        ({"type": "attach", "usage_interval": 0.5}, "usage_interval of 0.5 s is below 1 s"),
    ],
)
def test_numbers_of_attach_that_are_out_of_range(message, complaint):
    with pytest.raises(OutOfRange, match=complaint):
        say(ready(), **message)


def test_an_offset_of_input_is_not_negative():
    with pytest.raises(OutOfRange, match="input offset of -1 is below 0"):
        say(attached(), type="input", data="x", offset=-1)


def test_a_resume_beyond_the_output_is_refused():
    protocol = ready()
    say(protocol, type="attach", session="s1", resume_from=8)
    with pytest.raises(OutOfRange, match="resume_from of 8 lies beyond the 7 bytes of output"):
        protocol.attached(SESSION._replace(log_end=7))
