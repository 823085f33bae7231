"""A network that is taken away and given back."""

from __future__ import annotations

import asyncio

import pytest

from web_terminal_suite.bench.browser.errors import PageFailed
from web_terminal_suite.bench.browser.severed import severable
from web_terminal_suite.client.address import Address


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()
    except ConnectionError:
        pass


async def exchange(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    return reader, writer


async def test_connections_are_reset_and_none_is_taken_until_it_is_back():
    server = await asyncio.start_server(echoing, "127.0.0.1", 0)
    async with server, severable(Address("127.0.0.1", server.sockets[0].getsockname()[1])) as (network, address):
        reader, writer = await exchange(address.port)
        network.sever()
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.close()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", address.port)
        assert await network.restore() == address
        reader, writer = await exchange(address.port)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_server_that_is_not_there_hangs_up():
    async with severable(Address("127.0.0.1", 1)) as (_, address):
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        with pytest.raises(ConnectionError):
            await reader.readexactly(1)
        writer.close()


async def test_an_encrypted_connection_is_refused():
    with pytest.raises(PageFailed, match="name an http:// URL"):
        async with severable(Address("host", 443, secure=True)):
            pass
