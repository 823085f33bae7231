"""How far the input of one client of a session has come: a row of counters in the memory that processes share.

A client numbers the bytes that it types, and sends again what no terminal took. What it sent twice is dropped here.
The count of bytes that the terminal took outlives the process that wrote them: it lies next to the session's log.

A process may be killed between its write to the terminal and the count of it. So a worker types through a pipe of
which the host has the other end: it puts the bytes into the pipe, *claims* how far the terminal will have taken them,
and moves them with ``splice(2)``, which takes out of the pipe exactly what the terminal takes. The claim of
a worker that was killed is settled by counting what the pipe still holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.errors import OutOfRange
from web_terminal_suite.server.log import CLIENTS

if TYPE_CHECKING:
    from web_terminal_suite.server.log import Log
    from web_terminal_suite.server.pty import Pty

# The words of a row.
_KEY, _TAKEN, _CLAIMED, _SERIAL = range(4)
# Half of what a pipe holds, so that it always has room for it.
_PIECE_BYTES = 32 * 1024


class ClientInput:
    """One client's row in the log's memory, and how much of its input this process has accepted.

    ``last`` is for the queue that holds what the terminal has not taken. ``acked`` and ``acked_at`` are what the client
    was told and when; ``noted`` is whether somebody sees to the rest.
    """

    __slots__ = ("_accepted", "_at", "_words", "acked", "acked_at", "last", "noted", "place")

    def __init__(self, log: Log, place: int, accepted: int | None = None) -> None:
        self._words = log.words
        self._at = log.client_at(place)
        self.place = place
        self._accepted = self.taken if accepted is None else accepted
        self.acked = 0
        self.acked_at = 0.0
        self.noted = False
        self.last: list[object] | None = None

    @property
    def words(self) -> memoryview:
        """Where the counters are, for the fast path."""
        return self._words

    @property
    def taken_at(self) -> int:
        """The place in ``words`` of the bytes that the terminal took, with those that are claimed behind it."""
        return self._at + _TAKEN

    @property
    def taken(self) -> int:
        """Bytes of this client's input that the terminal took, or that were dropped."""
        return int(self._words[self._at + _TAKEN])

    @property
    def accepted(self) -> int:
        """Bytes of this client's input that are not to be sent again: taken, or waiting."""
        return max(self._accepted, self.taken)

    def news(self, offset: int, data: bytes) -> bytes:
        """What of ``data``, numbered from ``offset`` on, did not come before.

        Raises:
            OutOfRange: something in front of it never came.
        """
        accepted = self.accepted
        if offset > accepted:
            raise OutOfRange(f"input at offset {offset} is beyond the {accepted} bytes that came before it")
        return data[accepted - offset :] if offset < accepted else data

    def accept(self, count: int) -> None:
        """The next ``count`` bytes are here."""
        self._accepted = self.accepted + count

    def settle(self, count: int) -> None:
        """The next ``count`` bytes were taken or dropped."""
        self._words[self._at + _TAKEN] += count

    def settle_to(self, total: int) -> None:
        """The first ``total`` bytes were taken or dropped."""
        at = self._at + _TAKEN
        self._words[at] = max(total, self._words[at])

    def type(self, pty: Pty, data: bytes | memoryview, pipe: InputPipe | None) -> int:
        """How many bytes the terminal took."""
        if pipe is None:
            taken = pty.write(data)
            self.settle(taken)
            return taken
        done = 0
        while done < len(data):
            count = pipe.put(data[done : done + _PIECE_BYTES])
            before = self.taken
            self._words[self._at + _CLAIMED] = before + count
            taken = pipe.move(pty, count)
            self._words[self._at + _TAKEN] = before + taken
            self._words[self._at + _CLAIMED] = 0
            done += taken
            if taken < count:
                pipe.empty(count - taken)
                break
        return done

    def settle_claim(self, unread: int) -> None:
        """The process that typed is gone and left ``unread`` bytes in its pipe: count what it had no time to count."""
        claimed = self._words[self._at + _CLAIMED]
        if claimed:
            self._words[self._at + _TAKEN] = claimed - unread
            self._words[self._at + _CLAIMED] = 0


class InputPipe:
    """A worker's pipe to the terminals of one host. The host has ``receiver`` too.

    Raises:
        OSError: no descriptor is left.
    """

    def __init__(self) -> None:
        self.receiver, self.sender = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._splices = True

    def put(self, data: bytes | memoryview) -> int:
        """How many bytes are in the pipe, which was empty."""
        return os.write(self.sender, data)

    def move(self, pty: Pty, count: int) -> int:
        """How many of ``count`` bytes in the pipe the terminal took."""
        try:
            return os.splice(self.receiver, pty.fd, count) if self._splices else self._copy(pty, count)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EIO:  # as in Pty.write: no process reads it any more
                self.empty(count)
                return count
            if error.errno != errno.EINVAL:
                raise
            self._splices = False  # a kernel whose terminals cannot: a kill in between leaves the claim as it is
            return self._copy(pty, count)

    def _copy(self, pty: Pty, count: int) -> int:
        data = os.read(self.receiver, count)
        taken = pty.write(data)
        if taken < count:
            self.put(data[taken:])
        return taken

    def empty(self, count: int) -> None:
        """Drop what the terminal did not take; its owner has it still."""
        os.read(self.receiver, count)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.receiver)
        os.close(self.sender)


def unread_in(receiver: int) -> int:
    """How many bytes a pipe holds; 0 where there is none."""
    if receiver < 0:
        return 0
    (count,) = struct.unpack("i", fcntl.ioctl(receiver, termios.FIONREAD, bytes(4)))
    return int(count)


def place_of(log: Log, key: int, free: set[int]) -> int:
    """The place of the client with ``key``: its own, or the one of ``free`` that was given longest ago; else -1.

    A place that is given anew forgets the client that had it.
    """
    log.note_client()
    words = log.words
    rows = [log.client_at(place) for place in range(CLIENTS)]
    serial = max(words[at + _SERIAL] for at in rows) + 1
    for place, at in enumerate(rows):
        if words[at + _KEY] == key and words[at + _SERIAL]:
            words[at + _SERIAL] = serial
            return place
    if not free:
        return -1
    place = min(free, key=lambda each: words[rows[each] + _SERIAL])
    at = rows[place]
    words[at + _TAKEN] = words[at + _CLAIMED] = 0
    words[at + _KEY], words[at + _SERIAL] = key, serial
    return place
