"""Shell lines that make a session print at a pace of its own, without a process for each line.

The shell waits in a ``read`` of its own terminal, whose line discipline is told to give up after so many tenths of a
second (``VTIME`` with ``VMIN`` 0, termios(3)): a timer of the kernel's, where ``sleep`` would be a fork each time and
the forks would be most of the load. It runs in a subshell that restores the terminal when it is interrupted. POSIX.
"""

from __future__ import annotations

from typing import Final

from web_terminal_suite.bench.workload.streams import LINE

BEAT_SECONDS: Final = 0.1
"""Unit of ``VTIME``."""

LONGEST_BEAT_SECONDS: Final = 25.5
"""``VTIME`` is one byte."""


def steady(lines_per_second: float) -> str:
    """Lines of 80 bytes on the wire, one by one as far as beats allow, then several at a time."""
    beats = max(1, round(1 / lines_per_second / BEAT_SECONDS))
    return paced(max(1, round(lines_per_second * beats * BEAT_SECONDS)), beats)


def bursts(lines: int, seconds: float) -> str:
    """``lines`` at once every ``seconds``."""
    return paced(lines, max(1, round(seconds / BEAT_SECONDS)))


def paced(lines: int, beats: int) -> str:
    """``lines`` every ``beats`` tenths of a second, until interrupted."""
    gather = f'set --; i=0; while [ $i -lt {lines} ]; do set -- "$@" {LINE}; i=$((i+1)); done'
    wait = f"trap 'stty icanon min 1 time 0; exit' INT; stty -icanon min 0 time {beats}"
    return f"({gather}; {wait}; while :; do printf '%s\\n' \"$@\"; read _; done)"
