"""The supervisor executes the installed code in its own process: same children, same sessions, same state."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import Serving, serving
from tests.server.test_hosts import hosts, kill_host
from tests.server.test_input import again
from tests.server.test_lifecycle import facts, until
from tests.server.test_supervisor import Supervised, supervised
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed
from web_terminal_suite.client.rest import rest

if TYPE_CHECKING:
    from pathlib import Path

RUNS = "the supervisor runs the installed code"
IN_HAND_OVER = (
    "import sys\nif 'web_terminal_suite.server.supervisor' in sys.orig_argv and '--hand-over' in sys.orig_argv:"
)


def upgrades(server: Serving) -> int:
    return sum(RUNS in line for line in server.log)


async def upgrade(server: Serving) -> None:
    before = upgrades(server)
    server.process.send_signal(signal.SIGHUP)
    await until(lambda: upgrades(server) > before)


async def test_a_server_whose_supervisor_was_upgraded_does_all_that_it_did(tmp_path: Path):
    mark = tmp_path / "installed"
    (tmp_path / "sitecustomize.py").write_text(f"{IN_HAND_OVER} open({str(mark)!r}, 'a').write('x')")
    with serving("--workers", "2", "--hosts", "2", env={"PYTHONPATH": str(tmp_path)}) as server:
        async with connect(server.url, timeout=30) as viewer, rest(server.url) as api:
            viewed = (await viewer.attach()).session
            await viewer.run("mark=viewed")
            left = (await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "read x; exit 3"]})).json()
            pids = hosts(server)
            await upgrade(server)
            assert mark.read_text() == "x"
            assert hosts(server) == pids
            await again(viewer)
            assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
            assert any("generation 2 is ready" in line for line in server.log)
            victim = server.workers[0]
            victim.kill()
            await until(lambda: len(server.workers) == 2 and victim.pid not in {each.pid for each in server.workers})
            for number in (0, 1):
                await kill_host(server, number)
            await again(viewer)
            assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
        async with rest(server.url) as api:
            os.kill(left["pid"], signal.SIGTERM)  # a child of the supervisor now, which says how it ended
            async with asyncio.timeout(20):
                while (await facts(api, left["id"]))["state"] != "ended":
                    await asyncio.sleep(0.05)
            assert (await facts(api, left["id"]))["signal"] == "SIGTERM"
            assert (await facts(api, viewed))["state"] == "running"


_TOO_NEW = """
import sys
if "web_terminal_suite.server.supervisor" in sys.orig_argv and "--takes-over" in sys.orig_argv:
    import web_terminal_suite.server.supervisor_handover as handover
    handover.ACCEPTED_VERSIONS = (7, 8)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (_TOO_NEW, "the supervisor has a table of version 2, and the installed code takes over from 7, 8"),
        (
            "import sys\nif 'web_terminal_suite.server.supervisor' in sys.orig_argv: sys.modules['msgspec'] = None",
            "the installed code ended with status 1",
        ),
    ],
    ids=["version", "broken"],
)
async def test_code_that_cannot_take_over_is_refused_and_the_supervisor_serves_on(tmp_path, code, reason):
    with serving(env={"PYTHONPATH": str(tmp_path)}) as server:
        (tmp_path / "sitecustomize.py").write_text(code)
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: any("the supervisor stays as it is" in line and reason in line for line in server.log))
        assert any("generation 2 is ready" in line for line in server.log)
        server.workers[0].kill()
        await until(lambda: any("starting another in" in line for line in server.log))
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            assert (await connection.run("echo here")).output == b"here\r\n"


async def test_signals_that_come_during_the_hand_over_are_not_lost(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(f"{IN_HAND_OVER} import time; time.sleep(0.5)")
    with serving(env={"PYTHONPATH": str(tmp_path)}) as server:
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: any("the supervisor hands" in line for line in server.log))
        await until(lambda: "--hand-over" in psutil.Process(server.process.pid).cmdline())
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: sum("the supervisor hands" in line for line in server.log) == 2)
        assert any("generation 3 is ready" in line for line in server.log)
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 30) == 0


async def test_a_drain_goes_on_over_an_upgrade():
    with serving() as server:
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            server.process.send_signal(signal.SIGUSR1)
            await until(lambda: any("draining:" in line for line in server.log))
            await upgrade(server)
            await again(connection)
            async with connect(server.url, timeout=30) as other:
                with pytest.raises(Closed, match="takes no new sessions"):
                    await other.attach()
            connection.command("exit")
            assert await asyncio.to_thread(server.process.wait, 30) == 0


async def test_the_state_directory_stays_held_and_the_next_supervisor_adopts(tmp_path):
    """Processes that are no children of the supervisor are watched over the upgrade as well."""
    with supervised(tmp_path, "--workers", "2") as server:
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
            await viewer.run("mark=viewed")
            server.kill()
            await asyncio.to_thread(server.start)
            server.process.send_signal(signal.SIGHUP)
            await until(lambda: server.logged(RUNS))
            server.look()
            second = Supervised(tmp_path, server.flags)
            with pytest.raises(AssertionError, match="serves with state directory"):
                second.start()
            assert second.process.wait(20) == 1
            (host,) = server.living("server.host")
            host.kill()
            await until(lambda: server.log.read_text().count("PTY host 0 is ready: 1 sessions adopted") == 3)
            server.kill()
            await asyncio.to_thread(server.start)
            await again(viewer)
            assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
            server.look()


async def test_a_supervisor_stays_with_a_host_that_stays(tmp_path):
    """It must understand that host."""
    with serving(env={"PYTHONPATH": str(tmp_path)}) as server:
        (host,) = server.children("server.host")
        # An upgrade needs descriptors.
        used = max(map(int, os.listdir(f"/proc/{host.pid}/fd"))) + 4
        host.rlimit(psutil.RLIMIT_NOFILE, (used, used))
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: any("the supervisor stays as it is" in line and "host 0" in line for line in server.log))
        assert any("PTY host 0 stays as it is: an upgrade needs" in line for line in server.log)
