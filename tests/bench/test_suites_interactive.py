"""Suite ``interactive`` on the real thing: each operation is what it says. And the schedule that it types by."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
import pytest_asyncio

from tests.bench.operations import context_on, operated, readings
from web_terminal_suite.bench.benchmark import bounds_percentile
from web_terminal_suite.bench.clock import alarm, now_ns, play
from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.suites import floors, interactive
from web_terminal_suite.bench.suites.interactive import BENCHMARKS
from web_terminal_suite.bench.terminals.raw_pty import RawPty, local_pty
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.bench.workload.flood.bulk import ONLY_FULL
from web_terminal_suite.bench.workload.flood.local import flooding, jain
from web_terminal_suite.bench.workload.session_pool import session_pool
from web_terminal_suite.bench.workload.typists import ECHOES, Typist, listening, type_keys, typists
from web_terminal_suite.client.errors import Closed

BY_NAME = {benchmark.id.split("/")[1]: benchmark for benchmark in BENCHMARKS}
module = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    async with WebTerminal().launch() as each:
        yield each


async def test_a_schedule_keeps_its_moments_however_late_it_is():
    due = []

    def act(number, due_ns):
        assert now_ns() >= due_ns
        due.append(due_ns)
        if number == 3:
            time.sleep(0.02)  # a stall of this very process

    await play(500, 20, act)
    assert {later - earlier for earlier, later in itertools.pairwise(due)} == {2_000_000}


async def test_an_overdue_schedule_lets_answers_be_read():
    turns = []

    async def other():
        while True:
            turns.append(now_ns())
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await play(1e6, 50, lambda number, due_ns: time.sleep(0.0001))
    task.cancel()
    assert len(turns) >= 50


async def test_an_alarm_never_rings_early():
    with alarm() as each:
        for ahead_ns in (-1, 0, 50_000, 200_000, 3_000_000):
            moment_ns = now_ns() + ahead_ns
            await each.until(moment_ns)
            assert now_ns() >= moment_ns


@module
@pytest.mark.parametrize("echo", ECHOES)
async def test_every_key_comes_back_once(running, echo):
    # More than a line of the editor holds, so it is killed in between.
    async with typists(context_on(running), 2, echo) as people:
        typed = await type_keys(people, 400, 300)
    assert len(typed.samples) == 300
    assert {sample.outcome for sample in typed.samples} == {Outcome.OK}
    assert [sample.due_ns for sample in typed.samples] == sorted(sample.due_ns for sample in typed.samples)


@module
async def test_a_key_that_is_not_echoed_is_a_failure(running, monkeypatch):
    async with session_pool(context_on(running), 1) as (shell,):
        marker = context_on(running).markers.fresh()
        shell.connection.input(f"stty -echo; {marker.command}; cat > /dev/null\r".encode())
        await shell.connection.wait_for(marker.seen)
        async with listening([Typist(shell.connection)]) as people:
            typed = await type_keys(people, 100, 5, timeout_seconds=0.2)
    assert [sample.outcome for sample in typed.samples] == [Outcome.TIMEOUT] * 5


@module
async def test_a_wrong_echo_is_a_failure_and_so_is_every_key_behind_it(running):
    async with session_pool(context_on(running), 1) as (shell,):
        marker = context_on(running).markers.fresh()
        program = "while head -c 1 > /dev/null; do printf x; done"
        shell.connection.input(f"stty raw -echo; {marker.command}; {program}\r".encode())
        await shell.connection.wait_for(marker.seen)
        async with listening([Typist(shell.connection)]) as people:
            typed = await type_keys(people, 50, 5)
    assert [sample.outcome for sample in typed.samples] == [Outcome.WRONG] * 5
    assert "where b'a' was typed" in typed.samples[0].reason


@module
async def test_an_interrupt_ends_the_flood(running):
    found = await operated(BY_NAME["interrupt_under_flood"], running)
    # A window's worth may be on its way, and what the kernel holds.
    assert all(0 < after < 4 << 20 for after in readings(found, "bytes after Ctrl-C"))


@module
@pytest.mark.parametrize(("parameter", "times"), [("warm", 2), ("cold", 1)])
async def test_the_first_prompt_is_seen(running, parameter, times):
    assert len((await operated(BY_NAME["time_to_prompt"], running, parameter, times)).samples) == times


@module
@pytest.mark.parametrize("parameter", ["10MB", "10MB ack frame"])
async def test_a_flood_comes_whole(running, parameter):
    found = await operated(BY_NAME["output_flood"], running, parameter, times=1)
    (share,) = readings(found, "share of the bare drain")
    assert share > 0


async def test_the_floor_of_a_flood_drains_it():
    async with RawPty().launch() as floor:
        drain = next(each for each in floors.BENCHMARKS if each.id == floors.FLOOD_DRAIN)
        await operated(drain, floor, "10MB", times=1)


def test_a_long_binary_flood_has_64_mib():
    assert {BY_NAME["output_flood"].facts.elements[name] for name in ONLY_FULL if "binary" in name} == {64 << 20}


def test_a_drain_stops_where_it_is_told_and_when_the_program_ends():
    with local_pty(("/bin/sh", "-c", "stty -opost; printf 'abcdef'; printf 'gh'; sleep 1")) as pty:
        pty.drain(3, 10.0)
        assert pty.read().data.startswith(b"d")
    with local_pty(("/bin/sh", "-c", "exec sleep 60")) as pty, pytest.raises(Closed):
        pty.drain(1, 0.1)


def test_a_p95_of_neighbours_is_of_enough_keys():
    assert all(bounds_percentile("p95", keys) for keys in (interactive._IDLE_KEYS, interactive._FLOODED_KEYS))


@module
async def test_flooders_are_back_at_their_prompts(running):
    async with session_pool(context_on(running), 2) as shells:
        async with flooding(shells):
            pass
        for shell in shells:
            assert b"42" in (await shell.connection.run("echo $((6 * 7))")).output


@module
async def test_a_stalled_reader_loses_nothing(running, monkeypatch):
    monkeypatch.setitem(interactive._STALLS, "short", 0.3)
    found = await operated(BY_NAME["stalled_reader"], running, "short")
    assert readings(found, "bytes lost") == [0]
    assert len(readings(found, "server PSS over time")) == 12


@module
@pytest.mark.parametrize(
    ("parameter", "missed"), [("0B", (0, 0)), ("64KiB", (65_000, 70_000)), ("beyond the log", (1_000_000, 1_100_000))]
)
async def test_who_comes_back_gets_what_the_log_holds(running, parameter, missed):
    found = await operated(BY_NAME["reattach"], running, parameter)
    for bytes_missed, bytes_resent in zip(
        readings(found, "bytes missed"), readings(found, "bytes resent"), strict=True
    ):
        assert missed[0] <= bytes_missed <= missed[1]
        # The log of the server's default settings holds 256 KiB.
        assert bytes_resent == min(bytes_missed, 256 << 10)


@module
@pytest.mark.parametrize("parameter", ["64KiB", "1MiB"])
async def test_a_paste_arrives_whole(running, parameter):
    await operated(BY_NAME["paste"], running, parameter)


def test_jain_is_one_for_equals_and_one_nth_for_a_tyrant():
    assert jain([5, 5, 5]) == pytest.approx(1)
    assert jain([9, 0, 0]) == pytest.approx(1 / 3)
    assert jain([1, 2, 3]) == pytest.approx(36 / 42)
    assert jain([0, 0]) == 0
