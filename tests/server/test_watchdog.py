"""Which processes are asked, and which count as silent. The clock is a number."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.server.watchdog import Watchdog

LIMIT = 10.0


def watched(*pids: int) -> Watchdog:
    watchdog = Watchdog(LIMIT, 0.0)
    for pid in pids:
        watchdog.watch(pid, 0.0)
    return watchdog


def look(watchdog: Watchdog, now: float) -> tuple[list[int], list[int]]:
    """Whom the supervisor finds silent, and whom it asks."""
    watchdog.pass_time(now)
    return watchdog.silent(now), watchdog.to_ask(now)


def test_hosts_are_asked_as_long_as_they_should_answer():
    """One that starts, or executes other code, owes no answer, also none to the question before."""
    watchdog = watched(7)
    watchdog.watch_hosts({8, 9}, 0.0)
    assert look(watchdog, 0.0) == ([], [7, 8, 9])
    watchdog.answered(7, 1.0)
    watchdog.watch_hosts({9}, 1.0)
    for now in range(1, int(LIMIT)):
        assert look(watchdog, float(now))[0] == []
        watchdog.answered(7, float(now))
    assert look(watchdog, LIMIT)[0] == [9]
    watchdog.watch_hosts({8, 9}, LIMIT)
    assert look(watchdog, LIMIT) == ([], [8])


def test_it_is_asked_at_once_and_a_few_times_within_the_limit():
    watchdog = watched(7)
    asked = []
    now = 0.0
    while now < LIMIT:
        silent, due = look(watchdog, now)
        assert not silent
        if due:
            asked.append(now)
            watchdog.answered(7, now)
        now += 0.1
    assert len(asked) == 4
    assert asked[0] == 0


def test_one_that_does_not_answer_is_named_once_and_asked_once():
    watchdog = watched(7, 8)
    named, asked = [], []
    for tick in range(300):
        now = tick / 10
        silent, due = look(watchdog, now)
        named += [(pid, now) for pid in silent]
        asked += due
        if 8 in due:
            watchdog.answered(8, now)
    assert named == [(7, LIMIT)]
    assert asked.count(7) == 1
    assert watchdog.silence(7, now) == now
    assert watchdog.silence(8, now) == 0
    assert watchdog.answered(7, now)
    assert not watchdog.answered(7, now)
    assert look(watchdog, now + 2.5)[1] == [7, 8]


def test_the_time_in_which_nobody_looked_counts_against_nobody():
    """The supervisor was stopped, or the whole machine was."""
    watchdog = watched(7)
    assert look(watchdog, 0.0) == ([], [7])
    look(watchdog, 2.0)
    assert look(watchdog, 500.0) == ([], [])
    now = 500.0
    while now < 507.9:
        assert look(watchdog, now)[0] == []
        now += 1.0
    assert look(watchdog, 508.1)[0] == [7]


def test_nobody_is_watched_without_a_limit():
    watchdog = Watchdog(0, 0.0)
    watchdog.watch(7, 0.0)
    assert look(watchdog, 1000.0) == ([], [])
    assert watchdog.wake_at() == math.inf


@given(st.lists(st.tuples(st.sampled_from(["watch", "answer", "forget", "wait"]), st.integers(1, 4))))
def test_only_one_that_was_asked_and_kept_silent_is_named(steps):
    watchdog = Watchdog(LIMIT, 0.0)
    now = 0.0
    asked: dict[int, float] = {}
    known: set[int] = set()
    for what, number in steps:
        if what == "watch" and number not in known:
            watchdog.watch(number, now)
            known.add(number)
        elif what == "answer":
            watchdog.answered(number, now)
            asked.pop(number, None)
        elif what == "forget":
            watchdog.forget(number)
            known.discard(number)
            asked.pop(number, None)
        else:
            now += number
        silent, due = look(watchdog, now)
        for pid in silent:
            assert pid in known
            assert now - asked[pid] >= LIMIT
        for pid in due:
            assert pid in known
            assert pid not in asked
            asked[pid] = now
