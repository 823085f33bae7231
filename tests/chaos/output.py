"""Output over cuts, killed workers and hosts, and upgrades: every byte once, or in a gap that was told."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.protocol.messages import SessionSpec

if TYPE_CHECKING:
    import argparse

    from tests.chaos.room import Rows
    from tests.chaos.server import ChaosServer
    from web_terminal_suite.client.connection import ClientConnection

OPTIONS = {"floods": 6, "output_faults": 40, "kilobytes_per_second": 400}
# Each byte follows from its offset, and the length is a prime: a piece that is missing or doubled shows.
_PERIOD = 65521
_PATTERN = bytes(random.Random(2).choices(range(0x21, 0x7F), k=_PERIOD))
# So many stand at one place of the pattern only.
_TELLING_BYTES = 64
_BETWEEN_FAULTS = 1.5
_BEGIN_SECONDS = 60
_LAST_SECONDS = 120
# Writes the pattern until a file appears, and then how much it wrote.
_PROGRAM = """
import os, random, sys, time, tty
stop, rate = sys.argv[1], int(sys.argv[2])
tty.setraw(0)
pattern = bytes(random.Random(2).choices(range(0x21, 0x7F), k=65521))
twice, written, began = pattern * 2, 0, time.monotonic()
while not os.path.exists(stop):
    at = written % len(pattern)
    written += os.write(1, twice[at : at + 4000])
    time.sleep(max(0, written / rate - (time.monotonic() - began)))
open(f"{stop}.{sys.argv[3]}", "w").write(str(written))
time.sleep(600)
"""


class _Seen:
    """What one viewer has seen of a session, from its first byte on."""

    def __init__(self) -> None:
        self.received = self.told = self.gaps = self.connections = 0
        self.wrong: str = ""
        self.ahead = 0
        """How many bytes more gaps have told than were lost: a killed process had read at most so many."""
        self.slack = 0
        """Bytes told since output came last."""


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "program").write_text(_PROGRAM)
        with chaos_server(path / "a", "--workers", "2") as server:
            async with CuttingProxy(lambda: server.port, chance) as proxy:
                floods = [_Flood(path, number, options.kilobytes_per_second * 1000) for number in range(options.floods)]
                following = [asyncio.create_task(flood.follow(proxy.url)) for flood in floods]
                # A second viewer of each, which is another worker's as often as not.
                async with asyncio.timeout(_BEGIN_SECONDS):
                    await asyncio.gather(*(flood.begun.wait() for flood in floods))
                following += [asyncio.create_task(flood.follow(proxy.url)) for flood in floods]
                counts = await _faults(options, server, proxy, chance)
                (path / "stop").touch()
                async with asyncio.timeout(_LAST_SECONDS):
                    seen = await asyncio.gather(*following)
                written = sum(flood.written() for flood in floods)
    names = ("received", "told", "gaps", "ahead")
    received, told, gaps, ahead = (sum(getattr(each, name) for each in seen) for name in names)
    wrong = [each.wrong for each in seen if each.wrong]
    rows.add(
        Row(
            f"output of {options.floods} programs to 2 viewers each over {counts}",
            "every byte once, or in a gap that was told",
            f"{2 * written} bytes due: {received} came once, {told} were told in {gaps} gaps ({ahead} too many), "
            f"{2 * written - received - told + ahead} missing{''.join(f'; {each}' for each in wrong[:3])}",
            received + told - ahead == 2 * written and not wrong,
        )
    )


async def _faults(options: argparse.Namespace, server: ChaosServer, proxy: CuttingProxy, chance: random.Random) -> str:
    kinds = ["cut", "cut", "cut", "worker", "worker", "host", "upgrade", "all workers"]
    counts = dict.fromkeys(kinds, 0)
    for number in range(options.output_faults):
        kind = kinds[number % len(kinds)]
        counts[kind] += 1
        with contextlib.suppress(IndexError):  # the one that was killed last is not back yet
            if kind == "cut":
                proxy.cut()
            elif kind == "worker":
                chance.choice(server.workers).kill()
            elif kind == "all workers":
                for worker in server.workers:
                    worker.kill()
            elif kind == "host":
                server.hosts[0].kill()
            else:
                server.hang_up()
        await asyncio.sleep(_BETWEEN_FAULTS * chance.uniform(0.2, 1.8))
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items())


class _Flood:
    def __init__(self, folder: Path, number: int, rate: int) -> None:
        self._stop = folder / "stop"
        self._spec = SessionSpec(
            shell=sys.executable, args=(str(folder / "program"), str(self._stop), str(rate), str(number))
        )
        self._count = folder / f"stop.{number}"
        self._session: str | None = None
        self.begun = asyncio.Event()

    def written(self) -> int:
        return int(self._count.read_text())

    def _is_whole(self, offset: int) -> bool:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return offset >= self.written()
        return False

    async def follow(self, url: str) -> _Seen:
        """Every byte of it, over all the connections that this takes."""
        seen = _Seen()
        async with connect(url, token=TOKEN, timeout=20) as connection:
            if self._session is None:
                self._session = (await connection.attach(spec=self._spec)).session
                self.begun.set()
            else:
                await connection.attach(self._session, resume_from=0)
            offset = 0
            while not self._is_whole(offset - seen.ahead) and not seen.wrong:
                try:
                    chunk = await connection.read(1)
                except ClientError:
                    offset = self._skip(seen, connection, offset)
                    if connection.closed is None:
                        continue  # nothing came for a second
                    seen.connections += 1
                    await _again(connection)
                    continue
                if chunk is None:
                    seen.wrong = f"the output ended at {offset}"
                    break
                offset = self._check(seen, connection, offset, chunk.offset, chunk.data)
        return seen

    def _skip(self, seen: _Seen, connection: ClientConnection, offset: int) -> int:
        """Where output goes on behind the gaps that begin at ``offset``."""
        while connection.gaps and connection.gaps[0].start == offset:
            gap = connection.gaps.pop(0)
            seen.gaps += 1
            seen.told += gap.end - gap.start
            seen.slack += gap.end - gap.start
            offset = gap.end
        return offset

    def _check(self, seen: _Seen, connection: ClientConnection, offset: int, at: int, data: bytes) -> int:
        if at != offset:
            offset = self._skip(seen, connection, offset)
        if at != offset:
            seen.wrong = seen.wrong or f"offset {at} came behind {offset}"
        if seen.slack and not self._follows_gap(seen, at, data):
            seen.wrong = seen.wrong or f"what came at {at} does not follow a gap of {seen.slack} bytes"
        if data != _due(at - seen.ahead, len(data)):
            seen.wrong = seen.wrong or f"other bytes than were written between {at} and {at + len(data)}"
        seen.received += len(data)
        return at + len(data)

    def _follows_gap(self, seen: _Seen, at: int, data: bytes) -> bool:
        """Whether ``data`` is what the program wrote at ``at``, or up to the gap's length before that."""
        slack, seen.slack = seen.slack, 0
        head = data[:_TELLING_BYTES]
        for more in range(min(slack, _PERIOD)):
            if head == _due(at - seen.ahead - more, len(head)):
                seen.ahead += more
                return True
        return False


def _due(offset: int, count: int) -> bytes:
    """What a program wrote from ``offset`` on."""
    start = offset % _PERIOD
    return (_PATTERN[start:] + _PATTERN * (count // _PERIOD + 1))[:count]


async def _again(connection: ClientConnection) -> None:
    while True:
        with contextlib.suppress(ClientError, OSError):
            await connection.reconnect()
            return
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
