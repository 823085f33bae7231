"""What clients do to sessions, and what they are refused, as lines of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.server import ipc

if TYPE_CHECKING:
    from web_terminal_suite.server.audit import AuditLog, Event
    from web_terminal_suite.server.host.table import Refusal, SessionEntry, SessionTable

_AboutSession = (
    ipc.AttachSession | ipc.GetSession | ipc.UpdateSession | ipc.TouchSession | ipc.SignalSession | ipc.DestroySession
)


class SessionAudit:
    """Writes into ``audit`` about the sessions of ``table``."""

    def __init__(self, audit: AuditLog, table: SessionTable) -> None:
        self._audit = audit
        self._table = table

    def note(self, event: Event, caller: ipc.Caller, entry: SessionEntry, **details: object) -> None:
        """Write what a client does to a session."""
        self._audit.note(
            event, address=caller.address, user=caller.user, role=caller.role, session=entry.id, owner=entry.user,
            **details,
        )  # fmt: skip

    def note_refusal(self, message: ipc.FromWorker, refusal: Refusal) -> None:
        """Write who asked for what is another's. A client is not told that it is there."""
        if isinstance(message, ipc.CreateSession):
            if refusal.code is ErrorCode.FORBIDDEN:
                caller = message.caller
                self._audit.note(
                    "refused", address=caller.address, user=caller.user, role=caller.role, reason=refusal.message
                )
        elif isinstance(message, _AboutSession) and (entry := self._table.get(message.session)) is not None:
            self.note("refused", message.caller, entry, reason=f"{type(message).__name__}: {refusal.code}")
