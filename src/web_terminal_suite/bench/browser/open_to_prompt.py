"""Benchmark ``open_to_prompt``: a page's address opened, until the shell's prompt is displayed."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult
from web_terminal_suite.bench.browser import chromium, tab
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.regions import drawn, first_cell
from web_terminal_suite.bench.browser.visit import Visit
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Point, Sample, Target
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation

REQUESTS: Final = "requests"
RECEIVED: Final = "bytes of page received"


class Traffic:
    """What one opening asked for and received, from the browser's own network events. Pure."""

    def __init__(self) -> None:
        self.requests = 0
        self.received_bytes = 0
        self.loaded_ns = 0
        self.connected_ns = 0

    def request(self, _: dict[str, Any]) -> None:
        self.requests += 1

    def finished(self, event: dict[str, Any]) -> None:
        self.received_bytes += int(event["encodedDataLength"])

    def loaded(self, event: dict[str, Any]) -> None:
        self.loaded_ns = _ns(event)

    def connected(self, event: dict[str, Any]) -> None:
        self.connected_ns = _ns(event)

    @property
    def marks(self) -> dict[str, int]:
        return {name: at for name, at in (("loaded", self.loaded_ns), ("connected", self.connected_ns)) if at}

    @property
    def points(self) -> tuple[Point, ...]:
        return (Point(REQUESTS, 0, self.requests), Point(RECEIVED, 0, self.received_bytes))


_EVENTS: Final = {
    "Network.requestWillBeSent": Traffic.request,
    "Network.webSocketCreated": Traffic.request,
    "Network.loadingFinished": Traffic.finished,
    "Page.loadEventFired": Traffic.loaded,
    "Network.webSocketHandshakeResponseReceived": Traffic.connected,
}


def _ns(event: dict[str, Any]) -> int:
    """Chromium stamps these events in seconds of the clock that its traces are on."""
    return round(float(event["timestamp"]) * 1e9)


@asynccontextmanager
async def _open_to_prompt(context: BenchmarkContext) -> AsyncIterator[Operation]:
    driver = DRIVERS[context.running.terminal.page]
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium.started())
        earlier = None
        if context.parameter == "warm":
            earlier = await stack.enter_async_context(tab.opened(browser))
            await driver.open(earlier, context.running)
            await driver.end(earlier, context.running)

        async def operate() -> OperationResult:
            async with tab.opened_next_to(earlier) if earlier else tab.opened(browser) as page:
                return await opening(context, Visit(browser, driver, page))

        yield operate


async def opening(context: BenchmarkContext, visited: Visit) -> OperationResult:
    """The operation, in a tab that shows nothing; what was opened is ended.

    Raises:
        TimedOut, PageFailed
    """
    page, traffic = visited.tab.page, Traffic()
    with explained("traffic of the page", tab.WAIT_SECONDS):
        session = await page.context.new_cdp_session(page)
        for name, take in _EVENTS.items():
            session.on(name, partial(take, traffic))
        await session.send("Network.enable")
        await session.send("Page.enable")
    try:
        async with visited.tab.traced(pictures=True) as trace:
            sent_ns = now_ns()
            await visited.driver.open(visited.tab, context.running)
            found_ns = now_ns()
            region = await first_cell(page)
            await visited.draw_again()
        seen_ns = (await drawn(visited.browser, trace, region, sent_ns, found_ns)).seen_ns
        opened = Sample(due_ns=sent_ns, sent_ns=sent_ns, seen_ns=seen_ns, marks=traffic.marks)
        return OperationResult((opened,), traffic.points)
    finally:
        await visited.driver.end(visited.tab, context.running)


BENCHMARK: Final = Benchmark(
    id="browser/open_to_prompt",
    description=(
        "A terminal's address opened in a browser, until the frame is displayed that has the shell's prompt: without "
        "anything kept of an earlier visit, or with what the browser keeps of one."
    ),
    limitations=(
        "Not a browser that starts. A picture is taken of each frame, which costs some milliseconds a frame. What "
        "comes through a WebSocket is not in the bytes."
    ),
    prepare=_open_to_prompt,
    needs=frozenset({Capability.PAGE, Capability.SHELL}),
    parameters=("cold", "warm"),
    metrics=(
        Metric(
            name="latency",
            targets={"*": Target(statistic="p50", goal=500e6, text="goal: p50 < 500 ms")},
        ),
        Metric(name="to page loaded", mark="loaded"),
        Metric(name="to socket open", mark="connected"),
        Metric(name=REQUESTS, kind="level", unit="", exact=True),
        Metric(name=RECEIVED, kind="level", unit="B"),
    ),
    repeats=10,
    min_operations=10,
    quick=("cold",),
    full=("warm",),
)

BENCHMARKS: Final = on_bare_page(BENCHMARK)
