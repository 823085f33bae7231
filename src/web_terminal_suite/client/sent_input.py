"""Input that was sent and that the program's terminal may not have taken: kept, so that it can be sent again."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from web_terminal_suite.client.errors import Violated

# Eight times what a server keeps for a program that does not read.
LIMIT_BYTES: Final = 8 << 20
# What surrounds a paste where the program asked for it (xterm's control sequences, bracketed paste mode).
_BEGIN: Final = b"\x1b[200~"
_END: Final = b"\x1b[201~"
_BRACKET: Final = re.compile(rb"\x1b\[20[01]~")


class SentInput:
    """One client's input of one session, numbered by bytes. ``acked`` is how far the terminal took it."""

    def __init__(self) -> None:
        self.acked = 0
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._pastes = _Pastes()

    @property
    def end(self) -> int:
        """The number of the next byte."""
        return self.acked + self._kept_bytes

    def __len__(self) -> int:
        """Bytes that may have to be sent again."""
        return self._kept_bytes

    def add(self, data: bytes) -> int:
        """Keep ``data``; the number of its first byte.

        Raises:
            RuntimeError: too much is kept already.
        """
        if self._kept_bytes + len(data) > LIMIT_BYTES:
            raise RuntimeError(f"{self._kept_bytes} bytes of input are not acknowledged; at most {LIMIT_BYTES} may be")
        offset = self.end
        self._kept.append(data)
        self._kept_bytes += len(data)
        self._pastes.note(data, offset)
        return offset

    def ack(self, offset: int) -> None:
        """The terminal took everything before ``offset``. One that came before says nothing new.

        Raises:
            Violated: so much was never sent.
        """
        if offset > self.end:
            raise Violated(f"input acknowledged up to {offset}, but only {self.end} bytes were sent")
        while self.acked < offset:
            first = self._kept.popleft()
            part = min(len(first), offset - self.acked)
            self.acked += part
            self._kept_bytes -= part
            if part < len(first):
                self._kept.appendleft(first[part:])

    def again(self, offset: int) -> bytes:
        """What to send again where the server has everything before ``offset``.

        Raises:
            Violated: so much was never sent.
        """
        if offset > self.end:
            raise Violated(f"the server has {offset} bytes of input, but only {self.end} were sent")
        return b"".join(self._kept)[offset - self.acked :]

    def cut(self, offset: int) -> bytes:
        """Forget what the server does not have, from ``offset`` on; what to type so that no paste stays open."""
        kept = b"".join(self._kept)[: offset - self.acked]
        ending = self._pastes.ending(offset)
        self._kept = deque([kept] if kept else [])
        self._kept_bytes = len(kept)
        self._pastes = _Pastes()
        return ending

    def forget(self, offset: int) -> int:
        """The server has forgotten this client and numbers from ``offset`` on; how many bytes may be lost."""
        lost = self._kept_bytes
        self._kept.clear()
        self._kept_bytes = 0
        self.acked = offset
        self._pastes = _Pastes()
        return lost


class _Pastes:
    """Where the last paste with brackets lies in the input. Pastes before it ended, or a program took it for text."""

    def __init__(self) -> None:
        self._begin: int | None = None
        self._end: int | None = None
        self._tail = b""

    def note(self, data: bytes, offset: int) -> None:
        """``data`` is typed at ``offset``."""
        at = offset - len(self._tail)
        data = self._tail + data
        for found in _BRACKET.finditer(data):
            if found[0] == _BEGIN:
                self._begin, self._end = at + found.start(), None
            elif self._end is None:
                self._end = at + found.end()
        self._tail = data[-(len(_END) - 1) :]

    def ending(self, offset: int) -> bytes:
        """What ends the paste that a program is left in where nothing from ``offset`` on arrives."""
        if self._begin is None or offset <= self._begin or (self._end is not None and offset >= self._end):
            return b""
        # A bracket that was cut in two is completed.
        begun = _BEGIN[offset - self._begin :]
        left = len(_END) if self._end is None else self._end - offset
        return begun + _END[max(0, len(_END) - left) :]
