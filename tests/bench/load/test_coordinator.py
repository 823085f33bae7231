"""Loads on the real thing, small ones: real client processes, real servers, real shells, and what ends them early."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import psutil
import pytest

from tests.conftest import serving
from web_terminal_suite.bench.load import coordinator
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.backends.local import CLIENT, LocalBackend
from web_terminal_suite.bench.load.collector import Collector
from web_terminal_suite.bench.load.coordinator import LoadRun, conduct
from web_terminal_suite.bench.load.operations import Operations
from web_terminal_suite.bench.load.scenario import LoadStage, Role, Scenario, share
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.processes import children
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

_GUARD_SECONDS = 90


class Watcher:
    """A view that does something once the load has come so far."""

    def __init__(self, doing="playing", act=None):
        self.said = []
        self.shown = []
        self._doing = doing
        self._act = act

    def show(self, now):
        self.shown.append(now)
        if self._act is not None and now.doing == self._doing:
            act, self._act = self._act, None
            act()

    def say(self, text):
        self.said.append(text)


def load_of(*stages, shards=2, seed=7, sources=()) -> LoadRun:
    return LoadRun(scenario=Scenario(stage=stages), seed=seed, shards=shards, sources=sources)


async def conducted(load, terminal, view=None, carrier=None):
    """The ledger of a load; nothing that was started is left."""
    before = children(os.getpid())
    ledger = Collector(load.shards, len(load.scenario.stage))
    over = []
    try:
        async with asyncio.timeout(_GUARD_SECONDS):
            await conduct(load, terminal, carrier or LocalBackend(), ledger, view or Watcher(), over.append)
    finally:
        assert children(os.getpid()) == before
    assert over == [number for number, passed in enumerate(ledger.milestones) if passed.end_ns is not None]
    return ledger


def operations(ledger, kind, stage=0) -> Operations:
    return Operations(ledger.batches.get((stage, kind), ()))


def typing(**fields) -> LoadStage:
    return LoadStage(
        **{"sessions": 10, "ramp": 50, "duration": 2, "typing": 40, "mix": {Role.TYPE: share("50%")}, **fields}
    )


def clients() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [each for each in found if "web_terminal_suite.bench.load.generator_process" in each.cmdline()]


async def test_everybody_comes_does_what_is_asked_and_goes():
    mix = {
        Role.TYPE: share(4), Role.STEADY: share(2), Role.BURSTS: share(1), Role.FLOOD: share(1),
        Role.RECONNECT: share(2), Role.RESIZE: share(2),
    }  # fmt: skip
    busy = typing(
        name="busy", sessions=12, mix=mix, lines=10, burst_lines=5, burst_every=0.3, reconnect_every=1, resize_every=0.5
    )
    # Whoever printed types now: his shell is back at its prompt.
    calm = typing(name="calm", sessions=14, mix={Role.TYPE: share("100%")})
    view = Watcher()
    ledger = await conducted(load_of(busy, calm), WebTerminal(), view)
    assert view.said == []
    assert [passed.up for passed in ledger.milestones] == [12, 14]
    assert (ledger.lost, ledger.deaths, ledger.stayed, ledger.server_death) == ([], [], 0, "")
    counts = {key: len(Operations(batches)) for key, batches in ledger.batches.items()}
    assert counts == {
        (0, "start"): 12,
        (0, "keystroke"): 80,
        (0, "reconnect"): 4,
        (0, "resize"): 8,
        (1, "start"): 2,
        (1, "keystroke"): 80,
    }
    assert ledger.failed() == {}
    assert [passed.silent for passed in ledger.milestones] == [0, 0]
    # Two stages of four and fourteen typists alone would be a few kilobytes.
    assert sum(pulses[-1].heard_bytes for pulses in ledger.pulses) > 1_000_000
    assert ledger.milestones[0].full_pss_bytes > 1_000_000
    assert ledger.empty_pss_bytes > 1_000_000
    assert all(each.cpu_ns > 0 for each in ledger.readings)
    assert view.shown[-1].up == 0
    assert max(now.up for now in view.shown) == 14


async def test_operations_are_due_when_the_schedule_says():
    ledger = await conducted(load_of(typing()), NullServer())
    start, keys = operations(ledger, "start"), operations(ledger, "keystroke")
    begin_ns = ledger.milestones[0].playing_ns
    assert start.due.tolist() == [round(number * 1e9 / 50) for number in range(10)]
    assert keys.due.tolist() == [begin_ns + round(number * 1e9 / 40) for number in range(80)]
    assert begin_ns % 1_000_000_000 == 0
    for found in (start, keys):
        assert (found.due <= found.sent).all()
        assert (found.sent < found.seen).all()
    # Ticks end with the last session.
    assert all(pulses[-1].up == 0 for pulses in ledger.pulses)


async def test_a_client_that_dies_is_lost_with_its_sessions_and_the_others_go_on():
    view = Watcher(act=lambda: clients()[0].kill())
    ledger = await conducted(load_of(typing(duration=4)), WebTerminal(), view)
    (death,) = ledger.deaths
    assert (death.sessions, death.reason) == (5, "ended with -9")
    assert view.said == [f"{death.name} ended with -9; its sessions are lost, the others go on"]
    assert ledger.lost == []
    passed = ledger.milestones[0]
    assert passed.up == 10
    last = operations(ledger, "keystroke").due[-1]
    # The other one typed to the end.
    assert last > passed.playing_ns + 3.5e9
    assert ledger.failed() == {}


async def test_a_client_that_is_silent_is_lost_too(monkeypatch):
    monkeypatch.setattr(coordinator, "_SILENT_SECONDS", 5.0)
    view = Watcher(act=lambda: clients()[0].suspend())
    ledger = await conducted(load_of(typing(duration=8)), NullServer(), view)
    (death,) = ledger.deaths
    assert (death.sessions, death.reason) == (5, "has been silent for 5 s")
    assert ledger.milestones[0].end_ns is not None


async def test_a_server_that_dies_ends_the_load_and_what_was_measured_is_kept():
    view = Watcher()

    def kill():
        (server,) = [each for each in psutil.Process().children() if each not in clients()]
        server.kill()

    view._act = kill
    ledger = await conducted(load_of(typing(duration=30)), WebTerminal(), view)
    assert ledger.server_death.startswith("the server ended with -9")
    assert any(text.startswith("the server ended with -9") for text in view.said)
    assert len(ledger.lost) == 10
    keys = operations(ledger, "keystroke")
    assert 0 < len(keys) < 30 * 40
    assert ledger.milestones[0].end_ns < 25e9


async def test_an_interrupted_load_ends_at_once_and_keeps_what_it_has():
    ledger = Collector(2, 1)
    before = children(os.getpid())
    load = load_of(typing(duration=60))
    task = asyncio.current_task()
    view = Watcher(act=lambda: task.cancel())
    with pytest.raises(asyncio.CancelledError):
        await conduct(load, WebTerminal(), LocalBackend(), ledger, view, lambda _: pytest.fail("not over"))
    task.uncancel()
    assert children(os.getpid()) == before
    assert len(operations(ledger, "start")) == 10
    assert ledger.milestones[0].playing_ns is not None
    assert ledger.milestones[0].played_ns is None
    assert ledger.deaths == []


@asynccontextmanager
async def narrow(*flags):
    with serving(*flags) as server:
        yield RemoteWebTerminal(server.url)


async def test_arrivals_stop_where_nobody_is_let_in_any_more_and_those_who_are_in_go_on():
    async with narrow("--max-sessions", "5", "--max-sessions-per-user", "5") as terminal:
        view = Watcher()
        ledger = await conducted(
            load_of(typing(sessions=400, ramp=100, mix={Role.TYPE: share("100%")})), terminal, view
        )
        passed = ledger.milestones[0]
        assert (passed.up, passed.wanted) == (5, 400)
        assert not passed.stop.ours
        assert "limit" in passed.stop.reason
        starts = operations(ledger, "start")
        assert 20 <= len(starts.noted) < 395
        assert len(starts) - len(starts.noted) == 5
        assert len(operations(ledger, "keystroke")) == 80
        assert ledger.stayed == 0
        # What was begun for those who were not let in is gone as well.
        async with terminal.launch() as running:
            assert await terminal.session_count(running) == 0


async def test_arrivals_stop_before_memory_does(monkeypatch):
    monkeypatch.setattr(coordinator, "LEAST_MEMORY_BYTES", 1 << 60)
    view = Watcher()
    ledger = await conducted(load_of(typing(sessions=60, ramp=10)), NullServer(), view)
    passed = ledger.milestones[0]
    assert passed.stop.ours
    assert "of memory are left, and" in passed.stop.reason
    assert 0 < passed.up < 60
    assert len(operations(ledger, "keystroke")) == 80


async def test_sessions_of_a_server_that_runs_already_are_ended_when_interrupted():
    async with narrow() as terminal:
        ledger = Collector(2, 1)
        task = asyncio.current_task()
        view = Watcher(act=lambda: task.cancel())
        with pytest.raises(asyncio.CancelledError):
            await conduct(load_of(typing(duration=60)), terminal, LocalBackend(), ledger, view, lambda _: None)
        task.uncancel()
        async with terminal.launch() as running:
            assert await terminal.session_count(running) == 0


async def test_clients_dial_from_the_addresses_they_are_given():
    found = set()

    def look():
        (server,) = [each for each in psutil.Process().children() if each not in clients()]
        found.update(each.raddr.ip for each in server.net_connections() if each.raddr)

    sources = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    await conducted(load_of(typing(), sources=sources), NullServer(), Watcher(act=look))
    assert found == set(sources)


async def test_a_client_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(coordinator, "__version__", "0.0.0")
    with pytest.raises(BackendError, match=r"the load is started by 0\.0\.0"):
        await conducted(load_of(typing()), NullServer())


async def test_a_client_ends_when_its_conductor_is_gone():
    async with LocalBackend().carry(1) as (link,):
        pid = link.process.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)
    # Without a word, as when the conductor is killed: its end of the socket closes.
    process = ClientProcess(CLIENT)
    process.socket.close()
    await ended(process)
    assert process.is_over
    assert process.last_words == "ended with 0"
    process.reap()


async def test_a_client_says_how_it_ended():
    async with LocalBackend().carry(1) as (link,):
        os.kill(link.process.pid, signal.SIGKILL)
        assert await link.receive() is None
        async with asyncio.timeout(10):
            while not link.process.is_over:
                await asyncio.sleep(0)
        assert link.last_words == "ended with -9"
