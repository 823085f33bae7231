"""Everything a client, a flag or a file can get wrong: one clear error, the right code, and the server goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as sockets
import subprocess
import sys

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import BINARY, CLOSE, CONTINUATION, TEXT, attached, http, ready, websocket
from tests.server.test_lifecycle import until
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.rest import rest


@pytest.fixture(autouse=True)
async def still_serving(request):
    """After each test another connection on the same server works."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        async with connect(server.url) as connection:
            await connection.attach()
            assert (await connection.run("echo fine")).output == b"fine\r\n"
            await connection.close(destroy=True)


async def sessions(server) -> int:
    return (await http(server, "GET", "/api/v1/sessions", token=TOKEN)).json()["total"]


async def gone(server, id: str) -> bool:
    return (await http(server, "GET", f"/api/v1/sessions/{id}", token=TOKEN)).status == 404


# --- messages that end the connection

READY = {
    "not JSON": (TEXT, b"{", 4400, "malformed_message", "JSON"),
    "empty": (TEXT, b"", 4400, "malformed_message", "JSON"),
    "no type": (TEXT, b"{}", 4400, "malformed_message", "type"),
    "unknown type": (TEXT, b'{"type":"sudo"}', 4400, "malformed_message", "sudo"),
    "missing field": (TEXT, b'{"type":"echo"}', 4400, "malformed_message", "data"),
    "unknown field": (TEXT, b'{"type":"ping","idd":1}', 4400, "malformed_message", "idd"),
    "ill-typed field": (TEXT, b'{"type":"ping","id":"1"}', 4400, "malformed_message", "int"),
    "unknown mode": (TEXT, b'{"type":"attach","mode":"root"}', 4400, "malformed_message", "root"),
    "unknown field of spec": (TEXT, b'{"type":"attach","spec":{"shel":""}}', 4400, "malformed_message", "shel"),
    "nested too deeply": (TEXT, b"[" * 200_000, 4400, "malformed_message", ""),
    "server's message": (TEXT, b'{"type":"pong"}', 4400, "malformed_message", "pong"),
    "binary in JSON": (BINARY, b"\x02x", 1003, "unsupported_data", "web-terminal.v1.json"),
    "bad UTF-8": (TEXT, b'{"type":"echo","data":"\xc3("}', 1007, "invalid_utf8", "0xc3"),
    "half a pair": (TEXT, b'{"type":"echo","data":"\\ud800"}', 4400, "malformed_message", "JSON"),
    "input before attach": (TEXT, b'{"type":"input","data":"x"}', 4409, "illegal_in_state", "ready"),
    "ack before attach": (TEXT, b'{"type":"ack","offset":0}', 4409, "illegal_in_state", "attach"),
    "authenticate twice": (TEXT, b'{"type":"authenticate","token":"x"}', 4409, "illegal_in_state", "ready"),
    "bad base64 in spec's place": (TEXT, b'{"type":"attach","spec":"x"}', 4400, "malformed_message", "spec"),
}


@pytest.mark.parametrize("name", READY)
async def test_a_message_that_is_none_closes_with_its_code(server, name):
    opcode, payload, code, error, words = READY[name]
    async with ready(server) as socket:
        socket.send(opcode, payload)
        closed, reason, errors = await socket.closed()
        assert (closed, [each["code"] for each in errors], errors[0]["fatal"]) == (code, [error], True)
        assert words in errors[0]["message"]
        assert reason
        assert errors[0]["message"].startswith(reason[:60])
        socket.send(CLOSE, code.to_bytes(2, "big"))
        await socket.hung_up()


@pytest.mark.parametrize("kind", [b"\x01" + bytes(8), b"\x07", b""])
async def test_an_unknown_kind_of_binary_frame_closes(server, kind):
    async with ready(server, subprotocol="web-terminal.v1") as socket:
        socket.send(BINARY, kind)
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (1003, "unsupported_data")


async def test_a_second_attach_while_attached_is_illegal(server):
    async with attached(server) as (socket, _):
        socket.say(type="attach")
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (4409, "illegal_in_state")


