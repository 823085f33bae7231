"""The schedule: the same for the same seed, complete over all load generators, at the requested rate."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.bench.load import schedule
from web_terminal_suite.bench.load.scenario import LoadStage, Role, parse_share

SECOND_NS = schedule.SECOND_NS


@given(st.integers(0, 50), st.integers(0, 200), st.integers(1, 7))
def test_every_session_belongs_to_one_generator(first, more, generators):
    parts = [schedule.sessions_of(generator, generators, first, first + more) for generator in range(generators)]
    assert sorted(itertools.chain(*parts)) == list(range(first, first + more))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    # The coordinator relies on it: a session's number says which generator it belongs to.
    assert all(session % generators == generator for generator, sessions in enumerate(parts) for session in sessions)


def test_sessions_arrive_at_an_even_rate():
    times = [schedule.arrival_ns(number, 100, 250) for number in range(100, 600)]
    assert times[0] == 0
    assert {after - before for before, after in itertools.pairwise(times)} == {SECOND_NS // 250}


def test_the_same_seed_gives_the_same_order():
    assert schedule.role_order(7, 1000) == schedule.role_order(7, 1000)
    assert schedule.role_order(7, 1000) != schedule.role_order(8, 1000)
    assert sorted(schedule.role_order(7, 1000)) == list(range(1000))


MIX = {Role.TYPE: parse_share("50%"), Role.FLOOD: parse_share(2), Role.STEADY: parse_share("10%")}


def test_only_sessions_that_are_up_get_a_role_and_each_gets_one():
    stage = LoadStage(sessions=100, mix=MIX)
    up = set(range(100)) - {3, 5, 8}
    roles = schedule.assign_roles(stage, schedule.role_order(1, 100), up)
    assert {role: len(numbers) for role, numbers in roles.items()} == {Role.TYPE: 48, Role.STEADY: 10, Role.FLOOD: 2}
    assigned = [number for numbers in roles.values() for number in numbers]
    assert len(assigned) == len(set(assigned))
    assert set(assigned) <= up


def test_roles_depend_on_nothing_but_order_and_sessions():
    order = schedule.role_order(1, 100)
    few = schedule.assign_roles(LoadStage(sessions=50, mix={Role.TYPE: parse_share(10)}), order, range(50))
    again = schedule.assign_roles(LoadStage(sessions=50, mix={Role.TYPE: parse_share(10)}), order, range(50))
    assert few == again
    assert schedule.assign_roles(LoadStage(sessions=50), order, range(50)) == {}
    assert schedule.assign_roles(LoadStage(sessions=50, mix=MIX), order, []) == {}


@given(
    st.integers(1, 40), st.integers(1, 5), st.sampled_from([1.0, 7.0, 100.0, 333.0]), st.sampled_from([0.5, 1.0, 2.7])
)
def test_keys_of_all_generators_are_one_even_schedule(typists, generators, rate, seconds):
    parts = [
        [position for position in range(typists) if position % generators == generator]
        for generator in range(generators)
    ]
    merged = sorted(itertools.chain(*(schedule.key_times(positions, typists, rate, seconds) for positions in parts)))
    count = len(merged)
    assert merged == [round(number * SECOND_NS / rate) for number in range(count)]
    assert merged[-1] < seconds * SECOND_NS <= round(count * SECOND_NS / rate) + 1


def test_typists_of_a_generator_take_turns():
    times = list(schedule.key_times([1, 3], 4, 100, 0.1))
    assert [time // 10_000_000 for time in times] == [1, 3, 5, 7, 9]


def test_actions_and_starts_are_distributed_over_the_interval():
    turns = list(schedule.action_times([0, 1, 2, 3], 4, every=2.0, seconds=4.0))
    assert turns == [each * SECOND_NS // 2 for each in range(8)]
    assert [schedule.start_offset_ns(position, 4, 2.0) for position in range(4)] == turns[:4]


@pytest.mark.parametrize(("duration", "count"), [(1, 1), (3, 1), (4, 2), (11, 5), (12, 6), (60, 6), (3600, 6)])
def test_a_stage_is_divided_into_a_few_blocks_without_a_gap(duration, count):
    bounds = schedule.blocks(duration)
    assert len(bounds) == count
    assert (bounds[0][0], bounds[-1][1]) == (0, duration)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(bounds))
    lengths = [end - first for first, end in bounds]
    assert max(lengths) - min(lengths) <= 1
