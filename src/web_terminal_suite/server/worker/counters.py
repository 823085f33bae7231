"""Counters of all workers, in memory they share, so that any of them can answer for the whole server.

Each worker has a row and only writes there; totals of a worker that is gone stay. Made by the supervisor. Behind the
rows are the tables in which the workers count addresses together.
"""

from __future__ import annotations

import mmap
import os

from web_terminal_suite.server.shared_table import TABLE_BYTES, SharedTable

# Two generations of the most workers there may be. A row is one living worker's; the next one goes on counting in it.
ROWS = 128
NAMES = (
    "connections_opened",
    "connections_closed",
    "messages_received",
    "messages_sent",
    "input_bytes",
    "output_bytes",
    "gaps",
    "errors",
    "authentications_failed",
)


_TABLES = 2
_TABLES_AT = -(-ROWS * len(NAMES) * 8 // mmap.PAGESIZE) * mmap.PAGESIZE
_BYTES = _TABLES_AT + _TABLES * TABLE_BYTES


def counters_memory() -> int:
    """A memfd with room for every row and the tables."""
    fd = os.memfd_create("web-terminal-counters", os.MFD_CLOEXEC)
    os.ftruncate(fd, _BYTES)
    return fd


def shared_tables(fd: int) -> tuple[SharedTable, ...]:
    """The tables of all workers: of logins, and of connections."""
    if os.fstat(fd).st_size < _BYTES:  # made by a supervisor of a version that had none
        os.ftruncate(fd, _BYTES)
    places = (_TABLES_AT + number * TABLE_BYTES for number in range(_TABLES))
    return tuple(SharedTable(memoryview(mmap.mmap(fd, TABLE_BYTES, offset=at))) for at in places)


class Counters:
    """One worker's row, written by adding to ``row[Counters.NAME]``; ``totals`` sums every worker's."""

    CONNECTIONS_OPENED, CONNECTIONS_CLOSED, MESSAGES_RECEIVED, MESSAGES_SENT = range(4)
    INPUT_BYTES, OUTPUT_BYTES, GAPS, ERRORS, AUTHENTICATIONS_FAILED = range(4, 9)

    def __init__(self, fd: int, row: int) -> None:
        self._all = memoryview(mmap.mmap(fd, ROWS * len(NAMES) * 8)).cast("Q")
        first = (row % ROWS) * len(NAMES)
        self.row = self._all[first : first + len(NAMES)]
        # Connections of the one that had this row before went with it.
        self.row[self.CONNECTIONS_CLOSED] = self.row[self.CONNECTIONS_OPENED]

    def totals(self) -> dict[str, int]:
        """Every counter by name, over all workers since the server's start."""
        return {name: sum(self._all[i :: len(NAMES)]) for i, name in enumerate(NAMES)}
