"""What the gate keeps out. Every CVE class of web terminals that applies to this one is a test here, by name."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import re
from http import HTTPStatus

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.conftest import FLAGS
from tests.server.raw import BINARY, CLOSE, attached, http, ready, websocket
from tests.server.real import Place, new_terminal, terminal_socket, ttyd_socket
from web_terminal_suite.client.connection import connect
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.server.worker.http import api, jupyter, ttyd

ANN, BOB, EVE = "ann-token-0123456789", "bob-token-0123456789", "eve-token-0123456789"
USERS = f'[users.ann]\ntoken = "{ANN}"\n[users.bob]\ntoken = "{BOB}"\n[users.eve]\ntoken = "{EVE}"\nrole = "viewer"\n'


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    """A server with an owner, two users and a viewer."""
    config = tmp_path_factory.mktemp("users") / "config.toml"
    config.write_text(USERS)
    with serving("--config", str(config)) as each:
        yield each


@pytest.fixture(scope="module")
def strict():
    """A server whose limits on guessing are low, so that it is not shared with other modules."""
    with serving("--login-attempts-per-minute", "3", "--authentication-timeout", "0.5") as each:
        yield each


async def login(server, token: str = TOKEN, **headers: str):
    return await http(server, "POST", "/api/v1/login", body=json.dumps({"token": token}).encode(), headers=headers)


def cookie_of(answer) -> tuple[str, dict[str, str]]:
    """The pair to send back, and the attributes in lower case."""
    (value,) = [value for name, value in answer.headers if name == "set-cookie"]
    pair, *attributes = [part.strip() for part in value.split(";")]
    return pair, {name.lower(): rest for name, _, rest in (part.partition("=") for part in attributes)}


# --- default deny


async def routes(server) -> list[tuple[str, str]]:
    """Every operation of the OpenAPI document and of the route tables, with a value for each parameter."""
    document = (await http(server, "GET", "/api/v1/openapi.json", token=TOKEN)).json()
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    tables = (("/api/v1", api.OPERATIONS), ("/ttyd", ttyd.OPERATIONS), ("/jupyter", jupyter.OPERATIONS))
    for place, operations in tables:
        found |= {(each.method, place + each.path) for each in operations}
    return sorted((method, re.sub(r"\{[^}]*\}", "0" * 24, path)) for method, path in found)


async def test_every_route_refuses_who_has_no_credentials(compat_server):
    """CVE-2026-39987 (marimo): a route that forgot to ask. On a server with every protocol."""
    server = compat_server
    seen = await routes(server)
    assert {("GET", "/ttyd/token"), ("GET", "/jupyter/api/terminals"), ("POST", "/jupyter/api/terminals")} <= set(seen)
    assert len(seen) >= 17
    for method, path in [*seen, ("GET", "/api/v1/openapi.json"), ("GET", "/api/v1"), ("GET", "/api/v1/")]:
        answer = await http(server, method, path, body=b"{}" if method in ("POST", "PATCH", "PUT") else None)
        if (method, path) == ("GET", "/api/v1/health"):
            assert answer.status == 200
            assert set(answer.json()) == {"status", "version"}
        elif (method, path) == ("GET", "/api/v1/health/live"):
            assert (answer.status, answer.json()) == (200, {"status": "alive"})
        elif (method, path) == ("POST", "/api/v1/login"):
            assert answer.status == 422
        else:
            assert (answer.status, answer.json()["code"]) == (401, "authentication_failed"), (method, path)
            # A browser asks its user where Basic is offered: on ttyd's path, whose users know it so.
            basic = path.startswith("/ttyd")
            assert answer.header("www-authenticate") == ('Basic realm="web-terminal"' if basic else "Bearer")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/v2/sessions", "/schema", "/docs", "/metrics", "/ws", "/api/v1/login", "/static/x",
     "/.env", "/api/v1/health/", "/api/v1//health", "//api/v1/health", "/API/v1/health", "/api/v1/sessions%2f",
     "/index.html/"],
)  # fmt: skip
async def test_an_unlisted_path_is_refused_too(server, path):
    assert (await http(server, "GET", path)).status == 401


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "CONNECT", "PROPFIND"])
async def test_an_unlisted_method_is_refused(server, method):
    for path in ("/api/v1/login", "/api/v1/sessions"):
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            status = int((await reader.readline()).split()[1])
            writer.transport.abort()
        assert status in (400, 401, 405), (method, path)


@pytest.mark.parametrize("path", ["/", "/api/v1/sessions", "/wss", "/ws/", "/ws/x", "/terminals/websocket/1"])
async def test_there_is_no_websocket_but_one(server, path):
    """CVE-2026-39987: middleware does not run for WebSockets, so every path must be closed by itself."""
    async with websocket(server, path=path, token=TOKEN) as socket:
        assert socket.answer.status == 404


@pytest.mark.parametrize(
    "path",
    ["/ttyd", "/ttyd/", "/ttyd/ws/", "/ttyd/ws/x", "/ttyd/wss", "/ttydx/ws", "/ttyd/token", "/xttyd/ws", "/jupyter/ws",
     "/jupyter/terminals/websocket", "/jupyter/terminals/websocket/", "/jupyterx/terminals/websocket/1",
     "/jupyter/api/terminals/1", "/ttyd/terminals/websocket/1"],
)  # fmt: skip
async def test_compat_protocols_have_one_websocket_each(compat_server, path):
    async with websocket(compat_server, path=path, token=TOKEN, subprotocol="tty") as socket:
        assert socket.answer.status == 404


async def test_compat_websockets_require_credentials_too(compat_server):
    """CVE-2021-34182 (ttyd): a shell for whoever finds the port."""
    session = await new_terminal(Place(compat_server.port, "/jupyter", {"Authorization": f"token {TOKEN}"}))
    async with websocket(
        compat_server, path=f"/jupyter/terminals/websocket/{session}", token=None, subprotocol=""
    ) as socket:
        assert socket.answer.status == HTTPStatus.FORBIDDEN
    for first in (b'{"AuthToken":"","columns":80,"rows":24}', b"0id\r", b"3"):
        async with ttyd_socket(Place(compat_server.port, "/ttyd")) as socket:
            socket.send(BINARY, first)
            opcode, payload = await socket.frame()
            assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, 4000)
    assert (await http(compat_server, "DELETE", f"/api/v1/sessions/{session}", token=TOKEN)).status == 204


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": "10.0.0.1"}]
)
async def test_other_sites_do_not_reach_compat_protocols(compat_server, headers):
    """Hijacking and DNS rebinding, with the credentials that a browser would send along."""
    cookie, _ = cookie_of(await login(compat_server))
    for credentials in ({"Cookie": cookie}, {"Authorization": f"Bearer {TOKEN}"}):
        sent = credentials | headers
        async with websocket(compat_server, path="/ttyd/ws", token=None, headers=sent, subprotocol="tty") as socket:
            assert socket.answer.status == 403
        path = f"/jupyter/terminals/websocket/1?token={TOKEN}"
        async with websocket(compat_server, path=path, token=None, headers=sent, subprotocol="") as socket:
            assert socket.answer.status == 403
        answer = await http(compat_server, "POST", "/jupyter/api/terminals", body=b"{}", headers=sent)
        assert answer.status == 403


async def test_a_websocket_without_credentials_hears_nothing_but_authenticate(strict):
    """CVE-2025-52882 (IDE extensions), CVE-2021-34182 (ttyd): a socket on loopback that asks nobody."""
    typed = {"type": "input", "data": "x"}
    for message in ({"type": "attach"}, {"type": "ping"}, {"type": "echo", "data": "x"}, typed):
        async with websocket(strict, token=None) as socket:
            assert (await socket.heard("connection_status"))["status"] == "authentication_required"
            socket.say(**message)
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4000, "authentication_required")


async def test_who_does_not_authenticate_in_time_is_turned_away(strict):
    async with websocket(strict, token=None) as socket:
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (4000, "authentication_timeout")
        assert "0.5 s" in error["message"]


async def test_a_wrong_authorization_is_refused_in_the_handshake(users):
    async with websocket(users, token="wrong") as socket:
        assert socket.answer.status == HTTPStatus.FORBIDDEN
        assert b"wrong token" in socket.answer.body


# --- other sites


FOREIGN = [
    "http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "https://127.0.0.1.evil.example",
    "file://", "http://[", "http://127.0.0.1:7681@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
async def test_cross_site_websocket_hijacking(users, origin):
    """CVE-2026-34403 (nginx-ui), CVE-2023-26114 (code-server), CVE-2023-0957 (Gitpod), CVE-2023-30856 (eDEX-UI):
    the page of another site opens a WebSocket, and the browser sends our cookie along."""
    cookie, _ = cookie_of(await login(users))
    async with websocket(users, token=None, headers={"Origin": origin, "Cookie": cookie}) as socket:
        assert socket.answer.status == 403
        assert b"origin" in socket.answer.body
    answer = await http(users, "POST", "/api/v1/sessions", body=b"{}", headers={"Origin": origin, "Cookie": cookie})
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert (await login(users, TOKEN, Origin=origin)).status == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "localhost.", ""])
async def test_dns_rebinding(users, host):
    """A name of the attacker's that resolves to us makes Origin and Host agree; only a list of hosts helps."""
    headers = {"Host": host, "Origin": f"http://{host}"} if host else {"Host": ""}
    async with websocket(users, headers=headers) as socket:
        assert socket.answer.status in (400, 403)
    for method, path in (("GET", "/"), ("GET", "/api/v1/sessions"), ("GET", "/api/v1/me"), ("POST", "/api/v1/login")):
        body = b"{}" if method == "POST" else None
        answer = await http(users, method, path, token=TOKEN, headers=headers, body=body)
        assert answer.status in (400, 403), (method, path)


