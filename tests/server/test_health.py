"""Processes that hang, and what the server says of itself. Real processes, stopped and continued."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import TOKEN, serving
from tests.server.raw import GUARD_SECONDS, http, read_answer
from tests.server.test_workers import reached, until
from web_terminal_suite.client.connection import connect
from web_terminal_suite.server.launch import ServerState
from web_terminal_suite.server.worker.http.health import assess

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    from tests.conftest import Serving

HEALTH = "/api/v1/health"
LIVE = "/api/v1/health/live"
METRICS = "/api/v1/metrics"


@contextlib.contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """``process`` hangs."""
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # it may be killed by then
            process.resume()


async def health(server: Serving) -> dict[str, object]:
    return (await http(server, "GET", HEALTH, token=TOKEN)).json()


async def until_health(server: Serving, status: str) -> dict[str, object]:
    async with asyncio.timeout(60):
        while (found := await health(server))["status"] != status:
            await asyncio.sleep(0.05)  # it offers no event
    return found


async def logged(server: Serving, text: str) -> None:
    await until(lambda: any(text in line for line in server.log))


# --- what hangs


async def test_a_worker_that_hangs_is_killed_and_replaced_and_no_shell_is_lost():
    with serving("--workers", "2", "--watchdog-timeout", "1") as server:
        async with connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            await connection.run("mark=$$")
        for worker in server.workers:
            with stopped(worker):
                await until(
                    lambda pid=worker.pid: any(f"worker {pid} did not answer for" in each for each in server.log)
                )
                await until(lambda pid=worker.pid: pid not in {each.pid for each in server.workers})
            async with reached(server) as connection:
                await connection.attach(session)
                assert (await connection.run('[ "$mark" = $$ ] && echo same')).output == b"same\r\n"
        await until_health(server, "ok")
        assert len(server.workers) == 2


async def test_a_session_of_a_hung_worker_can_be_ended_as_soon_as_it_is_killed():
    with serving("--workers", "1", "--watchdog-timeout", "1") as server:
        async with connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            (worker,) = server.workers
            with stopped(worker):
                await until(lambda: worker.pid not in {each.pid for each in server.workers})
        async with reached(server):
            answer = await http(server, "DELETE", f"/api/v1/sessions/{session}", token=TOKEN)
            assert answer.status == 204


async def test_a_host_that_hangs_is_told_and_not_killed():
    with serving("--watchdog-timeout", "1") as server:
        async with connect(server.url, timeout=30) as connection:
            await connection.attach()
            host = server.host
            with stopped(host):
                await until(
                    lambda: any(f"PTY host 0 (pid {host.pid}) has not answered for" in each for each in server.log)
                )
                # Keys do not pass through it.
                assert (await connection.run("echo still here")).output == b"still here\r\n"
                answer = await http(server, "GET", HEALTH, token=TOKEN)
                assert answer.status == 503
                assert answer.json()["status"] == "degraded"
                assert "PTY host 0 does not answer" in answer.json()["reasons"][0]
                assert set((await http(server, "GET", HEALTH)).json()) == {"status", "version"}
                assert (await http(server, "GET", LIVE)).json() == {"status": "alive"}
                metrics = await http(server, "GET", METRICS, token=TOKEN)
                assert 'web_terminal_host_up{host="0"} 0.0' in metrics.body.decode()
                assert "web_terminal_sessions" not in metrics.body.decode()
            await logged(server, "answers again")
            assert (await until_health(server, "ok")).keys() == {"status", "version"}
            assert server.host.pid == host.pid


async def test_new_sessions_go_to_the_host_that_answers():
    with serving("--hosts", "2", "--watchdog-timeout", "1") as server:
        first, second = server.children("server.host")
        with stopped(first):
            await logged(server, "has not answered for")
            answer = await http(server, "GET", HEALTH, token=TOKEN)
            assert (answer.status, answer.json()["status"]) == (200, "degraded")
            for _ in range(4):
                made = await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")
                assert made.status == 201
        await until_health(server, "ok")
        assert second.is_running()


async def test_what_a_hung_host_is_asked_is_refused_in_time():
    with serving("--watchdog-timeout", "0") as server, stopped(server.host):
        answers = await asyncio.gather(
            http(server, "GET", "/api/v1/sessions", token=TOKEN),
            http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}"),
        )
        for answer in answers:
            assert (answer.status, answer.json()["code"]) == (503, "no_answer")
            assert "PTY host 0 did not answer within 10 s" in answer.json()["message"]


async def test_a_supervisor_that_was_stopped_kills_nobody():
    with serving("--workers", "2", "--watchdog-timeout", "1") as server:
        before = {worker.pid for worker in server.workers}
        server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3)  # the time itself is what is tested
        server.process.send_signal(signal.SIGCONT)
        await until_health(server, "ok")
        await asyncio.sleep(2)
        assert {worker.pid for worker in server.workers} == before


async def test_a_server_whose_log_nobody_reads_serves_on():
    reader, writer = os.pipe()
    try:
        size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, b"x" * size)  # full from the start
        with serving("--workers", "2", "--log-level", "debug", stderr=writer) as server:
            for _ in range(3):
                for worker in server.workers:
                    worker.kill()
                async with reached(server) as connection:
                    await connection.attach()
                    assert (await connection.run("echo well")).output == b"well\r\n"
                    await connection.close(destroy=True)
            made = [await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}") for _ in range(20)]
            assert {answer.status for answer in made} == {201}
            assert (await until_health(server, "ok"))["status"] == "ok"
    finally:
        os.close(reader)
        os.close(writer)


# --- probes


async def ask(server: Serving, *lines: str) -> tuple[int, bytes]:
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        answer = await read_answer(reader)
        writer.transport.abort()
    return answer.status, answer.body


@pytest.mark.parametrize("path", [HEALTH, LIVE])
@pytest.mark.parametrize(
    "head",
    [("HTTP/1.0",), ("HTTP/1.0", "Host: 10.1.2.3"), ("HTTP/1.1", "Host: 10.1.2.3:7681", "Connection: close"),
     ("HTTP/1.1", "Host: evil.example", "Connection: close"), ("HTTP/1.1", "Host:", "Connection: close"),
     ("HTTP/1.1", "Host: evil.example", "Authorization: Bearer wrong", "Connection: close")],
)  # fmt: skip
async def test_a_probe_gets_the_word_and_no_more_whatever_its_host(server, path, head):
    status, body = await ask(server, f"GET {path} {head[0]}", *head[1:])
    assert status == 200
    assert b'"status":"' in body
    assert b"reasons" not in body


async def test_metrics_are_scraped_by_address_with_a_token_only(server):
    by_address = {"Host": "10.1.2.3:7681"}
    answer = await http(server, "GET", METRICS, headers=by_address, token=TOKEN)
    assert answer.status == 200
    names = {family.name for family in text_string_to_metric_families(answer.body.decode())}
    assert {"web_terminal_host_up", "web_terminal_workers", "web_terminal_sessions"} <= names
    assert (await http(server, "GET", METRICS, headers=by_address)).status == 403
    assert (await http(server, "GET", METRICS, headers=by_address, token="wrong-token")).status == 401
    status, _ = await ask(server, f"GET {METRICS} HTTP/1.0", f"Authorization: Bearer {TOKEN}")
    assert status == 200
    # Nothing else is to be had under a foreign name, and a cookie counts under ours only.
    assert (await http(server, "GET", "/api/v1/sessions", headers=by_address, token=TOKEN)).status == 403
    login = await http(server, "POST", "/api/v1/login", body=b'{"token": "%s"}' % TOKEN.encode())
    cookie = {"Cookie": login.header("set-cookie").split(";")[0]}
    assert (await http(server, "GET", METRICS, headers=cookie)).status == 200
    assert (await http(server, "GET", METRICS, headers=cookie | by_address)).status == 403


async def test_a_server_without_tokens_shows_metrics_under_its_own_name_only():
    """Any page could ask under a name of its own (DNS rebinding), and send whatever header it likes."""
    with serving("--insecure-no-auth", env={"WEB_TERMINAL_TOKEN": ""}) as server:
        foreign = {"Host": "evil.example", "Authorization": "Bearer x"}
        assert (await http(server, "GET", METRICS)).status == 200
        assert (await http(server, "GET", METRICS, headers=foreign)).status == 403
        answer = await http(server, "GET", HEALTH, headers=foreign)
        assert (answer.status, set(answer.json())) == (200, {"status", "version"})


async def test_probes_are_answered_though_a_token_was_guessed_too_often():
    with serving("--login-attempts-per-minute", "1") as server:
        for _ in range(3):
            assert (await http(server, "GET", HEALTH, token="wrong-token")).status == 200
        assert (await http(server, "GET", METRICS, token=TOKEN)).status == 429


def test_a_missing_worker_degrades_and_takes_sessions():
    server = ServerState(workers=3, serving=2)
    found = assess(server, [], 1, 0.0, leaving=False)
    assert (found.status, found.reasons, found.takes_sessions) == ("degraded", ("2 of 3 workers serve",), True)
    assert assess(None, [], 1, 0.0, leaving=False).status == "ok"
    assert not assess(server, [0], 1, 0.0, leaving=False).takes_sessions
    assert assess(server, [0], 2, 0.0, leaving=False).takes_sessions
    assert assess(server, [], 1, 0.0, leaving=True).status == "stopping"
