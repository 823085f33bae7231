"""One page in a context of its own: real keys, traces of what it did, and what went wrong in it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.browser.clock import check
from web_terminal_suite.bench.browser.errors import PageFailed, explained
from web_terminal_suite.bench.browser.trace import CATEGORIES, PICTURES, Trace, page_trace
from web_terminal_suite.bench.clock import now_ns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, BrowserContext, CDPSession, Dialog, Page

    from web_terminal_suite.bench.browser.received_text import ReceivedText

WAIT_SECONDS: Final = 20.0
"""A guard of every wait in a page."""

VIEWPORT: Final = (1000, 600)
"""Pixels; a terminal has some 100 columns and 30 rows in it."""

DEVICE_SCALE: Final = 1
"""Pixels of the screen for one of the page."""

_MARK: Final = "web-terminal-bench"


class Tab:
    """A page of a terminal. Made by ``opened``."""

    def __init__(self, page: Page, session: CDPSession, frame_id: str) -> None:
        self.page = page
        self.session = ""
        """Of the terminal, where it must be named to be ended."""
        self.received: ReceivedText | None = None
        """What the page's WebSockets received, where its driver reads that."""
        self._cdp = session
        self._frame_id = frame_id
        self._problems: list[str] = []
        page.on("crash", lambda _: self._problems.append("the tab crashed"))
        page.on("dialog", self._refuse)

    async def press(self, key: str) -> None:
        """Press and release a key, through the browser's own input path."""
        with explained(f"key {key!r} taken by the page", WAIT_SECONDS):
            await self.page.keyboard.press(key)
        self.check()

    async def type_line(self, line: str) -> None:
        """Type a line and Enter; not timed."""
        if self.received is not None:
            self.received.listen()
        with explained("line taken by the page", WAIT_SECONDS):
            await self.page.keyboard.type(line)
            await self.page.keyboard.press("Enter")
        self.check()

    async def busy_ns(self) -> int:
        """For how long the page's main thread has been in tasks so far.

        Raises:
            TimedOut, PageFailed
        """
        with explained("figures of the page", WAIT_SECONDS):
            await self._cdp.send("Performance.enable")
            found = await self._cdp.send("Performance.getMetrics")
        seconds = next(float(each["value"]) for each in found["metrics"] if each["name"] == "TaskDuration")
        return round(seconds * 1e9)

    def check(self) -> None:
        """Raise what went wrong in the page meanwhile.

        Raises:
            PageFailed
        """
        if self._problems:
            raise PageFailed(self._problems[0])

    @asynccontextmanager
    async def traced(self, *, pictures: bool = False, slim: bool = False) -> AsyncIterator[Trace]:
        """Trace the page for the length of the block; the trace is filled when the block is over.

        Args:
            pictures: each displayed frame as a picture.
            slim: nothing but those, where a whole trace of the browser would take minutes.

        Raises:
            ClockWrong: the trace is not on this process' clock.
            TimedOut, PageFailed
        """
        events: list[dict[str, Any]] = []
        ended = asyncio.Event()

        def collect(message: dict[str, Any]) -> None:
            events.extend(message["value"])

        def end(_: dict[str, Any]) -> None:
            ended.set()

        self._cdp.on("Tracing.dataCollected", collect)
        self._cdp.on("Tracing.tracingComplete", end)
        categories = [*(() if slim else CATEGORIES), *((PICTURES,) if pictures else ())]
        trace = Trace()
        try:
            with explained("trace begun", WAIT_SECONDS):
                await self._cdp.send(
                    "Tracing.start",
                    {"traceConfig": {"includedCategories": categories}, "transferMode": "ReportEvents"},
                )
                before_ns = now_ns()
                await self.page.evaluate(f"performance.mark('{_MARK}')")
                after_ns = now_ns()
            yield trace
            with explained("trace ended", WAIT_SECONDS):
                await self._cdp.send("Tracing.end")
            async with asyncio.timeout(WAIT_SECONDS):
                await ended.wait()
        except TimeoutError as error:
            raise PageFailed(f"the browser gave no trace within {WAIT_SECONDS:g} s") from error
        finally:
            self._cdp.remove_listener("Tracing.dataCollected", collect)
            self._cdp.remove_listener("Tracing.tracingComplete", end)
        vars(trace).update(vars(page_trace(events, self._frame_id, before_ns)))
        if not slim:
            check([each for each in trace.marks if each.name == _MARK], before_ns, after_ns)
        self.check()

    async def _refuse(self, dialog: Dialog) -> None:
        self._problems.append(f"the page opened a dialog: {dialog.type}: {dialog.message[:80]!r}")
        await dialog.dismiss()


@asynccontextmanager
async def opened(browser: Browser, *, init_scripts: Sequence[str] = ()) -> AsyncIterator[Tab]:
    """An empty tab in a context of its own, whose connections are closed with the block.

    Args:
        init_scripts: run in the page before its own; a benchmark that has any says so.
    """
    width, height = VIEWPORT
    with explained("tab opened", WAIT_SECONDS):
        context = await browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=DEVICE_SCALE, locale="en-US"
        )
    try:
        with explained("tab opened", WAIT_SECONDS):
            tab = await _tab(context, init_scripts)
        yield tab
    finally:
        await context.close()


@asynccontextmanager
async def opened_next_to(other: Tab) -> AsyncIterator[Tab]:
    """An empty tab that shares cache and cookies with another one."""
    with explained("tab opened", WAIT_SECONDS):
        tab = await _tab(other.page.context, ())
    try:
        yield tab
    finally:
        await tab.page.close()


async def _tab(context: BrowserContext, init_scripts: Sequence[str]) -> Tab:
    context.set_default_timeout(WAIT_SECONDS * 1000)
    for script in init_scripts:
        await context.add_init_script(script)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    tree = await session.send("Page.getFrameTree")
    return Tab(page, session, tree["frameTree"]["frame"]["id"])
