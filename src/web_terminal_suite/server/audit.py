"""The audit log: one line of JSON for each event that says who came, was refused, or did something to a session.

A line never holds input, output or credentials. It is ASCII and one line whatever a client sent, and its first keys
always stand in the same order, so that a filter which reads from the left cannot be misled by what follows. Several
processes write one file: a line is one write, and a file that was moved away is made again.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import socket
import sys
import time
from typing import Literal, Protocol

log = logging.getLogger("web_terminal_suite.audit")

Event = Literal[
    "login", "logout", "refused", "attach", "detach", "create", "end", "signal", "rename", "resize", "revoke"
]  # fmt: skip

STDERR, JOURNAL, NONE = "stderr", "journal", "none"
JOURNAL_SOCKET = "/run/systemd/journal/socket"

# What a client chose is cut here: a header may have kilobytes.
_TEXT_CHARACTERS = 200
# Refusals that are written at once; from then on they are slower. A stranger must not fill the disk.
REFUSALS = 1000
_REFUSALS_PER_SECOND = 2.0
# ASCII only, which escapes the line ends of Unicode and what a terminal would obey.
_encode = json.JSONEncoder(separators=(",", ":")).encode
# How often it is looked whether the file was moved away, and how often a failure to write is reported.
_LOOK_SECONDS = 1.0
_REPORT_SECONDS = 60.0


class AuditFailed(Exception):
    """The audit log cannot be written; the text says where and why."""


class _Destination(Protocol):
    def write(self, line: bytes) -> None: ...

    def close(self) -> None: ...


class AuditLog:
    """The log of one process. ``place`` is ``stderr``, ``journal``, ``none`` or a file's path.

    A file is opened at the first event and, after a failure, at the next: a process that holds sessions must start.
    """

    def __init__(self, place: str, journal: str = JOURNAL_SOCKET) -> None:
        self._destination = _destination(place, journal)
        self._allowance = float(REFUSALS)
        self._allowance_at = 0.0
        self._suppressed = 0
        self._lost = 0
        self._report_at = 0.0

    def note(
        self, event: Event, *, address: str = "", user: str = "", role: str = "", session: str = "", **details: object
    ) -> None:
        """Write one event; a failure to write is logged, and nobody waits for it."""
        if self._destination is None:
            return
        if event == "refused" and not self._may_refuse(time.monotonic()):
            self._suppressed += 1
            return
        if self._suppressed:
            details["suppressed"] = self._suppressed
            self._suppressed = 0
        head = {"address": address, "user": user, "role": role, "session": session}
        try:
            self._destination.write(line_of(event, time.time(), head | details))
        except OSError as error:
            self._report(error)

    def close(self) -> None:
        """Let go of the file or socket."""
        if self._destination is not None:
            self._destination.close()

    def check(self) -> None:
        """Whether the file can be opened, at the start of a server.

        Raises:
            AuditFailed: it cannot.
        """
        if isinstance(self._destination, _ToFile):
            self._destination.check()

    def _may_refuse(self, now: float) -> bool:
        filled = (now - self._allowance_at) * _REFUSALS_PER_SECOND
        self._allowance = min(float(REFUSALS), self._allowance + filled)
        self._allowance_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _report(self, error: OSError) -> None:
        self._lost += 1
        now = time.monotonic()
        if now >= self._report_at:
            self._report_at = now + _REPORT_SECONDS
            log.error("%d lines of the audit log were lost: %s", self._lost, (error.strerror or str(error)).lower())
            self._lost = 0


def line_of(event: str, seconds: float, fields: dict[str, object]) -> bytes:
    """The line of an event at ``seconds`` since the epoch, without its end."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    shown = {name: _shown(value) for name, value in fields.items()}
    content = {"time": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z", "event": event}
    return _encode(content | shown).replace("\x7f", "\\u007f").encode("ascii")


def _shown(value: object) -> object:
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else value


def _destination(place: str, journal: str) -> _Destination | None:
    if place == NONE:
        return None
    if place == STDERR:
        return _ToStderr()
    return _ToJournal(journal) if place == JOURNAL else _ToFile(place)


class _ToStderr:
    """With the log, whose writer never waits; what is not read is dropped there."""

    def write(self, line: bytes) -> None:
        sys.stderr.write(line.decode() + "\n")

    def close(self) -> None:
        pass


class _ToJournal:
    """systemd's journal, by its native protocol: a datagram of ``NAME=value`` lines."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def write(self, line: bytes) -> None:
        fields = (b"PRIORITY=6", b"SYSLOG_IDENTIFIER=web-terminal-audit", b"MESSAGE=" + line, b"")
        self._socket.sendto(b"\n".join(fields), socket.MSG_DONTWAIT, self._path)

    def close(self) -> None:
        self._socket.close()


class _ToFile:
    """A file that is only the account's unless it was made otherwise."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._fd = -1
        self._look_at = 0.0
        self._torn = False

    def check(self) -> None:
        try:
            self._open()
        except OSError as error:
            raise AuditFailed(f"audit log {self._path!r}: {(error.strerror or str(error)).lower()}") from error

    def _open(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def write(self, line: bytes) -> None:
        now = time.monotonic()
        if self._fd < 0 or now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            if self._fd < 0 or self._was_moved():
                self._open()
        data = b"\n" * self._torn + line + b"\n"
        written = os.write(self._fd, data)
        # Only a full disk cuts a write short; the next line must not be glued to the piece.
        self._torn = written < len(data)
        if self._torn:
            raise OSError(f"{self._path} took {written} of {len(data)} bytes; the disk may be full")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def _was_moved(self) -> bool:
        """Whether the path is another file by now, as after logrotate(8)."""
        try:
            found, own = os.stat(self._path), os.fstat(self._fd)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)
