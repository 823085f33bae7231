"""The same crowd again and again: what a server keeps of sessions that are gone shows as growth from round to round."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Point, Sample
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.memory import settled_pss
from web_terminal_suite.bench.workload.session_pool import crew
from web_terminal_suite.bench.workload.teardown import Leftovers, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import Operation

CYCLES: Final = 10
# What a server keeps for the next crowd on purpose, and its allocator for itself, is there after these: in ours the
# memory grew by 1.4 MB in the first ten, and stayed within 0.2 MB from then on.
_SETTLING: Final = 15


@asynccontextmanager
async def session_cycles(stage: BenchmarkContext) -> AsyncIterator[Operation]:
    """One operation is all the cycles; the server is weighed after each.

    The first cycles are not in it: they set up what is kept for the next on purpose.
    """
    count = int(stage.parameter)
    make_sure(stage, count)
    process = stage.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    servers = process.server_pids()

    async def cycle() -> Sample:
        remains = Leftovers(process)
        began_ns = now_ns()
        async with crew(stage, count):
            pass
        gone_ns = await wait_until(remains.nothing, "end of every shell and descriptor")
        return Sample(began_ns, began_ns, gone_ns)

    async def operate() -> OperationResult:
        samples, points = [], []
        for number in range(1, CYCLES + 1):
            samples.append(await cycle())
            points.append(Point("server PSS over cycles", number, await settled_pss(servers)))
        return OperationResult(tuple(samples), tuple(points))

    for _ in range(_SETTLING):
        await cycle()
    yield operate
