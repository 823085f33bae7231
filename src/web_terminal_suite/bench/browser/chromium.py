"""The browser: found, started without a past, and ended with everything it started."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.errors import BrowserMissing, PageFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

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


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """A browser without a past, ended with the block.

    Raises:
        BrowserMissing
        PageFailed: it does not start.
    """
    program = find_chromium()
    from playwright.async_api import Error, async_playwright

    with tempfile.TemporaryDirectory(prefix="web-terminal-bench-") as home:
        async with async_playwright() as playwright:
            try:
                browser = await playwright.chromium.launch(
                    executable_path=program,
                    args=list(_FLAGS),
                    env={**os.environ, "HOME": home},
                    timeout=_START_SECONDS * 1000,
                )
            except Error as error:
                raise PageFailed(f"{program} does not start: {error.message.partition(chr(10))[0]}") from error
            try:
                yield browser
            finally:
                await browser.close()
