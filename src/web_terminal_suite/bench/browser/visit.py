"""A terminal's page as a benchmark has it: open in a browser, at a prompt, until the end of the block."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.browser import chromium, tab
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.clock import now_ns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.bench.browser.drivers.driver import PageDriver
    from web_terminal_suite.bench.browser.tab import Tab

REST_SECONDS: Final = 0.2
"""A page is left alone for this long, so that the next operation begins at rest."""

_RARELY_MS: Final = 100
# The last of them takes back the others.
_FURTHER_KEYS: Final = ("y", "y", "y", "Control+u")
_NO_ANIMATION_SECONDS: Final = 0.35


class Visit(NamedTuple):
    """An open page, its driver, and the browser that it is in."""

    browser: Browser
    driver: PageDriver
    tab: Tab

    async def run(self, context: BenchmarkContext, line: str) -> None:
        """Run a line in the page's shell, until it is over and the page is at rest.

        Raises:
            TimedOut, PageFailed
        """
        marker = context.markers.fresh()
        await self.tab.type_line(f"{line}; {marker.command}")
        await self.driver.until_text(self.tab, marker.seen.decode())
        await asyncio.sleep(REST_SECONDS)

    async def until_first_row(self, text: str, limit_seconds: float) -> int:
        """When the first row of the screen was found to have ``text``, ns; asks rarely, and for little.

        Raises:
            TimedOut, PageFailed
        """
        seen = (
            "(text) => { const rows = document.querySelector('.xterm-rows'); "
            f"const shown = rows?.firstElementChild ? rows.firstElementChild.textContent : ({self.driver.text})(); "
            "return shown.includes(text); }"
        )
        with explained(f"{text!r} on the page", limit_seconds):
            await self.tab.page.wait_for_function(seen, arg=text, polling=_RARELY_MS, timeout=limit_seconds * 1000)
        found_ns = now_ns()
        self.tab.check()
        return found_ns

    async def draw_again(self) -> None:
        """Have the page draw some further frames, of keys: the last picture of a page at rest may be missing.

        While much of a page changes, Chromium takes no picture of a frame that changes little (see
        ``media/capture/content/animated_content_sampler.h``), so a pause comes first.

        Raises:
            TimedOut, PageFailed
        """
        await asyncio.sleep(_NO_ANIMATION_SECONDS)  # nothing announces that the browser sees none any more
        for key in _FURTHER_KEYS:
            await self.tab.press(key)
            await asyncio.sleep(REST_SECONDS / len(_FURTHER_KEYS))  # several frames long


@asynccontextmanager
async def visit(context: BenchmarkContext) -> AsyncIterator[Visit]:
    """The page of the terminal that is measured.

    Raises:
        BrowserMissing, TimedOut, PageFailed
    """
    driver = DRIVERS[context.running.terminal.page]
    async with chromium.started() as browser, visit_in(browser, driver, context) as visited:
        yield visited


@asynccontextmanager
async def visit_in(browser: Browser, driver: PageDriver, context: BenchmarkContext) -> AsyncIterator[Visit]:
    """As ``visit``, one more page in a browser that runs.

    Raises:
        TimedOut, PageFailed
    """
    async with tab.opened(browser) as page:
        try:
            await driver.open(page, context.running)
            yield Visit(browser, driver, page)
        finally:
            await driver.end(page, context.running)
