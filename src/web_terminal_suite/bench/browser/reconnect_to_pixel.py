"""Benchmark ``reconnect_to_pixel``: a network that comes back, until what was missed is displayed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult, sample
from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.outputs import BLUE, CLEARED
from web_terminal_suite.bench.browser.regions import drawn, terminal_region
from web_terminal_suite.bench.browser.severed import severable
from web_terminal_suite.bench.browser.visit import REST_SECONDS, visit_in
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Target
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.severed import SeverableNetwork
    from web_terminal_suite.bench.browser.visit import Visit

GONE: Final = {"1s": 1.0, "30s": 30.0}

# The program prints this long after it began, when the network has been gone for half of the shortest time.
_PRINTS_AFTER_SECONDS: Final = 1
_GONE_AFTER_SECONDS: Final = 0.5
_BACK_SECONDS: Final = 60.0


@asynccontextmanager
async def _reconnect_to_pixel(context: BenchmarkContext) -> AsyncIterator[Operation]:
    driver = DRIVERS[context.running.terminal.page]
    async with severable(context.running.addresses[0]) as (network, address), chromium.started() as browser:
        through = replace(context, running=replace(context.running, addresses=(address,)))

        async def operate() -> OperationResult:
            # A new page each time: one that has just lost a connection may wait longer after the next loss.
            async with visit_in(browser, driver, through) as visited:
                return await reconnecting(through, visited, network, GONE[context.parameter])

        yield operate


async def reconnecting(
    context: BenchmarkContext, visited: Visit, network: SeverableNetwork, seconds: float
) -> OperationResult:
    """The operation in a page that is open.

    Raises:
        TimedOut, PageFailed
    """
    await visited.run(context, f"printf '{CLEARED}'")
    region = await terminal_region(visited.tab.page)
    marker = context.markers.fresh()
    await visited.tab.type_line(f"sleep {_PRINTS_AFTER_SECONDS}; printf '{BLUE}'; {marker.command}")
    await asyncio.sleep(_GONE_AFTER_SECONDS)
    network.sever()
    await asyncio.sleep(seconds)
    async with visited.tab.traced(pictures=True) as trace:
        await asyncio.sleep(REST_SECONDS)  # for a picture from before
        sent_ns = now_ns()
        await network.restore()
        found_ns = await visited.until_first_row(marker.seen.decode(), _BACK_SECONDS)
        await visited.draw_again()
    seen_ns = (await drawn(visited.browser, trace, region, sent_ns, found_ns)).seen_ns
    return OperationResult((sample(sent_ns, seen_ns),))


BENCHMARKS: Final = (
    Benchmark(
        id="browser/reconnect_to_pixel",
        description=(
            "A network that was gone for a time comes back, until the page displays what a program has printed "
            "meanwhile. Every connection is reset when it goes, and none is taken until it is back."
        ),
        limitations=(
            "Not a network that is silent and not gone, nor a browser that is told: the page finds out by itself. A "
            "page that comes back with another shell has nothing to display."
        ),
        prepare=_reconnect_to_pixel,
        needs=frozenset({Capability.PAGE, Capability.SHELL, Capability.REATTACH}),
        parameters=tuple(GONE),
        repeats=6,
        min_operations=6,
        one_block=tuple(GONE),
        metrics=(Metric(name="latency", targets={"1s": Target(statistic="p50", goal=2e9, text="goal: p50 < 2 s")}),),
        quick=(),
        full=tuple(GONE),
    ),
)
