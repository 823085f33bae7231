"""Heads of requests by RFC 9112 and RFC 6455, and that nothing but a refusal comes of any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_terminal_suite.server.worker.request_head import (
    HEAD_END,
    MAX_HEADERS,
    HttpRefusal,
    check_beginning,
    parse_head,
)

GET = b"GET /ws HTTP/1.1\r\nHost: a\r\n"
ASKED = GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"


def test_fields_keep_their_order_and_lose_the_space_around_their_values():
    head = parse_head(GET + b"X-A: \t one, two \t\r\nx-a:three\r\nEmpty:\r\n")
    assert (head.method, head.target, head.version) == ("GET", "/ws", "1.1")
    assert head.fields == (("host", "a"), ("x-a", "one, two"), ("x-a", "three"), ("empty", ""))
    assert head.all("x-a") == ["one, two", "three"]
    assert head.one("nothing") is None
    assert head.has_token("x-a", "three")
    assert not head.has_token("x-a", "tw")


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (400, b"GET /ws\r\n"),
        (400, b"GET  /ws HTTP/1.1\r\nHost: a\r\n"),
        (400, b"GET /w s HTTP/1.1\r\nHost: a\r\n"),
        (400, b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n"),
        (400, b"GET /ws HTTP/1.1\r\n"),
        (400, GET + b"Host: b\r\n"),
        (400, GET + b"Origin: http://a\r\nOrigin: http://a\r\n"),
        (400, GET + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
        (400, GET + b"Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n"),
        (400, GET + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"),
        (400, GET + b"Content-Length: 1\r\nContent-Length: 1\r\n"),
        (400, GET + b"Content-Length: +1\r\n"),
        (400, GET + b"Content-Length: 1, 1\r\n"),
        (400, GET + b"X-A : b\r\n"),
        (400, GET + b" folded\r\n"),
        (400, GET + b"X-A\r\n"),
        (400, GET + b": a\r\n"),
        (400, GET + b"X-A: a\0b\r\n"),
        (400, GET + b"X-A: a\rb\r\n"),
        (400, GET + b"X-A: a\nX-B: b\r\n"),
        (505, b"GET /ws HTTP/2.0\r\nHost: a\r\n"),
        (505, b"GET /ws HTTP/0.9\r\nHost: a\r\n"),
        (505, b"GET /ws HTTP/1.2\r\nHost: a\r\n"),
        (431, GET + b"X-A: b\r\n" * MAX_HEADERS),
    ],
)
def test_a_head_that_breaks_a_rule_is_refused(status, head):
    with pytest.raises(HttpRefusal) as refused:
        parse_head(head)
    assert refused.value.status == status
    answer = refused.value.answer()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.partition(HEAD_END)[2] == refused.value.reason.encode()


@pytest.mark.parametrize(
    "head",
    [
        ASKED,
        GET + b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
        GET + b"Upgrade: WebSocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n",
        GET + b"Upgrade: h2c, websocket\r\nConnection: ,,upgrade ,\r\n",
    ],
)
def test_a_websocket_is_asked_for_with_tokens_in_lists(head):
    assert parse_head(head).wants_websocket


@pytest.mark.parametrize(
    "head",
    [
        GET,
        GET + b"Upgrade: websocket\r\n",
        GET + b"Connection: Upgrade\r\n",
        GET + b"Upgrade: websockets\r\nConnection: Upgrade\r\n",
        GET + b"Upgrade: websocket\r\nConnection: no-upgrade\r\n",
        ASKED.replace(b"GET", b"POST"),
        ASKED.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_nothing_else_asks_for_a_websocket(head):
    assert not parse_head(head).wants_websocket


def test_the_length_of_a_body_is_a_number_or_told_by_its_chunks():
    assert parse_head(GET).body_bytes == 0
    assert parse_head(GET + b"Content-Length: 17\r\n").body_bytes == 17
    assert parse_head(GET + b"Transfer-Encoding: chunked\r\n").body_bytes is None


def test_a_field_can_be_left_out():
    head = parse_head(ASKED)
    assert parse_head(head.without("upgrade")[:-2]).fields == (("host", "a"), ("connection", "Upgrade"))


@pytest.mark.parametrize("data", [b"G", b"GET", b"GET /ws HTTP/1.1\r\n", ASKED])
def test_what_may_become_a_request_may_go_on(data):
    check_beginning(data)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"\x04\x01", b"GET /\r\n", b"GET / HTTP/1.1\nHost: a\n\n"])
def test_another_protocol_is_refused_by_its_first_bytes(data):
    with pytest.raises(HttpRefusal):
        check_beginning(data)


@given(st.binary() | st.from_regex(rb"GET / HTTP/1\.1\r\n([A-Za-z]{1,3}: ?[^\r\n]{0,3}\r?\n){0,5}", fullmatch=True))
def test_any_bytes_are_a_head_or_refused(data):
    with contextlib.suppress(HttpRefusal):
        check_beginning(data or b"G")
    with contextlib.suppress(HttpRefusal):
        head = parse_head(data)
        assert parse_head(head.without("")[:-2]) == head
