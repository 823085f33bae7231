"""HTTP/1.1 for ``/api/v1`` over one kept-alive connection, made for measuring: plain asyncio, no library.

One request at a time; answers with ``Content-Length`` or chunks. A request costs this process about 40 us, where a
general-purpose client costs a millisecond, more than what is measured.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from web_terminal_suite.client.address import Address, parse_address
from web_terminal_suite.client.dialect import HttpRequest
from web_terminal_suite.client.errors import ClientError, Closed, Refused, TimedOut, Unreachable, Violated
from web_terminal_suite.client.tls import client_context, connect_problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_HEAD_LIMIT_BYTES: Final = 64 << 10
_BODY_LIMIT_BYTES: Final = 64 << 20


class Response(NamedTuple):
    """An answer, when its request was sent and when its last byte arrived. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    sent_ns: int
    seen_ns: int

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Parser:
    """One HTTP response out of bytes that come in pieces. No I/O.

    Raises:
        Violated: from ``feed``, on what is not HTTP/1.1.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self._data = bytearray()
        self._body_start = -1
        self._length = 0
        self._chunks: list[bytes] | None = None

    def feed(self, data: bytes) -> bool:
        """Take bytes; whether the response is whole."""
        self._data += data
        if self._body_start < 0 and not self._head():
            return False
        if self._chunks is not None:
            return self._chunked()
        if len(self._data) - self._body_start < self._length:
            return False
        self.body = bytes(self._data[self._body_start : self._body_start + self._length])
        return True

    def _head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _HEAD_LIMIT_BYTES:
                raise Violated(f"the head of an HTTP response exceeds {_HEAD_LIMIT_BYTES} bytes")
            return False
        first, *lines = bytes(self._data[:end]).decode("latin-1").split("\r\n")
        parts = first.split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
            raise Violated("not an HTTP/1.1 response")
        self.status = int(parts[1])
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self._body_start = end + 4
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = []
            return True
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _BODY_LIMIT_BYTES:
            raise Violated(f"an HTTP response with Content-Length {length!r}")
        self._length = int(length)
        return True

    def _chunked(self) -> bool:
        assert self._chunks is not None  # the caller looked
        while (line_end := self._data.find(b"\r\n", self._body_start)) >= 0:
            text = bytes(self._data[self._body_start : line_end]).split(b";")[0]
            try:
                size = int(text, 16)
            except ValueError as error:
                raise Violated("an HTTP chunk without a size") from error
            if size > _BODY_LIMIT_BYTES:
                raise Violated(f"an HTTP chunk of {size} bytes")
            if len(self._data) < line_end + 2 + size + 2:
                return False
            if size == 0:
                self.body = b"".join(self._chunks)
                return True
            self._chunks.append(bytes(self._data[line_end + 2 : line_end + 2 + size]))
            self._body_start = line_end + 2 + size + 2
        return False


class _HttpProtocol(asyncio.Protocol):
    """Bytes of one connection to the parser of the request on its way."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.parser: Parser | None = None
        self.done: asyncio.Future[int] | None = None
        self.lost = False
        self._clock = clock

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        seen_ns = self._clock()
        if self.parser is None or self.done is None or self.done.done():
            return
        try:
            if self.parser.feed(data):
                self.done.set_result(seen_ns)
        except Violated as error:
            self.done.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.done is not None and not self.done.done():
            self.done.set_exception(Closed(1006, "the server hung up before its answer was whole"))


class Rest:
    """The REST API of one server with one user's credentials. Made by ``rest``."""

    def __init__(self, address: Address, clock: Callable[[], int], timeout: float) -> None:
        self.address = address
        self._clock = clock
        self._timeout = timeout
        self._protocol: _HttpProtocol | None = None
        self._transport: asyncio.Transport | None = None

    async def request(self, method: str, path: str, body: object = None) -> Response:
        """One request to ``path`` under ``/api/v1``, whatever its status.

        Raises:
            Unreachable, Closed, TimedOut, Violated
        """
        content = b"" if body is None else msgspec.json.encode(body)
        credentials = {"Authorization": f"Bearer {self.address.token}"} if self.address.token else {}
        return await self._exchange(HttpRequest(method, f"/api/v1{path}", credentials, content))

    async def ask(self, request: HttpRequest) -> Response:
        """One request of a protocol that is not ours; a status of failure is raised.

        Raises:
            Refused: with the status.
            Unreachable, Closed, TimedOut, Violated
        """
        response = await self._exchange(request)
        if response.status >= 400:
            raise Refused(response.status, "", "")
        return response

    async def _exchange(self, request: HttpRequest) -> Response:
        method, path, headers, content = request
        head = f"{method} {self.address.base}{path} HTTP/1.1\r\nHost: {self.address.authority}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if content or method in ("POST", "PUT", "PATCH"):
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        protocol, transport = await self._open()
        parser = protocol.parser = Parser()
        done = protocol.done = asyncio.get_running_loop().create_future()
        sent_ns = self._clock()
        transport.write(head.encode() + b"\r\n" + content)
        try:
            async with asyncio.timeout(self._timeout):
                seen_ns = await done
        except TimeoutError as error:
            self.close()
            raise TimedOut(f"answer to {method} {path}", self._timeout) from error
        except ClientError:
            self.close()
            raise
        if parser.headers.get("connection", "").lower() == "close":
            self.close()
        return Response(parser.status, parser.headers, parser.body, sent_ns, seen_ns)

    async def call(self, method: str, path: str, body: object = None) -> Response:
        """As ``request``, but a status of failure is raised.

        Raises:
            Refused: the server's status, code and message.
            Unreachable, Closed, TimedOut, Violated
        """
        response = await self.request(method, path, body)
        if response.status >= 400:
            code, message = _complaint(response)
            raise Refused(response.status, code, message)
        return response

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._protocol = self._transport = None

    async def _open(self) -> tuple[_HttpProtocol, asyncio.Transport]:
        if self._protocol is not None and self._transport is not None and not self._protocol.lost:
            return self._protocol, self._transport
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                self._transport, self._protocol = await loop.create_connection(
                    lambda: _HttpProtocol(self._clock),
                    self.address.host,
                    self.address.port,
                    ssl=client_context() if self.address.secure else None,
                )
        except TimeoutError as error:
            raise TimedOut(f"connection to {self.address.authority}", self._timeout) from error
        except OSError as error:
            raise Unreachable(f"{self.address.authority}: {connect_problem(error)}") from error
        return self._protocol, self._transport


def _complaint(response: Response) -> tuple[str, str]:
    try:
        told = response.json()
        return str(told["code"]), str(told["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "", ""


@asynccontextmanager
async def rest(
    url: str | Address,
    *,
    token: str = "",
    timeout: float = 10.0,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> AsyncIterator[Rest]:
    """A kept-alive HTTP connection to the server at ``url``, opened with the first request."""
    api = Rest(parse_address(url, token) if isinstance(url, str) else url, clock, timeout)
    try:
        yield api
    finally:
        api.close()
