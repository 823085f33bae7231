"""What a supervisor begins with: new processes, those of a supervisor that died, or those of the code before it."""

from __future__ import annotations

import logging
import os
import resource
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import launch
from web_terminal_suite.server.arrivals import Arrivals, Arrived, meet
from web_terminal_suite.server.credential_store import CredentialStore
from web_terminal_suite.server.credentials import decode as decode_credentials
from web_terminal_suite.server.credentials import random_token
from web_terminal_suite.server.listener import StartFailed, adopt, bind, place_of
from web_terminal_suite.server.log import ARENA_SLOTS
from web_terminal_suite.server.meeting import StateDirectory
from web_terminal_suite.server.processes import fork_host
from web_terminal_suite.server.pty_hosts import PtyHost
from web_terminal_suite.server.service_store import Restored, restore
from web_terminal_suite.server.settings import MAX_HOSTS, Settings
from web_terminal_suite.server.supervisor_handover import HandedOverServer, take_over

if TYPE_CHECKING:
    from web_terminal_suite.server.service_manager import Inherited

log = logging.getLogger("web_terminal_suite.supervisor")

# A host's own: streams, control, channels of workers that come and go, and a margin.
_HOST_DESCRIPTORS = 256


@dataclass
class Beginnings:
    """What there is before the first round. ``counters`` is ``None`` where none were brought."""

    settings: Settings
    """Those of workers, without secrets."""
    credentials: CredentialStore
    listener: socket.socket
    hosts: list[PtyHost]
    shells_descriptors: int
    directory: StateDirectory | None = None
    door: socket.socket | None = None
    counters: int | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)
    restored: Restored = field(default_factory=Restored)
    handed_over: HandedOverServer | None = None
    """What the code before this left in this process."""
    random_token: str = ""
    """To be shown once: the only one that can log in."""


def begin(public: Settings, settings_fd: int, config: str, shells_descriptors: int, inherited: Inherited) -> Beginnings:
    """Begin with what a supervisor left that died, if there is something, else with new hosts; closes ``settings_fd``.

    ``config`` is the file that the settings came from, empty where there is none.

    Raises:
        StartFailed: the server cannot start.
        TokensFileError: the tokens file cannot be used.
        CannotMeet: the state directory cannot be used.
    """
    directory, door, arrivals = None, None, Arrivals()
    if public.state_dir:
        directory = StateDirectory(public.state_dir)
        door = directory.listen()
        arrivals = meet(directory, door)
    restored = restore(inherited.stored)
    listener = arrivals.listener or (adopt(public, inherited.sockets) if inherited.sockets else None)
    if arrivals.hosts or restored.hosts:
        own, token = _with_token(launch.read_settings(settings_fd))
        settings = _settings_of(arrivals, restored, own.for_workers())
        hosts = _hosts_of(arrivals, restored, settings)
    else:
        public = with_hosts(public)
        listener = listener or bind(public)
        launch.settle()
        hosts = [fork_host(public, number, shells_descriptors) for number in range(public.hosts)]
        own, token = _with_token(launch.read_settings(settings_fd))
        settings = msgspec.structs.replace(own.for_workers(), hosts=public.hosts)
    os.close(settings_fd)
    listener = listener or bind(settings)
    if inherited.sockets and arrivals.settings is None:
        settings = msgspec.structs.replace(settings, **place_of(listener))
    # A worker brought them, or there is none that could have served with them.
    brought = arrivals.credentials
    credentials = CredentialStore(own if brought is None else settings, config, brought)
    if brought is not None:
        credentials.reload()
        token = ""
    return Beginnings(
        settings, credentials, listener, hosts, shells_descriptors, directory, door, arrivals.counters, arrivals,
        restored, random_token=token,
    )  # fmt: skip


def resume(memory: int) -> Beginnings:
    """Begin with everything that the code before this left in this process."""
    state = take_over(memory)
    settings = launch.read_settings(state.settings)
    os.close(state.settings)
    credentials = CredentialStore(settings, state.config, decode_credentials(launch.content(state.credentials)))
    os.close(state.credentials)
    hosts = [PtyHost(number) for number in range(settings.hosts)]
    for each, store in zip(state.hosts, state.stores, strict=True):
        host = hosts[each.number]
        host.take(each.pid, socket.socket(fileno=each.fd))
        host.is_ready()
        host.store.take_over(store)
    return Beginnings(
        settings,
        credentials,
        socket.socket(fileno=state.listener),
        hosts,
        state.shells_descriptors,
        None if state.directory < 0 else StateDirectory.take_over(settings.state_dir, state.directory),
        None if state.door < 0 else socket.socket(fileno=state.door),
        state.counters,
        Arrivals(workers=[Arrived(each.pid, socket.socket(fileno=each.fd), each.number) for each in state.workers]),
        Restored(names=list(state.kept)),
        state,
    )


def _settings_of(arrivals: Arrivals, restored: Restored, own: Settings) -> Settings:
    """The settings of the server that is left, as far as they are known."""
    highest = max((number + 1 for number in restored.hosts), default=0)
    log_size = next((host.log_size for host in restored.hosts.values()), own.log_size)
    settings = arrivals.settings or msgspec.structs.replace(
        own,
        hosts=max(arrivals.host_count, highest, with_hosts(own).hosts if not arrivals.hosts else 0),
        log_size=log_size,
    )
    differing = [
        name for name in own.__struct_fields__ if name != "hosts" and getattr(own, name) != getattr(settings, name)
    ]
    if differing:
        log.warning("the server goes on with its settings; these are others now and need a restart: %s", differing)
    return settings


def _hosts_of(arrivals: Arrivals, restored: Restored, settings: Settings) -> list[PtyHost]:
    """The hosts that arrived, and places for those that are to adopt what the service manager kept.

    Raises:
        StartFailed: two processes say that they are the same host.
    """
    hosts = [PtyHost(number) for number in range(settings.hosts)]
    for each in arrivals.hosts:
        if not 0 <= each.number < len(hosts) or hosts[each.number].pid:
            raise StartFailed(
                f"process {each.pid} says that it is PTY host {each.number} of {len(hosts)}; end it first"
            )
        hosts[each.number].take(each.pid, each.control)
    for number, kept in restored.hosts.items():
        if number >= len(hosts) or hosts[number].pid:
            kept.close()
        else:
            hosts[number].store.restore(kept)
            log.info("the service manager kept %d sessions of PTY host %d", len(kept.sessions), number)
    return hosts


def _with_token(settings: Settings) -> tuple[Settings, str]:
    """The settings, with a random token if there would be no way to log in otherwise; and that token."""
    if settings.has_credentials or settings.insecure_no_auth:
        return settings, ""
    token = random_token()
    return msgspec.structs.replace(settings, token=token), token


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
