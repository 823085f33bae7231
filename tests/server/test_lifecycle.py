"""Sessions at their awkward moments: races, deaths, terminals that outlive their shell, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import BINARY, TEXT, attached, http, ready
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import Closed, Unreachable
from web_terminal_suite.client.rest import rest
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Subprotocol


async def until(condition) -> None:
    """Wait for what another process does and no event of ours tells."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def facts(api, session: str) -> dict:
    return (await api.call("GET", f"/sessions/{session}")).json()


async def viewers(api, session: str, count: int) -> None:
    async with asyncio.timeout(20):
        while (await facts(api, session))["viewers"] != count:
            await asyncio.sleep(0.01)


async def went_round(connection) -> None:
    """The worker has acted on what was sent before: two answers, a round of its loop apart."""
    await connection.ping()
    await connection.ping()


# --- joining and leaving at the same time


async def test_a_join_given_up_while_another_waits_leaves_one_pump():
    """The first one's answer used to let go of the hold the second one had just got: two processes read the terminal,
    and each got half of the output."""
    with serving() as server:
        async with connect(server.url) as maker:
            session = (await maker.attach()).session
            await maker.run("true")
            maker.abort()
        async with rest(server.url) as api, connect(server.url) as leaves, connect(server.url) as stays:
            await viewers(api, session, 0)
            server.host.suspend()
            leaves.begin_attach(session)
            await went_round(leaves)
            leaves.abort()
            stays.begin_attach(session)
            await went_round(stays)
            server.host.resume()
            await stays.wait_attached(None)
            result = await stays.run("seq 1 50000", timeout=30)
            assert result.output == b"".join(b"%d\r\n" % n for n in range(1, 50001))
            await viewers(api, session, 1)


async def test_viewers_come_and_go_while_output_flows_and_none_misses_a_byte():
    with serving("--workers", "2") as server:
        async with connect(server.url) as steady, rest(server.url) as api:
            session = (await steady.attach()).session
            steady.command("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; printf '%s%s' al l")

            async def come_and_go() -> None:
                for _ in range(8):
                    async with connect(server.url) as passing:
                        await passing.attach(session)
                        await passing.read()

            found, *_ = await asyncio.gather(
                steady.wait_for(b"all", timeout=60, keep=True), *(come_and_go() for _ in range(4))
            )
            expected = b"".join(b"line %d\r\n" % n for n in range(1, 3001))
            assert expected in found.output
            assert not steady.gaps
            await viewers(api, session, 1)


async def test_a_worker_killed_while_it_pumps_for_followers_in_others():
    """Whoever loses its worker resumes, whoever keeps it goes on, and all of them see the end."""
    with serving("--workers", "3", "--log-level", "error") as server:
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(connect(server.url, timeout=30)) for _ in range(9)]
            session = (await connections[0].attach()).session
            for each in connections[1:]:
                await each.attach(session)
            connections[0].command("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; printf '%s%s' al l")
            seen = [bytearray() for _ in connections]

            async def follow(connection, data: bytearray) -> None:
                while b"all" not in data:
                    try:
                        data += (await connection.read()).data
                    except Closed:
                        await come_back(connection)

            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                for connection, data in zip(connections, seen, strict=True):
                    group.create_task(follow(connection, data))
                for length in (2_000, 20_000):
                    await until(lambda length=length: all(len(data) > length for data in seen))
                    server.workers[0].send_signal(signal.SIGKILL)
                    await until(lambda: len(server.workers) == 3)


async def come_back(connection) -> None:
    """Reconnect until a worker answers; one that is killed meanwhile may hang up in the middle of a handshake."""
    while True:
        try:
            await connection.reconnect()
            return
        except (Unreachable, Closed):
            continue


