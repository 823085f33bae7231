"""Shards on the workers of a Dask cluster, one on each. The only module that names Dask (``pip install ...[cluster]``).

A worker starts the same client process that ``local`` starts and passes frames between its socket and two queues of the
scheduler's. So shards know nothing of Dask, and a worker's own work is none of theirs.
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
from web_terminal_suite.bench.load.backends.local import CLIENT
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.load.backends.backend import GeneratorChannel

_CONNECT_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 1.0
"""From one look at which workers there are to the next."""

_BEAT_SECONDS: Final = 5.0
"""From one sign of life to the workers to the next."""

_ALONE_SECONDS: Final = 30.0
"""Without one for so long a worker takes the conductor for dead, and ends its client process."""

_ADDRESS: Final = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+")

# What goes to a worker: frames, or no frame as a sign of life, or the word to hang up.
_HANG_UP: Final = "hang up"


async def carry(name: str, shard: int) -> None:
    """On a worker: be the way between a client process and the conductor until either is gone."""
    client = distributed.get_client()
    up = await distributed.Queue(f"{name}-up", client=client)
    down = await distributed.Queue(f"{name}-down-{shard}", client=client)
    process = ClientProcess(CLIENT)
    try:
        reader, writer = await asyncio.open_connection(sock=process.socket)
        passing = asyncio.create_task(_pass_down(down, writer))
        try:
            while True:
                size = messages.length(await reader.readexactly(messages.HEAD_BYTES))
                await up.put((shard, await reader.readexactly(size)))
        except (asyncio.IncompleteReadError, ConnectionError):
            await up.put((shard, await _words_of(process)))
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
            writer.close()
            await ended(process)
    finally:
        process.reap()


async def _pass_down(down: Any, writer: asyncio.StreamWriter) -> None:
    """Commands to the client process; hanging up is what ends it."""
    try:
        while (found := await down.get(timeout=_ALONE_SECONDS)) != _HANG_UP:
            for frame in found:
                writer.write(frame)
    finally:
        writer.close()


async def _words_of(process: ClientProcess) -> str:
    await ended(process)
    return process.last_words


class DaskChannel:
    """The way to a shard on a worker."""

    def __init__(self, name: str, worker: str, down: Any) -> None:
        self.name = name
        self.worker = worker
        self.last_words = "hung up"
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_gone = False
        self._down = down
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, command: messages.Command) -> None:
        self._outbox.put_nowait(messages.frame(command))

    async def receive(self) -> messages.Report | None:
        payload = await self.inbox.get()
        return None if payload is None else messages.report(payload)

    def end(self, last_words: str) -> None:
        """Nothing more comes."""
        if not self.is_gone:
            self.is_gone = True
            self.last_words = last_words
            self.inbox.put_nowait(None)

    async def pass_down(self) -> None:
        """Hand commands to the scheduler, and a sign of life where there are none."""
        while not self.is_gone:
            frames = []
            try:
                async with asyncio.timeout(_BEAT_SECONDS):
                    frames.append(await self._outbox.get())
            except TimeoutError:
                pass  # no frame is the sign of life
            while not self._outbox.empty():
                frames.append(self._outbox.get_nowait())
            await self._down.put(frames)

    async def hang_up(self) -> None:
        await self._down.put(_HANG_UP)


class DaskBackend:
    """The carrier that lets shards run on the workers of the scheduler at ``address``."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def count(self) -> int:
        """How many workers there are.

        Raises:
            CarrierError
        """
        async with self._connected() as client:
            return len(await client.nthreads())

    @asynccontextmanager
    async def carry(self, shards: int) -> AsyncIterator[Sequence[GeneratorChannel]]:
        async with self._connected() as client, AsyncExitStack() as stack:
            workers = sorted(await client.nthreads())
            if len(workers) < shards:
                raise BackendError(
                    f"the Dask cluster at {self._address} has {len(workers)} workers and {shards} clients are asked "
                    "for, one on each; start more with dask worker, or ask for fewer with --clients"
                )
            name = f"web-terminal-load-{uuid.uuid4().hex}"
            up = await distributed.Queue(f"{name}-up", client=client)
            links: list[DaskChannel] = []
            futures = []
            for shard, worker in enumerate(workers[:shards]):
                down = await distributed.Queue(f"{name}-down-{shard}", client=client)
                links.append(DaskChannel(f"client {shard + 1} on {worker}", worker, down))
                # Nowhere else, and not again: a shard that is lost is lost.
                futures.append(
                    client.submit(
                        carry, name, shard, workers=[worker], allow_other_workers=False, pure=False, retries=0
                    )
                )
            tasks = [asyncio.create_task(link.pass_down()) for link in links]
            tasks += [asyncio.create_task(_pass_up(up, links)), asyncio.create_task(_look(client, links, futures))]
            stack.push_async_callback(_close, links, futures, tasks)
            yield links

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        """A client of the scheduler.

        Raises:
            CarrierError: nothing answers there, or no scheduler does.
        """
        remedy = "start one with dask scheduler and workers with dask worker, and name its address with --scheduler"
        if _ADDRESS.fullmatch(self._address) is None:
            raise BackendError(f"{self._address!r} is no address of a Dask scheduler; write it as tcp://host:8786")
        client = distributed.Client(self._address, asynchronous=True, timeout=_CONNECT_SECONDS)
        try:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS + 1):
                    await client
            except (OSError, TimeoutError) as error:
                raise BackendError(f"no Dask scheduler answers at {self._address}; {remedy}") from error
            except Exception as error:
                # Dask takes what anybody else answers for lengths and pickles, and fails as that may be.
                raise BackendError(f"what is at {self._address} is no Dask scheduler ({error}); {remedy}") from error
            yield client
        finally:
            await client.close()


async def _pass_up(up: Any, links: Sequence[DaskChannel]) -> None:
    """Reports to their links, in the order in which they came."""
    while True:
        shard, said = await up.get()
        if isinstance(said, str):
            links[shard].end(said)
        else:
            links[shard].inbox.put_nowait(said)


async def _look(client: Any, links: Sequence[DaskChannel], futures: Sequence[Any]) -> None:
    """See workers go, and tasks that could not begin; the scheduler has no event for either that names the shard."""
    while True:
        there = await client.nthreads()
        for link, future in zip(links, futures, strict=True):
            if link.worker not in there:
                link.end(f"is gone: its worker {link.worker} left the cluster")
            elif future.status == "error":
                error = await future.exception()
                link.end(f"could not be started: {type(error).__name__}: {error}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _close(links: Sequence[DaskChannel], futures: Sequence[Any], tasks: Sequence[asyncio.Task[None]]) -> None:
    for link in links:
        if not link.is_gone:
            await link.hang_up()
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.gather(*(future for future in futures if not future.done()), return_exceptions=True)
    except TimeoutError:
        pass  # a worker that is gone ends nothing any more; what it started ends with it
    for future in futures:
        await future.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
