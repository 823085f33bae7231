"""Hosts that die in real servers: another one adopts their sessions, and no shell is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import psutil
import pytest

from tests.conftest import Serving, serving
from tests.server.test_lifecycle import come_back, facts, until
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed
from web_terminal_suite.client.rest import rest
from web_terminal_suite.server.ipc import host_of


def hosts(server: Serving) -> dict[int, int]:
    """The process of each host, by its number."""
    return {int(each.cmdline()[3]): each.pid for each in server.children("server.host")}


def adoptions(server: Serving) -> int:
    return sum("sessions adopted" in line and "is ready" in line for line in server.log)


async def kill_host(server: Serving, number: int = 0) -> None:
    """Kill a host, and wait until another one has adopted its sessions."""
    before = adoptions(server)
    os.kill(hosts(server)[number], signal.SIGKILL)
    await until(lambda: adoptions(server) > before)


async def test_the_only_host_dies_and_every_shell_lives():
    """Viewed and not, typed into, ended a while ago: all are where they were, and can be ended."""
    with serving("--workers", "2", "--log-level", "info") as server:
        async with connect(server.url, timeout=30) as viewer, connect(server.url, timeout=30) as gone:
            viewed = (await viewer.attach()).session
            await viewer.run("mark=viewed")
            left = (await gone.attach()).session
            await gone.run("mark=left; echo before the crash")
            gone.abort()
            async with rest(server.url) as api:
                ended = (
                    await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "echo bye; exit 5"]})
                ).json()["id"]
                async with asyncio.timeout(20):
                    while (await facts(api, ended))["state"] != "ended":
                        await asyncio.sleep(0.01)
                pids = {each: (await facts(api, each))["pid"] for each in (viewed, left)}
                await kill_host(server)
                assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
                assert {each: (await facts(api, each))["pid"] for each in (viewed, left)} == pids
                assert (await facts(api, ended))["status"] == 5
                async with connect(server.url, timeout=30) as again:
                    await again.attach(left)
                    await again.wait_for(b"before the crash\r\n")
                    assert (await again.run("echo $mark")).output == b"left\r\n"
                    again.command("exit 7")
                    assert (await again.wait_exit()).status == 7
                made = (await api.call("POST", "/sessions", {})).json()["id"]
                assert made > max(viewed, left, ended)
                assert (await api.request("DELETE", f"/sessions/{made}")).status == 204
                assert (await api.request("DELETE", f"/sessions/{viewed}")).status == 204
                assert (await viewer.wait_exit()).signal == "SIGHUP"
            assert not any(map(psutil.pid_exists, pids.values()))


async def test_one_host_of_two_dies_and_the_other_does_not_notice():
    with serving("--hosts", "2", "--workers", "2") as server:
        async with rest(server.url) as api:
            made = [(await api.call("POST", "/sessions", {})).json()["id"] for _ in range(6)]
            by_host = {number: [each for each in made if host_of(each) == number] for number in (0, 1)}
            pids = {each: (await facts(api, each))["pid"] for each in made}
            other = hosts(server)[0]
            os.kill(other, signal.SIGSTOP)  # what needs it would wait
            try:
                await kill_host(server, 1)
                for each in by_host[1]:
                    assert (await facts(api, each))["pid"] == pids[each]
                    async with connect(server.url, timeout=30) as connection:
                        await connection.attach(each)
                        assert (await connection.run("echo here")).output == b"here\r\n"
            finally:
                os.kill(other, signal.SIGCONT)
            assert hosts(server)[0] == other
            for each in made:
                assert (await api.request("DELETE", f"/sessions/{each}")).status == 204


async def test_viewers_of_floods_in_two_workers_miss_no_byte_while_hosts_die():
    """Pumps and followers go on without a host, and are led again by the next one."""
    lines = 30_000
    with serving("--workers", "2") as server:
        async with contextlib.AsyncExitStack() as stack, rest(server.url) as api:
            connections = [await stack.enter_async_context(connect(server.url, timeout=60)) for _ in range(8)]
            sessions = [(await each.attach()).session for each in connections[:3]]
            for each, session in zip(connections[3:], sessions * 2, strict=False):
                await each.attach(session)
            for each in connections[:3]:
                each.command(f"i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; done; printf '%s%s' al l")
            seen = [asyncio.create_task(each.wait_for(b"all", timeout=120, keep=True)) for each in connections]
            for _ in range(3):
                await kill_host(server)
            expected = b"".join(b"line %d\r\n" % n for n in range(1, lines + 1))
            for each, task in zip(connections, seen, strict=True):
                assert expected in (await task).output
                assert not each.gaps
            assert sum([(await facts(api, each))["viewers"] for each in sessions]) == len(connections)


async def test_a_shell_that_ends_while_there_is_no_host_has_its_status():
    with serving() as server:
        async with connect(server.url, timeout=60) as connection, rest(server.url) as api:
            viewed = (await connection.attach()).session
            left = (await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "read x; exit 9"]})).json()
            await connection.run("true")
            os.kill(hosts(server)[0], signal.SIGKILL)
            os.kill(left["pid"], signal.SIGUSR1)
            connection.command("exit 6")
            assert (await connection.wait_exit()).status == 6
            async with asyncio.timeout(30):
                while (await facts(api, left["id"]))["state"] != "ended":
                    await asyncio.sleep(0.01)
            assert (await facts(api, left["id"]))["signal"] == "SIGUSR1"
            assert (await facts(api, viewed))["status"] == 6


async def test_a_session_that_cannot_be_adopted_ends_with_a_code_of_its_own_and_nothing_of_it_runs_on():
    with serving("--workers", "2") as server:
        async with connect(server.url, timeout=30) as kept, connect(server.url, timeout=30) as viewer:
            await kept.attach()
            await kept.run("mark=kept")
            # The supervisor keeps 128 descriptors for itself.
            psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE, (130, 130))
            session = (await viewer.attach()).session
            await viewer.run("trap '' HUP")
            async with rest(server.url) as api:
                pid = (await facts(api, session))["pid"]
            await until(lambda: any("no descriptor is left to keep more sessions" in line for line in server.log))
            await kill_host(server)
            with pytest.raises(Closed) as closed:
                await viewer.wait_for(b"never", 30)
            assert closed.value.code == 4410
            await until(lambda: not psutil.pid_exists(pid))
            async with rest(server.url) as api:
                answer = await api.request("GET", f"/sessions/{session}")
                assert answer.status == 410
                assert "session_lost" in answer.body.decode()
            assert (await kept.run("echo $mark")).output == b"kept\r\n"


# --- upgrades


async def until_upgraded(server: Serving, since: int, generation: str) -> None:
    await until(lambda: any(generation in line for line in server.log[since:]))


async def test_an_upgrade_keeps_hosts_shells_and_every_byte_of_typists_and_floods():
    """The hosts' processes are the same, with other code; no viewer's output is missing."""
    with serving("--hosts", "2", "--workers", "2") as server:
        async with contextlib.AsyncExitStack() as stack, rest(server.url) as api:
            before = hosts(server)
            left = (await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "read x; exit 3"]})).json()
            typists = [await stack.enter_async_context(connect(server.url, timeout=60)) for _ in range(6)]
            for each in typists:
                await each.attach()
                await each.run("mark=$$")
            seen = [asyncio.create_task(follow(each, b"all")) for each in typists]
            for each in typists:
                each.command("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; printf '%s%s' al l")
            for generation in (2, 3):
                since = len(server.log)
                server.process.send_signal(signal.SIGHUP)
                await until_upgraded(server, since, f"generation {generation} is ready")
                assert adoptions(server) == 2 * (generation - 1)
            expected = b"".join(b"line %d\r\n" % n for n in range(1, 20_001))
            for each, task in zip(typists, seen, strict=True):
                assert expected in await task
                assert not each.gaps
            assert hosts(server) == before
            os.kill(left["pid"], signal.SIGTERM)
            async with asyncio.timeout(20):
                while (await facts(api, left["id"]))["state"] != "ended":
                    await asyncio.sleep(0.01)
            assert (await facts(api, left["id"]))["signal"] == "SIGTERM"


async def follow(connection, end: bytes) -> bytes:
    """All output up to ``end``, over every connection that this takes."""
    data = bytearray()
    while end not in data:
        try:
            data += (await connection.read()).data
        except Closed:
            await come_back(connection)
    return bytes(data)


_TOO_NEW = """
import sys
if "--takes-over" in sys.orig_argv:
    import web_terminal_suite.server.control as control
    control.ACCEPTED_VERSIONS = (7, 8)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (_TOO_NEW, "the hosts have tables of version 4, and the installed code takes over from 7, 8"),
        ("import sys\nif '--takes-over' in sys.orig_argv: sys.modules['msgspec'] = None", "ended with status 1"),
    ],
    ids=["version", "broken"],
)
async def test_code_that_cannot_take_over_is_refused_and_nothing_changes(tmp_path, code, reason):
    with serving(env={"PYTHONPATH": str(tmp_path)}) as server:
        (tmp_path / "sitecustomize.py").write_text(code)
        before = hosts(server), {each.pid for each in server.workers}
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            server.process.send_signal(signal.SIGHUP)
            await until_upgraded(server, 0, "the upgrade was dropped")
            assert any(reason in line and "no shell was touched" in line for line in server.log)
            assert (await connection.run("echo here")).output == b"here\r\n"
        assert (hosts(server), {each.pid for each in server.workers}) == before


