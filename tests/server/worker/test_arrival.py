"""What a new connection is taken for by its first bytes, and that it makes no difference how they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import GUARD_SECONDS, TEXT, Socket, framed, http, read_answer, upgrade
from tests.server.test_lifecycle import until
from web_terminal_suite.server.worker.request_head import HEAD_END, parse_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Serving

UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def asks_for_websocket(data: bytes) -> bool:
    """What an arrival does with the bytes up to the end of the first head."""
    head, end, _ = data.partition(HEAD_END)
    return bool(end) and parse_head(head + b"\r\n").wants_websocket


@pytest.mark.parametrize(
    "head",
    [
        UPGRADE,
        UPGRADE + b"\x81\x80abcd",
        UPGRADE.replace(b"Upgrade: websocket", b"UPGRADE:\tWebSocket "),
        UPGRADE.replace(b"Connection: Upgrade", b"connection:keep-alive, Upgrade"),
    ],
)
def test_an_upgrade_is_known_by_its_two_headers(head):
    assert asks_for_websocket(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        UPGRADE[:-1],
        UPGRADE.replace(b"GET", b"POST"),
        UPGRADE.replace(b"websocket", b"h2c"),
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        UPGRADE.replace(b"Upgrade: websocket", b"X-Upgrade: websocket"),
        b"GET /ws?Upgrade:websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + UPGRADE,
    ],
)
def test_whatever_else_arrives_is_http(head):
    assert not asks_for_websocket(head)


@contextlib.asynccontextmanager
async def dialled(server: Serving) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            yield reader, writer
    finally:
        writer.transport.abort()


def waiting_bytes(server: Serving, port: int) -> int:
    """What the server has not read of the connection from ``port`` (proc_net_tcp); 1 where it is not yet there."""
    ends = f":{server.port:04X}", f":{port:04X}"
    for row in map(str.split, Path("/proc/net/tcp").read_text().splitlines()):
        if (row[1][-5:], row[2][-5:]) == ends:
            return int(row[4].partition(":")[2], 16)
    return 1


async def taken(server: Serving, writer: asyncio.StreamWriter) -> None:
    """The server has read whatever was sent."""
    while waiting_bytes(server, writer.get_extra_info("sockname")[1]):
        await asyncio.sleep(0.001)


async def works(socket: Socket) -> None:
    await socket.heard("authenticated")
    socket.say(type="echo", data="here")
    assert (await socket.heard("echo"))["data"] == "here"


@pytest.mark.parametrize("cuts", [(1,), (20,), (-2,), (3, 30, 100)])
async def test_an_upgrade_in_pieces_is_one_too(server, cuts):
    head = upgrade(server)
    edges = [0, *(cut % len(head) for cut in cuts), len(head)]
    async with dialled(server) as (reader, writer):
        for begin, end in pairwise(edges):
            writer.write(head[begin:end])
            await taken(server, writer)
        await works(Socket(reader, writer, await read_answer(reader)))


async def test_an_upgrade_may_follow_a_request(server):
    request = f"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    async with dialled(server) as (reader, writer):
        writer.write(request.encode())
        assert (await read_answer(reader)).status == 200
        writer.write(upgrade(server))
        await works(Socket(reader, writer, await read_answer(reader)))


async def test_frames_may_come_right_behind_the_upgrade(server):
    async with dialled(server) as (reader, writer):
        frames = [framed(TEXT, b'{"type":"echo","data":"%d"}' % number) for number in range(3)]
        writer.write(upgrade(server) + b"".join(frames))
        socket = Socket(reader, writer, await read_answer(reader))
        assert [(await socket.heard("echo"))["data"] for _ in frames] == ["0", "1", "2"]


async def test_a_client_that_leaves_before_sending_disturbs_no_other(server):
    async with dialled(server) as (_, writer):
        await taken(server, writer)
    assert (await http(server, "GET", "/api/v1/health", token=TOKEN)).status == 200


async def test_a_head_without_an_end_is_refused(server):
    async with dialled(server) as (reader, writer):
        writer.write(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nCookie: " + b"a" * 200_000)
        with contextlib.suppress(ConnectionError):
            assert (await read_answer(reader)).status in (400, 431)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
async def test_a_worker_that_leaves_answers_what_was_on_its_way(ending):
    with serving("--watchdog-timeout", "0") as own:
        head = upgrade(own)
        async with dialled(own) as (reader, writer):
            writer.write(head[:20])
            await taken(own, writer)
            own.process.send_signal(ending)
            if ending is signal.SIGHUP:
                await until(lambda: any("generation 2: starting" in line for line in own.log))
            (old, *_) = own.workers
            old.suspend()
            if ending is signal.SIGHUP:
                await until(lambda: any("generation 1 leaves" in line for line in own.log))
            writer.write(head[20:])
            old.resume()
            code, reason, _ = await Socket(reader, writer, await read_answer(reader)).closed()
        told = {signal.SIGTERM: (1001, "the server stops"), signal.SIGHUP: (1012, "reconnect and resume")}
        assert (code, reason) == told[ending]
