"""Small loads with real load generators, servers and shells, and everything that can end one early."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.conftest import serving
from tests.leftovers import no_process_left
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.backends.local import GENERATOR_MODULE, LocalBackend
from web_terminal_suite.bench.load.collector import Collector
from web_terminal_suite.bench.load.coordinator import CoordinatorOptions, run_load
from web_terminal_suite.bench.load.live_stats import LoadPhase
from web_terminal_suite.bench.load.operations import Operations
from web_terminal_suite.bench.load.plan import LoadConfig
from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, parse_share
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

_GUARD_SECONDS = 90


class Watcher:
    """A view that keeps what it is given, and acts once when the load is in a phase."""

    def __init__(self, phase=LoadPhase.RUNNING, act=None):
        self.said = []
        self.shown = []
        self._phase = phase
        self._act = act

    def show(self, snapshot):
        self.shown.append(snapshot)
        if self._act is not None and snapshot.phase == self._phase:
            act, self._act = self._act, None
            act()

    def say(self, text):
        self.said.append(text)


def load_of(*stages, generators=2, seed=7, sources=()) -> LoadConfig:
    return LoadConfig(scenario=Scenario(stage=stages), seed=seed, generators=generators, sources=sources)


async def collected(config, terminal, view=None, backend=None, **options):
    """The collector of a load that was run to its end and has left no process behind."""
    collector = Collector(config.generators, len(config.scenario.stage))
    over = []
    with no_process_left():
        async with asyncio.timeout(_GUARD_SECONDS):
            await run_load(
                config, terminal, backend or LocalBackend(), collector, view or Watcher(), over.append,
                CoordinatorOptions(**options),
            )  # fmt: skip
    assert over == [number for number, progress in enumerate(collector.stages) if progress.end_ns is not None]
    return collector


def operations(collector, kind, stage=0) -> Operations:
    return Operations(collector.batches.get((stage, kind), ()))


def failed_operations(collector) -> list[str]:
    return [reason for batches in collector.batches.values() for batch in batches for _, _, reason in batch.failures]


def typing(**fields) -> LoadStage:
    return LoadStage(
        **{"sessions": 10, "ramp": 50, "duration": 2, "typing": 40, "mix": {Role.TYPE: parse_share("50%")}, **fields}
    )


def clients() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [each for each in found if "web_terminal_suite.bench.load.generator_process" in each.cmdline()]


async def test_every_session_starts_plays_its_role_and_ends():
    mix = {
        Role.TYPE: parse_share(4), Role.STEADY: parse_share(2), Role.BURSTS: parse_share(1), Role.FLOOD: parse_share(1),
        Role.RECONNECT: parse_share(2), Role.RESIZE: parse_share(2),
    }  # fmt: skip
    busy = typing(
        name="busy", sessions=12, mix=mix, lines=10, burst_lines=5, burst_every=0.3, reconnect_every=1, resize_every=0.5
    )
    # All sessions type now, so those that printed must be back at their prompts.
    calm = typing(name="calm", sessions=14, mix={Role.TYPE: parse_share("100%")})
    view = Watcher()
    collector = await collected(load_of(busy, calm), WebTerminal(), view)
    assert view.said == []
    assert [progress.up for progress in collector.stages] == [12, 14]
    assert (collector.lost, collector.failures, collector.not_ended, collector.server_failure) == ([], [], 0, "")
    counts = {key: len(Operations(batches)) for key, batches in collector.batches.items()}
    assert counts == {
        (0, "start"): 12,
        (0, "keystroke"): 80,
        (0, "reconnect"): 4,
        (0, "resize"): 8,
        (1, "start"): 2,
        (1, "keystroke"): 80,
    }
    assert failed_operations(collector) == []
    assert [progress.silent for progress in collector.stages] == [0, 0]
    # Two stages of four and fourteen typists alone would be a few kilobytes.
    assert sum(heartbeats[-1].received_bytes for heartbeats in collector.heartbeats) > 1_000_000
    assert collector.stages[0].full_pss_bytes > 1_000_000
    assert collector.empty_pss_bytes > 1_000_000
    assert all(each.cpu_ns > 0 for each in collector.server_samples)
    assert view.shown[-1].up == 0
    assert max(each.up for each in view.shown) == 14


async def test_operations_are_due_when_the_schedule_says():
    collector = await collected(load_of(typing()), NullServer())
    start, keys = operations(collector, "start"), operations(collector, "keystroke")
    begin_ns = collector.stages[0].plateau_start_ns
    assert start.due.tolist() == [round(number * 1e9 / 50) for number in range(10)]
    assert keys.due.tolist() == [begin_ns + round(number * 1e9 / 40) for number in range(80)]
    assert begin_ns % 1_000_000_000 == 0
    for found in (start, keys):
        assert (found.due <= found.sent).all()
        assert (found.sent < found.seen).all()
    # The last heartbeat is sent when all sessions have ended.
    assert all(heartbeats[-1].up == 0 for heartbeats in collector.heartbeats)


async def test_a_generator_that_dies_is_lost_with_its_sessions_and_the_others_continue():
    view = Watcher(act=lambda: clients()[0].kill())
    collector = await collected(load_of(typing(duration=4)), WebTerminal(), view)
    (failure,) = collector.failures
    assert (failure.sessions, failure.reason) == (5, "ended with -9")
    assert view.said == [f"{failure.name} ended with -9; its sessions are lost, the others continue"]
    assert collector.lost == []
    progress = collector.stages[0]
    assert progress.up == 10
    last = operations(collector, "keystroke").due[-1]
    # The other generator typed to the end.
    assert last > progress.plateau_start_ns + 3.5e9
    assert failed_operations(collector) == []


async def test_a_generator_without_heartbeats_is_lost_too():
    view = Watcher(act=lambda: clients()[0].suspend())
    collector = await collected(load_of(typing(duration=8)), NullServer(), view, heartbeat_timeout_seconds=5.0)
    (failure,) = collector.failures
    assert (failure.sessions, failure.reason) == (5, "has been silent for 5 s")
    assert collector.stages[0].end_ns is not None


async def test_a_server_that_dies_ends_the_load_and_what_was_measured_is_kept():
    view = Watcher()

    def kill():
        (server,) = [each for each in psutil.Process().children() if each not in clients()]
        server.kill()

    view._act = kill
    collector = await collected(load_of(typing(duration=30)), WebTerminal(), view)
    assert collector.server_failure.startswith("the server ended with -9")
    assert any(text.startswith("the server ended with -9") for text in view.said)
    assert len(collector.lost) == 10
    keys = operations(collector, "keystroke")
    assert 0 < len(keys) < 30 * 40
    assert collector.stages[0].end_ns < 25e9


async def test_an_interrupted_load_ends_at_once_and_keeps_what_it_has():
    collector = Collector(2, 1)
    load = load_of(typing(duration=60))
    task = asyncio.current_task()
    view = Watcher(act=lambda: task.cancel())
    with no_process_left(), pytest.raises(asyncio.CancelledError):
        await run_load(load, WebTerminal(), LocalBackend(), collector, view, lambda _: pytest.fail("not over"))
    task.uncancel()
    assert len(operations(collector, "start")) == 10
    assert collector.stages[0].plateau_start_ns is not None
    assert collector.stages[0].plateau_end_ns is None
    assert collector.failures == []


@asynccontextmanager
async def narrow(*flags):
    with serving(*flags) as server:
        yield RemoteWebTerminal(server.url)


async def test_arrivals_stop_at_the_servers_limit_and_sessions_that_are_up_continue():
    async with narrow("--max-sessions", "5", "--max-sessions-per-user", "5") as terminal:
        view = Watcher()
        collector = await collected(
            load_of(typing(sessions=400, ramp=100, mix={Role.TYPE: parse_share("100%")})), terminal, view
        )
        progress = collector.stages[0]
        assert (progress.up, progress.planned) == (5, 400)
        assert not progress.stop.ours
        assert "limit" in progress.stop.reason
        starts = operations(collector, "start")
        assert 20 <= len(starts.failures) < 395
        assert len(starts) - len(starts.failures) == 5
        assert len(operations(collector, "keystroke")) == 80
        assert collector.not_ended == 0
        # Nothing is left of the starts that failed.
        async with terminal.launch() as running:
            assert await terminal.session_count(running) == 0


async def test_arrivals_stop_before_memory_runs_out():
    config = load_of(typing(sessions=60, ramp=10))
    collector = await collected(config, NullServer(), min_available_memory_bytes=1 << 60)
    progress = collector.stages[0]
    assert progress.stop.ours
    assert "of memory are available, and" in progress.stop.reason
    assert 0 < progress.up < 60
    assert len(operations(collector, "keystroke")) == 80


async def test_sessions_of_a_server_that_runs_already_are_ended_when_interrupted():
    async with narrow() as terminal:
        collector = Collector(2, 1)
        task = asyncio.current_task()
        view = Watcher(act=lambda: task.cancel())
        with pytest.raises(asyncio.CancelledError):
            await run_load(load_of(typing(duration=60)), terminal, LocalBackend(), collector, view, lambda _: None)
        task.uncancel()
        async with terminal.launch() as running:
            assert await terminal.session_count(running) == 0


async def test_generators_connect_from_the_given_addresses():
    found = set()

    def look():
        (server,) = [each for each in psutil.Process().children() if each not in clients()]
        found.update(each.raddr.ip for each in server.net_connections() if each.raddr)

    sources = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    await collected(load_of(typing(), sources=sources), NullServer(), Watcher(act=look))
    assert found == set(sources)


async def test_a_generator_of_another_version_is_refused():
    with pytest.raises(BackendError, match=r"the load is started by 0\.0\.0"):
        await collected(load_of(typing()), NullServer(), version="0.0.0")


async def test_a_generator_ends_when_its_coordinator_is_gone():
    async with LocalBackend().start(1) as (channel,):
        pid = channel.process.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)
    # As when the coordinator is killed: its end of the socket closes.
    process = ClientProcess(GENERATOR_MODULE)
    process.socket.close()
    await ended(process)
    assert process.is_over
    assert process.last_words == "ended with 0"
    process.reap()


async def test_a_channel_says_how_its_generator_ended():
    async with LocalBackend().start(1) as (channel,):
        os.kill(channel.process.pid, signal.SIGKILL)
        assert await channel.receive() is None
        async with asyncio.timeout(10):
            while not channel.process.is_over:
                await asyncio.sleep(0)
        assert channel.exit_reason == "ended with -9"
