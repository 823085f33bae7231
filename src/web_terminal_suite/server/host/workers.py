"""The workers as the host knows them: they come, ask, are answered, and are gone."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from web_terminal_suite.server.host import wire
from web_terminal_suite.server.host.loop import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.host.loop import Loop
    from web_terminal_suite.server.host.table import Entry


class Worker:
    """A worker as the host sees it: its channel, the arenas it maps, the sessions it holds."""

    def __init__(self, channel: wire.Channel, serial: int) -> None:
        self.channel = channel
        self.serial = serial
        self.arenas: set[int] = set()
        self.held: dict[str, Entry] = {}


class Workers:
    """Every worker's channel. ``hear`` is called with each message, ``lose`` when a worker is gone."""

    def __init__(
        self, loop: Loop, hear: Callable[[Worker, wire.FromWorker], None], lose: Callable[[Worker], None]
    ) -> None:
        self._loop = loop
        self._hear = hear
        self._lose = lose
        self._there: set[Worker] = set()
        self._serial = 0

    def __contains__(self, worker: object) -> bool:
        return worker in self._there

    def arrive(self, sock: socket.socket) -> None:
        """Listen to a new worker at the other end of ``sock``."""
        self._serial += 1
        worker = Worker(wire.Channel(sock), self._serial)
        self._there.add(worker)
        self._loop.watch(worker.channel.fileno(), READ, partial(self._on_worker, worker))

    def answer(
        self, worker: Worker, message: wire.FromHost, lent: tuple[int, ...] = (), owned: tuple[int, ...] = ()
    ) -> None:
        """Send now or as soon as there is room; descriptors as in ``wire.Channel``."""
        worker.channel.send(message, lent, owned)
        if worker.channel.waits:
            self._watch(worker)

    def _on_worker(self, worker: Worker, events: int) -> None:
        if events & WRITE:
            worker.channel.flush()
            self._watch(worker)
        if not events & ~WRITE:
            return
        try:
            received = worker.channel.receive()
        except wire.Gone:
            self._there.discard(worker)
            self._loop.forget(worker.channel.fileno())
            worker.channel.close()
            self._lose(worker)
            return
        if received is not None:
            packet, fds = received
            for fd in fds:  # workers send none
                os.close(fd)
            self._hear(worker, wire.decode_from_worker(packet))

    def _watch(self, worker: Worker) -> None:
        events = READ | WRITE if worker.channel.waits else READ
        self._loop.watch(worker.channel.fileno(), events, partial(self._on_worker, worker))
