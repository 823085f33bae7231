"""ttyd's protocol on our server: what its clients send is done, ignored or refused, and the session goes with them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from tests.server.conftest import BEARER, FLAGS
from tests.server.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, attached, http, websocket
from tests.server.real import Place, ttyd_socket
from tests.server.watching import blocked, live, none_is_left, until_it
from web_terminal_suite.client.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.raw import Socket

HELLO = b'{"AuthToken":"","columns":80,"rows":24}'


async def until(socket: Socket, what: bytes, seen: bytes = b"") -> bytes:
    """Output up to ``what``."""
    while what not in seen:
        opcode, payload = await socket.frame()
        assert opcode == BINARY, (opcode, payload)
        if payload[:1] == b"0":
            seen += payload[1:]
    return seen


async def end_of(socket: Socket) -> tuple[int, bytes]:
    """How it is closed, 1006 where no close frame comes, and the output before."""
    seen = b""
    try:
        while True:
            opcode, payload = await socket.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), seen
            seen += payload[1:] if payload[:1] == b"0" else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return 1006, seen


@contextlib.asynccontextmanager
async def shell(place: Place, hello: bytes = HELLO) -> AsyncIterator[Socket]:
    """A shell that has prompted."""
    async with ttyd_socket(place) as socket:
        socket.send(BINARY, hello)
        await until(socket, b"$ ")
        yield socket


async def run(socket: Socket, line: str) -> str:
    """What a command printed."""
    socket.send(BINARY, f"0{line}\r".encode())
    return (await until(socket, b"\r\n$ ")).decode().partition("\r\n")[2].removesuffix("\r\n$ ")


@pytest.fixture(autouse=True)
async def as_it_was(request):
    """After each test no session is left, and the native protocol on the same server works."""
    yield
    if "compat_server" in request.fixturenames:
        server = request.getfixturevalue("compat_server")
        await none_is_left(server)
        async with connect(server.url) as connection:
            await connection.attach()
            assert (await connection.run("echo fine")).output == b"fine\r\n"
            await connection.close(destroy=True)


# --- a session


async def test_title_and_preferences_come_before_any_output(ttyd):
    async with ttyd_socket(ttyd) as socket:
        socket.send(BINARY, HELLO)
        kinds = [(await socket.frame())[1] for _ in range(3)]
        assert kinds[0].startswith(b"1/bin/sh (")
        assert json.loads(kinds[1][1:]) == {}
        assert kinds[2] == b"0$ "


@pytest.mark.parametrize(
    ("hello", "size"),
    [
        ('{"columns":101,"rows":31}', "31 101"),
        ('{"columns":500,"rows":200}', "200 500"),
        ('{"AuthToken":""}', "24 80"),
        ('{"columns":0,"rows":0}', "24 80"),
        ('{"columns":-1,"rows":24}', "24 80"),
        ('{"columns":501,"rows":24}', "24 80"),
        ('{"columns":80,"rows":99999999999}', "24 80"),
        ('{"columns":90,"rows":20,"unknown":{"a":[1]}}', "20 90"),
    ],
)
async def test_the_size_is_the_hello_s_where_a_terminal_can_have_it(ttyd, hello, size):
    async with shell(ttyd, hello.encode()) as socket:
        assert await run(socket, "stty size") == size


async def test_input_that_follows_the_hello_at_once_is_typed(ttyd):
    async with ttyd_socket(ttyd) as socket:
        socket.send(BINARY, HELLO)
        socket.send(BINARY, b"0stty size; printf '%s%s' ear ly\r")
        socket.send(BINARY, b'1{"columns":70,"rows":20}')
        await until(socket, b"early$ ")
        assert await run(socket, "stty size") == "20 70"


@pytest.mark.parametrize("opcode", [BINARY, TEXT])
async def test_text_frames_are_heard_as_well(ttyd, opcode):
    async with ttyd_socket(ttyd) as socket:
        socket.send(opcode, HELLO)
        await until(socket, b"$ ")
        socket.send(opcode, b"0printf '%s%s' he ard\r")
        await until(socket, b"heard")


async def test_every_byte_of_a_large_output_arrives_before_the_end(ttyd):
    async with shell(ttyd) as socket:
        socket.send(BINARY, b"0stty -echo; seq 1 100000; printf '\\377\\303'; exit\r")
        code, seen = await end_of(socket)
    assert code == 1000
    _, _, seen = seen.partition(b"exit\r\n")
    expected = b"".join(b"%d\r\n" % n for n in range(1, 100001)) + b"\xff\xc3"
    assert hashlib.sha256(seen).digest() == hashlib.sha256(expected).digest()


@pytest.mark.parametrize(("line", "code"), [("exit", 1000), ("exit 3", 1006), ("kill -9 $$", 1006)])
async def test_the_end_says_whether_all_was_well(ttyd, line, code):
    """As ttyd: 1000 after status 0; its page takes an end without a close frame, 1006, for a failure."""
    async with shell(ttyd) as socket:
        socket.send(BINARY, f"0printf '%s%s' la st; {line}\r".encode())
        ended, seen = await end_of(socket)
        assert (ended, seen.endswith(b"last")) == (code, True)


# --- pause and resume


async def test_pause_stops_output_and_resume_brings_it(ttyd, tmp_path):
    async with shell(ttyd) as socket:
        socket.send(BINARY, b"2")
        socket.send(BINARY, f"0printf '%s%s' pau sed; touch {tmp_path}/done\r".encode())

        async def ran() -> bool:
            return (tmp_path / "done").exists()

        await until_it(ran)  # so the echo and the output are there to be sent
        socket.send(PING, b"still")
        assert await socket.frame() == (PONG, b"still")
        socket.send(BINARY, b"3")
        await until(socket, b"paused")
        # Once more of either changes nothing, as the page sends them.
        for word in (b"3", b"2", b"2", b"3", b"3"):
            socket.send(BINARY, word)
        assert await run(socket, "echo on") == "on"


async def test_a_paused_client_s_program_waits(ttyd, compat_server):
    async with shell(ttyd) as socket:
        socket.send(BINARY, b"0yes\r")
        await until(socket, b"y\r\ny\r\n")
        socket.send(BINARY, b"2")
        await blocked(compat_server, "yes")
        before = await live(compat_server)
        socket.send(PING, b"now")
        while await socket.frame() != (PONG, b"now"):  # what was sent before
            pass
        assert await live(compat_server) == before
        socket.send(BINARY, b"0\x03")
        socket.send(BINARY, b"3")
        await until(socket, b"\r\n$ ")


async def test_a_client_that_never_reads_makes_its_program_wait(compat_server, ttyd):
    """There are no acknowledgements; what has left our buffer counts as one."""
    (worker,) = compat_server.workers
    async with contextlib.AsyncExitStack() as stack:
        before = worker.memory_info().rss
        stuck = [await stack.enter_async_context(shell(ttyd)) for _ in range(4)]
        for socket in stuck:
            socket.send(BINARY, b"0yes 0123456789abcdefghijklmnopqrstuvwxyz\r")
            socket.writer.transport.pause_reading()
        await blocked(compat_server, "yes")
        printed = await live(compat_server)
        assert len(printed) == 4
        # A window of ours each, their logs, and what that takes to handle; not what was printed.
        assert worker.memory_info().rss - before < 6 << 20
        # Pings that nobody reads the answers of fill no buffer either.
        for _ in range(100):
            stuck[0].writer.write((b"\x89\xfd" + bytes(4) + bytes(125)) * 500)
            await stuck[0].writer.drain()
        assert await live(compat_server) == printed
        assert worker.memory_info().rss - before < 6 << 20
        # It is heard still, and when it reads again nothing is missing.
        stuck[0].send(BINARY, b"0\x03")
        stuck[0].writer.transport.resume_reading()
        seen = b""
        while not seen.endswith(b"$ "):
            opcode, payload = await stuck[0].frame()
            seen += payload[1:] if opcode == BINARY else b""
        lines = seen.split(b"\r\n")
        assert set(lines[1:-2]) == {b"0123456789abcdefghijklmnopqrstuvwxyz"}


async def test_the_tail_reaches_a_client_that_reads_late(compat_server, ttyd):
    async with shell(ttyd) as socket:
        socket.writer.transport.pause_reading()
        socket.send(BINARY, b"0stty -echo; seq 1 1000000; exit\r")
        await blocked(compat_server, "seq")
        socket.writer.transport.resume_reading()
        code, seen = await end_of(socket)
    assert code == 1000
    assert hashlib.sha256(seen.partition(b"exit\r\n")[2]).digest() == hashlib.sha256(
        b"".join(b"%d\r\n" % n for n in range(1, 1000001))
    ).digest()  # fmt: skip


# --- the session goes with its connection


@pytest.mark.parametrize("way", ["close frame", "abort", "before the prompt"])
async def test_the_session_ends_with_its_connection(ttyd, compat_server, way):
    async with ttyd_socket(ttyd) as socket:
        socket.send(BINARY, HELLO)
        if way != "before the prompt":
            await until(socket, b"$ ")
            socket.send(BINARY, b"0trap '' HUP; sleep 1000\r")
            await until(socket, b"sleep 1000\r\n")
        if way == "close frame":
            socket.send(CLOSE, (1000).to_bytes(2, "big"))
            await socket.hung_up()
    await none_is_left(compat_server)


async def test_it_ends_despite_another_viewer(ttyd, compat_server):
    async with shell(ttyd) as socket, connect(compat_server.url) as other:
        (session,) = await live(compat_server)
        await other.attach(session)
        other.command("printf '%s%s' bo th")
        await until(socket, b"both")
        socket.writer.transport.abort()
        assert (await other.wait_exit()).signal == "SIGHUP"


async def test_it_ends_with_a_worker_that_is_killed():
    with serving(*FLAGS) as server:
        async with shell(Place(server.port, "/ttyd", BEARER)), attached(server) as (_, answer):
            (worker,) = server.workers
            worker.send_signal(signal.SIGKILL)

            async def only_ours() -> bool:
                try:
                    return list(await live(server)) == [answer["session"]]
                except (ConnectionError, asyncio.IncompleteReadError):
                    return False  # that went to the worker which is gone; the next one goes to another

            await until_it(only_ours)


async def test_a_server_that_stops_says_so():
    with serving(*FLAGS) as server:
        async with shell(Place(server.port, "/ttyd", BEARER)) as socket:
            server.process.send_signal(signal.SIGTERM)
            code, _ = await end_of(socket)
            assert code == 1001


# --- who is there


def basic(text: str, scheme: str = "Basic") -> dict[str, str]:
    return {"Authorization": f"{scheme} {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    "headers",
    [BEARER, basic(f"anybody:{TOKEN}"), basic(f":{TOKEN}"), basic(f"a:{TOKEN}", "basic")],
)
async def test_a_token_opens_the_handshake_and_the_token_s_route(compat_server, headers):
    answer = await http(compat_server, "GET", "/ttyd/token", headers=headers)
    assert (answer.status, answer.json()) == (200, {"token": ""})
    assert answer.header("cache-control") == "no-store"
    async with shell(Place(compat_server.port, "/ttyd", headers)) as socket:
        assert await run(socket, "echo in") == "in"


async def test_a_cookie_does(compat_server):
    login = await http(compat_server, "POST", "/api/v1/login", body=json.dumps({"token": TOKEN}).encode())
    cookie = {"Cookie": login.header("set-cookie").partition(";")[0]}
    assert (await http(compat_server, "GET", "/ttyd/token", headers=cookie)).status == 200
    async with shell(Place(compat_server.port, "/ttyd", cookie)) as socket:
        assert await run(socket, "echo in") == "in"


async def test_the_hello_s_token_will_do(compat_server):
    hello = json.dumps({"AuthToken": TOKEN, "columns": 80, "rows": 24}).encode()
    async with shell(Place(compat_server.port, "/ttyd"), hello) as socket:
        assert await run(socket, "echo in") == "in"


@pytest.mark.parametrize(
    ("first", "code"),
    [(HELLO, 4000), (b'{"AuthToken":"wrong"}', 4000), (b"{}", 4000), (b"0x", 4000), (b'1{"columns":1,"rows":1}', 4000),
     (b"2", 4000), (b"9", 4000), (b"", 4000), (b"{", 4400), (b"{}" * 9, 4400)],
)  # fmt: skip
async def test_a_client_without_credentials_receives_nothing(compat_server, first, code):
    async with ttyd_socket(Place(compat_server.port, "/ttyd")) as socket:
        socket.send(BINARY, first)
        assert await end_of(socket) == (code, b"")


@pytest.mark.parametrize(
    "headers",
    [basic("anybody:wrong"), basic(TOKEN), {"Authorization": "Basic !"}, {"Authorization": "Basic"},
     {"Authorization": f"token {TOKEN}"}, {"Authorization": "Bearer wrong"}, {"Origin": "http://evil.example"},
     BEARER | {"Host": "evil.example"}],
)  # fmt: skip
async def test_wrong_credentials_are_refused_in_the_handshake(compat_server, headers):
    async with websocket(compat_server, path="/ttyd/ws", token=None, headers=headers, subprotocol="tty") as socket:
        assert socket.answer.status == 403


async def test_who_says_nothing_is_turned_away():
    with serving(*FLAGS, "--authentication-timeout", "0.3") as server:
        async with (
            ttyd_socket(Place(server.port, "/ttyd", BEARER)) as known,
            ttyd_socket(Place(server.port, "/ttyd")) as stranger,
        ):
            assert (await end_of(stranger))[0] == 4000
            # Whoever is known may take the time to say hello.
            known.send(BINARY, HELLO)
            await until(known, b"$ ")


async def test_a_viewer_gets_no_shell(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[users.eve]\ntoken = "eve-token-0123456789"\nrole = "viewer"\n')
    with serving(*FLAGS, "--config", str(config)) as server:
        headers = {"Authorization": "Bearer eve-token-0123456789"}
        async with ttyd_socket(Place(server.port, "/ttyd", headers)) as socket:
            socket.send(BINARY, HELLO)
            assert (await end_of(socket)) == (4003, b"")


@pytest.mark.parametrize("subprotocol", ["", "web-terminal.v1", "TTY"])
async def test_the_subprotocol_must_be_offered(compat_server, subprotocol):
    async with websocket(compat_server, path="/ttyd/ws", subprotocol=subprotocol) as socket:
        assert socket.answer.status == 400
        assert b"offer tty" in socket.answer.body


async def test_it_is_off_unless_a_path_is_set(server):
    for path in ("/ttyd/ws", "/ws"):
        async with websocket(server, path=path, subprotocol="tty") as socket:
            assert socket.answer.status in (400, 404)
    assert (await http(server, "GET", "/ttyd/token", token=TOKEN)).status == 404


async def test_a_base_path_goes_before_it():
    with serving(*FLAGS, "--base-path", "/term") as server:
        async with shell(Place(server.port, "/term/ttyd", BEARER)) as socket:
            assert await run(socket, "echo in") == "in"
        assert (await http(server, "GET", "/term/ttyd/token", token=TOKEN)).json() == {"token": ""}
        assert (await http(server, "GET", "/term/ttyd/token")).status == 401


# --- what is no message of ttyd's


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b'1{"columns":"x","rows":1}', 4400),
        (b"1", 4400),
        (b"1" + b"[" * 100_000, 4400),
        (b"{", 4400),
        (b'{"columns":1.5}', 4400),
        (b"\x30" + b"x" * (1 << 20), 1009),
    ],
)
async def test_what_is_broken_closes(ttyd, frame, code):
    async with shell(ttyd) as socket:
        socket.send(BINARY, frame)
        assert (await end_of(socket))[0] == code


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"9", b"4x", b"\xff\xff", b"}",
        HELLO, b'{"AuthToken":"wrong","columns":9,"rows":9}',
        b'1{"columns":0,"rows":0}', b'1{"columns":-5,"rows":10}', b'1{"columns":501,"rows":10}',
        b'1{"columns":10,"rows":4294967296}', b'1{"columns":80,"rows":24,"more":1}',
    ],
)  # fmt: skip
async def test_what_ttyd_passes_over_we_pass_over(ttyd, frame):
    """Unknown kinds, a second hello, sizes that no terminal has."""
    async with shell(ttyd) as socket:
        socket.send(BINARY, frame)
        assert await run(socket, "stty size") == "24 80"


@pytest.mark.parametrize("frame", [b"0early\r", b'1{"columns":9,"rows":9}', b"2", b"3", b"9", b""])
async def test_what_comes_before_the_hello_is_without_effect(ttyd, frame):
    async with ttyd_socket(ttyd) as socket:
        socket.send(BINARY, frame)
        socket.send(BINARY, HELLO)
        assert await until(socket, b"$ ") == b"$ "
        assert await run(socket, "stty size") == "24 80"


async def test_fragments_are_put_together(ttyd):
    async with shell(ttyd) as socket:
        socket.send(BINARY, b"0printf '%s%s' fra", fin=False)
        socket.send(PING, b"?")
        socket.send(CONTINUATION, b" gment", fin=False)
        socket.send(CONTINUATION, b"\r")
        seen = b""
        while b"fragment" not in seen:
            opcode, payload = await socket.frame()
            seen += payload[1:] if opcode == BINARY else b""


async def test_messages_are_limited_where_a_limit_is_set():
    with serving(*FLAGS, "--messages-per-second", "50") as server:
        async with shell(Place(server.port, "/ttyd", BEARER)) as socket:
            for _ in range(200):
                socket.send(BINARY, b"0x")
            assert (await end_of(socket))[0] == 4002


async def test_unread_input_is_dropped_beyond_a_mebibyte(ttyd, compat_server):
    async with shell(ttyd) as socket:
        socket.send(BINARY, b"0stty raw -echo; printf '%s%s' rea dy; sleep 1000\r")
        await until(socket, b"ready")
        for _ in range(6):
            socket.send(BINARY, b"0" + b"x" * 500_000)
            await socket.writer.drain()
        socket.send(PING, b"there")
        assert await socket.frame() == (PONG, b"there")
        (worker,) = compat_server.workers
        assert worker.memory_info().rss < 200 << 20
