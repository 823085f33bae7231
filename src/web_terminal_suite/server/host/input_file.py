"""Input that a host has to type for a program that does not read, in a memfd that the supervisor has open as well.

Its file offset says how far the terminal has taken it. ``sendfile(2)`` moves the offset by exactly what it wrote, also
when the process is killed, and all processes with the same open file share it: another host goes on at the byte.

Layout: a word that says where the first record begins that matters; then the records, each a header and its bytes.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from web_terminal_suite.server.client_input import ClientInput
from web_terminal_suite.server.input_queue import NO_PLACE
from web_terminal_suite.server.log import CLIENTS

if TYPE_CHECKING:
    from web_terminal_suite.server.log import Log
    from web_terminal_suite.server.pty import Pty

_FIRST = struct.Struct("<Q")
# Place, id, start, bytes and skip. An id of 0 is no record.
_HEADER = struct.Struct("<qQQQQ")
# Records begin at a multiple of this, so that none of their headers lies in two pages.
_ALIGNMENT = 64
# Memory is given back when so much was typed.
_GIVE_BACK_BYTES = 1 << 20


class BadInputFile(Exception):
    """A file is not one that a host wrote."""


class _Record(NamedTuple):
    """Bytes at ``at`` in the file; in the client's own count they begin at ``start``."""

    header: int
    client: ClientInput | None
    start: int
    at: int
    length: int
    skip: int

    @property
    def end(self) -> int:
        return self.at + self.length


class InputFile:
    """What the host has to type in one session. Owns ``fd``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.clients: dict[int, ClientInput] = {}
        """The clients of whom there is something, by their place."""
        self.held_bytes = 0
        self._records: deque[_Record] = deque()
        self._ids: set[int] = set()
        self._at = os.lseek(fd, 0, os.SEEK_CUR)
        self._end = _ALIGNMENT
        self._given_back = _ALIGNMENT

    @classmethod
    def create(cls) -> InputFile:
        """An empty one.

        Raises:
            OSError: there is no descriptor or no memory for it.
        """
        fd = os.memfd_create("web-terminal-input", os.MFD_CLOEXEC)
        try:
            os.pwrite(fd, _FIRST.pack(_ALIGNMENT), 0)
            os.lseek(fd, _ALIGNMENT, os.SEEK_SET)
            return cls(fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def adopt(cls, fd: int, log: Log) -> InputFile:
        """The file of another host, whose clients' counts are brought up to date in ``log``.

        ``fd`` is closed where it fails.

        Raises:
            BadInputFile: it has something else in it.
        """
        try:
            file = cls(fd)
            file._read_records(log)
        except (OSError, struct.error, BadInputFile) as error:
            os.close(fd)
            raise BadInputFile(str(error)) from error
        return file

    def _read_records(self, log: Log) -> None:
        size = os.fstat(self.fd).st_size
        (header,) = _FIRST.unpack(os.pread(self.fd, _FIRST.size, 0))
        if header % _ALIGNMENT or not _ALIGNMENT <= header <= size + _ALIGNMENT:
            raise BadInputFile(f"its records cannot begin at {header} of {size} bytes")
        while header + _HEADER.size <= size:
            place, id_, start, length, skip = _HEADER.unpack(os.pread(self.fd, _HEADER.size, header))
            if not id_:
                break  # the host died while it wrote it
            if not NO_PLACE <= place < CLIENTS or length > size:
                raise BadInputFile(f"no record of input lies at {header} of {size} bytes")
            client = None if place == NO_PLACE else self.clients.get(place) or ClientInput(log, place)
            record = _Record(header, client, start, header + _HEADER.size, length, skip)
            self._add(record, id_)
            header = self._end
        self.held_bytes = sum(each.end - max(each.at, self._at) for each in self._records if each.end > self._at)
        self._count_typed()

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    def keep(self, id: int, client: ClientInput | None, data: bytes, skip: int) -> None:
        """Add ``data`` behind everything else; ``skip`` as in ``HeldInput``. ``id`` tells it from any other.

        Raises:
            OSError: there is no memory for it; nothing was added.
        """
        header = self._end
        at = header + _HEADER.size
        start = client.accepted if client is not None else 0
        place = client.place if client is not None else NO_PLACE
        done = 0
        while done < len(data):
            done += os.pwrite(self.fd, data[done:], at + done)
        # Last, since a host that died had no record without its bytes.
        os.pwrite(self.fd, _HEADER.pack(place, id, start, len(data), skip), header)
        self._add(_Record(header, client, start, at, len(data), skip), id)

    def _add(self, record: _Record, id: int) -> None:
        self._records.append(record)
        self._ids.add(id)
        self.held_bytes += record.length
        self._end = -(-record.end // _ALIGNMENT) * _ALIGNMENT
        client = record.client
        if client is not None:
            self.clients[client.place] = client
            client.accept(max(0, record.start + record.length + record.skip - client.accepted))

    def write(self, pty: Pty) -> None:
        """Type what waits, as far as the terminal takes it."""
        while self._records:
            record = self._records[0]
            if self._at < record.at:
                self._at = os.lseek(self.fd, record.at, os.SEEK_SET)
            if self._at < record.end:
                taken = self._move(pty, record.end - self._at)
                if not taken:
                    break
                self._at += taken
                self.held_bytes -= taken
            self._count_typed()
        if self._at - self._given_back > _GIVE_BACK_BYTES:
            self._give_back()

    def _move(self, pty: Pty, count: int) -> int:
        """How many of the next ``count`` bytes the terminal took."""
        try:
            return os.sendfile(pty.fd, self.fd, None, count)  # None: from the file's own offset on
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EIO:  # as in Pty.write: no process reads it any more
                taken = count
            elif error.errno == errno.EINVAL:  # a kernel whose terminals cannot; a kill in between types it twice
                taken = pty.write(os.pread(self.fd, count, self._at))
            else:
                raise
        os.lseek(self.fd, taken, os.SEEK_CUR)
        return taken

    def drop(self) -> None:
        """Count everything as taken."""
        self._at = os.lseek(self.fd, self._end, os.SEEK_SET)  # first, so that no other host types it
        self.held_bytes = 0
        self._count_typed()

    def _count_typed(self) -> None:
        """Count what lies before the offset as taken; done twice it has no effect."""
        while self._records:
            record = self._records[0]
            if self._at < record.at:
                return
            done = min(self._at - record.at, record.length)
            is_whole = done == record.length
            if record.client is not None:
                record.client.settle_to(record.start + done + (record.skip if is_whole else 0))
            if not is_whole:
                return
            self._records.popleft()

    def _give_back(self) -> None:
        """Free the memory of what was typed, except the first page."""
        first = self._records[0].header if self._records else self._end
        os.pwrite(self.fd, _FIRST.pack(first), 0)
        end = first // mmap.PAGESIZE * mmap.PAGESIZE
        with contextlib.suppress(OSError), mmap.mmap(self.fd, 0) as memory:
            memory.madvise(mmap.MADV_REMOVE, mmap.PAGESIZE, end - mmap.PAGESIZE)
        self._given_back = self._at

    def close(self) -> None:
        """Close the file; other processes may have it still."""
        os.close(self.fd)
