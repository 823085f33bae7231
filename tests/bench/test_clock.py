"""One clock, the same in every process."""

from __future__ import annotations

import subprocess
import sys
import time

from web_terminal_suite.bench.clock import SECOND_NS, keep, now_ns


def test_it_never_goes_back_and_counts_nanoseconds():
    readings = [now_ns() for _ in range(1000)]
    assert readings == sorted(readings)
    assert time.get_clock_info("perf_counter").monotonic


def test_another_process_reads_the_same_clock():
    before = now_ns()
    ran = subprocess.run(
        [sys.executable, "-c", "import time; print(time.perf_counter_ns())"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert before < int(ran.stdout) < now_ns()


async def test_moments_are_kept_in_order_never_early_and_none_is_left_out():
    begin_ns = now_ns()
    # Irregular, one of them long past.
    moments = [begin_ns - SECOND_NS, begin_ns + 1_000_000, begin_ns + 1_200_000, begin_ns + 5_000_000]
    kept = []
    await keep(moments, lambda number, due_ns: kept.append((number, due_ns, now_ns())))
    assert [(number, due_ns) for number, due_ns, _ in kept] == list(enumerate(moments))
    assert all(at_ns >= due_ns for _, due_ns, at_ns in kept)
