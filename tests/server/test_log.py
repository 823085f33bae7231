"""The ring of bytes with absolute offsets: against a naive model, across processes, and under a racing writer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web_terminal_suite.server.log import (
    ARENA_SLOTS,
    CLIENT_WORDS,
    CLIENTS,
    OPENING_BYTES,
    PAGE_BYTES,
    Arena,
    Log,
    Overrun,
)

CAPACITY = PAGE_BYTES


@pytest.fixture
def arena():
    made = Arena.create(CAPACITY)
    yield made
    made.close()


class Model:
    """A log as it would be without memory limits, told what it may remember."""

    def __init__(self) -> None:
        self.data = b""

    def read(self, offset: int, count: int) -> bytes | int:
        start = max(0, len(self.data) - CAPACITY)
        return start if offset < start else self.data[offset : offset + count]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, CAPACITY), st.integers(0, 3 * CAPACITY), st.integers(0, CAPACITY)), max_size=12)
)
def test_it_reads_as_a_log_that_forgets_its_beginning(steps):
    arena = Arena.create(CAPACITY)
    log, model = arena.log(3), Model()
    for written, back, count in steps:
        block = os.urandom(written)
        log.append(block)
        model.data += block
        assert (log.end, log.start) == (len(model.data), max(0, len(model.data) - CAPACITY))
        offset = max(0, log.end - back)
        expected = model.read(offset, count)
        if isinstance(expected, int):
            buffer = bytearray(b"kept")
            with pytest.raises(Overrun) as raised:
                log.append_to(buffer, offset, min(count, log.end - offset))
            assert raised.value.start == expected
            assert buffer == b"kept"
        else:
            assert log.read(offset, count) == expected
    arena.close()


def test_offsets_beyond_two_to_the_53_are_exact(arena):
    log = arena.log(0)
    start = 2**53 + 4095
    arena.words[0] = arena.words[1] = start
    log.append(b"0123456789")
    assert (log.end, log.read(start + 3, 4)) == (start + 10, b"3456")


def test_a_failed_read_appends_nothing_and_claims_nothing(arena):
    log = arena.log(0)
    log.append(b"x" * CAPACITY)

    def fail(_views):
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        log.fill(fail, CAPACITY)
    assert (log.start, log.end) == (0, CAPACITY)


def test_fill_publishes_what_was_read_and_not_what_was_offered(arena):
    log = arena.log(0)
    log.append(b"o" * OPENING_BYTES)
    log.append(b"a" * (CAPACITY - 3))

    def five_of_ten(views):
        assert [len(view) for view in views] == [3, 7]
        views[0][:] = b"bcd"
        views[1][:2] = b"ef"
        return 5

    assert log.fill(five_of_ten, 10) == 5
    assert (log.end, log.start) == (OPENING_BYTES + CAPACITY + 2, OPENING_BYTES + 2)
    assert log.read(log.end - 6, 6) == b"abcdef"


def test_a_log_s_first_bytes_lie_beside_its_counters_and_the_rest_in_its_ring(arena):
    log, neighbour = arena.log(0), arena.log(1)
    neighbour.append(b"n" * 20)
    log.append(b"o" * (OPENING_BYTES - 2))

    def across(views):
        assert [len(view) for view in views] == [2, 8]
        for view in views:
            view[:] = b"12345678"[: len(view)]
        return 10

    assert log.fill(across, 10) == 10
    assert log.read(OPENING_BYTES - 4, 99) == b"oo12" + b"12345678"
    assert neighbour.read(0, 99) == b"n" * 20
    arena.clear(0)
    assert (log.end, log.start, neighbour.read(0, 99)) == (0, 0, b"n" * 20)
    assert not any(arena.view[: OPENING_BYTES + 64])


def test_a_reader_that_is_overtaken_while_it_copies_is_told(arena):
    log = arena.log(0)
    log.append(b"o" * CAPACITY)

    def reader_meets_writer(views):
        views[0][:10] = b"n" * 10
        # The writer has claimed these bytes and not published them: the copy would be half old, half new.
        with pytest.raises(Overrun):
            log.read(0, 20)
        assert log.read(100, 5) == b"ooooo"
        return 10

    log.fill(reader_meets_writer, 100)
    assert log.read(10, 5) == b"ooooo"


def test_slots_do_not_touch_each_other(arena):
    logs = [arena.log(slot) for slot in range(ARENA_SLOTS)]
    for slot, log in enumerate(logs):
        log.append(bytes([slot]) * (CAPACITY + slot))
    for slot, log in enumerate(logs):
        assert log.end == CAPACITY + slot
        assert log.read(log.start, CAPACITY) == bytes([slot]) * CAPACITY


def test_a_cleared_slot_is_empty_and_its_memory_is_the_kernels_again(arena):
    log = arena.log(5)
    log.append(b"secret" * 100)
    arena.log(6).append(b"neighbour")
    before = os.fstat(arena.fd).st_blocks
    arena.clear(5)
    assert os.fstat(arena.fd).st_blocks < before
    assert (log.end, log.start, log.read(0, 10)) == (0, 0, b"")
    assert bytes(arena.view[log._ring : log._ring + CAPACITY]) == bytes(CAPACITY)
    assert arena.log(6).read(0, 9) == b"neighbour"


def test_a_cleared_slot_forgets_its_clients(arena):
    logs = [arena.log(slot) for slot in (4, 5, 6)]
    for log in logs:
        log.note_client()
        for place in range(CLIENTS):
            log.words[log.client_at(place)] = 7
            log.words[log.client_at(place) + CLIENT_WORDS - 1] = 8
    arena.clear(5)
    for log, left in zip(logs, (7, 0, 7), strict=True):
        assert {log.words[log.client_at(place)] for place in range(CLIENTS)} == {left}


def test_another_process_maps_the_arena_and_follows(arena):
    """A child reads through its own mapping while this process appends, and sees every byte in order."""
    code = (
        "import sys\n"
        "from web_terminal_suite.server.log import Arena\n"
        f"log = Arena.receive({arena.fd}, {CAPACITY}).log(7)\n"
        "for line in sys.stdin:\n"
        "    at, count = map(int, line.split())\n"
        "    sys.stdout.write(log.read(at, count).hex() + '\\n'); sys.stdout.flush()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=(arena.fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    log = arena.log(7)
    with child:
        for round_ in range(6):
            block = os.urandom(1000)
            log.append(block)
            child.stdin.write(f"{round_ * 1000} 1000\n")
            child.stdin.flush()
            assert bytes.fromhex(child.stdout.readline()) == block
        child.stdin.close()
    assert child.returncode == 0


def test_a_reader_racing_a_writer_in_another_process_gets_truth_or_an_overrun():
    """Every 8 bytes hold their own offset, so that a torn copy shows."""
    arena = Arena.create(CAPACITY)
    code = (
        "import struct\n"
        "from web_terminal_suite.server.log import Arena\n"
        f"log = Arena.receive({arena.fd}, {CAPACITY}).log(0)\n"
        "for at in range(0, 4_000_000, 1000):\n"
        "    log.append(struct.pack('<125Q', *range(at, at + 1000, 8)))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], pass_fds=(arena.fd,))
    log: Log = arena.log(0)
    good = 0
    while log.end < 4_000_000:
        offset = max(0, (log.end - 3000) // 8 * 8)
        try:
            data = log.read(offset, 800)
        except Overrun:
            continue
        for at in range(0, len(data) - 7, 8):
            assert int.from_bytes(data[at : at + 8], "little") == offset + at
        good += len(data) > 0
        if child.poll() is not None:
            break
    assert child.wait(30) == 0
    assert log.end == 4_000_000
    assert good > 0
    arena.close()


@pytest.mark.parametrize("capacity", [0, -4096, 4095, 4097])
def test_a_capacity_that_is_no_number_of_pages_is_refused(capacity):
    with pytest.raises(ValueError, match=str(capacity)):
        Arena.create(capacity)


@pytest.mark.parametrize("slot", [-1, ARENA_SLOTS])
def test_a_slot_that_is_not_there_is_refused(arena, slot):
    with pytest.raises(ValueError, match=str(slot)):
        arena.log(slot)


# --- holes


def lose(log, count: int) -> None:
    """As a pump that is killed after it claimed ``count`` bytes."""
    log._words[log._claimed] = log.end + count


def read_all(log, offset: int) -> tuple[bytes, list[tuple[int, int]]]:
    """What a viewer gets from ``offset`` on, and the gaps it is told."""
    data, gaps = bytearray(), []
    while offset < log.end:
        try:
            part = log.read(offset, log.capacity)
        except Overrun as overrun:
            gaps.append((offset, overrun.start))
            offset = overrun.start
            continue
        assert part
        data += part
        offset += len(part)
    return bytes(data), gaps


def test_what_a_killed_pump_claimed_is_a_hole_and_never_read(arena):
    log = arena.log(0)
    assert log.recover() == 0
    log.append(b"before")
    lose(log, 1000)
    assert log.recover() == 1000
    assert log.recover() == 0
    log.append(b"after")
    assert log.end == 6 + 1000 + 5
    assert read_all(log, 0) == (b"beforeafter", [(6, 1006)])
    assert read_all(log, 6) == (b"after", [(6, 1006)])
    assert read_all(log, 900) == (b"after", [(900, 1006)])
    assert read_all(log, 1007) == (b"fter", [])


def test_of_too_many_holes_the_oldest_become_one(arena):
    log = arena.log(1)
    for number in range(4):
        log.append(b"%d" % number)
        lose(log, 100)
        assert log.recover() == 100
    log.append(b"end")
    assert read_all(log, 0) == (b"03end", [(1, 303), (304, 404)])


def test_holes_that_left_the_log_are_forgotten(arena):
    log = arena.log(2)
    lose(log, 100)
    log.recover()
    for _ in range(3):
        log.append(b"x" * log.capacity)
    lose(log, 10)
    log.recover()
    assert log.holes() == [(log.end - 10, log.end)]


def test_a_slot_that_is_used_again_has_no_hole(arena):
    log = arena.log(3)
    lose(log, 100)
    log.recover()
    arena.clear(3)
    assert arena.log(3).holes() == []
