"""wetty's page: xterm.js as ``window.wetty_term``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.browser.drivers.driver import PageDriver, http_url, xterm_text

if TYPE_CHECKING:
    from playwright.async_api import Page

    from web_terminal_suite.bench.terminals.terminal import Running


class WettyPage(PageDriver):
    name = "wetty"
    text = xterm_text("window.wetty_term")

    def url(self, running: Running) -> str:
        return http_url(running)

    async def focus(self, page: Page) -> None:
        await page.evaluate("window.wetty_term.focus()")
