"""Load generators on the workers of a Dask cluster, one on each. The only module that imports Dask (extra ``cluster``).

A worker starts the same process as the local backend and forwards frames between its socket and two queues of the
scheduler. So load generators know nothing of Dask, and the worker's own work does not delay them.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import distributed

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.load.backends.local import GENERATOR_MODULE
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.load.backends.backend import GeneratorChannel

_CONNECT_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 1.0
"""Interval at which the cluster is asked which workers it has."""

_KEEPALIVE_SECONDS: Final = 5.0
"""Interval at which the coordinator sends something to every worker."""

IDLE_TIMEOUT_SECONDS: Final = 30.0
"""A worker that has received nothing for that long ends its load generator: the coordinator is gone."""

_ADDRESS: Final = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+")

# A worker is sent lists of frames, an empty list as a keepalive, and this to end its load generator.
_CLOSE: Final = "close"


async def run_generator(name: str, generator: int, idle_timeout: float = IDLE_TIMEOUT_SECONDS) -> None:
    """On a worker: start a load generator and forward frames until it or the coordinator is gone."""
    client = distributed.get_client()
    reports = await distributed.Queue(_reports_queue(name), client=client)
    commands = await distributed.Queue(_commands_queue(name, generator), client=client)
    process = ClientProcess(GENERATOR_MODULE)
    try:
        reader, writer = await asyncio.open_connection(sock=process.socket)
        forwarding = asyncio.create_task(_forward_commands(commands, writer, idle_timeout))
        try:
            while True:
                size = messages.payload_length(await reader.readexactly(messages.HEADER_BYTES))
                await reports.put((generator, await reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            await ended(process)
            await reports.put((generator, process.last_words))
        finally:
            forwarding.cancel()
            await asyncio.gather(forwarding, return_exceptions=True)
            writer.close()
            await ended(process)
    finally:
        process.reap()


async def _forward_commands(commands: Any, writer: asyncio.StreamWriter, idle_timeout: float) -> None:
    """Pass commands to the load generator; closing its socket ends it."""
    try:
        while (frames := await commands.get(timeout=idle_timeout)) != _CLOSE:
            for frame in frames:
                writer.write(frame)
    finally:
        writer.close()


def _reports_queue(name: str) -> str:
    return f"{name}-reports"


def _commands_queue(name: str, generator: int) -> str:
    return f"{name}-commands-{generator}"


class DaskChannel:
    """The channel to a load generator on a worker."""

    def __init__(self, name: str, worker: str, commands: Any) -> None:
        self.name = name
        self.worker = worker
        self.exit_reason = "hung up"
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_gone = False
        self._commands = commands
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, command: messages.Command) -> None:
        self._outbox.put_nowait(messages.encode_frame(command))

    async def receive(self) -> messages.Report | None:
        payload = await self.inbox.get()
        return None if payload is None else messages.decode_report(payload)

    def mark_gone(self, exit_reason: str) -> None:
        """The generator has ended; there are no further reports."""
        if not self.is_gone:
            self.is_gone = True
            self.exit_reason = exit_reason
            self.inbox.put_nowait(None)

    async def forward(self) -> None:
        """Pass queued commands to the scheduler, and a keepalive if there are none."""
        while not self.is_gone:
            frames = []
            try:
                async with asyncio.timeout(_KEEPALIVE_SECONDS):
                    frames.append(await self._outbox.get())
            except TimeoutError:
                pass  # the empty list is the keepalive
            while not self._outbox.empty():
                frames.append(self._outbox.get_nowait())
            await self._commands.put(frames)

    async def close(self) -> None:
        """End the load generator."""
        await self._commands.put(_CLOSE)


class DaskBackend:
    """Starts load generators on the workers of the scheduler at ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def count(self) -> int:
        """The number of workers.

        Raises:
            BackendError
        """
        async with self._connected() as client:
            return len(await client.nthreads())

    @asynccontextmanager
    async def start(self, generators: int) -> AsyncIterator[Sequence[GeneratorChannel]]:
        async with self._connected() as client, AsyncExitStack() as stack:
            workers = sorted(await client.nthreads())
            if len(workers) < generators:
                raise BackendError(
                    f"the Dask cluster at {self._address} has {len(workers)} workers and {generators} clients are "
                    "requested, one on each; start more with dask worker, or request fewer with --clients"
                )
            name = f"web-terminal-load-{uuid.uuid4().hex}"
            reports = await distributed.Queue(_reports_queue(name), client=client)
            channels: list[DaskChannel] = []
            futures = []
            for number, worker in enumerate(workers[:generators]):
                commands = await distributed.Queue(_commands_queue(name, number), client=client)
                channels.append(DaskChannel(f"client {number + 1} on {worker}", worker, commands))
                # On this worker only, and never again: the sessions of a lost load generator are lost.
                only_here = {"workers": [worker], "allow_other_workers": False, "retries": 0}
                futures.append(client.submit(run_generator, name, number, pure=False, **only_here))
            tasks = [asyncio.create_task(channel.forward()) for channel in channels]
            tasks.append(asyncio.create_task(_receive_reports(reports, channels)))
            tasks.append(asyncio.create_task(_watch_workers(client, channels, futures)))
            stack.push_async_callback(_close, channels, futures, tasks)
            yield channels

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        """A client of the scheduler.

        Raises:
            BackendError: nothing answers there, or something that is not a scheduler.
        """
        remedy = "start one with dask scheduler and workers with dask worker, and name its address with --scheduler"
        if _ADDRESS.fullmatch(self._address) is None:
            raise BackendError(f"{self._address!r} is not an address of a Dask scheduler; write it as tcp://host:8786")
        client = distributed.Client(self._address, asynchronous=True, timeout=_CONNECT_SECONDS)
        try:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS + 1):
                    await client
            except (OSError, TimeoutError) as error:
                raise BackendError(f"no Dask scheduler answers at {self._address}; {remedy}") from error
            except Exception as error:
                # Dask reads any other answer as lengths and pickles, and can fail with any error.
                raise BackendError(
                    f"what answers at {self._address} is not a Dask scheduler ({error}); {remedy}"
                ) from error
            yield client
        finally:
            await client.close()


async def _receive_reports(reports: Any, channels: Sequence[DaskChannel]) -> None:
    """Distribute reports over their channels, in order of arrival."""
    while True:
        generator, payload = await reports.get()
        if isinstance(payload, str):
            channels[generator].mark_gone(payload)
        else:
            channels[generator].inbox.put_nowait(payload)


async def _watch_workers(client: Any, channels: Sequence[DaskChannel], futures: Sequence[Any]) -> None:
    """Notice workers that leave and tasks that fail; the scheduler has no event that says which generator it was."""
    while True:
        workers = await client.nthreads()
        for channel, future in zip(channels, futures, strict=True):
            if channel.worker not in workers:
                channel.mark_gone(f"is gone: its worker {channel.worker} left the cluster")
            elif future.status == "error":
                error = await future.exception()
                channel.mark_gone(f"could not be started: {type(error).__name__}: {error}")
        await asyncio.sleep(_POLL_SECONDS)


async def _close(channels: Sequence[DaskChannel], futures: Sequence[Any], tasks: Sequence[asyncio.Task[None]]) -> None:
    for channel in channels:
        if not channel.is_gone:
            await channel.close()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.gather(*(future for future in futures if not future.done()), return_exceptions=True)
    except TimeoutError:
        pass  # a lost worker completes nothing; its load generator ends with it
    for future in futures:
        await future.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
