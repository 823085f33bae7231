"""The browser: found, started without a past, kept for a whole run, and ended with everything it started."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.errors import BrowserMissing, PageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from web_terminal_suite.bench.browser.facts import BrowserFacts

PROGRAM_VARIABLE: Final = "WEB_TERMINAL_BENCH_CHROMIUM"
"""Names the browser to use in place of the one that is found."""

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without the sandbox it starts as root and in containers; the others keep it from work of its own. What is drawn, and
# how often, is left as people have it.
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_UNLIMITED: Final = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
_START_SECONDS: Final = 60.0


def find_chromium() -> str:
    """The path of the Chromium that is used.

    Raises:
        BrowserMissing: there is none, or no Playwright to drive it.
    """
    if find_spec("playwright") is None:
        raise BrowserMissing("the suite browser needs Playwright; pip install 'web-terminal-suite[browser]'")
    named = os.environ.get(PROGRAM_VARIABLE)
    if named:
        if shutil.which(named) is None:
            raise BrowserMissing(f"{PROGRAM_VARIABLE} is {named}, which is not a program")
        return named
    found = next((path for name in _NAMES if (path := shutil.which(name))), "") or _of_playwright()
    if not found:
        raise BrowserMissing(
            "the suite browser needs Chromium; apt-get install chromium, or playwright install chromium, or name it in "
            f"{PROGRAM_VARIABLE}"
        )
    return found


def _of_playwright() -> str:
    """The Chromium that ``playwright install`` put into its cache, empty where there is none."""
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = sorted(cache.glob("chromium-*/chrome-linux*/chrome"))
    return str(found[-1]) if found else ""


class KeptBrowsers:
    """The browsers of a run, one process for each frame rate. Made by ``kept``."""

    def __init__(self, facts: BrowserFacts, stack: AsyncExitStack) -> None:
        """``stack`` ends what is started; ``facts`` are filled as browsers start and pages open."""
        self.facts = facts
        self._stack = stack
        self._browsers: dict[bool, Browser] = {}
        self._scratch: dict[Browser, Page] = {}

    async def browser(self, unlimited: bool) -> Browser:
        """The one with this frame rate; started when first asked for, and again if it died.

        Raises:
            BrowserMissing, PageFailed
        """
        found = self._browsers.get(unlimited)
        if found is None or not found.is_connected():
            found = await self._stack.enter_async_context(_launched(unlimited))
            self._browsers[unlimited] = found
            await self.facts.read(found, unlimited)
        return found

    async def scratch_page(self, browser: Browser) -> Page:
        """An empty page of the browser, the same each time."""
        page = self._scratch.get(browser)
        if page is None or page.is_closed():
            page = self._scratch[browser] = await browser.new_page()
        return page


_KEPT: ContextVar[KeptBrowsers | None] = ContextVar("kept browsers", default=None)


@asynccontextmanager
async def kept(facts: BrowserFacts) -> AsyncIterator[None]:
    """Have everything in the block use the same browser processes, and note in ``facts`` what they are.

    A page in a context of its own shares no cache, cookie or renderer process with another context's, so trials stay
    apart while the browser is started once.
    """
    async with AsyncExitStack() as stack:
        token = _KEPT.set(KeptBrowsers(facts, stack))
        try:
            yield
        finally:
            _KEPT.reset(token)


@asynccontextmanager
async def started(*, unlimited: bool = False) -> AsyncIterator[Browser]:
    """The run's browser within ``kept``, else one without a past that is ended with the block.

    Args:
        unlimited: draw frames as fast as they can be made, in place of 60 a second.

    Raises:
        BrowserMissing
        PageFailed: it does not start.
    """
    browsers = _KEPT.get()
    if browsers is not None:
        yield await browsers.browser(unlimited)
        return
    async with _launched(unlimited) as browser:
        yield browser


def note_page(terminal: str, renderer: str) -> None:
    """Note how a terminal's page draws, where a run keeps facts of its browser."""
    browsers = _KEPT.get()
    if browsers is not None:
        browsers.facts.renderers[terminal] = renderer


@asynccontextmanager
async def scratch_page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page to compute in, the run's within ``kept``, else one that is closed with the block."""
    browsers = _KEPT.get()
    if browsers is not None:
        yield await browsers.scratch_page(browser)
        return
    page = await browser.new_page()
    try:
        yield page
    finally:
        await page.close()


@asynccontextmanager
async def _launched(unlimited: bool) -> AsyncIterator[Browser]:
    program = find_chromium()
    from playwright.async_api import Error, async_playwright

    with tempfile.TemporaryDirectory(prefix="web-terminal-bench-") as home:
        async with async_playwright() as playwright:
            try:
                browser = await playwright.chromium.launch(
                    executable_path=program,
                    args=[*_FLAGS, *(_UNLIMITED if unlimited else ())],
                    env={**os.environ, "HOME": home},
                    timeout=_START_SECONDS * 1000,
                )
            except Error as error:
                raise PageFailed(f"{program} does not start: {error.message.partition(chr(10))[0]}") from error
            try:
                yield browser
            finally:
                await browser.close()