async def test_a_worker_killed_while_an_attach_is_answered_leaves_the_session_joinable():
    with serving("--log-level", "error") as server:
        async with connect(server.url) as maker:
            session = (await maker.attach()).session
            await maker.run("mark=here")
            maker.abort()
        async with connect(server.url) as dying:
            server.host.suspend()
            dying.begin_attach(session)
            await went_round(dying)
            server.workers[0].send_signal(signal.SIGKILL)
            with pytest.raises(Closed):
                await dying.wait_attached(None)
            server.host.resume()
        await until(lambda: bool(server.workers))
        async with connect(server.url, timeout=30) as again, rest(server.url) as api:
            await again.attach(session)
            assert (await again.run("echo $mark")).output == b"here\r\n"
            await viewers(api, session, 1)


# --- the end


async def test_destroying_tells_every_viewer_in_every_worker():
    """The one who asked had left the conversation, which stopped the telling of those after it in its worker."""
    with serving("--workers", "2") as server:
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(connect(server.url)) for _ in range(8)]
            session = (await connections[0].attach()).session
            for each in connections[1:]:
                await each.attach(session)
            await connections[0].run("true")
            await connections[0].close(destroy=True)
            for each in connections[1:]:
                assert (await each.wait_exit()).signal == "SIGHUP"
                with pytest.raises(Closed) as closed:
                    await each.message(m.Resized)
                assert closed.value.code == 1000


async def test_deleting_is_answered_once_the_shell_is_reaped_despite_viewers(server):
    async with connect(server.url) as first, connect(server.url) as second, rest(server.url) as api:
        attached_ = await first.attach(spec=m.SessionSpec())
        await second.attach(attached_.session)
        pid = (await first.message(m.ProcessStarted))[1].pid
        answers = await asyncio.gather(*(api_delete(server, attached_.session) for _ in range(4)))
        assert {answer.status for answer in answers} <= {204, 404}
        assert 204 in {answer.status for answer in answers}
        assert not psutil.pid_exists(pid)
        assert (await api.request("GET", f"/sessions/{attached_.session}")).status == 404
        for each in (first, second):
            await each.wait_exit()


async def api_delete(server, session: str):
    return await http(server, "DELETE", f"/api/v1/sessions/{session}", token=TOKEN)


async def test_a_shell_that_closes_its_terminal_and_lives_is_still_a_session(server):
    async with connect(server.url) as connection, rest(server.url) as api:
        attached_ = await connection.attach()
        connection.command("exec 0<&- 1>&- 2>&-; while :; do sleep 0.05; done")
        pid = (await connection.message(m.ProcessStarted))[1].pid
        await until(lambda: not any("pts" in each for each in terminals(pid)))
        assert (await facts(api, attached_.session))["state"] == "running"
        assert psutil.pid_exists(pid)
        (worker,) = server.workers
        before = sum(worker.cpu_times()[:2])
        await until_idle(api)
        assert sum(worker.cpu_times()[:2]) - before < 1
        assert (await api.request("DELETE", f"/sessions/{attached_.session}")).status == 204
        assert (await connection.wait_exit()).signal in ("SIGHUP", "SIGKILL")
        assert not psutil.pid_exists(pid)


async def until_idle(api) -> None:
    """Several rounds of the loops that look whether a terminal was opened anew."""
    for _ in range(50):
        await api.call("GET", "/me")


def terminals(pid: int) -> list[str]:
    import os

    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


async def test_a_background_process_that_keeps_the_terminal_does_not_keep_the_session(server):
    async with connect(server.url) as connection:
        await connection.attach(spec=m.SessionSpec(shell="/bin/bash", args=("--norc",)))
        connection.command("(trap '' HUP; exec sleep 300) & echo kept $!; disown; exit 5")
        await connection.wait_for(b"\r\nkept ")
        pid = int((await connection.wait_for(b"\r\n", keep=True)).output)
        exited = await connection.wait_exit()
        assert exited.status == 5
        assert psutil.pid_exists(pid)
        psutil.Process(pid).kill()


async def test_a_background_process_that_floods_the_terminal_does_not_keep_the_session(server):
    async with connect(server.url) as connection:
        await connection.attach(spec=m.SessionSpec(shell="/bin/bash", args=("--norc",)))
        connection.command("(trap '' HUP; exec yes flood) & sleep 0.1; exit 6")
        assert (await connection.wait_exit(30)).status == 6


