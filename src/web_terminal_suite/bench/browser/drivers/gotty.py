"""gotty's page: xterm.js that the page keeps to itself, so it is read off the elements that it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.browser.drivers.driver import DRAWN_TEXT, PageDriver, http_url

if TYPE_CHECKING:
    from playwright.async_api import Page

    from web_terminal_suite.bench.terminals.terminal import Running


class GottyPage(PageDriver):
    name = "gotty"
    text = DRAWN_TEXT

    def url(self, running: Running) -> str:
        return http_url(running)

    async def focus(self, page: Page) -> None:
        await page.locator(".xterm-helper-textarea").focus()
