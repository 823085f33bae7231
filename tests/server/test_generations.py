"""Which workers there are after any sequence of deaths, signals and failures. No process is started."""

from __future__ import annotations

import logging

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from web_terminal_suite.server.generations import (
    FIRST_ATTEMPTS,
    HEAD_START_SECONDS,
    LONGEST_DELAY_SECONDS,
    STEADY_SECONDS,
    Generations,
    Order,
    WorkerStage,
)

START_SECONDS = 60.0
LEAVE_SECONDS = 15.0


class Server:
    """Generations with a clock, and workers that are numbers: what the supervisor does, without processes."""

    def __init__(self, size: int) -> None:
        self.now = 1000.0
        self.size = size
        self.generations = Generations(size, self.now, start_seconds=START_SECONDS, leave_seconds=LEAVE_SECONDS)
        self.starting: list[int] = []
        self.ready: list[int] = []
        self.leaving: list[int] = []
        self.killed: list[int] = []
        self.started = 0
        self.refuses = False

    @property
    def alive(self) -> list[int]:
        return self.starting + self.ready + self.leaving + self.killed

    def act(self) -> None:
        self.generations.pass_time(self.now)
        self.follow()
        while (place := self.generations.next_start(self.now)) is not None:
            if self.refuses:
                self.generations.start_failed(place, "no process is left", self.now)
                self.follow()
            else:
                self.started += 1
                self.starting.append(self.started)
                self.generations.started(place, self.started, self.now)

    def follow(self) -> None:
        for order in self.generations.orders():
            if order.kill:
                next(among for among in (self.starting, self.ready, self.leaving) if order.pid in among).remove(
                    order.pid
                )
                self.killed.append(order.pid)
            else:
                self.ready.remove(order.pid)
                self.leaving.append(order.pid)

    def make_ready(self, pid: int) -> None:
        self.starting.remove(pid)
        self.ready.append(pid)
        self.generations.ready(pid, self.now)
        self.act()

    def all_ready(self) -> None:
        while self.starting:
            self.make_ready(self.starting[0])

    def end(self, *pids: int) -> None:
        for pid in pids:
            for among in (self.starting, self.ready, self.leaving, self.killed):
                if pid in among:
                    among.remove(pid)
            self.generations.ended(pid, "was killed by SIGKILL", self.now)
        self.act()

    def renew(self) -> None:
        self.generations.renew(self.now)
        self.act()

    def hang(self, pid: int) -> None:
        self.generations.silent(pid, 10.0, self.now)
        self.act()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.act()

    def wait_for_start(self) -> float:
        """Let time pass until another worker is started; how long that took."""
        began, started = self.now, self.started
        while self.started == started:
            due = self.generations.wake_at()
            assert due is not None
            self.now = max(due, self.now)
            self.act()
        return self.now - began


def serving(size: int) -> Server:
    server = Server(size)
    server.act()
    server.all_ready()
    assert len(server.ready) == size
    return server


# --- the server's start


def test_a_server_serves_when_all_of_its_workers_are_ready():
    server = Server(3)
    server.act()
    for pid in (1, 2):
        server.make_ready(pid)
        assert not server.generations.serves
    server.make_ready(3)
    assert server.generations.serves


def test_a_server_none_of_whose_workers_was_ever_ready_gives_up():
    server = Server(1)
    server.act()
    for _ in range(FIRST_ATTEMPTS):
        assert not server.generations.hopeless
        server.end(*server.starting)
        server.wait(LONGEST_DELAY_SECONDS)
    assert server.generations.hopeless


def test_a_server_one_of_whose_workers_was_ready_never_gives_up():
    server = Server(2)
    server.act()
    server.make_ready(1)
    server.end(*server.starting)
    assert server.generations.serves  # the other was tried, so nobody has to wait for the URL any longer
    for _ in range(3 * FIRST_ATTEMPTS):
        server.wait_for_start()
        server.end(*server.starting)
    assert not server.generations.hopeless


# --- replacements


def test_a_dead_worker_is_replaced_and_nobody_else_is_touched():
    server = serving(4)
    for _ in range(12):
        victim = server.ready[-1]
        others = server.ready[:-1]
        server.end(victim)
        server.wait_for_start()
        server.all_ready()
        assert server.ready[:-1] == others
        assert len(server.ready) == 4
        assert not server.leaving


def test_the_first_worker_that_is_to_serve_again_has_a_head_start():
    """Together they would be ready later on a machine with few processors."""
    server = serving(4)
    server.end(*server.ready)
    began = server.now
    server.wait_for_start()
    (first,) = server.starting
    server.make_ready(first)
    assert len(server.starting) == 3
    server.all_ready()
    server.end(*server.ready)
    server.wait_for_start()
    assert server.wait_for_start() == pytest.approx(HEAD_START_SECONDS)
    assert len(server.starting) == 4
    assert server.now - began < 2.0


