"""The model of a link against its definition: delays, order, rate and loss, with seeded randomness and no clock."""

from __future__ import annotations

import math
import random

import pytest

from web_terminal_suite.bench.network.conditions import MS, NetworkConditions
from web_terminal_suite.bench.network.link import HEADER_BYTES, SEGMENT_BYTES, TIMER_NS, Link
from web_terminal_suite.bench.stats.proportion_intervals import clopper_pearson

SECOND_NS = 1_000_000_000


def alone(link: Link, at_ns: int) -> int:
    """How long a segment takes that is sent by itself."""
    link.send(b"x" * 64, at_ns)
    due_ns = link.next_due_ns()
    assert due_ns is not None
    assert link.arrived(due_ns - 1) == []
    assert b"".join(link.arrived(due_ns)) == b"x" * 64
    return due_ns - at_ns


def delays(conditions: NetworkConditions, count: int = 4000, seed: str = "1") -> list[int]:
    link = Link(conditions, seed)
    return [alone(link, number * 1000 * SECOND_NS) for number in range(count)]


def test_half_a_round_trip_each_way() -> None:
    assert set(delays(NetworkConditions(rtt_ns=100 * MS), 10)) == {50 * MS}
    assert set(delays(NetworkConditions(), 10)) == {0}


def test_jitter_is_even_around_the_delay_and_the_same_for_the_same_seed() -> None:
    conditions = NetworkConditions(rtt_ns=100 * MS, jitter_ns=10 * MS)
    found = delays(conditions)
    assert min(found) >= 45 * MS
    assert max(found) <= 55 * MS
    # The standard error of the mean of an even distribution this wide, five times.
    assert abs(sum(found) / len(found) - 50 * MS) < 5 * 10 * MS / math.sqrt(12 * len(found))
    assert found == delays(conditions)
    assert found != delays(conditions, seed="2")


def test_a_lone_segment_that_is_lost_waits_for_the_timer_which_doubles() -> None:
    rtt, loss = 100 * MS, 0.3
    found = delays(NetworkConditions(rtt_ns=rtt, loss=loss))
    timer = rtt + TIMER_NS
    expected = [rtt // 2 + timer * (2**times - 1) for times in range(5)]
    for times, delay in enumerate(expected):
        hits = sum(each >= delay for each in found)
        interval = clopper_pearson(hits, len(found), 0.9999)
        assert interval.lower <= loss**times <= interval.upper
    assert set(found) >= set(expected[:4])


def test_the_share_of_lost_segments_is_the_one_that_was_set() -> None:
    for loss in (0.001, 0.01, 0.2):
        link = Link(NetworkConditions(rtt_ns=MS, loss=loss), f"seed {loss}")
        for number in range(20_000):
            alone(link, number * SECOND_NS * 1000)
        transmissions = link.sent + link.lost
        interval = clopper_pearson(link.lost, transmissions, 0.9999)
        assert interval.lower <= loss <= interval.upper


def test_three_later_segments_have_a_lost_one_sent_again_after_a_round_trip() -> None:
    conditions = NetworkConditions(rtt_ns=100 * MS, loss=0.5)
    for number in range(200):
        link = Link(conditions, f"{number}")
        link.send(b"first", 0)
        if link.lost != 1:
            continue
        due_ns = link.next_due_ns()
        assert due_ns == 50 * MS + 100 * MS + TIMER_NS
        came, at_ns = 0, 0
        while came < 3:
            at_ns += MS
            before = link.lost
            link.send(b"more", at_ns)
            came += link.lost == before
        assert link.next_due_ns() == at_ns + 100 * MS + 50 * MS
        return
    pytest.fail("no seed had a first segment that is lost once")


def test_order_is_kept_and_every_byte_arrives_once() -> None:
    conditions = NetworkConditions(rtt_ns=50 * MS, jitter_ns=50 * MS, loss=0.1, rate_bits=20_000_000)
    source = random.Random(7)
    link, sent, came, now = Link(conditions, "order"), b"", b"", 0
    last_due = 0
    for _ in range(2_000):
        now += source.randrange(3 * MS)
        piece = source.randbytes(source.randrange(1, 5_000))
        sent += piece
        link.send(piece, now)
        came += b"".join(link.arrived(now))
    while (due_ns := link.next_due_ns()) is not None:
        assert due_ns >= last_due
        last_due = due_ns
        came += b"".join(link.arrived(due_ns))
    assert came == sent
    assert link.bytes_waiting == 0


def test_a_rate_counts_headers_and_lets_one_full_segment_pass_at_once() -> None:
    rate = 10_000_000
    link = Link(NetworkConditions(rate_bits=rate), "rate")
    segments = 500
    link.send(bytes(segments * SEGMENT_BYTES), 0)
    assert len(link.arrived(0)) == 1
    due_ns = 0
    while (next_ns := link.next_due_ns()) is not None:
        due_ns = next_ns
        link.arrived(due_ns)
    bits = (segments - 1) * (SEGMENT_BYTES + HEADER_BYTES) * 8
    assert due_ns == pytest.approx(bits / rate * SECOND_NS, rel=1e-5)


def test_a_handshake_takes_a_round_trip_and_a_second_for_each_loss() -> None:
    assert Link(NetworkConditions(rtt_ns=80 * MS), "1").handshake_ns() == 80 * MS
    taken = [Link(NetworkConditions(rtt_ns=80 * MS, loss=0.1), f"{seed}").handshake_ns() for seed in range(2_000)]
    whole = sum(each == 80 * MS for each in taken)
    interval = clopper_pearson(whole, len(taken), 0.9999)
    assert interval.lower <= 0.9**2 <= interval.upper
    assert sorted(set(taken))[1] == 80 * MS + SECOND_NS


def test_the_end_of_a_direction_comes_behind_what_was_sent() -> None:
    link = Link(NetworkConditions(rtt_ns=10 * MS), "end")
    link.send(b"last", 0)
    link.send(b"", 0)
    assert [bytes(each) for each in link.arrived(5 * MS)] == [b"last", b""]
    assert link.next_due_ns() is None


def test_the_window_is_two_products_of_rate_and_round_trip_within_limits() -> None:
    assert Link(NetworkConditions(), "").window_bytes == 4 << 20
    assert Link(NetworkConditions(rtt_ns=100 * MS, rate_bits=10_000_000), "").window_bytes == 250_000
    assert Link(NetworkConditions(rate_bits=10_000), "").window_bytes == 64 << 10
