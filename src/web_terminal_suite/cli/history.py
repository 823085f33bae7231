"""``web-terminal history [ID]``: what runs found over time, with the steps marked."""

from __future__ import annotations

import math
import os
import zlib
from typing import TYPE_CHECKING, Any

import click

from web_terminal_suite.cli import completion, parameters
from web_terminal_suite.cli.exit_status import Subcommand, fail
from web_terminal_suite.cli.streams import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.history import HistoryEntry, Track
    from web_terminal_suite.bench.stats.change_points import ChangePoint

JUDGED = ("p95", "slope", "level")
"""One statistic of each kind, where none is asked for."""


@click.command(cls=Subcommand)
@click.argument(
    "id",
    required=False,
    default="",
    metavar="[ID]",
    shell_complete=completion.benchmarks,
    help="Regular expression on suite/benchmark/parameter. (default: list all)",
)
@click.option("--metric", default="", help="Only this metric, such as latency.")
@parameters.several(
    "--statistic",
    "Such as p50, p99, mean, rate. (default: p95, slope, level)",
    shell_complete=completion.words("p50", "p95", "p99", "p99.9", "mean", "rate", "slope", "level"),
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Runs looked at, the last ones."
)
@parameters.noise_threshold("Steps smaller than this are not marked.")
@parameters.flag("--json", "Print one JSON object instead.")
@parameters.home("the history is")
def history(
    id: str,
    metric: str,
    statistic: tuple[str, ...],
    limit: int,
    noise_threshold: float,
    json: bool,
    home: Path | None,
) -> None:
    """Plot benchmarks over time; without ID a line for each.

    Exit code: 0, or 2 where there is no history, it cannot be read, or nothing in it matches.
    """
    from web_terminal_suite.bench.baselines import home as home_of
    from web_terminal_suite.bench.history import FILE, History
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text.history import print_list, print_plots

    path = home_of(home, os.environ) / FILE
    with History(path) as opened:
        tracks = opened.tracks(id, metric=metric, statistics=statistic or JUDGED, limit=limit)
    if not tracks:
        asked = bool(id or metric or statistic)
        fail(
            f"{path} has nothing that matches; call it without ID to see all"
            if asked
            else f"{path} holds no result of a whole run yet; each run of web-terminal bench adds to it"
        )
    marked = [(track, _steps(track, noise_threshold)) for track in tracks]
    if json:
        import msgspec

        found = {"schema": "web-terminal-history/1", "tracks": [_plain(*each) for each in marked]}
        print_json(msgspec.json.encode(found).decode())
    elif id:
        print_plots(console_for(), marked)
    else:
        print_list(console_for(), marked)


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
