"""Checks that a load leaves no process behind."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.processes import children

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@contextmanager
def no_process_left() -> Iterator[None]:
    """Every child process that starts during the block has ended and been reaped when the block ends.

    Children that started before belong to other tests and are ignored, whether they still run or not.
    """
    start = int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS_PER_SECOND)
    try:
        yield
    finally:
        assert [pid for pid in children(os.getpid()) if _started(pid) >= start] == []


def _started(pid: int) -> int:
    """When a process started, in clock ticks since boot: field 22 of proc_pid_stat(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
