"""The copy of the descriptor stores that the service manager keeps, which outlives supervisor and hosts (sd_notify(3)).

Each descriptor has a name that says whose it is; what a session is stands in a memfd of its own. Knows nothing of
processes.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from web_terminal_suite.server.control import ACCEPTED_VERSIONS, HANDED_OVER_VERSION
from web_terminal_suite.server.log import arena_bytes
from web_terminal_suite.server.pty import is_master

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger("web_terminal_suite.supervisor")

_NAME = re.compile(r"wt\.(\d{1,4})\.(arena|master|input|process|record)\.(\d{1,20})(?:\.(\d{1,9}))?", re.ASCII)
# A service manager that does not read is told again after so long.
_RETRY_SECONDS = 0.1


class StoredSession(msgspec.Struct, frozen=True, array_like=True):
    """What is in the memfd of a session."""

    version: int
    pid: int
    record: bytes
    closed: bool
    """Whether its terminal is."""
    log_size: int


class Keeper(Protocol):
    """The service manager."""

    def keep(self, name: str, fd: int) -> bool:
        """Store a copy of ``fd``; ``False`` where it does not read now."""

    def forget(self, name: str) -> bool:
        """Store nothing with this name any more; ``False`` where it does not read now."""


class _Told(NamedTuple):
    """What is to be told: keep ``fd``, or, where it is negative, forget what has the name."""

    name: str
    fd: int = -1
    owned: bool = False

    def close(self) -> None:
        if self.owned:
            os.close(self.fd)


class ServiceStore:
    """All that the service manager keeps for this server, at most ``limit`` descriptors."""

    def __init__(self, keeper: Keeper, limit: int, held: Iterable[str] = ()) -> None:
        self._keeper = keeper
        self._limit = limit
        self._held = set(held)
        self._waiting: deque[_Told] = deque()
        self._retry_at = math.inf
        self._full = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that is kept."""
        return tuple(self._held)

    @property
    def waits(self) -> bool:
        """Whether something could not be told yet."""
        return bool(self._waiting)

    def names_of(self, host: int) -> list[str]:
        """The names of what is kept of a host."""
        return [name for name in self._held if name.startswith(f"wt.{host}.")]

    def keep(self, name: str, fd: int, *, owned: bool = False) -> None:
        """Keep ``fd``, which must live until ``forget``; it is closed where it is ``owned``."""
        room = name in self._held or len(self._held) < self._limit
        if not room and not self._full:
            self._full = True
            log.warning(
                "the service manager may keep %d descriptors, and no more sessions are kept there; raise "
                "FileDescriptorStoreMax=", self._limit,
            )  # fmt: skip
        if name in self._held or not room:
            if owned:
                os.close(fd)
            return
        self._held.add(name)
        self._waiting.append(_Told(name, fd, owned))
        self.flush(time.monotonic())

    def forget(self, name: str) -> None:
        """Keep nothing with this name any more."""
        if name not in self._held:
            return
        self._held.discard(name)
        for waiting in self._waiting:
            if waiting.name == name and waiting.fd >= 0:
                self._waiting.remove(waiting)
                waiting.close()
                return
        self._waiting.append(_Told(name))
        self.flush(time.monotonic())

    def clear(self) -> None:
        """Keep nothing."""
        for name in list(self._held):
            self.forget(name)

    def flush(self, now: float) -> None:
        """Tell what was not told yet."""
        while self._waiting:
            first = self._waiting[0]
            told = self._keeper.forget(first.name) if first.fd < 0 else self._keeper.keep(first.name, first.fd)
            if not told:
                self._retry_at = now + _RETRY_SECONDS
                return
            self._waiting.popleft().close()
        self._retry_at = math.inf

    def wake_at(self) -> float:
        """When to call ``flush``."""
        return self._retry_at


