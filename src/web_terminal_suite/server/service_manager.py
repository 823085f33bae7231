"""What systemd tells the server's first process, and what that tells systemd (sd_notify(3), sd_listen_fds(3)).

Without systemd nothing is told. Knows nothing of the server's state.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("web_terminal_suite.supervisor")

FIRST_LISTEN_FD = 3
STORED_PREFIX = "wt."
"""How the names begin of what the server stores."""
# The supervisor's, which runs before anything else of the server is killed for its memory. The host has it too.
OOM_SCORE = -900
_OOM_FILE = "/proc/{}/oom_score_adj"


class ServiceManager:
    """The one that started this process, if it left an address in ``environment``."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name without a file begins with @ there, and with a zero byte in the kernel (unix(7)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        limit = environment.get("FDSTORE", "")
        self._store_limit = int(limit) if self._address and limit.isdigit() else 0
        self._every_seconds = _watchdog_seconds(environment, pid) / 2 if self._address else 0.0
        self._due = 0.0 if self._every_seconds else math.inf

    @property
    def store_limit(self) -> int:
        """How many descriptors it keeps for this service; 0 where it keeps none."""
        return self._store_limit

    def ready(self, status: str) -> None:
        """The server serves, for the first time or again after ``reloading``."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Another generation is being started; ``ready`` must follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=upgrading")

    def stopping(self) -> None:
        """The server ends."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def show(self, status: str) -> None:
        """One line for ``systemctl status``."""
        self._tell(f"STATUS={status}")

    def pass_time(self, now: float) -> None:
        """Say that this process runs, where that is due."""
        if now >= self._due:
            self._due = now + self._every_seconds
            self._tell("WATCHDOG=1")

    def wake_at(self) -> float:
        """When ``pass_time`` is due; infinity where nobody asks."""
        return self._due

    def keep(self, name: str, fd: int) -> bool:
        """Store a copy of ``fd``; ``False`` where it does not read now."""
        # It would drop a master by itself when no process has the terminal open, which a shell may open again.
        return self._tell("FDSTORE=1", "FDPOLL=0", f"FDNAME={name}", fds=(fd,))

    def forget(self, name: str) -> bool:
        """Store nothing with this name any more; ``False`` where it does not read now."""
        return self._tell("FDSTOREREMOVE=1", f"FDNAME={name}")

    def _tell(self, *lines: str, fds: tuple[int, ...] = ()) -> bool:
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(self._address)
                if fds:
                    socket.send_fds(sock, ["\n".join(lines).encode()], fds)
                else:
                    sock.send("\n".join(lines).encode())
        except BlockingIOError:
            return False
        except OSError:
            pass  # it is gone; the server does not depend on it
        return True


def _watchdog_seconds(environment: Mapping[str, str], pid: int) -> float:
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() else 0.0


class Inherited(NamedTuple):
    """What systemd opened or stored for this process: sockets that listen, and other descriptors with their names."""

    sockets: list[socket.socket]
    stored: list[tuple[str, int]]


def inherited(environment: Mapping[str, str], pid: int) -> Inherited:
    """Everything that systemd hands over; no child gets it."""
    found = Inherited([], [])
    if environment.get("LISTEN_PID") != str(pid):
        return found
    text = environment.get("LISTEN_FDS", "")
    count = int(text) if text.isdigit() else 0
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    for number in range(count):
        fd = FIRST_LISTEN_FD + number
        name = names[number] if number < len(names) else ""
        try:
            os.set_inheritable(fd, False)
            is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        except OSError as error:
            log.error("descriptor %d (%r) that systemd should hand over: %s", fd, name, (error.strerror or "").lower())
            continue
        if is_socket and not name.startswith(STORED_PREFIX):
            found.sockets.append(socket.socket(fileno=fd))
        else:
            found.stored.append((name, fd))
    return found


def protect_from_oom() -> None:
    """Let the kernel kill other processes before this one, where it may be asked to and nobody has chosen a value."""
    if _oom_score("self") == 0:
        _set_oom_score("self", OOM_SCORE)


def expose_to_oom(pid: int | str = "self") -> None:
    """Let a process of the server that can be replaced, or a shell, count as any other."""
    if _oom_score(pid) < 0:
        _set_oom_score(pid, 0)


def _oom_score(pid: int | str) -> int:
    try:
        with open(_OOM_FILE.format(pid)) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _set_oom_score(pid: int | str, score: int) -> None:
    try:
        with open(_OOM_FILE.format(pid), "w") as file:
            file.write(str(score))
    except OSError:
        pass  # lowering it takes a privilege (CAP_SYS_RESOURCE), and the process may have ended
