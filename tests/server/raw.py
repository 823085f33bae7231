"""HTTP requests and WebSocket frames byte by byte, for what no well-behaved client sends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.conftest import Serving

GUARD_SECONDS = 20.0
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class Answer(NamedTuple):
    """An HTTP answer; ``headers`` keeps those that come twice."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer on a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    status = int(first.split()[1])
    lengths = [int(value) for name, value in headers if name == "content-length"]
    body = b""
    if status != 101:
        body = await reader.readexactly(lengths[0]) if lengths else await reader.read()
    return Answer(status, headers, body)


async def http(
    server: Serving,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own. ``headers`` may replace Host; a value of "" leaves a header out."""
    sent = {"Host": f"127.0.0.1:{server.port}", "Connection": "close"}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    if body is not None:
        sent |= {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    sent |= headers or {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b""))
            return await read_answer(reader)
        finally:
            writer.transport.abort()


def framed(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A client's frame (RFC 6455 section 5.2)."""
    mask = os.urandom(4) if masked else b""
    length = len(payload)
    head = bytes([opcode | (0x80 if fin else 0)])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack(">BH", bit | 126, length)
    else:
        head += struct.pack(">BQ", bit | 127, length)
    if masked:
        payload = (
            int.from_bytes(payload, "big") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        ).to_bytes(length, "big")
    return head + mask + payload


class Socket:
    """A WebSocket after its handshake, with every frame in our hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self.writer = writer
        self.answer = answer

    def send(self, opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> None:
        self.writer.write(framed(opcode, payload, fin=fin, masked=masked))

    def say(self, **message: Any) -> None:
        self.send(TEXT, json.dumps(message).encode())

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload.

        Raises ``asyncio.IncompleteReadError`` at the end of the connection.
        """
        async with asyncio.timeout(GUARD_SECONDS):
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            return first & 0x0F, await self._reader.readexactly(length)

    async def heard(self, kind: str) -> dict[str, Any]:
        """The next JSON message of a kind; others before it are passed over."""
        while True:
            opcode, payload = await self.frame()
            assert opcode != CLOSE, f"closed with {payload!r} while waiting for {kind}"
            if opcode == TEXT and (message := json.loads(payload))["type"] == kind:
                return message

    async def closed(self) -> tuple[int, str, list[dict[str, Any]]]:
        """How it is closed: code, reason, and the errors told before. 1006 where no close frame comes."""
        errors = []
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(payload[:2], "big"), payload[2:].decode(), errors
                if opcode == TEXT and (message := json.loads(payload))["type"] == "error":
                    errors.append(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 1006, "", errors

    async def hung_up(self) -> None:
        """The server closed the TCP connection too."""
        async with asyncio.timeout(GUARD_SECONDS):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(65536):
                    pass


def upgrade(
    server: Serving,
    *,
    path: str = "/ws",
    token: str | None = TOKEN,
    headers: Mapping[str, str] | None = None,
    subprotocol: str = "web-terminal.v1.json",
) -> bytes:
    """A request for a WebSocket. ``headers`` may replace any; a value of "" leaves a header out."""
    sent = {
        "Host": f"127.0.0.1:{server.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": subprotocol,
    }
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    sent |= headers or {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


@contextlib.asynccontextmanager
async def websocket(
    server: Serving,
    *,
    path: str = "/ws",
    token: str | None = TOKEN,
    headers: Mapping[str, str] | None = None,
    subprotocol: str = "web-terminal.v1.json",
) -> AsyncIterator[Socket]:
    """A handshake, whatever its answer; ``answer.status`` is 101 where it was accepted."""
    head = upgrade(server, path=path, token=token, headers=headers, subprotocol=subprotocol)
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(head)
        async with asyncio.timeout(GUARD_SECONDS):
            answer = await read_answer(reader)
        yield Socket(reader, writer, answer)
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def ready(server: Serving, **fields: Any) -> AsyncIterator[Socket]:
    """A WebSocket that may attach."""
    async with websocket(server, **fields) as socket:
        assert socket.answer.status == 101, socket.answer
        await socket.heard("authenticated")
        yield socket


@contextlib.asynccontextmanager
async def attached(server: Serving, **fields: Any) -> AsyncIterator[tuple[Socket, dict[str, Any]]]:
    """A WebSocket with a session of its own, which is destroyed at the end if it is still there."""
    async with ready(server, **fields) as socket:
        socket.say(type="attach")
        answer = await socket.heard("attached")
        try:
            yield socket, answer
        finally:
            await http(server, "DELETE", f"/api/v1/sessions/{answer['session']}", token=fields.get("token") or TOKEN)
