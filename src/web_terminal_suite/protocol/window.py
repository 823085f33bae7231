"""Credit arithmetic on absolute offsets.

Acknowledgements name an absolute offset, so one that repeats or comes late does no harm.
"""

from __future__ import annotations

from web_terminal_suite.protocol.errors import OutOfRange


class Window:
    """How much a viewer may still be sent. Invariant: ``acked <= sent <= acked + skipped + limit``.

    ``skipped`` counts the bytes between ``acked`` and ``sent`` that were never sent.
    """

    __slots__ = ("_gaps", "acked", "limit", "sent", "skipped")

    def __init__(self, limit: int, start: int) -> None:
        self.limit = limit
        self.sent = start
        self.acked = start
        self.skipped = 0
        self._gaps: tuple[tuple[int, int], ...] = ()

    def room(self) -> int:
        """Bytes that may be sent now."""
        return self.limit - (self.sent - self.acked - self.skipped)

    def skip(self, offset: int) -> None:
        """Move past bytes that can no longer be sent (a gap): they need no acknowledgement."""
        if self.acked == self.sent:
            self.acked = offset
        else:
            self._gaps = (*self._gaps, (self.sent, offset))
            self.skipped += offset - self.sent
        self.sent = offset

    def ack(self, offset: int) -> None:
        """Note that everything before ``offset`` was drawn.

        Raises:
            OutOfRange: the client acknowledges what it was never sent.
        """
        if offset > self.sent:
            raise OutOfRange(f"ack of offset {offset} lies beyond the {self.sent} bytes sent")
        if offset > self.acked:
            self.acked = offset
            while self._gaps and offset >= self._gaps[0][0]:
                (start, end), *rest = self._gaps
                self._gaps = tuple(rest)
                self.skipped -= end - start
                self.acked = max(self.acked, end)
