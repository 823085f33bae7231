"""A load generator's process: ``python -m web_terminal_suite.bench.load.generator_process``.

The coordinator commands it through the socket that is its standard input. It ends when the other end is closed.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import platform
import resource
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Final

import uvloop

from web_terminal_suite import __version__
from web_terminal_suite.bench import extension_modules
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.generator import LoadGenerator
from web_terminal_suite.bench.machine.descriptors import OF_A_CLIENT, raise_descriptors

if TYPE_CHECKING:
    from collections.abc import Coroutine

# prctl(2): how much later than requested the kernel may end a sleep, to save wake-ups; 50 us by default.
_PR_SET_TIMERSLACK: Final = 29


class GeneratorProcess:
    """Reads commands, runs them on its load generator, and sends reports and a heartbeat per second."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._generator: LoadGenerator | None = None
        self._stages: set[asyncio.Task[None]] = set()
        self._heartbeats: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Return after ``EndSessions``, or when the other end is closed."""
        async with asyncio.TaskGroup() as group:
            while (command := await self._next_command()) is not None:
                if isinstance(command, messages.EndSessions):
                    await self._end_sessions(command.abort)
                    break
                self._handle(command, group)
            for task in (self._heartbeats, *self._stages):
                if task is not None:
                    task.cancel()

    def _handle(self, command: messages.Command, group: asyncio.TaskGroup) -> None:
        if isinstance(command, messages.Configure):
            self._configure(command)
        elif isinstance(command, messages.ReadClock):
            self._send(messages.ClockReading(command.number, now_ns()))
        elif isinstance(command, messages.BeginRun):
            self._configured.begin_run(command.at_ns)
            self._heartbeats = group.create_task(self._send_heartbeats(command.at_ns))
        elif isinstance(command, messages.StartSessions):
            self._run_stage(group, self._configured.start_sessions(command))
        elif isinstance(command, messages.RunStage):
            self._run_stage(group, self._configured.run_stage(command))
        elif isinstance(command, messages.StopStarting):
            self._configured.stop_starting()

    @property
    def _configured(self) -> LoadGenerator:
        if self._generator is None:
            raise ValueError("a command before Configure")
        return self._generator

    def _configure(self, config: messages.Configure) -> None:
        if config.version != __version__:
            raise ValueError(f"this is web-terminal {__version__}, and the load is started by {config.version}")
        dialect = extension_modules.loads(config.dialect)
        self._generator = LoadGenerator(config, dialect, self._send, extension_modules.loads(config.behaviours))
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._send(messages.GeneratorReady(platform.node(), OF_A_CLIENT if descriptors < 0 else descriptors))

    def _run_stage(self, group: asyncio.TaskGroup, work: Coroutine[None, None, None]) -> None:
        task = group.create_task(work)
        self._stages.add(task)
        task.add_done_callback(self._stages.discard)

    async def _end_sessions(self, abort: bool) -> None:
        self._configured.stop_starting()
        if abort:
            for task in self._stages:
                task.cancel()
        await asyncio.gather(*self._stages, return_exceptions=True)
        await self._configured.end_sessions(abort)
        await self._writer.drain()

    async def _send_heartbeats(self, zero_ns: int) -> None:
        """At every whole second of the run, from its start on."""
        for number in itertools.count():
            await asyncio.sleep(max(0, zero_ns + number * SECOND_NS - now_ns()) / SECOND_NS)  # a time of the clock
            self._send(self._configured.progress())

    async def _next_command(self) -> messages.Command | None:
        try:
            size = messages.payload_length(await self._reader.readexactly(messages.HEADER_BYTES))
            return messages.decode_command(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None  # the coordinator is gone

    def _send(self, report: messages.Report) -> None:
        self._writer.write(messages.encode_frame(report))


async def serve(connection: socket.socket) -> int:
    """Run a load generator until the other end of ``connection`` is closed; the exit status."""
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        await GeneratorProcess(reader, writer).run()
    except Exception as error:
        # The coordinator cannot see this process' errors, so every one of them is reported.
        first: BaseException = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        traceback.print_exception(error)
        writer.write(messages.encode_frame(messages.GeneratorError(f"{type(first).__name__}: {first}")))
        await writer.drain()
        return 1
    finally:
        writer.close()
    return 0


def main() -> None:
    # Ctrl-C is for the coordinator, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_descriptors()
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(serve(socket.socket(fileno=sys.stdin.fileno()))))


if __name__ == "__main__":
    main()
