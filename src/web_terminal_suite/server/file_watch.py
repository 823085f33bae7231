"""Notices that a file was changed, replaced, made or removed, without looking at it again and again (inotify(7))."""

from __future__ import annotations

import ctypes
import os

_CLOSE_WRITE, _ATTRIB, _MOVED, _CREATE, _DELETE = 0x8, 0x4, 0x40 | 0x80, 0x100, 0x200
_EVENTS = _CLOSE_WRITE | _ATTRIB | _MOVED | _CREATE | _DELETE
_READ_BYTES = 64 * 1024


class FileWatch:
    """Watches ``path`` by its directory, since files are replaced. Readable when something happened there.

    Raises:
        OSError: the directory cannot be watched.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        directory = os.path.dirname(os.path.abspath(path))
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(directory), _EVENTS) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, os.strerror(number), directory)
        self._seen = self._signature()

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Watch no longer."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def changed(self) -> bool:
        """Whether the file is another one than at the last call, or has other content."""
        try:
            while os.read(self._fd, _READ_BYTES):
                pass
        except BlockingIOError:
            pass
        before, self._seen = self._seen, self._signature()
        return before != self._seen

    def _signature(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path)
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
