"""Whose request it is: what trusted proxies say counts, and what anybody else says does not."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TOKEN, serving
from tests.server.access_rules import access_of
from tests.server.raw import http, ready, websocket
from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.server.access import Denied
from web_terminal_suite.server.settings import Settings, SettingsError, User, check
from web_terminal_suite.server.worker.proxies import Proxies, RequestSource
from web_terminal_suite.server.worker.request_head import RequestHead

TRUSTED = ("10.0.0.0/8", "127.0.0.1", "2001:db8::1")
PROXY = "10.1.2.3"


def proxies(**fields) -> Proxies:
    return Proxies(check(Settings(trusted_proxies=TRUSTED, **fields)))


def head(*fields: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", "/", "1.1", tuple(fields))


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        (PROXY, "192.0.2.1", "192.0.2.1"),
        (PROXY, "192.0.2.9, 192.0.2.1", "192.0.2.1"),
        (PROXY, "192.0.2.9, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
        (PROXY, "10.8.8.8, 10.9.9.9", "10.8.8.8"),
        (PROXY, "10.8.8.8, unknown, 10.9.9.9", "10.9.9.9"),
        (PROXY, "192.0.2.1:4711", "192.0.2.1"),
        (PROXY, "[2001:db8::2]:4711", "2001:db8::2"),
        (PROXY, "2001:db8::2", "2001:db8::2"),
        (PROXY, "::ffff:192.0.2.1", "192.0.2.1"),
        (PROXY, "", PROXY),
        (PROXY, "somebody", PROXY),
        (PROXY, "1.2.3.4.5", PROXY),
        ("::ffff:10.1.2.3", "192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "192.0.2.1", "192.0.2.1"),
        ("2001:db8::2", "192.0.2.1", "2001:db8::2"),
        ("192.0.2.7", "192.0.2.1", "192.0.2.7"),
        ("", "192.0.2.1", ""),
    ],
)
def test_the_address_is_the_last_one_that_is_not_a_trusted_proxy_s(peer, said, address):
    assert proxies().source(peer, head(("x-forwarded-for", said))).address == address


def test_lines_of_a_header_are_one_list():
    lines = ("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.9.9.9")
    assert proxies().source(PROXY, head(*lines)).address == "192.0.2.1"


@pytest.mark.parametrize(
    ("said", "address", "is_https"),
    [
        ("for=192.0.2.1", "192.0.2.1", False),
        ('For="[2001:db8::2]:4711";proto=HTTPS;by=10.0.0.1', "2001:db8::2", True),
        ('for=192.0.2.9;proto=http, for="192.0.2.1:80"; proto=https', "192.0.2.1", True),
        ("for=192.0.2.1;proto=https, for=10.9.9.9;proto=http", "192.0.2.1", True),
        ("for=_hidden", PROXY, False),
        ("proto=https", PROXY, False),
        ("=;,;=", PROXY, False),
    ],
)
def test_the_header_of_the_standard_is_understood(said, address, is_https):
    told = proxies(forwarded_header="forwarded").source(
        PROXY, head(("forwarded", said), ("x-forwarded-for", "1.1.1.1"))
    )
    assert (told.address, told.is_https) == (address, is_https)


def test_only_one_of_the_headers_counts():
    """A proxy passes on the one that it does not set."""
    both = head(("forwarded", "for=192.0.2.9"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https"))
    assert proxies().source(PROXY, both) == RequestSource("192.0.2.1", None, True)


def test_a_user_is_named_by_a_trusted_proxy_only_and_once():
    told = proxies(user_header="X-Forwarded-User")
    assert told.source(PROXY, head(("x-forwarded-user", "ann"))).user == "ann"
    assert told.source("192.0.2.1", head(("x-forwarded-user", "ann"))).user is None
    assert told.source(PROXY, head(("x-forwarded-user", ""))).user is None
    assert told.source(PROXY, head(("x-forwarded-user", "ann"), ("x-forwarded-user", "bob"))).user is None
    assert proxies().source(PROXY, head(("x-forwarded-user", "ann"))).user is None


@given(st.text(max_size=60), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_whatever_is_said_there_is_an_answer(said, name):
    assert proxies(forwarded_header=name).source(PROXY, head((name, said))).address


def test_the_user_of_a_proxy_has_the_role_of_the_file_or_the_one_for_all():
    rules = access_of(Settings(token="x" * 16, users={"ann": User(token="y" * 16, role="viewer")}), 1)
    assert rules.by_proxy("ann").role == "viewer"
    assert rules.by_proxy("bob@example.org").role == "user"
    known = rules.by_proxy("ann")
    rules.use(msgspec.structs.replace(rules.credentials, all=()))
    assert rules.holds(known)
    assert rules.role_of(known) == "user"
    assert access_of(Settings(user_header_role="viewer"), 1).by_proxy("bob").role == "viewer"
    for name in ("owner", "", "a" * 65, "a\nb", "a\x1b[0m"):
        with pytest.raises(Denied, match="which nobody may be called"):
            rules.by_proxy(name)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"trusted_proxies": ("proxy",)}, "'proxy' is no address or network"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "is everybody, who could then claim any address"),
        ({"user_header": "X-User"}, "needs trusted_proxies"),
        ({"user_header": "X User", "trusted_proxies": TRUSTED}, "is no name of a header"),
        ({"user_header": "X-User", "trusted_proxies": TRUSTED, "insecure_no_auth": True}, "exclude each other"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(fields, text):
    with pytest.raises(SettingsError, match=text):
        check(Settings(**fields))


# --- a server behind a proxy on loopback


@pytest.fixture(scope="module")
def behind():
    flags = ("--trusted-proxy", "127.0.0.0/8", "--user-header", "X-Forwarded-User", "--login-attempts-per-minute", "2")
    with serving(*flags, "--max-strangers-per-address", "2") as each:
        yield each


async def test_limits_are_those_of_the_client_and_not_of_its_proxy(behind):
    async def login(address: str, token: str) -> int:
        answer = await http(behind, "GET", "/api/v1/me", token=token, headers={"X-Forwarded-For": address})
        return answer.status

    assert [await login("192.0.2.1", "wrong") for _ in range(3)] == [401, 401, 429]
    assert await login("192.0.2.2", TOKEN) == 200
    assert [await login("192.0.2.9, 192.0.2.3", "wrong") for _ in range(3)] == [401, 401, 429]
    assert await login("192.0.2.9", "wrong") == 401
    for _ in range(2):
        async with websocket(behind, token=None, headers={"X-Forwarded-For": "192.0.2.4"}) as socket:
            socket.say(type="authenticate", token="wrong")
            assert (await socket.closed())[0] == CloseCode.AUTHENTICATION_FAILED
    async with websocket(behind, token=None, headers={"X-Forwarded-For": "192.0.2.4"}) as socket:
        socket.say(type="authenticate", token=TOKEN)
        assert (await socket.closed())[2][0]["code"] == "rate_limit"


async def test_clients_of_one_proxy_are_counted_each_for_itself(behind):
    async def open_one(stack, address: str) -> None:
        head = f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
        stack.append(writer)
        writer.write(head.encode())
        assert b"200" in await reader.readline()

    opened: list[asyncio.StreamWriter] = []
    try:
        async with asyncio.timeout(20):
            for number in range(20):
                await open_one(opened, f"192.0.2.{number // 2}")
    finally:
        for writer in opened:
            writer.transport.abort()
    assert not [line for line in behind.log if "429" in line and "not logged in" in line]


async def test_one_connection_of_a_proxy_carries_requests_of_several_users(behind):
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    async with asyncio.timeout(20):
        for user in ("ann", "bob"):
            head = f"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: {user}\r\n\r\n"
            writer.write(head.encode())
            await reader.readuntil(b"\r\n\r\n")
            assert f'"user":"{user}"'.encode() in await reader.readuntil(b"}")
        writer.write(b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"401" in await reader.readline()
    writer.transport.abort()


async def test_a_user_of_the_proxy_needs_no_token_for_a_websocket_and_other_sites_stay_out(behind):
    user = {"X-Forwarded-User": "ann", "Authorization": "Basic YW5uOnNlY3JldA=="}
    async with websocket(behind, token=None, headers=user) as socket:
        assert (await socket.heard("authenticated"))["user"] == "ann"
    async with websocket(behind, token=None, headers=user | {"Origin": "https://evil.example"}) as socket:
        assert socket.answer.status == 403
    async with websocket(behind, token=None, headers={"X-Forwarded-User": "owner"}) as socket:
        assert socket.answer.status == 403
    evil = {"X-Forwarded-User": "ann", "Origin": "https://evil.example"}
    assert (await http(behind, "POST", "/api/v1/sessions", body=b"{}", headers=evil)).status == 403
    bad = await http(behind, "GET", "/api/v1/me", headers={"X-Forwarded-User": "owner"})
    assert bad.status == 401


async def test_a_cookie_is_secure_where_the_proxy_speaks_tls(behind):
    for proto, secure in (("https", True), ("http", False)):
        headers = {"X-Forwarded-For": "192.0.2.200", "X-Forwarded-Proto": proto}
        body = b'{"token":"%s"}' % TOKEN.encode()
        answer = await http(behind, "POST", "/api/v1/login", body=body, headers=headers)
        assert ("Secure" in answer.header("set-cookie")) is secure


async def test_what_anybody_else_says_has_no_effect():
    flags = ("--trusted-proxy", "192.0.2.1", "--user-header", "X-Forwarded-User", "--login-attempts-per-minute", "1")
    with serving(*flags) as each:
        spoofed = {"X-Forwarded-User": "ann", "X-Forwarded-For": "192.0.2.1"}
        assert (await http(each, "GET", "/api/v1/me", headers=spoofed)).status == 401
        async with websocket(each, token=None, headers=spoofed) as socket:
            socket.say(type="attach")
            assert (await socket.closed())[2][0]["code"] == "authentication_required"
        async with ready(each, headers=spoofed) as socket:
            assert socket.answer.status == 101
        statuses = []
        for number in range(2):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            statuses.append((await http(each, "GET", "/api/v1/me", token="wrong", headers=headers)).status)
        assert statuses == [401, 429]