def test_the_delay_doubles_from_a_tenth_of_a_second_to_thirty_and_never_ends():
    server = serving(1)
    server.end(1)
    delays = []
    for _ in range(40):
        delays.append(server.wait_for_start())
        server.end(*server.starting)
    assert delays[:9] == pytest.approx([0.1 * 2**n for n in range(9)])
    assert delays[10:] == pytest.approx([30.0] * 30)


def test_the_delay_is_short_again_after_a_start_that_went_well():
    server = serving(1)
    server.end(1)
    for _ in range(8):
        server.wait_for_start()
        server.end(*server.starting)
    server.wait_for_start()
    server.all_ready()
    server.end(*server.ready)
    assert server.wait_for_start() == pytest.approx(0.1)


def test_workers_killed_ten_times_as_soon_as_they_serve_are_soon_back_and_slowed_down_if_it_goes_on():
    server = serving(2)
    delays = []
    for _ in range(60):
        server.end(*server.ready)
        delays.append(server.wait_for_start())
        server.all_ready()
        assert len(server.ready) == 2
    assert max(delays[:10]) < 0.5
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS
    server.wait(STEADY_SECONDS)
    server.end(server.ready[0])
    assert server.wait_for_start() == pytest.approx(0.1)


def test_a_start_that_is_refused_is_tried_again_for_all_places_at_once(caplog):
    server = serving(4)
    server.refuses = True
    with caplog.at_level(logging.WARNING):
        server.end(1, 2)
        caplog.clear()
        server.wait(0.1)
    assert [each.message for each in caplog.records] == [
        "a worker could not be started: no process is left; 2 of 4 workers serve, trying again in 0.2 s"
    ]
    server.refuses = False
    server.wait_for_start()
    server.all_ready()
    assert len(server.ready) == 4


def test_a_replacement_that_never_gets_ready_is_killed_and_replaced():
    server = serving(2)
    server.end(1)
    server.wait_for_start()
    (silent,) = server.starting
    server.wait(START_SECONDS)
    assert server.killed == [silent]
    server.end(silent)
    server.wait_for_start()
    server.all_ready()
    assert len(server.ready) == 2


def test_a_worker_that_hangs_is_killed_and_replaced_when_it_is_gone(caplog):
    server = serving(2)
    server.wait(STEADY_SECONDS)
    with caplog.at_level(logging.WARNING):
        server.hang(1)
        assert (server.killed, server.ready, server.starting) == ([1], [2], [])
        server.hang(1)  # once is enough
        server.end(1)
    assert [each.message for each in caplog.records] == [
        "worker 1 did not answer for 10 s; killing it",
        "worker 1 was killed by SIGKILL; 1 of 2 workers serve, starting another in 0.1 s",
    ]
    server.wait_for_start()
    server.all_ready()
    assert server.ready == [2, 3]


# --- another generation


def test_a_generation_one_of_whose_workers_hangs_is_dropped():
    server = serving(2)
    server.renew()
    server.make_ready(3)
    server.hang(3)
    assert (server.ready, server.killed, server.starting) == ([1, 2], [3, 4], [])
    server.end(3, 4)
    assert server.ready == [1, 2]


def test_old_workers_leave_only_when_all_new_ones_are_ready():
    server = serving(3)
    server.renew()
    assert server.starting == [4, 5, 6]
    for pid in (4, 5):
        server.make_ready(pid)
        assert not server.leaving
    server.make_ready(6)
    assert server.leaving == [1, 2, 3]
    assert server.ready == [4, 5, 6]


def test_a_generation_one_of_whose_workers_ends_is_dropped_and_the_old_one_is_not_touched(caplog):
    server = serving(3)
    server.renew()
    server.make_ready(4)
    server.make_ready(5)
    with caplog.at_level(logging.WARNING):
        server.end(6)
    assert server.ready == [1, 2, 3]
    assert server.leaving == [4, 5]
    assert [each.message for each in caplog.records] == [
        "generation 2 was dropped: worker 6 was killed by SIGKILL before it was ready; generation 1 stays, no shell "
        "was touched, 3 of 3 workers serve; repair the cause, then send SIGHUP again"
    ]
    server.end(4, 5)
    assert server.generations.wake_at() is None


def test_no_order_is_left_for_a_worker_that_was_reaped():
    """Its process id may be another process's by then."""
    server = serving(2)
    server.renew()
    server.make_ready(3)
    server.starting.remove(4)
    server.ready.append(4)
    server.generations.ready(4, server.now)
    server.generations.ended(1, "was killed by SIGKILL", server.now)
    assert server.generations.orders() == [Order(2, kill=False)]


def test_a_generation_that_cannot_be_started_is_dropped():
    server = serving(2)
    server.refuses = True
    server.renew()
    assert server.ready == [1, 2]
    assert server.generations.wake_at() is None


def test_a_generation_that_never_gets_ready_is_dropped():
    server = serving(2)
    server.renew()
    server.make_ready(3)
    server.wait(START_SECONDS)
    assert (server.ready, server.leaving, server.killed) == ([1, 2], [3], [4])


