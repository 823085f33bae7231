"""Where the processes of a supervisor that died meet another one: a directory with a lock, a list and a Unix socket.

A supervisor holds the lock as long as it lives, so a directory has one. Hosts and workers connect to the socket.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("web_terminal_suite.supervisor")

RETRY_SECONDS = 0.1
"""How often a process that waits for a supervisor looks for it."""
_BACKLOG = 128
# sun_path, with its final NUL (unix(7)).
_PATH_BYTES = 107


class CannotMeet(Exception):
    """The directory cannot be used; the text says why."""


class HostHello(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="host"):
    """A PTY host; its sessions follow."""

    number: int
    hosts: int


class WorkerHello(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="worker"):
    """A worker that serves. Descriptors: the listening socket, the settings, the counters and the credentials."""

    row: int


class ListedProcess(msgspec.Struct, frozen=True, array_like=True):
    """A process of the server; ``started`` (ticks since boot) tells it from a later one with its id."""

    pid: int
    started: int


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(HostHello | WorkerHello).decode


class SocketPeer(NamedTuple):
    """Who is at the other end of a connection."""

    pid: int
    user: int


class StateDirectory:
    """A supervisor's hold on the directory.

    Raises:
        CannotMeet: it cannot be made or used, is not private, or another supervisor holds it.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        try:
            os.makedirs(self._path, mode=0o700, exist_ok=True)
            found = os.stat(self._path)
            self._lock = os.open(f"{self._path}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotMeet(f"state directory {path}: {(error.strerror or str(error)).lower()}") from error
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise CannotMeet(f"state directory {path} is open to other users; give it to this user with mode 700")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 20, 0).decode(errors="replace").strip() or "unknown"
            raise CannotMeet(
                f"a supervisor (process {holder}) serves with state directory {path}; stop it, or choose another one"
            ) from error
        os.ftruncate(self._lock, 0)
        with contextlib.suppress(OSError):  # a full disk: who holds the lock is unknown then
            os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)
        self._noted: frozenset[int] = frozenset()
        self._out_of_date = False

    @classmethod
    def take_over(cls, path: str, lock: int) -> StateDirectory:
        """The hold of the code that had this process before; owns ``lock``."""
        directory = cls.__new__(cls)
        directory._path, directory._lock = os.path.abspath(path), lock
        directory._noted = frozenset()
        directory._out_of_date = False
        return directory

    def fileno(self) -> int:
        """The descriptor of the lock."""
        return self._lock

    def listen(self) -> socket.socket:
        """The socket at which processes arrive, non-blocking.

        Raises:
            CannotMeet: it cannot be made.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = socket_path(self._path)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            sock.bind(path)
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise CannotMeet(f"{path}: {(error.strerror or str(error)).lower()}") from error
        sock.setblocking(False)
        return sock

    def note(self, pids: frozenset[int]) -> None:
        """Write down which processes the server has. On a full disk each call is another attempt."""
        if pids == self._noted:
            return
        listed = [ListedProcess(pid, started) for pid in pids if (started := _started(pid)) is not None]
        try:
            with open(f"{self._path}/processes.new", "wb") as file:
                file.write(msgspec.json.encode(listed))
            os.replace(f"{self._path}/processes.new", f"{self._path}/processes")
        except OSError as error:
            if not self._out_of_date:
                self._out_of_date = True
                log.error(
                    "the list of processes in %s is out of date: %s; another supervisor would not wait for all of them",
                    self._path, (error.strerror or str(error)).lower(),
                )  # fmt: skip
        else:
            self._noted, self._out_of_date = pids, False

    def living(self) -> set[int]:
        """The processes of the supervisor before that are still there."""
        try:
            with open(f"{self._path}/processes", "rb") as file:
                listed = msgspec.json.decode(file.read(), type=list[ListedProcess])
        except (OSError, msgspec.DecodeError):
            return set()
        return {each.pid for each in listed if _started(each.pid) == each.started}


def socket_path(directory: str) -> str:
    """Where the socket of a state directory is.

    Raises:
        CannotMeet: a socket cannot have so long a path.
    """
    path = os.path.join(os.path.abspath(directory), "supervisor.sock")
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise CannotMeet(f"state directory {directory}: its path is longer than a socket's may be, {_PATH_BYTES} bytes")
    return path


def find(directory: str, hello: HostHello | WorkerHello, fds: Sequence[int] = ()) -> socket.socket | None:
    """A connection to another supervisor, which is told ``hello``, if there is one now."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(socket_path(directory))
        socket.send_fds(sock, [encode(hello)], fds)
    except OSError:  # nobody listens, or a supervisor that is about to be gone
        sock.close()
        return None
    return sock


def peer_of(sock: socket.socket) -> SocketPeer:
    """Who connected (SO_PEERCRED, unix(7))."""
    pid, user, _group = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return SocketPeer(pid, user)


def _started(pid: int) -> int | None:
    """Field 22 of ``proc_pid_stat(5)``; ``None`` for a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
