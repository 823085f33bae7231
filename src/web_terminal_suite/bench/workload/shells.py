"""Sessions made ready for an operation, and cleaned up after it. None of it is timed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.client.errors import Closed, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.marker import Marker
    from web_terminal_suite.client.rest import Rest

# Requests that are under way at the same time while sessions are created or ended in bulk.
_CONCURRENCY: Final = 16


@dataclass(frozen=True)
class Shell:
    """An attached session whose shell prints ``prompt`` when it waits for a line."""

    connection: ClientConnection
    prompt: bytes

    async def prompted(self) -> None:
        """Return when the shell waits for the next line."""
        await self.connection.wait_for(self.prompt)


@asynccontextmanager
async def ready_shell(context: BenchmarkContext, acknowledge_every: int | None = None) -> AsyncIterator[Shell]:
    """A new session with a POSIX shell at its prompt, destroyed at the end of the block."""
    async with context.running.connect(acknowledge_every=acknowledge_every) as connection:
        await connection.attach()
        try:
            yield Shell(connection, await ready(connection, context))
        finally:
            await destroy(connection)


async def ready(connection: ClientConnection, context: BenchmarkContext) -> bytes:
    """Give the shell a prompt that can be told from anything it echoes; returns it once the shell waits there."""
    return await give_prompt(connection, context.markers.fresh(), posix_shell=context.running.posix_shell)


async def give_prompt(connection: ClientConnection, prompt: Marker, *, posix_shell: bool) -> bytes:
    """As ``ready``, with a given prompt; ``posix_shell`` as ``Running`` has it."""
    line = f"PS1=$({prompt.command})"
    if not posix_shell:
        line = f'exec env -u ENV PS1="$({prompt.command})" /bin/sh'
    connection.input(f"{line}\r".encode())
    await connection.wait_for(prompt.seen)
    return prompt.seen


async def destroy(connection: ClientConnection, timeout: float | None = None) -> None:
    """End the connection's session, unless the connection is gone already; told within ``timeout`` seconds."""
    if connection.closed is None:
        try:
            await connection.close(destroy=True, timeout=timeout)
        except Closed:
            pass  # the server was faster: the session is what had to go


async def destroy_by_id(api: Rest, session: str) -> None:
    """End a session by the API; one that is gone already is not an error."""
    try:
        await api.call("DELETE", f"/sessions/{session}")
    except Refused as error:
        if error.status != 404:
            raise


@asynccontextmanager
async def several(context: BenchmarkContext, count: int, users: bool = False) -> AsyncIterator[list[ClientConnection]]:
    """``count`` connections that may attach; with ``users`` one for each user. Their sessions are left alone."""
    async with AsyncExitStack() as stack:
        connections = []
        for first in range(0, count, _CONCURRENCY):
            batch = range(first, min(first + _CONCURRENCY, count))
            # Entered into the stack one by one, but connecting at the same time.
            opened = [context.running.connect(user if users else 0) for user in batch]
            connections += await asyncio.gather(*(stack.enter_async_context(each) for each in opened))
        yield connections


@asynccontextmanager
async def crowd(context: BenchmarkContext, count: int) -> AsyncIterator[list[str]]:
    """Ids of ``count`` live sessions without a viewer, destroyed at the end of the block."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(context.running.rest()) for _ in range(min(_CONCURRENCY, count))]
        ids: list[str] = []
        try:
            await asyncio.gather(*(_create(api, ids, count) for api in clients))
            yield ids
        finally:
            left = list(ids)
            await asyncio.gather(*(_destroy(api, left) for api in clients))


async def _create(api: Rest, ids: list[str], count: int) -> None:
    wanted = count // _CONCURRENCY + 1
    while len(ids) < count and wanted:
        wanted -= 1
        ids.append((await api.call("POST", "/sessions", {})).json()["id"])


async def _destroy(api: Rest, ids: list[str]) -> None:
    while ids:
        await destroy_by_id(api, ids.pop())


async def destroy_all(connections: Sequence[ClientConnection], timeout: float | None = None) -> None:
    """End the sessions of many connections at once; each told within ``timeout`` seconds."""
    await asyncio.gather(*(destroy(each, timeout) for each in connections))


def can_destroy_by_api(context: BenchmarkContext) -> bool:
    return Capability.DESTROY in context.running.terminal.capabilities
