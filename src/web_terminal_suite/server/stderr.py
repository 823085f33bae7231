"""Standard error that never makes its writer wait: what its reader does not take is kept up to a bound, then dropped.

A process of the server that waited for the reader of its log would stop every terminal. Drops are counted, and the
first line after them says how many there were. Knows nothing of what is written.
"""

from __future__ import annotations

import errno
import io
import os
import select
import socket
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDERR = 2
WAITING_BYTES = 64 * 1024
# A pipe that is ready takes as much without waiting (pipe(7), PIPE_BUF).
_PIECE_BYTES = 4096


class UnblockedStderr(io.RawIOBase):
    """A file whose ``write`` takes all and returns at once. What waits goes out before what is written next."""

    def __init__(self, fd: int = STDERR) -> None:
        self._waiting = bytearray()
        self._dropped_lines = 0
        self._fd = fd
        self._own = -1
        self._socket: socket.socket | None = None
        self.open_again()

    def open_again(self) -> None:
        """Get a way of its own to the descriptor, which a forked process has lost."""
        if self._socket is not None:
            self._socket.detach()
        self._own, self._socket = -1, None
        try:
            mode = os.fstat(self._fd).st_mode
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(self._fd))
            elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
                # O_NONBLOCK on the descriptor itself would reach whatever else shares it, such as the user's shell.
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
                self._own = os.open(f"/proc/self/fd/{self._fd}", flags)
        except OSError:
            pass  # another user's terminal, a pipe without reader, no /proc: `_take` asks before it writes

    def close(self) -> None:
        """Close its own way to the descriptor, not the descriptor."""
        if self._socket is not None:
            self._socket.close()
        if self._own >= 0:
            os.close(self._own)
        self._own, self._socket = -1, None
        super().close()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: ReadableBuffer, /) -> int:
        """Write now, later, or never; the length of ``data``."""
        text = bytes(data)
        self._send()
        if self._dropped_lines and not self._waiting:
            self._waiting += b"%d lines of the log were dropped: standard error was not read\n" % self._dropped_lines
            self._dropped_lines = 0
        if self._dropped_lines or len(self._waiting) + len(text) > WAITING_BYTES:
            self._dropped_lines += text.count(b"\n")
        else:
            self._waiting += text
            self._send()
        return len(text)

    def _send(self) -> None:
        try:
            while self._waiting:
                taken = self._take(bytes(self._waiting[:_PIECE_BYTES]))
                if not taken:
                    return
                del self._waiting[:taken]
        except OSError as error:
            if error.errno != errno.EAGAIN:
                self._waiting.clear()  # nobody will ever read it

    def _take(self, piece: bytes) -> int:
        """How much of ``piece`` was taken at once.

        Raises:
            OSError: EAGAIN if nothing was, anything else if nothing ever will be.
        """
        if self._socket is not None:
            return self._socket.send(piece, socket.MSG_DONTWAIT)
        if self._own >= 0:
            return os.write(self._own, piece)
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return os.write(self._fd, piece) if poll.poll(0) else 0


def unblock() -> None:
    """Make ``sys.stderr`` one that never blocks, in this process from now on."""
    raw = getattr(sys.stderr, "buffer", None)
    if isinstance(raw, UnblockedStderr):
        raw.open_again()
    else:
        # The types know only buffered files here; text that is written through needs none (as with python -u).
        sys.stderr = io.TextIOWrapper(
            UnblockedStderr(),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
