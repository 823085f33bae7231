"""What somebody without a login may take of a server: little, and they are told where it ends."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import (
    CONTINUATION,
    GUARD_SECONDS,
    PING,
    TEXT,
    Answer,
    framed,
    http,
    read_answer,
    ready,
    upgrade,
    websocket,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import psutil

    from tests.conftest import Serving

MIB = 1 << 20
LOGIN = b"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def hasty() -> Iterator[Serving]:
    """A server with short deadlines, and few strangers of one address."""
    with serving("--request-timeout", "1", "--max-strangers-per-address", "20") as each:
        yield each


@contextlib.asynccontextmanager
async def dialled(server: Serving) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, again: bytes) -> Answer:
    """The answer that ends a flood of up to 100 MiB."""

    async def send() -> None:
        writer.write(first)
        with contextlib.suppress(ConnectionError):
            for _ in range(100 * MIB // len(again)):
                writer.write(again)
                await writer.drain()
                await asyncio.sleep(0)  # drain alone does not let the answer be read

    sending = asyncio.create_task(send())
    try:
        return await read_answer(reader)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def worker_of(server: Serving) -> psutil.Process:
    (worker,) = server.workers
    return worker


@pytest.mark.parametrize(
    ("status", "first", "again"),
    [
        (431, CHUNKED + b"0\r\n", b"X: " + b"t" * 30_000 + b"\r\n"),
        (431, CHUNKED + b"0\r\n", b"X: t\r\n" * 1000),
        (431, CHUNKED + b"1", b";x=" + b"t" * 30_000),
        (431, LOGIN, b"X: " + b"t" * 30_000 + b"\r\n"),
        (431, LOGIN, b"a:b\r\n" * 1000),
        (431, LOGIN + b"X: ", b"t" * 30_000),
        (431, b"G", b"E" * 30_000),
        (413, LOGIN + b"Content-Length: 9437184\r\n\r\n", b"x" * 30_000),
        (413, CHUNKED, b"7530\r\n" + b"x" * 30_000 + b"\r\n"),
        (400, CHUNKED, b"nonsense\r\n" * 3000),
        (400, b"\x16\x03\x01", b"\x02" * 30_000),
    ],
)
async def test_a_request_without_end_is_answered_and_costs_no_memory(server, status, first, again):
    before = worker_of(server).memory_info().rss
    async with dialled(server) as (reader, writer):
        answer = await flood(reader, writer, first, again)
        assert answer.status == status
        assert answer.body
    assert worker_of(server).memory_info().rss - before < 10 * MIB


async def test_very_many_tiny_chunks_are_framing_too(server):
    async with dialled(server) as (reader, writer):
        assert (await flood(reader, writer, CHUNKED, b"1\r\na\r\n" * 1000)).status in (413, 431)


@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n", b"GET / HT", LOGIN, LOGIN + b"Content-Length: 9\r\n\r\n{", CHUNKED, CHUNKED + b"0\r\n"],
)
async def test_a_request_that_does_not_come_whole_in_time_is_answered_with_408(hasty, sent):
    async with dialled(hasty) as (reader, writer):
        writer.write(sent)
        answer = await read_answer(reader)
        assert (answer.status, answer.body) == (408, b"no whole request within 1 s")
        assert await reader.read() == b""


async def test_a_second_request_has_a_deadline_too(hasty):
    async with dialled(hasty) as (reader, writer):
        writer.write(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await read_answer(reader)).status == 200
        writer.write(b"GET /api/v1/hea")
        assert (await read_answer(reader)).status == 408


async def test_one_byte_at_a_time_does_not_move_the_deadline(hasty):
    async with dialled(hasty) as (reader, writer):

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                for byte in LOGIN * 100:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await read_answer(reader)).status == 408
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_strangers_of_one_address_are_limited_and_those_who_logged_in_are_not(hasty):
    async with contextlib.AsyncExitStack() as idle, ready(hasty) as attached:
        for _ in range(25):
            await idle.enter_async_context(dialled(hasty))
        statuses = []
        async with asyncio.timeout(GUARD_SECONDS):
            while 429 not in statuses:
                for _ in range(25):
                    await idle.enter_async_context(dialled(hasty))
                answer = await http(hasty, "GET", "/api/v1/health")
                statuses.append(answer.status)
        assert b"20 connections of 127.0.0.1 have not logged in" in answer.body
        assert answer.header("retry-after") == "1"
        attached.say(type="echo", data="still here")
        assert (await attached.heard("echo"))["data"] == "still here"
    refusals = [line for line in hasty.log if " with 429: " in line]
    assert len(refusals) == 1


async def test_there_is_room_again_when_they_are_gone(hasty):
    async with asyncio.timeout(GUARD_SECONDS):
        while (await http(hasty, "GET", "/api/v1/health")).status != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", framed(PING, b"")),
        (b"", framed(PING, b"p" * 125)),
        (framed(TEXT, b"{", fin=False), framed(CONTINUATION, b"", fin=False)),
        (b"\x81\xff" + (1_000_000).to_bytes(8, "big") + bytes(4), b"x" * 1000),
    ],
    ids=["pings", "long pings", "empty fragments", "half a message"],
)
async def test_frames_before_the_login_are_few(server, first, again):
    before = worker_of(server).memory_info().rss
    async with websocket(server, token=None) as socket:
        assert socket.answer.status == 101

        async def send() -> None:
            with contextlib.suppress(ConnectionError):
                socket.writer.write(first)
                for _ in range(1000):
                    socket.writer.write(again * 100)
                    await socket.writer.drain()

        sending = asyncio.create_task(send())
        code, reason, errors = await socket.closed()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert (code, reason) == (4002, "more than 8192 bytes before authentication")
        assert [error["code"] for error in errors] == ["rate_limit"]
    assert worker_of(server).memory_info().rss - before < 5 * MIB


async def test_a_login_may_be_followed_at_once_by_more_than_a_stranger_may_send(server):
    async with websocket(server, token=None) as socket:
        login = framed(TEXT, b'{"type":"authenticate","token":"%s"}' % TOKEN.encode())
        socket.writer.write(login + framed(TEXT, b'{"type":"echo","data":"%s"}' % (b"x" * 100_000)))
        assert len((await socket.heard("echo"))["data"]) == 100_000


@pytest.mark.parametrize("frame", [framed(PING, b""), framed(CONTINUATION, b"", fin=False)], ids=["ping", "part"])
async def test_all_frames_count_where_they_are_limited(frame):
    with serving("--messages-per-second", "50") as server:
        async with ready(server) as socket:
            socket.send(TEXT, b"{", fin=False)
            socket.writer.write(frame * 200)
            code, reason, _ = await socket.closed()
            assert (code, reason) == (4002, "more than 50 messages a second")


async def test_a_flood_of_a_client_lets_the_loop_turn(server):
    """A health check is answered while a client sends pings as fast as it can."""
    async with dialled(server) as (reader, writer):
        writer.write(upgrade(server))
        assert (await read_answer(reader)).status == 101
        pings = framed(PING, b"") * 10_000

        async def send() -> None:
            while True:
                writer.write(pings)
                await writer.drain()
                await asyncio.sleep(0)

        async def receive() -> None:
            while await reader.read(65536):
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(send()), asyncio.create_task(receive())]
        try:
            for _ in range(10):
                assert (await http(server, "GET", "/api/v1/health")).status == 200
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_refused_client_that_goes_on_sending_can_read_why():
    with serving() as server:
        for _ in range(20):
            async with dialled(server) as (reader, writer):
                writer.write(LOGIN + b"X: " + b"x" * (4 * MIB))
                assert (await read_answer(reader)).status == 431
