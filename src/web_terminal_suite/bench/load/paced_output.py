"""Shell commands that make a session print at a fixed rate, without starting a process per line. POSIX.

The shell waits in a ``read`` of its own terminal, whose line discipline times out after some tenths of a second
(``VTIME`` with ``VMIN`` 0, termios(3)). That is a timer of the kernel; ``sleep`` would be a fork each time, and the
forks would be most of the load. The command runs in a subshell that restores the terminal when interrupted.
"""

from __future__ import annotations

from typing import Final

from web_terminal_suite.bench.workload.streams import LINE

TICK_SECONDS: Final = 0.1
"""Unit of ``VTIME``."""

LONGEST_INTERVAL_SECONDS: Final = 25.5
"""``VTIME`` is one byte."""


def steady(lines_per_second: float) -> str:
    """Prints lines of 80 bytes: one at a time up to ten per second, then several at a time."""
    ticks = max(1, round(1 / lines_per_second / TICK_SECONDS))
    return paced(max(1, round(lines_per_second * ticks * TICK_SECONDS)), ticks)


def bursts(lines: int, seconds: float) -> str:
    """Prints ``lines`` at once every ``seconds``."""
    return paced(lines, max(1, round(seconds / TICK_SECONDS)))


def paced(lines: int, ticks: int) -> str:
    """Prints ``lines`` every ``ticks`` tenths of a second until interrupted."""
    gather = f'set --; i=0; while [ $i -lt {lines} ]; do set -- "$@" {LINE}; i=$((i+1)); done'
    wait = f"trap 'stty icanon min 1 time 0; exit' INT; stty -icanon min 0 time {ticks}"
    return f"({gather}; {wait}; while :; do printf '%s\\n' \"$@\"; read _; done)"
