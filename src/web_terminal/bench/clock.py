"""The one clock of a run."""

from __future__ import annotations

import time

now_ns = time.perf_counter_ns
"""Integer nanoseconds of one monotonic clock (``CLOCK_MONOTONIC``), the same in every process of the machine."""
