"""What a person sees while a load proceeds: a table that is redrawn on a terminal, a line now and then elsewhere.

Always on standard error.
"""

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
"""From one plain line to the next."""


class ProgressView(Protocol):
    """Told how things stand about once a second, and of what is worth a line at once."""

    def show(self, now: Snapshot) -> None: ...

    def say(self, text: str) -> None: ...


class NoProgressView:
    """Nobody looks."""

    def show(self, now: Snapshot) -> None:
        pass

    def say(self, text: str) -> None:
        pass


class LineProgressView:
    """A line every few seconds."""

    def __init__(self) -> None:
        self._next = 0.0
        self._doing = ""

    def show(self, now: Snapshot) -> None:
        if now.seconds < self._next and now.doing == self._doing:
            return
        self._next = int(now.seconds) + LINE_SECONDS
        self._doing = now.doing
        self.say(line(now))

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class TableProgressView:
    """A table in the same place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, now: Snapshot) -> None:
        self._live.update(table(now), refresh=True)

    def say(self, text: str) -> None:
        self._live.console.print(text, highlight=False, markup=False)


@contextmanager
def shown() -> Iterator[ProgressView]:
    """The table where standard error is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield LineProgressView()
        return
    from rich.console import Console
    from rich.live import Live

    # Redrawn when there is something new, not by a thread: this process shares the machine with what it measures.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield TableProgressView(live)


def line(now: Snapshot) -> str:
    """How things stand, in one line."""
    parts = [
        f"{now.seconds:6.1f} s {now.doing}",
        f"{now.up:,} of {now.wanted:,} up",
        f"{now.arrivals:.0f} arrivals/s",
        f"{now.keys:.0f} keys/s",
    ]
    if now.last.n:
        parts.append(f"last second {_percentiles(now.last)}")
    if now.overall.n:
        parts.append(f"overall {_percentiles(now.overall)}")
    parts.append(f"{now.failed:,} failed, {now.lost:,} lost")
    if now.server_cpu is not None:
        memory = "-" if now.server_pss_bytes is None else megabytes(now.server_pss_bytes)
        parts.append(f"server {memory}, {now.server_cpu:.0%} of a core")
    parts.append(f"busiest client {now.client_cpu:.0%}")
    return "; ".join(parts)


def table(now: Snapshot) -> Table:
    """How things stand, as a table."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "right", "right", "right", "right", "right"):
        grid.add_column(justify=justify)
    grid.add_row(f"[bold]{now.seconds:.0f} s[/]", f"[bold]{now.doing}[/]", "", "", "", "")
    grid.add_row("sessions", f"{now.up:,}", f"of {now.wanted:,}", f"{now.arrivals:.0f}/s", "", "")
    grid.add_row("", "[dim]count[/]", *(f"[dim]{name}[/]" for name in SUMMARISED), "[dim]max[/]")
    grid.add_row("keys, last second", *_cells(now.last))
    grid.add_row("keys, overall", *_cells(now.overall))
    grid.add_row("starts", *_cells(now.starts))
    bad = "[red]" if now.failed or now.lost else ""
    grid.add_row("errors", f"{bad}{now.failed:,} failed", f"{bad}{now.lost:,} lost", f"{now.waiting:,} under way")
    output = f"{megabytes(now.heard_bytes)}/s of output"
    if now.server_cpu is not None:
        memory = "" if now.server_pss_bytes is None else megabytes(now.server_pss_bytes)
        grid.add_row("server", memory, f"{now.server_cpu:.0%} CPU", output, "", "")
    busy = "[red]" if now.client_cpu > 0.8 else ""
    grid.add_row("busiest client", f"{busy}{now.client_cpu:.0%} CPU", "" if now.server_cpu is not None else output)
    return grid


def megabytes(value: float) -> str:
    return f"{value / 1e6:,.1f} MB"


def duration(value_ns: float) -> str:
    """Such as ``412 us``, ``1.25 ms``; ``failed`` for what never came."""
    if math.isinf(value_ns):
        return "failed"
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if value_ns >= factor:
            return f"{value_ns / factor:.3g} {unit}"
    return f"{value_ns:.0f} ns"


def _percentiles(of: LatencySummary) -> str:
    return " ".join(f"{name} {duration(value)}" for name, value in zip(SUMMARISED, of.at, strict=True))


def _cells(of: LatencySummary) -> list[str]:
    if not of.n:
        return ["0", *("" for _ in SUMMARISED), ""]
    return [f"{of.n:,}", *(duration(value) for value in of.at), duration(of.largest)]
