"""Credit against a model that remembers every byte."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from web_terminal_suite.protocol.errors import OutOfRange
from web_terminal_suite.protocol.window import Window

LIMIT = 100


class Credit(RuleBasedStateMachine):
    """A viewer that is sent, acknowledges in any order, and loses what fell out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(LIMIT, 1000)
        self.unacknowledged: set[int] = set()
        self.position = 1000

    @precondition(lambda self: self.window.room() > 0)
    @rule(data=st.data())
    def send(self, data):
        count = data.draw(st.integers(1, self.window.room()))
        self.unacknowledged |= set(range(self.position, self.position + count))
        self.position += count
        self.window.sent = self.position

    @rule(back=st.integers(-50, 300))
    def acknowledge(self, back):
        offset = self.position - back
        if offset > self.position:
            before = (self.window.acked, self.window.sent)
            with pytest.raises(OutOfRange, match=f"{offset} lies beyond"):
                self.window.ack(offset)
            assert (self.window.acked, self.window.sent) == before
        else:
            self.window.ack(offset)
            self.unacknowledged = {each for each in self.unacknowledged if each >= offset}
            assert self.window.acked >= min(offset, self.position)

    @rule(lost=st.integers(0, 500))
    def skip(self, lost):
        self.position += lost
        self.window.skip(self.position)

    @invariant()
    def room_is_what_the_unacknowledged_bytes_leave(self):
        window = self.window
        assert window.acked <= window.sent == self.position
        assert window.room() == LIMIT - len(self.unacknowledged)
        assert window.sent <= window.acked + window.skipped + LIMIT

    @rule()
    def acknowledging_all_gives_the_whole_window_back(self):
        self.window.ack(self.position)
        self.unacknowledged = set()
        assert self.window.room() == LIMIT


TestCredit = Credit.TestCase
TestCredit.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_an_acknowledgement_that_repeats_or_comes_late_does_no_harm():
    window = Window(LIMIT, 0)
    window.sent = 90
    for offset in (50, 50, 20, -1):
        window.ack(offset)
        assert (window.acked, window.room()) == (50, 60)


def test_a_gap_costs_no_credit_and_needs_no_acknowledgement():
    """A client acknowledges what it drew, not a gap: a gap of nearly a window must not leave it without credit."""
    window = Window(LIMIT, 0)
    window.sent = 40
    window.skip(140)
    assert (window.room(), window.sent) == (60, 140)
    window.ack(40)
    assert window.room() == LIMIT
