"""Creating a session that may have been created already: over both wires, in several hosts, and all at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http, websocket
from tests.server.test_hosts import kill_host, until_upgraded
from tests.server.test_workers import reached
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Refused
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.server.ipc import host_of

SESSIONS = "/api/v1/sessions"


@pytest.fixture(scope="module", params=[("1", "1"), ("2", "2")], ids=["one of each", "two of each"])
def server(request):
    workers, hosts = request.param
    with serving("--workers", workers, "--hosts", hosts, "--max-sessions", "20") as each:
        yield each


async def create(server, **spec) -> tuple[int, dict[str, object]]:
    answer = await http(server, "POST", SESSIONS, token=TOKEN, body=json.dumps(spec).encode())
    return answer.status, answer.json()


async def count(server) -> int:
    return (await http(server, "GET", SESSIONS, token=TOKEN)).json()["total"]


async def end(server, session: object) -> None:
    assert (await http(server, "DELETE", f"{SESSIONS}/{session}", token=TOKEN)).status == 204


async def test_asking_again_makes_no_second_session_over_either_wire(server):
    before = await count(server)
    status, made = await create(server, key="rest")
    again = [await create(server, key="rest") for _ in range(4)]
    assert {(code, each["id"], each["pid"]) for code, each in again} == {(status, made["id"], made["pid"])}
    async with connect(server.url) as first, connect(server.url) as second:
        for each in (first, second):
            assert (await each.attach(spec=SessionSpec(key="rest"))).session == made["id"]
        await first.run("mark=$$")
        assert (await second.run('[ "$mark" = $$ ] && echo same')).output == b"same\r\n"
    assert await count(server) == before + 1
    await end(server, made["id"])
    _, other = await create(server, key="rest")
    assert other["id"] != made["id"]
    await end(server, other["id"])


async def test_all_at_once_make_one(server):
    before = await count(server)

    async def attach() -> str:
        async with connect(server.url, timeout=30) as each:
            return (await each.attach(spec=SessionSpec(key="once"))).session

    async def post() -> object:
        return (await create(server, key="once"))[1]["id"]

    (made,) = set(await asyncio.gather(*(attach() for _ in range(10)), *(post() for _ in range(10))))
    assert await count(server) == before + 1
    await end(server, made)


async def test_a_client_that_hung_up_before_the_answer_gets_its_session(server):
    before = await count(server)
    for _ in range(10):
        with contextlib.suppress(asyncio.IncompleteReadError):
            async with websocket(server) as socket:
                await socket.heard("authenticated")
                socket.say(type="attach", spec={"key": "lost"})
                await socket.writer.drain()
    async with connect(server.url) as connection:
        attached = await connection.attach(spec=SessionSpec(key="lost"))
        assert await count(server) == before + 1
        await connection.close(destroy=True)
    assert await count(server) == before
    assert attached.session


async def test_another_session_with_the_same_key_is_refused_and_disturbs_nothing(server):
    _, made = await create(server, key="taken")
    status, problem = await create(server, key="taken", shell="/bin/bash")
    assert (status, problem["code"]) == (409, "key_in_use")
    async with connect(server.url) as connection:
        with pytest.raises(Refused, match="key 'taken' is that of session"):
            await connection.attach(spec=SessionSpec(key="taken", env={"A": "1"}))
        await connection.attach(made["id"])
        assert (await connection.run("echo well")).output == b"well\r\n"
    assert (await create(server, key="x" * 101))[0] == 422
    await end(server, made["id"])


async def test_a_draining_server_still_finds_what_was_made():
    with serving() as server:
        _, made = await create(server, key="mine")
        server.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(20):
            while (await create(server))[0] != 503:
                pass
        status, found = await create(server, key="mine")
        assert (status, found["id"], found["pid"]) == (201, made["id"], made["pid"])


async def test_a_key_outlives_the_death_and_the_upgrade_of_a_host(server):
    _, made = await create(server, key="kept")
    await kill_host(server, host_of(made["id"]))
    assert (await create(server, key="kept"))[1]["pid"] == made["pid"]
    since = len(server.log)
    server.process.send_signal(signal.SIGHUP)
    await until_upgraded(server, since, " leaves")
    async with reached(server):
        assert (await create(server, key="kept"))[1]["pid"] == made["pid"]
    await end(server, made["id"])
