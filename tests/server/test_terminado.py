"""Jupyter's terminals on our server: REST, the protocol, permissions, and malformed messages."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TOKEN, serving
from tests.server.conftest import BEARER, FLAGS
from tests.server.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, http, websocket
from tests.server.real import Place, new_terminal, terminal_socket
from tests.server.watching import blocked, live, none_is_left, until_it
from web_terminal_suite.client.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.raw import Answer, Socket

ANN, BOB = "ann-token-0123456789", "bob-token-0123456789"


def say(socket: Socket, *message: Any) -> None:
    socket.send(TEXT, json.dumps(message).encode())


def type_line(socket: Socket, line: str) -> None:
    say(socket, "stdin", f"{line}\r")


async def heard(socket: Socket) -> list[Any]:
    opcode, payload = await socket.frame()
    assert opcode == TEXT, (opcode, payload)
    return json.loads(payload)


async def until(socket: Socket, what: str) -> str:
    """Output up to ``what``."""
    seen = ""
    while what not in seen:
        kind, text = await heard(socket)
        assert kind == "stdout"
        seen += text
    return seen


async def run(socket: Socket, line: str) -> str:
    """What a command printed."""
    type_line(socket, line)
    return (await until(socket, "\r\n$ ")).partition("\r\n")[2].removesuffix("\r\n$ ")


async def end_of(socket: Socket) -> tuple[int, list[Any]]:
    """How it is closed, 1006 where no close frame comes, and the messages before."""
    messages: list[Any] = []
    try:
        while True:
            opcode, payload = await socket.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), messages
            messages.append(json.loads(payload))
    except (asyncio.IncompleteReadError, ConnectionError):
        return 1006, messages


@contextlib.asynccontextmanager
async def shell(place: Place, name: str | None = None) -> AsyncIterator[Socket]:
    """A terminal that is there and has prompted."""
    async with terminal_socket(place, name) as socket:
        assert await heard(socket) == ["setup", {}]
        await until(socket, "$ ")
        yield socket


async def rest(place: Place, method: str, path: str = "", body: bytes | None = None, **headers: str) -> Answer:
    """A request about terminals."""
    return await http(place, method, f"{place.path}/api/terminals{path}", body=body, headers=place.headers | headers)


async def end(place: Place, name: str) -> None:
    assert (await rest(place, "DELETE", f"/{name}")).status == 204


@pytest.fixture(autouse=True)
async def as_it_was(request):
    """After each test its terminals are ended, and the native protocol on the same server works."""
    yield
    if "compat_server" in request.fixturenames:
        server = request.getfixturevalue("compat_server")
        for name in await live(server):
            await rest(Place(server.port, "/jupyter", BEARER), "DELETE", f"/{name}")
        await none_is_left(server)
        async with connect(server.url) as connection:
            await connection.attach()
            assert (await connection.run("echo fine")).output == b"fine\r\n"
            await connection.close(destroy=True)


# --- REST


async def test_a_terminal_is_made_listed_read_and_ended(jupyter):
    assert (await rest(jupyter, "GET")).json() == []
    made = await rest(jupyter, "POST")
    assert made.status == 200
    name = made.json()["name"]
    seen = datetime.datetime.fromisoformat(made.json()["last_activity"])
    assert made.json()["last_activity"].endswith("Z")
    assert abs(datetime.datetime.now(datetime.UTC) - seen) < datetime.timedelta(minutes=5)
    (listed,) = (await rest(jupyter, "GET")).json()
    read = await rest(jupyter, "GET", f"/{name}")
    assert set(read.json()) == set(listed) == {"name", "last_activity"}
    assert read.json()["name"] == listed["name"] == name
    ended = await rest(jupyter, "DELETE", f"/{name}")
    assert (ended.status, ended.body) == (204, b"")
    for method in ("GET", "DELETE"):
        answer = await rest(jupyter, method, f"/{name}")
        assert answer.status == 404
        assert "message" in answer.json()
    assert (await rest(jupyter, "GET")).json() == []


async def test_a_shell_that_ended_is_no_terminal_any_more(jupyter):
    async with shell(jupyter) as socket:
        (listed,) = (await rest(jupyter, "GET")).json()
        type_line(socket, "exit")
        assert (await end_of(socket))[0] == 1000
        assert (await rest(jupyter, "GET")).json() == []
        assert (await rest(jupyter, "DELETE", f"/{listed['name']}")).status == 404


@pytest.mark.parametrize(
    ("body", "directory"),
    [
        (b"", None), (b"{}", None), (b"null", None), (b'{"cwd":""}', None), (b'{"cwd":null,"name":null}', None),
        (b'{"cwd":"/usr"}', "/usr"), (b'{"cwd":"nowhere-at-all"}', None), (b'{"cwd":"/nowhere/at/all"}', None),
        (b'{"cwd":"a\\u0000b"}', None), (b'{"cwd":"below","shell_command":["rm"],"extra":1}', "below"),
    ],
)  # fmt: skip
async def test_where_a_new_shell_starts(tmp_path_factory, body, directory):
    home = tmp_path_factory.mktemp("home")
    (home / "below").mkdir()
    with serving(*FLAGS, "--cwd", str(home)) as server:
        place = Place(server.port, "/jupyter", BEARER)
        made = await rest(place, "POST", body=body)
        assert made.status == 200, made
        async with shell(place, made.json()["name"]) as socket:
            assert await run(socket, "pwd") == str(home / (directory or ""))


async def test_a_name_that_is_asked_for_is_the_session_s(jupyter, compat_server):
    made = await rest(jupyter, "POST", body=b'{"name":"build"}')
    session = made.json()["name"]
    facts = (await http(compat_server, "GET", f"/api/v1/sessions/{session}", token=TOKEN)).json()
    assert (facts["id"], facts["name"]) == (session, "build")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name":3}', b'{"cwd":["/"]}', b'{"name":"' + b"x" * 101 + b'"}'])
async def test_a_body_that_is_none_is_refused(jupyter, body):
    answer = await rest(jupyter, "POST", body=body)
    assert answer.status in (400, 422)
    assert "message" in answer.json()


async def test_the_limit_of_sessions_is_theirs_too():
    with serving(*FLAGS, "--max-sessions", "1") as server:
        place = Place(server.port, "/jupyter", BEARER)
        await new_terminal(place)
        answer = await rest(place, "POST")
        assert (answer.status, answer.json()["code"]) == (429, "session_limit")


# --- the protocol


async def test_a_terminal_outlives_its_connections_and_is_replayed(jupyter):
    name = await new_terminal(jupyter)
    async with shell(jupyter, name) as socket:
        say(socket, "set_size", 31, 101)
        assert await run(socket, "first=1; stty size") == "31 101"
    async with terminal_socket(jupyter, name) as socket:
        assert await heard(socket) == ["setup", {}]
        await until(socket, "31 101\r\n$ ")
        assert await run(socket, "echo $first") == "1"


async def test_several_clients_see_and_type_the_same(jupyter, compat_server):
    name = await new_terminal(jupyter)
    async with shell(jupyter, name) as first, shell(jupyter, name) as second, connect(compat_server.url) as native:
        await native.attach(name)
        type_line(first, "printf '%s%s' from first")
        type_line(second, "printf '%s%s' from second")
        native.command("printf '%s%s' from native")
        for socket in (first, second):
            seen = ""
            while not all(f"from{each}" in seen for each in ("first", "second", "native")):
                seen += (await heard(socket))[1]
        # The end is told to all of them.
        await end(jupyter, name)
        for socket in (first, second):
            code, messages = await end_of(socket)
            assert (code, messages[-1]) == (1000, ["disconnect", 1])


async def test_input_that_comes_before_setup_is_typed(jupyter):
    async with terminal_socket(jupyter) as socket:
        type_line(socket, "stty size; printf '%s%s' ear ly")
        say(socket, "set_size", 20, 70)
        assert await heard(socket) == ["setup", {}]
        await until(socket, "early$ ")
        assert await run(socket, "stty size") == "20 70"


@pytest.mark.parametrize("line", ["exit", "exit 3", "kill -9 $$"])
async def test_the_end_is_a_disconnect_and_a_normal_close(jupyter, line):
    async with shell(jupyter) as socket:
        type_line(socket, f"printf '%s%s' la st; {line}")
        code, messages = await end_of(socket)
        assert (code, messages[-1]) == (1000, ["disconnect", 1])
        assert "".join(each[1] for each in messages[:-1]).endswith("last")


async def test_characters_are_not_cut_and_other_bytes_are_replaced(jupyter, tmp_path):
    """A character's first bytes are held back until the rest comes, and shown as they are at the end."""
    async with shell(jupyter) as socket:
        line = f"printf 'a\\342\\202'; touch {tmp_path}/cut; read x; printf '\\254\\377b\\303'; exit"
        type_line(socket, f"stty -echo; {line}")

        async def cut() -> bool:
            return (tmp_path / "cut").exists()

        await until_it(cut)
        await until(socket, "exit\r\na")
        socket.send(PING, b"nothing held back was sent")
        assert await socket.frame() == (PONG, b"nothing held back was sent")
        say(socket, "stdin", "\r")
        _, messages = await end_of(socket)
        assert "".join(each[1] for each in messages[:-1]) == "\u20ac\ufffdb\ufffd"


