"""What a supervisor begins with: new processes, or those of a supervisor that died."""

from __future__ import annotations

import logging
import os
import resource
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import launch
from web_terminal_suite.server.arrivals import Arrivals, meet
from web_terminal_suite.server.listener import StartFailed, adopt, bind, place_of
from web_terminal_suite.server.log import ARENA_SLOTS
from web_terminal_suite.server.meeting import StateDirectory
from web_terminal_suite.server.processes import fork_host
from web_terminal_suite.server.pty_hosts import PtyHost
from web_terminal_suite.server.settings import MAX_HOSTS, Settings

if TYPE_CHECKING:
    import socket

log = logging.getLogger("web_terminal_suite.supervisor")

# A host's own: streams, control, channels of workers that come and go, and a margin.
_HOST_DESCRIPTORS = 256


@dataclass
class Beginnings:
    """What there is before the first round. ``counters`` is ``None`` where none were brought."""

    settings: Settings
    listener: socket.socket
    hosts: list[PtyHost]
    shells_descriptors: int
    directory: StateDirectory | None = None
    door: socket.socket | None = None
    counters: int | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)


def begin(public: Settings, settings_fd: int, shells_descriptors: int, inherited: list[socket.socket]) -> Beginnings:
    """Begin with what a supervisor left that died, if there is something, else with new hosts; closes ``settings_fd``.

    ``inherited`` are the sockets that the service manager opened.

    Raises:
        StartFailed: the server cannot start.
        CannotMeet: the state directory cannot be used.
    """
    directory, door, arrivals = None, None, Arrivals()
    if public.state_dir:
        directory = StateDirectory(public.state_dir)
        door = directory.listen()
        arrivals = meet(directory, door)
    listener = arrivals.listener or (adopt(public, inherited) if inherited else None)
    if arrivals.hosts:
        found = _of_arrived(arrivals, launch.read_settings(settings_fd), listener, shells_descriptors)
    else:
        public = with_hosts(public)
        listener = listener or bind(public)
        launch.settle()
        hosts = [fork_host(public, number, shells_descriptors) for number in range(public.hosts)]
        settings = msgspec.structs.replace(launch.read_settings(settings_fd), hosts=public.hosts)
        if inherited:
            settings = msgspec.structs.replace(settings, **place_of(listener))
        found = Beginnings(settings, listener, hosts, shells_descriptors)
    os.close(settings_fd)
    found.directory, found.door = directory, door
    return found


def _of_arrived(
    arrivals: Arrivals, own: Settings, listener: socket.socket | None, shells_descriptors: int
) -> Beginnings:
    """What is left of a server, with that one's settings.

    Raises:
        StartFailed: no worker brought the listening socket, and the port cannot be had.
    """
    settings = arrivals.settings or msgspec.structs.replace(own, hosts=arrivals.host_count)
    differing = [
        name
        for name in own.__struct_fields__
        if name not in ("token", "hosts") and getattr(own, name) != getattr(settings, name)
    ]
    if differing:
        log.warning("the server goes on with its settings; these are others now and need a restart: %s", differing)
    hosts = [PtyHost(number) for number in range(settings.hosts)]
    for each in arrivals.hosts:
        if not 0 <= each.number < len(hosts) or hosts[each.number].pid:
            raise StartFailed(
                f"process {each.pid} says that it is PTY host {each.number} of {len(hosts)}; end it first"
            )
        hosts[each.number].take(each.pid, each.control)
    return Beginnings(
        settings, listener or bind(settings), hosts, shells_descriptors, counters=arrivals.counters, arrivals=arrivals
    )


def with_token(settings: Settings) -> Settings:
    """The settings, with a random token if there would be no way to log in otherwise."""
    if settings.token or settings.users or settings.insecure_no_auth:
        return settings
    import secrets

    return msgspec.structs.replace(settings, token=secrets.token_urlsafe(24))


def with_hosts(settings: Settings) -> Settings:
    """The settings with the number of hosts that ``max_sessions`` needs, where none was asked for.

    Raises:
        StartFailed: more than there may be.
    """
    if settings.hosts:
        return settings
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # A session takes its PTY's descriptor, and logs share one for each arena.
    each = max(1, (descriptors - _HOST_DESCRIPTORS) * ARENA_SLOTS // (ARENA_SLOTS + 1))
    hosts = -(-settings.max_sessions // each)
    if hosts > MAX_HOSTS:
        raise StartFailed(
            f"max_sessions = {settings.max_sessions} needs {hosts} PTY hosts of {descriptors} descriptors each and "
            f"there may be {MAX_HOSTS}; raise the limit with: ulimit -Hn, or lower max_sessions"
        )
    return msgspec.structs.replace(settings, hosts=hosts)
