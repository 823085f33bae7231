"""Sessions that flood in a process of their own: real ones, on real servers; and what is left when they fail."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest
import pytest_asyncio

from tests.bench.operations import context_on, operated, readings
from web_terminal_suite.bench.benchmark import Benchmark, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.plan import Options, make_plan
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import carry_out
from web_terminal_suite.bench.suites.interactive import BENCHMARKS
from web_terminal_suite.bench.terminals.registry import PEERS, choose
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended
from web_terminal_suite.bench.workload.flood import remote
from web_terminal_suite.bench.workload.flood.local import jain
from web_terminal_suite.bench.workload.flood.remote import FloodClientLost, FloodOrder, RemoteFlood, remote_flood
from web_terminal_suite.client.errors import ClientError, Closed, Refused, TimedOut, Unreachable, Violated

TYPING = next(each for each in BENCHMARKS if each.id == "interactive/typing_under_flood")
module = pytest.mark.asyncio(loop_scope="module")
_GUARD_SECONDS = 60
_MUCH_BYTES = 1 << 20
_POLL_SECONDS = 0.01


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running():
    async with WebTerminal().launch() as each:
        yield each


def clients() -> list[int]:
    """Flood clients that this process has."""
    return [each.pid for each in psutil.Process().children() if is_client(each)]


def is_client(process: psutil.Process) -> bool:
    try:
        return remote._CLIENT in process.cmdline()
    except psutil.NoSuchProcess:
        return False  # it ended while we looked


@asynccontextmanager
async def nothing_left(running):
    """After the block there is no client process, and of the terminal what was there before."""
    before = await running.steady_footprint()
    yield
    assert (await running.residue(before, _GUARD_SECONDS))[0] == ""
    assert clients() == []


async def until_grown(neighbours, least_bytes: int = _MUCH_BYTES) -> tuple[remote.FloodReply, remote.FloodReply]:
    """How far they were, and how far they are once every one has had so much more."""
    before = await neighbours.heard()
    async with asyncio.timeout(_GUARD_SECONDS):
        while True:
            now = await neighbours.heard()
            if all(at - then >= least_bytes for at, then in zip(now.offsets, before.offsets, strict=True)):
                return before, now


async def until_flooding() -> None:
    """Return once a `yes` runs below this process."""
    async with asyncio.timeout(_GUARD_SECONDS):
        while "yes" not in names_below():
            await asyncio.sleep(_POLL_SECONDS)  # /proc offers no event for another's child


def names_below() -> set[str]:
    found = set()
    for each in psutil.Process().children(recursive=True):
        try:
            found.add(each.name())
        except psutil.NoSuchProcess:
            continue  # it ended while we looked
    return found


async def flooded_once(running) -> None:
    async with remote_flood(context_on(running), 1) as neighbours, neighbours.flooding():
        await until_grown(neighbours)


@module
async def test_all_flood_inside_the_block_and_nobody_after_it(running):
    async with nothing_left(running), remote_flood(context_on(running), 3) as neighbours:
        (client,) = clients()
        assert os.getsid(client) == client
        for _ in range(2):
            async with neighbours.flooding():
                before, after = await until_grown(neighbours)
            assert len(after.offsets) == 3
            assert after.at_ns > before.at_ns
            assert after.cpu_ns > before.cpu_ns
            # Back at their prompts: not one byte more.
            assert (await neighbours.heard()).offsets == (await neighbours.heard()).offsets


@module
async def test_shares_are_of_the_real_flood(running):
    found = await operated(TYPING, running, "2")
    assert len(found.samples) == 80
    assert readings(found, "flood")[0] > 0
    assert readings(found, "flood client CPU")[0] > 0
    assert 0.5 <= readings(found, "fairness of flooders")[0] <= 1


@module
async def test_a_flooder_that_ends_has_no_more_bytes_and_says_why_at_the_end(running):
    async def flood():
        async with remote_flood(context_on(running), 2) as neighbours, neighbours.flooding():
            before, after = await until_grown(neighbours)
            async with running.rest() as api:
                await api.call("DELETE", f"/sessions/{after.sessions[0]}")
            async with asyncio.timeout(_GUARD_SECONDS):
                while jain(found := shares(before, after)) != 0.5:
                    before, after = after, await neighbours.heard()
            assert found[0] == 0

    async with nothing_left(running):
        with pytest.raises(Closed):
            await flood()


def shares(before: remote.FloodReply, after: remote.FloodReply) -> list[int]:
    return [now - then for now, then in zip(after.offsets, before.offsets, strict=True)]


@pytest.mark.parametrize("name", ["ttyd", "terminado"])
async def test_terminals_of_others_are_flooded_here_and_by_url(name):
    peer = PEERS[name]()
    if peer.missing():
        pytest.skip(peer.missing())
    async with peer.launch() as running:
        found = await operated(TYPING, running, "2")
        assert len(found.samples) == 80
        assert readings(found, "flood")[0] > 0
        (there,) = choose((), [f"{name}={running.addresses[0].websocket('/')}"], running.addresses[0].token, 1)[:1]
        async with nothing_left(running), there.launch() as reached:
            await flooded_once(reached)


async def test_a_server_at_a_url_is_dialled_with_its_token():
    async with WebTerminal().launch() as running:
        address = running.addresses[0]
        (there,) = choose((), [f"http://{address.authority}/"], address.token, 1)[:1]
        async with there.launch() as reached, remote_flood(context_on(reached), 1) as neighbours, neighbours.flooding():
            await until_grown(neighbours)
        (stranger,) = choose((), [f"http://{address.authority}/"], "no-token-of-anybody", 1)[:1]
        lost = replace(reached, terminal=stranger, addresses=(address._replace(token="no-token-of-anybody"),))
        async with nothing_left(running):
            with pytest.raises(ClientError) as met:
                async with remote_flood(context_on(lost), 1):
                    pass
            # What the client process met, as it would have been met here.
            with pytest.raises(type(met.value)) as here:
                async with lost.connect():
                    pass
            assert str(met.value) == str(here.value)


async def test_a_client_process_that_dies_spoils_its_trial_and_nothing_else():
    killed = []

    async def kill():
        await until_flooding()
        killed.extend(clients())
        for each in killed:
            os.kill(each, signal.SIGKILL)

    @asynccontextmanager
    async def dying(context):
        killing = asyncio.create_task(kill())
        try:
            async with TYPING.prepare(context) as operate:
                yield operate
        finally:
            await killing

    @asynccontextmanager
    async def calm(context):
        async def operate():
            assert "yes" not in names_below()
            return sample(now_ns(), now_ns())

        yield operate

    needs = frozenset({Capability.SHELL})
    doomed = Benchmark(
        id="interactive/doomed",
        description="T.",
        limitations="T.",
        prepare=dying,
        needs=needs,
        parameters=("2",),
        one_shot=True,
    )
    others = [
        Benchmark(id=f"interactive/calm{place}", description="T.", limitations="T.", prepare=calm, needs=needs)
        for place in (1, 2)
    ]
    options = Options(sample_size=10, warm_up_seconds=0.0, measurement_seconds=1.0, blocks=1, seed=1)
    trials = []
    await carry_out(
        make_plan([others[0], doomed, others[1]], [WebTerminal()], (), options), trials.append, NoProgress()
    )
    assert len(killed) == 1
    problems = {trial.cell.benchmark: trial.problem for trial in trials}
    assert "flood client ended with -9" in problems.pop("interactive/doomed")
    # Its sessions went with it, though our server keeps those of a lost client.
    assert problems == {"interactive/calm1": "", "interactive/calm2": ""}
    assert clients() == []


async def test_an_error_of_ours_in_the_client_process_is_told():
    process = ClientProcess(remote._CLIENT)
    try:
        reader, writer = await asyncio.open_connection(sock=process.socket)
        with pytest.raises(FloodClientLost, match="flood client failed: UnpicklingError: "):
            await RemoteFlood(process, reader, writer).ask(FloodOrder(b"no pickle", 1))
        writer.close()
        await ended(process)
        assert process.last_words == "ended with 0: _pickle.UnpicklingError: invalid load key, 'n'."
    finally:
        process.reap()


@module
async def test_a_run_that_is_cancelled_leaves_nothing(running):
    flooding = asyncio.Event()

    async def flood():
        async with remote_flood(context_on(running), 2) as neighbours, neighbours.flooding():
            flooding.set()
            await asyncio.Event().wait()

    async with nothing_left(running):
        task = asyncio.create_task(flood())
        async with asyncio.timeout(_GUARD_SECONDS):
            await flooding.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


_PARENT = """
import asyncio, pickle, random, sys
from web_terminal_suite.bench.benchmark import BenchmarkContext
from web_terminal_suite.bench.workload.flood.remote import remote_flood
from web_terminal_suite.client.marker import Markers