async def test_bad_base64_input_closes_and_the_session_stays(server):
    async with attached(server) as (socket, answer):
        socket.say(type="input", data="@", encoding="base64")
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (4400, "malformed_message")
        assert not await gone(server, answer["session"])


@pytest.mark.parametrize("size", [(1 << 20) + 1, 3 << 20])
async def test_a_message_above_the_limit_closes_with_1009(server, size):
    async with ready(server) as socket:
        socket.send(TEXT, b" " * size)
        code, _, _errors = await socket.closed()
        assert code == 1009


async def test_a_message_at_the_limit_is_taken(server):
    async with ready(server) as socket:
        text = json.dumps({"type": "echo", "data": ""})
        payload = json.dumps({"type": "echo", "data": "x" * ((1 << 20) - len(text))}).encode()
        assert len(payload) == 1 << 20
        socket.send(TEXT, payload)
        assert len((await socket.heard("echo"))["data"]) == (1 << 20) - len(text)


# --- fragments and frames


async def test_fragments_are_put_together_and_controls_may_come_between(server):
    async with ready(server) as socket:
        payload = json.dumps({"type": "echo", "data": "h\u00e9llo"}, ensure_ascii=False).encode()
        cuts = [payload[:3], b"", payload[3 : payload.index(b"\xc3") + 1], payload[payload.index(b"\xc3") + 1 :]]
        socket.send(TEXT, cuts[0], fin=False)
        socket.send(CONTINUATION, cuts[1], fin=False)
        socket.send(9, b"ping")
        socket.send(CONTINUATION, cuts[2], fin=False)
        socket.send(CONTINUATION, cuts[3])
        assert await socket.frame() == (10, b"ping")
        assert (await socket.heard("echo"))["data"] == "h\u00e9llo"


async def test_a_fragmented_binary_message_is_input(server):
    async with attached(server, subprotocol="web-terminal.v1") as (socket, _):
        socket.send(BINARY, b"\x02printf '%s%s' fra", fin=False)
        socket.send(CONTINUATION, b" gment\r")
        data = b""
        while b"fragment" not in data:
            opcode, payload = await socket.frame()
            data += payload[9:] if opcode == BINARY else b""


@pytest.mark.parametrize("first", [(CONTINUATION, True), (CONTINUATION, False)])
async def test_a_continuation_of_nothing_closes(server, first):
    opcode, fin = first
    async with ready(server) as socket:
        socket.send(opcode, b"{}", fin=fin)
        code, _, _ = await socket.closed()
        assert code in (1002, 1003)


async def test_a_message_inside_a_message_closes(server):
    async with ready(server) as socket:
        socket.send(TEXT, b"{", fin=False)
        socket.send(TEXT, b"{}")
        code, _, _ = await socket.closed()
        assert code in (1002, 1003)


async def test_fragments_above_the_limit_together_close_with_1009(server):
    async with ready(server) as socket:
        socket.send(TEXT, b" " * 600_000, fin=False)
        socket.send(CONTINUATION, b" " * 600_000, fin=False)
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (1009, "message_too_big")
        assert "1048576" in error["message"]


async def test_very_many_tiny_fragments_cost_no_more_than_their_bytes(server):
    """Each fragment used to be summed over again: a quarter of a million of them held the worker for minutes."""
    async with ready(server) as socket:
        (worker,) = server.workers
        before = sum(worker.cpu_times()[:2])
        socket.send(TEXT, b'{"type":"echo","data":"', fin=False)
        for _ in range(250):
            for _ in range(1000):
                socket.send(CONTINUATION, b"x", fin=False)
            await socket.writer.drain()
        socket.send(CONTINUATION, b'"}')
        assert len((await socket.heard("echo"))["data"]) == 250_000
        assert sum(worker.cpu_times()[:2]) - before < 10


