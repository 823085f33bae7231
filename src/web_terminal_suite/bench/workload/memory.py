"""The server's memory, as the benchmarks of memory read it, and the metric that they share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.samples import Metric, Target
from web_terminal_suite.bench.terminals.processes import pss_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTLE_READINGS: Final = 20
_SETTLE_SECONDS: Final = 0.1

MEMORY_PER_SESSION: Final = Metric(
    name="server PSS per session",
    kind="slope",
    unit="B",
    targets={
        "*": Target(
            statistic="slope",
            limit=100e6 / 1000,
            goal=10e6 / 1000,
            text="< 100 MB for 1,000 sessions; milestone < 20 MB, goal < 10 MB",
        )
    },
)

FULL_LOG: Final = "server PSS per session that printed 3 MB"

MEMORY_PER_FULL_LOG: Final = Metric(
    name=FULL_LOG,
    kind="level",
    unit="B",
    targets={"*": Target(statistic="level", goal=100e6 / 1000, text="goal: < 100 MB for 1,000 sessions under load")},
)


async def settled_pss(pids: Sequence[int]) -> float:
    """Memory of these processes once two readings in a row agree to a thousandth, or after two seconds."""
    last = 0.0
    for _ in range(_SETTLE_READINGS):
        now = float(pss_bytes(pids))
        if abs(now - last) <= now / 1000:
            break
        last = now
        await asyncio.sleep(_SETTLE_SECONDS)  # memory is given back at a moment that nothing announces
    return now