class HostCopy:
    """What the service manager keeps of one host's sessions."""

    def __init__(self, store: ServiceStore, host: int, log_size: int) -> None:
        self._store = store
        self._host = host
        self._log_size = log_size
        self._records: dict[int, int] = {}
        """The number of each session's newest record."""
        for name in store.names_of(host):
            found = _NAME.fullmatch(name)
            if found is not None and found[2] == "record":
                key = int(found[3])
                self._records[key] = max(self._records.get(key, 0), int(found[4] or 0))

    def _name(self, kind: str, number: int) -> str:
        return f"wt.{self._host}.{kind}.{number}"

    def keep_arena(self, number: int, fd: int) -> None:
        """Keep an arena's memfd."""
        self._store.keep(self._name("arena", number), fd)

    def keep(self, key: int, pid: int, master: int, record: bytes) -> None:
        """Keep a session; ``master`` is negative where its terminal is closed or missing."""
        if master >= 0:
            self._store.keep(self._name("master", key), master)
            with contextlib.suppress(OSError):  # it ended already; or no descriptor is left, and its id must do
                self._store.keep(self._name("process", key), os.pidfd_open(pid), owned=True)
        self.change(key, pid, record, closed=master < 0)

    def change(self, key: int, pid: int, record: bytes, *, closed: bool) -> None:
        """Keep a session's newer record, and then no longer the one before."""
        before = self._records.get(key)
        number = 1 if before is None else before + 1
        data = msgspec.msgpack.encode(StoredSession(HANDED_OVER_VERSION, pid, record, closed, self._log_size))
        try:
            fd = os.memfd_create("web-terminal-record", os.MFD_CLOEXEC)
        except OSError as error:
            log.error("a session cannot be kept by the service manager: %s", (error.strerror or "").lower())
            return
        os.pwrite(fd, data, 0)
        self._store.keep(f"{self._name('record', key)}.{number}", fd, owned=True)
        self._records[key] = number
        if before is not None:
            self._store.forget(f"{self._name('record', key)}.{before}")
        if closed:
            self._forget(key, "master", "process", "input")

    def keep_input(self, key: int, fd: int) -> None:
        """Keep what a host has to type in a session."""
        self._store.keep(self._name("input", key), fd)

    def forget_input(self, key: int) -> None:
        """The host has nothing to type in a session any more."""
        self._forget(key, "input")

    def forget(self, key: int) -> None:
        """A session is over."""
        self._forget(key, "master", "process", "input")
        number = self._records.pop(key, None)
        if number is not None:
            self._store.forget(f"{self._name('record', key)}.{number}")

    def forget_all_but(self, arenas: Iterable[int], keys: Iterable[int]) -> None:
        """Keep nothing else of this host, which has told everything that it has."""
        known = {("arena", each) for each in arenas}
        known |= {(kind, each) for each in keys for kind in ("master", "process", "input", "record")}
        for name in self._store.names_of(self._host):
            found = _NAME.fullmatch(name)
            if found is not None and (found[2], int(found[3])) not in known:
                self._store.forget(name)

    def _forget(self, key: int, *kinds: str) -> None:
        for kind in kinds:
            self._store.forget(self._name(kind, key))


# --- what the service manager hands back


@dataclass
class RestoredSession:
    """A session; ``master`` and ``input`` are -1 where there is none. ``ended`` where its shell is gone for sure."""

    pid: int
    record: bytes
    closed: bool
    master: int = -1
    input: int = -1
    ended: bool = False


@dataclass
class RestoredHost:
    """What there is of one host. Its descriptors are the caller's."""

    arenas: dict[int, int] = field(default_factory=dict)
    sessions: dict[int, RestoredSession] = field(default_factory=dict)
    log_size: int = 0

    def close(self) -> None:
        """Close everything: a host that lives tells what it has."""
        for fd in (*self.arenas.values(), *(fd for each in self.sessions.values() for fd in (each.master, each.input))):
            if fd >= 0:
                os.close(fd)


