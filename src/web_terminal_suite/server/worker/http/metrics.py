"""Prometheus' text format from the host's counts and the workers' counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from web_terminal_suite.server.ipc import StatsReply

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
    """A collector of one answer; registered for one exposition only."""

    def __init__(self, counted: StatsReply, totals: Mapping[str, int]) -> None:
        self._counted = counted
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        sessions = GaugeMetricFamily("web_terminal_sessions", "Sessions by state", labels=["state"])
        for state, count in self._counted.states.items():
            sessions.add_metric([state], count)
        yield sessions
        yield CounterMetricFamily("web_terminal_sessions_created", "Sessions started", self._counted.created)
        yield CounterMetricFamily("web_terminal_spawn_failures", "Shells that did not start", self._counted.failed)
        yield CounterMetricFamily("web_terminal_sessions_expired", "Sessions ended for idleness", self._counted.expired)
        opened = self._totals["connections_opened"]
        yield CounterMetricFamily("web_terminal_connections_opened", "WebSockets opened", opened)
        yield GaugeMetricFamily(
            "web_terminal_connections", "WebSockets open now", opened - self._totals["connections_closed"]
        )
        for name, text in _HELP.items():
            yield CounterMetricFamily(f"web_terminal_{name}", text, self._totals[name])


def exposition(counted: StatsReply, totals: Mapping[str, int]) -> bytes:
    """All metrics of the server in Prometheus' text format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(counted, totals))
    return generate_latest(registry)
