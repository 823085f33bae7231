"""Several floods in one worker: each is read in its turn, none twice before the others, none is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from tests.conftest import serving
from tests.server.shells import GUARD_SECONDS, read_until, running
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.protocol.codec import Subprotocol
from web_terminal_suite.server import ipc
from web_terminal_suite.server.log import Arena
from web_terminal_suite.server.pty import FULL_READ_BYTES
from web_terminal_suite.server.session import SHARED_TURN_BYTES, TURN_BYTES, Cursor, Session
from web_terminal_suite.server.worker.attachment import Attachment
from web_terminal_suite.server.worker.host_client import HostClient
from web_terminal_suite.server.worker.pause_watch import PauseWatch
from web_terminal_suite.server.worker.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOOD = "stty -opost -echo; echo go; read line; exec cat /dev/zero"
# Every line is the line discipline's work, so it is slower than whoever reads it.
BURSTS = "stty -echo; echo go; read line; exec yes 0123456789012345678901234567890123456789"
FLOODS = 3
CAPACITY = 1 << 20
_TURN_BYTES = SHARED_TURN_BYTES + FULL_READ_BYTES


class Viewer:
    """One that takes everything, and notes which session came in which order."""

    def __init__(self, attachment: Attachment, order: list[Attachment]) -> None:
        self._attachment = attachment
        self._order = order
        self.cursor = Cursor(attachment.session.log, attachment.session.log.end, CAPACITY // 2)
        self.stalls = False

    def fast_path(self, _: Attachment) -> None:
        return None

    def credit_end(self) -> int:
        return self.cursor.window.sent + self.cursor.window.room()

    def advance(self) -> None:
        self._order.append(self._attachment)
        self.cursor.window.sent = self._attachment.session.log.end
        if not self.stalls:
            self.cursor.window.ack(self.cursor.window.sent)

    def paused(self, direction: str, paused: bool) -> None:
        pass


class Worker:
    """What a worker has for its sessions; the host is the test's end of the channel."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.loop = asyncio.get_running_loop()
        self.scheduler = Scheduler(self.loop)
        stack.callback(self.scheduler.close)
        self.order: list[Attachment] = []
        near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pauses = PauseWatch(self.loop)
        self._client = HostClient(near, self.loop, lambda: None, self.scheduler, self.pauses)
        stack.callback(self._far.close)
        stack.callback(near.close)
        stack.callback(self.loop.remove_reader, near.fileno())
        self._stack = stack

    def attach(self, number: int, program: str = FLOOD) -> Attachment:
        """A session whose program writes without end once it is typed a line."""
        pty = self._stack.enter_context(running("/bin/sh", "-c", program))
        read_until(pty, b"go")
        arena = Arena.create(CAPACITY)
        self._stack.callback(arena.close)
        info = ipc.SessionInfo(
            id=str(number), name="s", user="u", state="running", pid=pty.pid, command=("sh",), cols=80, rows=24,
            offset=0, viewers=1, created=0.0, idle_seconds=0.0,
        )  # fmt: skip
        attachment = Attachment(
            info,
            Session(pty, arena.log(0), self.scheduler),
            owner=self._client,
            loop=self.loop,
            scheduler=self.scheduler,
            pauses=self.pauses,
            pumping=True,
        )
        self._stack.callback(attachment.close)
        attachment.enter(Viewer(attachment, self.order))
        return attachment

    async def come_round(self) -> list[tuple[Attachment, int]]:
        """Let the loop come round once; which of those that waited for a turn had one, and how much they were read."""
        before = {
            attachment: attachment.session.log.end for attachment in self.attachments if attachment in self.scheduler
        }
        self.order.clear()
        await asyncio.sleep(0)
        return [
            (attachment, attachment.session.log.end - before[attachment])
            for attachment in self.order
            if attachment in before
        ]

    attachments: list[Attachment]


@pytest.fixture
async def worker() -> Iterator[Worker]:
    """Three sessions that flood."""
    with contextlib.ExitStack() as stack:
        found = Worker(stack)
        found.attachments = [found.attach(number) for number in range(FLOODS)]
        for attachment in found.attachments:
            attachment.write(b"\r")
        await until(lambda: all(attachment.session.log.end > CAPACITY for attachment in found.attachments))
        yield found


async def until(condition) -> None:
    async with asyncio.timeout(GUARD_SECONDS):
        while not condition():
            await asyncio.sleep(0)


async def test_one_turn_of_bounded_size_each_time_the_loop_comes_round(worker):
    turns: list[Attachment] = []
    async with asyncio.timeout(GUARD_SECONDS):
        while len(turns) < 20 * FLOODS or set(turns) != set(worker.attachments):
            several = worker.scheduler.floods > 1
            for attachment, count in (came := await worker.come_round()):
                assert count <= (_TURN_BYTES if several else TURN_BYTES)
                turns.append(attachment)
            assert len(came) <= 1


async def test_who_waits_for_a_turn_may_leave_be_paused_and_come_back(worker):
    first, second, third = worker.attachments
    first.close()
    assert not first.session.floods
    viewer = second.viewers[0]
    viewer.stalls = True
    await until(lambda: viewer.credit_end() <= second.session.log.end)
    await until(lambda: not second.session.floods)
    stopped_at = second.session.log.end
    went_on = third.session.log.end
    await until(lambda: third.session.log.end > went_on + CAPACITY)
    assert second.session.log.end == stopped_at
    viewer.stalls = False
    viewer.cursor.window.ack(viewer.cursor.window.sent)
    second.credited()
    await until(lambda: second.session.log.end > stopped_at + CAPACITY)
    went_on = third.session.log.end
    await until(lambda: third.session.log.end > went_on + CAPACITY)


async def test_one_that_is_slower_than_its_reader_rests_and_goes_on():
    with contextlib.ExitStack() as stack:
        worker = Worker(stack)
        attachment = worker.attach(0, BURSTS)
        attachment.write(b"\r")
        for _ in range(3):
            await until(lambda: attachment in worker.scheduler and not attachment.session.floods)
            seen = attachment.session.log.end
            await until(lambda seen=seen: attachment.session.log.end > seen + CAPACITY)
        await until(lambda: attachment in worker.scheduler)
        attachment.credited()  # as when its viewer acknowledges something
        assert not worker.loop.remove_reader(attachment.session.pty.fd)
        assert attachment in worker.scheduler
        attachment.close()
        assert attachment not in worker.scheduler


@pytest.mark.parametrize("subprotocol", list(Subprotocol))
@pytest.mark.parametrize("env", [{"PURE_PYTHON": ""}, {"PURE_PYTHON": "1"}], ids=["compiled", "Python"])
async def test_floods_beside_each_other_arrive_whole(subprotocol, env):
    lines = b"".join(b"%d\r\n" % n for n in range(1, 40001))
    with serving(env=env) as server:
        async with contextlib.AsyncExitStack() as stack:
            connections = [
                await stack.enter_async_context(connect(server.url, dialect=lambda: NativeDialect(subprotocol)))
                for _ in range(4)
            ]
            for each in connections:
                await each.attach()
            results = await asyncio.gather(*(each.run("seq 1 40000", timeout=60) for each in connections))
            assert [result.output == lines for result in results] == [True] * len(connections)
            for each in connections:
                await each.close(destroy=True)
