"""Where a server is, out of the URL that ``serve`` prints or the one of its WebSocket."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit


class Address(NamedTuple):
    """``base`` is the path everything lies under, without a slash at its end; ``token`` may be empty."""

    host: str
    port: int
    secure: bool = False
    base: str = ""
    token: str = ""

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def websocket(self, path: str) -> str:
        """The URL of a WebSocket at ``path`` under the base."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{self.base}{path}"


def parse_address(url: str, token: str = "") -> Address:
    """The address in ``http://127.0.0.1:7681/#token=...`` or ``ws://127.0.0.1:7681/ws``.

    ``token`` goes before one in the URL; ``user:password@`` there is one too.

    Raises:
        ValueError: not such a URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss"):
        raise ValueError(f"{url!r} is not a URL of a terminal: it must begin with http://, https://, ws:// or wss://")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host")
    try:
        port = parts.port
    except ValueError:
        named = parts.netloc.rpartition("@")[2]
        raise ValueError(f"the port of {named!r} is not a number from 0 to 65535") from None
    secure = parts.scheme in ("https", "wss")
    path = parts.path.removesuffix("/ws") if parts.scheme in ("ws", "wss") else parts.path
    found = parse_qs(parts.fragment).get("token", [""])[0]
    if not found and parts.username is not None:
        found = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Address(parts.hostname, port or (443 if secure else 80), secure, path.rstrip("/"), token or found)
