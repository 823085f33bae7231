"""The supervisor's descriptor store: what the sessions of one PTY host consist of, held a second time.

A host that dies takes nothing with it that another one needs. Knows nothing of processes; a record is kept as it came.
"""

from __future__ import annotations

import logging
import os
import resource
from typing import TYPE_CHECKING

from web_terminal_suite.server import control
from web_terminal_suite.server.supervisor_handover import HandedOverSession, HandedOverStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web_terminal_suite.server.service_store import HostCopy, RestoredHost

log = logging.getLogger("web_terminal_suite.supervisor")

# The supervisor's own: what it needs to start processes and to give them channels.
_SPARE_DESCRIPTORS = 128
_CLOSED = -1
_MISSING = -2


class _Kept:
    __slots__ = ("ended", "input", "master", "pid", "record", "wait_status")

    def __init__(self, pid: int, master: int, record: bytes) -> None:
        self.pid = pid
        self.master = master
        self.input = _CLOSED
        self.record = record
        self.wait_status: int | None = None
        self.ended = False
        """Whether it is known that the shell has ended, and not how."""

    def close(self) -> None:
        """Close what belongs to the terminal."""
        for fd in (self.master, self.input):
            if fd >= 0:
                os.close(fd)
        self.master = self.input = _CLOSED


class DescriptorStore:
    """One host's sessions and the arenas of their logs. Owns their descriptors."""

    def __init__(self) -> None:
        self._arenas: dict[int, int] = {}
        self._sessions: dict[int, _Kept] = {}
        self._by_pid: dict[int, int] = {}
        self.serial = 0
        """The highest that a session had."""
        self._full = False
        self._copy: HostCopy | None = None

    def copy_to(self, copy: HostCopy) -> None:
        """Keep a second copy of everything there."""
        self._copy = copy

    def restore(self, host: RestoredHost) -> None:
        """Keep what a supervisor before had; owns its descriptors."""
        self._arenas = dict(host.arenas)
        for key, each in host.sessions.items():
            master = each.master if each.master >= 0 else _CLOSED if each.closed else _MISSING
            kept = self._sessions[key] = _Kept(each.pid, master, each.record)
            kept.input = each.input
            kept.ended = each.ended
            if not each.closed and not each.ended:
                self._by_pid[each.pid] = key
            self.serial = max(self.serial, key)

    @property
    def handed_over(self) -> HandedOverStore:
        """Everything, for the code that has this process next."""
        sessions = tuple(
            HandedOverSession(key, each.pid, each.master, each.input, each.record, each.wait_status, each.ended)
            for key, each in self._sessions.items()
        )
        return HandedOverStore(self._arenas, sessions, self.serial)

    def take_over(self, store: HandedOverStore) -> None:
        """Keep what the code before this had."""
        self._arenas, self.serial = store.arenas, store.serial
        for each in store.sessions:
            kept = self._sessions[each.key] = _Kept(each.pid, each.master, each.record)
            kept.input, kept.wait_status, kept.ended = each.input, each.wait_status, each.ended
            if kept.master != _CLOSED and kept.wait_status is None and not kept.ended:
                self._by_pid[each.pid] = each.key

    def is_complete(self) -> None:
        """The host has told everything that it has."""
        if self._copy is not None:
            self._copy.forget_all_but(self._arenas, self._sessions)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def pids(self) -> list[int]:
        """The shells that were not reaped yet, as far as is known here."""
        return list(self._by_pid)

    # --- from the host

    def keep_arena(self, message: control.KeepArena, fds: list[int]) -> None:
        """Keep an arena's memfd."""
        fd = self._with_room(fds)
        if fd >= 0:
            self._arenas[message.arena] = fd
            if self._copy is not None:
                self._copy.keep_arena(message.arena, fd)

    def keep(self, message: control.KeepSession, fds: list[int]) -> None:
        """Keep a session and its terminal's master."""
        master = _CLOSED if message.closed else self._with_room(fds)
        self._sessions[message.key] = _Kept(message.pid, master, message.record)
        if not message.closed:
            self._by_pid[message.pid] = message.key
        self.serial = max(self.serial, message.key)
        if self._copy is not None and master != _MISSING:
            self._copy.keep(message.key, message.pid, master, message.record)

    def change(self, message: control.RecordChanged) -> None:
        """Keep a session's newer record."""
        kept = self._sessions.get(message.key)
        if kept is None:
            return
        kept.record = message.record
        if self._copy is not None and kept.master != _MISSING:
            self._copy.change(message.key, kept.pid, message.record, closed=message.closed)
        if message.closed:
            kept.close()
            self._forget_pid(message.key, kept)

    def keep_input(self, message: control.KeepInput, fds: list[int]) -> None:
        """Keep what the host has to type in a session."""
        self.forget_input(message)
        kept = self._sessions.get(message.key)
        if kept is not None:
            kept.input = self._with_room(fds)
            if self._copy is not None and kept.input >= 0:
                self._copy.keep_input(message.key, kept.input)
        elif fds:
            os.close(fds[0])

    def forget_input(self, message: control.KeepInput | control.ForgetInput) -> None:
        """The host has nothing to type in a session any more."""
        kept = self._sessions.get(message.key)
        if kept is not None:
            if self._copy is not None:
                self._copy.forget_input(message.key)
            if kept.input >= 0:
                os.close(kept.input)
            kept.input = _CLOSED

    def forget(self, message: control.ForgetSession) -> None:
        """A session is over."""
        kept = self._sessions.pop(message.key, None)
        if kept is not None:
            if self._copy is not None:
                self._copy.forget(message.key)
            kept.close()
            self._forget_pid(message.key, kept)

    def _forget_pid(self, key: int, kept: _Kept) -> None:
        if self._by_pid.get(kept.pid) == key:  # the id may be a later shell's
            del self._by_pid[kept.pid]

    def _with_room(self, fds: list[int]) -> int:
        """The descriptor that came, unless this process needs it more."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if fds and fds[0] < limit - _SPARE_DESCRIPTORS:
            return fds[0]
        if fds:
            os.close(fds[0])
        if not self._full:
            self._full = True
            log.warning(
                "no descriptor is left to keep more sessions: further ones are lost if their PTY host dies; the "
                "supervisor may have %d; raise the limit with: ulimit -n", limit,
            )  # fmt: skip
        return _MISSING

    # --- for a host

    def reaped(self, pid: int, wait_status: int) -> bool:
        """Remember how a shell ended; whether it was one of ours."""
        key = self._by_pid.pop(pid, None)
        if key is None:
            return False
        self._sessions[key].wait_status = wait_status
        return True

    def contents(self, is_child: Callable[[int], bool]) -> Iterator[control.Lent]:
        """Everything, for a host that adopts it, with descriptors that are lent.

        ``is_child`` says whether this process will be told how a shell ends.
        """
        for arena, fd in sorted(self._arenas.items()):
            yield control.AdoptArena(arena=arena), (fd,)
        for key, kept in sorted(self._sessions.items()):
            if self._sessions.get(key) is not kept:
                continue  # forgotten since
            message = control.AdoptSession(
                record=kept.record,
                brings_master=kept.master >= 0,
                brings_input=kept.input >= 0,
                lost=kept.master == _MISSING,
                child=kept.wait_status is None and is_child(kept.pid),
                wait_status=kept.wait_status,
            )
            yield message, tuple(fd for fd in (kept.master, kept.input) if fd >= 0)
            if kept.ended:
                yield control.ShellEnded(pid=kept.pid, wait_status=None), ()