async def test_our_own_page_and_the_hosts_that_were_allowed_are_let_in():
    flags = ("--allow-host", "term.example", "--allow-origin", "https://page.example")
    with serving(*flags) as server:
        for headers in (
            {"Host": f"localhost:{server.port}", "Origin": f"http://localhost:{server.port}"},
            {"Host": "TERM.example", "Origin": "https://term.example"},
            {"Origin": "https://page.example"},
        ):
            async with websocket(server, headers=headers) as socket:
                assert socket.answer.status == 101
            answer = await http(server, "POST", "/api/v1/logout", token=TOKEN, body=b"", headers=headers)
            assert answer.status == 204


async def test_no_other_site_is_told_that_it_may_read(server):
    for origin in ("http://evil.example", f"http://127.0.0.1:{server.port}"):
        answer = await http(server, "GET", "/api/v1/sessions", token=TOKEN, headers={"Origin": origin})
        assert not [name for name, _ in answer.headers if name.startswith("access-control-")]
        assert answer.header("cross-origin-resource-policy") == "same-origin"


# --- the cookie


async def test_cookie_flags(users):
    """CVE-2018-1340 (Guacamole): no Secure; CVE-2026-34403: readable by scripts."""
    pair, flags = cookie_of(await login(users))
    assert pair.startswith(f"web_terminal_{users.port}=")
    assert "httponly" in flags
    assert flags["samesite"].lower() == "strict"
    assert flags["path"] == "/"
    assert int(flags["max-age"]) == 7 * 24 * 3600
    assert "secure" not in flags
    assert "domain" not in flags
    assert TOKEN not in pair
    with serving("--allow-origin", "https://page.example", "--base-path", "/term") as server:
        body = json.dumps({"token": TOKEN}).encode()
        answer = await http(server, "POST", "/term/api/v1/login", body=body, headers={"Origin": "https://page.example"})
        _, flags = cookie_of(answer)
        assert "secure" in flags
        assert flags["path"] == "/term"


