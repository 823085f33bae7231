"""Whether a shell runs in a session."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from web_terminal_suite.client.errors import TimedOut
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from web_terminal_suite.client.connection import ClientConnection


async def run_marker(connection: ClientConnection) -> None:
    """Return once the session's shell has computed a marker: a shell runs, whatever it prints as its prompt.

    Raises:
        ClientError: no shell that knows ``printf`` answered.
    """
    marker = Markers(random.SystemRandom()).fresh()
    connection.input(marker.command.encode() + b"\r")
    try:
        await connection.wait_for(marker.seen)
    except TimedOut as error:
        raise TimedOut(f"answer of a shell to {marker.command!r}", error.limit_seconds) from error
