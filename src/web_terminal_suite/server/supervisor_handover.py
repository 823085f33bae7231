"""What the supervisor's process hands over to the installed code when it executes that in place."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import in_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE = "web_terminal_suite.server.supervisor"
VERSION = 2
"""To be raised with every change of ``HandedOverServer``, or of what supervisor and workers say to each other."""
ACCEPTED_VERSIONS = (2,)
"""What this code can take over from."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)


class HandedOverSession(msgspec.Struct, array_like=True, frozen=True):
    """What the store has of a session."""

    key: int
    pid: int
    master: int
    input: int
    record: bytes
    wait_status: int | None
    ended: bool


class HandedOverStore(msgspec.Struct, array_like=True, frozen=True):
    """A host's descriptor store. Descriptors are negative where there is none, as they are in the store."""

    arenas: dict[int, int]
    sessions: tuple[HandedOverSession, ...]
    serial: int

    def descriptors(self) -> Iterator[int]:
        """All that stay open."""
        yield from self.arenas.values()
        yield from (fd for each in self.sessions for fd in (each.master, each.input) if fd >= 0)


class HandedOverProcess(msgspec.Struct, array_like=True, frozen=True):
    """A host with its number, or a worker with its row."""

    pid: int
    fd: int
    number: int


class HandedOverServer(msgspec.Struct, array_like=True, frozen=True):
    """All that a supervisor has, with the numbers of the descriptors that stay open across execve(2)."""

    version: int
    settings: int
    listener: int
    counters: int
    credentials: int
    config: str
    """The file that users stand in, empty where there is none."""
    shells_descriptors: int
    directory: int
    """Its lock; -1 where there is no state directory."""
    door: int
    hosts: tuple[HandedOverProcess, ...]
    stores: tuple[HandedOverStore, ...]
    workers: tuple[HandedOverProcess, ...]
    generation: int
    drain_ends_at: float | None
    """When the drain ends that is under way; infinity where it has no deadline."""
    kept: tuple[str, ...]
    """Names of what the service manager keeps."""
    signals: tuple[int, ...]
    """Signals that came and were not acted on."""

    @property
    def processes(self) -> str:
        """What is handed over, in words."""
        return f"{len(self.hosts)} PTY hosts and {len(self.workers)} workers"

    def descriptors(self) -> list[int]:
        """All that stay open."""
        fds = [self.settings, self.listener, self.counters, self.credentials, self.directory, self.door]
        fds += [each.fd for each in (*self.hosts, *self.workers)]
        fds += [fd for store in self.stores for fd in store.descriptors()]
        return [fd for fd in fds if fd >= 0]


def hand_over(state: HandedOverServer, signals: Callable[[], tuple[int, ...]]) -> None:
    """Execute the installed code in this process; returns only by an exception.

    ``signals`` gives those that came until they were blocked.

    Raises:
        CannotHandOver: it cannot be executed; nothing has changed but that ``signals`` may have been called.
    """
    in_place.execute(
        MODULE,
        ["--hand-over"],
        lambda: msgspec.msgpack.encode(msgspec.structs.replace(state, signals=signals())),
        state.descriptors(),
        SIGNALS,
    )


def take_over(memory: int) -> HandedOverServer:
    """What the code before this left in ``memory``. From now on no descriptor reaches a child."""
    state = msgspec.msgpack.decode(in_place.read_state(memory), type=HandedOverServer)
    for fd in state.descriptors():
        os.set_inheritable(fd, False)
    return state


def refusal(version: int) -> str:
    """Why this code cannot take over from a supervisor of ``version``; empty where it can."""
    if version in ACCEPTED_VERSIONS:
        return ""
    accepted = ", ".join(map(str, ACCEPTED_VERSIONS))
    return f"the supervisor has a table of version {version}, and the installed code takes over from {accepted}"