async def test_a_cookie_opens_rest_and_websocket_and_logout_takes_it_back(users):
    cookie, _ = cookie_of(await login(users, ANN))
    answer = await http(users, "GET", "/api/v1/me", headers={"Cookie": cookie})
    assert (answer.status, answer.json()) == (200, {"user": "ann", "role": "user"})
    async with websocket(users, token=None, headers={"Cookie": f"other=1; {cookie}"}) as socket:
        assert (await socket.heard("connection_status"))["status"] == "ready"
        assert (await socket.heard("authenticated"))["user"] == "ann"
    answer = await http(users, "POST", "/api/v1/logout", body=b"", headers={"Cookie": cookie})
    assert answer.status == 204
    pair, flags = cookie_of(answer)
    assert flags["max-age"] == "0"
    assert pair.partition("=")[2].strip('"') in ("", "null")


async def test_a_tampered_cookie_is_no_login(users):
    cookie, _ = cookie_of(await login(users, ANN))
    name, _, value = cookie.partition("=")
    payload, stamp, signature = value.split(".")
    changed = (f"{payload}x.{stamp}.{signature}", f"{payload}.{stamp}x.{signature}")
    for bad in (value[:-1], *changed, "", TOKEN, "..", "a.b.c"):
        answer = await http(users, "GET", "/api/v1/me", headers={"Cookie": f"{name}={bad}"})
        assert answer.status == 401, bad
        async with websocket(users, token=None, headers={"Cookie": f"{name}={bad}"}) as socket:
            assert (await socket.heard("connection_status"))["status"] == "authentication_required"


