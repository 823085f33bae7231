"""Many sessions and a fault every 20 s: what grows, and what is left at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.room import Row, main
from tests.chaos.server import ChaosServer
from tests.chaos.sessions import back, lasting, lost, make, until
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.client.rest import rest

if TYPE_CHECKING:
    import argparse

    from tests.chaos.room import Rows
    from tests.chaos.sessions import Shell

OPTIONS = {"soak_seconds": 1800, "soak_sessions": 200, "soak_fault_seconds": 20}
_FAULTS = ("worker", "cut", "host", "upgrade", "all workers", "supervisor", "cut")
_VIEWERS = 40
_KEY_SECONDS = 0.5
# Of each second, one session is made and ended again.
_CHURN_SECONDS = 1.0
# A process that was just started has not mapped everything yet.
_WARM_SECONDS = 8.0
_MEMORY_NOISE = 0.05
_MEMORY_NOISE_MIB = 2.0
_DESCRIPTOR_NOISE = 8


class _Sample(NamedTuple):
    """One process, between two faults; ``memory`` in MiB, its share of pages that are shared."""

    role: str
    memory: float
    descriptors: int


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        server = ChaosServer(folder, "--workers", "2", "--hosts", "2", "--supervisor-grace", "60")
        server.start()
        try:
            soak = _Soak(server, options, chance)
            await soak.run()
        finally:
            left = server.stop()
        rows.add(soak.service())
        rows.add(soak.growth())
        names = ", ".join(left[:3])
        rows.add(Row("after the soak", "nothing left", f"{len(left)} processes left {names}".strip(), not left))


class _Soak:
    def __init__(self, server: ChaosServer, options: argparse.Namespace, chance: random.Random) -> None:
        self._server, self._options, self._chance = server, options, chance
        self._samples: list[list[_Sample]] = []
        self._back: list[float] = []
        self._keys = self._churned = self._lost = 0
        self._counts: dict[str, int] = defaultdict(int)
        self._shells: list[Shell] = []

    async def run(self) -> None:
        self._shells = await make(self._server, self._options.soak_sessions)
        async with CuttingProxy(lambda: self._server.port, self._chance) as proxy, asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._view(proxy.url, shell)) for shell in self._shells[:_VIEWERS]]
            tasks.append(group.create_task(self._churn()))
            end = time.monotonic() + self._options.soak_seconds
            number = 0
            while time.monotonic() < end:
                due = time.monotonic() + self._options.soak_fault_seconds
                await self._strike(_FAULTS[number % len(_FAULTS)], proxy)
                number += 1
                self._back.append(await back(self._server, self._chance.choice(self._shells[_VIEWERS:])))
                await until(lambda: len(self._server.workers) == 2 and len(self._server.hosts) == 2)
                await asyncio.sleep(max(_WARM_SECONDS, due - time.monotonic()))
                self._samples.append(await asyncio.to_thread(self._sample))
            for task in tasks:
                task.cancel()
        self._lost = await lost(self._server, self._shells)

    async def _strike(self, fault: str, proxy: CuttingProxy) -> None:
        self._counts[fault] += 1
        if fault == "cut":
            proxy.cut()
        elif fault == "upgrade":
            self._server.hang_up()
        elif fault == "supervisor":
            self._server.kill_supervisor()
            await asyncio.to_thread(self._server.start)
        elif fault == "host":
            self._chance.choice(self._server.hosts).kill()
        else:
            workers = self._server.workers
            for worker in workers if fault == "all workers" else [self._chance.choice(workers)]:
                worker.kill()

    async def _view(self, url: str, shell: Shell) -> None:
        """Type a line now and then, and read what it prints."""
        async with connect(url, token=TOKEN, timeout=30) as connection:
            await connection.attach(shell.session)
            while True:
                try:
                    connection.command("echo $mark")
                    self._keys += 1
                    async with asyncio.timeout(_KEY_SECONDS):
                        while True:
                            await connection.read()
                except TimeoutError:
                    pass
                except ClientError:
                    await lasting(connection.reconnect)

    async def _churn(self) -> None:
        while True:
            with contextlib.suppress(ClientError, OSError):
                async with rest(self._server.url, token=TOKEN) as api:
                    made = (await api.call("POST", "/sessions", {})).json()["id"]
                    await lasting(lambda made=made: self._end(made))
                    self._churned += 1
            await asyncio.sleep(_CHURN_SECONDS)

    async def _end(self, session: str) -> None:
        async with rest(self._server.url, token=TOKEN) as api:
            assert (await api.request("DELETE", f"/sessions/{session}")).status in (204, 404, 410)

    def _sample(self) -> list[_Sample]:
        roles = {"worker": self._server.workers, "host": self._server.hosts}
        roles["supervisor"] = [psutil.Process(self._server.process.pid)]
        samples = []
        for role, processes in roles.items():
            for each in processes:
                with contextlib.suppress(psutil.Error):
                    memory = each.memory_full_info().pss / (1 << 20)
                    samples.append(_Sample(role, memory, each.num_fds()))
        return samples

    def service(self) -> Row:
        counts = ", ".join(f"{count} x {fault}" for fault, count in self._counts.items())
        minutes = self._options.soak_seconds / 60
        return Row(
            f"soak of {minutes:g} min, {len(self._shells)} sessions, a fault every "
            f"{self._options.soak_fault_seconds} s ({counts})",
            "0 shells lost",
            f"{self._lost} lost, {self._keys} lines typed, {self._churned} sessions made and ended; back after "
            f"{statistics.median(self._back):.2f} s, at most {max(self._back):.2f} s",
            not self._lost,
        )

    def growth(self) -> Row:
        """The last third of the samples next to the one before, by role; the first third is for warming up."""
        third = max(1, len(self._samples) // 3)
        parts, good = [], True
        for role in ("supervisor", "host", "worker"):
            first, last = (
                [each for samples in part for each in samples if each.role == role]
                for part in (self._samples[-2 * third : -third], self._samples[-third:])
            )
            (memory, more), (descriptors, more_descriptors) = (
                (statistics.median(getattr(each, name) for each in first),
                 statistics.median(getattr(each, name) for each in last) -
                 statistics.median(getattr(each, name) for each in first))
                for name in ("memory", "descriptors")
            )  # fmt: skip
            good &= more <= max(_MEMORY_NOISE * memory, _MEMORY_NOISE_MIB) and more_descriptors <= _DESCRIPTOR_NOISE
            parts.append(f"{role} {memory:.1f} {more:+.1f} MiB, {descriptors:.0f} {more_descriptors:+.0f} descriptors")
        return Row("growth over the soak, by process", "none beyond noise", "; ".join(parts), good)


if __name__ == "__main__":
    main()
