"""One clock: the browser's trace is on the clock of this process, and each trace shows that it is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.errors import PageFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.browser.trace import Mark

SLACK_NS: Final = 100_000
"""The page's clock has steps of 0.1 ms, and the trace of 1 us."""


class ClockWrong(PageFailed):
    """Moments of the browser cannot be compared with moments of this process."""


def check(marks: Sequence[Mark], before_ns: int, after_ns: int) -> None:
    """A mark that the page was asked for must lie between the request and its answer.

    Raises:
        ClockWrong
    """
    if not marks:
        raise ClockWrong("the trace lacks the mark that joins its clock to ours")
    trace_ns = marks[0].trace_ns
    if not before_ns - SLACK_NS <= trace_ns <= after_ns + SLACK_NS:
        apart_ns = before_ns - trace_ns if trace_ns < before_ns else trace_ns - after_ns
        raise ClockWrong(f"the browser's trace is on another clock than this process: {apart_ns / 1e6:.3f} ms apart")
