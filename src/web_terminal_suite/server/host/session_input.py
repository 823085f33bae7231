"""The clients of one session whose input is numbered, and what no worker types any more, as the host knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web_terminal_suite.server import ipc
    from web_terminal_suite.server.host.input_file import InputFile


class SessionInput:
    """Whose input which worker types, and what the host types."""

    __slots__ = ("file", "owners", "reports", "waiting")

    def __init__(self) -> None:
        self.owners: dict[int, object] = {}
        """The worker that types for the client in a place."""
        self.waiting: dict[int, list[tuple[object, int]]] = {}
        """Workers that asked for a place that another one has, with their request's id."""
        self.file: InputFile | None = None
        """What the host has to type."""
        self.reports: list[tuple[object, ipc.AttachmentState]] = []
        """What workers said to this host when it took over."""

    def close(self) -> None:
        """Nothing is typed any more."""
        if self.file is not None:
            self.file.close()
            self.file = None