@pytest.mark.parametrize(
    "payload", [b"", b"\x03\xe8", (4999).to_bytes(2, "big") + b"bye", (1005).to_bytes(2, "big"), b"\x03"]
)
async def test_any_close_frame_of_a_client_ends_the_connection(server, payload):
    async with attached(server) as (socket, answer):
        socket.send(CLOSE, payload)
        await socket.hung_up()
        await no_viewers(server, answer["session"])


async def test_an_unmasked_frame_does_not_get_through(server):
    """RFC 6455 section 5.1: a server must close the connection."""
    async with ready(server) as socket:
        socket.send(TEXT, b'{"type":"echo","data":"x"}', masked=False)
        code, _, _ = await socket.closed()
        assert code in (1002, 1006)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-WebSocket-Protocol": ""}, 400),
        ({"Sec-WebSocket-Protocol": "web-terminal.v2, chat"}, 400),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": ""}, 426),
    ],
)
async def test_a_bad_handshake_is_refused(server, headers, status):
    async with websocket(server, headers=headers) as socket:
        assert socket.answer.status == status
        if "chat" in str(headers):
            assert b"chat" in socket.answer.body
            assert b"web-terminal.v1" in socket.answer.body


async def test_the_preferred_subprotocol_is_chosen_where_both_are_offered(server):
    for offered in ("web-terminal.v1.json, web-terminal.v1", "web-terminal.v1,web-terminal.v1.json"):
        async with websocket(server, headers={"Sec-WebSocket-Protocol": offered}) as socket:
            assert socket.answer.header("sec-websocket-protocol") == "web-terminal.v1"
            assert socket.answer.header("sec-websocket-extensions") is None


# --- values outside their limits, which leave the connection open


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"type": "attach", "cols": 0}, "cols = 0 is out of range: 1 to 500"),
        ({"type": "attach", "rows": 201}, "rows = 201 is out of range: 1 to 200"),
        ({"type": "attach", "cols": -(10**30)}, "1 to 500"),
        ({"type": "attach", "window": 4095}, "window of 4095 bytes is below 4096"),
        ({"type": "attach", "resume_from": -1}, "resume_from of -1 is below 0"),
        ({"type": "attach", "usage_interval": 0.5}, "usage_interval of 0.5 s is below 1 s"),
        ({"type": "attach", "spec": {"limits": {"cpu_seconds": 10**30}}}, "64 bits"),
        ({"type": "attach", "spec": {"name": ""}}, "name"),
        ({"type": "attach", "spec": {"name": "a\x1bb"}}, "control character"),
        ({"type": "attach", "spec": {"args": ["x" * 20_000, "y" * 20_000]}}, "32768"),
        ({"type": "attach", "spec": {"env": {"A": "x" * 200_000}}}, "163840"),
    ],
)
async def test_a_value_outside_its_limits_is_named_and_the_connection_goes_on(server, message, words):
    before = await sessions(server)
    async with ready(server) as socket:
        socket.say(**message)
        error = await socket.heard("error")
        assert error["code"] in ("out_of_range", "request_too_big")
        assert words in error["message"]
        assert not error.get("fatal")
        socket.say(type="ping", id=3)
        assert (await socket.heard("pong"))["id"] == 3
    assert await sessions(server) == before


async def test_sizes_signals_and_acknowledgements_outside_their_limits(server):
    async with attached(server) as (socket, _):
        for message, code, words in (
            ({"type": "resize", "cols": 501, "rows": 1}, "out_of_range", "cols = 501 is out of range: 1 to 500"),
            ({"type": "resize", "cols": 1, "rows": 0}, "out_of_range", "rows = 0"),
            ({"type": "signal", "name": "SIGNOPE"}, "unknown_signal", "'SIGNOPE'"),
            ({"type": "signal", "name": "SIG_IGN"}, "unknown_signal", "SIG_IGN"),
            ({"type": "signal", "name": "sigint"}, "unknown_signal", "sigint"),
            ({"type": "signal", "name": "default_int_handler"}, "unknown_signal", ""),
            ({"type": "ack", "offset": 10**18}, "out_of_range", str(10**18)),
            ({"type": "ack", "offset": 10**40}, "out_of_range", str(10**40)),
        ):
            socket.say(**message)
            error = await socket.heard("error")
            assert error["code"] == code
            assert words in error["message"]
        socket.say(type="ack", offset=-5)
        socket.say(type="ping", id=10**25)
        assert (await socket.heard("pong"))["id"] == 10**25


