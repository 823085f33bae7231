"""Workers that are killed, stopped, do not start or cannot be started, and a log that nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.chaos.sessions import back, lasting, lost, make, until, worst
from tests.conftest import TOKEN
from tests.server.test_workers import no_process_left
from web_terminal_suite.client.connection import connect

if TYPE_CHECKING:
    import argparse

    from tests.chaos.room import Rows
    from tests.chaos.server import ChaosServer
    from tests.chaos.sessions import Shell
    from web_terminal_suite.client.connection import ClientConnection

OPTIONS = {"shells": 40, "workers": 4}
BAR_SECONDS = 2.0
_TIMES = 10
_BAR = "0 shells lost, back within 2 s, workers as asked for"
_PIPE_BYTES = 4096
_VIEWERS = 12


class _Fixture:
    """A server with shells, and what is measured of it after each fault."""

    def __init__(self, server: ChaosServer, shells: list[Shell], workers: int, chance: random.Random) -> None:
        self.server, self.shells, self.workers, self.chance = server, shells, workers, chance

    async def back(self) -> float:
        return await back(self.server, self.chance.choice(self.shells))

    async def row(self, fault: str, seconds: list[float], remark: str = "") -> Row:
        """Waits until there are as many workers as asked for."""
        began = time.monotonic()
        whole = True
        try:
            await until(lambda: len(self.server.workers) == self.workers)
        except TimeoutError:
            whole = False
        gone = await lost(self.server, self.shells)
        number = len(self.server.workers)
        measured = f"{gone} of {len(self.shells)} lost, back after {worst(seconds)}, {number} of {self.workers} workers"
        if whole and time.monotonic() - began > 1:
            measured += f" after {time.monotonic() - began:.1f} s more"
        return Row(fault, _BAR, measured + remark, whole and not gone and max(seconds) <= BAR_SECONDS)


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with chaos_server(Path(folder) / "a", "--workers", str(options.workers), "--hosts", "2") as server:
            own = _Fixture(server, await make(server, options.shells), options.workers, random.Random(options.seed))
            rows.add(await _each(own))
            rows.add(await _all(own))
            rows.add(await _broken_code(own))
            rows.add(await _at_the_process_limit(own, "SIGHUP at the process limit"))
            rows.add(await _at_the_process_limit(own, "a worker's death at the process limit"))
            rows.add(await _stopped(own))
        rows.add(await _unread(options, Path(folder) / "b"))
        rows.add(await _full_disk(options, Path(folder) / "c"))


async def _each(own: _Fixture) -> Row:
    seconds = []
    for victim in own.server.workers:
        victim.kill()
        seconds.append(await own.back())
        await until(lambda: len(own.server.workers) == own.workers)
    return await own.row("kill -9 of each worker, one at a time", seconds)


async def _all(own: _Fixture) -> Row:
    seconds = []
    for _ in range(_TIMES):
        for victim in own.server.workers:
            victim.kill()
        seconds.append(await own.back())
        await until(lambda: len(own.server.workers) == own.workers)
    return await own.row(f"kill -9 of all {own.workers} workers, {_TIMES} times", seconds)


async def _broken_code(own: _Fixture) -> Row:
    before = {each.pid for each in own.server.workers}
    dropped = own.server.logged("was dropped")
    own.server.break_code("sys.modules['picows'] = None")
    own.server.hang_up()
    seconds = [await own.back()]
    await until(lambda: own.server.logged("was dropped") > dropped)
    own.server.mend_code()
    row = await own.row("SIGHUP with code that does not start", seconds)
    kept = {each.pid for each in own.server.workers} == before
    return row._replace(passed=row.passed and kept, measured=f"{row.measured}, the old ones {'serve on' * kept}")


async def _at_the_process_limit(own: _Fixture, fault: str) -> Row:
    limited = contextlib.ExitStack()
    try:
        limited.enter_context(no_process_left(own.server.process.pid))
    except pytest.skip.Exception as why:
        return Row(fault, _BAR, str(why), None)
    with limited:
        if "SIGHUP" in fault:
            dropped = own.server.logged("was dropped")
            own.server.hang_up()
            seconds = [await own.back()]
            await until(lambda: own.server.logged("was dropped") > dropped)
        else:
            trying = own.server.logged("trying again")
            own.server.workers[0].kill()
            seconds = [await own.back()]
            await until(lambda: own.server.logged("trying again") >= trying + 3)
    return await own.row(fault, seconds)


async def _stopped(own: _Fixture) -> Row:
    """The watchdog kills it; until then its own viewers wait, and new connections are another worker's."""
    victim = own.server.workers[0]
    async with contextlib.AsyncExitStack() as stack:
        viewers = []
        for shell in own.shells[:_VIEWERS]:
            viewers.append(await stack.enter_async_context(connect(own.server.url, token=TOKEN, timeout=5)))
            await viewers[-1].attach(shell.session)
        os.kill(victim.pid, signal.SIGSTOP)
        began = time.monotonic()
        waits = [asyncio.create_task(lasting(lambda viewer=viewer: _answered(viewer))) for viewer in viewers]
        new = await back(own.server, own.shells[-1])
        await until(lambda: not victim.is_running() or victim.status() == "zombie")
        noticed = time.monotonic() - began
        waited = max(await asyncio.gather(*waits))
    remark = (
        f" (new connections at once; its own viewers after {waited:.1f} s, since it was killed after {noticed:.1f} s)"
    )
    return await own.row("SIGSTOP of a worker", [new, max(0.0, waited - noticed)], remark)


async def _answered(viewer: ClientConnection) -> None:
    if viewer.closed is not None:
        await viewer.reconnect()
    await viewer.run("echo here")


async def _unread(options: argparse.Namespace, folder: Path) -> Row:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x" * fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES))  # full from the start
        flags = ("--workers", "2", "--log-level", "debug")
        with chaos_server(folder, *flags, stderr=writer) as server:
            own = _Fixture(server, await make(server, options.shells), 2, random.Random(options.seed))
            seconds = []
            for _ in range(3):
                for victim in server.workers:
                    victim.kill()
                seconds.append(await own.back())
            return await own.row("standard error that nobody reads, workers killed 3 times", seconds)
    finally:
        os.close(reader)
        os.close(writer)


async def _full_disk(options: argparse.Namespace, folder: Path) -> Row:
    """Its log and its state directory are there."""
    fault = "a full disk, workers and hosts killed 3 times, SIGHUP"
    await asyncio.to_thread(folder.mkdir)
    mounted = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=256k", "none", folder)
    if await mounted.wait():
        return Row(fault, _BAR, "a disk of its own needs root", None)
    try:
        with chaos_server(folder, "--workers", "2", "--hosts", "2") as server:
            own = _Fixture(server, await make(server, options.shells), 2, random.Random(options.seed))
            with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(4096))
            seconds = []
            for _ in range(3):
                for victim in [*server.workers, server.hosts[0]]:
                    victim.kill()
                seconds.append(await own.back())
                await until(lambda: len(server.workers) == 2 and len(server.hosts) == 2)
            before = {each.pid for each in server.workers}
            server.hang_up()
            await until(lambda: not before & {each.pid for each in server.workers})
            return await own.row(fault, seconds)
    finally:
        umounted = await asyncio.create_subprocess_exec("umount", "-l", folder)
        await umounted.wait()


if __name__ == "__main__":
    main()
