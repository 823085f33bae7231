"""Bounded output logs, addressed by absolute byte offset, in memory that processes share.

An ``Arena`` is one memfd with room for several logs, so that handing a log to another process costs no descriptor of
its own. A ``Log`` is one slot of it: a ring of ``capacity`` bytes and two counters. One process at a time writes a
log (it *pumps* the session); any process that maps the arena may follow it with a cursor.

Layout: for each slot two counters of 8 bytes, two *holes* and its *opening*, the first bytes of the session's output;
then for each slot its *clients*, which are ``client_input``'s; then the rings, where the rest of the output goes round.
Most sessions of a full server have written little more than a prompt, and eight of those share a page, where a ring
would take one each. The writer first raises ``claimed`` over the bytes it is about to overwrite, then writes, then
publishes ``end``. A reader copies, then looks at ``claimed`` again: what it copied is good only if it was not claimed
meanwhile.

A pump claims before it reads the terminal. If it is killed in between, what it read is nowhere: the next pump moves
``end`` up to ``claimed`` and notes the range as a hole, which no reader may copy.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ARENA_SLOTS = 64
_SLOT_HEAD_BYTES = 512
_WORDS_PER_SLOT = _SLOT_HEAD_BYTES // 8
_OPENING_AT = 64
# Ranges that a slot has room for, two words each, and the first of these words.
_HOLES = 2
_HOLES_AT = 4
OPENING_BYTES = _SLOT_HEAD_BYTES - _OPENING_AT
# Clients whose input is acknowledged, with these words each.
CLIENTS = 8
CLIENT_WORDS = 4
_CLIENTS_BYTES = CLIENTS * CLIENT_WORDS * 8
# The word of a slot's head that says whether there ever were any.
_HAS_CLIENTS = 2
_CLIENTS_AT = ARENA_SLOTS * _SLOT_HEAD_BYTES
_HEAD_BYTES = _CLIENTS_AT + ARENA_SLOTS * _CLIENTS_BYTES
PAGE_BYTES = mmap.PAGESIZE


class Overrun(Exception):
    """The bytes asked for fell out of the log, or were never in it; ``start`` is the next offset that it holds."""

    def __init__(self, start: int) -> None:
        super().__init__(f"offset is not in the log, which goes on at {start}")
        self.start = start


def arena_bytes(capacity: int) -> int:
    """The size of an arena's memfd."""
    return _HEAD_BYTES + ARENA_SLOTS * capacity


class Arena:
    """Memory for ``ARENA_SLOTS`` logs of ``capacity`` bytes each, a multiple of the page size.

    Owns ``fd``, a memfd, which is -1 in a process that only maps it. It is closed where the mapping fails.

    Raises:
        OSError: the memory cannot be mapped.
    """

    def __init__(self, fd: int, capacity: int, *, keep_fd: bool) -> None:
        self.capacity = capacity
        try:
            self._map = mmap.mmap(fd, arena_bytes(capacity), mmap.MAP_SHARED)
        except BaseException:
            os.close(fd)
            raise
        self.view = memoryview(self._map)
        self.words = self.view[:_HEAD_BYTES].cast("Q")
        self.fd = fd
        if not keep_fd:
            os.close(fd)
            self.fd = -1

    @classmethod
    def create(cls, capacity: int) -> Arena:
        """A new arena, all zeros; pages cost memory only once they are written.

        Raises:
            OSError: there is no descriptor or no memory for it.
        """
        if capacity <= 0 or capacity % PAGE_BYTES:
            raise ValueError(f"log capacity of {capacity} bytes is not a positive multiple of {PAGE_BYTES}")
        fd = os.memfd_create("web-terminal-logs", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, arena_bytes(capacity))
        except OSError:
            os.close(fd)
            raise
        return cls(fd, capacity, keep_fd=True)

    @classmethod
    def receive(cls, fd: int, capacity: int) -> Arena:
        """Map an arena another process made; closes ``fd``.

        Raises:
            OSError: it cannot be mapped.
        """
        return cls(fd, capacity, keep_fd=False)

    def log(self, slot: int) -> Log:
        """The log in ``slot``."""
        if not 0 <= slot < ARENA_SLOTS:
            raise ValueError(f"slot {slot} is not below {ARENA_SLOTS}")
        return Log(self, slot)

    def clear(self, slot: int) -> None:
        """Give a slot's memory back to the kernel and set its counters to zero. The slot must not be in use."""
        self._map.madvise(mmap.MADV_REMOVE, _HEAD_BYTES + slot * self.capacity, self.capacity)
        if self.words[slot * _WORDS_PER_SLOT + _HAS_CLIENTS]:  # even to read a page takes memory
            at = _CLIENTS_AT + slot * _CLIENTS_BYTES
            self.view[at : at + _CLIENTS_BYTES] = bytes(_CLIENTS_BYTES)
        self.view[slot * _SLOT_HEAD_BYTES : (slot + 1) * _SLOT_HEAD_BYTES] = bytes(_SLOT_HEAD_BYTES)

    def close(self) -> None:
        """Unmap; every log of it must be gone."""
        self.words.release()
        self.view.release()
        self._map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Places(NamedTuple):
    """Where a log lies in its arena: both counters in ``words``, the first bytes of opening and ring in ``view``."""

    words: memoryview
    view: memoryview
    end: int
    claimed: int
    opening: int
    ring: int


