"""What systemd tells the server's first process, and what that tells systemd (sd_notify(3), sd_listen_fds(3)).

Without systemd nothing is told. Knows nothing of the server's state.
"""

from __future__ import annotations

import math
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_LISTEN_FD = 3
# The supervisor's, which runs before anything else of the server is killed for its memory. The host has it too.
OOM_SCORE = -900
_OOM_FILE = "/proc/{}/oom_score_adj"


class ServiceManager:
    """The one that started this process, if it left an address in ``environment``."""

    def __init__(self, environment: Mapping[str, str], pid: int) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name without a file begins with @ there, and with a zero byte in the kernel (unix(7)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every_seconds = _watchdog_seconds(environment, pid) / 2 if self._address else 0.0
        self._due = 0.0 if self._every_seconds else math.inf

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

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            pass  # it is gone or does not read; the server does not depend on it


def _watchdog_seconds(environment: Mapping[str, str], pid: int) -> float:
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() else 0.0


def inherited_sockets(environment: Mapping[str, str], pid: int) -> list[socket.socket]:
    """Listening sockets that systemd opened for this process."""
    if environment.get("LISTEN_PID") != str(pid):
        return []
    count = environment.get("LISTEN_FDS", "")
    found = [socket.socket(fileno=FIRST_LISTEN_FD + each) for each in range(int(count) if count.isdigit() else 0)]
    for each in found:
        each.set_inheritable(False)
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