@dataclass
class Restored:
    """What the service manager kept: hosts by their number, the names of what was good, and of what was refused."""

    hosts: dict[int, RestoredHost] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def restore(stored: Iterable[tuple[str, int]]) -> Restored:
    """The hosts in descriptors with their names; what is not of this server is named in the log and closed."""
    restored = Restored()
    found: dict[tuple[int, str, int], tuple[int, str, int]] = {}
    for name, fd in stored:
        parts = _NAME.fullmatch(name)
        problem = "it has a name that this server gives to none" if parts is None else _problem(parts[2], fd)
        if parts is None or problem:
            _refuse(restored, name, fd, problem)
            continue
        place, version = (int(parts[1]), parts[2], int(parts[3])), int(parts[4] or 0)
        before = found.get(place)
        if before is not None and before[0] >= version:
            _refuse(restored, name, fd, "there is a newer one")
            continue
        if before is not None:
            _refuse(restored, before[1], before[2], "there is a newer one")
        found[place] = version, name, fd
    for number in sorted({host for host, _kind, _key in found}):
        _restore_host(restored, number, {place[1:]: each for place, each in found.items() if place[0] == number})
    return restored


def _restore_host(restored: Restored, number: int, found: dict[tuple[str, int], tuple[int, str, int]]) -> None:
    host = RestoredHost()
    for (kind, key), (_version, name, fd) in found.items():
        if kind != "record":
            continue
        try:
            stored = msgspec.msgpack.decode(os.pread(fd, os.fstat(fd).st_size, 0), type=StoredSession)
        except msgspec.MsgspecError as error:
            _refuse(restored, name, fd, f"it is no session: {error}")
            continue
        if stored.version not in ACCEPTED_VERSIONS:
            accepted = ", ".join(map(str, ACCEPTED_VERSIONS))
            _refuse(restored, name, fd, f"its session has version {stored.version}, and this code adopts {accepted}")
            continue
        if host.log_size and host.log_size != stored.log_size:
            _refuse(restored, name, fd, f"its log has {stored.log_size} bytes, and those of others {host.log_size}")
            continue
        os.close(fd)
        restored.names.append(name)
        host.log_size = stored.log_size
        host.sessions[key] = RestoredSession(stored.pid, stored.record, stored.closed)
    for (kind, key), (_version, name, fd) in found.items():
        session = host.sessions.get(key)
        if kind == "record":
            continue
        if kind == "arena" and host.sessions and os.fstat(fd).st_size == arena_bytes(host.log_size):
            host.arenas[key] = fd
        elif kind == "arena" or session is None or session.closed:
            _refuse(restored, name, fd, "no session needs it")
            continue
        elif kind == "master":
            session.master = fd
        elif kind == "input":
            session.input = fd
        else:
            session.ended = _pid_of(fd) != session.pid
            os.close(fd)
        restored.names.append(name)
    if host.sessions:
        restored.hosts[number] = host


def _refuse(restored: Restored, name: str, fd: int, problem: str) -> None:
    log.error("descriptor %r of the service manager's store was closed: %s", name, problem)
    os.close(fd)
    restored.refused.append(name)


def _problem(kind: str, fd: int) -> str:
    """Why a descriptor cannot be what its name says; empty where it can."""
    if kind == "master":
        return "" if is_master(fd) else "it is no terminal's master"
    if kind == "process":
        return "" if _pid_of(fd) is not None else "it is no process"
    memory = {"arena": "logs", "input": "input", "record": "record"}[kind]
    is_ours = os.readlink(f"/proc/self/fd/{fd}").startswith(f"/memfd:web-terminal-{memory} ")
    return "" if is_ours else f"it is no memory of {memory}"


def _pid_of(fd: int) -> int | None:
    """The process of a pidfd, -1 if it has ended; ``None`` for another descriptor (pidfd_open(2))."""
    with open(f"/proc/self/fdinfo/{fd}") as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    return None
