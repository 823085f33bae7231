"""A benchmark over time, drawn with characters: a sparkline for a list, a plot with intervals for one benchmark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.report.common.labels import short_revision
from web_terminal_suite.bench.report.text import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from web_terminal_suite.bench.history import Track
    from web_terminal_suite.bench.stats.change_points import ChangePoint

    Marked = tuple[Track, tuple[ChangePoint, ...]]
    """A track with its steps."""

BARS = "▁▂▃▄▅▆▇█"
FAILED = "x"
HEIGHT = 10
"""Lines of a plot."""
LISTED = 40
"""Runs of which the list draws the course."""
COLUMNS = ("last", "runs", "course", "step")
RIGHT = ("last",)


def sparkline(values: Sequence[float]) -> str:
    """One character a value, from the smallest to the largest; ``x`` where the operation failed."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return FAILED * len(values)
    low, high = min(finite), max(finite)
    step = (high - low) / (len(BARS) - 1)

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return FAILED
        return BARS[round((value - low) / step)] if step > 0 else BARS[len(BARS) // 2]

    return "".join(bar(value) for value in values)


def plot(track: Track, steps: Sequence[ChangePoint], width: int) -> list[Text]:
    """Lines of a plot: ``●`` an estimate, ``│`` its interval, ``┊`` a step to another level.

    The axis begins at its data, not at 0.

    Args:
        steps: their indices count the track's entries.
        width: columns there are; runs that do not fit are left out at the older end.
    """
    shown = [entry for entry in track.entries if math.isfinite(entry.value)]
    ends = [end for entry in shown for end in (entry.lower, entry.value, entry.upper) if math.isfinite(end)]
    if not ends:
        return [Text("  nothing to plot: in every run the operation at this percentile failed", style="yellow")]
    low, high = min(ends), max(ends)
    if high == low:
        low, high = low - (abs(low) or 1) * 0.05, high + (abs(high) or 1) * 0.05
    labels = [units.quantity(high - (high - low) * line / (HEIGHT - 1), track.unit) for line in range(HEIGHT)]
    margin = max(len(label) for label in labels)
    entries = track.entries[-max(1, (width - margin - 4) // 2) :]
    skipped = len(track.entries) - len(entries)
    starts = {step.index - skipped for step in steps}

    def line_of(value: float) -> int:
        return round((high - min(max(value, low), high)) / (high - low) * (HEIGHT - 1))

    lines = []
    for line in range(HEIGHT):
        text = Text(f"  {labels[line]:>{margin}} ┤", style="dim")
        for place, entry in enumerate(entries):
            text.append("┊" if place in starts else " ", style="yellow")
            if not math.isfinite(entry.value):
                text.append(FAILED if line == 0 else " ", style="bold red")
            elif line_of(entry.value) == line:
                text.append("●", style="bold")
            else:
                within = line_of(entry.upper) <= line <= line_of(entry.lower)
                text.append("│" if within else " ", style="dim")
        text.rstrip()
        lines.append(text)
    return lines


def step_line(track: Track, step: ChangePoint) -> Text:
    """One step in words."""
    entry = track.entries[step.index]
    before, after = (units.quantity(level, track.unit) for level in (step.before, step.after))
    where = f" at {short_revision(entry.revision)}" if entry.revision else ""
    ratio = "" if math.isnan(step.ratio) else f" ({step.ratio:.2f}x)"
    # Resampling never finds a probability of 0.
    p = "p < 0.001" if step.significance < 0.001 else f"p = {step.significance:.3f}"
    return Text(f"┊ {entry.started}{where}: {before} → {after}{ratio}, {p}", style="yellow")


def print_list(to: Console, marked: Sequence[Marked]) -> None:
    """A line for each track: its last value, how many runs there are, their course, the last step.

    Where that is too wide, the name stands on a line of its own, and the course has the last runs that fit.
    """
    names = [_title(track) for track, _ in marked]
    found = [_cells(track, steps) for track, steps in marked]
    widths = {name: max(line[name].cell_len for line in found) for name in COLUMNS}
    inline = {"name": max(len(name) for name in names), **widths}
    if layout.total(inline) <= to.width:
        for name, line in zip(names, found, strict=True):
            layout.print_cells(to, {"name": Text(name, style="cyan"), **line}, inline, RIGHT)
        return
    widths["course"] = min(widths["course"], to.width - layout.total({**widths, "course": 0, "step": 0}))
    for name, line in zip(names, found, strict=True):
        layout.print_name(to, name)
        layout.print_cells(to, {**line, "course": line["course"][-max(1, widths["course"]) :]}, widths, RIGHT)


def _cells(track: Track, steps: Sequence[ChangePoint]) -> dict[str, Text]:
    count = len(track.entries)
    step = f"step {steps[-1].ratio:.2f}x at {track.entries[steps[-1].index].started}" if steps else ""
    return {
        "last": Text(units.quantity(track.entries[-1].value, track.unit)),
        "runs": Text(f"{count:>3} {'run' if count == 1 else 'runs'}", style="dim"),
        "course": Text(sparkline([entry.value for entry in track.entries[-LISTED:]])),
        "step": Text(step, style="yellow"),
    }


def print_plots(to: Console, marked: Sequence[Marked]) -> None:
    """A plot for each track, and a line for each of its steps."""
    for track, steps in marked:
        layout.print_sentence(to, Text(f"{_title(track)}  machine {track.machine}", style="bold"))
        for line in plot(track, steps, min(to.width, 160)):
            to.print(line, soft_wrap=True)
        first, last = track.entries[0], track.entries[-1]
        interval = units.interval(last.lower, last.upper, track.unit)
        caption = Text.assemble(
            (f"{len(track.entries)} runs, {first.started} to {last.started}; last ", "dim"),
            (units.quantity(last.value, track.unit), "bold"),
            (f" ({interval}, n = {units.count(last.n)})", "dim"),
            (f" at {short_revision(last.revision)}" if last.revision else "", "dim"),
        )
        layout.print_sentence(to, caption, layout.INDENT)
        for step in steps:
            layout.print_sentence(to, step_line(track, step), layout.INDENT)
        to.print()


def _title(track: Track) -> str:
    metric = f" {track.metric}" if track.metric != "latency" else ""
    return f"{track.name} [{track.terminal}]{metric} {track.statistic}"
