"""The processes of a supervisor that died, as they arrive at another one."""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from dataclasses import dataclass, field

import msgspec

from web_terminal_suite.server import ipc, launch, meeting
from web_terminal_suite.server.credentials import Credentials
from web_terminal_suite.server.credentials import decode as decode_credentials
from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.supervisor")

# Processes that do not arrive by then are stopped, or are not ours any more.
_ARRIVE_SECONDS = 2.5
_HELLO_SECONDS = 1.0
# What a worker brings, see ``meeting.WorkerHello``.
_DESCRIPTORS = 4


@dataclass(frozen=True)
class Arrived:
    """A process and its control channel; ``number`` is a host's, or a worker's row."""

    pid: int
    control: socket.socket
    number: int


@dataclass
class Arrivals:
    """What is left of the server. What comes with descriptors comes from a worker, and is ``None`` if none arrived."""

    hosts: list[Arrived] = field(default_factory=list)
    workers: list[Arrived] = field(default_factory=list)
    host_count: int = 0
    listener: socket.socket | None = None
    settings: Settings | None = None
    counters: int | None = None
    credentials: Credentials | None = None

    def take(self, sock: socket.socket) -> int:
        """Meet the process at the other end of ``sock``; its id, or 0 if it is none of ours."""
        peer = meeting.peer_of(sock)
        sock.settimeout(_HELLO_SECONDS)
        try:
            if peer.user != os.getuid():
                raise PermissionError(f"it is user {peer.user}'s")
            packet, fds = ipc.receive_descriptors(sock, 4096, _DESCRIPTORS)
            hello = meeting.decode(packet)
        except (OSError, msgspec.DecodeError) as error:
            log.error("process %d is not one of this server: %s", peer.pid, error)
            sock.close()
            return 0
        sock.setblocking(True)
        if isinstance(hello, meeting.HostHello):
            self.hosts.append(Arrived(peer.pid, sock, hello.number))
            self.host_count = max(self.host_count, hello.hosts)
            unused = fds
        else:
            self.workers.append(Arrived(peer.pid, sock, hello.row))
            unused = self._keep(fds)
        for fd in unused:
            os.close(fd)
        return peer.pid

    def _keep(self, fds: list[int]) -> list[int]:
        """Keep what the first worker brought; what is not needed."""
        if self.listener is not None or len(fds) != _DESCRIPTORS:
            return fds
        self.listener = socket.socket(fileno=fds[0])
        self.settings = launch.read_settings(fds[1])
        self.counters = fds[2]
        self.credentials = decode_credentials(launch.content(fds[3]))
        return [fds[1], fds[3]]


def meet(directory: meeting.StateDirectory, door: socket.socket) -> Arrivals:
    """Wait for the processes that the directory lists and that live; at once back if there are none."""
    arrivals = Arrivals()
    awaited = directory.living()
    deadline = time.monotonic() + _ARRIVE_SECONDS
    if awaited:
        log.info("%d processes of a supervisor that died are awaited", len(awaited))
    while awaited and (left := deadline - time.monotonic()) > 0:
        if select.select([door], [], [], left)[0]:
            awaited.discard(arrivals.take(door.accept()[0]))
        awaited &= directory.living()
    if awaited:
        log.error("%d processes did not come: %s", len(awaited), ", ".join(map(str, sorted(awaited))))
    return arrivals
