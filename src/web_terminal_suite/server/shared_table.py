"""A table of bounded size from names to two numbers, in memory that processes share without locks.

A name is kept as a keyed digest, so nobody can choose names that displace others. Where its bucket is full, the entry
that was written longest ago makes room. Two processes that write one entry at the same time may lose one of both
writes, and one that dies while it writes may leave half of one: callers must tolerate that.
"""

from __future__ import annotations

import hashlib
import mmap
import secrets
from typing import NamedTuple

_WAYS = 8
_BUCKETS = 2048
_WORDS = 3  # of an entry: digest, first number, second number
_KEY_BYTES = 16
_HEAD_WORDS = 512  # one page, of which the key takes the beginning
CAPACITY = _WAYS * _BUCKETS
"""Names of one table."""
TABLE_BYTES = (_HEAD_WORDS + CAPACITY * _WORDS) * 8


class Entry(NamedTuple):
    """``changed`` is a time in ms that grows, ``value`` a number of 63 bits."""

    changed: int
    value: int


class SharedTable:
    """One table in ``memory`` of ``TABLE_BYTES``, which is zeros at first; without, in memory of its own."""

    def __init__(self, memory: memoryview | None = None) -> None:
        whole = memory if memory is not None else memoryview(mmap.mmap(-1, TABLE_BYTES))
        self._key = whole[:_KEY_BYTES]
        self._words = whole.cast("Q")
        if not any(self._key):
            self._key[:] = secrets.token_bytes(_KEY_BYTES)

    def get(self, name: str) -> Entry | None:
        """What is kept of ``name``."""
        digest, first = self._place(name)
        for at in range(first, first + _WAYS * _WORDS, _WORDS):
            if self._words[at] == digest:
                return Entry(self._words[at + 1], self._words[at + 2])
        return None

    def put(self, name: str, entry: Entry) -> None:
        """Keep this of ``name``, for as long as there is room."""
        digest, first = self._place(name)
        places = range(first, first + _WAYS * _WORDS, _WORDS)
        at = next((at for at in places if self._words[at] == digest), None)
        if at is None:
            at = min(places, key=lambda at: self._words[at + 1] if self._words[at] else -1)
        self._words[at], self._words[at + 1], self._words[at + 2] = digest, entry.changed, entry.value

    def _place(self, name: str) -> tuple[int, int]:
        """The digest of a name, which is never 0, and where its bucket begins."""
        digest = (
            int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=bytes(self._key)).digest(), "big") or 1
        )
        return digest, _HEAD_WORDS + digest % _BUCKETS * _WAYS * _WORDS
