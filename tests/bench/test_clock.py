"""One clock, the same in every process."""

from __future__ import annotations

import subprocess
import sys
import time

from web_terminal.bench.clock import now_ns


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
