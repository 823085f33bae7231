"""Many shells of one server, and what became of them: none may be lost, and the service must be back in time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil

from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.client.rest import rest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.chaos.server import ChaosServer

# A service that is not back by then is not coming back.
GIVEN_UP_SECONDS = 90.0
_SOON_SECONDS = 0.05
# One attempt to reach the server.
_TRY_SECONDS = 10.0


class Shell(NamedTuple):
    """A session and its process, with the moment that tells it from another one with the same id."""

    session: str
    pid: int
    started: float


async def until(condition: Callable[[], bool], seconds: float = GIVEN_UP_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(_SOON_SECONDS)


async def lasting(attempt: Callable[[], Awaitable[object]], seconds: float = GIVEN_UP_SECONDS) -> float:
    """Try until it works; how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(ClientError, OSError):
                await attempt()
                return time.monotonic() - began
            await asyncio.sleep(_SOON_SECONDS)


async def make(server: ChaosServer, count: int) -> list[Shell]:
    """Shells that nobody looks at, each with a line in its log and a variable of its own."""
    made = []
    async with rest(server.url, token=TOKEN) as api:
        for _ in range(count):
            told = (await api.call("POST", "/sessions", {})).json()
            made.append(Shell(told["id"], told["pid"], psutil.Process(told["pid"]).create_time()))
    for shell in made:
        async with connect(server.url, token=TOKEN, timeout=_TRY_SECONDS) as connection:
            await connection.attach(shell.session)
            await connection.run(f"mark={shell.session}; echo first line of {shell.session}")
    return made


async def listed(server: ChaosServer) -> dict[str, dict[str, object]]:
    """The sessions that the server knows, as soon as it answers."""
    found: dict[str, dict[str, object]] = {}

    async def ask() -> None:
        found.clear()
        after = ""
        async with rest(server.url, token=TOKEN, timeout=_TRY_SECONDS) as api:
            while True:
                page = (await api.call("GET", f"/sessions?limit=500{after}")).json()
                found.update({each["id"]: each for each in page["sessions"]})
                if not page.get("next"):
                    return
                after = f"&after={page['next']}"

    await lasting(ask)
    return found


async def lost(server: ChaosServer, shells: Sequence[Shell]) -> int:
    """How many of ``shells`` do not run any more, or are not known to the server."""
    known = await listed(server)
    return sum(not (lives(shell) and known.get(shell.session, {}).get("state") == "running") for shell in shells)


def lives(shell: Shell) -> bool:
    try:
        return psutil.Process(shell.pid).create_time() == shell.started
    except psutil.NoSuchProcess:
        return False


async def answers(server: ChaosServer, shell: Shell) -> None:
    """A new viewer of ``shell`` sees its first line, and has its answer."""
    async with connect(server.url, token=TOKEN, timeout=_TRY_SECONDS) as connection:
        await connection.attach(shell.session)
        await connection.wait_for(f"first line of {shell.session}".encode())
        result = await connection.run("echo $mark")
        assert result.output.strip().decode() == shell.session, result.output


async def back(server: ChaosServer, shell: Shell) -> float:
    """How many seconds it takes until ``shell`` answers a new viewer."""
    return await lasting(lambda: answers(server, shell))


def worst(seconds: Sequence[float]) -> str:
    return f"{max(seconds):.2f} s"
