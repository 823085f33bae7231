"""What ttyd's page asks for over HTTP."""

from __future__ import annotations

import msgspec
from litestar import get


class Token(msgspec.Struct, frozen=True):
    """What ttyd's page puts into its hello."""

    token: str


@get("/token", summary="What ttyd's page asks for before it connects; holds no token")
async def token() -> Token:
    # Whoever may ask has credentials that the handshake will carry, too.
    return Token("")


HANDLERS = [token]
