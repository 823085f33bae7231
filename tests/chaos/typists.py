"""Typists over upgrades, cuts at random bytes and killed workers: what programs read is compared with what was typed.

``python -m tests.chaos.typists [--typists 80] [--upgrades 6] [--cuts 38] [--kills 24] [--seed 1]`` prints one line of
figures and fails if a byte was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import TOKEN, serving
from web_terminal_suite.client.connection import ClientConnection, connect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.protocol.messages import SessionSpec

if TYPE_CHECKING:
    from tests.conftest import Serving

_KEY_SECONDS = 0.1
_BETWEEN_FAULTS = 2.0
_LAST_SECONDS = 120


class CuttingProxy:
    """TCP to ``port``; ``cut`` ends one connection after a random number of bytes more."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._to = port
        self._chance = chance
        self._left: dict[asyncio.StreamWriter, int] = {}
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut(self) -> None:
        if self._left:
            self._left[self._chance.choice(list(self._left))] = self._chance.randrange(1, 200)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):  # the test is over
            up_reader, up = await asyncio.open_connection("127.0.0.1", self._to)
            self._left[writer] = -1
            await asyncio.gather(self._pour(reader, up, writer), self._pour(up_reader, writer, writer))
            up.close()
        writer.close()
        self._left.pop(writer, None)

    async def _pour(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                left = self._left.get(client, -1)
                if 0 <= left <= len(data):
                    to.write(data[:left])
                    await to.drain()
                    client.transport.abort()
                    break
                if left > 0:
                    self._left[client] = left - len(data)
                to.write(data)
                await to.drain()
        to.close()


async def _again(connection: ClientConnection, url: str) -> None:
    while True:
        with contextlib.suppress(ClientError):
            await connection.reconnect()
            return
        await asyncio.sleep(0.1)


async def _type(number: int, url: str, directory: Path, over: asyncio.Event, chance: random.Random) -> tuple[int, int]:
    """Type until it is ``over``; how many keys, and how many connections that took."""
    file = directory / f"read-{number}"
    script = f"stty raw -echo min 1; echo ready; cat > {file}"
    typed = bytearray()
    connections = 1
    async with connect(url, token=TOKEN) as connection:
        await connection.attach(spec=SessionSpec(shell="/bin/sh", args=("-c", script)))
        await connection.wait_for(b"ready")
        while not over.is_set():
            key = b"%06d," % len(typed)
            try:
                connection.input(key)
                typed += key
            except ClientError:
                await _again(connection, url)
                connections += 1
            await asyncio.sleep(_KEY_SECONDS * chance.uniform(0.5, 1.5))
        async with asyncio.timeout(_LAST_SECONDS):
            while connection.unacknowledged_input:
                try:
                    await connection.input_taken()
                except ClientError:
                    await _again(connection, url)
                    connections += 1
            while not file.exists() or len(file.read_bytes()) < len(typed):
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # for a byte that would be one too many
        read = file.read_bytes()
        if read != bytes(typed):
            at = next((at for at, (one, other) in enumerate(zip(read, typed, strict=False)) if one != other), len(read))
            raise AssertionError(
                f"typist {number}: {len(typed)} bytes typed, {len(read)} read, other from byte {at} on"
            )
        await connection.close(destroy=True)
    return len(typed) // 7, connections


def _kill(server: Serving, chance: random.Random) -> None:
    workers = server.workers
    if workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(workers).pid, signal.SIGKILL)


async def _run(arguments: argparse.Namespace) -> None:
    chance = random.Random(arguments.seed)
    with serving("--workers", "2", "--max-sessions-per-user", "1000") as server, tempfile.TemporaryDirectory() as made:
        proxy = CuttingProxy(server.port, chance)
        listening = await proxy.start()
        over = asyncio.Event()
        url = f"http://127.0.0.1:{proxy.port}"
        typing = [
            asyncio.create_task(_type(number, url, Path(made), over, random.Random(number)))
            for number in range(arguments.typists)
        ]
        faults = ["upgrade"] * arguments.upgrades + ["cut"] * arguments.cuts + ["kill"] * arguments.kills
        chance.shuffle(faults)
        await asyncio.sleep(5)
        for fault in faults:
            if fault == "upgrade":
                server.process.send_signal(signal.SIGHUP)
            elif fault == "kill":
                _kill(server, chance)
            else:
                proxy.cut()
            await asyncio.sleep(_BETWEEN_FAULTS * chance.uniform(0.2, 1.8))
        over.set()
        done = await asyncio.gather(*typing)
        listening.close()
    keys, connections = (sum(each) for each in zip(*done, strict=True))
    print(
        f"{arguments.typists} typists, {arguments.upgrades} upgrades, {arguments.cuts} cuts, {arguments.kills} kills: "
        f"{keys} keys over {connections} connections, 0 lost, 0 doubled, 0 out of order"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("typists", 80), ("upgrades", 6), ("cuts", 38), ("kills", 24), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