async def test_resuming_beyond_the_end_is_refused_and_another_attach_may_follow(server):
    async with attached(server) as (_, answer), ready(server) as again:
        again.say(type="attach", session=answer["session"], resume_from=10**9)
        error = await again.heard("error")
        assert (error["code"], error.get("fatal", False)) == ("out_of_range", False)
        assert str(10**9) in error["message"]
        again.say(type="attach", session=answer["session"])
        assert (await again.heard("attached"))["session"] == answer["session"]


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ({"shell": "/no/such"}, "shell_not_found", "/no/such"),
        ({"shell": "/etc/passwd"}, "shell_not_executable", "chmod +x"),
        ({"shell": "/tmp"}, "shell_not_executable", "directory"),
        ({"cwd": "/no/such"}, "bad_directory", "/no/such"),
        ({"limits": {"open_files": 0}}, "bad_limit", "nofile=0"),
        ({"env": {"A": "x" * 140_000}}, "environment_too_big", "E2BIG"),
        ({"env": {"A": "a\0b"}}, "bad_environment", "NUL"),
        ({"env": {"A=B": "a"}}, "bad_environment", "A=B"),
        ({"args": ["\0"]}, "bad_argument", "NUL"),
        ({"shell": "\0"}, "bad_argument", "NUL"),
        ({"cwd": "\0"}, "bad_argument", "NUL"),
    ],
)
async def test_a_shell_that_cannot_start_says_why_over_both_ways(server, spec, error, words):
    """A NUL used to end the host, and every shell of the server with it."""
    before = await sessions(server)
    async with ready(server) as socket:
        socket.say(type="attach", spec=spec)
        code, _, (told,) = await socket.closed()
        assert (code, told["code"]) == (4500, error)
        assert words in told["message"]
    answer = await http(server, "POST", "/api/v1/sessions", body=json.dumps(spec).encode(), token=TOKEN)
    assert (answer.status, answer.json()["code"]) == (422, error)
    assert words in answer.json()["message"]
    assert await sessions(server) == before


