"""The table of sessions: limits, who sees what, paging, who idles longest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.protocol.messages import SessionSpec, Size
from web_terminal_suite.server.host.table import Refusal, SessionTable, checked_name
from web_terminal_suite.server.ipc import Caller, host_of
from web_terminal_suite.server.session import SessionState

ANN, BOB = Caller("ann", "user"), Caller("bob", "user")
OWNER, LOOKER = Caller("owner", "owner"), Caller("looker", "viewer")
SIZE = Size()


def filled(*users: str) -> SessionTable:
    table = SessionTable(100, 100)
    for at, user in enumerate(users):
        table.reserve(Caller(user, "user"), None, SIZE, float(at)).move(SessionState.RUNNING)
    return table


def refused(code: str, call, *arguments, **named) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    assert refusal.value.code == code
    return refusal.value.message


def test_both_limits_hold_and_a_session_that_ended_counts_no_more():
    table = SessionTable(3, 2)
    first = table.reserve(ANN, None, SIZE, 0.0)
    table.reserve(ANN, None, SIZE, 0.0)
    message = refused("session_limit", table.reserve, ANN, None, SIZE, 0.0)
    assert "2 sessions for user 'ann'" in message
    assert "max_sessions_per_user" in message
    table.reserve(BOB, None, SIZE, 0.0)
    assert "limit of 3 sessions" in refused("session_limit", table.reserve, BOB, None, SIZE, 0.0)
    table.retire(first)
    table.reserve(ANN, None, SIZE, 0.0)
    assert table.knows(first)
    table.remove(first)
    assert not table.knows(first)


def test_a_name_that_is_refused_takes_no_place():
    table = SessionTable(1, 1)
    refused("out_of_range", table.reserve, ANN, "x" * 101, SIZE, 0.0)
    table.reserve(ANN, "x" * 100, SIZE, 0.0)


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "\x1b]0;title\x07", "a\u2028b"])
def test_names_cannot_carry_control_characters(name):
    refused("out_of_range", checked_name, name)


def test_names_may_be_anything_that_prints():
    assert checked_name("h\u00e9llo \U0001f600") == "h\u00e9llo \U0001f600"
    assert checked_name(None) is None


def test_a_key_finds_its_user_s_session_until_that_is_forgotten():
    table = filled("ann")
    (entry,) = table
    spec = SessionSpec(shell="/bin/sh", env={"A": "1", "B": "2"}, key="k")
    assert table.made_before(ANN, spec) is None
    table.remember_key(entry, spec)
    assert table.made_before(ANN, spec) is entry
    assert table.made_before(ANN, SessionSpec(shell="/bin/sh", env={"B": "2", "A": "1"}, cols=5, key="k")) is entry
    assert table.made_before(ANN, SessionSpec(key="other")) is None
    assert table.made_before(ANN, SessionSpec()) is None
    assert table.made_before(BOB, spec) is None
    table.retire(entry)
    assert table.made_before(ANN, spec) is entry  # it can still be read
    table.remove(entry)
    assert table.made_before(ANN, spec) is None


def test_a_key_that_is_taken_or_no_key_is_refused():
    table = filled("ann")
    (entry,) = table
    table.remember_key(entry, SessionSpec(key="k"))
    message = refused("key_in_use", table.made_before, ANN, SessionSpec(key="k", shell="/bin/bash"))
    assert message == f"key 'k' is that of session {entry.id}, which was asked for otherwise"
    for key in ("", "x" * 101, "a\nb"):
        refused("out_of_range", table.made_before, ANN, SessionSpec(key=key))


def test_a_viewer_creates_nothing_and_changes_nothing_but_sees_all():
    table = filled("ann")
    (entry,) = table
    refused("forbidden", table.reserve, LOOKER, None, SIZE, 0.0)
    assert table.find(LOOKER, entry.id) is entry
    refused("forbidden", table.find, LOOKER, entry.id, to_change=True)


def test_another_users_session_looks_like_none():
    table = filled("ann", "ann")
    entry, expired = table
    table.expire(expired)
    table.retire(expired)
    table.remove(expired)
    for id in (entry.id, expired.id, "0" * 24):
        for to_change in (False, True):
            message = refused("no_such_session", table.find, BOB, id, to_change=to_change)
            assert message == f"no session has the id {id!r}"
    assert table.find(ANN, entry.id) is entry
    assert table.find(OWNER, entry.id, to_change=True) is entry
    for caller in (ANN, OWNER, LOOKER):
        refused("session_expired", table.find, caller, expired.id)


def test_the_expired_that_are_remembered_are_bounded():
    table = filled("ann")
    (entry,) = table
    first = entry.id
    table.remove(entry)
    for n in range(5000):
        table.expire(entry)
        entry.id = f"x{n}"
        if n == 0:
            refused("session_expired", table.find, ANN, first)
    assert len(table._expired) == 4096
    refused("no_such_session", table.find, ANN, first)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["ann", "bob"]), max_size=12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_paging_gives_every_session_that_stays_once_and_in_order(users, limit, random):
    """Sessions end between two pages: the one a page ended with, too."""
    table = filled(*users)
    staying = [entry.id for entry in table.visible(ANN)]
    seen: list[str] = []
    after = None
    while True:
        page, total, after = table.page(ANN, limit, after)
        assert total == len(table.visible(ANN))
        assert len(page) <= limit
        seen += [entry.id for entry in page]
        if after is None:
            break
        assert after == page[-1].id
        gone = random.choice(table.visible(ANN))
        table.retire(gone)
        table.remove(gone)
        if gone.id in staying and gone.id not in seen:
            staying.remove(gone.id)
    assert seen == staying


def test_paging_goes_on_after_a_session_that_is_gone():
    table = filled("ann", "ann", "ann")
    first, second, third = table
    page, _, after = table.page(ANN, 2, None)
    assert page == [first, second]
    table.retire(second)
    table.remove(second)
    assert table.page(ANN, 2, after) == ([third], 2, None)


def test_the_idle_are_ordered_by_when_their_last_viewer_left():
    table = filled("ann", "ann", "ann")
    first, second, third = table
    assert table.longest_idle() is first
    table.touch(first, 10.0)
    assert table.longest_idle() is second
    second.attachments["worker"] = 1
    table.viewed(second, 11.0)
    assert (second.idle_since, table.longest_idle()) == (None, third)
    table.touch(second, 12.0)
    assert second.idle_since is None
    table.touch(third, 13.0)
    second.attachments.clear()
    table.viewed(second, 14.0)
    assert second.idle_since == 14.0
    order = []
    while (entry := table.longest_idle()) is not None:
        order.append(entry)
        table.stop_clock(entry)
    assert order == [first, third, second]


def test_viewers_coming_and_going_elsewhere_do_not_restart_the_clock():
    table = filled("ann")
    (entry,) = table
    table.viewed(entry, 50.0)
    assert entry.idle_since == 0.0


def test_states_are_counted_and_moves_are_checked():
    table = filled("ann", "ann")
    first, _second = table
    first.move(SessionState.ENDING)
    assert table.states() == {"starting": 0, "running": 1, "ending": 1, "ended": 0}
    with pytest.raises(ValueError, match="ending to running"):
        first.move(SessionState.RUNNING)


def test_ids_cannot_be_guessed_from_one_another():
    first, second = filled("ann", "ann")
    assert len(first.id) == 25
    assert first.id[9:] != second.id[9:]
    assert first.id < second.id


def test_several_hosts_share_a_limit_and_together_have_all_of_it():
    tables = [SessionTable(10, 4, number, 3) for number in range(3)]

    def fill(table, who_is):
        while True:
            made.append(table.reserve(who_is(), None, Size(), 0.0))

    made = []
    for table in tables:
        with pytest.raises(Refusal, match="limit of 4 sessions for user 'ann' is reached"):
            fill(table, lambda: Caller("ann", "user"))
    assert [host_of(entry.id) for entry in made] == [0, 0, 1, 2]
    assert [entry.name for entry in made] == ["session 1", "session 4", "session 2", "session 3"]
    for number, table in enumerate(tables):
        with pytest.raises(Refusal, match="limit of 10 sessions is reached"):
            fill(table, lambda: Caller(f"user{len(made)}", "user"))
        assert host_of(made[-1].id) == number
    assert len(made) == 10


def test_what_is_no_id_is_looked_for_in_the_first_host():
    assert [host_of(each) for each in ("", "x", "0000000g0", "00000000z", "\u0663" * 9)] == [0, 0, 0, 0, 3]
