"""Benchmark ``resize_storm``: a window that is dragged, until a program has drawn itself for the last size."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult, sample
from web_terminal_suite.bench.browser import frame_rhythm
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.regions import WHOLE, drawn
from web_terminal_suite.bench.browser.tab import VIEWPORT, WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import visit
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Point
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.visit import Visit

SIZES: Final = 20
_STEP: Final = 12
_INTERVAL_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 1.0

DRAWN_ANEW: Final = "times the program drew"

# Blue and yellow in turn, with the size and how often it was drawn: a last picture is never like the one before it. A
# signal interrupts ``read`` in every shell.
PROGRAM: Final = (
    r"""n=0; trap 'n=$((n+1)); printf "\033[4$((4-n%2))m\033[H\033[2J"; echo $(stty size) $n.' WINCH; {marker}; """
    "while :; do read x; done"
)


@asynccontextmanager
async def _resize_storm(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with visit(context) as visited, resizing(context, visited, SIZES) as operate:
        yield operate


@asynccontextmanager
async def resizing(context: BenchmarkContext, visited: Visit, sizes: int) -> AsyncIterator[Operation]:
    """The operation with ``sizes`` sizes, in an open page."""
    page = visited.tab
    marker = context.markers.fresh()
    await page.type_line(PROGRAM.replace("{marker}", marker.command))
    await visited.driver.until_text(page, marker.seen.decode())
    width, height = VIEWPORT
    counted = 0

    async def set_size(number: int) -> None:
        with explained("window resized", WAIT_SECONDS):
            await page.page.set_viewport_size({"width": width - number * _STEP, "height": height - number * _STEP})

    async def operate() -> OperationResult:
        nonlocal counted
        # Smaller step by step in one operation, larger again in the next.
        numbers = range(1, sizes + 1) if not counted % 2 else range(sizes - 1, -1, -1)
        counted += 1
        before = await _times_drawn(visited)
        async with page.traced(pictures=True) as trace:
            busy_ns, began_ns = await page.busy_ns(), now_ns()
            for number in numbers:
                sent_ns = now_ns()
                await set_size(number)
                await asyncio.sleep(_INTERVAL_SECONDS)  # the pace of a hand that drags
            await asyncio.sleep(_SETTLE_SECONDS)
            busy_ns = await page.busy_ns() - busy_ns
            after = await _times_drawn(visited)
            await visited.draw_again()
        seen_ns = (await drawn(visited.browser, trace, WHOLE, sent_ns)).seen_ns
        return OperationResult(
            (sample(sent_ns, seen_ns),),
            (*frame_rhythm.rhythm(trace, began_ns, seen_ns, busy_ns), Point(DRAWN_ANEW, 0, after - before)),
        )

    yield operate


async def _times_drawn(visited: Visit) -> int:
    """How often the program has drawn, as the first row says.

    Raises:
        TimedOut, PageFailed
    """
    with explained("text of the page", WAIT_SECONDS):
        text = str(await visited.tab.page.evaluate(f"({visited.driver.text})()"))
    words = text.strip().partition(".")[0].split()
    if len(words) < 3 or not words[2].isdigit():
        return 0
    return int(words[2])


BENCHMARK: Final = Benchmark(
    id="browser/resize_storm",
    description=(
        f"A window that takes {SIZES} sizes in {SIZES * _INTERVAL_SECONDS:g} s: from the last of them until a "
        "program that draws itself anew at each has drawn for it, and that is displayed."
    ),
    limitations=(
        "Not text that is wrapped anew. A picture is taken of each frame, which costs some milliseconds a frame."
    ),
    prepare=_resize_storm,
    needs=frozenset({Capability.PAGE, Capability.SHELL}),
    metrics=(
        Metric(name="latency"),
        *frame_rhythm.METRICS,
        Metric(name=DRAWN_ANEW, kind="level", unit=""),
    ),
    repeats=6,
    min_operations=6,
    one_block=("",),
    quick=(),
    full=("",),
)

BENCHMARKS: Final = on_bare_page(BENCHMARK, goal=1.5)
