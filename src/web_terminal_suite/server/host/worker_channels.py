"""The host's channels to the workers: accepted, read, written and closed."""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import control, ipc
from web_terminal_suite.server.host.event_loop import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web_terminal_suite.server.host.event_loop import EventLoop
    from web_terminal_suite.server.host.table import SessionEntry

log = logging.getLogger("web_terminal_suite.host")


class WorkerChannel:
    """A worker as the host sees it: its channel, the arenas it maps, the sessions it is attached to.

    ``input_pipe`` is the receiving end of the pipe it types through, -1 where the host has none.
    """

    def __init__(self, channel: ipc.Channel, row: int) -> None:
        self.channel = channel
        self.row = row
        """The supervisor's number for the worker."""
        self.arenas: set[int] = set()
        self.attached: dict[str, SessionEntry] = {}
        self.input_pipe = -1


class WorkerChannels:
    """Every worker's channel. ``on_message`` gets each message, ``lose`` a worker that is gone."""

    def __init__(
        self,
        loop: EventLoop,
        on_message: Callable[[WorkerChannel, ipc.FromWorker], None],
        lose: Callable[[WorkerChannel], None],
    ) -> None:
        self._loop = loop
        self._on_message = on_message
        self._lose = lose
        self._open: set[WorkerChannel] = set()

    def __iter__(self) -> Iterator[WorkerChannel]:
        return iter(list(self._open))

    def __contains__(self, worker: object) -> bool:
        return worker in self._open

    def arrive(self, sock: socket.socket, row: int) -> WorkerChannel:
        """Listen to a new worker at the other end of ``sock``.

        Raises:
            OSError: the kernel watches no more descriptors.
        """
        worker = WorkerChannel(ipc.Channel(sock), row)
        self._loop.watch(worker.channel.fileno(), READ, partial(self._on_worker, worker))
        self._open.add(worker)
        return worker

    def resume(self, channel: control.HandedOverChannel) -> WorkerChannel:
        """Go on with a channel of the code before."""
        worker = self.arrive(socket.socket(fileno=channel.fd), channel.row)
        worker.channel.resume(channel.unsent)
        worker.input_pipe = channel.pipe
        self._watch(worker)
        return worker

    def answer(
        self, worker: WorkerChannel, message: ipc.FromHost, lent: tuple[int, ...] = (), owned: tuple[int, ...] = ()
    ) -> None:
        """Send now or as soon as there is room; descriptors as in ``ipc.Channel``."""
        worker.channel.send(message, lent, owned)
        if worker.channel.waits:
            self._watch(worker)

    def _on_worker(self, worker: WorkerChannel, events: int) -> None:
        if events & WRITE:
            worker.channel.flush()
            self._watch(worker)
        if not events & ~WRITE:
            return
        try:
            received = worker.channel.receive()
            if received is None:
                return
            packet, fds = received
            message = self._decoded(worker, packet, fds)
        except ipc.ChannelClosed:
            self._part(worker)
        except msgspec.DecodeError as error:
            # A worker of another version, after an upgrade: it must not end the shells, which end with this process.
            log.error("a worker said what this host does not know (%s): restart the server to use its version", error)
            self._part(worker)
        else:
            self._on_message(worker, message)

    def _decoded(self, worker: WorkerChannel, packet: bytes, fds: list[int]) -> ipc.FromWorker:
        """A message; the one descriptor that workers send is kept, any other closed.

        Raises:
            msgspec.DecodeError
        """
        try:
            message: ipc.FromWorker = ipc.decode_from_worker(packet)
            if isinstance(message, ipc.LendPipe) and fds:
                worker.input_pipe = fds.pop()
            return message
        finally:
            for fd in fds:
                os.close(fd)

    def _part(self, worker: WorkerChannel) -> None:
        self._open.discard(worker)
        self._loop.forget(worker.channel.fileno())
        worker.channel.close()
        self._lose(worker)

    def _watch(self, worker: WorkerChannel) -> None:
        events = READ | WRITE if worker.channel.waits else READ
        self._loop.watch(worker.channel.fileno(), events, partial(self._on_worker, worker))
