"""Typists over upgrades, cuts and killed processes: what programs read is compared with what was typed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.chaos.sessions import lasting
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.protocol.messages import SessionSpec

if TYPE_CHECKING:
    import argparse

    from tests.chaos.room import Rows
    from tests.chaos.server import ChaosServer

OPTIONS = {"typists": 80, "upgrades": 6, "cuts": 38, "kills": 24, "typist_host_kills": 4}
_KEY_SECONDS = 0.1
_BETWEEN_FAULTS = 2.0
_LAST_SECONDS = 120
_KEY_BYTES = 7


class _Typed(NamedTuple):
    typed: bytes
    read: bytes
    connections: int

    def compared(self) -> tuple[int, int, int]:
        """How many keys are lost, doubled and out of order: each key is a number that follows from its place."""
        keys = [self.typed[at : at + _KEY_BYTES] for at in range(0, len(self.typed), _KEY_BYTES)]
        read = [self.read[at : at + _KEY_BYTES] for at in range(0, len(self.read), _KEY_BYTES)]
        once = list(dict.fromkeys(read))
        disorder = sum(before > after for before, after in itertools.pairwise(once))
        return len(set(keys) - set(read)), len(read) - len(once), disorder + len(set(read) - set(keys))


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as made, chaos_server(Path(made) / "a", "--workers", "2") as server:
        async with CuttingProxy(lambda: server.port, chance) as proxy:
            over = asyncio.Event()
            typing = [
                asyncio.create_task(_type(Path(made) / f"read-{number}", proxy.url, over, random.Random(number)))
                for number in range(options.typists)
            ]
            await asyncio.sleep(5)
            await _faults(options, server, proxy, chance)
            over.set()
            done = await asyncio.gather(*typing)
    lost, doubled, disordered = (sum(each) for each in zip(*(each.compared() for each in done), strict=True))
    keys = sum(len(each.typed) for each in done) // _KEY_BYTES
    wrong = sum(each.typed != each.read for each in done)
    rows.add(
        Row(
            f"{options.typists} typists over {options.upgrades} upgrades, {options.cuts} cuts, "
            f"{options.kills} kills of workers, {options.typist_host_kills} of hosts",
            "0 lost, 0 doubled, 0 out of order",
            f"{keys} keys over {sum(each.connections for each in done)} connections: {lost} lost, {doubled} doubled, "
            f"{disordered} out of order",
            not wrong,
        )
    )


async def _faults(options: argparse.Namespace, server: ChaosServer, proxy: CuttingProxy, chance: random.Random) -> None:
    faults = ["upgrade"] * options.upgrades + ["cut"] * options.cuts
    faults += ["worker"] * options.kills + ["host"] * options.typist_host_kills
    chance.shuffle(faults)
    for fault in faults:
        if fault == "upgrade":
            server.hang_up()
        elif fault == "cut":
            proxy.cut()
        else:
            with contextlib.suppress(IndexError):  # none is back yet
                chance.choice(server.workers if fault == "worker" else server.hosts).kill()
        await asyncio.sleep(_BETWEEN_FAULTS * chance.uniform(0.2, 1.8))


def _written(file: Path) -> int:
    return file.stat().st_size


async def _type(file: Path, url: str, over: asyncio.Event, chance: random.Random) -> _Typed:
    """Type until it is ``over``."""
    script = f"stty raw -echo min 1; echo ready; cat > {file}"
    typed = bytearray()
    connections = 1
    async with connect(url, token=TOKEN, timeout=20) as connection:
        await connection.attach(spec=SessionSpec(shell="/bin/sh", args=("-c", script)))
        await connection.wait_for(b"ready")
        while not over.is_set():
            key = b"%06d," % len(typed)
            try:
                connection.input(key)
                typed += key
            except ClientError:
                await lasting(connection.reconnect)
                connections += 1
            await asyncio.sleep(_KEY_SECONDS * chance.uniform(0.5, 1.5))
        with contextlib.suppress(TimeoutError):  # then it shows in what was read
            async with asyncio.timeout(_LAST_SECONDS):
                while connection.unacknowledged_input:
                    try:
                        await connection.input_taken()
                    except ClientError:
                        await lasting(connection.reconnect)
                        connections += 1
                while _written(file) < len(typed):
                    await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # for a byte that would be one too many
        read = await asyncio.to_thread(file.read_bytes)
        if connection.closed is not None:
            await lasting(connection.reconnect)
        await connection.close(destroy=True)
    return _Typed(bytes(typed), read, connections)


if __name__ == "__main__":
    main()
