"""Input arrives exactly once and in order, whatever happens to connections and workers: the program writes it down."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import serving
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.protocol.codec import Subprotocol
from web_terminal_suite.protocol.messages import SessionSpec

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


async def test_typing_outlives_cuts_upgrades_and_deaths_of_workers(server, tmp_path):
    """Each key is numbered; nothing is lost, doubled or out of order."""
    typed = b"".join(b"%05d " % number for number in range(500))
    events = {100: "cut", 200: "hup", 300: "kill", 400: "cut"}
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
                    for worker in server.workers:
                        worker.kill()
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
