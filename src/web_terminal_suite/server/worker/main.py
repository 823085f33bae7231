"""One worker process: the shared listener, uvicorn's HTTP protocol on it, and the channels to the hosts.

uvicorn's ``Server`` is left out on purpose: it wakes ten times a second, binds and handles signals, and all of that
is the supervisor's. Its protocol classes are used as ``Server`` uses them.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from uvicorn.server import ServerState

from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.messages import Limits
from web_terminal_suite.server import launch
from web_terminal_suite.server.access import Access
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.arrival import Arrival
from web_terminal_suite.server.worker.context import WorkerContext
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.host_pool import HostPool
from web_terminal_suite.server.worker.http.app import application
from web_terminal_suite.server.worker.http.http_connection import HttpConnection
from web_terminal_suite.server.worker.listening import Listening
from web_terminal_suite.server.worker.open_connections import OpenConnections
from web_terminal_suite.server.worker.silence_watch import SilenceWatch
from web_terminal_suite.server.worker.strangers import Strangers

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.worker")

# TCP keep-alive (tcp(7)): a vanished peer is found after 60 + 4 * 15 seconds, without a timer of ours. What is
# accepted has it from the listener.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    # Keep-alive does not run while something is unacknowledged; without this, retransmission goes on for 15 minutes.
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000),
)
# Strangers leave descriptors for those who have logged in.
_STRANGERS_SHARE = 4


def _strangers(settings: Settings) -> Strangers:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(settings.max_strangers, max(1, descriptors // _STRANGERS_SHARE))
    if most < settings.max_strangers:
        log.info("max_strangers is %d here, a quarter of %d descriptors", most, descriptors)
    return Strangers(most, settings.max_strangers_per_address)


class WorkerProcess:
    """The process: its listener, its HTTP server, and how it leaves."""

    def __init__(self, settings: Settings, row: int, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        channels = [socket.socket(fileno=launch.FIRST_CHANNEL_FD + number) for number in range(settings.hosts)]
        self._loop = loop
        self._state = ServerState()
        self._context = WorkerContext(
            settings=settings,
            loop=loop,
            access=Access(settings, listener.getsockname()[1]),
            counters=Counters(launch.COUNTERS_FD, row),
            hosts=HostPool(channels, loop, self._host_gone),
            limits=Limits(message_bytes=settings.message_limit, cols=settings.max_cols, rows=settings.max_rows),
            connections=OpenConnections(self._state.connections),
            strangers=_strangers(settings),
        )
        for level, option, value in _KEEP_ALIVE:
            listener.setsockopt(level, option, value)
        self._listener = listener
        self._left = asyncio.Event()

    async def serve(self, control: socket.socket) -> None:
        """Accept connections until asked to leave; then let them go within ``drain_timeout``."""
        log.info("fast path: %s", f"none ({outbox.WHY_SLOW})" if outbox.WHY_SLOW else "compiled")
        config = uvicorn.Config(
            application(self._context),
            http="httptools",
            ws="none",  # `Arrival` sees to them
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        config.load()
        self._state.default_headers = config.encoded_headers

        http = partial(
            HttpConnection,
            config=config,
            server_state=self._state,
            app_state={},
        )
        listening = Listening(self._loop, self._listener, partial(Arrival, self._context, http))
        control.setblocking(False)
        self._loop.add_reader(control.fileno(), self._on_control, control)
        if not await self._hosts_answer():
            return
        await listening.start()
        SilenceWatch(self._loop, self._state.connections).start()
        launch.settle()
        control.send(launch.READY)
        await self._left.wait()
        listening.end()
        await self._drain()

    async def _hosts_answer(self) -> bool:
        """Wait until every host has answered, or until this worker must leave; whether they answered.

        So a lost channel, or a host of a version that does not understand this one, ends an upgrade before it is done.
        """
        self._context.hosts.lend_pipes()
        answers = asyncio.ensure_future(self._context.hosts.count())
        left = asyncio.ensure_future(self._left.wait())
        await asyncio.wait({answers, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            answers.cancel()
            return False
        left.cancel()
        await answers
        return True

    def _on_control(self, control: socket.socket) -> None:
        """The supervisor asks this worker to leave, or is gone."""
        try:
            command = control.recv(64)
        except BlockingIOError:
            return
        if not command:
            self._loop.remove_reader(control.fileno())
        self._leave(CloseCode.SERVICE_RESTART if command == launch.REPLACE else CloseCode.GOING_AWAY)

    def _host_gone(self) -> None:
        log.error("the channel to a PTY host closed: the host ended, or had no descriptor for it; leaving")
        self._leave(CloseCode.GOING_AWAY)

    def _leave(self, code: CloseCode) -> None:
        self._context.leaving = code
        self._left.set()

    async def _drain(self) -> None:
        connections = self._context.connections.all
        for connection in list(connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self._context.settings.drain_timeout):
                while connections or self._state.tasks or self._context.hosts.waits:
                    # uvicorn offers no event for "the last connection closed".
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("%d connections did not close in time", len(connections))


async def _main() -> None:
    settings = launch.read_settings()
    launch.log_to_stderr(settings.log_level, "worker")
    listener = socket.socket(fileno=launch.LISTENER_FD)
    listener.setblocking(False)
    worker = WorkerProcess(settings, int(sys.argv[1]), listener)
    await worker.serve(socket.socket(fileno=launch.CONTROL_FD))


def main() -> None:
    """Serve until the supervisor stops this process or is gone."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    uvloop.run(_main())


if __name__ == "__main__":
    main()
