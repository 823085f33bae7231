"""What a host's process hands over to the installed code when it executes that in place."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from typing import TYPE_CHECKING

from web_terminal_suite.server import control, in_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from web_terminal_suite.server.host.table import SessionEntry
    from web_terminal_suite.server.host.worker_channels import WorkerChannels

_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)


def channels_of(workers: WorkerChannels, entries: Iterable[SessionEntry]) -> tuple[control.HandedOverChannel, ...]:
    """The workers' channels as the next code finds them."""
    waiting: defaultdict[object, list[tuple[str, int]]] = defaultdict(list)
    clients: defaultdict[object, list[tuple[str, int]]] = defaultdict(list)
    claims: defaultdict[object, list[tuple[str, int, int]]] = defaultdict(list)
    for entry in entries:
        for worker, request_id in entry.waiting:
            waiting[worker].append((entry.id, request_id))
        if entry.input is None or entry.session is None:
            continue
        for place, owner in entry.input.owners.items():
            clients[owner].append((entry.id, place))
        for place, claimants in entry.input.waiting.items():
            for worker, request_id in claimants:
                claims[worker].append((entry.id, place, request_id))
    return tuple(
        control.HandedOverChannel(
            fd=worker.channel.fileno(),
            row=worker.row,
            unsent=worker.channel.unsent,
            waiting=tuple(waiting[worker]),
            pipe=worker.input_pipe,
            clients=tuple(clients[worker]),
            claims=tuple(claims[worker]),
        )
        for worker in workers
    )


def inputs_of(entries: Iterable[SessionEntry]) -> dict[str, int]:
    """The files of input that the host has to type."""
    return {each.id: each.input.file.fd for each in entries if each.input is not None and each.input.file is not None}


def hand_over(state: control.HandedOver, supervisor: int, arguments: list[str]) -> None:
    """Execute the installed code in this process; returns only by an exception.

    Raises:
        CannotHandOver: it cannot be executed; nothing has changed.
    """
    in_place.execute(
        "web_terminal_suite.server.host.main",
        [*arguments, str(supervisor)],
        lambda: control.encode(state),
        [supervisor, *_descriptors_of(state)],
        _SIGNALS,
    )


def take_over(memory: int, supervisor: int) -> control.HandedOver:
    """What the code before this left in ``memory``. From now on no descriptor reaches a shell."""
    state = control.decode_handed_over(in_place.read_state(memory))
    for fd in (supervisor, *_descriptors_of(state)):
        os.set_inheritable(fd, False)
    return state


def _descriptors_of(state: control.HandedOver) -> Iterator[int]:
    yield from (master for _record, master in state.sessions if master >= 0)
    yield from state.arenas.values()
    yield from state.inputs.values()
    for channel in state.channels:
        yield channel.fd
        if channel.pipe >= 0:
            yield channel.pipe
        for _packet, fds in channel.unsent:
            yield from fds


def refusal(version: int) -> str:
    """Why this code cannot take over from a host of ``version``; empty where it can."""
    if version in control.ACCEPTED_VERSIONS:
        return ""
    accepted = ", ".join(map(str, control.ACCEPTED_VERSIONS))
    return f"the hosts have tables of version {version}, and the installed code takes over from {accepted}"


def unblock_signals() -> None:
    """Receive what came while the code was exchanged."""
    in_place.unblock(_SIGNALS)
