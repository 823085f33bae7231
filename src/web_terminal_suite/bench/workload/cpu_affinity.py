"""CPU affinity: client and server on a processor each, while a ratio of microseconds is measured.

Where the scheduler puts two processes that wait for each other, on one processor or on two, changes a round trip of
30 us by a third, and it may choose one way for the floor and the other for what is compared with it. Linux only.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext


@contextmanager
def separate_processors(context: BenchmarkContext) -> Iterator[None]:
    """Pin this process to the first usable processor and the server to the last, if there are two."""
    usable = os.sched_getaffinity(0)
    server = context.running.process
    if server is None or len(usable) < 2:
        yield
        return
    os.sched_setaffinity(server.pid, {max(usable)})
    os.sched_setaffinity(0, {min(usable)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
        try:
            os.sched_setaffinity(server.pid, usable)
        except ProcessLookupError:
            pass  # it died meanwhile, which the runner notices
