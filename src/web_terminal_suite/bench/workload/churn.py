"""Session churn: memory that a server keeps for sessions that are gone shows as growth from cycle to cycle."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import BenchmarkContext, OperationResult
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Point, Sample
from web_terminal_suite.bench.workload.capacity import make_sure
from web_terminal_suite.bench.workload.memory import settled_pss
from web_terminal_suite.bench.workload.session_pool import session_pool
from web_terminal_suite.bench.workload.teardown import Leftovers, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import Operation

CYCLES: Final = 10
# Warm-up cycles, after which a server has what it keeps for reuse: in ours the memory grew by 1.4 MB in the first ten
# and stayed within 0.2 MB from then on.
_SETTLING: Final = 15


@asynccontextmanager
async def session_cycles(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """One operation is all the cycles, with the server's memory after each.

    The warm-up cycles are not part of it: they set up what the server keeps for reuse.
    """
    count = int(context.parameter)
    make_sure(context, count)
    process = context.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    servers = process.server_pids()

    async def cycle() -> Sample:
        remains = Leftovers(process)
        began_ns = now_ns()
        async with session_pool(context, count):
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
