"""Shows the live stats of a load on standard error: a table on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from web_terminal_suite.bench.load.live_stats import SUMMARISED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.live import Live
    from rich.table import Table

    from web_terminal_suite.bench.load.live_stats import LatencySummary, Snapshot

LINE_SECONDS: Final = 5.0
"""Interval between lines."""


class ProgressView(Protocol):
    """Shows the live stats, which it is given about once per second, and single messages."""

    def show(self, snapshot: Snapshot) -> None: ...

    def say(self, text: str) -> None: ...


class NoProgressView:
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        pass

    def say(self, text: str) -> None:
        pass


class LineProgressView:
    """Prints a line every few seconds, and when the phase changes."""

    def __init__(self) -> None:
        self._next = 0.0
        self._phase = ""

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.seconds < self._next and snapshot.phase == self._phase:
            return
        self._next = int(snapshot.seconds) + LINE_SECONDS
        self._phase = snapshot.phase
        self.say(line(snapshot))

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class TableProgressView:
    """Redraws a table."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(table(snapshot), refresh=True)

    def say(self, text: str) -> None:
        self._live.console.print(text, highlight=False, markup=False)


@contextmanager
def open_view() -> Iterator[ProgressView]:
    """The table if standard error is a terminal, otherwise lines."""
    if not sys.stderr.isatty():
        yield LineProgressView()
        return
    # Imported here: rich takes a tenth of a second, and lines do not need it.
    from rich.console import Console
    from rich.live import Live

    # Redrawn only when there is something new, not by a thread: this process shares the machine with what it measures.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield TableProgressView(live)


def line(snapshot: Snapshot) -> str:
    """The live stats as a line."""
    parts = [
        f"{snapshot.seconds:6.1f} s {snapshot.phase}",
        f"{snapshot.up:,} of {snapshot.planned:,} up",
        f"{snapshot.start_rate:.0f} arrivals/s",
        f"{snapshot.key_rate:.0f} keys/s",
    ]
    if snapshot.last_second.n:
        parts.append(f"last second {_percentiles(snapshot.last_second)}")
    if snapshot.overall.n:
        parts.append(f"overall {_percentiles(snapshot.overall)}")
    parts.append(f"{snapshot.failed:,} failed, {snapshot.lost:,} lost")
    if snapshot.server_cpu is not None:
        memory = "-" if snapshot.server_pss_bytes is None else megabytes(snapshot.server_pss_bytes)
        parts.append(f"server {memory}, {snapshot.server_cpu:.0%} of a core")
    parts.append(f"busiest client {snapshot.client_cpu:.0%}")
    return "; ".join(parts)


def table(snapshot: Snapshot) -> Table:
    """The live stats as a table."""
    # Imported here, as above.
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "right", "right", "right"):
        grid.add_column(justify=justify)
    grid.add_row(f"[bold]{snapshot.seconds:.0f} s[/]", f"[bold]{snapshot.phase}[/]", "", "", "", "")
    grid.add_row("sessions", f"{snapshot.up:,}", f"of {snapshot.planned:,}", f"{snapshot.start_rate:.0f}/s", "", "")
    grid.add_row("", "[dim]count[/]", *(f"[dim]{name}[/]" for name in SUMMARISED), "[dim]max[/]")
    grid.add_row("keys, last second", *_cells(snapshot.last_second))
    grid.add_row("keys, overall", *_cells(snapshot.overall))
    grid.add_row("starts", *_cells(snapshot.starts))
    bad = "[red]" if snapshot.failed or snapshot.lost else ""
    grid.add_row(
        "errors",
        f"{bad}{snapshot.failed:,} failed",
        f"{bad}{snapshot.lost:,} lost",
        f"{snapshot.pending_keys:,} in flight",
    )
    output = f"{megabytes(snapshot.received_rate)}/s of output"
    if snapshot.server_cpu is not None:
        memory = "" if snapshot.server_pss_bytes is None else megabytes(snapshot.server_pss_bytes)
        grid.add_row("server", memory, f"{snapshot.server_cpu:.0%} CPU", output, "", "")
    busy = "[red]" if snapshot.client_cpu > 0.8 else ""
    grid.add_row(
        "busiest client", f"{busy}{snapshot.client_cpu:.0%} CPU", "" if snapshot.server_cpu is not None else output
    )
    return grid


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.1f} MB"


def duration(value_ns: float) -> str:
    """Such as ``412 us``, ``1.25 ms``; ``failed`` if infinite."""
    if math.isinf(value_ns):
        return "failed"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value_ns >= factor:
            return f"{value_ns / factor:.3g} {unit}"
    return f"{value_ns:.0f} ns"


def _percentiles(summary: LatencySummary) -> str:
    return " ".join(f"{name} {duration(value)}" for name, value in zip(SUMMARISED, summary.percentiles, strict=True))


def _cells(summary: LatencySummary) -> list[str]:
    if not summary.n:
        return ["0", *("" for _ in SUMMARISED), ""]
    return [f"{summary.n:,}", *(duration(value) for value in summary.percentiles), duration(summary.largest)]