async def main():
    context = BenchmarkContext(pickle.loads(sys.stdin.buffer.read()), "", Markers(random.Random(1)))
    async with remote_flood(context, 2) as neighbours, neighbours.flooding():
        print("flooding", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@module
async def test_it_ends_with_whoever_started_it_and_so_do_its_sessions(running):
    before = await running.steady_footprint()
    client = await asyncio.to_thread(orphaned_while_flooding, pickle.dumps(replace(running, process=None)))
    # An orphan is ours to collect (``prctl(2)``, PR_SET_CHILD_SUBREAPER).
    await asyncio.to_thread(client.wait, _GUARD_SECONDS)
    assert (await running.residue(before, _GUARD_SECONDS))[0] == ""


def orphaned_while_flooding(running: bytes) -> psutil.Process:
    """A client process whose parent was killed in the middle of a flood."""
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        try:
            parent.stdin.write(running)
            parent.stdin.close()
            assert parent.stdout.readline() == b"flooding\n"
            (client,) = psutil.Process(parent.pid).children()
            assert is_client(client)
            return client
        finally:
            parent.kill()


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("127.0.0.1:9: connection refused"),
        Refused(403, "forbidden", "no"),
        Closed(1011, "lost"),
        TimedOut("prompt", 2.5),
        Violated("a hole"),
    ],
)
def test_an_error_of_a_client_is_the_same_in_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))