async def test_every_byte_of_a_large_output_arrives(jupyter):
    async with shell(jupyter) as socket:
        type_line(socket, "stty -echo; seq 1 100000; exit")
        _, messages = await end_of(socket)
        text = "".join(each[1] for each in messages[:-1]).partition("exit\r\n")[2]
        expected = "".join(f"{n}\r\n" for n in range(1, 100001))
        assert hashlib.sha256(text.encode()).digest() == hashlib.sha256(expected.encode()).digest()


async def test_output_beyond_the_log_is_told_in_the_output(compat_server, jupyter):
    """Another client reads on while this one does not, and the log is only so long."""
    name = await new_terminal(jupyter)
    async with shell(jupyter, name) as slow, connect(compat_server.url) as quick:
        await quick.attach(name)
        slow.writer.transport.pause_reading()
        await quick.run("seq 1 3000000", timeout=60)
        slow.writer.transport.resume_reading()
        seen = await until(slow, "3000000\r\n")
        assert "bytes of output were lost]\r\n" in seen


async def test_a_client_that_never_reads_makes_its_program_wait(compat_server, jupyter):
    """There are no acknowledgements; what has left our buffer counts as one."""
    (worker,) = compat_server.workers
    async with contextlib.AsyncExitStack() as stack:
        before = worker.memory_info().rss
        stuck = [await stack.enter_async_context(shell(jupyter)) for _ in range(4)]
        for socket in stuck:
            type_line(socket, "yes 0123456789abcdefghijklmnopqrstuvwxyz")
            socket.writer.transport.pause_reading()
        await blocked(compat_server, "yes")
        printed = await live(compat_server)
        assert len(printed) == 4
        # A window each as JSON, their logs, and what that takes to handle; not what was printed.
        assert worker.memory_info().rss - before < 8 << 20
        assert await live(compat_server) == printed
        # It is heard still, and when it reads again nothing is missing.
        say(stuck[0], "stdin", "\x03")
        stuck[0].writer.transport.resume_reading()
        lines = (await until(stuck[0], "$ ")).split("\r\n")
        assert set(lines[1:-2]) == {"0123456789abcdefghijklmnopqrstuvwxyz"}


