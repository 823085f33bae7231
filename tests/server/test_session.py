"""A session's pump and pacing, on a real terminal with viewers that hold what they were given."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from tests.server.shells import GUARD_SECONDS, read_until, running
from web_terminal_suite.server.log import Arena, Overrun
from web_terminal_suite.server.pty import FULL_READ_BYTES
from web_terminal_suite.server.session import (
    INPUT_BYTES,
    LONGEST_DELAY_NS,
    MOVES,
    SHARED_TURN_BYTES,
    SHORTEST_DELAY_NS,
    TURN_BYTES,
    CoalescingDelay,
    Cursor,
    Pumped,
    ReadBudget,
    Session,
    SessionState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPACITY = 256 * 1024
FLOOD = "stty -opost -echo; echo go; read line; exec cat /dev/zero"


class Follower:
    """A viewer with a cursor, as a connection has one, that keeps the bytes."""

    def __init__(self, session: Session, window: int) -> None:
        self.session = session
        self.cursor = Cursor(session.log, session.log.end, window)
        self.data = bytearray()
        self.gaps: list[tuple[int, int]] = []

    def credit_end(self) -> int:
        return self.cursor.window.sent + self.cursor.window.room()

    def advance(self) -> None:
        while (count := self.cursor.ready(1000)) > 0:
            try:
                self.cursor.take(self.data, count)
            except Overrun as overrun:
                self.gaps.append(self.cursor.skip(overrun))

    def acknowledge(self) -> None:
        self.cursor.window.ack(self.cursor.window.sent)
        self.advance()


@pytest.fixture
def log():
    arena = Arena.create(CAPACITY)
    yield arena.log(0)
    arena.close()


def wait_readable(pty) -> None:
    poll = select.poll()
    poll.register(pty.fd, select.POLLIN)
    assert poll.poll(GUARD_SECONDS * 1000), "the terminal stayed silent"


def pump_until(session: Session, done) -> None:
    while not done():
        wait_readable(session.pty)
        session.pump()


def flooding(pty, log) -> Session:
    """A session whose program writes without end."""
    session = Session(pty, log)
    pump_until(session, lambda: log.read(log.start, 99).count(b"go"))
    session.write(b"\r")
    return session


def test_without_viewers_it_is_read_in_bounded_portions(log):
    with running("/bin/sh", "-c", FLOOD) as pty:
        session = flooding(pty, log)
        assert session.allowance() == TURN_BYTES
        while log.end < 3 * CAPACITY:
            before = log.end
            wait_readable(pty)
            assert session.pump() in (Pumped.MORE, Pumped.PART, Pumped.EMPTY)
            assert log.end - before <= TURN_BYTES


def test_those_that_flood_share_a_turn(log):
    budget = ReadBudget()
    with running("/bin/sh", "-c", FLOOD) as first, running("/bin/sh", "-c", FLOOD) as second:
        sessions = [Session(pty, log, budget) for pty in (first, second)]
        for session in sessions:
            read_until(session.pty, b"go")
            session.write(b"\r")
            while not session.floods:
                wait_readable(session.pty)
                session.pump()
        assert budget.floods == 2
        assert {session.allowance() for session in sessions} == {SHARED_TURN_BYTES}
        sessions[0].drain()  # as at its end
        assert (budget.floods, sessions[1].allowance()) == (1, TURN_BYTES)
        sessions[1].write(b"it floods itself")
        assert sessions[1].allowance() == TURN_BYTES
        sessions[0].write(b"somebody types")
        assert sessions[1].allowance() == SHARED_TURN_BYTES


def test_the_viewer_furthest_ahead_paces_and_one_that_stalls_is_told_a_gap(log):
    with running("/bin/sh", "-c", FLOOD) as pty:
        session = flooding(pty, log)
        quick, stalled = Follower(session, 8192), Follower(session, 4096)
        session.viewers += [quick, stalled]
        start = log.end
        pump_until(session, lambda: session.allowance() == 0)
        assert (len(quick.data), len(stalled.data)) == (8192, 4096)
        assert session.pump() is Pumped.PACED
        assert log.end == start + 8192
        while log.end < start + 2 * CAPACITY:
            quick.acknowledge()
            wait_readable(pty)
            session.pump()
        assert not quick.gaps
        assert len(quick.data) == log.end - start
        assert len(stalled.data) == 4096
        stalled.acknowledge()
        ((lost_from, lost_to),) = stalled.gaps
        assert lost_from == start + 4096
        assert lost_to == log.start
        assert len(stalled.data) == 8192


def test_when_the_quick_viewer_leaves_the_slow_one_paces(log):
    with running("/bin/sh", "-c", FLOOD) as pty:
        session = flooding(pty, log)
        quick, slow = Follower(session, 65536), Follower(session, 4096)
        session.viewers += [quick, slow]
        pump_until(session, lambda: session.allowance() == 0)
        session.viewers.remove(quick)
        assert session.allowance() < 0
        assert session.pump() is Pumped.PACED
        while session.allowance() <= 0:
            slow.acknowledge()
        assert not slow.gaps
        assert bytes(slow.data[:4096]) == log.read(log.end - 65536, 4096)


def test_the_end_is_told_after_the_last_byte(log):
    with running("/bin/sh", "-c", "printf last") as pty:
        session = Session(pty, log)
        follower = Follower(session, 4096)
        session.viewers.append(follower)
        os.waitid(os.P_PID, pty.pid, os.WEXITED | os.WNOWAIT)
        results = [session.pump() for _ in range(2)]
        assert results[-1] is Pumped.END
        assert bytes(follower.data) == b"last"


def test_draining_ignores_credit_but_loses_nothing_a_viewer_has_yet_to_see(log):
    with running("/bin/sh", "-c", "stty -opost; seq 1 1000; exit") as pty:
        session = Session(pty, log)
        follower = Follower(session, 16)
        session.viewers.append(follower)
        while session.pump() is not Pumped.PACED:
            wait_readable(pty)
        expected = "".join(f"{n}\n" for n in range(1, 1001)).encode()
        while log.end < len(expected):
            wait_readable(pty)
            session.drain()
        assert len(follower.data) == 16
        while len(follower.data) < log.end:
            follower.acknowledge()
        assert bytes(follower.data) == expected
        assert not follower.gaps


def test_draining_a_terminal_that_a_background_process_floods_ends(log):
    with running("/bin/sh", "-c", FLOOD) as pty:
        session = flooding(pty, log)
        wait_readable(pty)
        before = log.end
        session.drain()
        assert 0 < log.end - before <= CAPACITY // 2


def test_input_waits_in_order_for_a_program_that_does_not_read_and_is_bounded(log):
    with running("/bin/sh", "-c", "stty raw -echo; echo go; read line < /dev/tty; exec md5sum") as pty:
        session = Session(pty, log)
        read_until(pty, b"go")
        assert session.write(b"x" * 200_000)
        assert session.input_waits
        waiting = session.waiting_bytes
        assert session.write(b"y" * (INPUT_BYTES - waiting))
        assert not session.write(b"z")
        assert session.waiting_bytes == INPUT_BYTES
        session.write_waiting()
        assert session.waiting_bytes <= INPUT_BYTES


@pytest.mark.parametrize("size", [20_000, 200_000])  # the kernel takes the first whole
def test_ctrl_c_passes_input_that_the_program_does_not_read(log, size):
    # A signal between fork and exec of a child is lost to it, so the child itself says that it runs.
    script = "trap 'echo int; read line; echo [$line]' INT; /bin/sh -c 'echo go; exec sleep 300'"
    with running("/bin/sh", "-c", script) as pty:
        session = Session(pty, log)
        read_until(pty, b"go")
        assert session.write(b"unread\n" * (size // 7))
        waiting = session.waiting_bytes
        assert session.interrupt() == waiting
        assert not session.input_waits
        read_until(pty, b"int")
        assert session.write(b"typed\n")
        read_until(pty, b"[typed]")


def test_ctrl_c_waits_its_turn_where_it_is_no_signal(log):
    with running("/bin/sh", "-c", "stty raw -echo; echo go; exec head -c 5") as pty:
        session = Session(pty, log)
        read_until(pty, b"go")
        assert session.interrupt() is None
        assert session.write(b"kept\x03")
        read_until(pty, b"kept\x03")


def test_input_arrives_whole_and_in_order_however_it_waits(log):
    with running("/bin/sh", "-c", "stty raw -echo; echo go; exec head -c 100000") as pty:
        session = Session(pty, log)
        read_until(pty, b"go")
        block = b"".join(b"%05d" % n for n in range(20_000))
        got = bytearray()
        for at in range(0, len(block), 30_000):
            assert session.write(block[at : at + 30_000])
        poll = select.poll()
        poll.register(pty.fd, select.POLLIN | select.POLLOUT)
        buffer = bytearray(65536)
        while len(got) < len(block):
            assert poll.poll(GUARD_SECONDS * 1000)
            session.write_waiting()
            try:
                got += buffer[: pty.read_into([memoryview(buffer)])]
            except BlockingIOError:
                continue
        # What came before the block is the newline of "go".
        assert bytes(got).lstrip(b"\r\n")[: len(block)] == block[: len(bytes(got).lstrip(b"\r\n"))]


def test_states_only_move_forward():
    order = list(SessionState)
    assert set(MOVES) == set(order)
    assert all(order.index(to) > order.index(state) for state, tos in MOVES.items() for to in tos)
    assert MOVES[SessionState.ENDED] == ()


def test_a_delay_that_gathers_more_than_a_turn_is_halved_down_to_the_shortest() -> None:
    delay = CoalescingDelay()
    delays = []
    for _ in range(8):
        delays.append(delay.next_ns())
        delay.note_full_turn()
    assert delays[:3] == [LONGEST_DELAY_NS, LONGEST_DELAY_NS // 2, LONGEST_DELAY_NS // 4]
    assert delays[-1] == SHORTEST_DELAY_NS


def test_a_delay_that_gathers_less_than_a_turn_grows_to_the_longest() -> None:
    delay = CoalescingDelay()
    for _ in range(8):
        delay.next_ns()
        delay.note_full_turn()
    delays = [delay.next_ns() for _ in range(20)]
    assert delays[:3] == [10_000, 12_500, 15_625]
    assert delays[-1] == LONGEST_DELAY_NS


def test_only_the_first_full_turn_after_a_delay_counts() -> None:
    delay = CoalescingDelay()
    delay.next_ns()
    for _ in range(3):
        delay.note_full_turn()
    assert delay.next_ns() == LONGEST_DELAY_NS // 2


def test_a_short_read_does_not_end_a_turn_that_the_kernel_refills() -> None:
    reads = [FULL_READ_BYTES, 100, 200]

    class Refilled:
        """A terminal whose buffer is filled again while it is read."""

        fd = pid = -1

        def read_into(self, views: Sequence[memoryview]) -> int:
            if not reads:
                raise BlockingIOError
            return reads.pop(0)

    arena = Arena.create(CAPACITY)
    session = Session(Refilled(), arena.log(0))
    assert session.pump() is Pumped.PART
    assert session.log.end == FULL_READ_BYTES + 300
    del session
    arena.close()
