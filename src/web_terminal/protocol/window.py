"""Credit arithmetic on absolute offsets.

Acknowledgements name an absolute offset, so one that repeats or comes late does no harm.
"""

from __future__ import annotations

from web_terminal.protocol.errors import OutOfRange


class Window:
    """How much a viewer may still be sent. Invariant: ``acked <= sent <= acked + limit``."""

    __slots__ = ("acked", "limit", "sent")

    def __init__(self, limit: int, start: int) -> None:
        self.limit = limit
        self.sent = start
        self.acked = start

    def room(self) -> int:
        """Bytes that may be sent now."""
        return self.limit - (self.sent - self.acked)

    def skip(self, offset: int) -> None:
        """Move past bytes that can no longer be sent (a gap): they need no acknowledgement."""
        if self.acked == self.sent or offset > self.sent + self.limit:
            self.acked = offset
        self.sent = offset
        self.acked = max(self.acked, offset - self.limit)

    def ack(self, offset: int) -> None:
        """Note that everything before ``offset`` was drawn.

        Raises:
            OutOfRange: the client acknowledges what it was never sent.
        """
        if offset > self.sent:
            raise OutOfRange(f"ack of offset {offset} lies beyond the {self.sent} bytes sent")
        if offset > self.acked:
            self.acked = offset
