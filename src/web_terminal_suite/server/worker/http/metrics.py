"""Prometheus' text format from the hosts' counts and the workers' counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from web_terminal_suite.server.ipc import StatsReply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric

    from web_terminal_suite.server.launch import ServerState

_HELP = {
    "messages_received": "WebSocket messages from clients",
    "messages_sent": "WebSocket messages to clients",
    "input_bytes": "Bytes typed into terminals",
    "output_bytes": "Bytes of terminal output sent to viewers",
    "gaps": "Times a viewer missed output that had left the log",
    "errors": "Errors reported to clients",
    "authentications_failed": "Wrong or missing credentials",
}


class _Snapshot:
    """A collector of one round of answers; registered for one exposition only."""

    def __init__(
        self, counts: Sequence[StatsReply | None], totals: Mapping[str, int], server: ServerState | None
    ) -> None:
        self._counts = counts
        self._totals = totals
        self._server = server

    def collect(self) -> Iterator[Metric]:
        yield from self._hosts()
        if self._server is not None:
            yield GaugeMetricFamily("web_terminal_workers", "Workers that serve", self._server.serving)
            yield GaugeMetricFamily("web_terminal_workers_wanted", "Workers that should", self._server.workers)
        opened = self._totals["connections_opened"]
        yield CounterMetricFamily("web_terminal_connections_opened", "WebSockets opened", opened)
        yield GaugeMetricFamily(
            "web_terminal_connections", "WebSockets open now", opened - self._totals["connections_closed"]
        )
        for name, text in _HELP.items():
            yield CounterMetricFamily(f"web_terminal_{name}", text, self._totals[name])

    def _hosts(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("web_terminal_host_up", "Whether a PTY host answers", labels=["host"])
        for number, count in enumerate(self._counts):
            up.add_metric([str(number)], float(count is not None))
        yield up
        counted = total(self._counts)
        # A sum without one host's part would look like sessions that ended, and a counter must not fall.
        if counted is None:
            return
        sessions = GaugeMetricFamily("web_terminal_sessions", "Sessions by state", labels=["state"])
        for state, number in counted.states.items():
            sessions.add_metric([state], number)
        yield sessions
        yield CounterMetricFamily("web_terminal_sessions_created", "Sessions started", counted.created)
        yield CounterMetricFamily("web_terminal_spawn_failures", "Shells that did not start", counted.failed)
        yield CounterMetricFamily("web_terminal_sessions_expired", "Sessions ended for idleness", counted.expired)


def total(counts: Sequence[StatsReply | None]) -> StatsReply | None:
    """Sessions by state and totals over all hosts; ``None`` if one of them did not answer."""
    known = [count for count in counts if count is not None]
    if not known or len(known) < len(counts):
        return None
    return StatsReply(
        id=0,
        states={name: sum(each.states[name] for each in known) for name in known[0].states},
        created=sum(each.created for each in known),
        failed=sum(each.failed for each in known),
        expired=sum(each.expired for each in known),
    )


def exposition(
    counts: Sequence[StatsReply | None], totals: Mapping[str, int], server: ServerState | None = None
) -> bytes:
    """All metrics of the server in Prometheus' text format 0.0.4; ``counts`` has ``None`` for a host that is silent."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(counts, totals, server))
    return generate_latest(registry)
