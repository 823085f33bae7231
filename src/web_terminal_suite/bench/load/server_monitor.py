"""Samples the memory and processor time of the server's processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.load.collector import ServerSample
from web_terminal_suite.bench.terminals.processes import cpu_ns, pss_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

_PSS_TIME_SHARE: Final = 0.02
"""Part of the time that measuring memory may take, because the server's own memory requests wait meanwhile."""


class ServerMonitor:
    """Takes samples of the processes ``pids``."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._next_pss_ns = 0

    def sample(self, zero_ns: int) -> ServerSample:
        """A sample now, its time relative to ``zero_ns``; without memory if measuring it would take too much time."""
        start_ns = now_ns()
        pss: int | None = None
        if start_ns >= self._next_pss_ns:
            pss = pss_bytes(self._pids)
            self._next_pss_ns = start_ns + round((now_ns() - start_ns) / _PSS_TIME_SHARE)
        return ServerSample(start_ns - zero_ns, pss, cpu_ns(self._pids))
