"""The handshake and the frames of RFC 6455 and RFC 9112, whole and in pieces: how they arrive makes no difference."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import struct
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN
from tests.server.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    GUARD_SECONDS,
    PING,
    PONG,
    TEXT,
    Socket,
    framed,
    read_answer,
    ready,
    upgrade,
    websocket,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Serving

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ECHO = framed(TEXT, b'{"type":"echo","data":"here"}')


@contextlib.asynccontextmanager
async def opened(server: Serving) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare TCP connection, for the time that a test may take at most."""
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def first_line(server: Serving, *pieces: bytes) -> str:
    """The status of the first answer to ``pieces``, each sent by itself."""
    async with opened(server) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return (await reader.readline()).decode()


# --- the handshake


async def test_the_key_is_answered_with_its_digest(server):
    async with websocket(server, headers={"Sec-WebSocket-Key": KEY}) as socket:
        assert socket.answer.status == 101
        assert socket.answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
        assert socket.answer.header("upgrade") == "websocket"
        assert socket.answer.header("connection").lower() == "upgrade"
    digest = hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    assert base64.b64encode(digest).decode() == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "upgrade", "UPGRADE,keep-alive", "x,, Upgrade ,y"])
@pytest.mark.parametrize("upgrade_to", ["websocket", "WebSocket", "foo/1, websocket"])
async def test_tokens_may_stand_in_lists(server, connection, upgrade_to):
    async with ready(server, headers={"Connection": connection, "Upgrade": upgrade_to}) as socket:
        socket.say(type="echo", data="here")
        assert (await socket.heard("echo"))["data"] == "here"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": base64.b64encode(b"a" * 15).decode()}, 400),
        ({"Sec-WebSocket-Key": base64.b64encode(b"a" * 17).decode()}, 400),
        ({"Sec-WebSocket-Key": "\u00e9" * 24}, 400),
        ({"Sec-WebSocket-Version": "13, 13"}, 426),
        ({"Content-Length": "3"}, 400),
        ({"Transfer-Encoding": "chunked"}, 400),
        ({"Host": ""}, 400),
        ({"Host": "localhost\r\nHost: localhost"}, 400),
        ({"Origin": "http://localhost\r\nOrigin: http://localhost"}, 400),
        ({"Host": "\u00e9"}, 403),
        ({"Origin": "http://\u00e9"}, 403),
        ({"Authorization": "Bearer \u00e9"}, 403),
        ({"X-Long": "a" * 40_000}, 431),
        ({f"X-{n}": "a" for n in range(130)}, 431),
    ],
)
async def test_a_handshake_that_breaks_a_rule_is_refused(server, headers, status):
    whole = upgrade(server, headers=headers)
    assert f" {status} " in await first_line(server, whole)
    assert f" {status} " in await first_line(server, whole[:7], whole[7:-1], whole[-1:])


async def test_another_version_is_told_the_one_that_works(server):
    async with websocket(server, headers={"Sec-WebSocket-Version": "8"}) as socket:
        assert socket.answer.header("sec-websocket-version") == "13"  # RFC 6455 section 4.4


@pytest.mark.parametrize(("version", "status"), [("HTTP/1.0", 401), ("HTTP/0.9", 505), ("HTTP/2.0", 505)])
async def test_only_http_1_1_is_upgraded(server, version, status):
    """An upgrade in a request of HTTP/1.0 is ignored (RFC 9110 section 7.8); what is left asks for a page."""
    whole = upgrade(server, token=None).replace(b"HTTP/1.1", version.encode())
    assert f" {status} " in await first_line(server, whole)
    assert f" {status} " in await first_line(server, whole[:9], whole[9:])


async def test_a_head_of_cookies_of_many_servers_is_taken(server):
    """Cookies ignore ports, so a browser sends those of every server on this machine."""
    cookies = "; ".join(f"jupyter_{n}={'x' * 200}" for n in range(120))
    async with ready(server, headers={"Cookie": cookies}) as socket:
        socket.say(type="echo", data="here")
        await socket.heard("echo")


async def test_every_split_of_a_handshake_and_a_frame_is_the_same_handshake_and_frame(server):
    """At every byte: what came with the last piece of the head was once lost."""
    whole = upgrade(server) + ECHO
    head = len(whole) - len(ECHO)

    async def arrives(cut: int) -> None:
        async with opened(server) as (reader, writer):
            writer.write(whole[:cut])
            # The server reads the first piece by itself, or has both: neither may matter.
            await asyncio.sleep(0.005)
            writer.write(whole[cut:])
            socket = Socket(reader, writer, await read_answer(reader))
            assert socket.answer.status == 101, cut
            assert (await socket.heard("echo"))["data"] == "here", cut

    for first in range(1, len(whole), 16):
        await asyncio.gather(*(arrives(cut) for cut in range(first, min(first + 16, len(whole)))))
    assert head > 200


async def test_a_handshake_byte_by_byte(server):
    whole = upgrade(server) + ECHO
    async with opened(server) as (reader, writer):
        for at in range(len(whole)):
            writer.write(whole[at : at + 1])
            await asyncio.sleep(0.0005)
        socket = Socket(reader, writer, await read_answer(reader))
        assert (await socket.heard("echo"))["data"] == "here"


