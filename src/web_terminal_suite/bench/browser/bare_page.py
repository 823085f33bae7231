"""xterm.js alone on a server without a shell: the floor of what pages of terminals draw.

It is the xterm.js of our own page, built with it, on a socket that carries bytes as they are.
"""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.drivers.driver import PageDriver, xterm_text
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.processes import started
from web_terminal_suite.bench.terminals.terminal import Capability, Role, Running, Terminal
from web_terminal_suite.client.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

PAGE: Final = Path(__file__).parent / "page"
"""Built from ``frontend/bare``."""

_READY_SECONDS = 20.0


class BarePage(Terminal):
    """The page as a floor: what xterm.js and the browser need, without a terminal's own page and server."""

    name = "bare-xterm"
    role: Role = "floor"
    page = "bare-xterm"
    capabilities = frozenset({Capability.PAGE, Capability.BARE_PAGE, Capability.PROCESSES})

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "web_terminal_suite.bench.browser.bare_server")

    def missing(self) -> str:
        return "" if (PAGE / "index.html").exists() else "the bare page was not built; npm run build in frontend/"

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version="",
            role=self.role,
            command=self.command,
            capabilities=tuple(sorted(self.capabilities)),
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with started(self.command, dict(os.environ)) as process:
            ports = (await process.line("", _READY_SECONDS)).split()
            yield Running(self, tuple(Address("127.0.0.1", int(port)) for port in ports), process)


class BarePageDriver(PageDriver):
    name = "bare-xterm"
    text = xterm_text("window.terminal")

    def url(self, running: Running) -> str:
        page, socket = running.addresses
        return f"http://{page.authority}/#{socket.port}"

    async def focus(self, page: Page) -> None:
        await page.evaluate("window.terminal.focus()")
