"""How many connections an address may open in a second without logging in, over all workers.

Pure: told the time. The generic cell rate algorithm (ITU-T I.371): of an address only the moment is kept at which it
will have its whole allowance again. One that logs in is given back what its connection took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.server.shared_table import Entry

if TYPE_CHECKING:
    from web_terminal_suite.server.shared_table import SharedTable

# So many seconds' worth may come at once: a crowd that reconnects, the files of a page.
_BURST_SECONDS = 10
_SECOND_US = 1_000_000


class ConnectionRates:
    """``per_second`` of one address; 0 is no limit. ``table`` is shared by the workers of a server."""

    def __init__(self, per_second: int, table: SharedTable) -> None:
        self._table = table
        self._step_us = _SECOND_US // per_second if per_second else 0

    def take(self, network: str, now: float) -> bool:
        """Count a connection; whether it is within the rate."""
        if not self._step_us:
            return True
        now_us = round(now * _SECOND_US)
        full_at = max(now_us, self._full_at(network))
        if full_at - now_us > _BURST_SECONDS * _SECOND_US - self._step_us:
            return False
        self._put(network, full_at + self._step_us, now_us)
        return True

    def give_back(self, network: str, now: float) -> None:
        """A connection that was counted has logged in."""
        if self._step_us:
            self._put(network, self._full_at(network) - self._step_us, round(now * _SECOND_US))

    def _full_at(self, network: str) -> int:
        found = self._table.get(network)
        return found.value if found is not None else 0

    def _put(self, network: str, full_at: int, now_us: int) -> None:
        self._table.put(network, Entry(now_us // 1000, max(0, full_at)))
