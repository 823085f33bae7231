"""Our own page: the token in the fragment, a session that outlives its tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.browser.drivers.driver import PageDriver
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.terminals.terminal import Running


class WebTerminalPage(PageDriver):
    name = "web-terminal"
    text = (
        "() => { if (document.documentElement.dataset.state !== 'connected') throw new Error('not connected'); "
        "return webTerminal.text(); }"
    )

    def url(self, running: Running) -> str:
        address = running.addresses[0]
        scheme = "https" if address.secure else "http"
        return f"{scheme}://{address.authority}{address.base}/#token={address.token}"

    async def open(self, tab: Tab, running: Running) -> None:
        await super().open(tab, running)
        with explained("session named by the page", WAIT_SECONDS):
            tab.session = str(await tab.page.evaluate("document.documentElement.dataset.session"))

    async def end(self, tab: Tab, running: Running) -> None:
        if tab.session:
            async with running.rest() as api:
                await api.request("DELETE", f"/sessions/{tab.session}")
