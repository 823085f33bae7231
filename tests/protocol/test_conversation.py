"""The table: total, and a wall to what it does not list."""

from __future__ import annotations

import itertools

import pytest

from tests.protocol.examples import CLIENT, FULL, SERVER
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, InputBytes, OutputBytes
from web_terminal_suite.protocol.conversation import TABLE, Conversation, Side, State, allowed
from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.errors import IllegalInState

SAMPLES = {type(each): each for each in FULL} | {
    InputBytes: InputBytes(b""),
    EchoBytes: EchoBytes(b""),
    OutputBytes: OutputBytes(0, b""),
    m.Output: m.Output(offset=0, data=""),
}
SENT_BY = {Side.CLIENT: (*CLIENT, InputBytes, EchoBytes), Side.SERVER: (*SERVER, OutputBytes, EchoBytes)}
PAIRS = list(itertools.product(Side, State, SAMPLES))


def test_every_pair_of_a_state_and_a_message_moves_or_is_refused():
    moved = 0
    for side, state, type_ in PAIRS:
        conversation = Conversation(state)
        expected = TABLE[side].get((state, type_))
        if expected is None:
            with pytest.raises(IllegalInState) as raised:
                conversation.hear(side, SAMPLES[type_])
            assert raised.value.close is CloseCode.ILLEGAL_IN_STATE
            assert repr(m.kind(type_)) in raised.value.message
            assert state.value in raised.value.message
            assert conversation.state is state
        else:
            assert conversation.hear(side, SAMPLES[type_]) is expected
            assert conversation.state is expected
            moved += 1
    assert moved == sum(map(len, TABLE.values()))


@pytest.mark.parametrize("side", Side)
def test_a_side_sends_only_messages_of_its_own_and_each_of_them_somewhere(side):
    assert {type_ for _state, type_ in TABLE[side]} == set(SENT_BY[side])


def test_nothing_is_said_after_close():
    assert not any(state is State.CLOSED for side in Side for state, _type in TABLE[side])
    assert allowed(Side.CLIENT, State.CLOSED) == ()


def test_before_authentication_only_authenticate_and_close_are_heard():
    assert allowed(Side.CLIENT, State.AUTHENTICATING) == ("authenticate", "close")


def test_the_binary_forms_are_legal_exactly_where_the_json_forms_are():
    for binary, json, side in (
        (InputBytes, m.Input, Side.CLIENT),
        (EchoBytes, m.Echo, Side.CLIENT),
        (EchoBytes, m.Echo, Side.SERVER),
        (OutputBytes, m.Output, Side.SERVER),
    ):
        for state in State:
            assert TABLE[side].get((state, binary)) == TABLE[side].get((state, json))


def test_every_state_is_reached_and_closed_from_everywhere():
    seen, waiting = set(), [State.AUTHENTICATING]
    while waiting:
        state = waiting.pop()
        if state not in seen:
            seen.add(state)
            waiting += [to for side in Side for (at, _type), to in TABLE[side].items() if at is state]
    assert seen == set(State)
    for state in set(State) - {State.CLOSED}:
        assert Conversation(state).hear(Side.CLIENT, m.Close()) is State.CLOSED


def test_input_that_crosses_the_end_is_legal():
    for message in (m.Input(data="x"), InputBytes(b"x"), m.Ack(offset=0), m.Resize(cols=1, rows=1)):
        assert Conversation(State.ENDED).hear(Side.CLIENT, message) is State.ENDED
