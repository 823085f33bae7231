"""Whether a shell runs in a session."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from web_terminal_suite.client.errors import TimedOut
from web_terminal_suite.client.marker import Markers

if TYPE_CHECKING:
    from web_terminal_suite.client.connection import ClientConnection


async def run_marker(connection: ClientConnection) -> bool:
    """Return once the session's shell has computed a marker: a shell runs, whatever it prints as its prompt.

    Returns:
        Whether it is a POSIX shell that takes its prompt from ``PS1``. Neither fish nor zsh is, nor a shell that
        computes its prompt anew each time.

    Raises:
        ClientError: no shell that knows ``printf`` answered.
    """
    markers = Markers(random.SystemRandom())
    marker, prompt, posix, end = (markers.fresh() for _ in range(4))
    connection.input(marker.command.encode() + b"\r")
    try:
        await connection.wait_for(marker.seen)
    except TimedOut as error:
        raise TimedOut(f"answer of a shell to {marker.command!r}", error.limit_seconds) from error
    connection.input(f'PS1=$({prompt.command})\rcommand eval "{posix.command}"\r'.encode())
    connection.input(f"{end.command}\r".encode())
    output = (await connection.wait_for(end.seen, keep=True)).output
    return prompt.seen in output and posix.seen in output
