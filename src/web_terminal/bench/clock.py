"""The one clock of a run, and what it can resolve."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

now_ns = time.perf_counter_ns
"""Integer nanoseconds of one monotonic clock (``CLOCK_MONOTONIC``), the same in every process of the machine."""


class ClockFacts(NamedTuple):
    """``cost_ns`` is the median time one reading takes; ``step_ns`` the smallest step seen between two readings."""

    name: str
    resolution_ns: int
    cost_ns: int
    step_ns: int


def clock_facts(readings: int = 1000) -> ClockFacts:
    """What ``now_ns`` can tell apart on this machine, found by reading it."""
    info = time.get_clock_info("perf_counter")
    moments = [now_ns() for _ in range(readings)]
    steps = [after - before for before, after in zip(moments, moments[1:], strict=False)]
    above_zero = [step for step in steps if step > 0]
    return ClockFacts(
        info.implementation,
        max(1, round(info.resolution * 1e9)),
        round(statistics.median(steps)),
        min(above_zero, default=0),
    )
