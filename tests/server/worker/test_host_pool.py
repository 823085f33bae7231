"""Several PTY hosts as one: the pages that each gives put together, and a server that has two."""

from __future__ import annotations

import asyncio
import resource

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import serving
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Refused
from web_terminal_suite.client.rest import rest
from web_terminal_suite.server import ipc
from web_terminal_suite.server.worker.host_pool import merged


def info(serial: int, host: int) -> ipc.SessionInfo:
    return ipc.SessionInfo(
        id=f"{serial:08x}{host:x}", name="s", user="u", state="running", pid=1, command=("sh",), cols=80, rows=24,
        offset=0, viewers=0, created=0.0, idle_seconds=0.0,
    )  # fmt: skip


def page(sessions: list[ipc.SessionInfo], limit: int, after: str | None, cut: int) -> ipc.ListReply:
    """What a host answers: at most ``limit``, and fewer where ``cut`` of them fill a packet."""
    behind = [each for each in sessions if after is None or each.id > after]
    shown = behind[: min(limit, cut)]
    next_ = shown[-1].id if len(shown) < len(behind) else None
    return ipc.ListReply(id=0, sessions=tuple(shown), total=len(sessions), next=next_)


@given(
    st.lists(st.sets(st.integers(1, 60), max_size=40), min_size=1, max_size=4), st.integers(1, 20), st.integers(1, 20)
)
def test_page_by_page_every_session_is_shown_once_and_in_order(serials, limit, cut):
    hosts = [[info(serial, number) for serial in sorted(of)] for number, of in enumerate(serials)]
    seen: list[str] = []
    after: str | None = None
    while True:
        made = merged([page(of, limit, after, cut) for of in hosts], limit)
        assert len(made.sessions) <= limit
        assert made.total == sum(map(len, hosts))
        seen += [each.id for each in made.sessions]
        after = made.next
        if after is None:
            break
        assert made.sessions
    assert seen == sorted(each.id for of in hosts for each in of)


@pytest.fixture(scope="module")
def server():
    with serving("--hosts", "2", "--max-sessions", "5", "--workers", "2") as each:
        yield each


async def test_sessions_go_to_both_hosts_and_are_found_again(server):
    assert len(server.children("server.host")) == 2
    async with rest(server.url) as api:
        made = [(await api.call("POST", "/sessions", {})).json()["id"] for _ in range(5)]
        assert {ipc.host_of(id) for id in made} == {0, 1}
        with pytest.raises(Refused, match="limit of 5 sessions is reached"):
            await api.call("POST", "/sessions", {})
        listed = (await api.call("GET", "/sessions?limit=2")).json()
        found = [each["id"] for each in listed["sessions"]]
        while listed["next"] is not None:
            listed = (await api.call("GET", f"/sessions?limit=2&after={listed['next']}")).json()
            found += [each["id"] for each in listed["sessions"]]
        assert found == sorted(made)
        assert listed["total"] == 5
        text = (await api.request("GET", "/metrics")).body.decode()
        assert 'web_terminal_sessions{state="running"} 5.0' in text
        for id in made:
            async with connect(server.url) as connection:
                await connection.attach(id)
                assert (await connection.run("echo here")).output == b"here\r\n"
                await connection.close()
            assert (await api.call("PATCH", f"/sessions/{id}", {"name": id})).json()["name"] == id
            await api.call("DELETE", f"/sessions/{id}")
        with pytest.raises(Refused, match="404"):
            await api.call("GET", "/sessions/none")
        # The places that became free are free in whichever host.
        async with asyncio.TaskGroup() as group:
            again = [group.create_task(api_of(server)) for _ in range(5)]
        for id in (each.result() for each in again):
            await api.call("DELETE", f"/sessions/{id}")


async def api_of(server) -> str:
    async with rest(server.url) as api:
        return (await api.call("POST", "/sessions", {})).json()["id"]


async def test_two_viewers_in_two_workers_see_one_session(server):
    async with connect(server.url) as first:
        await first.attach()
        for _ in range(6):  # whichever worker the kernel gives each to
            async with connect(server.url) as other:
                await other.attach(first.session)
                first.input(b"printf '%s%s' to gether\r")
                await other.wait_for(b"together")
                await first.wait_for(b"together")
                await other.close()
        await first.close(destroy=True)


async def test_a_shell_has_the_limit_of_descriptors_that_the_server_was_started_with():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > 512
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        with serving() as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            async with connect(server.url) as connection:
                await connection.attach()
                # prlimit(2) reaches the shell a moment after it was started, and before anybody typed.
                assert (await connection.run("ulimit -Sn; ulimit -Hn")).output == f"512\r\n{hard}\r\n".encode()
                await connection.close(destroy=True)
            assert server.host.rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
