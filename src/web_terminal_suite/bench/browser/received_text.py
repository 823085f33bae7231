"""What a page's WebSockets received, as text: how a terminal is read whose page keeps it to itself."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from playwright.async_api import Page, WebSocket

_KEPT: Final = 1 << 16
"""Characters; a screen has fewer."""

_FRAMED: Final = re.compile(r"\d*(?=[\[{\"])")
"""What socket.io has before its JSON."""


def text_of(payload: str | bytes) -> str:
    """The text in one frame: as it is, as the strings of its JSON, or out of base64 after a letter for its kind."""
    if isinstance(payload, bytes):
        return payload.decode(errors="replace")
    if framed := _FRAMED.match(payload):
        try:
            return "".join(_strings(msgspec.json.decode(payload[framed.end() :])))
        except msgspec.DecodeError:
            return payload
    try:
        return payload + base64.b64decode(payload[1:], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return payload


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for child in children for each in _strings(child)]


class ReceivedText:
    """Collects what the WebSockets of a page receive while it listens, the last of it."""

    def __init__(self, page: Page) -> None:
        """Begin to listen; the page must not be loaded yet."""
        self.text = ""
        self._is_listening = True
        page.on("websocket", self._opened)

    def listen(self) -> None:
        """Forget what there is, and collect what comes."""
        self.text = ""
        self._is_listening = True

    def stop(self) -> None:
        """Collect nothing, so that a measurement has no more work from it."""
        self._is_listening = False

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, payload: str | bytes) -> None:
        if self._is_listening:
            self.text = (self.text + text_of(payload))[-_KEPT:]
