"""PTY hosts that are killed: the only one and one of two; and an upgrade of both in place."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.chaos.sessions import answers, lasting, lost, make, until, worst
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.server.ipc import host_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tests.chaos.room import Rows
    from tests.chaos.server import ChaosServer
    from tests.chaos.sessions import Shell
    from web_terminal_suite.client.connection import ClientConnection

OPTIONS = {"shells": 40, "host_kills": 3}
BAR_SECONDS = 3.0
_BAR = "0 shells lost, logs kept, adopted within 3 s"
_VIEWERS = 8


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        for hosts in (1, 2):
            with chaos_server(Path(folder) / str(hosts), "--workers", "2", "--hosts", str(hosts)) as server:
                shells = await make(server, options.shells)
                async with contextlib.AsyncExitStack() as stack:
                    viewers = [await _viewer(stack, server, shell) for shell in shells[:_VIEWERS]]
                    rows.add(await _killed(options, server, shells, viewers, chance))
                    rows.add(await _upgraded(server, shells, viewers))


async def _viewer(stack: contextlib.AsyncExitStack, server: ChaosServer, shell: Shell) -> ClientConnection:
    connection = await stack.enter_async_context(connect(server.url, token=TOKEN, timeout=30))
    await connection.attach(shell.session)
    return connection


async def _killed(
    options: argparse.Namespace,
    server: ChaosServer,
    shells: Sequence[Shell],
    viewers: Sequence[ClientConnection],
    chance: random.Random,
) -> Row:
    adopted, untouched = [], True
    for _ in range(options.host_kills):
        hosts = server.hosts
        number = chance.randrange(len(hosts))
        ready = server.logged(f"PTY host {number} is ready")
        hosts[number].kill()
        began = time.monotonic()
        await until(lambda number=number, ready=ready: server.logged(f"PTY host {number} is ready") > ready)
        await lasting(lambda number=number: _one_of(server, shells, number, chance))
        adopted.append(time.monotonic() - began)
        untouched &= all(each.is_running() for each in hosts if each is not hosts[number])
    kept = await _marks(viewers, shells)
    for shell in shells[len(viewers) :]:
        await answers(server, shell)
    gone = await lost(server, shells)
    fault = "kill -9 of the only host" if len(server.hosts) == 1 else "kill -9 of one host of two"
    measured = f"{gone} of {len(shells)} lost, all logs there, adopted after {worst(adopted)}, {kept} viewers kept"
    return Row(
        f"{fault}, {options.host_kills} times", _BAR, measured,
        not gone and kept == len(viewers) and untouched and max(adopted) <= BAR_SECONDS,
    )  # fmt: skip


async def _one_of(server: ChaosServer, shells: Sequence[Shell], number: int, chance: random.Random) -> None:
    await answers(server, chance.choice([each for each in shells if host_of(each.session) == number]))


async def _marks(viewers: Sequence[ClientConnection], shells: Sequence[Shell]) -> int:
    """How many viewers are still answered over the connection that they had."""
    kept = 0
    for viewer, shell in zip(viewers, shells, strict=False):
        kept += (await viewer.run("echo $mark")).output.strip().decode() == shell.session
    return kept


async def _upgraded(server: ChaosServer, shells: Sequence[Shell], viewers: Sequence[ClientConnection]) -> Row:
    before: list[psutil.Process] = server.hosts
    ready = server.logged("is ready; generation")
    server.hang_up()
    await until(lambda: server.logged("is ready; generation") > ready)
    same = [each.pid for each in server.hosts] == [each.pid for each in before]
    adopted = server.logged("sessions are handed over to the installed code")
    gone = await lost(server, shells)
    for viewer in viewers:
        await lasting(viewer.reconnect)
    kept = await _marks(viewers, shells)
    return Row(
        f"SIGHUP with {len(before)} host{'s' * (len(before) > 1)}: upgrade in place",
        "0 shells lost, the same processes",
        f"{gone} of {len(shells)} lost, {adopted} tables handed over, {'the same' if same else 'other'} processes",
        not gone and same and kept == len(viewers) and adopted == len(before),
    )  # fmt: skip


if __name__ == "__main__":
    main()