async def test_a_socket_ends_with_the_login_that_opened_it():
    """CVE-2023-40025 (Argo CD), CVE-2026-9162 (Mattermost): a live socket outlived its token."""
    with serving("--login-seconds", "2") as server:
        cookie, flags = cookie_of(await login(server))
        assert flags["max-age"] == "2"
        async with websocket(server, token=None, headers={"Cookie": cookie}) as socket:
            await socket.heard("authenticated")
            socket.say(type="attach")
            session = (await socket.heard("attached"))["session"]
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4001, "session_expired")
        assert (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookie})).status == 401
        async with websocket(server, token=None, headers={"Cookie": cookie}) as socket:
            assert (await socket.heard("connection_status"))["status"] == "authentication_required"
        # The shell is its user's still.
        answer = await http(server, "GET", f"/api/v1/sessions/{session}", token=TOKEN)
        assert answer.json()["state"] == "running"


# --- guessing


async def test_logins_are_limited_however_they_are_tried():
    """CVE-2026-24696: the HTTP login was limited, the WebSocket's message was not."""

    async def over_rest(server, token):
        return (await login(server, token)).status

    async def over_header(server, token):
        return (await http(server, "GET", "/api/v1/me", token=token)).status

    async def over_handshake(server, token):
        async with websocket(server, token=token) as socket:
            return {403: 401, 101: 200}.get(socket.answer.status, socket.answer.status)

    async def over_message(server, token):
        async with websocket(server, token=None) as socket:
            await socket.heard("connection_status")
            socket.say(type="authenticate", token=token)
            code, _, _ = await socket.closed()
            return {4000: 401, 4002: 429}[code]

    ways = (over_rest, over_header, over_handshake, over_message)
    with serving("--login-attempts-per-minute", "4") as server:
        cookie, _ = cookie_of(await login(server))
        assert [await way(server, "wrong token") for way in ways] == [401] * 4
        # The count is one for all of them, and then not even the right token is looked at.
        for token in ("wrong token", TOKEN):
            assert [await way(server, token) for way in ways] == [429] * 4
        # Whoever is in stays in.
        assert (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookie})).status == 200


# --- other users


