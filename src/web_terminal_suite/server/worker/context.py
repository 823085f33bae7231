"""What all connections and requests of one worker share. It knows none of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.server.worker.input_acks import InputAcks
from web_terminal_suite.server.worker.password_checks import PasswordChecks

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from web_terminal_suite.protocol.messages import Limits
    from web_terminal_suite.server.access import Access, Principal
    from web_terminal_suite.server.audit import AuditLog
    from web_terminal_suite.server.credentials import EndedLogin
    from web_terminal_suite.server.launch import ServerState
    from web_terminal_suite.server.settings import Settings
    from web_terminal_suite.server.worker.counters import Counters
    from web_terminal_suite.server.worker.host_pool import HostPool
    from web_terminal_suite.server.worker.oidc_client import OidcClient
    from web_terminal_suite.server.worker.open_connections import OpenConnections
    from web_terminal_suite.server.worker.proxies import Proxies
    from web_terminal_suite.server.worker.strangers import Strangers


@dataclass(slots=True, eq=False)
class WorkerContext:
    """Made once, by the worker's process. Only what stands from ``connections`` on changes afterwards."""

    settings: Settings
    loop: asyncio.AbstractEventLoop
    access: Access
    audit: AuditLog
    counters: Counters
    hosts: HostPool
    limits: Limits
    """Limits of messages and sizes, as clients get them."""
    connections: OpenConnections
    strangers: Strangers
    proxies: Proxies
    oidc: OidcClient | None
    input_acks: InputAcks = field(init=False)
    server: ServerState | None = None
    """What the supervisor said last; ``None`` until it has."""
    leaving: CloseCode | None = None
    """What connections are closed with once this worker leaves; ``None`` while it serves."""
    tell_logged_out: Callable[[str, EndedLogin], None] = lambda _login, _ended: None
    """Tells the server's other workers of a login that was given back."""
    password_checks: PasswordChecks = field(default_factory=PasswordChecks)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.input_acks = InputAcks(self.loop)

    @property
    def stopping(self) -> bool:
        """Whether the server stops for good, rather than this worker being replaced."""
        return self.leaving is CloseCode.GOING_AWAY

    def log_out(self, principal: Principal) -> None:
        """End the login of a cookie, in every worker; a token goes on."""
        ended = self.access.end_login(principal)
        if ended is not None:
            self.cut_revoked()
            self.tell_logged_out(principal.login, ended)

    def cut_revoked(self) -> None:
        """Close the WebSockets of those whose login or token is no longer good, and of those with another role."""
        for each in list(self.connections.all):
            connection = getattr(each, "connection", None)  # an HTTP connection has none: each request is checked
            if connection is not None:
                connection.check_login()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run ``work``, which handles its own failures, to its end or the worker's."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
