"""A client process: ``python -m web_terminal_suite.bench.load.generator_process``, one shard, led over standard input.

It lives for as long as the other end of that socket does.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import pickle
import platform
import resource
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Final

import uvloop

from web_terminal_suite import __version__
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.generator import LoadGenerator
from web_terminal_suite.bench.machine.descriptors import OF_A_CLIENT, raise_descriptors

if TYPE_CHECKING:
    from collections.abc import Coroutine

# prctl(2): how much later than asked the kernel may end a sleep, to save a wake-up; 50 us unless told.
_PR_SET_TIMERSLACK: Final = 29


class GeneratorProcess:
    """Commands from one side, reports to the other, ticks in between."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._shard: LoadGenerator | None = None
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until told to leave, or until nobody is there to tell."""
        async with asyncio.TaskGroup() as group:
            ticking: asyncio.Task[None] | None = None
            while (command := await self._next()) is not None:
                if isinstance(command, messages.Configure):
                    self._take(command)
                elif isinstance(command, messages.ReadClock):
                    self._say(messages.ClockReading(command.number, now_ns()))
                elif isinstance(command, messages.BeginRun):
                    self._told.begin(command.at_ns)
                    ticking = group.create_task(self._tick(command.at_ns))
                elif isinstance(command, messages.StartSessions):
                    self._do(group, self._told.arrive(command))
                elif isinstance(command, messages.RunStage):
                    self._do(group, self._told.play(command))
                elif isinstance(command, messages.StopStarting):
                    self._told.halt()
                else:
                    await self._leave(command.at_once)
                    break
            for task in (ticking, *self._doing):
                if task is not None:
                    task.cancel()

    @property
    def _told(self) -> LoadGenerator:
        if self._shard is None:
            raise ValueError("a command before the order")
        return self._shard

    def _take(self, order: messages.Configure) -> None:
        if order.version != __version__:
            raise ValueError(f"this is web-terminal {__version__}, and the load is started by {order.version}")
        self._shard = LoadGenerator(order, pickle.loads(order.dialect), self._say)
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._say(
            messages.GeneratorReady(os.getpid(), platform.node(), OF_A_CLIENT if descriptors < 0 else descriptors)
        )

    def _do(self, group: asyncio.TaskGroup, what: Coroutine[None, None, None]) -> None:
        task = group.create_task(what)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _leave(self, at_once: bool) -> None:
        self._told.halt()
        if at_once:
            for task in self._doing:
                task.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        await self._told.leave(at_once)
        await self._writer.drain()

    async def _tick(self, zero_ns: int) -> None:
        """Every whole second of the run, its beginning included."""
        for number in itertools.count():
            await asyncio.sleep(max(0, zero_ns + number * SECOND_NS - now_ns()) / SECOND_NS)  # a moment of the clock
            self._say(self._told.tick())

    async def _next(self) -> messages.Command | None:
        try:
            size = messages.length(await self._reader.readexactly(messages.HEAD_BYTES))
            return messages.command(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None  # whoever started this process is gone, and so is the reason to go on

    def _say(self, report: messages.Report) -> None:
        self._writer.write(messages.frame(report))


async def serve(connection: socket.socket) -> int:
    """Be a client until the other end has no more to say; the exit status."""
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        await GeneratorProcess(reader, writer).run()
    except Exception as error:
        # Whatever it is: whoever started this process must hear of it, and cannot see it.
        first = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
        traceback.print_exception(error)
        writer.write(messages.frame(messages.GeneratorError(f"{type(first).__name__}: {first}")))
        await writer.drain()
        return 1
    finally:
        writer.close()
    return 0


def main() -> None:
    # The conductor says when to end; Ctrl-C is for it alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_descriptors()
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(serve(socket.socket(fileno=sys.stdin.fileno()))))


if __name__ == "__main__":
    main()