async def test_an_answer_comes_before_the_websocket_that_was_asked_for_behind_it(server):
    """RFC 9112 section 9.3.2: the answers to pipelined requests come in their order."""
    get = f"GET /api/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    async with opened(server) as (reader, writer):
        writer.write(get.encode() * 3 + upgrade(server) + ECHO)
        for _ in range(3):
            answer = await read_answer(reader)
            assert (answer.status, "sessions" in answer.json()) == (200, True)
        socket = Socket(reader, writer, await read_answer(reader))
        assert socket.answer.status == 101
        assert (await socket.heard("echo"))["data"] == "here"


async def test_very_many_pipelined_requests_are_all_answered(server):
    get = f"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    async with opened(server) as (reader, writer):
        writer.write(get * 300)
        for _ in range(300):
            assert (await read_answer(reader)).status == 200


async def test_an_upgrade_to_anything_else_is_not_taken_up(server):
    get = f"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    async with opened(server) as (reader, writer):
        for _ in range(2):
            writer.write(get.encode())
            assert (await read_answer(reader)).status == 200


# --- frames


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE])
@pytest.mark.parametrize("subprotocol", ["web-terminal.v1", "web-terminal.v1.json"])
async def test_a_reserved_bit_fails_the_connection(server, bit, opcode, subprotocol):
    """RFC 6455 section 5.2, where no extension was agreed on."""
    async with ready(server, subprotocol=subprotocol) as socket:
        frame = bytearray(framed(opcode, b"\x03x" if opcode == BINARY else b""))
        frame[0] |= bit
        socket.writer.write(frame)
        code, reason, _ = await socket.closed()
        assert code == 1002
        assert "reserved bit" in reason


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_a_reserved_opcode_fails_the_connection(server, opcode):
    async with ready(server) as socket:
        socket.send(opcode, b"")
        assert (await socket.closed())[0] == 1002


FORBIDDEN = {
    "fragmented ping": framed(PING, b"", fin=False),
    "fragmented close": framed(CLOSE, b"", fin=False),
    "ping of 126 bytes": framed(PING, b"a" * 126),
    "close of one byte": framed(CLOSE, b"\x03"),
    "continuation of nothing": framed(CONTINUATION, b""),
    "message in a message": framed(TEXT, b"{", fin=False) + framed(TEXT, b"}"),
    "not masked": framed(TEXT, b"{}", masked=False),
    "125 in 16 bits": b"\x81\xfe\x00\x7d" + bytes(4),
    "65535 in 64 bits": b"\x81\xff" + struct.pack(">Q", 65535) + bytes(4),
    "negative length": b"\x81\xff" + struct.pack(">Q", 1 << 63) + bytes(4),
}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_frame_that_is_none_fails_the_connection(server, name):
    frame = FORBIDDEN[name]
    async with ready(server) as socket:
        socket.writer.write(frame)
        code, reason, _ = await socket.closed()
        assert code == 1002
        assert reason
        await socket.hung_up()


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
async def test_a_close_code_is_answered_with_itself(server, code):
    async with ready(server) as socket:
        socket.send(CLOSE, struct.pack(">H", code) + "b\u00e9".encode())
        assert (await socket.closed())[0] == code
        await socket.hung_up()


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
async def test_a_close_code_that_must_not_be_sent_is_an_error(server, code):
    async with ready(server) as socket:
        socket.send(CLOSE, struct.pack(">H", code))
        assert (await socket.closed())[0] == 1002


async def test_a_close_reason_is_utf_8(server):
    async with ready(server) as socket:
        socket.send(CLOSE, struct.pack(">H", 1000) + b"\xff")
        assert (await socket.closed())[0] == 1007


@pytest.mark.parametrize("size", [0, 1, 125])
async def test_a_ping_is_answered_with_its_payload(server, size):
    async with ready(server) as socket:
        socket.send(PONG, b"nobody asked")
        socket.send(PING, b"p" * size)
        assert await socket.frame() == (PONG, b"p" * size)


async def test_every_split_of_frames_is_the_same_frames(server):
    together = b"".join(
        [
            framed(TEXT, b'{"type":"ec', fin=False),
            framed(PING, b"between"),
            framed(CONTINUATION, b"", fin=False),
            framed(CONTINUATION, b'ho","data":"a"}'),
            framed(TEXT, b'{"type":"echo","data":"' + b"b" * 200 + b'"}'),
        ]
    )
    async with ready(server) as socket:
        for cut in range(1, len(together)):
            socket.writer.write(together[:cut])
            await asyncio.sleep(0)
            socket.writer.write(together[cut:])
            assert await socket.frame() == (PONG, b"between"), cut
            assert [(await socket.heard("echo"))["data"] for _ in range(2)] == ["a", "b" * 200], cut


@pytest.mark.parametrize("size", [125, 126, 2047, 2048, 2049, 65535, 65536, 300_000])
async def test_a_message_of_any_length_arrives_whole(server, size):
    """Reads are of 2 KiB, and the loop turns between them."""
    async with ready(server) as socket:
        socket.say(type="echo", data="x" * size)
        assert (await socket.heard("echo"))["data"] == "x" * size


async def test_a_refusal_in_a_handshake_says_why(server):
    async with websocket(server, headers={"Sec-WebSocket-Key": "short"}) as socket:
        assert re.search("Sec-WebSocket-Key is not 16 bytes", socket.answer.body.decode())
        with contextlib.suppress(ConnectionError):
            await socket.hung_up()
