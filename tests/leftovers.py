"""Processes that a test started and left behind."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from web_terminal_suite.bench.terminals.processes import children

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Leftovers:
    """Children of this process that were started after this object was made, unreaped ones included.

    Neither what earlier tests left nor what fixtures keep running counts, and neither may hide a leak by ending now.
    """

    def __init__(self) -> None:
        self._since_ticks = int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS_PER_SECOND)

    def pids(self) -> list[int]:
        return [pid for pid in children(os.getpid()) if self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return False  # it is gone
        return int(fields[19]) >= self._since_ticks  # starttime, proc_pid_stat(5), in ticks since boot


@contextmanager
def no_process_left() -> Iterator[None]:
    """Every child process that starts during the block has ended and been reaped when the block ends."""
    leftovers = Leftovers()
    try:
        yield
    finally:
        assert leftovers.pids() == []
