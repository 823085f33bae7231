"""Input arrives exactly once and in order, whatever happens to connections and workers: the program writes it down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import serving
from tests.server.test_hosts import kill_host, until_upgraded
from tests.server.test_lifecycle import until
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import ClientError, Closed, Refused
from web_terminal_suite.protocol.codec import Frame, Subprotocol, encode_input
from web_terminal_suite.protocol.messages import Error, SessionSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serving

PATHS = {"slow": {"PURE_PYTHON": "1"}, "fast": {}}
PASTE = b"".join(b"line %06d of a paste\n" % number for number in range(8000))
PIECE = 10_000


@pytest.fixture(scope="module", params=PATHS)
def server(request) -> Iterator[Serving]:
    with serving("--workers", "2", env=PATHS[request.param]) as each:
        yield each


class Program:
    """A program that is busy until it ``may_read``, and then writes down ``count`` bytes of its input."""

    def __init__(self, directory: Path, count: int) -> None:
        self._read, self._go = directory / "read", directory / "go"
        wait = f"while [ ! -e {self._go} ]; do sleep 0.05; done"
        script = f"stty raw -echo; echo ready; {wait}; head -c {count} > {self._read}; echo do''ne; sleep 60"
        self.spec = SessionSpec(shell="/bin/sh", args=("-c", script))

    def may_read(self) -> None:
        self._go.touch()

    def read(self) -> bytes:
        return self._read.read_bytes()


async def again(connection) -> None:
    """Attach again, as soon as a worker answers."""
    for _ in range(200):
        try:
            await connection.reconnect()
            return
        except ClientError:
            await asyncio.sleep(0.05)
    await connection.reconnect()


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def paste(connection, directory: Path) -> Program:
    """A paste into a program that does not read yet."""
    program = Program(directory, len(PASTE))
    await connection.attach(spec=program.spec)
    await connection.wait_for(b"ready")
    for at in range(0, len(PASTE), PIECE):
        connection.input(PASTE[at : at + PIECE])
    return program


async def was_read(connection, program: Program) -> None:
    program.may_read()
    await connection.wait_for(b"done", 30)
    assert program.read() == PASTE
    await connection.input_taken()


@pytest.mark.parametrize("subprotocol", Subprotocol)
async def test_a_paste_into_a_busy_program_outlives_a_cut(server, tmp_path, subprotocol):
    async with connect(server.url, dialect=lambda: NativeDialect(subprotocol)) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        connection.abort()
        await connection.reconnect()
        await was_read(connection, program)


async def test_a_paste_that_was_on_its_way_is_sent_again(server, tmp_path):
    async with connect(server.url) as connection:
        program = await paste(connection, tmp_path)
        connection.abort()
        await connection.reconnect()
        await was_read(connection, program)


async def test_a_paste_outlives_a_clean_end_of_its_connection(server, tmp_path):
    async with connect(server.url) as connection, connect(server.url) as other:
        program = await paste(connection, tmp_path)
        await connection.close()
        await other.attach(connection.session)
        other.input(b"behind the paste")
        await was_read(other, program)


async def test_a_paste_outlives_an_upgrade(server, tmp_path):
    async with connect(server.url) as connection:
        program = await paste(connection, tmp_path)
        server.process.send_signal(signal.SIGHUP)
        with pytest.raises(ClientError):
            await connection.wait_for(b"done", 30)  # the program reads nothing yet
        await again(connection)
        await was_read(connection, program)


async def test_a_paste_outlives_the_death_of_its_worker(server, tmp_path):
    async with connect(server.url) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        for worker in server.workers:
            worker.kill()
        psutil.wait_procs(server.workers, 0)
        await again(connection)
        await was_read(connection, program)


async def test_a_paste_that_its_worker_holds_outlives_the_death_of_the_host(server, tmp_path):
    async with connect(server.url, timeout=30) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        await kill_host(server)
        await was_read(connection, program)


async def test_a_paste_that_the_host_holds_outlives_its_death(server, tmp_path):
    """Its client has left for good: only the file that the supervisor has as well has it."""
    async with connect(server.url, timeout=30) as connection:
        program = await paste(connection, tmp_path)
        await connection.close()
    await kill_host(server)
    async with connect(server.url, timeout=30) as other:
        await other.attach(connection.session)
        other.input(b"behind the paste")
        await was_read(other, program)


async def test_a_viewer_of_input_that_the_host_holds_does_not_notice_its_death(server, tmp_path):
    async with connect(server.url, timeout=30) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        connection.abort()
        await connection.reconnect()
        await kill_host(server)
        await was_read(connection, program)


async def test_a_paste_is_typed_once_by_hosts_that_die_while_they_type_it(server, tmp_path):
    """The program reads slowly; each host types a part, and is killed."""
    slow, read, go = PASTE[:60_000], tmp_path / "read", tmp_path / "go"
    script = (
        f"stty raw -echo; echo ready; while [ ! -e {go} ]; do sleep 0.05; done; "
        f"for i in $(seq 60); do head -c 1000 >> {read}; sleep 0.05; done; echo do''ne; sleep 60"
    )
    async with connect(server.url, timeout=30) as connection:
        await connection.attach(spec=SessionSpec(shell="/bin/sh", args=("-c", script)))
        await connection.wait_for(b"ready")
        connection.input(slow)
        await connection.close()
    go.touch()
    for _ in range(3):
        await kill_host(server)
    async with connect(server.url, timeout=60) as other:
        await other.attach(connection.session)
        await other.wait_for(b"done", 60)
        assert read.read_bytes() == slow


async def test_input_handed_to_a_host_that_does_not_run_reaches_the_next_one(server, tmp_path):
    """The host never read the message, and its worker says it again."""
    async with connect(server.url, timeout=30) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        for host in server.children("server.host"):
            host.suspend()
        connection.abort()
        async with connect(server.url, timeout=30) as witness:
            await witness.ping()  # the same loop has seen the end of the other connection
        await asyncio.sleep(0.2)
        await kill_host(server)
        async with connect(server.url, timeout=30) as other:
            await other.attach(connection.session)
            await was_read(other, program)


async def test_input_that_the_supervisor_could_not_keep_is_sent_again(tmp_path):
    """The viewer is sent away, and sends again what the host had."""
    with serving("--workers", "2") as server:
        async with connect(server.url, timeout=30) as connection:
            program = await paste(connection, tmp_path)
            await connection.ping()
            # The supervisor keeps 128 descriptors for itself.
            used = max(map(int, os.listdir(f"/proc/{server.process.pid}/fd"))) + 1
            psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE, (used + 128, used + 128))
            connection.abort()
            await connection.reconnect()
            await until(lambda: any("no descriptor is left to keep" in line for line in server.log))
            await kill_host(server)
            with pytest.raises(ClientError):
                await connection.wait_for(b"done", 30)  # the program reads nothing yet
            await again(connection)
            await was_read(connection, program)


async def test_a_paste_outlives_the_death_of_its_host_and_then_of_its_worker(server, tmp_path):
    """The pipe is lent to the next host as well, so that it counts what the worker had no time to count."""
    async with connect(server.url, timeout=30) as connection:
        program = await paste(connection, tmp_path)
        await connection.ping()
        await kill_host(server)
        workers = server.workers
        for worker in workers:
            worker.kill()
        psutil.wait_procs(workers, 30)
        await again(connection)
        await was_read(connection, program)


async def test_a_paste_that_the_host_holds_outlives_its_upgrade(server, tmp_path):
    """Nobody has it but the host, which hands it over to the installed code."""
    async with connect(server.url) as connection:
        program = await paste(connection, tmp_path)
        await connection.close()
    since, workers = len(server.log), server.workers
    server.process.send_signal(signal.SIGHUP)
    await until_upgraded(server, since, " leaves")
    psutil.wait_procs(workers, 30)  # one that is about to leave would hang up
    async with connect(server.url) as other:
        await other.attach(connection.session)
        other.input(b"behind the paste")
        await was_read(other, program)


async def test_typing_outlives_cuts_upgrades_and_deaths_of_workers_and_hosts(server, tmp_path):
    """Each key is numbered; nothing is lost, doubled or out of order."""
    typed = b"".join(b"%05d " % number for number in range(500))
    events = {100: "cut", 200: "hup", 300: "kill", 350: "host", 400: "cut", 450: "both"}
    program = Program(tmp_path, len(typed))
    program.may_read()
    async with connect(server.url) as connection:
        await connection.attach(spec=program.spec)
        await connection.wait_for(b"ready")
        for number in range(500):
            match events.get(number):
                case "cut":
                    connection.abort()
                case "hup":
                    server.process.send_signal(signal.SIGHUP)
                case "kill":
                    kill(server.workers)
                case "host":
                    kill(server.children("server.host"))
                case "both":
                    kill(server.children("server.host"))
                    await asyncio.sleep(0.5)
                    kill(server.workers)
            for byte in range(number * 6, number * 6 + 6):
                while True:
                    try:
                        connection.input(typed[byte : byte + 1])
                        break
                    except (ClientError, RuntimeError):
                        await again(connection)
            await asyncio.sleep(0.002)
        while connection.unacknowledged_input:
            try:
                await connection.input_taken()
            except ClientError:
                await again(connection)
        await connection.wait_for(b"done", 30)
        assert program.read() == typed


KEY = "0123456789abcdef"


def numbered(offset: int, data: bytes) -> Frame:
    return encode_input(Subprotocol.BINARY, data, offset)


async def attached_with_key(connection, session: str | None = None) -> int | None:
    """Attach with ``KEY``; where input goes on."""
    connection._input_key = KEY
    return (await connection.attach(session)).input


async def test_a_replay_of_old_input_is_dropped_and_a_hole_is_refused(server):
    async with connect(server.url) as connection:
        assert await attached_with_key(connection) == 0
        await connection.wait_for(b"$ ")
        connection.send_frame(numbered(0, b"echo one"))
        connection.send_frame(numbered(0, b"echo one"))  # again
        connection.send_frame(numbered(5, b"one two\r"))  # partly again
        connection._sent_input.add(b"echo one two\r")
        await connection.wait_for(b"\r\none two")
        connection.send_frame(numbered(99, b"never"))
        _, error = await connection.message(Error)
        assert (error.code, error.fatal) == ("out_of_range", False)
        connection.input(b"echo th''ree\r")
        assert b"never" not in (await connection.wait_for(b"three", keep=True)).output


async def test_the_later_of_two_connections_with_one_key_goes_on(server):
    async with connect(server.url) as first, connect(server.url) as second:
        assert await attached_with_key(first) == 0
        first.input(b"echo fi''rst\r")
        await first.wait_for(b"first")
        # It was the same client all along.
        second.session, second._sent_input = first.session, first._sent_input
        assert await attached_with_key(second, first.session) == len(b"echo fi''rst\r")
        _, error = await first.message(Error)
        assert (error.code, error.fatal) == ("input_key_in_use", True)
        with pytest.raises(Closed) as closed:
            await first.wait_for(b"never")
        assert closed.value.code == 4409
        second.input(b"echo sec''ond\r")
        await second.wait_for(b"second")


@pytest.mark.parametrize("key", ["", "0123", "0123456789abcdeg", KEY + "0"])
async def test_what_is_no_key_is_refused(server, key):
    async with connect(server.url) as connection:
        connection._input_key = key
        with pytest.raises(Refused, match="input_key"):
            await connection.attach()
        connection._input_key = KEY
        await connection.attach()


async def test_a_client_without_a_key_types_as_before(server):
    async with connect(server.url, number_input=False) as connection:
        assert (await connection.attach()).input is None
        connection.input(b"echo un''numbered\r")
        await connection.wait_for(b"unnumbered")
        connection.send_frame(numbered(0, b"x"))
        _, error = await connection.message(Error)
        assert error.code == "out_of_range"


async def test_a_ninth_client_of_a_session_types_without_numbers(server):
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(server.url)) for _ in range(9)]
        session = (await clients[0].attach()).session
        inputs = [(await each.attach(session)).input for each in clients[1:]]
        assert inputs == [0] * 7 + [None]
        clients[8].input(b"echo ni''nth\r")
        await clients[8].wait_for(b"ninth")


async def test_pastes_that_are_read_at_once_are_acknowledged_as_they_go(server):
    """A client may keep 8 MiB that are not acknowledged; these are twelve pastes of a MiB without a pause."""
    async with connect(server.url) as connection:
        await connection.attach()
        await connection.run("true")
        for number in range(12):
            read = "stty raw -echo; printf 're%s\\n' ady; head -c 1048576 | wc -c; stty sane"
            connection.command(f"{read}; printf 'do%s{number}\\n' ne")
            await connection.wait_for(b"ready")
            for _ in range(64):
                connection.input(b"x" * 16383 + b"\n")
                await connection.drain()
            await connection.wait_for(b"done%d" % number)
        await connection.input_taken()
        await connection.close(destroy=True)
