"""One worker process: the shared listener, uvicorn's HTTP protocol on it, and the channels to the hosts.

uvicorn's ``Server`` is left out on purpose: it wakes ten times a second, binds and handles signals, and all of that
is the supervisor's. Its protocol classes are used as ``Server`` uses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import uvicorn
import uvloop
from uvicorn.server import ServerState

from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.messages import Limits
from web_terminal_suite.server import ipc, launch, meeting
from web_terminal_suite.server.access import Access
from web_terminal_suite.server.audit import AuditLog
from web_terminal_suite.server.credentials import Credentials, EndedLogin, decode, encode
from web_terminal_suite.server.listener import number_of
from web_terminal_suite.server.login_limits import LoginLimits
from web_terminal_suite.server.service_manager import expose_to_oom
from web_terminal_suite.server.tls import TlsProblem
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.arrival import Arrival
from web_terminal_suite.server.worker.connection_rates import ConnectionRates
from web_terminal_suite.server.worker.context import WorkerContext
from web_terminal_suite.server.worker.counters import Counters, shared_tables
from web_terminal_suite.server.worker.host_pool import HostPool
from web_terminal_suite.server.worker.http.app import application
from web_terminal_suite.server.worker.http.http_connection import HttpConnection
from web_terminal_suite.server.worker.listening import Listening
from web_terminal_suite.server.worker.oidc_client import OidcClient
from web_terminal_suite.server.worker.open_connections import OpenConnections
from web_terminal_suite.server.worker.proxies import Proxies
from web_terminal_suite.server.worker.silence_watch import SilenceWatch
from web_terminal_suite.server.worker.strangers import Strangers
from web_terminal_suite.server.worker.tls_handshake import Certificate, TlsHandshake
from web_terminal_suite.server.worker.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.shared_table import SharedTable

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
# How often the supervisor is told that there is no channel to a host.
_LOST_SECONDS = 1.0
# Strangers leave descriptors for those who have logged in.
_STRANGERS_SHARE = 4


def _strangers(settings: Settings, table: SharedTable) -> Strangers:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(settings.max_strangers, max(1, descriptors // _STRANGERS_SHARE))
    if most < settings.max_strangers:
        log.info("max_strangers is %d here, a quarter of %d descriptors", most, descriptors)
    # The clients of a Unix socket have no addresses.
    of_one, a_second = (
        (most, 0) if settings.unix else (settings.max_strangers_per_address, settings.max_strangers_per_second)
    )
    return Strangers(most, of_one, ConnectionRates(a_second, table))


def _oidc(settings: Settings, credentials: Credentials) -> OidcClient | None:
    if settings.oidc is None:
        return None
    rules = msgspec.structs.replace(settings.oidc, client_secret=credentials.client_secret)
    return OidcClient(rules, f"{settings.public_url.rstrip('/')}/api/v1/login/oidc/callback")


class WorkerProcess:
    """The process: its listener, its HTTP server, and how it leaves."""

    def __init__(
        self, settings: Settings, row: int, listener: socket.socket, control: socket.socket, credentials_fd: int
    ) -> None:
        loop = asyncio.get_running_loop()
        channels = [socket.socket(fileno=launch.FIRST_CHANNEL_FD + number) for number in range(settings.hosts)]
        self._loop = loop
        self._state = ServerState()
        logins, connections = shared_tables(launch.COUNTERS_FD)
        limits = LoginLimits(settings.login_attempts_per_minute, logins)
        credentials = decode(launch.content(credentials_fd))
        self._context = WorkerContext(
            settings=settings,
            loop=loop,
            access=Access(settings, number_of(listener), credentials, limits),
            audit=AuditLog(settings.audit_log),
            counters=Counters(launch.COUNTERS_FD, row),
            hosts=HostPool(channels, loop, self._host_gone),
            limits=Limits(message_bytes=settings.message_limit, cols=settings.max_cols, rows=settings.max_rows),
            connections=OpenConnections(self._state.connections),
            strangers=_strangers(settings, connections),
            proxies=Proxies(settings),
            oidc=_oidc(settings, credentials),
        )
        if listener.family != socket.AF_UNIX:
            for level, option, value in _KEEP_ALIVE:
                listener.setsockopt(level, option, value)
        self._listener = listener
        self._row = row
        self._control = control
        self._credentials_fd = credentials_fd
        self._context.tell_logged_out = self._tell_logged_out
        self._serves = False
        self._left = asyncio.Event()

    async def serve(self) -> None:
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
        listening = Listening(self._loop, self._listener, self._behind_tls(partial(Arrival, self._context, http)))
        self._control.setblocking(False)
        self._loop.add_reader(self._control.fileno(), self._on_control)
        if not await self._hosts_answer():
            return
        verifier = self._context.access.jwt
        if verifier is not None:
            await verifier.read()
            self._context.spawn(verifier.keep_fresh())
        await listening.start()
        SilenceWatch(self._loop, self._state.connections).start()
        launch.settle()
        self._serves = True
        self._control.send(launch.READY)
        await self._left.wait()
        listening.end()
        await self._drain()

    def _behind_tls(self, make: Callable[[], Arrival]) -> Callable[[], asyncio.BaseProtocol]:
        """What makes the protocol of a connection; where the port speaks TLS, the one before ``make``'s."""
        if not self._context.settings.serves_tls:
            return make
        try:
            certificate = Certificate(self._context.settings)
        except TlsProblem as error:
            log.error("%s", error)
            raise SystemExit(1) from error
        certificate.watch(self._loop)
        return partial(TlsHandshake, self._context, certificate, make)

    async def _hosts_answer(self) -> bool:
        """Wait until every host has answered, or until this worker must leave; whether they answered.

        So a lost channel, or a host of a version that does not understand this one, ends an upgrade before it is done.
        """
        self._context.hosts.lend_pipes()
        answers = asyncio.ensure_future(self._context.hosts.answer())
        left = asyncio.ensure_future(self._left.wait())
        await asyncio.wait({answers, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            answers.cancel()
            return False
        left.cancel()
        await answers
        return True

    def _on_control(self) -> None:
        """The supervisor tells its state, asks this worker to leave, has a channel to a new host, or is gone."""
        try:
            command, fds = ipc.receive_descriptors(self._control, launch.CONTROL_BYTES, 1)
        except BlockingIOError:
            return
        except ConnectionResetError:
            command, fds = b"", []
        if command.startswith(b"{"):
            self._note_state(msgspec.json.decode(command, type=launch.ServerState))
            with contextlib.suppress(OSError):  # it is gone, which is read next, or has enough to read
                self._control.send(launch.ALIVE, socket.MSG_DONTWAIT)
            return
        if command == launch.CREDENTIALS:
            if fds:
                self._use_credentials(fds[0])
            else:
                log.error("no descriptor is left for changed users and tokens; leaving")
                self._leave(CloseCode.SERVICE_RESTART)
            return
        if command.startswith(launch.HOST):
            number = int(command.removeprefix(launch.HOST))
            if fds:
                self._context.hosts.rejoin(number, socket.socket(fileno=fds[0]))
            else:
                log.error("no descriptor is left for the channel to a new PTY host; leaving")
                self._leave(CloseCode.SERVICE_RESTART)
            return
        if not command:
            self._loop.remove_reader(self._control.fileno())
            settings = self._context.settings
            if settings.state_dir and settings.supervisor_grace and self._serves and not self._left.is_set():
                log.error("the supervisor is gone; waiting %g s for another one", settings.supervisor_grace)
                deadline = self._loop.time() + settings.supervisor_grace
                self._loop.call_later(meeting.RETRY_SECONDS, self._look_for_supervisor, deadline)
                return
        self._leave(CloseCode.SERVICE_RESTART if command == launch.REPLACE else CloseCode.GOING_AWAY)

    def _note_state(self, server: launch.ServerState) -> None:
        before, self._context.server = self._context.server, server
        self._context.hosts.silent = frozenset(server.silent_hosts)
        if server.draining and not (before is not None and before.draining):
            for connection in list(self._context.connections.all):
                if isinstance(connection, WebSocket):
                    connection.tell_drain()

    def _use_credentials(self, fd: int) -> None:
        os.close(self._credentials_fd)
        self._credentials_fd = fd
        self._context.access.use(decode(launch.content(fd)))
        self._context.cut_revoked()

    def _tell_logged_out(self, login: str, ended: EndedLogin) -> None:
        """Let the other workers know, by way of the supervisor."""
        try:
            self._control.send(launch.LOGGED_OUT + encode((login, ended)), socket.MSG_DONTWAIT)
        except OSError as error:
            log.error("a login was ended only in this worker: the supervisor does not listen: %s", error.strerror)

    def _look_for_supervisor(self, deadline: float) -> None:
        if self._left.is_set():
            return
        brought = (self._listener.fileno(), launch.SETTINGS_FD, launch.COUNTERS_FD, self._credentials_fd)
        sock = meeting.find(self._context.settings.state_dir, meeting.WorkerHello(row=self._row), brought)
        if sock is not None:
            self._control.close()
            self._control = sock
            sock.setblocking(False)
            self._loop.add_reader(sock.fileno(), self._on_control)
        elif self._loop.time() >= deadline:
            log.error("no other supervisor came; leaving")
            self._leave(CloseCode.GOING_AWAY)
        else:
            self._loop.call_later(meeting.RETRY_SECONDS, self._look_for_supervisor, deadline)

    def _host_gone(self, number: int) -> None:
        """The channel to a host closed: another host will come, or the supervisor replaces this worker."""
        if not self._serves:
            log.error("the channel to PTY host %d closed: the host ended, or had no descriptor for it; leaving", number)
            self._leave(CloseCode.GOING_AWAY)
            return
        log.warning("the channel to PTY host %d closed; its sessions go on without it", number)
        self._loop.call_later(_LOST_SECONDS, self._tell_lost, number)

    def _tell_lost(self, number: int) -> None:
        """As long as there is no channel to a host: the supervisor knows whether one will come."""
        if self._context.hosts.reaches(number):
            return
        self._loop.call_later(_LOST_SECONDS, self._tell_lost, number)
        try:
            self._control.send(launch.LOST + b"%d" % number)
        except OSError:
            pass  # full: it is told again; gone: `_on_control` sees to that

    def _leave(self, code: CloseCode) -> None:
        self._context.leaving = code
        self._left.set()

    async def _drain(self) -> None:
        connections = self._context.connections.all
        await asyncio.sleep(0)  # what was accepted in this turn of the loop arrives
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
    launch.guard_memory(settings)  # before there is anything to guard
    launch.log_to_stderr(settings.log_level, "worker")
    listener = socket.socket(fileno=launch.LISTENER_FD)
    listener.setblocking(False)
    control = socket.socket(fileno=launch.CONTROL_FD)
    word, fds = ipc.receive_descriptors(control, launch.CONTROL_BYTES, 1)
    if word != launch.CREDENTIALS or not fds:
        log.error("the supervisor gave no credentials: it is of another version; restart the server")
        return
    await WorkerProcess(settings, int(sys.argv[1]), listener, control, fds[0]).serve()


def main() -> None:
    """Serve until the supervisor stops this process or is gone."""
    expose_to_oom()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    uvloop.run(_main())


if __name__ == "__main__":
    main()
