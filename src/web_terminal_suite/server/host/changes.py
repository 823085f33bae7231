"""Names and sizes of sessions: what changes them, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server import ipc
from web_terminal_suite.server.host.table import checked_name
from web_terminal_suite.server.host.worker_channels import WorkerChannel, WorkerChannels

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.host.session_audit import SessionAudit
    from web_terminal_suite.server.host.store_client import StoreClient
    from web_terminal_suite.server.host.table import SessionEntry, SessionTable


class SessionChanges:
    """Changes sessions. ``tell`` answers a request with what the session is then."""

    def __init__(
        self,
        table: SessionTable,
        workers: WorkerChannels,
        store: StoreClient,
        tell: Callable[[WorkerChannel, int, SessionEntry], None],
        audit: SessionAudit,
    ) -> None:
        self._table = table
        self._workers = workers
        self._store = store
        self._tell = tell
        self._audit = audit

    def change(self, worker: WorkerChannel, request: ipc.UpdateSession) -> None:
        """Rename or resize a session.

        Raises:
            Refusal: there is none, or the name may not be one.
        """
        entry = self._table.find(request.caller, request.session, to_change=True)
        name = checked_name(request.name)
        if name is not None:
            self._audit.note("rename", request.caller, entry, name=name, before=entry.name)
            entry.name = name
            self._store.changed(entry)
        if request.cols is not None or request.rows is not None:
            size = Size(request.cols or entry.size.cols, request.rows or entry.size.rows)
            if entry.session is not None and entry.session.pty.fd >= 0:
                entry.session.pty.resize(size)
            entry.size = size
            entry.sized_by = None
            if entry.user != request.caller.user:
                self._audit.note("resize", request.caller, entry, cols=size.cols, rows=size.rows)
        self._notify_attached(entry, None)
        self._tell(worker, request.id, entry)

    def note_size(self, worker: WorkerChannel, notice: ipc.SizeSet) -> None:
        """A viewer of ``worker`` set the size."""
        entry = worker.attached.get(notice.session)
        if entry is not None:
            entry.size = Size(notice.cols, notice.rows)
            entry.sized_by = worker
            self._notify_attached(entry, worker)

    def _notify_attached(self, entry: SessionEntry, source: WorkerChannel | None) -> None:
        notice = ipc.SessionUpdated(session=entry.id, name=entry.name, cols=entry.size.cols, rows=entry.size.rows)
        for worker in entry.attachments:
            if worker is not source and isinstance(worker, WorkerChannel):
                self._workers.answer(worker, notice)
