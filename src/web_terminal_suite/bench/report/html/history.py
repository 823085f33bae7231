"""Earlier runs as a report draws them: a line for each row of the run, with change points marked."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.report.common.labels import short_revision
from web_terminal_suite.bench.report.html.curves import shortened
from web_terminal_suite.bench.report.html.schema.charts import HistoryChart, HistoryPoint
from web_terminal_suite.bench.stats.change_points import ChangePoint, change_points

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web_terminal_suite.bench.history import HistoryEntry, Track

LEAST = 0.05
"""Steps smaller than this are not marked."""


def histories(tracks: Iterable[Track], machine: str) -> list[HistoryChart]:
    """The tracks of ``machine`` (a fingerprint) with at least two runs; figures of other machines are no history."""
    found = [_history(track) for track in tracks if track.machine == machine]
    return [history for history in found if len(history.points) > 1]


def _history(track: Track) -> HistoryChart:
    entries = [entry for entry in track.entries if math.isfinite(entry.value)]
    # Seeded by the name, so that the same history always has the same marks.
    rng = np.random.default_rng(zlib.crc32(f"{track.name}:{track.metric}:{track.statistic}".encode()))
    steps = {step.index: step for step in change_points([entry.value for entry in entries], rng, least=LEAST)}
    return HistoryChart(
        benchmark=track.benchmark,
        parameter=track.parameter,
        terminal=track.terminal,
        metric=track.metric,
        statistic=track.statistic,
        points=[_point(entry, steps.get(place)) for place, entry in enumerate(entries)],
    )


def _point(entry: HistoryEntry, step: ChangePoint | None) -> HistoryPoint:
    ratio = f"step to {units.quantity(step.ratio, units.RATIO)}" if step is not None else ""
    return HistoryPoint(
        started=entry.started[:16].replace("T", " "),
        value=shortened(entry.value),
        lower=shortened(entry.lower) if math.isfinite(entry.lower) else None,
        upper=shortened(entry.upper) if math.isfinite(entry.upper) else None,
        changed=step is not None,
        note=", ".join(part for part in (short_revision(entry.revision), ratio) if part),
    )
