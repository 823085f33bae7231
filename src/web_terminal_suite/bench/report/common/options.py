"""What every report format is given besides the run, and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.history import Track
    from web_terminal_suite.bench.samples import Run


class ReportError(Exception):
    """The report cannot be written; the text says why and, where there is one, the remedy."""


@dataclass(frozen=True)
class ReportOptions:
    """What a format may use.

    Args:
        version: of the suite that writes the report.
        baseline: a run to compare with.
        tracks: earlier runs by row; formats without ``has_history`` are given none.
        brief: fit to be published: without the panels of each benchmark, and without anything that identifies the
            machine.
        earlier: further runs of the baseline's code, which show how much runs of it differ.
    """

    version: str
    baseline: tuple[Run, Analysis] | None = None
    tracks: tuple[Track, ...] = ()
    brief: bool = False
    earlier: tuple[Run, ...] = ()
