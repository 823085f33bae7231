"""Benchmark ``tab_memory``: what a tab with a terminal holds, before and after output."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult
from web_terminal_suite.bench.browser.errors import PageFailed, explained
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.outputs import FUNCTION, OUTPUTS
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import REST_SECONDS, visit
from web_terminal_suite.bench.samples import Metric, Point
from web_terminal_suite.bench.terminals.processes import pss_bytes
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.visit import Visit

OUTPUT_BYTES: Final = {"empty": 0, "10MB": 10_000_000, "an hour": 36_000_000}
"""An hour's worth is ten kilobytes a second."""

PSS: Final = "PSS of the tab"
HEAP: Final = "JavaScript heap of the tab"

_OUTPUT_SECONDS: Final = 120.0


@asynccontextmanager
async def _tab_memory(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with visit(context) as visited:
        yield lambda: memory_after(context, visited, OUTPUT_BYTES[context.parameter])


async def memory_after(context: BenchmarkContext, visited: Visit, size_bytes: int) -> OperationResult:
    """The operation in a page that is open: coloured output, garbage collected, memory read.

    Raises:
        TimedOut, PageFailed
    """
    if size_bytes:
        await visited.run(context, OUTPUTS["colour"].definition(size_bytes))
        marker = context.markers.fresh()
        await visited.tab.type_line(f"{FUNCTION} {marker.left} {marker.right}")
        await visited.until_first_row(marker.seen.decode(), _OUTPUT_SECONDS)
    async with visited.tab.traced() as trace:
        await visited.draw_again()
    if not trace.process:
        raise PageFailed("the process of the page is not known")
    page = visited.tab.page
    with explained("garbage of the page collected", WAIT_SECONDS):
        session = await page.context.new_cdp_session(page)
        await session.send("HeapProfiler.collectGarbage")
        await asyncio.sleep(REST_SECONDS)  # the allocator gives pages back at a moment that nothing announces
        heap = await session.send("Runtime.getHeapUsage")
        await session.detach()
    return OperationResult(points=(Point(PSS, 0, pss_bytes((trace.process,))), Point(HEAP, 0, float(heap["usedSize"]))))


BENCHMARK: Final = Benchmark(
    id="browser/tab_memory",
    description=(
        "Memory of the process that draws the page, garbage collected: at the first prompt, after 10 MB of coloured "
        "words, and after as much as an hour of ten kilobytes a second."
    ),
    limitations="Not what the browser's other processes hold for the tab.",
    prepare=_tab_memory,
    needs=frozenset({Capability.PAGE, Capability.SHELL}),
    parameters=tuple(OUTPUT_BYTES),
    metrics=(Metric(name=PSS, kind="level", unit="B"), Metric(name=HEAP, kind="level", unit="B")),
    one_shot=True,
    one_block=tuple(OUTPUT_BYTES),
    quick=("empty",),
    full=("an hour",),
)

BENCHMARKS: Final = on_bare_page(BENCHMARK)
