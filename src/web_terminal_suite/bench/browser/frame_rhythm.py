"""How evenly a page drew while something went on: frames dropped, and the longest gap between two. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.samples import Metric, Point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.browser.trace import Trace

FRAME_NS: Final = 1_000_000_000 / 60

DROPPED: Final = "frames dropped"
LONGEST_GAP: Final = "longest gap between frames"
MAIN_THREAD: Final = "main thread time"

METRICS: Final = (
    Metric(name=DROPPED, kind="level", unit=""),
    Metric(name=LONGEST_GAP, kind="level", unit="ns"),
    Metric(name=MAIN_THREAD, kind="level", unit="ns"),
)


def rhythm(trace: Trace, from_ns: int, until_ns: int, busy_ns: int) -> tuple[Point, ...]:
    """The frames that were displayed between two moments, as readings of ``METRICS``.

    Args:
        busy_ns: time of the page's main thread.
    """
    shown = [each.presented_ns for each in trace.frames if from_ns < each.presented_ns <= until_ns]
    due = (until_ns - from_ns) / FRAME_NS
    return (
        Point(DROPPED, 0, max(0.0, 1 - len(shown) / due)),
        Point(LONGEST_GAP, 0, longest_gap_ns([from_ns, *shown, until_ns])),
        Point(MAIN_THREAD, 0, busy_ns),
    )


def longest_gap_ns(moments: Sequence[int]) -> int:
    return max((later - earlier for earlier, later in pairwise(moments)), default=0)
