"""How many strangers are let in, and what of them is logged."""

from __future__ import annotations

import logging

import pytest

from web_terminal_suite.server.network_address import network_of
from web_terminal_suite.server.worker.request_head import HttpRefusal
from web_terminal_suite.server.worker.strangers import HELD_BYTES, Strangers


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("no:address", "no:address"),
    ],
)
def test_one_address_is_that_of_one_client(address, network):
    assert network_of(address) == network


def test_an_address_at_its_limit_is_refused_after_a_second_and_others_are_not():
    strangers = Strangers(100, 2)
    for now in (0.0, 0.0, 0.1, 1.0):
        strangers.enter("a", now)
    with pytest.raises(HttpRefusal, match="2 connections of a have not logged in") as refused:
        strangers.enter("a", 1.1)
    assert refused.value.status == 429
    assert b"\r\nRetry-After: 1" in refused.value.answer()
    strangers.enter("b", 1.1)


def test_a_burst_of_one_address_takes_at_most_half_of_all():
    strangers = Strangers(100, 2)
    for _ in range(50):
        strangers.enter("a", 0.0)
    with pytest.raises(HttpRefusal):
        strangers.enter("a", 0.0)


def test_who_leaves_makes_room():
    strangers = Strangers(100, 2)
    for now in (0.0, 0.0, 0.0):
        strangers.enter("a", now)
    for _ in range(3):
        strangers.leave("a")
    assert strangers.count == 0
    for now in (5.0, 5.0, 5.5):
        strangers.enter("a", now)


def test_all_together_are_limited():
    strangers = Strangers(3, 2)
    for network in "abc":
        strangers.enter(network, 0.0)
    with pytest.raises(HttpRefusal, match="3 connections") as refused:
        strangers.enter("d", 0.0)
    assert refused.value.status == 503
    strangers.leave("d")
    strangers.leave("a")
    strangers.enter("e", 0.0)


def test_unfinished_heads_are_limited_together():
    strangers = Strangers(3, 2)
    strangers.hold(HELD_BYTES)
    with pytest.raises(HttpRefusal) as refused:
        strangers.hold(1)
    assert refused.value.status == 503
    strangers.hold(-2)
    strangers.hold(1)
    assert strangers.held_bytes == HELD_BYTES


def test_refusals_of_one_kind_are_logged_once_a_minute(caplog):
    strangers = Strangers(3, 2)
    caplog.set_level(logging.WARNING)
    late, large = HttpRefusal(408, "late"), HttpRefusal(431, "large")
    for now in (0.0, 1.0, 59.0):
        strangers.note(late, "a", now)
    strangers.note(large, "b", 59.0)
    strangers.note(late, "a", 60.0)
    assert [record.getMessage() for record in caplog.records] == [
        "refused a connection of a with 408: late",
        "refused a connection of b with 431: large",
        "refused a connection of a with 408: late (2 more since the last such line)",
    ]
