"""Benchmark ``key_to_pixel_under_flood``: a key to the frame that shows it, while output is drawn meanwhile."""

from __future__ import annotations

import asyncio
import string
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult
from web_terminal_suite.bench.browser import frame_rhythm
from web_terminal_suite.bench.browser.outputs import OUTPUTS
from web_terminal_suite.bench.browser.regions import displayed_samples, first_changes, first_row
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS
from web_terminal_suite.bench.browser.visit import REST_SECONDS, visit, visit_in
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.visit import Visit

SAME: Final = "same session"
OTHERS: Final = "4 other tabs"

KEYS: Final = 6
_TABS: Final = 4
_BLOCKS: Final = 5
_ROW: Final = 60
"""Keys that fit into the first row, behind the marker."""
_INTERVAL_SECONDS: Final = 1.0
"""A key that is shown later counts as lost: pictures tell keys apart by when they were pressed."""

# What is typed is shown in the first row, as an editor or tmux shows it. Each line of the flood is one write, so that
# no key comes into the middle of a sequence.
_PROGRAM: Final = r"stty raw -echo; printf '\033[?1049h\033[2r\033[H'; {marker}; {flood}cat"
_FLOOD: Final = rf"while printf '\0337\033[999;1H\r\n{OUTPUTS['text'].line}\0338' 2>/dev/null; do :; done & "


@asynccontextmanager
async def _key_under_flood(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with AsyncExitStack() as stack:
        visited = await stack.enter_async_context(visit(context))
        if context.parameter == OTHERS:
            await flood_next_to(context, visited, stack, _TABS)
        yield await stack.enter_async_context(typing(context, visited, KEYS, flooded=context.parameter == SAME))


async def flood_next_to(context: BenchmarkContext, visited: Visit, stack: AsyncExitStack, tabs: int) -> None:
    """Other pages of the same terminal that draw output without end, until ``stack`` is closed.

    Raises:
        TimedOut, PageFailed
    """
    for _ in range(tabs):
        other = await stack.enter_async_context(visit_in(visited.browser, visited.driver, context))
        await other.tab.type_line(f"yes \"$(printf '{OUTPUTS['text'].line}')\"")
        await other.until_first_row("The quick", WAIT_SECONDS)


@asynccontextmanager
async def typing(context: BenchmarkContext, visited: Visit, keys: int, *, flooded: bool) -> AsyncIterator[Operation]:
    """The operation of ``keys`` keys in an open page, whose own session writes without end if ``flooded``."""
    tab = visited.tab
    marker = context.markers.fresh()
    line = _PROGRAM.replace("{flood}", _FLOOD if flooded else "").replace("{marker}", marker.command)
    await tab.type_line(line)
    await visited.until_first_row(marker.seen.decode(), WAIT_SECONDS)
    region = await first_row(tab.page)
    typed = 0

    async def operate() -> OperationResult:
        nonlocal typed
        pressed_ns = []
        # What other tabs do would be in the trace as well, and is too much of it.
        async with tab.traced(pictures=True, slim=not flooded) as trace:
            busy_ns = await tab.busy_ns()
            await asyncio.sleep(REST_SECONDS)  # for a picture from before
            for _ in range(keys):
                pressed_ns.append(now_ns())
                await tab.press(string.ascii_uppercase[typed % 26])
                typed += 1
                await asyncio.sleep(_INTERVAL_SECONDS)  # longer than a key may take
            ended_ns, busy_ns = now_ns(), await tab.busy_ns() - busy_ns
        shown = await first_changes(visited.browser, trace, region, pressed_ns)
        late = f"not displayed within {_INTERVAL_SECONDS:g} s"
        samples = displayed_samples(pressed_ns, shown, _INTERVAL_SECONDS, late)
        if typed + keys > _ROW:
            await tab.press("Enter")
            typed = 0
        points = frame_rhythm.rhythm(trace, pressed_ns[0], ended_ns, busy_ns)
        return OperationResult(samples, points if flooded else ())

    yield operate


BENCHMARKS: Final = (
    Benchmark(
        id="browser/key_to_pixel_under_flood",
        description=(
            "As key_to_pixel, while the same session writes without end below the row that shows what is typed, or "
            f"while {_TABS} other tabs draw the output of `yes`, each of its own session."
        ),
        limitations=(
            "Not a keyboard or a panel. A picture is taken of each frame of the page that is typed into, which costs "
            f"some milliseconds a frame. A key that takes longer than {_INTERVAL_SECONDS:g} s counts as lost. Other "
            "tabs are in view, and draw; people's are often hidden."
        ),
        prepare=_key_under_flood,
        needs=frozenset({Capability.PAGE, Capability.SHELL}),
        parameters=(SAME, OTHERS),
        metrics=(Metric(name="latency"), *frame_rhythm.METRICS),
        repeats=2 * KEYS * _BLOCKS,
        min_operations=KEYS * _BLOCKS,
        quick=(),
        full=(SAME, OTHERS),
    ),
)