# --- who is there


async def test_jupyter_s_scheme_opens_rest_and_websocket(compat_server):
    place = Place(compat_server.port, "/jupyter", {"Authorization": f"token {TOKEN}"})
    async with shell(place) as socket:
        assert await run(socket, "echo in") == "in"
    assert (await rest(place, "GET")).status == 200


async def test_a_token_in_the_query_opens_the_websocket_only(compat_server, jupyter):
    name = await new_terminal(jupyter)
    async with websocket(
        compat_server, path=f"/jupyter/terminals/websocket/{name}?a=b&token={TOKEN}", token=None, subprotocol=""
    ) as socket:
        assert socket.answer.status == 101
        assert await heard(socket) == ["setup", {}]
    for path in ("/jupyter/api/terminals", f"/jupyter/api/terminals/{name}", "/ttyd/token", "/api/v1/me"):
        assert (await http(compat_server, "GET", f"{path}?token={TOKEN}")).status == 401
    async with websocket(compat_server, path=f"/ttyd/ws?token={TOKEN}", token=None, subprotocol="tty") as socket:
        socket.send(BINARY, b"{}")
        assert await socket.frame() == (CLOSE, b"\x0f\xa0wrong token")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_over_http_is_remembered_in_a_cookie_that_opens_the_websocket(compat_server, method):
    """As with Jupyter: where page and server are one origin, JupyterLab sends the token with REST only."""
    answer = await rest(Place(compat_server.port, "/jupyter", {"Authorization": f"token {TOKEN}"}), method)
    pair, *flags = answer.header("set-cookie").split("; ")
    assert pair.startswith(f"web_terminal_{compat_server.port}=")
    assert {"httponly", "path=/", "samesite=strict"} <= {flag.lower() for flag in flags}
    assert TOKEN not in pair
    place = Place(compat_server.port, "/jupyter", {"Cookie": pair})
    async with shell(place) as socket:
        assert await run(socket, "echo in") == "in"
    # Whoever came with it gets no new one: a login must end at some time.
    assert (await rest(place, method)).header("set-cookie") is None


