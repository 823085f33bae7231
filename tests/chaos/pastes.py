"""A paste of 200,000 bytes into a program that does not read yet: cut, closed, upgraded, killed. It arrives once."""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.chaos.sessions import lasting, until
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.protocol.codec import Subprotocol
from web_terminal_suite.protocol.messages import SessionSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable

    from tests.chaos.room import Rows
    from tests.chaos.server import ChaosServer
    from web_terminal_suite.client.connection import ClientConnection

OPTIONS = {"pastes": 3}
PASTE = b"".join(b"line %07d of a paste\n" % number for number in range(9000))[:200_000]
_PIECE_BYTES = 10_000
_GIVEN_UP_SECONDS = 40.0


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as made, chaos_server(Path(made) / "a", "--workers", "2") as server:
        for name, fault in FAULTS.items():
            read = []
            # On its way, or all with the server: both are cases of their own.
            for number, subprotocol, whole in itertools.product(range(options.pastes), Subprotocol, (True, False)):
                folder = Path(made) / f"{name}-{number}-{subprotocol}-{whole}".replace(" ", "-")
                folder.mkdir()
                read.append(await _paste(server, folder, subprotocol, fault, whole=whole))
            wrong = sum(each != PASTE for each in read)
            counts = sorted({len(each) for each in read})
            rows.add(
                Row(
                    f"a paste of {len(PASTE)} bytes, {name}, {len(read)} times",
                    "0 lost, 0 doubled, 0 out of order",
                    f"the program read {', '.join(map(str, counts))} bytes, {wrong} times other ones than were typed",
                    not wrong,
                )
            )


async def _paste(
    server: ChaosServer, folder: Path, subprotocol: Subprotocol, fault: Callable[..., Awaitable[None]], *, whole: bool
) -> bytes:
    """What the program read, one byte too many included."""
    file, go = folder / "read", folder / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.05; done"
    # A doubled byte would come within the second after the last one.
    script = f"stty raw -echo; echo ready; {wait}; timeout --foreground 60 cat > {file}"
    spec = SessionSpec(shell="/bin/sh", args=("-c", script))
    async with connect(server.url, token=TOKEN, dialect=lambda: NativeDialect(subprotocol), timeout=30) as connection:
        await connection.attach(spec=spec)
        await connection.wait_for(b"ready")
        for at in range(0, len(PASTE), _PIECE_BYTES):
            connection.input(PASTE[at : at + _PIECE_BYTES])
        if whole:
            await connection.ping()
        await fault(server, connection)
        go.touch()

        async def taken() -> None:
            if connection.closed is not None:
                await connection.reconnect()
            await connection.input_taken()

        try:
            await lasting(taken, _GIVEN_UP_SECONDS)
        except TimeoutError:  # then it shows in what was read
            acked, attached = connection._sent_input.acked, connection.attached
            print(f"{folder.name}: {acked} acknowledged, {connection.closed}, {attached}", file=sys.stderr, flush=True)
        with contextlib.suppress(TimeoutError):
            await until(lambda: file.exists() and file.stat().st_size >= len(PASTE), 30)
        with contextlib.suppress(TimeoutError):
            await until(lambda: file.stat().st_size > len(PASTE), 1)
        read = file.read_bytes()
        await connection.close(destroy=True)
    return read


async def _again(connection: ClientConnection) -> None:
    await lasting(connection.reconnect)


async def _no_fault(_server: ChaosServer, _connection: ClientConnection) -> None:
    pass


async def _cut(_server: ChaosServer, connection: ClientConnection) -> None:
    connection.abort()
    await _again(connection)


async def _cut_twice(server: ChaosServer, connection: ClientConnection) -> None:
    await _cut(server, connection)
    await _cut(server, connection)


async def _close(_server: ChaosServer, connection: ClientConnection) -> None:
    await connection.close()
    await _again(connection)


async def _upgrade(server: ChaosServer, _connection: ClientConnection) -> None:
    before = {each.pid for each in server.workers}
    server.hang_up()
    await until(lambda: not before & {each.pid for each in server.workers})


def _kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        each.kill()
    psutil.wait_procs(processes, 10)


async def _workers(server: ChaosServer, connection: ClientConnection) -> None:
    _kill(server.workers)
    await _again(connection)


async def _host(server: ChaosServer, _connection: ClientConnection) -> None:
    ready = server.logged("PTY host 0 is ready")
    _kill(server.hosts)
    await until(lambda: server.logged("PTY host 0 is ready") > ready)


async def _cut_and_host(server: ChaosServer, connection: ClientConnection) -> None:
    """The host holds what its viewer left behind."""
    await _cut(server, connection)
    await _host(server, connection)


async def _supervisor(server: ChaosServer, _connection: ClientConnection) -> None:
    server.kill_supervisor()
    server.start()


FAULTS = {
    "undisturbed": _no_fault,
    "cut": _cut,
    "cut twice": _cut_twice,
    "its viewer closed": _close,
    "upgraded": _upgrade,
    "workers killed": _workers,
    "host killed": _host,
    "cut, then host killed": _cut_and_host,
    "supervisor killed": _supervisor,
}


if __name__ == "__main__":
    main()