class Log:
    """One session's output. Offsets count from the first byte the session ever wrote."""

    __slots__ = ("_claimed", "_end", "_holes", "_opening", "_ring", "_view", "_words", "capacity", "slot")

    def __init__(self, arena: Arena, slot: int) -> None:
        self._words = arena.words
        self._view = arena.view
        self.slot = slot
        self.capacity = arena.capacity
        self._opening = slot * _SLOT_HEAD_BYTES + _OPENING_AT
        self._ring = _HEAD_BYTES + slot * arena.capacity
        self._end = slot * _WORDS_PER_SLOT
        self._claimed = self._end + 1
        self._holes = self._end + _HOLES_AT

    @property
    def places(self) -> Places:
        """For a pump that appends by itself, as ``fill`` does: claim, write, publish."""
        return Places(self._words, self._view, self._end, self._claimed, self._opening, self._ring)

    @property
    def words(self) -> memoryview:
        """The counters of all logs of the arena, for ``client_input``."""
        return self._words

    def note_client(self) -> None:
        """A client is about to be written down."""
        self._words[self._end + _HAS_CLIENTS] = 1

    @property
    def has_clients(self) -> bool:
        """Whether there ever was a client whose input is numbered."""
        return bool(self._words[self._end + _HAS_CLIENTS])

    def client_at(self, place: int) -> int:
        """The first of the words in ``words`` of the client in ``place``."""
        return (_CLIENTS_AT + self.slot * _CLIENTS_BYTES) // 8 + place * CLIENT_WORDS

    @property
    def end(self) -> int:
        """One past the last byte."""
        return self._words[self._end]

    @property
    def start(self) -> int:
        """The oldest byte that can still be read."""
        return max(0, self._words[self._claimed] - self.capacity)

    def recover(self) -> int:
        """Begin to write in the place of a process that may have been killed; the bytes that it lost, at most.

        They become a hole. When there are too many, the two oldest become one, and what lies between them is lost too.
        """
        words = self._words
        end, claimed = words[self._end], words[self._claimed]
        if claimed <= end:
            return 0
        holes = [each for each in self.holes() if each[1] > claimed - self.capacity]
        holes.append((end, claimed))
        if len(holes) > _HOLES:
            holes[:2] = [(holes[0][0], holes[1][1])]
        # Readers look at the newest first: it is written before there is anything to read behind it.
        holes = [(0, 0)] * (_HOLES - len(holes)) + holes
        for index, (start, stop) in enumerate(reversed(holes)):
            words[self._holes + 2 * index] = start
            words[self._holes + 2 * index + 1] = stop
        words[self._end] = claimed
        return claimed - end

    def holes(self) -> list[tuple[int, int]]:
        """The ranges that were never written, the oldest first."""
        words, at = self._words, self._holes
        return [
            (words[at + 2 * index], words[at + 2 * index + 1])
            for index in reversed(range(_HOLES))
            if words[at + 2 * index + 1]
        ]

    def end_from(self, offset: int) -> int:
        """Up to where one copy may go that begins at ``offset``: to the end, or to the next hole."""
        if offset < self._words[self._holes + 1]:
            for start, _stop in self.holes():
                if offset < start:
                    return start
        return self._words[self._end]

    def fill(self, read_into: Callable[[Sequence[memoryview]], int], limit_bytes: int) -> int:
        """Let ``read_into`` write straight into the ring; the bytes appended, as it returned them.

        Its exceptions pass through, and nothing is appended then.
        """
        words = self._words
        end = words[self._end]
        words[self._claimed] = end + limit_bytes
        count = 0
        try:
            count = read_into(self._places_of(end, limit_bytes))
        finally:
            words[self._end] = end + count
            words[self._claimed] = end + count
        return count

    def append(self, data: bytes) -> None:
        """Add bytes that are in memory already; at most ``capacity`` of them."""

        def take(views: Sequence[memoryview]) -> int:
            done = 0
            for view in views:
                view[:] = data[done : done + len(view)]
                done += len(view)
            return done

        self.fill(take, len(data))

    def append_to(self, buffer: bytearray, offset: int, count: int) -> None:
        """Add ``count`` bytes from ``offset`` on to ``buffer``; the caller checked that they lie before ``end_from``.

        Raises:
            Overrun: they are (or became, while they were copied) older than the log, or ``offset`` is in a hole;
                ``buffer`` is as before.
        """
        if offset < self._words[self._holes + 1]:  # before the end of the newest hole
            for start, stop in self.holes():
                if start <= offset < stop:
                    raise Overrun(max(stop, self.start))
        size = len(buffer)
        self._copy(buffer, offset, count)
        if offset < self.start:
            del buffer[size:]
            raise Overrun(self.start)

    def read(self, offset: int, count: int) -> bytes:
        """As ``append_to``, but gives the bytes, cut at ``end_from``."""
        buffer = bytearray()
        self.append_to(buffer, offset, min(count, self.end_from(offset) - offset))
        return bytes(buffer)

    def _copy(self, buffer: bytearray, offset: int, count: int) -> None:
        # In a frame of its own: a view that an exception's traceback held would keep the arena from closing.
        for place in self._places_of(offset, count):
            buffer += place

    def _places_of(self, offset: int, count: int) -> list[memoryview]:
        """The memory of these bytes, in order: opening, ring to its end, ring from its beginning."""
        view, places = self._view, []
        if offset < OPENING_BYTES:
            first = self._opening + offset
            part = min(count, OPENING_BYTES - offset)
            places.append(view[first : first + part])
            offset += part
            count -= part
        if count:
            at = (offset - OPENING_BYTES) % self.capacity
            first = self._ring + at
            part = min(count, self.capacity - at)
            places.append(view[first : first + part])
            if part < count:
                places.append(view[self._ring : self._ring + count - part])
        return places
