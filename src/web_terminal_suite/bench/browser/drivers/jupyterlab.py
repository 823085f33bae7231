"""JupyterLab's page: a terminal started from the launcher, in a workspace of its own; its server keeps it until told.

The application must be within reach of scripts (``--LabApp.expose_app_in_browser=True``), since xterm.js draws on a
canvas here and is in no variable of the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from web_terminal_suite.bench.browser.drivers.driver import PageDriver, xterm_text
from web_terminal_suite.bench.browser.errors import PageFailed, explained
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from playwright.async_api import Page

    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.terminals.terminal import Running

_TERMINAL: Final = "window.jupyterapp.shell.currentWidget.content"


class JupyterLabPage(PageDriver):
    name = "jupyterlab"
    text = xterm_text(f"{_TERMINAL}._term")

    def url(self, running: Running) -> str:
        address = running.addresses[0]
        token = f"&token={quote(address.token)}" if address.token else ""
        scheme = "https" if address.secure else "http"
        return f"{scheme}://{address.authority}{address.base}/lab/workspaces/web-terminal-bench?reset{token}"

    async def log_in(self, page: Page, running: Running) -> None:
        launcher = page.locator(".jp-LauncherCard[data-category=Other]").filter(has_text="Terminal")
        await page.locator(".jp-LauncherCard, input[type=password]").first.wait_for()
        if await page.locator("input[type=password]").count():
            raise PageFailed(
                "JupyterLab asks for a password or token; put it into the URL (#token=...) or into --token"
            )
        if not await page.evaluate("'jupyterapp' in window"):
            raise PageFailed("JupyterLab's page keeps to itself; start it with --LabApp.expose_app_in_browser=True")
        await launcher.click()

    async def focus(self, page: Page) -> None:
        await page.locator(".xterm-helper-textarea").focus()

    async def end(self, tab: Tab, running: Running) -> None:
        with explained("JupyterLab's terminal ended", WAIT_SECONDS):
            await tab.page.evaluate(f"async () => {{ await {_TERMINAL}?.session?.shutdown(); }}")
