"""How a connection authenticates: in its handshake or by a message within a time limit, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.server import ipc
from web_terminal_suite.server.access import Denied, Principal, TooManyFailures
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.message_connection import MessageConnection

if TYPE_CHECKING:
    import asyncio

    from picows import WSTransport

    from web_terminal_suite.server.worker.context import WorkerContext
    from web_terminal_suite.server.worker.protocols import protocol as p


class AuthenticatedConnection(MessageConnection):
    """A connection whose principal is known, or still has to log in."""

    __slots__ = ("_address", "_deadline", "_principal")

    def __init__(
        self, context: WorkerContext, protocol: p.ServerProtocol, principal: Principal | None, address: str
    ) -> None:
        super().__init__(context, protocol)
        self._principal = principal
        self._address = address
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def has_logged_in(self) -> bool:
        """Whether its user is known."""
        return self._principal is not None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        outbox.lighten(transport)
        self._counters[Counters.CONNECTIONS_OPENED] += 1
        transport.underlying_transport.set_write_buffer_limits(high=self._protocol.unsent_bytes)
        try:
            self._perform(self._protocol.greet(authenticated=self._principal is not None))
            if self._principal is not None:
                self._enter(self._principal)
            else:
                timeout = self._context.settings.authentication_timeout
                self._deadline = self._context.loop.call_later(timeout, self._authentication_timeout)
        finally:
            self.flush(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._counters[Counters.CONNECTIONS_CLOSED] += 1
        self._closing = True
        if self._deadline is not None:
            self._deadline.cancel()
        # An attach under way is not cancelled: its answer brings descriptors, and other connections may wait for the
        # same attachment.
        self._leave()

    def _log_in(self, action: p.LogIn) -> None:
        audit = self._context.audit
        try:
            principal = self._context.access.try_token(action.token, self._address)
        except TooManyFailures as denied:
            audit.note("refused", address=self._address, how="message", reason=denied.reason)
            raise TheirError(ErrorCode.RATE_LIMIT, denied.reason) from denied
        except Denied as denied:
            self._counters[Counters.AUTHENTICATIONS_FAILED] += 1
            audit.note("refused", address=self._address, how="message", reason=denied.reason)
            raise TheirError(ErrorCode.AUTHENTICATION_FAILED, denied.reason) from denied
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._principal = principal
        audit.note("login", address=self._address, user=principal.user, role=principal.role, how="message")
        self._enter(principal)

    def _enter(self, principal: Principal) -> None:
        self._perform(self._protocol.authenticated(principal.user, principal.role))
        self.tell_drain()
        if principal.until is not None:  # a socket must not outlive the login that opened it
            self._deadline = self._context.loop.call_later(max(0.0, principal.until - time.time()), self._login_over)

    def check_login(self) -> None:
        """Close where the login or the role is no longer good. The session goes on."""
        access, principal = self._context.access, self._principal
        if principal is None or self._closing:
            return
        if not access.holds(principal):
            self._note_revoked(principal, "the login or token was revoked")
            self.refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the login is no longer valid; log in again"))
        elif access.role_of(principal) != principal.role:
            self._note_revoked(principal, "the role has changed")
            self.close(CloseCode.TRY_AGAIN_LATER, "your role has changed; connect again")

    def _note_revoked(self, principal: Principal, reason: str) -> None:
        self._context.audit.note(
            "revoke", address=self._address, user=principal.user, role=principal.role, reason=reason
        )

    def tell_drain(self) -> None:
        """Tell the client if the server drains, and until when."""
        server = self._context.server
        if server is not None and server.draining and not self._closing:
            self._perform(self._protocol.draining(server.ends_in(time.monotonic())))

    def _authentication_timeout(self) -> None:
        seconds = self._context.settings.authentication_timeout
        self.refuse(TheirError(ErrorCode.AUTHENTICATION_TIMEOUT, f"no authentication within {seconds:g} s"))

    def _login_over(self) -> None:
        self.refuse(TheirError(ErrorCode.SESSION_EXPIRED, "the login is over; log in again"))

    @property
    def _caller(self) -> ipc.Caller:
        principal = self._principal
        assert principal is not None  # every protocol asks for a session only after `authenticated`
        return ipc.Caller(principal.user, principal.role, self._address)
