"""Benchmark ``draw_flood``: a lot of output at once, until the screen shows what comes behind its end."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult, sample
from web_terminal_suite.bench.browser import frame_rhythm
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.outputs import FUNCTION, OUTPUTS
from web_terminal_suite.bench.browser.regions import drawn, terminal_region
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import visit
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Point
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import Visit

SIZE_BYTES: Final = 10_000_000
_KEY_SECONDS: Final = 0.2
# Software that draws WebGL takes a minute on a busy machine.
_FLOOD_SECONDS: Final = 120.0

SLOWEST_KEY: Final = "slowest key meanwhile"


@asynccontextmanager
async def _draw_flood(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with visit(context) as visited, flooding(context, visited, SIZE_BYTES) as operate:
        yield operate


@asynccontextmanager
async def flooding(context: BenchmarkContext, visited: Visit, size_bytes: int) -> AsyncIterator[Operation]:
    """The operation with ``size_bytes``, in a page that is open."""
    tab = visited.tab
    await visited.run(context, OUTPUTS[context.parameter].definition(size_bytes))
    region = await terminal_region(tab.page)

    async def operate() -> OperationResult:
        marker = context.markers.fresh()
        with explained("line taken by the page", WAIT_SECONDS):
            await tab.page.keyboard.type(f"{FUNCTION} {marker.left} {marker.right}")
        async with tab.traced(pictures=True) as trace:
            busy_ns = await tab.busy_ns()
            sent_ns = now_ns()
            await tab.press("Enter")
            async with _typing(visited):
                found_ns = await visited.until_first_row(marker.seen.decode(), _FLOOD_SECONDS)
            busy_ns = await tab.busy_ns() - busy_ns
            await visited.draw_again()
        seen_ns = (await drawn(visited.browser, trace, region, sent_ns, found_ns)).seen_ns
        # The first key is the one that began it, the last ones came behind it.
        keys = [
            (pressed, handled)
            for pressed, handled in zip(trace.keys_ns, trace.handled_ns, strict=True)
            if sent_ns < pressed < seen_ns
        ][1:]
        slowest = [Point(SLOWEST_KEY, 0, max(handled - pressed for pressed, handled in keys))] if keys else []
        return OperationResult(
            (sample(sent_ns, seen_ns),), (*frame_rhythm.rhythm(trace, sent_ns, seen_ns, busy_ns), *slowest)
        )

    yield operate


@asynccontextmanager
async def _typing(visited: Visit) -> AsyncIterator[None]:
    """Type for the length of the block, at the pace of a person who waits for an answer."""
    over = asyncio.Event()

    async def type_keys() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _KEY_SECONDS)
                return
            await visited.tab.press("x")

    typing = asyncio.create_task(type_keys())
    try:
        yield
    finally:
        over.set()
        await typing


BENCHMARK: Final = Benchmark(
    id="browser/draw_flood",
    description=(
        f"A program writes {SIZE_BYTES // 1_000_000} MB of text, of coloured words or of wide characters: from Enter "
        "until the screen shows what comes behind them."
    ),
    limitations=(
        "Not whether every byte came. A picture is taken of each frame, which costs some milliseconds a frame."
    ),
    prepare=_draw_flood,
    needs=frozenset({Capability.PAGE, Capability.SHELL}),
    parameters=tuple(OUTPUTS),
    metrics=(
        Metric(name="latency"),
        *frame_rhythm.METRICS,
        Metric(name=SLOWEST_KEY, kind="level", unit="ns"),
    ),
    elements=dict.fromkeys(OUTPUTS, SIZE_BYTES),
    element_unit="B",
    repeats=6,
    min_operations=6,
    one_block=tuple(OUTPUTS),
    quick=(),
    full=("colour", "wide"),
)

BENCHMARKS: Final = on_bare_page(BENCHMARK, goal=1.5)
