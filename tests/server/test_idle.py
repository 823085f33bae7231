"""Which sessions idle, and which do not: real shells, their jobs and what they print."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http
from web_terminal_suite.client.connection import connect
from web_terminal_suite.server.settings import Settings

IDLE_SECONDS = 1.5


@pytest.fixture(scope="module")
def server():
    with serving("--idle-timeout", str(IDLE_SECONDS)) as each:
        yield each


async def read(server, session: str) -> tuple[int, dict[str, object]]:
    answer = await http(server, "GET", f"/api/v1/sessions/{session}", token=TOKEN)
    return answer.status, answer.json()


async def gone(server, session: str) -> float:
    """Wait until it has expired; when that was."""
    async with asyncio.timeout(30):
        while (await read(server, session))[0] != 410:
            await asyncio.sleep(0.05)
    return time.monotonic()


async def left_with(server, command: str, said: bytes = b"begins") -> str:
    """A session whose viewer typed a command that prints ``begins``, and left."""
    async with connect(server.url) as connection:
        session = (await connection.attach()).session
        connection.command(command)
        await connection.wait_for(said)
    async with asyncio.timeout(30):
        while (await read(server, session))[1]["viewers"]:
            await asyncio.sleep(0.01)  # the host learns a moment later that the viewer has left
    return session


async def test_a_job_in_the_foreground_keeps_a_silent_session_until_it_is_over(server):
    session = await left_with(server, "sh -c 'printf be\"\"gins; exec sleep 4'")
    began = time.monotonic()
    status, found = await read(server, session)
    assert (status, found["busy"], found["idle_seconds"], found["ends_in"]) == (200, True, 0, None)
    assert await gone(server, session) - began >= 4


async def test_output_in_the_background_keeps_a_session(server):
    began = time.monotonic()
    session = await left_with(server, "(for i in 1 2 3 4 5 6 7; do sleep 0.5; echo be''gins; done) &")
    status, found = await read(server, session)
    assert (status, found["busy"]) == (200, False)
    assert 0 < found["ends_in"] <= IDLE_SECONDS == found["idle_timeout"]
    assert await gone(server, session) - began >= 3.5 + IDLE_SECONDS


async def test_a_shell_at_its_prompt_idles_and_the_list_says_until_when(server):
    made = await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")
    session = made.json()["id"]
    listed = (await http(server, "GET", "/api/v1/sessions", token=TOKEN)).json()["sessions"]
    (found,) = [each for each in listed if each["id"] == session]
    assert found["ends_in"] == pytest.approx(IDLE_SECONDS - found["idle_seconds"], abs=0.01)
    await gone(server, session)
    answer = await http(server, "GET", f"/api/v1/sessions/{session}", token=TOKEN)
    assert "had no viewer, no job and no output" in answer.json()["message"]


async def test_a_program_instead_of_a_shell_counts_by_its_output(server):
    body = json.dumps({"shell": "/bin/sh", "args": ["-c", "sleep 60"]}).encode()
    session = (await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=body)).json()["id"]
    assert not (await read(server, session))[1]["busy"]
    await gone(server, session)


async def test_a_session_with_a_viewer_does_not_say_that_it_ends(server):
    async with connect(server.url) as connection:
        session = (await connection.attach()).session
        assert (await read(server, session))[1]["ends_in"] is None
        await connection.close(destroy=True)


async def test_a_viewer_that_takes_no_output_does_not_stop_the_clock_until_it_does_again():
    with serving("--idle-timeout", "600") as server:
        async with connect(server.url, acknowledge=False) as deaf:
            session = (await deaf.attach()).session
            # More than its window: the shell is at its prompt when it is waited for no longer.
            deaf.command("head -c 600000 /dev/zero | tr '\\0' x")
            await deaf.wait_for(b"xxx")
            await until(server, session, lambda found: found["ends_in"] is not None)
            deaf.ack(deaf.offset)
            await until(server, session, lambda found: found["ends_in"] is None)


async def until(server, session: str, condition) -> None:
    async with asyncio.timeout(40):
        while not condition((await read(server, session))[1]):
            await asyncio.sleep(0.05)  # it offers no event


def test_the_default_is_three_days():
    assert Settings().idle_timeout == 3 * 24 * 3600
