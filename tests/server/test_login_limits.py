"""How often somebody may guess: back-off, the ceiling of all, and who is not held up by others."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import serving
from tests.server.access_rules import access_of
from tests.server.raw import http
from web_terminal_suite.server.access import Denied, TooManyFailures
from web_terminal_suite.server.login_limits import LoginLimits
from web_terminal_suite.server.settings import Settings, User
from web_terminal_suite.server.shared_table import CAPACITY, TABLE_BYTES, Entry, SharedTable
from web_terminal_suite.server.worker.connection_rates import ConnectionRates
from web_terminal_suite.server.worker.counters import counters_memory, shared_tables

HERE, THERE = "192.0.2.1", "192.0.2.2"
LONG, SHORT = "0123456789abcdef" * 2, "chosen-by-a-person"


def fail(limits: LoginLimits, address: str, times: int, now: float) -> None:
    for _ in range(times):
        limits.note_failure(address, now)


# --- the table


def test_two_processes_see_one_table():
    memory = memoryview(bytearray(TABLE_BYTES))
    one, other = SharedTable(memory), SharedTable(memory)
    assert other.get("a") is None
    one.put("a", Entry(1, 2))
    assert other.get("a") == Entry(1, 2)
    other.put("a", Entry(3, 4))
    assert one.get("a") == Entry(3, 4)


def test_the_entries_written_longest_ago_make_room():
    table = SharedTable()
    for number in range(4 * CAPACITY):
        table.put(str(number), Entry(number + 1, number))
    kept = [number for number in range(4 * CAPACITY) if table.get(str(number)) is not None]
    assert len(kept) <= CAPACITY
    assert table.get(str(4 * CAPACITY - 1)) is not None
    assert min(kept) > CAPACITY


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2**62), st.integers(0, 2**62))))
def test_a_few_names_are_kept_as_in_a_dict(written):
    table, expected = SharedTable(), {}
    for name, changed, value in written:
        table.put(name, Entry(changed, value))
        expected[name] = Entry(changed, value)
    assert {name: table.get(name) for name in expected} == expected


def test_memory_of_a_supervisor_without_tables_grows():
    fd = counters_memory()
    try:
        whole = os.fstat(fd).st_size
        os.ftruncate(fd, 9216)
        logins, connections = shared_tables(fd)
        assert os.fstat(fd).st_size == whole
        logins.put("a", Entry(1, 1))
        assert connections.get("a") is None
        assert shared_tables(fd)[0].get("a") == Entry(1, 1)
    finally:
        os.close(fd)


# --- logins


def test_each_time_at_the_limit_the_wait_is_twice_as_long():
    limits, now, waits = LoginLimits(3), 1000.0, []
    for _ in range(9):
        fail(limits, HERE, 3, now)
        waits.append(limits.wait(HERE, now))
        now += waits[-1]
        assert limits.wait(HERE, now) == 0
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    now += 2 * 3600
    fail(limits, HERE, 3, now)
    assert limits.wait(HERE, now) == 60


def test_failures_below_the_limit_are_forgotten_after_a_minute():
    limits = LoginLimits(3)
    for minute in range(5):
        fail(limits, HERE, 2, 1000.0 + 61 * minute)
        assert limits.wait(HERE, 1000.0 + 61 * minute) == 0


def test_an_address_waits_for_itself_only_and_the_64_of_ipv6_is_one():
    limits = LoginLimits(2)
    fail(limits, "2001:db8::1", 2, 10.0)
    assert limits.wait("2001:db8::ffff:1", 10.0) == 60
    assert limits.wait("2001:db8:0:1::1", 10.0) == 0
    assert limits.wait(HERE, 10.0) == 0


def test_many_addresses_share_a_ceiling_that_holds_for_addresses_that_never_logged_in():
    limits = LoginLimits(1)
    limits.note_success(THERE, 5.0)
    for number in range(100):
        assert limits.wait(f"198.51.100.{number}", 10.0) == 0
        fail(limits, f"198.51.100.{number}", 1, 10.0)
    assert limits.wait(HERE, 10.0) == 60
    assert limits.wait(THERE, 10.0) == 0
    assert limits.wait(HERE, 70.0) == 0
    fail(limits, THERE, 1, 71.0)
    assert limits.wait(THERE, 71.0) > 0


def test_a_right_token_that_cannot_be_guessed_is_let_in_after_any_number_of_wrong_ones():
    users = {"ann": User(token=LONG), "bob": User(token=SHORT)}
    rules = access_of(Settings(users=users, login_attempts_per_minute=2), 1)
    for _ in range(2):
        with pytest.raises(Denied, match="wrong token"):
            rules.try_token("wrong", HERE)
    with pytest.raises(
        TooManyFailures, match=r"more than 2 failed logins a minute from 192\.0\.2\.1; try again in 60 s"
    ):
        rules.try_token(SHORT, HERE)
    for _ in range(3):
        with pytest.raises(TooManyFailures):
            rules.try_token(LONG[:-1] + "x", HERE)
    assert rules.try_token(LONG, HERE).user == "ann"
    assert rules.try_token(SHORT, THERE).user == "bob"


async def test_the_count_is_one_over_all_workers():
    with serving("--workers", "3", "--login-attempts-per-minute", "6", env={"WEB_TERMINAL_TOKEN": LONG}) as server:
        tried = [(await http(server, "GET", "/api/v1/me", token="wrong")).status for _ in range(20)]
        assert tried == [401] * 6 + [429] * 14
        assert (await http(server, "GET", "/api/v1/me", token=LONG)).status == 200


# --- connections


def test_connections_come_at_a_rate_and_ten_seconds_worth_at_once():
    rates = ConnectionRates(5, SharedTable())
    assert [rates.take(HERE, 100.0) for _ in range(52)] == [True] * 50 + [False] * 2
    assert rates.take(THERE, 100.0)
    assert [rates.take(HERE, 101.0) for _ in range(6)] == [True] * 5 + [False]
    assert [rates.take(HERE, 1000.0) for _ in range(51)] == [True] * 50 + [False]


def test_a_connection_that_logs_in_takes_nothing():
    rates = ConnectionRates(1, SharedTable())
    for _ in range(100):
        assert rates.take(HERE, 100.0)
        rates.give_back(HERE, 100.0)
    assert [rates.take(HERE, 100.0) for _ in range(11)] == [True] * 10 + [False]
    assert all(ConnectionRates(0, SharedTable()).take(HERE, 1.0) for _ in range(1000))
    ConnectionRates(0, SharedTable()).give_back(HERE, 1.0)


async def test_strangers_that_dial_again_and_again_are_refused_and_those_who_log_in_are_not():
    with serving("--workers", "2", "--max-strangers-per-second", "1") as server:
        told = [(await http(server, "GET", "/api/v1/health")).status for _ in range(16)]
        assert set(told) == {200, 429}
        assert 10 <= told.count(200) <= 13
        lines = [line for line in server.log if "too many new connections in a second" in line]
        assert 1 <= len(lines) <= 2
    with serving("--max-strangers-per-second", "1") as server:
        for _ in range(25):
            assert (await http(server, "GET", "/api/v1/me", token="token-for-tests-0123456789")).status == 200
