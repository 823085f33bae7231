"""A server that is drained: no new sessions, old ones live on, everybody is told, and it ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import subprocess
import sys

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http, websocket
from tests.server.test_health import logged, until_health
from tests.server.test_hosts import kill_host
from tests.server.test_workers import reached
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed
from web_terminal_suite.server.drain import ASK_SECONDS, Drain

END_SECONDS = 30


def drain(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", "drain", *words], capture_output=True, text=True, timeout=60
    )


async def ended(process: subprocess.Popen[str]) -> int:
    return await asyncio.to_thread(process.wait, END_SECONDS)


# --- when it is over


def test_it_is_over_when_every_host_has_said_that_nothing_is_left():
    drained = Drain(0, 2, 100.0)
    drained.heard(0, 0)
    assert (drained.sessions, drained.is_over(1e9)) == (None, False)
    drained.heard(1, 2)
    assert (drained.sessions, drained.is_over(1e9)) == (2, False)
    drained.heard(1, 0)
    assert drained.is_over(100.0)


def test_it_is_over_at_its_deadline_whatever_is_left_or_silent():
    drained = Drain(60.0, 2, 100.0)
    drained.heard(0, 5)
    assert not drained.is_over(159.9)
    assert drained.is_over(160.0)
    assert Drain(0, 1, 100.0).ends_at == math.inf


def test_hosts_are_asked_now_and_then():
    drained = Drain(0, 1, 100.0)
    assert [now for now in range(100, 104) if drained.should_ask(float(now))] == [100, 101, 102, 103]
    assert not drained.should_ask(103.0)
    assert drained.wake_at() == 103.0 + ASK_SECONDS


# --- real servers


@pytest.mark.parametrize("hosts", [1, 2])
async def test_old_sessions_live_on_new_ones_are_refused_and_it_ends_with_the_last(hosts):
    with serving("--workers", "2", "--hosts", str(hosts)) as server:
        async with connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            other = (await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")).json()["id"]
            said = drain(str(server.process.pid))
            assert (said.returncode, said.stdout) == (0, "")
            found = await until_health(server, "draining")
            assert "the server ends with the last one, in 3600 s at the latest" in found["reasons"][0]
            assert (await http(server, "GET", "/api/v1/health")).status == 503
            assert (await http(server, "GET", "/api/v1/health/live")).status == 200
            # A viewer that is there is told, and so is one that comes.
            assert (await connection.run("echo well")).output == b"well\r\n"
            assert connection.status.draining
            assert 3500 < connection.status.ends_in <= 3600
            async with connect(server.url, timeout=30) as second:
                await second.attach(session)
                assert second.status.draining
                assert (await second.run("echo still")).output == b"still\r\n"
            # New sessions are refused, over every wire.
            refused = await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")
            assert (refused.status, refused.json()["code"]) == (503, "draining")
            with pytest.raises(Closed, match="takes no new sessions") as closed:
                async with connect(server.url, timeout=30) as third:
                    await third.attach()
            assert closed.value.code == 4503
            # Workers may still be replaced and upgraded.
            server.process.send_signal(signal.SIGHUP)
            await logged(server, "generation 2 is ready")
            async with reached(server, session) as fourth:
                assert fourth.status.draining
                assert server.process.poll() is None
                await fourth.close(destroy=True)
            assert server.process.poll() is None
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # it may end before it has answered
                await http(server, "DELETE", f"/api/v1/sessions/{other}", token=TOKEN)
            assert await ended(server.process) == 0
        await logged(server, "drained: no session is left")


async def test_it_ends_at_the_deadline_though_sessions_are_left():
    with serving("--drain-deadline", "1.5") as server:
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            server.process.send_signal(signal.SIGUSR1)
            server.process.send_signal(signal.SIGUSR1)  # again changes nothing
            with pytest.raises(Closed) as closed:
                await connection.wait_exit()
            assert closed.value.code == 1001
            assert await ended(server.process) == 0
        await logged(server, "the deadline is reached, 1 are ended")


async def test_a_drain_outlives_the_death_and_the_upgrade_of_a_host():
    async def refuses(server) -> None:
        refused = await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")
        assert (refused.status, refused.json()["code"]) == (503, "draining")

    with serving() as server:
        async with connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            server.process.send_signal(signal.SIGUSR1)
            await until_health(server, "draining")
            await kill_host(server)
            await refuses(server)
            server.process.send_signal(signal.SIGHUP)
            await logged(server, "generation 2 is ready")
            async with reached(server) as other:
                await refuses(server)
                await other.attach(session)
                assert (await other.run("echo still")).output == b"still\r\n"
                assert server.process.poll() is None
                await other.close(destroy=True)
            assert await ended(server.process) == 0
        await logged(server, "drained: no session is left")


async def test_without_a_deadline_the_end_is_open():
    with serving("--drain-deadline", "0") as server:
        async with websocket(server) as socket:
            await socket.heard("authenticated")
            server.process.send_signal(signal.SIGUSR1)
            assert await ended(server.process) == 0  # there was no session at all
            status = await socket.heard("connection_status")
            assert status["draining"] is True
            assert "ends_in" not in status


async def test_a_server_that_hangs_ends_at_the_deadline_too():
    with serving("--drain-deadline", "1", "--kill-after", "0") as server:
        server.host.suspend()
        server.process.send_signal(signal.SIGUSR1)
        assert await ended(server.process) == 0


def test_the_command_waits_for_the_end():
    with serving() as server:
        said = drain("--wait", str(server.process.pid))
        assert said.returncode == 0
        assert server.process.wait(1) == 0


def test_the_command_signals_servers_only():
    with serving() as server:
        worker, host = server.workers[0].pid, server.host.pid
        for pid in (worker, host, 1):
            said = drain(str(pid))
            assert said.returncode == 1
            assert "is no server" in said.stderr
        assert {worker, host} == {server.workers[0].pid, server.host.pid}
    said = drain(str(server.process.pid))
    assert said.returncode == 1
    assert "no such process" in said.stderr


def test_a_server_of_an_older_version_is_not_killed_by_the_signal_it_does_not_know():
    """SIGUSR1 ends a process that does not handle it."""
    code = "import sys, signal; print('ready', flush=True); signal.pause()"
    command = [sys.executable, "-c", code, "web_terminal_suite.server.supervisor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        said = drain(str(process.pid))
        assert said.returncode == 1
        assert "older version" in said.stderr
        assert process.poll() is None
        process.kill()
