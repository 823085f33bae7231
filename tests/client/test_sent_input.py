"""Sent input: what is kept, what is sent again, and how a paste that was cut is ended."""

from __future__ import annotations

import pytest

from web_terminal_suite.client.errors import Violated
from web_terminal_suite.client.sent_input import LIMIT_BYTES, SentInput

BEGIN, END = b"\x1b[200~", b"\x1b[201~"


def sent(*pieces: bytes) -> SentInput:
    found = SentInput()
    for piece in pieces:
        found.add(piece)
    return found


def test_input_is_numbered_by_bytes_and_kept_until_it_is_acknowledged():
    kept = SentInput()
    assert [kept.add(b"abc"), kept.add(b"de")] == [0, 3]
    for offset, left in ((2, 3), (1, 3), (4, 1), (5, 0)):
        kept.ack(offset)
        assert (len(kept), kept.end) == (left, 5)


@pytest.mark.parametrize("offset", range(1, 6))
def test_what_the_server_does_not_have_is_sent_again(offset):
    kept = sent(b"abc", b"de")
    kept.ack(1)
    assert kept.again(offset) == b"abcde"[offset:]


def test_more_than_was_sent_is_a_violation():
    for wrong in (SentInput.ack, SentInput.again):
        with pytest.raises(Violated, match=r"only 3"):
            wrong(sent(b"abc"), 4)


def test_what_is_kept_is_bounded():
    kept = sent(b"x" * LIMIT_BYTES)
    with pytest.raises(RuntimeError, match="not acknowledged"):
        kept.add(b"x")
    kept.ack(1)
    assert kept.add(b"x") == LIMIT_BYTES


def test_a_server_that_forgot_numbers_anew_and_what_is_unknown_is_counted():
    kept = sent(b"abcde")
    kept.ack(2)
    assert kept.forget(0) == 3
    assert kept.add(b"f") == 0


@pytest.mark.parametrize("pieces", [1, 2, 5, 100])
def test_a_paste_that_is_cut_anywhere_is_ended(pieces):
    text = b"before" + BEGIN + b"pasted" + END + b"after"
    for offset in range(len(text) + 1):
        kept = SentInput()
        for at in range(0, len(text), max(1, len(text) // pieces)):
            kept.add(text[at : at + max(1, len(text) // pieces)])
        seen = text[:offset] + kept.cut(offset)
        assert seen.count(BEGIN) == seen.count(END)
        assert seen.startswith(text[:offset])
        # An escape that was begun before the paste is the user's own.
        assert not seen.endswith(b"\x1b[20")
        assert kept.end == offset


def test_nothing_ends_where_no_paste_was_begun():
    assert sent(b"abc").cut(1) == b""
    assert sent(BEGIN + b"x" + END + b"y").cut(13) == b""
