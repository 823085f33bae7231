"""The clients of one session whose input is numbered, as the host knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web_terminal_suite.server.client_input import ClientInput


class SessionInput:
    """The clients of one session whose input is numbered."""

    __slots__ = ("clients", "owners", "waiting")

    def __init__(self) -> None:
        self.owners: dict[int, object] = {}
        """The worker that types for the client in a place."""
        self.waiting: dict[int, list[tuple[object, int]]] = {}
        """Workers that asked for a place that another one has, with their request's id."""
        self.clients: dict[int, ClientInput] = {}
        """Clients of whom the host has something to type."""
