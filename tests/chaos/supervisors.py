"""Supervisors that are killed: another one with the same state directory adopts hosts, workers and shells."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.chaos.sessions import answers, back, lost, make, until, worst
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect

if TYPE_CHECKING:
    import argparse

    from tests.chaos.room import Rows

OPTIONS = {"shells": 40, "supervisor_kills": 5}
BAR_SECONDS = 3.0
_VIEWERS = 8


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    """Half of the times, a worker or a host dies while there is no supervisor."""
    chance = random.Random(options.seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        chaos_server(Path(folder) / "a", "--workers", "2", "--hosts", "2", "--supervisor-grace", "60") as server,
    ):
        shells = await make(server, options.shells)
        async with contextlib.AsyncExitStack() as stack:
            viewers = []
            for shell in shells[:_VIEWERS]:
                viewers.append(await stack.enter_async_context(connect(server.url, token=TOKEN, timeout=30)))
                await viewers[-1].attach(shell.session)
            adopted = []
            for _ in range(options.supervisor_kills):
                before = server.logged("workers were adopted")
                server.kill_supervisor()
                for viewer, shell in zip(viewers, shells, strict=False):
                    assert (await viewer.run("echo $mark")).output.strip().decode() == shell.session
                began = time.monotonic()
                await asyncio.to_thread(server.start)
                await until(lambda before=before: server.logged("workers were adopted") > before)
                await back(server, chance.choice(shells))
                adopted.append(time.monotonic() - began)
            for shell in shells:
                await answers(server, shell)
            gone = await lost(server, shells)
            kept = sum([(await each.run("echo here")).output == b"here\r\n" for each in viewers])
        rows.add(
            Row(
                f"kill -9 of the supervisor, {options.supervisor_kills} times",
                "0 shells lost, logs kept, adopted within 3 s of the new one's start",
                f"{gone} of {len(shells)} lost, all logs there, adopted after {worst(adopted)}, "
                f"{kept} of {len(viewers)} viewers never noticed",
                not gone and kept == len(viewers) and max(adopted) <= BAR_SECONDS,
            )
        )
        rows.add(await _with_workers(options, server, shells, chance))


async def _with_workers(options: argparse.Namespace, server, shells, chance: random.Random) -> Row:
    """Everything dies but the hosts."""
    seconds = []
    for _ in range(options.supervisor_kills):
        server.kill_supervisor()
        for worker in server.workers:
            worker.kill()
        began = time.monotonic()
        await asyncio.to_thread(server.start)
        await back(server, chance.choice(shells))
        seconds.append(time.monotonic() - began)
        await until(lambda: len(server.workers) == 2)
    for shell in shells:
        await answers(server, shell)
    gone = await lost(server, shells)
    return Row(
        f"kill -9 of the supervisor and of all workers, {options.supervisor_kills} times",
        "0 shells lost, logs kept, adopted within 3 s of the new one's start",
        f"{gone} of {len(shells)} lost, all logs there, adopted after {worst(seconds)}",
        not gone and max(seconds) <= BAR_SECONDS,
    )


if __name__ == "__main__":
    main()
