"""Connections that have not logged in, counted by address and in all, and what they may take.

Pure: told the time, it decides who is refused. A stranger costs a descriptor and what it has sent of a request; both
are bounded here, in each worker.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from web_terminal_suite.server.worker.request_head import HttpRefusal

if TYPE_CHECKING:
    from web_terminal_suite.server.worker.connection_rates import ConnectionRates

log = logging.getLogger("web_terminal_suite.worker")

# An address at its limit is refused after this long. Clients that reconnect together are through sooner; those that
# wait are not.
_BURST_SECONDS = 1.0
# What unfinished requests of all strangers may take together. A request that comes in one piece takes nothing.
HELD_BYTES = 8 * 1024 * 1024
_NOTE_SECONDS = 60.0
TOO_OFTEN = HttpRefusal(
    HTTPStatus.TOO_MANY_REQUESTS,
    "too many new connections in a second without a login; try again later",
    "Retry-After: 1",
)


class Strangers:
    """Those of one worker. ``most`` may be connected at once, ``most_each`` of them from one address.

    ``rates`` is how many an address may open in a second, over all workers.
    """

    def __init__(self, most: int, most_each: int, rates: ConnectionRates | None = None) -> None:
        self._rates = rates
        self.most = most
        self.most_each = most_each
        self.count = 0
        self.held_bytes = 0
        self._counts: dict[str, int] = {}
        # Since when an address has its full number.
        self._full_since: dict[str, float] = {}
        # When refusals of a kind were last logged, and how many have not been since.
        self._noted: dict[HTTPStatus | None, tuple[float, int]] = {}

    def enter(self, network: str, now: float, *, shared: bool = False) -> None:
        """Count one more; ``leave`` must follow, whether it is refused or not.

        With ``shared`` it is the address of a proxy, which is that of all its clients.

        Raises:
            HttpRefusal: there are too many already.
        """
        self.count += 1
        count = self._counts[network] = self._counts.get(network, 0) + 1
        if self.count > self.most:
            reason = f"{self.most} connections have not logged in; try again later"
            raise HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, "Retry-After: 1")
        if shared or count <= self.most_each:
            return
        full_seconds = now - self._full_since.setdefault(network, now)
        if full_seconds >= _BURST_SECONDS or count > max(self.most_each, self.most // 2):
            reason = f"{self.most_each} connections of {network} have not logged in; try again later"
            raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, reason, "Retry-After: 1")

    def dials_too_often(self, network: str, now: float) -> bool:
        """Whether a new connection is one too many in this second; it is counted if it is not."""
        return self._rates is not None and not self._rates.take(network, now)

    def has_logged_in(self, network: str, now: float) -> None:
        """A connection that was counted as new is none of a stranger."""
        if self._rates is not None:
            self._rates.give_back(network, now)

    def leave(self, network: str) -> None:
        """One has logged in or is gone."""
        self.count -= 1
        left = self._counts[network] - 1
        if left:
            self._counts[network] = left
        else:
            del self._counts[network]
        if left < self.most_each:
            self._full_since.pop(network, None)

    def hold(self, count: int) -> None:
        """Keep ``count`` more bytes for an unfinished request; a negative number gives them back.

        Raises:
            HttpRefusal: all together hold too many.
        """
        self.held_bytes += count
        if count > 0 and self.held_bytes > HELD_BYTES:
            reason = "too many unfinished requests; send a request in one piece"
            raise HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, reason, "Retry-After: 1")

    def note(self, refused: HttpRefusal, network: str, now: float) -> None:
        """Log a refusal, those of one status at most once a minute."""
        self._log(refused.status, f"refused a connection of {network} with {refused.status:d}: {refused.reason}", now)

    def note_handshake(self, reason: str, network: str, now: float) -> None:
        """Log a TLS handshake that failed, at most once a minute."""
        self._log(None, f"a TLS handshake with {network} failed: {reason}", now)

    def _log(self, kind: HTTPStatus | None, text: str, now: float) -> None:
        last, unsaid = self._noted.get(kind, (now - _NOTE_SECONDS, 0))
        if now - last < _NOTE_SECONDS:
            self._noted[kind] = last, unsaid + 1
            return
        self._noted[kind] = now, 0
        log.warning("%s%s", text, f" ({unsaid} more since the last such line)" if unsaid else "")
