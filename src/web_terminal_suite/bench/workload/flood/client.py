"""Client process for floods: ``python -m web_terminal_suite.bench.workload.flood.client``, led over standard input.

Reads what its sessions write, counts and drops it. It lives for as long as the other end of that socket does, and ends
its sessions before it goes.
"""

from __future__ import annotations

import asyncio
import pickle
import random
import signal
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING

import msgspec
import uvloop

from web_terminal_suite.bench import extension_modules
from web_terminal_suite.bench.benchmark import BenchmarkContext
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.workload.flood.local import flooding
from web_terminal_suite.bench.workload.flood.remote import Answer, FloodCommand, FloodFailed, FloodOrder, FloodReply
from web_terminal_suite.bench.workload.session_pool import session_pool
from web_terminal_suite.client.errors import ClientError
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.workload.shells import Shell


class FloodClient:
    """Does one line after the other, and hangs up; ``serve`` cancels it when no more lines can come."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer = writer

    async def run(self) -> None:
        """From the order until told to leave."""
        try:
            await self._obey(msgspec.json.decode(await self.lines.get(), type=FloodOrder))
        except ClientError as error:
            self._say(FloodFailed(str(error), pickle.dumps(error)))
        except Exception as error:
            # Any error: the parent cannot see it otherwise.
            traceback.print_exception(error)
            self._say(FloodFailed(f"{type(error).__name__}: {error}"))
        finally:
            # No more answers, and so the other end waits for none.
            self._writer.close()

    async def _obey(self, order: FloodOrder) -> None:
        context = BenchmarkContext(extension_modules.loads(order.running), "", Markers(random.SystemRandom()))
        async with session_pool(context, order.count) as shells:
            self._say(_heard(shells))
            while await self._told(shells) is FloodCommand.FLOOD:
                async with flooding(shells):
                    self._say(_heard(shells))
                    await self._told(shells)
                self._say(_heard(shells))
        self._say(_heard(shells))

    async def _told(self, shells: Sequence[Shell]) -> FloodCommand:
        """The next step that asks for more than an answer."""
        while (step := msgspec.json.decode(await self.lines.get(), type=FloodCommand)) is FloodCommand.TELL:
            self._say(_heard(shells))
        return step

    def _say(self, answer: Answer) -> None:
        self._writer.write(msgspec.json.encode(answer) + b"\n")


def _heard(shells: Sequence[Shell]) -> FloodReply:
    connections = [shell.connection for shell in shells]
    return FloodReply(
        now_ns(),
        time.process_time_ns(),
        tuple(str(each.session) for each in connections),
        tuple(each.offset for each in connections),
    )


async def serve(connection: socket.socket) -> None:
    """Be the client until the other end is gone."""
    reader, writer = await asyncio.open_connection(sock=connection)
    client = FloodClient(writer)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(client.run())
        try:
            while line := await reader.readline():
                client.lines.put_nowait(line)
        except ConnectionError:
            pass  # the parent was killed, which is an end like any other
        running.cancel()


def main() -> None:
    # Ctrl-C is for the parent, which then hangs up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(socket.socket(fileno=sys.stdin.fileno())))


if __name__ == "__main__":
    main()
