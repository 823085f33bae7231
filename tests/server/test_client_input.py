"""The count of a client's input: what is new, what a killed worker had typed, who has a place."""

from __future__ import annotations

import os

import pytest

from tests.server.shells import read_until, running
from web_terminal_suite.protocol.errors import OutOfRange
from web_terminal_suite.server.client_input import ClientInput, InputPipe, place_of, unread_in
from web_terminal_suite.server.input_queue import HeldInput, InputQueue
from web_terminal_suite.server.log import CLIENTS, PAGE_BYTES, Arena

DEAF = ("/bin/sh", "-c", "stty raw -echo; echo go; sleep 60")


@pytest.fixture
def log():
    arena = Arena.create(16 * PAGE_BYTES)
    yield arena.log(3)
    arena.close()


@pytest.fixture
def client(log):
    return ClientInput(log, place_of(log, 1, set(range(CLIENTS))))


@pytest.fixture
def pipe():
    made = InputPipe()
    yield made
    made.close()


def test_only_what_is_new_is_typed(client):
    client.accept(5)
    assert client.news(5, b"abc") == b"abc"
    assert client.news(3, b"abc") == b"c"
    assert client.news(0, b"abc") == b""
    with pytest.raises(OutOfRange, match="offset 6 is beyond the 5"):
        client.news(6, b"abc")


@pytest.mark.parametrize("piped", [True, False])
def test_what_the_terminal_took_is_counted(client, pipe, piped):
    with running(*DEAF) as pty:
        read_until(pty, b"go")
        taken = client.type(pty, b"x" * 100_000, pipe if piped else None)
        assert 0 < taken < 100_000
        assert client.taken == taken
        assert unread_in(pipe.receiver) == 0


@pytest.mark.parametrize("moved", [0, 2, 5])
def test_the_claim_of_a_killed_worker_is_settled_by_what_its_pipe_still_holds(log, client, pipe, moved):
    client.settle(7)
    pipe.put(b"typed")
    log.words[client.taken_at + 1] = 7 + 5  # as in ``type``, which a kill ended here
    os.read(pipe.receiver, moved)
    client.settle_claim(unread_in(pipe.receiver))
    assert client.taken == 7 + moved
    client.settle_claim(0)  # there is none any more
    assert client.taken == 7 + moved


def test_without_a_claim_nothing_of_the_pipe_was_typed(client, pipe):
    pipe.put(b"typed")
    client.settle_claim(unread_in(pipe.receiver))
    assert client.taken == 0


def test_a_client_keeps_its_place_and_the_place_given_longest_ago_is_given_anew(log):
    places = [place_of(log, key, set(range(CLIENTS))) for key in range(CLIENTS)]
    assert sorted(places) == list(range(CLIENTS))
    ClientInput(log, places[0]).settle(9)
    assert place_of(log, 0, set()) == places[0]
    assert place_of(log, 99, set()) == -1
    assert place_of(log, 99, set(range(CLIENTS))) == places[1]
    assert ClientInput(log, places[0]).taken == 9
    assert ClientInput(log, places[1]).taken == 0


def test_what_waits_is_handed_over_in_order_with_what_was_refused_behind_it(client):
    queue = InputQueue()
    client.settle(100)
    client.accept(18)
    queue.keep(client, b"one")
    queue.keep(None, b"two")
    queue.keep(client, b"three")
    queue.skip(client, 10)
    assert queue.waiting_of(client) == 18
    place = client.place
    assert queue.take(client) == [HeldInput(place, 100, b"one", 0), HeldInput(place, 103, b"three", 10)]
    assert (queue.held_bytes, queue.waiting_of(client)) == (3, 0)
    client.accept(4)
    queue.skip(client, 4)
    assert queue.take_all() == [HeldInput(-1, 0, b"two", 0), HeldInput(place, 118, b"", 4)]
    assert not queue


def test_what_is_dropped_counts_as_taken(client):
    queue = InputQueue()
    queue.keep(client, b"one")
    queue.skip(client, 10)
    queue.keep(None, b"two")
    assert queue.drop() == 6
    assert client.taken == 13