def test_workers_that_do_not_leave_are_killed():
    server = serving(2)
    server.renew()
    server.all_ready()
    server.wait(LEAVE_SECONDS)
    assert server.killed == [1, 2]


def test_signals_that_pile_up_are_one():
    server = serving(2)
    for _ in range(15):
        server.renew()
    assert server.starting == [3, 4]
    server.all_ready()
    assert server.leaving == [1, 2]
    server.renew()
    assert server.starting == []  # those that leave go first, so there are never more than twice as many
    server.end(1, 2)
    assert server.starting == [5, 6]
    server.all_ready()
    server.end(3, 4)
    assert server.starting == []
    assert server.ready == [5, 6]


def test_a_signal_during_a_start_that_fails_is_not_forgotten():
    server = serving(2)
    server.renew()
    server.renew()
    server.end(3)
    server.end(*server.killed)
    server.all_ready()
    assert server.ready == [5, 6]


def test_an_old_worker_that_dies_during_a_renewal_is_replaced_in_its_own_generation():
    server = serving(2)
    server.renew()
    server.end(1)
    server.wait_for_start()
    server.end(3)  # the new generation is dropped
    server.end(*server.killed)
    server.all_ready()
    assert server.ready == [2, 5]


def test_a_new_generation_takes_over_incomplete_where_nothing_else_serves():
    server = serving(2)
    server.end(1, 2)
    server.refuses = True
    server.wait(0.1)
    server.refuses = False
    server.renew()
    server.make_ready(3)
    server.end(4)
    server.wait_for_start()
    server.all_ready()
    assert len(server.ready) == 2
    assert 3 in server.ready


def test_a_signal_helps_a_server_whose_workers_are_all_waiting():
    server = serving(2)
    server.end(1, 2)
    for _ in range(10):
        server.wait_for_start()
        server.end(*server.starting)
    server.renew()
    server.all_ready()
    assert len(server.ready) == 2


def test_a_server_that_stops_lets_everything_go():
    server = serving(2)
    server.renew()
    server.make_ready(3)
    left = server.generations.leave(server.now)
    assert sorted(left) == [1, 2, 3, 4]
    orders = server.generations.orders()
    assert set(orders) == {Order(1, kill=False), Order(2, kill=False), Order(3, kill=False), Order(4, kill=True)}
    assert server.generations.next_start(server.now + 1000) is None


# --- anything


class AnySequence(RuleBasedStateMachine):
    """Deaths, signals, refusals and time in any order."""

    @initialize(size=st.integers(1, 4))
    def begin(self, size: int) -> None:
        self.server = serving(size)

    @rule(seconds=st.sampled_from([0.05, 0.1, 1.0, 20.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.server.wait(seconds)

    @rule()
    def hang_up(self) -> None:
        self.server.renew()

    @rule(refuses=st.booleans())
    def refuse(self, refuses: bool) -> None:
        self.server.refuses = refuses

    @precondition(lambda self: self.server.starting)
    @rule(data=st.data())
    def get_ready(self, data: st.DataObject) -> None:
        self.server.make_ready(data.draw(st.sampled_from(self.server.starting)))

    @precondition(lambda self: self.server.alive)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.server.end(data.draw(st.sampled_from(self.server.alive)))

    @precondition(lambda self: self.server.ready)
    @rule(data=st.data())
    def hang(self, data: st.DataObject) -> None:
        self.server.hang(data.draw(st.sampled_from(self.server.ready)))

    @precondition(lambda self: self.server.starting)
    @rule(data=st.data())
    def get_ready_and_die_before_orders_are_followed(self, data: st.DataObject) -> None:
        server = self.server
        pid = data.draw(st.sampled_from(server.starting))
        server.starting.remove(pid)
        server.ready.append(pid)
        server.generations.ready(pid, server.now)
        server.end(*data.draw(st.sets(st.sampled_from(server.alive), min_size=1)))

    @invariant()
    def never_more_than_twice_as_many(self) -> None:
        if hasattr(self, "server"):
            assert len(self.server.alive) <= 2 * self.server.size
            assert not self.server.generations.hopeless

    @invariant()
    def the_stages_are_what_was_ordered(self) -> None:
        if hasattr(self, "server"):
            stages = self.server.generations.stages
            assert stages[WorkerStage.LEAVING] == len(self.server.leaving)
            assert stages[WorkerStage.KILLED] == len(self.server.killed)

    def teardown(self) -> None:
        """Whatever happened: once it is over there are as many workers as asked for, and nothing else."""
        if not hasattr(self, "server"):
            return
        server = self.server
        server.refuses = False
        for _ in range(20):
            server.end(*server.leaving, *server.killed)
            server.all_ready()
            server.wait(LONGEST_DELAY_SECONDS)
        assert len(server.ready) == len(server.alive) == server.size
        assert server.generations.wake_at() is None


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