async def test_users_neither_see_nor_touch_each_others_sessions(users):
    async with attached(users, token=ANN) as (_, answer):
        session = answer["session"]
        there = f"/api/v1/sessions/{session}"
        nowhere = "/api/v1/sessions/" + "0" * 24
        for method, suffix, body in (
            ("GET", "", None), ("PATCH", "", b'{"name":"mine"}'), ("DELETE", "", None), ("POST", "/touch", b""),
            ("POST", "/signal", b'{"name":"SIGKILL"}'),
        ):  # fmt: skip
            theirs = await http(users, method, there + suffix, token=BOB, body=body)
            none = await http(users, method, nowhere + suffix, token=BOB, body=body)
            # Not 403: what is not yours is not there, in the same words.
            assert theirs.status == none.status == 404, (method, suffix)
            assert theirs.body.replace(session.encode(), b"0" * 24) == none.body
        for mode in ("read", "write"):
            async with ready(users, token=BOB) as socket:
                socket.say(type="attach", session=session, mode=mode)
                code, _, (error,) = await socket.closed()
                assert (code, error["code"]) == (4404, "no_such_session")
        listed = (await http(users, "GET", "/api/v1/sessions", token=BOB)).json()
        assert (listed["sessions"], listed["total"]) == ([], 0)
        still = await http(users, "GET", there, token=ANN)
        assert (still.status, still.json()["state"], still.json()["name"]) == (200, "running", answer["name"])
        owners = (await http(users, "GET", "/api/v1/sessions", token=TOKEN)).json()["sessions"]
        assert [each["id"] for each in owners if each["state"] == "running"] == [session]


async def test_a_viewer_sees_everything_and_changes_nothing(users):
    async with attached(users, token=ANN) as (_, answer):
        session = answer["session"]
        there = f"/api/v1/sessions/{session}"
        assert (await http(users, "GET", there, token=EVE)).status == 200
        for method, path, body in (
            ("POST", "/api/v1/sessions", b"{}"), ("PATCH", there, b'{"cols":5}'), ("DELETE", there, None),
            ("POST", there + "/touch", b""), ("POST", there + "/signal", b'{"name":"SIGKILL"}'),
        ):  # fmt: skip
            refused = await http(users, method, path, token=EVE, body=body)
            assert (refused.status, refused.json()["code"]) == (403, "forbidden"), (method, path)
        async with ready(users, token=EVE) as socket:
            socket.say(type="attach", session=session, mode="write")
            assert (await socket.heard("attached"))["mode"] == "read"
            for message in (
                {"type": "input", "data": "x"}, {"type": "command", "line": "x"},
                {"type": "resize", "cols": 9, "rows": 9}, {"type": "signal", "name": "SIGKILL"},
            ):  # fmt: skip
                socket.say(**message)
                error = await socket.heard("error")
                assert (error["code"], error.get("fatal", False)) == ("read_only", False)
            socket.say(type="close", destroy=True)
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4003, "forbidden")
        async with ready(users, token=EVE) as socket:
            socket.say(type="attach")
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4003, "forbidden")
        now = (await http(users, "GET", there, token=ANN)).json()
        assert (now["state"], now["cols"], now["viewers"]) == ("running", 80, 1)


# --- secrets stay secret


async def test_tokens_show_nowhere():
    """CVE-2022-29241, CVE-2024-22421, CVE-2026-40171 (Jupyter): tokens in files, redirects and logs; wetty: in ``ps``.
    The environments of host and workers once held WEB_TERMINAL_TOKEN, where every shell could read it."""
    with serving(*FLAGS, "--log-level", "debug") as server:
        bodies = []
        # JupyterLab's page can send its token in the query only.
        place = Place(server.port, "/jupyter", {"Authorization": f"token {TOKEN}"})
        session = await new_terminal(place)
        for path in (f"/jupyter/terminals/websocket/{session}", "/jupyter/terminals/websocket/1", "/nothing", "/ws"):
            async with websocket(server, path=f"{path}?token={TOKEN}", token=None, subprotocol="") as socket:
                bodies.append(socket.answer.body)
        bodies.append((await http(server, "GET", f"/jupyter/api/terminals?token={TOKEN}")).body)
        async with terminal_socket(place, session) as socket:
            bodies.append((await socket.frame())[1])
        async with connect(server.url) as connection:
            await connection.attach()
            inside = await connection.run("env; cat /proc/$PPID/environ; cat /proc/$$/cmdline")
            bodies.append(inside.output)
            paths = ("/api/v1/sessions", "/api/v1/me", "/api/v1/metrics", "/api/v1/openapi.json", "/", "/nothing",
                     "/ttyd/token", "/jupyter/api/terminals")  # fmt: skip
            answers = [await http(server, "GET", path, token=TOKEN) for path in paths]
            answers += [await login(server), await login(server, TOKEN + "x"), await http(server, "GET", "/api/v1/me")]
            for answer in answers:
                bodies += [answer.body, str(answer.headers).encode()]
            root = psutil.Process(server.process.pid)
            for process in [root, *root.children(recursive=True)]:
                proc = pathlib.Path("/proc", str(process.pid))
                bodies += [proc.joinpath(name).read_bytes() for name in ("cmdline", "environ")]
        assert len(bodies) >= 24
        assert not [body for body in bodies if TOKEN.encode() in body]
    assert server.log
    assert TOKEN not in "".join(server.log)


