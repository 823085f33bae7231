"""What the suite must know of a terminal's page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote

from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.facts import renderer_of
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from playwright.async_api import Page

    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.terminals.terminal import Running

DRAWN_TEXT: Final = "() => document.querySelector('.xterm-rows').innerText"
"""What xterm.js draws with elements, for a page that keeps its terminal to itself."""


PROMPT_ENDS: Final = ("$", "#", "%", ">", "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}")
"""Of shells: POSIX's, root's, zsh's, fish's, and that of common themes."""


def xterm_text(terminal: str) -> str:
    """A JavaScript function that gives the text on the screen of an xterm.js ``terminal``, an expression."""
    return (
        f"() => {{ const {{ active }} = {terminal}.buffer; const lines = []; "
        "for (let at = active.viewportY; at < active.length; at++) lines.push(active.getLine(at).translateToString()); "
        "return lines.join('\\n'); }"
    )


def http_url(running: Running) -> str:
    """Where the server's page is, with user and password where its address has them."""
    address = running.addresses[0]
    user, colon, password = address.token.partition(":")
    login = f"{quote(user)}:{quote(password)}@" if colon else ""
    return f"{'https' if address.secure else 'http'}://{login}{address.authority}{address.base}/"


class PageDriver(ABC):
    """One terminal's page. Holds nothing: one object serves every tab."""

    name: ClassVar[str]
    """As ``Terminal.page`` has it."""
    has_shell: ClassVar[bool] = True
    """Whether what is typed reaches a shell."""
    has_socket: ClassVar[bool] = True
    """Whether keys travel through a WebSocket."""

    @abstractmethod
    def url(self, running: Running) -> str:
        """The page's address, with what logs in where an address can hold that."""

    @property
    @abstractmethod
    def text(self) -> str:
        """A JavaScript function that gives what is on the screen as text; it may throw before the page is ready."""

    async def log_in(self, page: Page, running: Running) -> None:
        """Log in where the address does not; the page is loaded."""
        return

    async def focus(self, page: Page) -> None:
        """Have keys go to the terminal, as a person does by a click where the page does not do it by itself."""
        return

    async def end(self, tab: Tab, running: Running) -> None:
        """End the page's session where that does not end with its connection."""
        return

    async def open(self, tab: Tab, running: Running) -> None:
        """Open the page, until there is a prompt and keys go to the terminal.

        Raises:
            TimedOut, PageFailed
        """
        with explained("page loaded", WAIT_SECONDS):
            await tab.page.goto(self.url(running), wait_until="load")
        with explained("login", WAIT_SECONDS):
            await self.log_in(tab.page, running)
        await self.until_prompt(tab)
        with explained("focus", WAIT_SECONDS):
            await self.focus(tab.page)
            chromium.note_page(running.terminal.name, await renderer_of(tab.page))

    async def until_prompt(self, tab: Tab) -> None:
        """Return once what is on the screen ends as a shell's prompt does, or once the page is there without a shell.

        Raises:
            TimedOut, PageFailed
        """
        is_ready = "ends.some((end) => text.trimEnd().endsWith(end))" if self.has_shell else "true"
        seen = f"(ends) => {{ try {{ const text = ({self.text})(); return {is_ready}; }} catch {{ return false; }} }}"
        with explained("prompt on the page" if self.has_shell else "page ready", WAIT_SECONDS):
            await tab.page.wait_for_function(seen, arg=list(PROMPT_ENDS), polling=20)
        tab.check()

    async def until_text(self, tab: Tab, text: str) -> None:
        """Return once the screen has ``text``.

        Raises:
            TimedOut, PageFailed
        """
        # Not polled at each frame, which would have the page draw for it.
        seen = f"(text) => {{ try {{ return ({self.text})().includes(text); }} catch {{ return false; }} }}"
        with explained(f"{text!r} on the page", WAIT_SECONDS):
            await tab.page.wait_for_function(seen, arg=text, polling=20)
        tab.check()
