"""What a server does by itself, seen from outside: its sessions come and go, their programs run or wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psutil

from tests.conftest import TOKEN
from tests.server.raw import GUARD_SECONDS, http

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import Serving

# A program that floods writes megabytes while it is looked at so many times.
_LOOKS = 20


async def until_it(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what has no event for us."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not await condition():
            await asyncio.sleep(0.02)


async def sessions(server: Serving) -> list[dict[str, Any]]:
    """Every session the server knows, those that ended lately too."""
    return (await http(server, "GET", "/api/v1/sessions", token=TOKEN)).json()["sessions"]


async def live(server: Serving) -> dict[str, int]:
    """How much each session that lives has printed, by its id."""
    return {each["id"]: each["offset"] for each in await sessions(server) if each["state"] in ("running", "ending")}


async def none_is_left(server: Serving) -> None:
    """Wait until no session lives."""

    async def none() -> bool:
        return not await live(server)

    await until_it(none)


async def blocked(server: Serving, name: str) -> None:
    """Wait until every program of this name sleeps, however often it is looked at."""
    asleep = 0

    async def sleeps() -> bool:
        nonlocal asleep
        found = [each.status() for each in server.host.children(recursive=True) if _name(each) == name]
        asleep = asleep + 1 if found and set(found) == {"sleeping"} else 0
        return asleep >= _LOOKS

    await until_it(sleeps)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""