async def test_a_host_whose_upgrade_takes_long_is_not_reported_as_silent(tmp_path):
    with serving("--watchdog-timeout", "1", env={"PYTHONPATH": str(tmp_path)}) as server:
        (tmp_path / "sitecustomize.py").write_text(
            "import sys, time\n"
            "if 'web_terminal_suite.server.host.main' in sys.orig_argv and len(sys.orig_argv) == 7: time.sleep(3)"
        )
        server.process.send_signal(signal.SIGHUP)
        await until_upgraded(server, 0, "generation 2 is ready")
        assert adoptions(server) == 1
        assert not any("has not answered" in line for line in server.log)


async def test_a_host_that_dies_in_its_upgrade_is_replaced_and_loses_nothing(tmp_path):
    """The code says that it takes over, and does not."""
    with serving(env={"PYTHONPATH": str(tmp_path)}) as server:
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            await connection.run("mark=here")
            first = hosts(server)[0]
            (tmp_path / "sitecustomize.py").write_text(
                "import os, sys\n"
                "if 'web_terminal_suite.server.host.main' in sys.orig_argv and len(sys.orig_argv) == 7: os._exit(9)"
            )
            server.process.send_signal(signal.SIGHUP)
            await until(lambda: adoptions(server) == 1)
            assert hosts(server)[0] != first
            await connection.reconnect()
            assert (await connection.run("echo $mark")).output == b"here\r\n"