async def test_without_authentication_there_is_nothing_to_remember():
    with serving(*FLAGS, "--insecure-no-auth", env={"WEB_TERMINAL_TOKEN": ""}) as server:
        place = Place(server.port, "/jupyter", {"Authorization": "token anything"})
        answer = await rest(place, "POST")
        assert (answer.status, answer.header("set-cookie")) == (200, None)
        async with shell(Place(server.port, "/jupyter"), answer.json()["name"]) as socket:
            assert await run(socket, "echo in") == "in"


@pytest.mark.parametrize(
    ("query", "headers"),
    [("", {}), ("?token=wrong", {}), ("?token=", {}), ("?tokens=" + TOKEN, {}), ("", {"Authorization": "token wrong"}),
     ("", {"Authorization": "Basic OnRva2VuLWZvci10ZXN0cy0wMTIzNDU2Nzg5"}), ("", {"Cookie": "web_terminal=x"}),
     (f"?token={TOKEN}", {"Authorization": "token wrong"}), (f"?token={TOKEN}", {"Origin": "http://evil.example"}),
     (f"?token={TOKEN}", {"Host": "evil.example"}), (f"#token={TOKEN}", {})],
)  # fmt: skip
async def test_without_good_credentials_there_is_no_websocket(compat_server, jupyter, query, headers):
    name = await new_terminal(jupyter)
    path = f"/jupyter/terminals/websocket/{name}{query}"
    async with websocket(compat_server, path=path, token=None, headers=headers, subprotocol="") as socket:
        assert socket.answer.status in (403, 404)