async def test_the_host_never_holds_a_token():
    """It is a fork, and a way to read its memory from a shell must find no credentials there."""
    with serving(*FLAGS) as server:
        async with connect(server.url) as connection:
            await connection.attach()
            await connection.run("true")
            assert [TOKEN.encode() in memory_of(each.pid) for each in (server.host, *server.workers)] == [False, True]
            assert not [each for each in descriptors_of(server.host.pid) if "web-terminal-settings" in each]


def descriptors_of(pid: int) -> list[str]:
    return [os.readlink(each) for each in pathlib.Path(f"/proc/{pid}/fd").iterdir()]


def memory_of(pid: int) -> bytes:
    """Everything the process could write: heap, stacks, data of libraries, what it shares."""
    found = []
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for words in (line.split() for line in maps):
            if "w" in words[1] and not words[-1].startswith("[v"):
                start, end = (int(word, 16) for word in words[0].split("-"))
                memory.seek(start)
                found.append(memory.read(end - start))
    return b"".join(found)


async def test_keystrokes_and_output_are_not_logged():
    with serving("--log-level", "debug") as server:
        async with connect(server.url) as connection:
            await connection.attach()
            await connection.run("typed=secretkeystroke; printf '%s%s' secret output")
            await connection.close(destroy=True)
    text = "".join(server.log)
    assert "secretkeystroke" not in text
    assert "secretoutput" not in text


async def test_a_shell_holds_no_descriptor_of_the_server(server):
    """It once held the host's control socket and every worker's channel, over which any session could be had."""
    async with connect(server.url) as connection:
        await connection.attach()
        pid = int((await connection.run("echo $$")).output)
        targets = open_in(pid)
        assert targets
        assert all(target.startswith("/dev/pts/") or target == "/dev/tty" for target in targets)
        await connection.close(destroy=True)


def open_in(pid: int) -> list[str]:
    return [str(link.readlink()) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]


async def test_arguments_are_never_a_shell_line(server, tmp_path):
    """webssh #417, wetty: a path put inside ``$SHELL -c "cd ..."`` runs whatever it holds."""
    mark = tmp_path / "ran"
    place = tmp_path / f"$(touch {mark.name})"
    place.mkdir()
    spec = m.SessionSpec(shell="/bin/echo", args=("-n", f"; touch {mark}; `touch {mark}`"), cwd=str(place))
    async with connect(server.url) as connection:
        await connection.attach(spec=spec)
        await connection.wait_exit()
    assert not mark.exists()


# --- the page


async def test_security_headers_are_on_every_answer(server):
    """CVE-2025-7885 (webssh): script injected into the page; the policy runs only scripts of ours."""
    for method, path, token in (
        ("GET", "/", None), ("GET", "/api/v1/health", None), ("GET", "/api/v1/me", None), ("GET", "/api/v1/me", TOKEN),
        ("GET", "/nothing", TOKEN), ("POST", "/api/v1/login", None), ("GET", "/assets/none.js", None),
    ):  # fmt: skip
        answer = await http(server, method, path, token=token, body=b"{}" if method == "POST" else None)
        policy = {part.split()[0]: part.split()[1:] for part in answer.header("content-security-policy").split(";")}
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == ["'self'"]
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
        assert policy["connect-src"] == ["'self'"]
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("cross-origin-opener-policy") == "same-origin"
        assert answer.header("server") is None
        if path.startswith("/api/"):
            assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/assets/../../settings.py", "/assets/..%2f..%2fsettings.py", "/assets/%2e%2e/%2e%2e/settings.py",
     "/assets//etc/passwd", "/assets/%2fetc%2fpasswd", "/assets/..\\..\\settings.py", "/assets/....//settings.py",
     "/assets/%00", "/assets/../index.html/../../launch.py", "/assets/../api/v1/sessions",
     "/assets/..%2fapi/v1/sessions", "/assets/../api/v1/metrics", "/assets/../../worker/app.py"],
)  # fmt: skip
async def test_page_files_are_not_left_by_their_path(server, path):
    for token in (None, TOKEN):
        answer = await http(server, "GET", path, token=token)
        assert answer.status in (400, 401, 404), (path, answer.status)
        for leak in (b"import ", b"root:", b'"sessions"', b"web_terminal_sessions"):
            assert leak not in answer.body


