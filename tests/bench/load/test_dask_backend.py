"""The same loads over a real Dask cluster of several worker processes, and what goes wrong with one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from tests.bench.load.test_coordinator import Watcher, collected, failed_operations, load_of, operations, typing
from tests.bench.load.test_load_cli import QUICK, asked
from tests.bench.test_extensions import LOAD
from web_terminal_suite.bench import record
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal

cluster = pytest.importorskip(
    "web_terminal_suite.bench.load.backends.dask", reason="distributed is not installed; pip install --group dev"
)

# One cluster is enough.
pytestmark = pytest.mark.xdist_group("cluster")

_START_SECONDS = 60
# In a process of its own: what a cluster does with threads, signals and warnings is its own affair.
_CLUSTER = """
import signal
from distributed import LocalCluster

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, *(nanny.pid for nanny in cluster.workers.values()), flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
"""


@contextmanager
def running_cluster(directory):
    """A scheduler with three workers: its address and the workers' pids."""
    script = directory / "cluster.py"
    script.write_text(_CLUSTER)
    with (directory / "said").open("wb") as said:
        process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=said, cwd=directory)
        tree = []
        try:
            line = process.stdout.readline().decode().split()
            assert line, (directory / "said").read_text()
            yield line[0], [int(pid) for pid in line[1:]]
            tree = psutil.Process(process.pid).children(recursive=True)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_START_SECONDS)
            process.stdout.close()
            _, left = psutil.wait_procs(tree, timeout=20)
            for each in left:
                each.kill()
            psutil.wait_procs(left, timeout=20)
    assert left == []


@pytest.fixture(scope="module")
def cluster_of_three(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def clients_below(pids):
    return [
        each
        for pid in pids
        for each in psutil.Process(pid).children(recursive=True)
        if "web_terminal_suite.bench.load.generator_process" in each.cmdline()
    ]


async def test_generators_run_on_workers_and_their_samples_are_one_schedule(cluster_of_three):
    address, pids = cluster_of_three
    seen = []
    view = Watcher(act=lambda: seen.extend(clients_below(pids)))
    backend = cluster.DaskBackend(address)
    assert await backend.count() == 3
    collector = await collected(load_of(typing(sessions=12), generators=3), WebTerminal(), view, backend)
    assert len(seen) == 3
    assert view.said == []
    assert (collector.failures, collector.lost, collector.not_ended) == ([], [], 0)
    assert collector.stages[0].up == 12
    keys = operations(collector, "keystroke")
    begin_ns = collector.stages[0].plateau_start_ns
    assert keys.due.tolist() == [begin_ns + round(number * 1e9 / 40) for number in range(80)]
    assert failed_operations(collector) == []
    assert 0 < collector.clock_error_ns < 5e9
    await gone(seen)


async def gone(processes):
    async with asyncio.timeout(30):
        while any(each.is_running() for each in processes):
            await asyncio.sleep(0.05)  # /proc offers no event for another's child


def test_the_command_takes_a_scheduler(cluster_of_three, tmp_path):
    address, _ = cluster_of_three
    words = ("--terminal", "null-server", "--sessions", "9", *QUICK, "--expect", "errors<=0", "--json", "run.json")
    ran = asked("load", "--scheduler", address, *words, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = record.load(tmp_path / "run.json")
    # One on each worker by default.
    assert run.options["clients"] == 3
    assert sum(len(trial.samples) for trial in run.trials if trial.cell.benchmark == "load/keystroke") == 180
    ran = asked("load", "--scheduler", address, "--clients", "7", cwd=tmp_path)
    assert (ran.returncode, "has 3 workers and 7 clients are requested" in ran.stderr) == (2, True)


def test_a_behaviour_of_a_file_is_played_on_the_workers(cluster_of_three, tmp_path):
    address, _ = cluster_of_three
    (tmp_path / "my_load.py").write_text(LOAD)
    words = ("--sessions", "6", "--duration", "2", "--typing", "0", "--extension", "my_load.py", "--mix", "look=100%")
    ran = asked("load", "--scheduler", address, *words, "--noplot", "--json", "run.json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = record.load(tmp_path / "run.json")
    assert sum(len(trial.samples) for trial in run.trials if trial.cell.benchmark == "load/look") == 6


async def test_a_lost_worker_is_lost_with_its_sessions_and_the_others_continue(tmp_path):
    with running_cluster(tmp_path) as (address, pids):
        view = Watcher(act=lambda: os.kill(pids[1], signal.SIGKILL))
        collector = await collected(
            load_of(typing(sessions=12, duration=6), generators=3), NullServer(), view, cluster.DaskBackend(address)
        )
        (failure,) = collector.failures
        assert failure.sessions == 4
        assert "left the cluster" in failure.reason
        assert len(view.said) == 1
        progress = collector.stages[0]
        assert progress.up == 12
        assert operations(collector, "keystroke").due[-1] > progress.plateau_start_ns + 5e9


async def test_more_clients_than_workers_are_refused(cluster_of_three):
    backend = cluster.DaskBackend(cluster_of_three[0])
    with pytest.raises(BackendError, match="has 3 workers and 4 clients are requested"):
        await collected(load_of(typing(), generators=4), NullServer(), backend=backend)


async def test_an_interrupted_load_leaves_nothing_on_the_workers(cluster_of_three):
    address, pids = cluster_of_three
    seen = []
    task = asyncio.current_task()

    def interrupt():
        seen.extend(clients_below(pids))
        task.cancel()

    load = load_of(typing(duration=60), generators=3)
    with pytest.raises(asyncio.CancelledError):
        await collected(load, NullServer(), Watcher(act=interrupt), cluster.DaskBackend(address))
    task.uncancel()
    assert len(seen) == 3
    await gone(seen)


async def test_a_worker_without_a_coordinator_ends_its_generator(cluster_of_three):
    address, pids = cluster_of_three
    import distributed

    async with distributed.Client(address, asynchronous=True) as client:
        task = client.submit(cluster.run_generator, "nobody", 0, idle_timeout=2.0, pure=False)
        async with asyncio.timeout(30):
            while not clients_below(pids):
                await asyncio.sleep(0.05)  # as above
        await gone(clients_below(pids))
        await task.cancel()


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("nowhere", "'nowhere' is not an address of a Dask scheduler; write it as tcp://host:8786"),
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1; start one with dask scheduler"),
    ],
)
async def test_a_scheduler_that_is_not_there_is_one_clear_error(address, complaint):
    with pytest.raises(BackendError, match=complaint):
        await cluster.DaskBackend(address).count()


async def test_another_server_is_not_taken_for_a_scheduler():
    async def speak_http(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak_http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BackendError, match=f"at tcp://127.0.0.1:{port}"):
            await cluster.DaskBackend(f"tcp://127.0.0.1:{port}").count()


async def test_a_server_on_loopback_is_out_of_reach_of_another_machine(cluster_of_three, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: f"not-{socket.gethostname()}")
    with pytest.raises(BackendError, match="on another machine"):
        await collected(load_of(typing(), generators=2), NullServer(), backend=cluster.DaskBackend(cluster_of_three[0]))