async def test_a_program_that_ignores_the_hang_up_is_killed_and_no_zombie_stays(server):
    async with connect(server.url) as connection, rest(server.url) as api:
        attached_ = await connection.attach()
        connection.command("trap '' HUP TERM INT; printf '%s%s' stub born; while :; do sleep 0.05; done")
        await connection.wait_for(b"stubborn")
        assert (await api.request("DELETE", f"/sessions/{attached_.session}")).status == 204
        assert (await connection.wait_exit()).signal == "SIGKILL"
        assert not [each for each in server.host.children() if each.status() == psutil.STATUS_ZOMBIE]


async def test_a_viewer_that_stalls_still_gets_every_byte_before_the_end(server):
    async with connect(server.url, acknowledge=False) as stalled, connect(server.url) as quick:
        session = (await quick.attach()).session
        await stalled.attach(session, window=4096)
        quick.command("seq 1 5000; exit 4")
        exited = await quick.wait_exit()
        data = bytearray()
        while (chunk := await stalled.read()) is not None:
            data += chunk.data
            stalled.ack(chunk.end)
        assert b"5000\r\n" in data
        assert stalled.offset == exited.offset
        assert stalled.exit == exited


async def test_a_viewer_that_stalls_is_told_a_gap_and_goes_on(server):
    async with connect(server.url, acknowledge=False) as stalled, connect(server.url) as quick:
        session = (await quick.attach()).session
        await stalled.attach(session, window=4096)
        await quick.run("seq 1 200000", timeout=60)
        quick.command("printf '%s%s' e nd")
        data = bytearray()
        while b"end" not in data:
            chunk = await stalled.read()
            data += chunk.data
            stalled.ack(chunk.end)
        assert stalled.gaps
        assert b"1\r\n2\r\n" in data
        await quick.close(destroy=True)


async def test_an_idle_session_with_a_viewer_does_not_expire():
    with serving("--idle-timeout", "1") as server:
        async with connect(server.url) as looking, rest(server.url) as api:
            kept = (await looking.attach()).session
            left = (await api.call("POST", "/sessions", {})).json()["id"]
            async with asyncio.timeout(20):
                while (await api.request("GET", f"/sessions/{left}")).status != 410:
                    await asyncio.sleep(0.05)
            assert (await facts(api, kept))["state"] == "running"
            assert (await looking.run("echo still")).output == b"still\r\n"


async def test_the_character_cut_at_the_end_of_a_shell_arrives_in_json(server):
    async with connect(server.url, dialect=lambda: NativeDialect(Subprotocol.JSON)) as connection:
        await connection.attach(spec=m.SessionSpec(shell="/bin/sh", args=("-c", r"printf 'a\303'; read x")))
        assert (await connection.read()).data == b"a"
        connection.input(b"\r")
        rest_ = b"".join([each async for each in connection])
        assert rest_.startswith(b"\xc3")
        assert connection.exit.offset == connection.offset


async def test_resource_usage_of_an_ended_session_does_not_follow_into_the_next():
    with serving() as server:
        async with ready(server) as socket:
            socket.say(type="attach", usage_interval=1, spec={"shell": "/bin/sh", "args": ["-c", "exit"]})
            await socket.heard("process_exited")
            socket.say(type="attach", usage_interval=1)
            started = await socket.heard("process_started")
            seen = [await socket.heard("resource_usage") for _ in range(3)]
            assert psutil.pid_exists(started["pid"])
            assert [each["processes"] for each in seen] == [1, 1, 1]


# --- nothing is left


