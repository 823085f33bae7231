"""``web-terminal history [ID]``: what runs found over time, with the steps marked."""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from web_terminal_suite.bench.history import HistoryEntry, Track
    from web_terminal_suite.bench.stats.change_points import ChangePoint

    Marked = list[tuple[Track, tuple[ChangePoint, ...]]]

USAGE_ERROR = 2
JUDGED = ("p95", "slope", "level")
"""One statistic of each kind, where none is asked for."""


def history(
    id: Annotated[
        str, typer.Argument(metavar="[ID]", help="Regular expression on suite/benchmark/parameter. (default: list all)")
    ] = "",
    metric: Annotated[str, typer.Option(help="Only this metric, such as latency.")] = "",
    statistic: Annotated[
        list[str] | None, typer.Option(help="Such as p50, p99, mean, rate. (default: p95, slope, level)")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Runs looked at, the last ones.")] = 100,
    noise_threshold: Annotated[float, typer.Option(min=0, help="Steps smaller than this are not marked.")] = 0.05,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    home: Annotated[Path | None, typer.Option(help="Where the history is. (default: ./.web-terminal-bench)")] = None,
) -> None:
    """Plot benchmarks over time; without ID a line for each.

    Exit code: 0, or 2 where there is no history, it cannot be read, or nothing in it matches.
    """
    from web_terminal_suite.bench.baselines import home as home_of
    from web_terminal_suite.bench.history import FILE, History, HistoryError
    from web_terminal_suite.bench.report.console import console_for

    path = home_of(home, os.environ) / FILE
    try:
        with History(path) as opened:
            tracks = opened.tracks(id, metric=metric, statistics=tuple(statistic or JUDGED), limit=limit)
    except HistoryError as error:
        typer.echo(f"web-terminal history: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    if not tracks:
        typer.echo(f"web-terminal history: {path} has nothing that matches; call it without ID to see all", err=True)
        raise typer.Exit(USAGE_ERROR)
    marked = [(track, _steps(track, noise_threshold)) for track in tracks]
    if json:
        import msgspec

        found = {"schema": "web-terminal-history/1", "tracks": [_plain(*each) for each in marked]}
        typer.echo(msgspec.json.encode(found) + b"\n", nl=False)
    elif id:
        _print_plots(console_for(), marked)
    else:
        _print_list(console_for(), marked)


def _steps(track: Track, least: float) -> tuple[ChangePoint, ...]:
    """The steps of a track; their indices count its entries, of which some may have no finite value."""
    from dataclasses import replace

    import numpy as np

    from web_terminal_suite.bench.stats.change_points import change_points

    places = [place for place, entry in enumerate(track.entries) if math.isfinite(entry.value)]
    # Seeded by the name: the same history is marked in the same places each time it is looked at.
    rng = np.random.default_rng(zlib.crc32(f"{track.name}:{track.metric}:{track.statistic}".encode()))
    found = change_points([track.entries[place].value for place in places], rng, least=least)
    return tuple(replace(step, index=places[step.index]) for step in found)


def _print_list(to: Console, marked: Marked) -> None:
    from rich.text import Text

    from web_terminal_suite.bench.report.common import units
    from web_terminal_suite.bench.report.text import history

    names = [_title(track) for track, _ in marked]
    width = max(len(name) for name in names)
    for name, (track, steps) in zip(names, marked, strict=True):
        last = units.quantity(track.entries[-1].value, track.unit)
        count = len(track.entries)
        line = Text.assemble(
            (f"{name:<{width}}", "cyan"),
            f"  {last:>9}  ",
            (f"{count:>3} {'run ' if count == 1 else 'runs'}  ", "dim"),
            history.sparkline([entry.value for entry in track.entries[-40:]]),
        )
        if steps:
            step = steps[-1]
            line.append(f"  step {step.ratio:.2f}x at {track.entries[step.index].started}", style="yellow")
        to.print(line, soft_wrap=True)


def _print_plots(to: Console, marked: Marked) -> None:
    from rich.text import Text

    from web_terminal_suite.bench.report.common import units
    from web_terminal_suite.bench.report.common.labels import short_revision
    from web_terminal_suite.bench.report.text import history

    for track, steps in marked:
        to.print(Text(f"{_title(track)}  machine {track.machine}", style="bold"))
        for line in history.plot(track, steps, min(to.width, 160)):
            to.print(line, soft_wrap=True)
        first, last = track.entries[0], track.entries[-1]
        interval = units.interval(last.lower, last.upper, track.unit)
        to.print(
            Text.assemble(
                (f"  {len(track.entries)} runs, {first.started} to {last.started}; last ", "dim"),
                (units.quantity(last.value, track.unit), "bold"),
                (f" ({interval}, n = {units.count(last.n)})", "dim"),
                (f" at {short_revision(last.revision)}" if last.revision else "", "dim"),
            ),
            soft_wrap=True,
        )
        for step in steps:
            to.print(history.step_line(track, step), soft_wrap=True)
        to.print()


def _title(track: Track) -> str:
    metric = f" {track.metric}" if track.metric != "latency" else ""
    return f"{track.name} [{track.terminal}]{metric} {track.statistic}"


def _plain(track: Track, steps: tuple[ChangePoint, ...]) -> dict[str, Any]:
    from dataclasses import asdict

    def entry(each: HistoryEntry) -> dict[str, Any]:
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(each).items()
        }

    fields = {name: value for name, value in asdict(track).items() if name != "entries"}
    changes = [asdict(step) | {"run": track.entries[step.index].run} for step in steps]
    return fields | {"entries": [entry(each) for each in track.entries], "changes": changes}
