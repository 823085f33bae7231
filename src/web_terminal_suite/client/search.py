"""Finding a byte marker in output that arrives in pieces. No I/O."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Chunk(NamedTuple):
    """Terminal bytes from absolute ``offset`` on, and when their frame arrived."""

    seen_ns: int
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


class Found(NamedTuple):
    """``offset`` is the one just behind the marker; ``output`` all before the marker, where it was asked to be kept."""

    seen_ns: int
    offset: int
    output: bytes


class Search:
    """Looks for ``marker`` across chunk borders; each byte is looked at once, however small the chunks.

    An empty marker is never found: such a search only swallows. With ``keep`` what lies before the marker is kept.
    """

    __slots__ = ("_kept", "_tail", "found", "marker")

    def __init__(self, marker: bytes, keep: bool = False) -> None:
        self.marker = marker
        self.found: Found | None = None
        self._tail = b""
        self._kept: deque[bytes] | None = deque() if keep else None

    def feed(self, chunk: Chunk) -> Chunk | None:
        """Look into the next chunk; what lies behind the marker comes back."""
        if not self.marker:
            return None
        # The marker may begin in what came before, so the last bytes of that are looked at again.
        joined = self._tail + chunk.data
        at = joined.find(self.marker)
        if at < 0:
            self._tail = joined[max(0, len(joined) - len(self.marker) + 1) :]
            if self._kept is not None:
                self._kept.append(chunk.data)
            return None
        behind = at + len(self.marker) - len(self._tail)
        rest = chunk.data[behind:]
        self.found = Found(chunk.seen_ns, chunk.offset + behind, self._output(chunk.data[:behind]))
        return Chunk(chunk.seen_ns, chunk.offset + behind, rest) if rest else None

    def _output(self, last: bytes) -> bytes:
        if self._kept is None:
            return b""
        return b"".join((*self._kept, last))[: -len(self.marker)]
