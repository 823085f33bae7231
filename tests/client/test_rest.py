"""The small HTTP client: its parser fed in every way, and one against the real server."""

from __future__ import annotations

import random

import pytest

from web_terminal_suite.client.errors import Refused, Unreachable, Violated
from web_terminal_suite.client.rest import Parser, rest

PLAIN = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a": 1}\n'
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n5;x=y\r\n: 1}\n\r\n0\r\n\r\n'
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize(("data", "status", "body"), [(PLAIN, 201, b'{"a": 1}\n'), (CHUNKED, 200, b'{"a": 1}\n')])
def test_any_cut_gives_the_same_response(data, status, body):
    source = random.Random(5)
    cuts = [[data], [bytes([byte]) for byte in data]]
    for _ in range(100):
        at = source.randrange(1, len(data))
        cuts.append([data[:at], data[at:]])
    for pieces in cuts:
        parser = Parser()
        whole = [parser.feed(piece) for piece in pieces]
        assert whole == [False] * (len(pieces) - 1) + [True]
        assert (parser.status, parser.body) == (status, body)


def test_no_content_has_no_body():
    parser = Parser()
    assert parser.feed(EMPTY)
    assert (parser.status, parser.body) == (204, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_not_http_is_a_violation(data):
    with pytest.raises(Violated):
        Parser().feed(data)


def test_garbage_raises_nothing_else():
    source = random.Random(11)
    for _ in range(500):
        data = bytearray(source.choice((PLAIN, CHUNKED)))
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            Parser().feed(bytes(data))
        except Violated:
            pass  # the one error it may raise


async def test_one_connection_serves_many_requests(server):
    async with rest(server.url) as api:
        first = await api.call("GET", "/health")
        second = await api.call("GET", "/me")
        assert first.json()["status"] == "ok"
        assert second.json()["role"] == "owner"
        assert first.sent_ns < first.seen_ns <= second.sent_ns < second.seen_ns


async def test_refusals_carry_status_code_and_message(server):
    async with rest(server.url) as api:
        with pytest.raises(Refused, match="404") as refused:
            await api.call("GET", "/sessions/nothing")
    assert refused.value.code == "no_such_session"
    async with rest(server.url, token="not the right one at all") as api:
        assert (await api.request("GET", "/me")).status == 401


async def test_nobody_there():
    async with rest("http://127.0.0.1:1/") as api:
        with pytest.raises(Unreachable):
            await api.call("GET", "/health")