async def test_what_a_client_names_comes_back_as_json_and_never_as_a_page(server):
    """Stored script in a session's name (CVE-2025-7885, PYSEC-2022-179)."""
    name = "<script>alert(1)</script>"
    answer = await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=json.dumps({"name": name}).encode())
    session = answer.json()
    assert session["name"] == name
    for path in (f"/api/v1/sessions/{session['id']}", "/api/v1/sessions", f"/api/v1/sessions/{name}"):
        told = await http(server, "GET", path, token=TOKEN)
        assert told.header("content-type").startswith("application/json")
    assert (await http(server, "DELETE", f"/api/v1/sessions/{session['id']}", token=TOKEN)).status == 204


# --- work without bound


async def test_empty_fragments_cost_no_memory():
    """CVE-2026-34824 (Mesop): work for each message without bound; these never reach a limit."""
    with serving() as server:
        (worker,) = server.workers
        async with ready(server) as socket:
            before = worker.memory_info().rss
            socket.send(1, b"{", fin=False)
            for _ in range(300):
                socket.writer.write(b"\x00\x80\x00\x00\x00\x00" * 1000)
                await socket.writer.drain()
            socket.send(9, b"done")
            assert await socket.frame() == (10, b"done")
            assert worker.memory_info().rss - before < 10 << 20


async def test_messages_are_limited_where_a_limit_is_set():
    with serving("--messages-per-second", "50") as server:
        async with ready(server) as socket:
            for n in range(200):
                socket.say(type="ping", id=n)
            code, _, (error,) = await socket.closed()
            assert (code, error["code"]) == (4002, "rate_limit")
            assert "50 messages" in error["message"]


async def test_headers_without_end_cost_no_memory():
    """An HTTP request whose headers never end, from somebody without credentials."""
    with serving() as server:
        (worker,) = server.workers
        before = worker.memory_info().rss
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(20):
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                for n in range(3000):
                    writer.write(b"x-%d: %s\r\n" % (n, b"y" * 10_000))
                    await writer.drain()
                assert (await reader.readline()).split()[1] == b"431"
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.transport.abort()
        assert worker.memory_info().rss - before < 10 << 20


async def test_a_session_of_another_server_is_not_reached_through_a_token_of_it(server):
    with serving(env={"WEB_TERMINAL_TOKEN": "another-token-0123456789"}) as other:
        async with websocket(other, token=TOKEN) as socket:
            assert socket.answer.status == 403
        cookie, _ = cookie_of(await login(server))
        renamed = cookie.replace(f"web_terminal_{server.port}", f"web_terminal_{other.port}")
        assert (await http(other, "GET", "/api/v1/me", headers={"Cookie": renamed})).status == 401


async def test_without_authentication_other_sites_are_kept_out_still():
    """eDEX-UI (CVE-2023-30856): loopback is no authentication, so Origin and Host are checked all the more."""
    with serving("--insecure-no-auth", env={"WEB_TERMINAL_TOKEN": ""}) as server:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            async with websocket(server, token=None, headers=headers) as socket:
                assert socket.answer.status == 403
        async with connect(server.url) as connection:
            await connection.attach()
            assert (await connection.run("echo in")).output == b"in\r\n"
            await connection.close(destroy=True)
