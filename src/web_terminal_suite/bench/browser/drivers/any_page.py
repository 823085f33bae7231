"""Anybody's page, known by its URL alone: typed into where a person would, read off its elements and its WebSockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.drivers.driver import PageDriver
from web_terminal_suite.bench.browser.errors import PageFailed, explained
from web_terminal_suite.bench.browser.facts import renderer_of
from web_terminal_suite.bench.browser.received_text import ReceivedText
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.terminals.terminal import Running

_KEYBOARD: Final = ".xterm-helper-textarea"
_PASSWORD: Final = "input[type=password]"
_POLL_SECONDS: Final = 0.02


class AnyPage(PageDriver):
    name = "any page"
    text = "() => document.body.innerText"

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        """``wait_seconds`` is how long a terminal may take to be there, and typed text to be echoed."""
        self._wait_seconds = wait_seconds

    def url(self, running: Running) -> str:
        parts = urlsplit(running.terminal.page_url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{running.addresses[0].authority}"))

    async def open(self, tab: Tab, running: Running) -> None:
        tab.received = ReceivedText(tab.page)
        with explained("page loaded", WAIT_SECONDS):
            await tab.page.goto(self.url(running), wait_until="load")
        await self._until_terminal(tab)
        with explained("focus", WAIT_SECONDS):
            await self.focus(tab.page)
            chromium.note_page(running.terminal.name, await renderer_of(tab.page))

    async def focus(self, page: Page) -> None:
        for frame in page.frames:
            keyboard = frame.locator(_KEYBOARD)
            if await keyboard.count():
                await keyboard.first.focus()
                return

    async def until_text(self, tab: Tab, text: str) -> None:
        if not await self._comes(tab, text):
            raise PageFailed(
                f"what was typed was not echoed within {self._wait_seconds:g} s: neither the page's elements nor its "
                f"WebSockets have {text!r}; {await _shown(tab.page)}"
            )

    async def _until_terminal(self, tab: Tab) -> None:
        """Return once there is an xterm.js with output.

        Raises:
            PageFailed: what the page shows in place of it.
        """
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while True:
            with explained("page ready", WAIT_SECONDS):
                frames = tab.page.frames
                has_keyboard = any([await each.locator(_KEYBOARD).count() for each in frames])
                asks = any([await each.locator(_PASSWORD).count() for each in frames])
            tab.check()
            if has_keyboard and await self._has_output(tab):
                return
            if asks or asyncio.get_running_loop().time() > deadline:
                raise PageFailed(await _why_not(tab.page, self._wait_seconds, has_keyboard=has_keyboard, asks=asks))
            await asyncio.sleep(_POLL_SECONDS)  # a page that is ready says so in no way that all share

    async def _has_output(self, tab: Tab) -> bool:
        drawn = [await _rows(each) for each in tab.page.frames]
        return any(each.strip() for each in drawn) or bool(tab.received and tab.received.text.strip())

    async def _comes(self, tab: Tab, text: str) -> bool:
        deadline = asyncio.get_running_loop().time() + self._wait_seconds
        while asyncio.get_running_loop().time() < deadline:
            received = tab.received.text if tab.received else ""
            if text in received or any([text in await _rows(each) for each in tab.page.frames]):
                if tab.received:
                    tab.received.stop()
                return True
            tab.check()
            await asyncio.sleep(_POLL_SECONDS)  # as above
        return False


async def _rows(frame: Frame) -> str:
    """What an xterm.js in the frame draws with elements."""
    return str(await frame.evaluate("() => document.querySelector('.xterm-rows')?.innerText ?? ''"))


async def _why_not(page: Page, waited_seconds: float, *, has_keyboard: bool, asks: bool) -> str:
    if asks:
        return (
            f"the page asks for a password ({await _shown(page)}); only a URL that logs in can be measured: "
            "user:password@ before the host, or a token where the page takes one"
        )
    if has_keyboard:
        return f"the page's terminal shows nothing within {waited_seconds:g} s ({await _shown(page)})"
    return (
        f"no xterm.js on the page within {waited_seconds:g} s ({await _shown(page)}); a page whose terminal has to be "
        "opened by hand, or that has another terminal, needs a driver of its own (see CONTRIBUTING.md)"
    )


async def _shown(page: Page) -> str:
    """The page in a few words."""
    text = " ".join(str(await page.evaluate("() => document.body.innerText")).split())
    return f"{await page.title()!r} at {urlsplit(page.url).path or '/'} shows {text[:80]!r}"
