"""The proxy as a process: bytes both ways whole, the end of either side, a reader that stops, a server that is gone."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import asynccontextmanager

import pytest

from tests.leftovers import Leftovers
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.network.conditions import MS, NetworkConditions, parse
from web_terminal_suite.bench.network.dialled import dialled
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.client.address import Address

HARD = NetworkConditions(rtt_ns=6 * MS, jitter_ns=6 * MS, loss=0.02)


@asynccontextmanager
async def server(handle):
    """A server in this process, and its address."""
    serving = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with serving:
        yield Address("127.0.0.1", serving.sockets[0].getsockname()[1], base="/b", token="t")


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"behind the end")
    writer.close()


async def test_bytes_arrive_whole_both_ways_and_behind_the_end_of_one() -> None:
    leftovers = Leftovers()
    data = random.Random(3).randbytes(300_000)
    async with server(echo) as at, dialled(at, at._replace(token="u"), conditions=HARD, seed=5) as (there, other):
        assert (there.base, there.token, other.token) == ("/b", "t", "u")
        assert (there.host, there.port) == (other.host, other.port) != (at.host, at.port)
        reader, writer = await asyncio.open_connection(there.host, there.port)
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(60):
            came = await reader.read(-1)
        writer.close()
    assert hashlib.sha256(came).digest() == hashlib.sha256(data + b"behind the end").digest()
    assert leftovers.pids() == []


async def test_a_round_trip_and_a_handshake_are_never_shorter_than_set() -> None:
    conditions = parse("rtt=60ms").conditions
    async with server(echo) as at, dialled(at, conditions=conditions, seed=1) as (there,):
        began_ns = now_ns()
        reader, writer = await asyncio.open_connection(there.host, there.port)
        for wanted_ms in (120, 60):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert now_ns() - began_ns >= wanted_ms * MS
            began_ns = now_ns()
        writer.close()


async def test_a_client_that_is_gone_is_gone_for_the_server() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(bytes(100_000))
                await writer.drain()
        except ConnectionError as error:
            ended.set_result(type(error).__name__)
        writer.close()

    async with server(until_gone) as at, dialled(at, conditions=HARD, seed=1) as (there,):
        reader, writer = await asyncio.open_connection(there.host, there.port)
        await reader.readexactly(1000)
        writer.transport.abort()
        async with asyncio.timeout(20):
            assert await ended


async def test_a_client_that_does_not_read_makes_the_server_wait() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(65536))
            sent += 65536
            await writer.drain()

    async def settled() -> int:
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)  # until nothing more is taken: there is no event for what does not happen
        return sent

    async with (
        server(flood) as at,
        dialled(at, conditions=parse("rtt=10ms,rate=100Mbit").conditions, seed=1) as (there,),
    ):
        reader, writer = await asyncio.open_connection(there.host, there.port, limit=1 << 16)
        assert await settled() < 24 << 20  # what kernel buffers and the window hold
        await reader.readexactly(1 << 20)
        writer.transport.abort()


async def test_a_server_that_is_gone_hangs_up() -> None:
    async with server(echo) as at:
        pass
    async with dialled(at, conditions=HARD, seed=1) as (there,):
        reader, writer = await asyncio.open_connection(there.host, there.port)
        try:
            assert await reader.read(1) == b""
        except ConnectionError:
            pass  # either way of hanging up
        writer.close()


async def test_an_encrypted_address_is_refused() -> None:
    with pytest.raises(LaunchFailed, match=r"https://example\.org:443/: its certificate is for that name"):
        async with dialled(Address("example.org", 443, secure=True), conditions=HARD, seed=1):
            pass
