"""The walks end to end: real shells, real sockets, real signals."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal

import psutil
import pytest

from tests.conftest import serving
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import Closed, Refused
from web_terminal_suite.client.rest import rest
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import Subprotocol

BOTH = pytest.mark.parametrize("subprotocol", list(Subprotocol))


@BOTH
async def test_a_command_gives_its_output_and_status(server, subprotocol):
    async with connect(server.url, dialect=lambda: NativeDialect(subprotocol)) as connection:
        await connection.attach()
        result = await connection.run("printf '%s-%s' one two; (exit 7)")
        assert (result.output, result.status) == (b"one-two", 7)
        await connection.close(destroy=True)


@BOTH
async def test_every_byte_of_a_large_output_arrives(server, subprotocol):
    async with connect(server.url, dialect=lambda: NativeDialect(subprotocol)) as connection:
        await connection.attach()
        result = await connection.run("seq 1 100000", timeout=60)
        expected = b"".join(b"%d\r\n" % n for n in range(1, 100001))
        assert hashlib.sha256(result.output).digest() == hashlib.sha256(expected).digest()
        await connection.close(destroy=True)


@BOTH
async def test_bytes_that_are_not_utf8_arrive_as_they_are(server, subprotocol):
    async with connect(server.url, dialect=lambda: NativeDialect(subprotocol)) as connection:
        await connection.attach()
        result = await connection.run(r"printf '\377\376\200\303'; sleep 0.05; printf '\251\001end'")
        assert result.output == b"\xff\xfe\x80\xc3\xa9\x01end"
        await connection.close(destroy=True)


async def test_the_shell_exits_and_its_status_is_told_after_the_last_byte(server):
    async with connect(server.url) as connection:
        attached = await connection.attach()
        connection.command("printf '%s%s' la st; exit 3")
        await connection.wait_for(b"last")
        exit_ = await connection.wait_exit()
        assert (exit_.status, exit_.session) == (3, attached.session)
        assert exit_.offset == connection.offset


async def test_size_signal_and_environment_reach_the_shell(server):
    spec = m.SessionSpec(env={"COLOUR": "blue"}, cwd="/")
    async with connect(server.url) as connection:
        await connection.attach(spec=spec, cols=101, rows=31)
        result = await connection.run('stty size; echo $COLOUR; pwd; echo $TERM; echo "[$WEB_TERMINAL_TOKEN]"')
        assert result.output == b"31 101\r\nblue\r\n/\r\nxterm-256color\r\n[]\r\n"
        connection.resize(90, 20)
        result = await connection.run("stty size")
        assert result.output == b"20 90\r\n"
        connection.command(
            """sh -c 'trap "printf %s%s got it; exit" INT; printf %s%s rea dy; while :; do sleep 0.05; done'"""
        )
        await connection.wait_for(b"ready")
        connection.signal("SIGINT")
        await connection.wait_for(b"gotit")
        await connection.close(destroy=True)


async def test_a_session_outlives_its_connection_and_resumes_at_the_offset(server):
    async with connect(server.url) as connection:
        attached = await connection.attach()
        await connection.run("first=1")
        await connection.drain()
        offset = connection.offset
        connection.command("printf '%s%s' be fore; printf '%s%s' af ter")
        connection.abort()
    async with connect(server.url) as again:
        joined = await again.attach(attached.session, resume_from=offset)
        assert joined.offset == offset
        await again.wait_for(b"beforeafter")
        result = await again.run("echo $first")
        assert result.output == b"1\r\n"
        await again.close(destroy=True)


async def test_output_beyond_the_log_is_announced_as_a_gap(server):
    async with connect(server.url) as connection:
        attached = await connection.attach()
        offset = connection.offset
        await connection.run("seq 1 200000", timeout=60)
    async with connect(server.url) as again:
        joined = await again.attach(attached.session, resume_from=offset)
        assert joined.offset > offset
        assert joined.end - joined.offset <= 256 * 1024
        _, gap = await again.message(m.Gap)
        assert (gap.start, gap.end) == (offset, joined.offset)
        await again.run("true")
        await again.close(destroy=True)


async def test_a_resume_beyond_the_output_is_refused_and_another_may_follow(server):
    async with connect(server.url) as first, connect(server.url) as again:
        attached = await first.attach()
        await first.run("true")
        with pytest.raises(Refused, match=r"out_of_range: resume_from of 1000000000 lies beyond"):
            await again.attach(attached.session, resume_from=10**9)
        offset = first.offset  # the prompt may still be on its way and move it
        assert (await again.attach(attached.session, resume_from=offset)).offset == offset
        await first.close(destroy=True)


async def test_two_viewers_see_the_same_and_the_size_is_told(server):
    async with connect(server.url) as first, connect(server.url) as second:
        attached = await first.attach(cols=80, rows=24)
        await first.run("true")
        await second.attach(attached.session, cols=100, rows=30)
        _, resized = await first.message(m.Resized)
        assert (resized.cols, resized.rows) == (100, 30)
        first.command("printf '%s%s' sha red")
        await second.wait_for(b"shared")
        await first.wait_for(b"shared")
        second.command("printf '%s%s' ba ck")
        await first.wait_for(b"back")
        await first.close(destroy=True)


async def test_a_viewer_that_leaves_gives_the_size_back(server):
    async with connect(server.url) as large, connect(server.url) as small:
        attached = await large.attach(cols=100, rows=30)
        await small.attach(attached.session, cols=40, rows=10)
        assert (await large.message(m.Resized))[1] == m.Resized(cols=40, rows=10)
        await small.close()
        assert (await large.message(m.Resized))[1] == m.Resized(cols=100, rows=30)
        assert (await large.run("stty size")).output == b"30 100\r\n"
        await large.close(destroy=True)


async def test_a_viewer_in_another_worker_that_leaves_gives_the_size_back():
    with serving("--workers", "2") as server:
        first, second = server.workers
        async with connect(server.url) as warm:  # both workers accept
            await warm.ping()
        second.suspend()
        async with connect(server.url) as large:
            second.resume()
            attached = await large.attach(cols=100, rows=30)
            first.suspend()
            async with connect(server.url) as small:
                first.resume()
                await small.attach(attached.session, cols=40, rows=10)
                assert (await large.message(m.Resized))[1] == m.Resized(cols=40, rows=10)
                await small.close()
            assert (await large.message(m.Resized))[1] == m.Resized(cols=100, rows=30)
            assert (await large.run("stty size")).output == b"30 100\r\n"
            await large.close(destroy=True)


async def test_a_new_name_and_size_reach_those_who_look_already(server):
    async with connect(server.url) as first, connect(server.url) as second, rest(server.url) as api:
        attached = await first.attach()
        await api.call("PATCH", f"/sessions/{attached.session}", {"name": "renamed", "cols": 91, "rows": 19})
        _, resized = await first.message(m.Resized)
        assert (resized.cols, resized.rows) == (91, 19)
        assert (await second.attach(attached.session, mode="read")).name == "renamed"
        assert (await first.run("stty size")).output == b"19 91\r\n"
        await first.close(destroy=True)


async def test_a_reader_may_not_type(server):
    async with connect(server.url) as writer, connect(server.url) as reader:
        attached = await writer.attach()
        joined = await reader.attach(attached.session, mode="read")
        assert joined.mode == "read"
        reader.input(b"x")
        _, error = await reader.message(m.Error)
        assert (error.code, error.fatal) == ("read_only", False)
        await writer.close(destroy=True)


async def test_a_reader_that_stops_reading_stalls_the_program_and_loses_nothing(server):
    async with connect(server.url, acknowledge=False) as connection:
        attached = await connection.attach(window=8192)
        connection.command("seq 1 30000; printf '%s%s' do ne")
        _, paused = await connection.message(m.FlowControl)
        assert (paused.direction, paused.state) == ("output", "paused")
        assert connection.offset - attached.offset <= 8192
        data = bytearray()
        while b"done" not in data:
            chunk = await connection.read()
            data += chunk.data
            connection.ack(chunk.end)
        expected = b"".join(b"%d\r\n" % n for n in range(1, 30001))
        assert expected in data
        await connection.close(destroy=True)


async def test_input_to_a_program_that_does_not_read_is_bounded_and_arrives(server):
    async with connect(server.url) as connection:
        await connection.attach()
        # 300,000 bytes wait for a program that begins to read only when it is told to.
        connection.command("stty raw -echo; printf '%s%s' rea dy; read -r go < /dev/tty; head -c 300000 | md5sum")
        await connection.wait_for(b"ready")
        block = bytes(range(97, 123)) * 11539 + b"abcdef"
        connection.input(b"go\n")
        connection.input(block[:300000])
        found = await connection.wait_for(hashlib.md5(block[:300000]).hexdigest().encode(), timeout=30)
        assert found
        await connection.close(destroy=True)


async def test_killing_a_worker_loses_no_shell_and_no_byte_of_the_log(tmp_path):
    """100 sessions attached, the worker is killed, output goes on, everybody resumes at the byte they had."""
    with serving("--workers", "1", "--log-level", "warning") as server:
        async with attached(server.url, 100) as connections:
            before = [await each.run("echo $$") for each in connections]
            # What is printed while nobody looks must be there afterwards.
            gone = tmp_path / "gone"
            for each in connections:
                each.command(f"(until [ -e {gone} ]; do sleep 0.1; done; printf '%s%s' mean while) &")
            await asyncio.gather(*(each.run("true") for each in connections))
            (worker,) = server.workers
            worker.send_signal(signal.SIGKILL)
            for each in connections:
                with pytest.raises(Closed):
                    await each.wait_for(b"never")
            gone.touch()
            offsets = [each.offset for each in connections]
            joined = await asyncio.gather(*(resume(each) for each in connections))
            assert [each.offset for each in joined] == offsets
            await asyncio.gather(*(each.wait_for(b"meanwhile") for each in connections))
            after = await asyncio.gather(*(each.run("echo $$") for each in connections))
            assert [each.output for each in after] == [each.output for each in before]
            assert worker.pid not in [each.pid for each in server.workers]


async def test_new_workers_take_over_with_the_same_shells():
    with serving("--workers", "2") as server:
        async with attached(server.url, 8) as connections:
            before = [await each.run("echo $$") for each in connections]
            old = {each.pid for each in server.workers}
            server.process.send_signal(signal.SIGHUP)
            for each in connections:
                with pytest.raises(Closed) as closed:
                    await each.wait_for(b"never", timeout=30)
                assert closed.value.code == 1012
            await asyncio.gather(*(resume(each) for each in connections))
            after = await asyncio.gather(*(each.run("echo $$") for each in connections))
            assert [each.output for each in after] == [each.output for each in before]
            psutil.wait_procs([psutil.Process(pid) for pid in old if psutil.pid_exists(pid)], timeout=20)
            assert old.isdisjoint(each.pid for each in server.workers)


async def test_viewers_in_different_workers_share_a_session():
    """With several workers one pumps and the others follow through shared memory, whoever leaves first."""
    with serving("--workers", "3") as server:
        async with attached(server.url, 1) as (first,), attached(server.url, 12, first.session) as others:
            await first.run("true")
            for each in others:
                await each.wait_for(b"$ ")
            first.command("seq 1 20000; printf '%s%s' e nd")
            await asyncio.gather(*(each.wait_for(b"20000\r\nend", timeout=60) for each in (first, *others)))
            # The pump's worker dies; a follower's worker takes over, and the others follow it.
            server.workers[0].send_signal(signal.SIGKILL)
            await asyncio.gather(*(recover(each) for each in (first, *others)))
            others[0].command("printf '%s%s' still here")
            await asyncio.gather(*(each.wait_for(b"stillhere", timeout=30) for each in (first, *others)))


async def test_a_session_that_idles_is_ended_and_said_to_have_expired():
    with serving("--idle-timeout", "1") as server:
        async with connect(server.url) as connection, rest(server.url) as api:
            attached = await connection.attach()
            pid = (await connection.run("echo $$")).output
            connection.abort()
            await until(lambda: not psutil.pid_exists(int(pid)))
            async with connect(server.url) as again:
                with pytest.raises(Closed) as closed:
                    await again.attach(attached.session)
                assert closed.value.code == 4001
            with pytest.raises(Refused) as refused:
                await api.call("GET", f"/sessions/{attached.session}")
            assert (refused.value.status, refused.value.code) == (410, "session_expired")


async def test_stopping_the_server_ends_every_shell_and_tells_every_page():
    with serving() as server:
        async with attached(server.url, 3) as connections:
            pids = [int((await each.run("echo $$")).output) for each in connections]
            # A program that ignores the hang-up is killed.
            connections[0].command("trap '' HUP TERM; printf '%s%s' stub born; while :; do sleep 1; done")
            await connections[0].wait_for(b"stubborn")
            server.process.send_signal(signal.SIGTERM)
            for each in connections:
                with pytest.raises(Closed) as closed:
                    await each.wait_for(b"never", timeout=20)
                assert closed.value.code == 1001
            await until(lambda: server.process.poll() is not None)
            assert server.process.returncode == 0
            assert not any(psutil.pid_exists(pid) for pid in pids)


# --- verbs of these tests


@contextlib.asynccontextmanager
async def attached(url: str, count: int, session: str | None = None):
    """``count`` attached connections, each to a session of its own or all to ``session``."""
    async with contextlib.AsyncExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = await stack.enter_async_context(connect(url, timeout=30))
            await connection.attach(session)
            connections.append(connection)
        yield connections


async def resume(connection) -> m.Attached:
    """Reconnect as a page does: again and again until a worker answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await connection.reconnect()
            except (Closed, OSError) as error:
                if isinstance(error, Closed) and error.code not in (1001, 1006, 1012):
                    raise


async def recover(connection) -> None:
    """Resume, if this one lost its worker; which one tells by a round trip."""
    try:
        await connection.ping()
    except Closed:
        await resume(connection)


async def until(condition) -> None:
    """Wait for what another process does and no event of ours tells."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)
