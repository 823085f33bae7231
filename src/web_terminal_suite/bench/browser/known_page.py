"""A page that draws one character for each key, without a terminal: a floor, and late by a known time where it is told.

Its address says how late it draws: ``#late=40ms`` by a timer, ``#late=2f`` by frames; without that it draws at once.
With ``#timed`` it also takes the time of each key itself, up to the task after the frame, which needs no trace.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.drivers.driver import PageDriver
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.terminal import Capability, Role, Running, Terminal
from web_terminal_suite.client.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE: Final = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>One character</title>
<style>body { margin: 8px; background: #111; color: #eee; } pre { font: 16px/1.2 monospace; }</style>
<pre id="screen"></pre>
<script>
  const screen = document.getElementById('screen');
  const [, late, unit] = /late=(\\d+)(ms|f)/.exec(location.hash) ?? ['', '0', 'ms'];
  function afterFrames(left, draw) {
    if (left === 0) draw();
    else requestAnimationFrame(() => afterFrames(left - 1, draw));
  }
  window.took = [];
  function afterFrame(done) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    requestAnimationFrame(() => port2.postMessage(0));
  }
  addEventListener('keydown', (event) => {
    const draw = () => { screen.textContent = event.key === 'Enter' ? '' : screen.textContent + event.key; };
    if (location.hash === '#timed') afterFrame(() => took.push(performance.now() - event.timeStamp));
    if (event.key.length > 1 && event.key !== 'Enter') return;
    if (late === '0') draw();
    else if (unit === 'ms') {
      // A timer has whole milliseconds and fires late; the rest is waited for exactly.
      const due = performance.now() + Number(late);
      setTimeout(() => { while (performance.now() < due); draw(); }, Number(late) - 3);
    }
    // The first animation frame is the one that draws at once.
    else afterFrames(Number(late) + 1, draw);
  });
</script>
</html>
"""
_HEAD: Final = (
    b"HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
)


@asynccontextmanager
async def served() -> AsyncIterator[Address]:
    """The page on a free port of the loopback, for the length of the block."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            is_page = head.startswith(b"GET / ")
            body = PAGE if is_page else b""
            writer.write(_HEAD % (b"200 OK" if is_page else b"404 Not Found", len(body)) + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a browser opens connections that it does not use
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])


class CharacterPage(Terminal):
    """The page as a floor: what the browser alone needs from a key to a frame."""

    name = "character-page"
    role: Role = "floor"
    page = "character-page"
    capabilities = frozenset({Capability.PAGE, Capability.NO_SHELL})

    def facts(self) -> TerminalFacts:
        return TerminalFacts(name=self.name, version="", role=self.role, capabilities=tuple(sorted(self.capabilities)))

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with served() as address:
            yield Running(self, (address,))


class CharacterPageDriver(PageDriver):
    name = "character-page"
    text = "() => document.readyState"
    has_shell = False
    has_socket = False

    def __init__(self, late: str = "") -> None:
        """``late`` as the page's address has it, or ``timed``."""
        self._fragment = late if late in ("", "timed") else f"late={late}"

    def url(self, running: Running) -> str:
        address = running.addresses[0]
        return f"http://{address.authority}/" + (f"#{self._fragment}" if self._fragment else "")