async def test_nothing_is_left_after_many_sessions():
    """Descriptors of host and worker, processes, sessions and viewers, over every way a session comes and goes."""
    with serving("--linger", "0", "--log-level", "warning") as server:
        (worker,) = server.workers

        def held() -> tuple[int, int, int]:
            return worker.num_fds(), server.host.num_fds(), len(server.host.children())

        async def at_rest() -> tuple[int, int, int]:
            async with asyncio.timeout(20):
                while any(each.status == "ESTABLISHED" for each in worker.net_connections("tcp")):
                    await asyncio.sleep(0.01)
            return held()

        async def cycle(way: int) -> None:
            async with connect(server.url, timeout=30) as first, connect(server.url, timeout=30) as second:
                session = (await first.attach()).session
                await second.attach(session)
                if way == 0:
                    await first.close(destroy=True)
                    await second.wait_exit()
                elif way == 1:
                    first.command("exit")
                    await asyncio.gather(first.wait_exit(), second.wait_exit())
                elif way == 2:
                    first.abort()
                    second.abort()
                    assert (await api_delete(server, session)).status == 204
                else:
                    await api_delete(server, session)

        await cycle(0)
        before = await at_rest()
        for _ in range(5):
            await asyncio.gather(*(cycle(way) for way in (0, 1, 2, 3)))
        answer = await http(server, "GET", "/api/v1/sessions", token=TOKEN)
        assert answer.json()["total"] == 0
        await at_rest()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while held() != before:  # the processes close the last descriptors at their own pace
                    await asyncio.sleep(0.01)
        assert held() == before


async def test_slots_of_logs_are_reused_but_never_while_they_have_a_reader():
    """More sessions than an arena has slots, one at a time, while a stalled viewer keeps an ended one's log."""
    with serving("--linger", "0", "--log-level", "warning") as server:
        async with connect(server.url, acknowledge=False) as stalled, rest(server.url) as api:
            await stalled.attach(window=4096)
            stalled.command("yes stalled | head -n 3000; exit")
            async with asyncio.timeout(20):
                while (await api.call("GET", "/sessions")).json()["total"]:
                    # Acknowledge until the shell could end; what is left unread stays in the log.
                    chunk = await stalled.read()
                    stalled.ack(chunk.end)
                    if chunk.end > 15_000:
                        break
            before = server.host.num_fds()
            for _ in range(70):
                id = (await api.call("POST", "/sessions", {"shell": "/bin/echo", "args": ["other"]})).json()["id"]
                await api.request("DELETE", f"/sessions/{id}")
            assert server.host.num_fds() <= before
            data = bytearray()
            while (chunk := await stalled.read()) is not None:
                data += chunk.data
                stalled.ack(chunk.end)
            assert b"other" not in data
            assert stalled.exit.offset == stalled.offset


async def test_frames_of_both_subprotocols_reach_viewers_of_one_session(server):
    async with attached(server) as (json_viewer, answer), ready(server, subprotocol="web-terminal.v1") as binary_viewer:
        binary_viewer.say(type="attach", session=answer["session"])
        await binary_viewer.heard("attached")
        json_viewer.say(type="input", data="printf '%s%s' bo th\r")
        text, data = "", b""
        while "both" not in text:
            text += (await json_viewer.heard("output"))["data"]
        while b"both" not in data:
            opcode, payload = await binary_viewer.frame()
            assert opcode in (TEXT, BINARY)
            data += payload[9:] if opcode == BINARY else b""


async def test_what_was_renamed_is_attached_under_its_new_name(server):
    async with connect(server.url) as first, connect(server.url) as second, rest(server.url) as api:
        session = (await first.attach()).session
        await api.call("PATCH", f"/sessions/{session}", {"name": "new name"})
        assert (await second.attach(session)).name == "new name"
        await first.close(destroy=True)


async def test_a_worker_without_descriptors_refuses_and_recovers():
    """The kernel drops descriptors a process has no room for: the attach is refused; with room it goes well."""
    with serving() as server:
        (worker,) = server.workers
        async with connect(server.url, timeout=30) as first, connect(server.url, timeout=30) as second:
            limits = worker.rlimit(psutil.RLIMIT_NOFILE)
            worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds(), limits[1]))
            with pytest.raises(Closed) as closed:
                await first.attach()
            assert closed.value.code == 1013
            assert "ulimit -n" in closed.value.reason
            worker.rlimit(psutil.RLIMIT_NOFILE, limits)
            await second.attach()
            assert (await second.run("echo here")).output == b"here\r\n"
