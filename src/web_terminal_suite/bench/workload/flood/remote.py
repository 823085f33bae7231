"""Sessions that flood, read by another client process (``flood.client``), so that this one does nothing but time keys.

One exchange at a time: a line of JSON down, ``FloodReply`` or ``FloodFailed`` back.
"""

from __future__ import annotations

import asyncio
import pickle
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench import extension_modules
from web_terminal_suite.bench.workload.client_process import ClientProcess, ended
from web_terminal_suite.bench.workload.shells import can_destroy_by_api, destroy_by_id
from web_terminal_suite.client.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import BenchmarkContext

_CLIENT: Final = "web_terminal_suite.bench.workload.flood.client"
# A guard: every wait of the client process itself has a shorter limit.
_ANSWER_SECONDS: Final = 60.0


class FloodOrder(msgspec.Struct, frozen=True):
    """The first line: how many sessions, and where. ``running`` is pickled: it names classes of this installation."""

    running: bytes
    count: int


class FloodCommand(StrEnum):
    """Every further line. ``REST`` ends what ``FLOOD`` began, ``LEAVE`` the sessions; ``TELL`` only asks."""

    FLOOD = "flood"
    TELL = "tell"
    REST = "rest"
    LEAVE = "leave"


class FloodReply(msgspec.Struct, frozen=True, tag="heard"):
    """It is done. At ``at_ns`` of ``now_ns`` each session had this ``offset``, and the process had used ``cpu_ns``."""

    at_ns: int
    cpu_ns: int
    sessions: tuple[str, ...]
    offsets: tuple[int, ...]


class FloodFailed(msgspec.Struct, frozen=True, tag="failed"):
    """Nothing more will be done. ``error`` is the pickled ``ClientError``, empty where it was an error of ours."""

    reason: str
    error: bytes = b""


Answer = FloodReply | FloodFailed

_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class FloodClientLost(ConnectionError):
    """The flood's client process is gone, silent, or failed by itself; that is no failure of the terminal."""


class RemoteFlood:
    """Sessions of another client process that flood on command. Made by ``remote_flood``.

    An error over there is raised here: a ``ClientError`` as it was, anything else as ``FloodClientLost``.
    """

    def __init__(self, process: ClientProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @asynccontextmanager
    async def flooding(self) -> AsyncIterator[None]:
        """All of them flood when the block begins, and all are back at their prompts after it."""
        await self.ask(FloodCommand.FLOOD)
        yield
        await self.ask(FloodCommand.REST)

    async def heard(self) -> FloodReply:
        """How far each of them is."""
        return await self.ask(FloodCommand.TELL)

    async def ask(self, what: FloodOrder | FloodCommand) -> FloodReply:
        """One exchange.

        Raises:
            ClientError, FloodClientLost
        """
        self._writer.write(msgspec.json.encode(what) + b"\n")
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                line = await self._reader.readline()
        except TimeoutError as error:
            raise FloodClientLost(f"the flood client was silent for {_ANSWER_SECONDS:g} s") from error
        except ConnectionError:
            line = b""
        if not line:
            # Its socket closes a moment before it can be asked how it ended.
            await ended(self._process)
            raise FloodClientLost(f"the flood client {self._process.last_words}")
        answer = _answers.decode(line)
        if isinstance(answer, FloodReply):
            return answer
        if answer.error:
            met = pickle.loads(answer.error)
            assert isinstance(met, ClientError)  # it is our own process that pickled it
            raise met
        raise FloodClientLost(f"the flood client failed: {answer.reason}")


@asynccontextmanager
async def remote_flood(context: BenchmarkContext, count: int) -> AsyncIterator[RemoteFlood]:
    """``count`` sessions of another process with a POSIX shell at its prompt, destroyed at the end of the block.

    Raises:
        ClientError, FloodClientLost
    """
    process = ClientProcess(_CLIENT)
    try:
        reader, writer = await asyncio.open_connection(sock=process.socket)
        sessions: Sequence[str] = ()
        try:
            each = RemoteFlood(process, reader, writer)
            # Only the process that started the server can own its child; everything else is the same there.
            running = replace(context.running, process=None)
            sessions = (await each.ask(FloodOrder(extension_modules.dumps(running), count))).sessions
            yield each
            await each.ask(FloodCommand.LEAVE)
        except FloodClientLost:
            process.kill()
            await _end(context, sessions)
            raise
        finally:
            # Hanging up ends it, and what it still has: nothing once it has left.
            writer.close()
            await ended(process)
    finally:
        process.reap()


async def _end(context: BenchmarkContext, sessions: Sequence[str]) -> None:
    """End sessions that outlive their client: they would go on flooding during the next benchmark."""
    if not can_destroy_by_api(context):
        return
    try:
        async with context.running.rest() as api:
            for session in sessions:
                await destroy_by_id(api, session)
    except ClientError:
        pass  # what is left is looked for after every trial, and said there
