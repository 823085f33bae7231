"""How often somebody may try to log in: over all workers, each address for itself, and nobody at others' expense.

Pure: told the time. Only failures count. An address that failed too often waits for a minute, and twice as long each
time that it does so again. Addresses that never logged in share a ceiling, so that many of them together get no
further than few.
"""

from __future__ import annotations

from web_terminal_suite.server.network_address import network_of
from web_terminal_suite.server.shared_table import Entry, SharedTable

UNGUESSABLE_CHARACTERS = 32
"""A right token of this length is let in however many wrong ones there were: no number of tries finds it."""
_WINDOW_MS = 60_000
_LONGEST_MS = 3_600_000
# Failures a minute of all addresses that never logged in, for each that one address may have.
_CEILING = 100
# An address that logged in counts as known for this long.
_KNOWN_MS = 30 * 24 * 3_600_000
_COUNT_BITS = 32
_EVERYBODY = "*"


class LoginLimits:
    """``most`` failures a minute of one address. ``table`` is shared by the workers of a server."""

    def __init__(self, most: int, table: SharedTable | None = None) -> None:
        self._most = most
        self._table = SharedTable() if table is None else table

    def wait(self, address: str, now: float) -> float:
        """Seconds until ``address`` may try again; 0 where it may now."""
        network = network_of(address)
        waits = self._wait_ms(f"address {network}", self._most, now)
        if not waits and not self._is_known(network, now):
            waits = self._wait_ms(_EVERYBODY, self._most * _CEILING, now)
        return waits / 1000

    def note_failure(self, address: str, now: float) -> None:
        """Somebody at ``address`` sent a wrong token."""
        network = network_of(address)
        self._count(f"address {network}", self._most, now)
        if not self._is_known(network, now):
            self._count(_EVERYBODY, self._most * _CEILING, now, backs_off=False)

    def note_success(self, address: str, now: float) -> None:
        """Somebody at ``address`` logged in: the failures of others are not held against it from now on."""
        network = network_of(address)
        if not self._is_known(network, now):
            self._table.put(f"known {network}", Entry(_ms(now), 1))

    def _is_known(self, network: str, now: float) -> bool:
        found = self._table.get(f"known {network}")
        return found is not None and _ms(now) - found.changed < _KNOWN_MS

    def _wait_ms(self, name: str, most: int, now: float) -> int:
        found = self._table.get(name)
        if found is None:
            return 0
        strikes, count = divmod(found.value, 1 << _COUNT_BITS)
        left = found.changed + _pause_ms(strikes) - _ms(now)
        return left if count >= most and left > 0 else 0

    def _count(self, name: str, most: int, now: float, *, backs_off: bool = True) -> None:
        """Count one more in the window that began with the first."""
        found = self._table.get(name) or Entry(_ms(now), 0)
        strikes, count = divmod(found.value, 1 << _COUNT_BITS)
        began, age = found.changed, _ms(now) - found.changed
        if age >= _pause_ms(strikes):
            was_full = count >= most
            # One that behaved for as long as it would have waited next begins anew.
            strikes = strikes + 1 if was_full and backs_off and age < 2 * _pause_ms(strikes) else 0
            began, count = _ms(now), 0
        self._table.put(name, Entry(began, (strikes << _COUNT_BITS) + count + 1))


def _pause_ms(strikes: int) -> int:
    """How long the window is of one that has been at its limit so often."""
    return min(_WINDOW_MS << min(strikes, 10), _LONGEST_MS)


def _ms(now: float) -> int:
    return round(now * 1000)
