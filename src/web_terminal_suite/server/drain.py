"""When a server that takes no new sessions ends: once the last one is over, or at a deadline. No processes, no clock.

Times are monotonic seconds from the caller.
"""

from __future__ import annotations

import math

# How often the hosts are asked for the number of sessions they have left.
ASK_SECONDS = 0.5


class Drain:
    """From its begin. ``deadline_seconds`` is 0 where it may take for ever."""

    def __init__(self, deadline_seconds: float, hosts: int, now: float) -> None:
        self.ends_at = now + deadline_seconds if deadline_seconds else math.inf
        self._left: dict[int, int] = {}
        self._hosts = hosts
        self._ask_at = now

    def heard(self, host: int, sessions: int) -> None:
        """A PTY host that takes no new sessions has this many left."""
        self._left[host] = sessions

    @property
    def sessions(self) -> int | None:
        """How many sessions are left; ``None`` until every host has said so."""
        return sum(self._left.values()) if len(self._left) == self._hosts else None

    def is_over(self, now: float) -> bool:
        """Whether nothing is left to wait for."""
        return self.sessions == 0 or now >= self.ends_at

    def should_ask(self, now: float) -> bool:
        """Whether the hosts are to be asked now; then they count as asked."""
        if now < self._ask_at:
            return False
        self._ask_at = now + ASK_SECONDS
        return True

    def wake_at(self) -> float:
        """When to look again."""
        return min(self._ask_at, self.ends_at)
