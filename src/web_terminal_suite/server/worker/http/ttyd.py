"""What ttyd's page asks for over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server.worker.http.operation import Operation

if TYPE_CHECKING:
    from starlette.requests import Request


class Token(msgspec.Struct, frozen=True):
    """What ttyd's page puts into its hello."""

    token: str


async def token(_request: Request) -> Token:
    # A client that may ask has credentials, and the handshake will carry them, too.
    return Token("")


OPERATIONS = (
    Operation("GET", "/token", token, "What ttyd's page asks for before it connects; contains no token", Token),
)
