"""Processes that are short of memory or descriptors: what is refused names the remedy, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import serving
from tests.server.watching import none_is_left, until_it
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed
from web_terminal_suite.client.rest import rest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Logs for 64 sessions take 4 GiB of addresses then, and everything else a server does far less than the room below.
LARGE_LOGS = ("--log-size", "67108864")
_ROOM_BYTES = 1 << 30


@contextlib.contextmanager
def no_room_for_logs(process: psutil.Process) -> Iterator[None]:
    """A process that cannot map another arena."""
    before = resource.prlimit(process.pid, resource.RLIMIT_AS)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (process.memory_info().vms + _ROOM_BYTES, before[1]))
    yield
    resource.prlimit(process.pid, resource.RLIMIT_AS, before)


async def test_a_host_without_memory_for_logs_refuses_and_leaks_nothing():
    with serving(*LARGE_LOGS) as server:
        async with rest(server.url) as api:
            host = server.host
            with no_room_for_logs(host):
                before = host.num_fds()
                for _ in range(5):
                    answer = await api.request("POST", "/sessions", {})
                    assert (answer.status, answer.json()["code"]) == (503, "no_memory")
                assert host.num_fds() == before
            assert (await api.request("POST", "/sessions", {})).status == 201


async def test_a_worker_without_memory_for_logs_refuses_and_recovers():
    with serving(*LARGE_LOGS) as server:
        (worker,) = server.workers
        async with rest(server.url) as api:
            session = (await api.call("POST", "/sessions", {})).json()["id"]
            before = worker.num_fds()
            with no_room_for_logs(worker):
                for which in (session, None, session):
                    async with connect(server.url, timeout=30) as refused:
                        with pytest.raises(Closed) as closed:
                            await refused.attach(which)
                        assert closed.value.code == 1013
                        assert "no memory left for output logs" in closed.value.reason
                # The session that could not be shown was ended; the one that was there is as it was.
                found = (await api.call("GET", "/sessions")).json()["sessions"]
                assert [(each["id"], each["state"], each["viewers"]) for each in found] == [(session, "running", 0)]

                async def let_go() -> bool:
                    return worker.num_fds() <= before

                await until_it(let_go)
            for which in (session, None):
                async with connect(server.url, timeout=30) as connection:
                    await connection.attach(which)
                    assert (await connection.run("echo here")).output == b"here\r\n"
                    await connection.close(destroy=True)
        await none_is_left(server)


async def test_attaches_that_fail_at_the_same_time_poison_nothing():
    """The first answer brings the memory; those behind it count on that."""
    with serving(*LARGE_LOGS) as server:
        (worker,) = server.workers
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(connect(server.url, timeout=30)) for _ in range(8)]
            with no_room_for_logs(worker):
                for each in connections:
                    each.begin_attach(None)
                for each in connections:
                    with pytest.raises(Closed) as closed:
                        await each.wait_attached(None)
                    assert closed.value.code == 1013
        await none_is_left(server)
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            assert (await connection.run("echo here")).output == b"here\r\n"


async def test_a_host_keeps_descriptors_for_workers_from_shells():
    """A worker that was killed could not be replaced otherwise, and no shell could be reached."""
    with serving() as server:
        async with rest(server.url) as api, connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            await connection.run("mark=here")
            host = server.host
            before = host.rlimit(psutil.RLIMIT_NOFILE)
            host.rlimit(psutil.RLIMIT_NOFILE, (host.num_fds() + 14, before[1]))
            statuses = [(await api.request("POST", "/sessions", {})).status for _ in range(14)]
            assert statuses[0] == 201
            assert statuses[-1] == 503
            for _ in range(3):
                (worker,) = server.workers
                worker.kill()

                async def replaced(dead: int = worker.pid) -> bool:
                    return [each.pid for each in server.workers] not in ([], [dead])

                await until_it(replaced)
        async with connect(server.url, timeout=30) as again:
            await again.attach(session)
            assert (await again.run("echo $mark")).output == b"here\r\n"


async def test_a_worker_near_its_limit_leaves_connections_to_the_others():
    with serving("--workers", "2") as server:
        short = server.workers[0]
        before = short.rlimit(psutil.RLIMIT_NOFILE)
        held = short.num_fds()
        short.rlimit(psutil.RLIMIT_NOFILE, (held + 34, before[1]))
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(80):
                connection = await stack.enter_async_context(connect(server.url, timeout=30))
                await connection.attach()
            assert short.num_fds() < held + 34
            # It is one of two again when it has room.
            short.rlimit(psutil.RLIMIT_NOFILE, before)
            held = short.num_fds()
            async with asyncio.timeout(60):
                while short.num_fds() <= held:
                    await stack.enter_async_context(connect(server.url, timeout=30))


async def test_a_lone_worker_near_its_limit_accepts_as_long_as_it_can():
    """Nobody else would: its clients would wait for an answer that does not come."""
    with serving() as server:
        (worker,) = server.workers
        before = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 20, before[1]))
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                connection = await stack.enter_async_context(connect(server.url, timeout=30))
                await connection.attach()
                assert (await connection.run("echo here")).output == b"here\r\n"
