"""Who does what when: the same for the same seed, whole over all shards, at the rate that was asked for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.bench.load import schedule
from web_terminal_suite.bench.load.scenario import LoadStage, Role, share

SECOND_NS = schedule.SECOND_NS


@given(st.integers(0, 50), st.integers(0, 200), st.integers(1, 7))
def test_every_session_is_dealt_to_one_shard(first, more, shards):
    dealt = [schedule.dealt(first, first + more, shard, shards) for shard in range(shards)]
    assert sorted(itertools.chain(*dealt)) == list(range(first, first + more))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    # So that whoever has a session's number knows its shard.
    assert all(number % shards == shard for shard, numbers in enumerate(dealt) for number in numbers)


def test_sessions_arrive_at_an_even_rate():
    moments = [schedule.arrival_ns(number, 100, 250) for number in range(100, 600)]
    assert moments[0] == 0
    assert {after - before for before, after in itertools.pairwise(moments)} == {SECOND_NS // 250}


def test_the_same_seed_draws_the_same_people():
    assert schedule.drawn(7, 1000) == schedule.drawn(7, 1000)
    assert schedule.drawn(7, 1000) != schedule.drawn(8, 1000)
    assert sorted(schedule.drawn(7, 1000)) == list(range(1000))


MIX = {Role.TYPE: share("50%"), Role.FLOOD: share(2), Role.STEADY: share("10%")}


def test_roles_go_to_those_who_are_up_and_each_has_one():
    stage = LoadStage(sessions=100, mix=MIX)
    up = set(range(100)) - {3, 5, 8}
    cast = schedule.cast(stage, schedule.drawn(1, 100), up)
    assert {role: len(numbers) for role, numbers in cast.items()} == {Role.TYPE: 48, Role.STEADY: 10, Role.FLOOD: 2}
    everybody = [number for numbers in cast.values() for number in numbers]
    assert len(everybody) == len(set(everybody))
    assert set(everybody) <= up


def test_typists_stay_who_they_are_when_others_come():
    order = schedule.drawn(1, 100)
    few = schedule.cast(LoadStage(sessions=50, mix={Role.TYPE: share(10)}), order, range(50))
    # The same draw among those who were there before.
    again = schedule.cast(LoadStage(sessions=50, mix={Role.TYPE: share(10)}), order, range(50))
    assert few == again
    assert schedule.cast(LoadStage(sessions=50), order, range(50)) == {}
    assert schedule.cast(LoadStage(sessions=50, mix=MIX), order, []) == {}


@given(
    st.integers(1, 40), st.integers(1, 5), st.sampled_from([1.0, 7.0, 100.0, 333.0]), st.sampled_from([0.5, 1.0, 2.7])
)
def test_keys_of_all_shards_are_one_even_schedule(typists, shards, rate, seconds):
    parts = [[place for place in range(typists) if place % shards == shard] for shard in range(shards)]
    merged = sorted(itertools.chain(*(schedule.key_moments(places, typists, rate, seconds) for places in parts)))
    count = len(merged)
    assert merged == [round(number * SECOND_NS / rate) for number in range(count)]
    assert merged[-1] < seconds * SECOND_NS <= round(count * SECOND_NS / rate) + 1


def test_typists_of_a_shard_take_turns():
    moments = list(schedule.key_moments([1, 3], 4, 100, 0.1))
    assert [moment // 10_000_000 for moment in moments] == [1, 3, 5, 7, 9]


def test_turns_and_phases_are_spread_over_the_interval():
    turns = list(schedule.turn_moments([0, 1, 2, 3], 4, every=2.0, seconds=4.0))
    assert turns == [each * SECOND_NS // 2 for each in range(8)]
    assert [schedule.phase_ns(place, 4, 2.0) for place in range(4)] == turns[:4]


@pytest.mark.parametrize(("duration", "count"), [(1, 1), (3, 1), (4, 2), (11, 5), (12, 6), (60, 6), (3600, 6)])
def test_a_stage_is_cut_into_a_few_blocks_without_a_gap(duration, count):
    cuts = schedule.blocks(duration)
    assert len(cuts) == count
    assert (cuts[0][0], cuts[-1][1]) == (0, duration)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(cuts))
    lengths = [end - first for first, end in cuts]
    assert max(lengths) - min(lengths) <= 1