async def test_what_is_not_one_s_own_is_not_there(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(
        f'[users.ann]\ntoken = "{ANN}"\n[users.bob]\ntoken = "{BOB}"\n'
        '[users.eve]\ntoken = "eve-token-0123456789"\nrole = "viewer"\n'
    )
    with serving(*FLAGS, "--config", str(config)) as server:
        ann, bob, eve = (
            Place(server.port, "/jupyter", {"Authorization": f"token {token}"})
            for token in (ANN, BOB, "eve-token-0123456789")
        )
        async with shell(ann) as socket:
            (listed,) = (await rest(ann, "GET")).json()
            name = listed["name"]
            assert (await rest(bob, "GET")).json() == []
            for method in ("GET", "DELETE"):
                assert (await rest(bob, method, f"/{name}")).status == 404
            async with terminal_socket(bob, name) as theirs:
                assert await end_of(theirs) == (4404, [])
            # A viewer sees it and changes nothing.
            assert [each["name"] for each in (await rest(eve, "GET")).json()] == [name]
            assert (await rest(eve, "DELETE", f"/{name}")).status == 403
            assert (await rest(eve, "POST")).status == 403
            async with shell(eve, name) as watching:
                say(watching, "stdin", "echo no\r")
                say(watching, "set_size", 9, 9)
                type_line(socket, "printf '%s%s' se en; stty size")
                assert "seen24 80" in await until(watching, "24 80")


@pytest.mark.parametrize("name", ["1", "nothing", "0" * 24, "_", "x" * 200])
async def test_an_unknown_name_is_told_at_once(jupyter, name):
    async with terminal_socket(jupyter, name) as socket:
        assert await end_of(socket) == (4404, [])


@pytest.mark.parametrize("path", ["", "/", "/a/b", "/%31", "/..", "/a-b", "/a.b", "//a", "/%c3%a9"])
async def test_what_is_no_name_has_no_websocket(compat_server, path):
    async with websocket(compat_server, path=f"/jupyter/terminals/websocket{path}", subprotocol="") as socket:
        assert socket.answer.status == 404


async def test_it_is_off_unless_a_path_is_set(server):
    for path in ("/terminals/websocket/1", "/jupyter/terminals/websocket/1"):
        async with websocket(server, path=path, subprotocol="") as socket:
            assert socket.answer.status == 404
    for path in ("/api/terminals", "/jupyter/api/terminals"):
        assert (await http(server, "GET", path, token=TOKEN)).status == 404


async def test_a_base_path_goes_before_it():
    with serving(*FLAGS, "--base-path", "/term") as server:
        place = Place(server.port, "/term/jupyter", {"Authorization": f"token {TOKEN}"})
        async with shell(place) as socket:
            assert await run(socket, "echo in") == "in"
        assert len((await rest(place, "GET")).json()) == 1


async def test_several_workers_serve_one_terminal():
    with serving(*FLAGS, "--workers", "2") as server:
        place = Place(server.port, "/jupyter", BEARER)
        name = await new_terminal(place)
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(shell(place, name)) for _ in range(6)]
            type_line(sockets[0], "printf '%s%s' to all")
            for socket in sockets:
                await until(socket, "toall")


# --- what is no message of theirs


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        (TEXT, b"{", 4400), (TEXT, b"", 4400), (TEXT, b"{}", 4400), (TEXT, b"[]", 4400), (TEXT, b"null", 4400),
        (TEXT, b'["stdin"]', 4400), (TEXT, b'["stdin",3]', 4400), (TEXT, b'["stdout","x"]', 4400),
        (TEXT, b'["sudo","x"]', 4400), (TEXT, b"[" * 100_000, 4400), (TEXT, b'["stdin","\\ud800"]', 4400),
        (TEXT, b'["stdin","\xff"]', 4400), (BINARY, b'["stdin","x"]', 1003), (BINARY, b"", 1003),
        (TEXT, b'["stdin","' + b"x" * (1 << 20) + b'"]', 1009), (CONTINUATION, b"x", 1003),
    ],
)  # fmt: skip
async def test_what_is_broken_closes(jupyter, opcode, payload, code):
    async with shell(jupyter) as socket:
        socket.send(opcode, payload)
        closed, messages = await end_of(socket)
        assert (closed in (code, 1002) if opcode == CONTINUATION else closed == code, messages) == (True, [])
        # The terminal is there still.
        (name,) = [each["name"] for each in (await rest(jupyter, "GET")).json()]
    async with shell(jupyter, name) as socket:
        assert await run(socket, "echo on") == "on"


@pytest.mark.parametrize(
    "message",
    [
        ["set_size"], ["set_size", 10], ["set_size", None, None, None, None], ["set_size", "a", "b"],
        ["set_size", 0, 0], ["set_size", -1, 80], ["set_size", 24, 501], ["set_size", 201, 80],
        ["set_size", 1 << 70, 80], ["set_size", 1.5, 2.5],
    ],
)  # fmt: skip
async def test_sizes_that_are_none_are_passed_over(jupyter, message):
    async with shell(jupyter) as socket:
        say(socket, *message)
        assert await run(socket, "stty size") == "24 80"


async def test_more_items_than_are_known_are_passed_over(jupyter):
    async with shell(jupyter) as socket:
        say(socket, "set_size", 30, 100, 600, 800, "more")
        say(socket, "stdin", "stty size\r", {"more": 1})
        await until(socket, "30 100\r\n$ ")


async def test_fragments_are_put_together(jupyter):
    async with shell(jupyter) as socket:
        socket.send(TEXT, b'["stdin","printf \'%s%s\' fra', fin=False)
        socket.send(CONTINUATION, b' gment\\r"]')
        await until(socket, "fragment")
