"""A connection until its TLS handshake is done, and the certificate that handshakes use.

What comes before the handshake is bounded as everything of a stranger: it counts as one from the start, and must be
done within ``request_timeout``. uvloop's protocol for TLS is used as ``loop.create_server`` would use it, which counts
nobody before the handshake.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvloop.loop import SSLProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal_suite.server import tls
from web_terminal_suite.server.network_address import network_of, peer_address
from web_terminal_suite.server.worker.request_head import HttpRefusal
from web_terminal_suite.server.worker.strangers import TOO_OFTEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.arrival import Arrival
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

# The first record is handed on whole, so this need not hold it.
_FIRST_BYTES = 2 * 1024
_BUFFER = memoryview(bytearray(_FIRST_BYTES))
# The type of a record that holds a handshake (RFC 8446 section 5.1).
_HANDSHAKE_RECORD = 0x16
# How long a client may take to say that it, too, sends no more.
_SHUTDOWN_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_PLAIN = HttpRefusal(HTTPStatus.BAD_REQUEST, "this port speaks TLS; use https:// instead of http://")


class Certificate:
    """The context that handshakes use: another one for new connections once its files have changed.

    Raises:
        TlsProblem: the files cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = tls.files_of(settings)
        self._loaded = tls.load(settings)
        self._tell_time()

    @property
    def context(self) -> ssl.SSLContext:
        """The present one."""
        return self._loaded.context

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at the files from now on, for as long as the loop runs."""
        loop.call_later(_LOOK_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watch(loop)
        self.renew()

    def renew(self) -> None:
        """Load files that have changed. Files that cannot be used change nothing, and are logged once."""
        files = tls.files_of(self._settings)
        if files == self._files:
            return
        self._files = files
        try:
            self._loaded = tls.load(self._settings)
        except tls.TlsProblem as error:
            log.error("the changed certificate is not used, and the one before stays: %s", error)
            return
        log.info("the changed certificate is used for new connections")
        self._tell_time()

    def _tell_time(self) -> None:
        problem = self._loaded.time_problem(time.time())
        if problem:
            log.error("%s; browsers refuse it", problem)


class TlsHandshake(asyncio.BufferedProtocol):
    """The transport's protocol up to the client's first bytes. ``make`` makes what comes after the handshake."""

    __slots__ = ("_certificate", "_context", "_deadline", "_make", "_network", "_transport")

    def __init__(self, context: WorkerContext, certificate: Certificate, make: Callable[[], Arrival]) -> None:
        self._context = context
        self._certificate = certificate
        self._make = make
        self._network: str | None = None
        self._transport: Any = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        address = peer_address(transport)
        self._network = network_of(address)
        self._context.connections.all.add(self)
        try:
            shared, now = self._context.proxies.trusts(address), self._context.loop.time()
            self._context.strangers.enter(self._network, now, shared=shared)
            if not shared and self._context.strangers.dials_too_often(self._network, now):
                raise TOO_OFTEN
        except HttpRefusal as refused:
            self._note(refused)
            self._transport.abort()  # there is no answer that a client of TLS would read
        else:
            self._deadline = self._context.loop.call_later(self._seconds, self._transport.abort)

    def get_buffer(self, _size_hint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, count: int) -> None:
        if self._transport.is_closing():
            return
        if _BUFFER[0] == _HANDSHAKE_RECORD:
            self._begin(bytes(_BUFFER[:count]))
        else:
            self._note(_PLAIN)
            self._transport.write(_PLAIN.answer())
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        self._leave()

    def shutdown(self) -> None:
        """The worker stops or is replaced."""
        self._transport.abort()

    def _begin(self, first: bytes) -> None:
        """Hand the connection to TLS, with what was read of it."""
        loop, seconds = self._context.loop, self._seconds
        arrival = self._make()
        done: asyncio.Future[None] = loop.create_future()
        done.add_done_callback(self._is_done)
        self._let_go()
        inner = SSLProtocol(
            loop, arrival, self._certificate.context, done, True, None, True, seconds, _SHUTDOWN_SECONDS
        )
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        room = inner.get_buffer(len(first))
        room[: len(first)] = first
        inner.buffer_updated(len(first))

    def _is_done(self, done: asyncio.Future[None]) -> None:
        """The handshake is done or has failed: from now on the connection is counted after it."""
        error = done.exception()
        if isinstance(error, ssl.SSLError) and self._network is not None:
            reason = (getattr(error, "verify_message", "") or error.reason or "no reason").lower().replace("_", " ")
            self._context.strangers.note_handshake(reason, self._network, self._context.loop.time())
        self._leave()

    @property
    def _seconds(self) -> float:
        return self._context.settings.request_timeout

    def _note(self, refused: HttpRefusal) -> None:
        assert self._network is not None  # it is connected
        self._context.strangers.note(refused, self._network, self._context.loop.time())

    def _let_go(self) -> None:
        self._context.connections.all.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self) -> None:
        """Count it no more; once."""
        network, self._network = self._network, None
        if network is not None:
            self._context.strangers.leave(network)