@pytest.mark.parametrize("total", [30_000, 33_000, 163_500, 163_640, 163_700, 163_760, 163_820, 170_000])
async def test_no_length_of_a_command_line_ends_the_host(server, total):
    """One that fitted the request but not the answer used to."""
    spec = {"shell": "/bin/true", "args": ["x" * (total // 2)] * 2}
    answer = await http(server, "POST", "/api/v1/sessions", body=json.dumps(spec).encode(), token=TOKEN)
    assert answer.status in (201, 413, 422)
    assert (answer.status == 201) == (total < 32_000)
    listed = await http(server, "GET", "/api/v1/sessions?limit=1000", token=TOKEN)
    assert listed.status == 200


async def test_a_session_that_is_gone_closes_with_4404(server):
    async with ready(server) as socket:
        socket.say(type="attach", session="0" * 24)
        code, _, (error,) = await socket.closed()
        assert (code, error["code"]) == (4404, "no_such_session")
        assert "0" * 24 in error["message"]


async def test_a_program_that_is_no_shell_runs_and_its_end_is_told(server):
    async with ready(server) as socket:
        socket.say(type="attach", spec={"shell": "/bin/false"})
        exited = await socket.heard("process_exited")
        assert exited["status"] == 1
        assert exited["offset"] == 0


async def test_a_client_that_does_not_read_its_echoes_is_not_read_either():
    """Else its answers pile up in the worker's memory without bound."""
    with serving() as own:
        (worker,) = own.workers
        async with ready(own) as socket:
            before = worker.memory_info().rss
            block = json.dumps({"type": "echo", "data": "x" * 900_000}).encode()
            sent = 0
            try:
                async with asyncio.timeout(3):
                    for _ in range(300):
                        socket.send(TEXT, block)
                        await socket.writer.drain()
                        sent += 1
            except TimeoutError:
                pass
            assert sent < 300
            assert worker.memory_info().rss - before < 100 << 20


async def test_echoes_that_had_to_wait_arrive_whole(server):
    """picows left the transport a view of its own buffer as a frame's head: the next frame wrote over what waited."""
    async with ready(server, subprotocol="web-terminal.v1") as socket:
        socket.writer.transport.pause_reading()
        blocks = [bytes([3, n]) + os.urandom(20_000 + 50_000 * (n % 2)) for n in range(200)]
        for block in blocks:
            socket.send(BINARY, block)

        async def read() -> None:
            for block in blocks:
                assert await socket.frame() == (BINARY, block)

        async with asyncio.TaskGroup() as both:
            both.create_task(socket.writer.drain())
            # Only once the server has been made to wait: it reads no more, so our own buffer stays full.
            while socket.writer.transport.get_write_buffer_size() > 1 << 20:
                waiting = socket.writer.transport.get_write_buffer_size()
                await asyncio.sleep(0.2)
                if socket.writer.transport.get_write_buffer_size() == waiting:
                    break
            socket.writer.transport.resume_reading()
            both.create_task(read())


# --- clients that vanish


async def no_viewers(server, id: str) -> None:
    """Nobody looks at the session any more."""
    async with asyncio.timeout(20):
        while (await http(server, "GET", f"/api/v1/sessions/{id}", token=TOKEN)).json()["viewers"]:
            await asyncio.sleep(0.01)


async def at_rest(server) -> tuple[int, int]:
    """Descriptors of worker and host while nobody is connected."""
    (worker,) = server.workers
    await connections(server, 0)
    return worker.num_fds(), server.host.num_fds()


async def test_clients_that_vanish_leave_no_viewer_no_descriptor_and_no_session():
    """In the middle of a frame, after one, or in the middle of the handshake."""
    payload = json.dumps({"type": "input", "data": "x" * 500}).encode()
    frame = b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload
    with serving("--linger", "0") as own:
        async with attached(own) as (socket, _):  # the first session makes an arena, which stays
            await socket.heard("output")
        before = await at_rest(own)
        for cut in (1, 2, 5, 40, len(frame)):
            async with ready(own) as socket:
                socket.say(type="attach")
                id = (await socket.heard("attached"))["session"]
                os.write(socket.writer.get_extra_info("socket").fileno(), frame[:cut])
                socket.writer.transport.abort()
            await no_viewers(own, id)
            assert (await http(own, "DELETE", f"/api/v1/sessions/{id}", token=TOKEN)).status == 204
        for head in (b"", b"GET /ws HT", b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"):
            with sockets.create_connection(("127.0.0.1", own.port)) as sock:
                sock.sendall(head)
        assert await sessions(own) == 0
        assert await at_rest(own) == before


async def test_a_shell_made_for_a_client_that_is_gone_is_ended():
    """Nobody was told its id, so nobody would ever come back to it."""
    with serving() as own:
        async with ready(own) as socket, rest(own.url) as api:
            own.host.suspend()
            socket.say(type="attach")
            await handled(socket)
            socket.writer.transport.abort()
            await connections(own, 0)
            own.host.resume()
            async with asyncio.timeout(20):
                while (created := await counted(api, "sessions_created_total")) < 1 or (await sessions(own)):
                    await asyncio.sleep(0.02)
            assert created == 1


async def handled(socket) -> None:
    """The worker has done what was said before: the second answer comes a round of its loop later than the first."""
    for id in (1, 2):
        socket.say(type="ping", id=id)
        await socket.heard("pong")


async def connections(server, count: int) -> None:
    """The worker has noticed: so many of its TCP connections are open."""
    (worker,) = server.workers
    async with asyncio.timeout(20):
        while sum(each.status == "ESTABLISHED" for each in worker.net_connections("tcp")) != count:
            await asyncio.sleep(0.01)


async def counted(api, name: str) -> float:
    text = (await api.call("GET", "/metrics")).body.decode()
    return float(next(line for line in text.splitlines() if line.startswith(f"web_terminal_{name} ")).split()[1])


# --- the command line


def served(*flags: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``serve`` that must fail at once."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    return subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", "serve", *flags],
        env=environment | (env or {}), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_bad_flags_files_and_ports_end_with_one_line_that_says_why(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("idle_timout = 5\n")
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flags, env, status, words in (
            (("--port", port), {}, 1, f"port {port} on 127.0.0.1 is in use"),
            (("--host", "192.0.2.1", "--port", "0", "--insecure-plain-http"), {}, 1, "192.0.2.1"),
            (("--host", "192.0.2.1", "--port", "0"), {}, 2, "host = '192.0.2.1' is reachable from other machines"),
            (("--config", str(config)), {}, 2, "did you mean 'idle_timeout'"),
            (("--config", str(tmp_path / "none")), {}, 2, "no such file"),
            (("--workers", "0"), {}, 2, "workers = 0 is out of range: 1 to 64"),
            (("--port", "65536"), {}, 2, "port = 65536 is out of range: 0 to 65535"),
            (("--env", "NOVALUE"), {}, 2, "'NOVALUE' is not NAME=VALUE"),
            (("--log-level", "loud"), {}, 2, "loud"),
            (("--insecure-no-auth", "--host", "0.0.0.0"), {}, 2, "anybody could run commands"),
            ((), {"WEB_TERMINAL_TOKEN": "short"}, 2, "16 characters"),
            ((), {"WEB_TERMINAL_WORKERS": "x"}, 2, "WEB_TERMINAL_WORKERS='x'"),
        ):
            done = served(*flags, env=env)
            assert done.returncode == status, (flags, done)
            lines = [line for line in done.stderr.splitlines() if line]
            assert len(lines) == 1, done.stderr
            assert lines[0].startswith("web-terminal serve: ")
            assert words in lines[0]
            assert done.stdout == ""


def test_a_flag_that_is_not_known_or_no_number_ends_with_2():
    for flags, words in ((("--prot", "1"), "--prot"), (("--port", "many"), "--port")):
        done = served(*flags, env={"COLUMNS": "200", "TERM": "dumb"})
        assert done.returncode == 2
        assert words in done.stderr


# --- the supervisor


async def test_a_worker_that_dies_before_it_reads_its_dismissal_does_not_end_the_server():
    """Its socket says "connection reset" then, and not "end"."""
    with serving("--watchdog-timeout", "0") as own:  # which would end the old one
        (old,) = own.workers
        own.process.send_signal(signal.SIGHUP)
        await until(lambda: any("generation 2: starting" in line for line in own.log))  # the host is upgraded already
        old.suspend()
        await until(lambda: any("generation 2 is ready" in line for line in own.log))
        old.send_signal(signal.SIGKILL)
        psutil.wait_procs([old], timeout=20)
        async with connect(own.url) as connection:
            await connection.attach()
            assert (await connection.run("echo fine")).output == b"fine\r\n"
        assert own.process.poll() is None


async def test_the_host_lives_on_without_descriptors():
    """Each shell that cannot be had is refused; those that run go on."""
    with serving("--log-level", "error", env={"LIMITED": "yes"}) as own:
        host = own.host
        async with connect(own.url) as connection, rest(own.url) as api:
            await connection.attach()
            await connection.run("true")
            host.rlimit(psutil.RLIMIT_NOFILE, (host.num_fds() + 3, host.num_fds() + 3))
            refused = None
            for _ in range(80):
                answer = await api.request("POST", "/sessions", {})
                if answer.status != 201:
                    refused = answer
                    break
            assert refused is not None
            assert refused.status == 503
            assert "ulimit" in refused.json()["message"] or "too many open files" in refused.json()["message"]
            assert (await connection.run("echo alive")).output == b"alive\r\n"
