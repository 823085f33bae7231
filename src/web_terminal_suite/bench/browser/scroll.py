"""Benchmark ``scroll``: a wheel turned over ten thousand lines, until they are displayed elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult
from web_terminal_suite.bench.browser import frame_rhythm
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.outputs import BARS
from web_terminal_suite.bench.browser.regions import displayed_samples, first_changes, terminal_region
from web_terminal_suite.bench.browser.tab import VIEWPORT, WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import REST_SECONDS, visit
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.visit import Visit

LINES: Final = 10_000
NOTCHES: Final = 6
_NOTCH_PIXELS: Final = 120
_INTERVAL_SECONDS: Final = 0.25
_FAST_NOTCHES: Final = 40
_FAST_SECONDS: Final = 1 / 60


@asynccontextmanager
async def _scroll(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with visit(context) as visited, scrolling(context, visited, LINES, NOTCHES) as operate:
        yield operate


@asynccontextmanager
async def scrolling(context: BenchmarkContext, visited: Visit, lines: int, notches: int) -> AsyncIterator[Operation]:
    """The operation of ``notches`` single notches over ``lines`` lines, in an open page."""
    page = visited.tab.page
    await visited.run(context, f"yes \"$(printf '{BARS}')\" 2>/dev/null | head -n {lines}")
    region = await terminal_region(page)
    with explained("pointer moved", WAIT_SECONDS):
        await page.mouse.move(VIEWPORT[0] / 2, VIEWPORT[1] / 2)
    upwards = False

    async def turn(notch: int = _NOTCH_PIXELS) -> None:
        with explained("wheel turned", WAIT_SECONDS):
            await page.mouse.wheel(0, -notch if upwards else notch)

    async def operate() -> OperationResult:
        nonlocal upwards
        upwards = not upwards
        turned_ns = []
        async with visited.tab.traced(pictures=True) as trace:
            await asyncio.sleep(REST_SECONDS)  # for a picture from before
            for _ in range(notches):
                turned_ns.append(now_ns())
                await turn()
                await asyncio.sleep(_INTERVAL_SECONDS)  # longer than an animation of the browser
        seen = await first_changes(visited.browser, trace, region, turned_ns)
        samples = displayed_samples(turned_ns, seen, _INTERVAL_SECONDS, "no picture shows that the lines moved")
        async with visited.tab.traced() as trace:
            busy_ns, began_ns = await visited.tab.busy_ns(), now_ns()
            for number in range(_FAST_NOTCHES):
                await turn()
                await asyncio.sleep(max(0, began_ns / 1e9 + (number + 1) * _FAST_SECONDS - now_ns() / 1e9))
            ended_ns, busy_ns = now_ns(), await visited.tab.busy_ns() - busy_ns
            await asyncio.sleep(REST_SECONDS)
        return OperationResult(samples, frame_rhythm.rhythm(trace, began_ns, ended_ns, busy_ns))

    yield operate


BENCHMARK: Final = Benchmark(
    id="browser/scroll",
    description=(
        f"A notch of the wheel over {LINES:,} lines, until lines that moved are displayed; and how evenly frames come "
        f"while {_FAST_NOTCHES} notches follow each other as fast as frames."
    ),
    limitations=(
        "Not a touch screen. A page that keeps fewer lines scrolls over those. A picture is taken of each frame of the "
        "single notches, which costs some milliseconds a frame."
    ),
    prepare=_scroll,
    needs=frozenset({Capability.PAGE, Capability.SHELL}),
    metrics=(Metric(name="latency"), *frame_rhythm.METRICS),
    repeats=2 * NOTCHES,
    min_operations=2 * NOTCHES,
    one_block=("",),
    quick=(),
    full=("",),
)

BENCHMARKS: Final = on_bare_page(BENCHMARK, goal=1.5)
